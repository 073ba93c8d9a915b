// outside.c - what wakes threads from outside: descriptors, points in time, children, signals. Only the leader looks,
// and says in an event slot whom to wake and why; the others read it there (threads.c).
#include "shim.h"

#define MOST_FDS 16384u
#define LOOK_TICKS 50000u // of the time stamp counter between two looks: some 20 µs

struct event {
  u32 thread, why;
};
#define MOST_EVENTS 512u
static struct event found[MOST_EVENTS];
static struct mfr_pollfd all_fds[MOST_FDS];
static u64 looked; // time stamp of the last look

// ---- waiting for the outside -------------------------------------------------------------------------------------
static u64 blocked_by(const struct mfr_thread *t) {
  u64 mask = t == mfr_self.thread ? mfr_self.vmask : t->saved.vmask;
  return mask & ~t->sigwait;
}

// Who takes a signal for the process: the first thread if it lets it through, else any (kernel/signal.c,
// complete_signal).
static struct mfr_thread *taker(u32 signo) {
  for (u32 i = 0; i < mfr_thread_places; i++) {
    struct mfr_thread *t = mfr_thread_table[i];
    if (t->state != MFR_THREAD_FREE && !(blocked_by(t) & SIG_BIT(signo))) return t;
  }
  return NULL;
}
int mfr_may_take(u32 signo, i32 target) {
  if (likely(mfr_self.threads < 2)) return 1;
  if (target) return target == mfr_self.thread->tid;
  struct mfr_thread *t = taker(signo);
  return t == NULL || t == mfr_self.thread;
}

// Whether a pending signal is for a thread that waits; leader.
int mfr_signal_is_for(struct mfr_thread *t, u64 pending) {
  pending &= ~blocked_by(t);
  for (; pending; pending &= pending - 1) {
    u32 signo = (u32)__builtin_ctzll(pending) + 1;
    u64 word = 0;
    struct mfr_pending *p = mfr_signal_next(mfr_self.base, signo, t->tid, &word);
    if (!p || (mfr_is_ignored(signo) && !(t->sigwait & SIG_BIT(signo)))) continue;
    if (p->target || taker(signo) == t) return 1;
  }
  return 0;
}

// Finds who is to be woken, as far as no descriptor says it; and lists the descriptors.
static u32 look_inside(u32 *fd_count, u64 *deadline) {
  u32 n = 0, fds = 0;
  u64 now = 0, nearest = 0, pending = mfr_load_acquire64(&mfr_self.h->sig_pending);
  for (u32 i = 0; i < mfr_thread_places && n < MOST_EVENTS; i++) {
    struct mfr_thread *t = mfr_thread_table[i];
    if (t->state != MFR_THREAD_WAITS) continue;
    t->poll_at = MOST_FDS;
    if (unlikely(pending) && mfr_signal_is_for(t, pending)) {
      found[n++] = (struct event){i, MFR_WAKE_SIGNAL};
      continue;
    }
    if (!t->outside) continue;
    if (!t->known && !t->in_futex) {
      found[n++] = (struct event){i, MFR_WAKE_READY};
      continue;
    }
    if (t->deadline) {
      if (!now) now = mfr_now();
      if (now >= t->deadline) {
        found[n++] = (struct event){i, MFR_WAKE_TIMEOUT};
        continue;
      }
      if (!nearest || t->deadline < nearest) nearest = t->deadline;
    }
    if ((t->waits_child && mfr_load_acquire32(&mfr_self.h->child_event) != t->child_seen) ||
        (t->proxy && mfr_proxy_done(t))) {
      found[n++] = (struct event){i, MFR_WAKE_READY};
      continue;
    }
    if (t->poll_count && fds + t->poll_count > MOST_FDS) { // more than one call can wait for: it looks for itself
      found[n++] = (struct event){i, MFR_WAKE_READY};
    } else if (t->poll_count) {
      t->poll_at = fds;
      memcpy(&all_fds[fds], t->fds, t->poll_count * sizeof *t->fds);
      fds += t->poll_count;
    }
  }
  *fd_count = fds;
  *deadline = nearest;
  return n;
}
static u32 look_at_results(u32 n) {
  for (u32 i = 0; i < mfr_thread_places && n < MOST_EVENTS; i++) {
    struct mfr_thread *t = mfr_thread_table[i];
    if (t->state != MFR_THREAD_WAITS || !t->outside || t->poll_at == MOST_FDS) continue;
    for (u32 k = 0; k < t->poll_count; k++)
      if (all_fds[t->poll_at + k].revents) {
        found[n++] = (struct event){i, MFR_WAKE_READY};
        break;
      }
  }
  return n;
}

// One look, without waiting.
u32 mfr_look(void) {
  u32 fds;
  u64 deadline;
  looked = __builtin_ia32_rdtsc();
  if (unlikely(mfr_self.signalfds)) mfr_signalfd_sync();
  u32 n = look_inside(&fds, &deadline);
  if (fds && n < MOST_EVENTS && SYS3(poll, all_fds, fds, 0) > 0) n = look_at_results(n);
  return n;
}

struct events_ctx {
  int wait;
  u32 ready; // events that have been found already
  u32 count;
  struct event *own;
};
static u64 events_prepare(struct mfr_call *c, void *ctx, u64 *hash) {
  (void)c, (void)ctx, (void)hash;
  return 8 + sizeof found;
}
static long events_produce(struct mfr_call *c, void *ctx, struct mfr_turn *t, u8 *data) {
  struct events_ctx *x = ctx;
  struct mfr_replica *me = mfr_self.me;
  u32 n = x->ready;
  while (!n && !c->a[0]) {
    mfr_kicked = 0;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    mfr_store_relaxed32(&me->phase, MFR_PHASE_BLOCKED);
    if (unlikely(mfr_has_requests())) {
      mfr_serve_requests();
      me = mfr_self.me;
      mfr_store_relaxed32(&me->phase, MFR_PHASE_GUEST);
      if (mfr_self.became_joiner || !data) return MFR_AGAIN;
      continue;
    }
    if (!x->wait) {
      n = mfr_look();
      break;
    }
    u32 fds;
    u64 deadline;
    n = look_inside(&fds, &deadline);
    if (n) break;
    if (unlikely(mfr_self.memory_work)) mfr_memory_before_block();
    if (data) mfr_before_block(t);
    struct mfr_timespec ts = {0, 0};
    if (deadline) {
      u64 now = mfr_now(), left = deadline > now ? deadline - now : 0;
      ts.sec = (i64)(left / 1000000000ull);
      ts.nsec = (i64)(left % 1000000000ull);
    }
    if (unlikely(mfr_self.signalfds)) mfr_signalfd_sync();
    long r = mfr_gate_blocking(__NR_ppoll, (long)all_fds, fds, deadline ? (long)&ts : 0, 0, 8, 0);
    if (r > 0) n = look_at_results(0);
    looked = __builtin_ia32_rdtsc();
  }
  mfr_store_relaxed32(&me->phase, MFR_PHASE_GUEST);
  mfr_kicked = 0;
  x->count = n;
  if (data) {
    u32 at = mfr_turn_position(); // where a thread gives up its turn
    __builtin_memcpy(t->slot->inline_data, &at, 4);
    __builtin_memcpy(data, &n, 4);
    memcpy(data + 8, found, n * sizeof *found);
  }
  return (long)n;
}
static u32 events_used(struct mfr_call *c, void *ctx, const u8 *data, long result) {
  (void)c, (void)ctx, (void)data;
  return result > 0 ? 8 + (u32)result * (u32)sizeof *found : 0;
}
static void apply(const struct event *e, u32 n) {
  for (u32 i = 0; i < n && i < MOST_EVENTS; i++) {
    if (e[i].thread >= mfr_thread_places) continue;
    struct mfr_thread *t = mfr_thread_table[e[i].thread];
    if (t->state == MFR_THREAD_WAITS) mfr_thread_wake(t, e[i].why);
  }
}
static void events_consume(struct mfr_call *c, void *ctx, const u8 *data, long result) {
  (void)c, (void)ctx;
  if (result > 0) apply((const struct event *)(data + 8), (u32)result);
}
static long events_finish(struct mfr_call *c, void *ctx, long result) {
  (void)c;
  struct events_ctx *x = ctx;
  if (x->count) apply(found, x->count); // alone; a slot's events are applied already, and that changes nothing
  return result;
}
static const struct mfr_shape events_shape = {events_prepare, events_produce, events_used, events_consume, events_finish};

// optional: only a leader does it. preempts: the running thread is made to give up its turn there (MFR_SLOT_ASYNC).
void mfr_events(int wait, u32 ready, int preempts, int optional) {
  struct mfr_call c;
  struct mfr_row row = mfr_rows[__NR_sched_yield];
  memset(&c, 0, sizeof c);
  c.nr = __NR_sched_yield;
  c.a[0] = preempts;
  c.a[1] = optional;
  row.commit = REPEAT;
  struct events_ctx x = {wait, ready, 0, NULL};
  // A signal goes out with a call of the thread that it is for.
  u32 hold = mfr_self.hold_signals, may_rerun = mfr_self.may_rerun;
  mfr_self.hold_signals = 1;
  mfr_lane_call_as(&c, &row, &events_shape, &x);
  mfr_self.hold_signals = hold;
  mfr_self.may_rerun = may_rerun;
}

int mfr_is_event(const struct mfr_turn *t) {
  return mfr_word_nr(mfr_load_relaxed64(&t->slot->word)) == __NR_sched_yield;
}
void mfr_pass_event(struct mfr_turn *t) {
  const struct mfr_slot *slot = t->slot;
  const u8 *data = mfr_data_at(mfr_self.base, slot->data_off);
  int preempts = slot->flags & MFR_SLOT_ASYNC;
  if (slot->result > 0) apply((const struct event *)(data + 8), (u32)slot->result);
  mfr_lane_pass(t);
  if (!preempts) return;
  mfr_turn_push(mfr_self.thread);
  mfr_turn_next();
}

void mfr_threads_look(void) {
  if (likely(!mfr_self.wait_outside) && !(mfr_self.waiting && mfr_load_relaxed64(&mfr_self.h->sig_pending))) return;
  if ((mfr_load_acquire64(&mfr_self.h->grant) & 0xff) != mfr_self.index) return;
  if (__builtin_ia32_rdtsc() - looked < LOOK_TICKS) return;
  if (mfr_slot_has_call()) return;
  u32 n = mfr_look();
  if (n) mfr_events(0, n, 0, 1);
}
