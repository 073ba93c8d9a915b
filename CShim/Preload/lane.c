// lane.c - the ordered stream of calls of a replica set.
//
// States of one slot, for a replica that comes to it (word at sequence `seq`):
//  1. older lap or EMPTY, and I hold the grant     -> claim by compare-and-swap: I lead
//  2. older lap or EMPTY, somebody else's grant    -> park; bid when the leader is late
//  3. CLAIMED by another                           -> park until it is DONE or EMPTY again
//  4. DONE                                         -> compare, take over, pass
// Alone (no other live replica, and nothing left to take over) the lane is only counted.
#include "shim.h"

#define FUTEX_WAIT 0
#define FUTEX_WAKE 1

void mfr_futex_wake(u32 *word) { SYS3(futex, word, FUTEX_WAKE, 0x7fffffff); }
long mfr_futex_wait(u32 *word, u32 value, const struct mfr_timespec *timeout) {
  return SYS4(futex, word, FUTEX_WAIT, value, timeout);
}

u64 mfr_now(void) {
  struct mfr_timespec ts = {0, 0};
  mfr_clock_original(1, &ts);
  return (u64)ts.sec * 1000000000ull + (u64)ts.nsec;
}

void mfr_wake_coordinator(void) {
  mfr_add_acqrel32(&mfr_self.h->coordinator_wake, 1);
  mfr_futex_wake(&mfr_self.h->coordinator_wake);
}

// A locked instruction orders as mfence does, at a third of the price.
static inline void mfr_full_fence(void) { __asm__ volatile("lock; orl $0, -8(%%rsp)" ::: "memory", "cc"); }

static inline u32 my_bit(void) { return 1u << mfr_self.index; }
static inline int i_hold_grant(void) {
  return (mfr_load_acquire64(&mfr_self.h->grant) & 0xff) == mfr_self.index;
}
int mfr_alone(void) {
  return mfr_load_relaxed32(&mfr_self.h->live) == my_bit() && i_hold_grant();
}

int mfr_slot_has_call(void) {
  u64 w = mfr_load_acquire64(&mfr_slot_at(mfr_self.base, mfr_self.seq)->word);
  return mfr_word_is_seq(w, mfr_self.seq) && (mfr_word_state(w) != MFR_SLOT_EMPTY || (w & MFR_WORD_RETRY));
}

void mfr_wake_parked(void) {
  struct mfr_header *h = mfr_self.h;
  u32 set = __atomic_exchange_n(&h->parked, 0, __ATOMIC_ACQ_REL);
  mfr_self.last_wake = mfr_self.seq;
  mfr_self.last_wake_data = mfr_self.data_pos;
  while (set) {
    u32 i = (u32)__builtin_ctz(set);
    set &= set - 1;
    struct mfr_replica *r = mfr_replica_at(mfr_self.base, i);
    mfr_store_release32(&r->park, 0);
    mfr_futex_wake(&r->park);
  }
}

// Waits for the slot to change, for a request, or for the grant. One step; the caller looks again.
static void park(struct mfr_slot *slot, u64 seen) {
  struct mfr_header *h = mfr_self.h;
  struct mfr_replica *me = mfr_self.me;
  if (unlikely(mfr_self.memory_work)) {
    me->phase = MFR_PHASE_PARKED; // it has come to its call, which a fault of another one may have to be judged by
    int worked = mfr_memory_step();
    me->phase = MFR_PHASE_GUEST;
    if (worked) return;
  }
  for (u32 n = mfr_load_relaxed32(&h->spin); n; n--) {
    if (mfr_load_acquire64(&slot->word) != seen) return;
    __builtin_ia32_pause();
  }
  if (unlikely(mfr_load_relaxed32(&h->stalled))) mfr_futex_wake(&h->stalled); // nothing more to pass
  int empty = !(mfr_word_is_seq(seen, mfr_self.seq) && mfr_word_state(seen) == MFR_SLOT_CLAIMED);
  if (empty) {
    // The lead has been given away while we led: the new leader may be asleep behind what we have published.
    u32 leads = (u32)(mfr_load_acquire64(&h->grant) & 0xff) % MFR_MAX_REPLICAS;
    mfr_full_fence(); // pairs with the fence below, in that replica
    if (unlikely(leads != mfr_self.index && (mfr_load_relaxed32(&h->parked) & 1u << leads))) {
      struct mfr_replica *r = mfr_replica_at(mfr_self.base, leads);
      mfr_and_acqrel32(&h->parked, ~(1u << leads));
      mfr_store_release32(&r->park, 0);
      mfr_futex_wake(&r->park);
    }
  }
  if (unlikely(me->pid != mfr_self.rpid)) SYS1(exit_group, 0); // its place was given away: repair.c
  mfr_store_relaxed32(&me->park, 1);
  mfr_or_acqrel32(&h->parked, my_bit());
  me->phase = MFR_PHASE_PARKED;
  mfr_fence_seqcst();
  // Pairs with publish (word, then parked) and with the coordinator (request/grant, then park).
  if (mfr_load_acquire64(&slot->word) == seen && !mfr_has_requests() &&
      !(empty && i_hold_grant())) {
    // One that has files mapped must come to this slot before another can lead: no bids then.
    u32 late = mfr_load_relaxed32(&h->map_owner) ? 0 : mfr_load_relaxed32(&h->late_us);
    struct mfr_timespec t = {late / 1000000, (late % 1000000) * 1000ll};
    long r = mfr_futex_wait(&me->park, 1, empty && late ? &t : NULL);
    if (r == -MFR_ETIMEDOUT && empty && mfr_load_acquire64(&slot->word) == seen &&
        mfr_load_relaxed32(&me->bid) == 0) {
      // The leader is late: it is not even inside a call, and we have been here for late_us.
      mfr_store_release32(&me->bid, 1);
      mfr_wake_coordinator();
    }
  }
  mfr_store_relaxed32(&me->park, 0);
  mfr_and_acqrel32(&h->parked, ~my_bit());
  me->phase = MFR_PHASE_GUEST;
}

// Followers may be behind by the ring and by the data ring, no more. True when there is room.
static int has_room(u64 need) {
  if (mfr_self.min_seq && mfr_self.seq - mfr_self.min_seq < MFR_SLOTS - 1 &&
      mfr_self.data_pos + 2 * need + 64 - mfr_self.min_data <= MFR_DATA_BYTES)
    return 1;
  u64 seq = mfr_self.seq, data = mfr_self.data_pos;
  u32 live = mfr_load_acquire32(&mfr_self.h->live) & ~my_bit();
  while (live) {
    u32 i = (u32)__builtin_ctz(live);
    live &= live - 1;
    struct mfr_replica *r = mfr_replica_at(mfr_self.base, i);
    u64 s = mfr_load_acquire64(&r->seq), d = mfr_load_acquire64(&r->data_pos);
    if (s < seq) seq = s;
    if (d < data) data = d;
  }
  mfr_self.min_seq = seq;
  mfr_self.min_data = data;
  return mfr_self.seq - seq < MFR_SLOTS - 1 &&
         mfr_self.data_pos + 2 * need + 64 - data <= MFR_DATA_BYTES;
}

// The ring is full, or a follower must make its mapping: wake them all and sleep until they have moved on.
static void wait_for_room(u64 seq) {
  struct mfr_header *h = mfr_self.h;
  struct mfr_timespec t = {0, 5000000}; // a follower may die instead of moving on
  mfr_store_relaxed32(&h->stalled, 1);
  mfr_wake_parked();
  mfr_full_fence(); // pairs with mfr_lane_pass
  mfr_self.min_seq = 0;
  int enough = seq ? (has_room(0), mfr_self.min_seq > seq) : has_room(MFR_CHUNK_MAX / 2);
  if (!enough) mfr_futex_wait(&h->stalled, 1, &t);
  mfr_store_relaxed32(&h->stalled, 0);
}

void mfr_rendezvous(u64 seq) {
  for (;;) {
    mfr_self.min_seq = 0; // look afresh
    has_room(0);
    if (mfr_self.min_seq > seq) break;
    wait_for_room(seq);
  }
  mfr_self.mmap_seq = 0;
}

enum mfr_role mfr_lane_enter(struct mfr_turn *t, u32 nr, u64 need) {
  struct mfr_header *h = mfr_self.h;
  for (;;) {
    // Serving a request may have made this process another replica: `me` is read afresh.
    if (unlikely(mfr_has_requests())) {
      mfr_serve_requests();
      mfr_self.became_joiner = 0; // nothing is claimed here: donor and joiner go on alike
    }
    struct mfr_replica *me = mfr_self.me;
    struct mfr_slot *slot = mfr_slot_at(mfr_self.base, mfr_self.seq);
    u64 w = mfr_load_acquire64(&slot->word); // pairs with the release in publish and settlement
    t->slot = slot;
    u32 state = mfr_word_is_seq(w, mfr_self.seq) ? mfr_word_state(w) : MFR_SLOT_EMPTY;
    if (state == MFR_SLOT_DONE) {
      if (unlikely(mfr_self.memory_work) && (mfr_self.seq & 63) == 0) mfr_memory_step();
      mfr_self.leading = 0;
      return MFR_ROLE_FOLLOW;
    }
    if (state == MFR_SLOT_EMPTY && i_hold_grant()) {
      if (unlikely(mfr_self.map_files) && !mfr_mapping_lead()) continue;
      if (unlikely(mfr_self.memory_work == MFR_REQ_UNSHARE)) mfr_memory_step(); // it leads because no other one is further
      int retry = mfr_word_is_seq(w, mfr_self.seq) && (w & MFR_WORD_RETRY);
      if (!retry && mfr_load_acquire32(&h->live) == my_bit()) {
        // The word is older than the grant: whoever had it may have claimed the slot meanwhile, carried the call out
        // and died. Settlement writes the word, then `live`, then the grant: now it is there.
        if (unlikely(mfr_load_acquire64(&slot->word) != w)) continue;
        t->retry = 0;
        mfr_self.leading = 1;
        mfr_self.claim.state = MFR_CLAIM_NONE;
        return MFR_ROLE_SOLO;
      }
      if (unlikely(!has_room(need))) {
        wait_for_room(0);
        continue;
      }
      if (!mfr_cas_acqrel64(&slot->word, w,
                            mfr_word(mfr_self.seq, nr, mfr_self.index, MFR_SLOT_CLAIMED) | (retry ? MFR_WORD_RETRY : 0)))
        continue;
      // The data of one slot is contiguous: skip the end of the ring if it does not fit.
      u64 at = mfr_self.data_pos;
      if (at % MFR_DATA_BYTES + need > MFR_DATA_BYTES)
        at += MFR_DATA_BYTES - at % MFR_DATA_BYTES;
      slot->data_off = at;
      slot->data_len = (u32)need;
      slot->flags = 0;
      slot->signo = 0;
      t->data = mfr_data_at(mfr_self.base, at);
      t->retry = (u32)retry;
      mfr_self.leading = 1;
      mfr_self.claim.nr = nr;
      mfr_self.claim.need = (u32)need;
      mfr_self.claim.data_off = at;
      mfr_self.claim.executed = mfr_self.claim.can_redo = mfr_self.claim.lost = 0;
      mfr_self.claim.state = MFR_CLAIM_HELD;
      me->bid = 0;
      return MFR_ROLE_LEAD;
    }
    // Nobody leads before this one has given up its shared mappings: it may not sleep on them.
    if (unlikely(mfr_self.map_leading) && !i_hold_grant()) mfr_mapping_yield();
    else park(slot, w);
  }
}

void mfr_lane_begin(struct mfr_turn *t) {
  t->slot->identity = t->identity;
  t->slot->out_hash = t->out_hash;
  mfr_self.claim.begun = mfr_self.seq + 1;
  // Release: settlement reads `begun` and then the slot.
  mfr_store_release64(&mfr_self.me->begun, mfr_self.seq + 1);
}

static inline u64 align8(u64 n) { return (n + 7) & ~7ull; }

// At a slot at which the leader was interrupted while it computed: from here on this replica goes its own way.
static void own_way(void) {
  mfr_store_release64(&mfr_self.h->way[mfr_self.index], (mfr_self.seq + 1) * MFR_MAX_REPLICAS + mfr_self.index);
}

void mfr_lane_publish(struct mfr_turn *t, u32 nr, long result, u32 data_len, u32 flags, u32 signo,
                      i64 in_bytes, i64 out_bytes) {
  struct mfr_slot *slot = t->slot;
  struct mfr_replica *me = mfr_self.me;
  slot->identity = t->identity;
  slot->out_hash = t->out_hash;
  slot->result = result;
  slot->data_len = data_len;
  slot->flags = (u16)flags;
  slot->signo = (u16)signo;
  if (unlikely(flags & MFR_SLOT_ASYNC)) own_way();
  mfr_store_release64(&slot->word, mfr_word(mfr_self.seq, nr, mfr_self.index, MFR_SLOT_DONE));
  // Publish first, own sums after it: the other way round a death in between doubles a call.
  mfr_account((u64)in_bytes, (u64)out_bytes);
  me->calls++;
  // The slots ahead were last in the followers' caches: fetch them for writing before they are needed.
  __asm__ volatile("prefetchw %0" : : "m"(*mfr_slot_at(mfr_self.base, mfr_self.seq + 8)));
  mfr_self.claim.state = MFR_CLAIM_PUBLISHED;
  mfr_self.data_pos = mfr_self.claim.data_off + align8(data_len);
  mfr_self.seq++;
  // `data_pos` comes later (mfr_lane_consumed): until this replica has taken the data over itself, nobody may write there.
  mfr_store_release64(&me->seq, mfr_self.seq);
  struct mfr_header *h = mfr_self.h;
  if (mfr_load_relaxed32(&h->sync) == MFR_SYNC_EAGER) {
    mfr_full_fence(); // pairs with park
    if (mfr_load_relaxed32(&h->parked)) mfr_wake_parked();
  } else if (unlikely(mfr_self.seq - mfr_self.last_wake >= mfr_load_relaxed32(&h->wake_lag) ||
                      mfr_self.data_pos - mfr_self.last_wake_data >= MFR_DATA_BYTES / 8)) {
    mfr_self.last_wake = mfr_self.seq;
    mfr_self.last_wake_data = mfr_self.data_pos;
    mfr_full_fence();
    if (mfr_load_relaxed32(&h->parked)) mfr_wake_parked();
  }
}

// A leader that may be about to sleep lets the followers use the time.
void mfr_before_block(struct mfr_turn *t) {
  (void)t;
  if (mfr_self.last_wake == mfr_self.seq) return;
  mfr_full_fence(); // pairs with park
  if (mfr_load_relaxed32(&mfr_self.h->parked)) mfr_wake_parked();
  mfr_self.last_wake = mfr_self.seq;
}

// Compares what this replica wants to do with what the slot says was done. On a mismatch the
// coordinator decides: 0 - take the slot as it is; 1 - it has been emptied, enter the lane again.
int mfr_lane_check(struct mfr_turn *t, u32 nr) {
  struct mfr_slot *slot = t->slot;
  u64 w = mfr_load_relaxed64(&slot->word);
  if (likely(mfr_word_nr(w) == nr && slot->identity == t->identity &&
             slot->out_hash == t->out_hash))
    return 0;
  struct mfr_replica *me = mfr_self.me;
  me->diverged_seq = mfr_self.seq;
  me->diverged_identity = t->identity;
  me->diverged_out_hash = t->out_hash;
  me->diverged_nr = nr;
  u32 before = mfr_load_relaxed32(&me->state);
  mfr_store_relaxed32(&me->verdict, MFR_VERDICT_NONE);
  mfr_store_release32(&me->state, MFR_REPLICA_DIVERGED);
  mfr_wake_coordinator();
  while (mfr_load_acquire32(&me->verdict) == MFR_VERDICT_NONE)
    mfr_futex_wait(&me->verdict, MFR_VERDICT_NONE, NULL);
  u32 verdict = mfr_load_relaxed32(&me->verdict);
  if (verdict == MFR_VERDICT_DIE) SYS2(kill, mfr_self.rpid, MFR_SIGKILL);
  mfr_store_relaxed32(&me->verdict, MFR_VERDICT_NONE);
  mfr_store_release32(&me->state, before);
  return verdict == MFR_VERDICT_AGAIN;
}

// The leader waits for followers. Not at each slot: it would wake for room for one call.
static void unstall(void) {
  static u64 seq, data;
  if (mfr_self.seq - seq < 256 && mfr_self.data_pos - data < MFR_DATA_BYTES / 8) return;
  seq = mfr_self.seq;
  data = mfr_self.data_pos;
  mfr_futex_wake(&mfr_self.h->stalled);
}

void mfr_lane_pass(struct mfr_turn *t) {
  struct mfr_replica *me = mfr_self.me;
  if (unlikely(t->slot->flags & MFR_SLOT_ASYNC)) own_way();
  mfr_self.data_pos = t->slot->data_off + align8(t->slot->data_len);
  mfr_self.seq++;
  mfr_store_release64(&me->data_pos, mfr_self.data_pos); // pairs with has_room
  mfr_store_release64(&me->seq, mfr_self.seq);
  if (unlikely(mfr_load_relaxed32(&mfr_self.h->stalled))) unstall();
}

void mfr_lane_solo_done(void) {
  struct mfr_replica *me = mfr_self.me;
  mfr_self.seq++;
  me->calls++;
  mfr_store_release64(&me->seq, mfr_self.seq);
}

long mfr_blocking_step(struct mfr_turn *t, long nr, const long *a, int *joiner) {
  struct mfr_replica *me = mfr_self.me;
  *joiner = 0;
  mfr_kicked = 0;
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  // No fence: whoever sets a request or a signal kicks afterwards in any case, and the kick stops the gate.
  mfr_store_relaxed32(&me->phase, MFR_PHASE_BLOCKED);
  if (unlikely(mfr_has_requests())) {
    mfr_serve_requests();
    *joiner = (int)mfr_self.became_joiner;
    return MFR_AGAIN;
  }
  long before;
  if (unlikely(mfr_self.thread->started) && mfr_proxy_inherit(&before)) {
    mfr_store_relaxed32(&me->phase, MFR_PHASE_GUEST);
    return before;
  }
  if (unlikely(mfr_deliverable())) {
    mfr_store_relaxed32(&me->phase, MFR_PHASE_GUEST);
    return unlikely(mfr_self.thread->proxy) ? mfr_proxy_stop() : mfr_made_at_once(nr, a);
  }
  if (unlikely(mfr_self.signalfds)) mfr_signalfd_sync(); // what comes now kicks
  if (unlikely(mfr_self.thread->started) && mfr_made_before(nr, &before)) return before;
  u64 until = 0;
  if (unlikely(mfr_self.threads > 1) && (mfr_self.thread->proxy || mfr_others_wait(&until) || until)) {
    long tried = until ? mfr_wait_until(t, nr, a, until) : mfr_try_or_park(nr, a);
    mfr_store_relaxed32(&me->phase, MFR_PHASE_GUEST);
    return tried == -MFR_EINTR ? MFR_AGAIN : tried;
  }
  if (unlikely(mfr_self.memory_work)) mfr_memory_before_block();
  if (t) mfr_before_block(t);
  long r = mfr_gate_blocking(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
  mfr_store_relaxed32(&me->phase, MFR_PHASE_GUEST);
  if (unlikely(mfr_self.thread->started)) r = mfr_result_of_second(nr, r);
  return r == -MFR_EINTR ? MFR_AGAIN : r; // why it was interrupted is found out by the next step
}

long mfr_blocking(struct mfr_turn *t, long nr, const long *a, int *joiner) {
  long r;
  do r = mfr_blocking_step(t, nr, a, joiner);
  while (r == MFR_AGAIN && !*joiner);
  return r;
}
