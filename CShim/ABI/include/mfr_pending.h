// mfr_pending.h - signals that the guest has not taken yet: posted by the anchor or by a replica in its claimed slot, taken by
// the lane. Part of the contract, see mfr_abi.h, which includes it.
#ifndef MFR_PENDING_H
#define MFR_PENDING_H

#include "mfr_abi.h"

#define MFR_PENDING_REPLICA 0x200ull
static inline uint32_t mfr_pending_state_of(uint64_t word) { return word & 3; }
static inline uint32_t mfr_pending_signo(uint64_t word) { return word >> 2 & 0x7f; }
static inline uint32_t mfr_pending_ticket(uint64_t word) { return (uint32_t)(word >> 32); }
// Where entries of a number may be: that of its own, and then the queue.
static inline void mfr_pending_span(uint32_t signo, int32_t target, uint32_t *first, uint32_t *end) {
  int queued = signo >= MFR_FIRST_QUEUED || target;
  *first = queued ? MFR_FIRST_QUEUED : signo;
  *end = queued ? MFR_PENDING : signo + 1;
}

// The pending entry of a number that is to be taken first by thread `tid` (what is for the process, too);
// MFR_ANY_THREAD: by any. NULL when there is none.
static inline struct mfr_pending *mfr_signal_next(void *base, uint32_t signo, int32_t tid, uint64_t *word) {
  struct mfr_header *h = mfr_header_of(base);
  struct mfr_pending *found = NULL;
  uint32_t own = signo < MFR_FIRST_QUEUED;
  for (uint32_t n = own ? 0 : 1; n <= MFR_PENDING - MFR_FIRST_QUEUED; n++) {
    uint32_t i = n ? MFR_FIRST_QUEUED + n - 1 : signo;
    uint64_t w = mfr_load_acquire64(&h->pending_word[i]); // pairs with the release in mfr_signal_post
    if (mfr_pending_state_of(w) != MFR_PENDING_READY || mfr_pending_signo(w) != signo) continue;
    if (found && (int32_t)(mfr_pending_ticket(w) - mfr_pending_ticket(*word)) > 0) continue;
    int32_t target = h->pending[i].target;
    if (target && tid != MFR_ANY_THREAD && tid != target) continue;
    found = &h->pending[i];
    *word = w;
  }
  return found;
}

static inline void mfr_signal_drop(void *base, uint32_t signo, uint32_t ticket);
// A signal that stops takes a pending SIGCONT away, and that one those that stop, also where they are blocked or ignored
// (kernel/signal.c, prepare_signal).
static inline void mfr_signal_cancel(void *base, uint32_t signo) {
  uint32_t first = signo == 18 ? 20 : 18, last = signo == 18 ? 22 : 18;
  if (signo < 18 || signo > 22) return;
  for (uint32_t s = first; s <= last; s++) {
    uint64_t word = 0;
    while (mfr_signal_next(base, s, MFR_ANY_THREAD, &word)) mfr_signal_drop(base, s, mfr_pending_ticket(word));
  }
}

// Poster: the anchor (origin 0), or a replica in its claimed slot (origin: sequence + 1). A replica's posting
// is idempotent: who makes the call of a dead leader again takes over what that one has posted, or half posted.
// 0, or -11 (EAGAIN) when all entries for real-time signals are in use.
static inline int mfr_signal_post(void *base, uint32_t signo, const void *siginfo, uint64_t origin, int32_t target) {
  struct mfr_header *h = mfr_header_of(base);
  const uint8_t *from = (const uint8_t *)siginfo;
  uint64_t mine = origin ? MFR_PENDING_REPLICA : 0;
  uint32_t first, end;
  mfr_signal_cancel(base, signo);
  mfr_pending_span(signo, target, &first, &end);
  for (uint32_t i = first; first >= MFR_FIRST_QUEUED && i < end; i++) {
    uint64_t w = mfr_load_acquire64(&h->pending_word[i]);
    if (mfr_pending_state_of(w) != MFR_PENDING_READY || mfr_pending_signo(w) != signo) continue;
    // Posted by the dead leader of this very call; or the same signal, which is pending once only.
    int same = signo < MFR_FIRST_QUEUED && h->pending[i].target == target;
    if (!same && (!origin || h->pending[i].origin != origin)) continue;
    mfr_or_acqrel64(&h->sig_pending, 1ull << ((signo - 1) & 63));
    return 0;
  }
  if (!origin && end > MFR_PENDING_ANCHOR) end = MFR_PENDING_ANCHOR;
  uint64_t ticket = mfr_add_acqrel32(&h->sig_ticket, 1);
  uint64_t word = ticket << 32 | mine | (uint64_t)signo << 2;
  for (uint32_t i = first; i < end;) {
    struct mfr_pending *p = &h->pending[i];
    uint64_t w = mfr_load_acquire64(&h->pending_word[i]);
    // Only one replica posts at a time: what another one has left half filled, it died over.
    int open = mfr_pending_state_of(w) == MFR_PENDING_FREE ||
               (mfr_pending_state_of(w) == MFR_PENDING_FILLING && mine && (w & MFR_PENDING_REPLICA));
    if (!open) {
      if (first >= MFR_FIRST_QUEUED) {
        i++;
        continue;
      }
      mfr_or_acqrel64(&h->sig_pending, 1ull << ((signo - 1) & 63));
      return 0; // pending already: the same signal
    }
    if (!mfr_cas_acqrel64(&h->pending_word[i], w, word | MFR_PENDING_FILLING)) continue; // look at it again
    p->origin = origin;
    p->target = target;
    for (uint32_t k = 0; k < sizeof p->info; k++) p->info[k] = from[k];
    mfr_store_release64(&h->pending_word[i], word | MFR_PENDING_READY);
    mfr_or_acqrel64(&h->sig_pending, 1ull << ((signo - 1) & 63));
    return 0;
  }
  return -11;
}

// Leader and followers all say which posting they have passed; once is enough.
static inline void mfr_signal_drop(void *base, uint32_t signo, uint32_t ticket) {
  struct mfr_header *h = mfr_header_of(base);
  for (uint32_t n = signo < MFR_FIRST_QUEUED ? 0 : 1; n <= MFR_PENDING - MFR_FIRST_QUEUED; n++) {
    uint32_t i = n ? MFR_FIRST_QUEUED + n - 1 : signo;
    uint64_t w = mfr_load_acquire64(&h->pending_word[i]);
    if (mfr_pending_state_of(w) != MFR_PENDING_READY || mfr_pending_signo(w) != signo ||
        mfr_pending_ticket(w) != ticket)
      continue;
    mfr_cas_acqrel64(&h->pending_word[i], w, 0);
    return;
  }
}

#endif
