// coordinator.c - anchor and coordinator of the model. They mirror Anchor.look, SyncBuffer.view, Settlement.decide,
// ReplicaSet (settleDeaths, electAfterDeath, answerBids, admitJoiners, grow) and Repairs of the Swift side, with the
// same order of reading and writing; `mfr-model --settlements` prints what decide() says; it and Settlement.decide are
// held to the same settlements.txt. Compiled like the shim: each access is a step.
#include "model.h"

#define BASE model_base()

static struct mfr_header *head(void) { return mfr_header_of(BASE); }

static void unpark(u32 i) {
  struct mfr_replica *r = mfr_replica_at(BASE, i);
  mfr_and_acqrel32(&head()->parked, ~(1u << i));
  mfr_store_release32(&r->park, 0);
  wake_word(&r->park);
}

// ---- the anchor -----------------------------------------------------------------------------------------
static void look(u32 i) {
  struct mfr_replica *r = mfr_replica_at(BASE, i);
  i32 pid = (i32)mfr_load_acquire32((u32 *)&r->pid);
  u32 state = mfr_load_acquire32(&r->state);
  if (pid <= 0 || state == MFR_REPLICA_FREE) return;
  if (state == MFR_REPLICA_DEAD) {
    if (!mfr_load_acquire32(&r->settled)) return;
    for (u32 p = 0; p < set.places; p++)
      if (world.pid[p] == pid) world.status[p] = NONE_YET;
    mfr_store_release32((u32 *)&r->pid, 0);
    mfr_store_release32(&r->settled, 0);
    mfr_store_release32(&r->state, MFR_REPLICA_FREE);
  } else if (zombie(pid)) {
    mfr_store_release32(&r->settled, 0);
    mfr_store_release32(&r->state, MFR_REPLICA_DEAD);
  } else {
    return;
  }
  mfr_add_acqrel32(&head()->coordinator_wake, 1);
  wake_word(&head()->coordinator_wake);
}

static void forward(void) {
  struct mfr_siginfo info = {.signo = SIGNAL};
  mfr_signal_post(BASE, SIGNAL, &info, 0, 0);
  u32 leader = (u32)mfr_load_acquire64(&head()->grant) & 0xff;
  kick(leader);
  unpark(leader);
}

void anchor(void) {
  for (;;) {
    u32 seen = mfr_load_acquire32(&head()->anchor_wake);
    world.child_signal = 0;
    for (u32 i = 0; i < set.places; i++) look(i);
    if (world.post) {
      world.post = 0;
      forward();
    }
    wait_word(&head()->anchor_wake, seen, 0); // also returns for SIGCHLD and for a signal to forward
  }
}

// ---- settlement -----------------------------------------------------------------------------------------

u32 decide(const struct facts *f, i64 *result) {
  if (!f->claimed) return NOTHING;
  if (!f->begun) return UNTOUCHED;
  switch (f->rule) {
  case COUNT_IN: *result = (i64)f->moved_in; return f->moved_in ? DONE_WITH : FREED;
  case COUNT_OUT:
  case COUNT_RW: *result = (i64)f->moved_out; return f->moved_out ? DONE_WITH : FREED;
  case RECORD:
    *result = (i64)f->length;
    return f->kind == 1 && f->length != 0xffffffffu ? DONE_WITH : FREED;
  default: return FREED;
  }
}

static struct facts facts_of(u32 i, u64 seq) {
  struct facts f = {0};
  struct mfr_replica *r = mfr_replica_at(BASE, i);
  struct mfr_slot *slot = mfr_slot_at(BASE, seq);
  u64 word = mfr_load_acquire64(&slot->word);
  f.claimed = mfr_word_is_seq(word, seq) && mfr_word_state(word) == MFR_SLOT_CLAIMED && mfr_word_owner(word) == i;
  f.begun = mfr_load_relaxed64(&r->begun) == seq + 1;
  if (!f.claimed || !f.begun) return f;
  f.rule = mfr_rows[mfr_word_nr(word)].commit;
  if (f.rule == COUNT_IN) f.moved_in = world.rchar[i] - mfr_load_relaxed64(&r->in_sum);
  if (f.rule == COUNT_OUT || f.rule == COUNT_RW) f.moved_out = world.wchar[i] - mfr_load_relaxed64(&r->out_sum);
  if (f.rule == RECORD) {
    const u8 *data = mfr_data_at(BASE, slot->data_off);
    f.kind = *(const u32 *)data;
    f.length = *(const u32 *)(data + 64 + 56);
  }
  return f;
}

static void settle(u32 i, u64 seq, u32 outcome, i64 result) {
  struct mfr_slot *slot = mfr_slot_at(BASE, seq);
  u64 word = mfr_load_acquire64(&slot->word), free = word & ~MFR_WORD_STATE_MASK;
  if (outcome != NOTHING && mfr_word_is_seq(word, seq)) {
    if (outcome == DONE_WITH) {
#ifdef BUG_SETTLE_WITHOUT_RESULT
      result = slot->result;
#endif
      slot->result = result;
      slot->flags = MFR_SLOT_KICKED;
      slot->signo = 0;
      mfr_cas_acqrel64(&slot->word, word, free | MFR_SLOT_DONE);
    } else if (outcome == UNTOUCHED) {
      mfr_cas_acqrel64(&slot->word, word, free | MFR_SLOT_EMPTY);
    } else {
#ifdef BUG_SETTLE_WITHOUT_RETRY
      mfr_cas_acqrel64(&slot->word, word, free | MFR_SLOT_EMPTY);
#else
      mfr_cas_acqrel64(&slot->word, word, free | MFR_WORD_RETRY | MFR_SLOT_EMPTY);
#endif
    }
  }
  mfr_and_acqrel32(&head()->live, ~(1u << i));
  mfr_and_acqrel32(&head()->parked, ~(1u << i));
  mfr_store_release32(&mfr_replica_at(BASE, i)->settled, 1);
  mfr_add_acqrel32(&head()->anchor_wake, 1);
  wake_word(&head()->anchor_wake);
}

// ---- one look at the set ----------------------------------------------------------------------------------
struct seen {
  u32 state, live, bids, parked, unshared, unsharing, cloning, settled;
  i32 pid;
  u64 seq;
  u32 slot_empty, outcome, died;
  i64 result;
};

static int takes_part(const struct seen *r) {
  if (!r->live) return 0;
  return r->state == MFR_REPLICA_JOINING || r->state == MFR_REPLICA_RUNNING ||
         (r->state == MFR_REPLICA_RESERVED && r->pid);
}

static void grant(u32 i) {
  u64 epoch = (mfr_load_acquire64(&head()->grant) >> 8) + 1;
  mfr_store_release64(&head()->grant, epoch << 8 | i);
}

static void nudge(u32 i) {
  unpark(i);
  kick(i);
}

static void see(u32 i, u32 live, u32 parked, struct seen *s) {
  struct mfr_replica *r = mfr_replica_at(BASE, i);
  s->state = mfr_load_acquire32(&r->state);
  s->seq = mfr_load_relaxed64(&r->seq);
  s->bids = mfr_load_relaxed32(&r->bid);
  s->pid = (i32)mfr_load_relaxed32((u32 *)&r->pid);
  u32 request = mfr_load_relaxed32(&r->request);
  s->cloning = request & MFR_REQ_CLONE;
  s->unsharing = request & MFR_REQ_UNSHARE;
  s->unshared = mfr_load_relaxed32(&r->unshared);
  s->settled = mfr_load_relaxed32(&r->settled);
  s->live = live >> i & 1;
  s->parked = parked >> i & 1;
  s->died = s->state == MFR_REPLICA_DEAD && !s->settled;
  if (s->bids) {
    u64 word = mfr_load_acquire64(&mfr_slot_at(BASE, s->seq)->word);
    s->slot_empty = !mfr_word_is_seq(word, s->seq) || mfr_word_state(word) == MFR_SLOT_EMPTY;
  }
  if (s->died) {
    struct facts f = facts_of(i, s->seq);
    s->outcome = decide(&f, &s->result);
  }
}

static void elect(struct seen *r, u32 *leader) {
  int best = -1;
  for (u32 i = 0; i < set.places; i++) {
    if (!takes_part(&r[i])) continue;
    if (best < 0 || r[i].unshared > r[best].unshared ||
        (r[i].unshared == r[best].unshared && r[i].seq > r[best].seq))
      best = (int)i;
  }
  if (best < 0) return;
  grant((u32)best);
  *leader = (u32)best;
}

static void answer_bids(struct seen *r, u32 *leader, u32 stalled) {
  int winner = -1;
  for (u32 i = 0; i < set.places && !stalled; i++) {
    if (!r[i].bids || !takes_part(&r[i]) || !r[i].unshared || i == *leader || !r[i].slot_empty) continue;
    if (takes_part(&r[*leader]) && r[*leader].seq > r[i].seq) continue;
    if (winner < 0 || r[i].seq > r[winner].seq) winner = (int)i;
  }
  if (winner >= 0) {
    grant((u32)winner);
    *leader = (u32)winner;
  }
  for (u32 i = 0; i < set.places; i++) {
    if (!r[i].bids || r[i].state == MFR_REPLICA_FREE) continue;
    mfr_store_release32(&mfr_replica_at(BASE, i)->bid, 0);
    unpark(i);
  }
}

static void grow(struct seen *r, u32 leader) {
  u32 present = 0;
  int donor = -1, place = -1;
  for (u32 i = 0; i < set.places; i++) {
    if (r[i].state == MFR_REPLICA_RESERVED || r[i].state == MFR_REPLICA_JOINING) return; // one at a time
    if (r[i].state == MFR_REPLICA_FREE && place < 0) place = (int)i;
    if (r[i].state == MFR_REPLICA_FREE || r[i].state == MFR_REPLICA_DEAD) continue;
    present++;
    if (!r[i].live || r[i].state != MFR_REPLICA_RUNNING || !r[i].unshared) continue;
    if (donor < 0 || (u32)donor == leader || (i != leader && r[i].seq > r[donor].seq)) donor = (int)i;
  }
  if (present >= set.replicas || donor < 0 || place < 0 || !world.growth) return;
  struct mfr_replica *to = mfr_replica_at(BASE, (u32)place), *from = mfr_replica_at(BASE, (u32)donor);
  if (!mfr_cas_acqrel32(&to->state, MFR_REPLICA_FREE, MFR_REPLICA_RESERVED)) return;
  world.growth--;
  mfr_store_release64(&from->request_arg, (u32)place);
  mfr_or_acqrel32(&from->request, MFR_REQ_CLONE);
  nudge((u32)donor);
}

// A clone that was asked for and will not be made: its donor has died.
static void abandon(struct seen *r) {
  for (u32 i = 0; i < set.places; i++) {
    if (r[i].state != MFR_REPLICA_RESERVED || r[i].pid) continue;
    int asked = 0;
    for (u32 d = 0; d < set.places; d++) asked |= r[d].cloning && takes_part(&r[d]);
    if (asked) continue;
    if (mfr_load_acquire32((u32 *)&mfr_replica_at(BASE, i)->pid)) continue;
    mfr_and_acqrel32(&head()->live, ~(1u << i));
    mfr_cas_acqrel32(&mfr_replica_at(BASE, i)->state, MFR_REPLICA_RESERVED, MFR_REPLICA_FREE);
  }
}

static void look_round(void) {
  struct seen r[PLACES];
  memset(r, 0, sizeof r);
  u32 leader = (u32)mfr_load_acquire64(&head()->grant) & 0xff, stalled = mfr_load_acquire32(&head()->stalled);
  u32 live = mfr_load_acquire32(&head()->live), parked = mfr_load_acquire32(&head()->parked), dead = 0;
  for (u32 i = 0; i < set.places; i++) see(i, live, parked, &r[i]);
  for (u32 i = 0; i < set.places; i++) {
    if (!r[i].died) continue;
    settle(i, r[i].seq, r[i].outcome, r[i].result);
    r[i].live = 0;
    dead = 1;
  }
  if (dead || !takes_part(&r[leader])) {
    if (!takes_part(&r[leader])) elect(r, &leader);
    for (u32 i = 0; i < set.places; i++)
      if (takes_part(&r[i])) unpark(i);
  }
  answer_bids(r, &leader, stalled);
  for (u32 i = 0; i < set.places; i++) {
    if (!takes_part(&r[i]) || r[i].state != MFR_REPLICA_JOINING || r[i].unshared) continue;
    if (!r[i].unsharing) mfr_or_acqrel32(&mfr_replica_at(BASE, i)->request, MFR_REQ_UNSHARE);
    nudge(i);
  }
  abandon(r);
  grow(r, leader);
}

void coordinator(void) {
#ifndef BUG_NEW_COORDINATOR_WAKES_NOBODY
  // One before this may have died between a grant and waking the one that has it.
  for (u32 i = 0; i < set.places; i++) unpark(i);
#endif
  for (;;) {
    u32 seen = mfr_load_acquire32(&head()->coordinator_wake);
    look_round();
    wait_word(&head()->coordinator_wake, seen, 1);
  }
}
