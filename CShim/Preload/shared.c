// shared.c - one shape for every shared call: claim, carry out or take over, copy out.
//
// The leader lets the kernel write outputs into the slot's data, so that they outlive it; then leader and followers
// alike copy them to the guest. generic.c fills the shape in for calls that their row describes.
#include "shim.h"

u64 mfr_identity(const struct mfr_call *c, const struct mfr_row *row) {
  u64 h = c->nr | (u64)mfr_self.thread->number << 32;
  for (u32 i = 0; i < row->arity; i++) {
    u32 kind = MFR_ARG_KIND(row->arg[i]);
    if (kind == ARG_SKIP || kind == ARG_PEEK) continue;
    int narrow = kind == ARG_INT || kind == ARG_FD || kind == ARG_PID;
    h = mfr_mix(h, narrow ? (u32)c->a[i] : (u64)c->a[i]);
  }
  return h;
}

i64 mfr_bytes_result(long result) { return result > 0 ? result : 0; }
static i64 in_bytes_of(u32 commit, long r) {
  return commit == COUNT_IN || commit == COUNT_RW ? mfr_bytes_result(r) : 0;
}
static i64 out_bytes_of(u32 commit, long r) {
  return commit == COUNT_OUT || commit == COUNT_RW ? mfr_bytes_result(r) : 0;
}

// A signal that goes out with this slot: its siginfo follows the data.
u32 mfr_attach_signal(struct mfr_turn *t, struct mfr_call *c, u32 *data_len, u32 *flags) {
  if (likely(!mfr_deliverable()) || mfr_self.hold_signals) return 0;
  u32 ticket, signo = mfr_take_signal(&c->info, &ticket);
  if (!signo) return 0;
  c->info.pad = (i32)ticket; // the padding says which posting this was
  memcpy(t->data + *data_len, &c->info, sizeof c->info);
  *data_len += sizeof c->info;
  *flags |= MFR_SLOT_SIGNAL;
  return signo;
}

// Follower: the signal that came with the slot.
void mfr_slot_signal(struct mfr_turn *t, struct mfr_call *c) {
  const struct mfr_slot *slot = t->slot;
  if (likely(!(slot->flags & MFR_SLOT_SIGNAL))) return;
  c->signo = slot->signo;
  memcpy(&c->info, mfr_data_at(mfr_self.base, slot->data_off) + slot->data_len - sizeof c->info, sizeof c->info);
}

static int is_async(const struct mfr_turn *t) {
  return mfr_word_nr(mfr_load_relaxed64(&t->slot->word)) == __NR_restart_syscall && (t->slot->flags & MFR_SLOT_ASYNC);
}
static int wants_async(const struct mfr_call *c) { return c->nr == __NR_restart_syscall && c->a[0] == 1; }
static int takes_turn(const struct mfr_call *c) { return c->nr == __NR_sched_yield && c->a[0]; }
// Follower at a call: the leader took a signal between this call and the one before. 1: that slot is passed, and
// unless it is too late for that, the call is to be left and made anew after the signal (mfr_self.rerun).
int mfr_pass_point(struct mfr_turn *t, struct mfr_call *c) {
  if (likely(!is_async(t)) || wants_async(c)) return 0;
  mfr_slot_signal(t, c);
  mfr_lane_pass(t);
  mfr_self.rerun = mfr_self.may_rerun;
  return 1;
}

// Alone: nobody to publish for. Same order of events as a slot would give.
void mfr_solo_signal(struct mfr_call *c) {
  u32 ticket;
  if (likely(!mfr_deliverable()) || mfr_self.hold_signals || !(c->signo = mfr_take_signal(&c->info, &ticket))) return;
  c->info.pad = (i32)ticket;
}

#define SIGNAL_ROOM ((u64)sizeof(struct mfr_siginfo) + 8)

static void drop_sigpipe(long result) {
  // A write that raised SIGPIPE left it pending in this replica only; it belongs to the slot.
  if (result != -32) return;
  u64 set = SIG_BIT(MFR_SIGPIPE);
  struct mfr_timespec zero = {0, 0};
  struct mfr_siginfo info;
  if (SYS4(rt_sigtimedwait, &set, &info, &zero, 8) == MFR_SIGPIPE)
    (void)mfr_raise_self_in_lane(MFR_SIGPIPE, &info, mfr_self.threads > 1 ? mfr_self.thread->tid : 0);
}

// A call that moved something, and was interrupted by a kick perhaps: the guest has had no signal, and would not
// understand why a descriptor that blocks took less than all.
static u32 cut_short(const struct mfr_row *row, long result) {
  if (likely(!mfr_kicked) || !(row->flags & BLOCKS)) return 0;
  mfr_kicked = 0;
  return result > 0;
}

static void call_is_over(const struct mfr_call *c) {
  if (likely(c->nr != __NR_sched_yield)) mfr_self.thread->started = 0; // else it only waited for its turn
}

// ---- the one shape -------------------------------------------------------------------------------
long mfr_lane_call_as(struct mfr_call *c, const struct mfr_row *row, const struct mfr_shape *k,
                      void *ctx) {
  struct mfr_turn t;
  long result;
  if (unlikely(mfr_self.rerun)) return -MFR_EINTR;
again:;
  if (unlikely(mfr_self.threads > 1) && c->nr != __NR_sched_yield) mfr_threads_look();
  u64 need = 0;
  t.identity = t.out_hash = 0;
  t.data = NULL;
  int prepared = 0;
  if (!mfr_alone() ||
      mfr_word_is_seq(mfr_load_acquire64(&mfr_slot_at(mfr_self.base, mfr_self.seq)->word),
                      mfr_self.seq)) {
  prepare:
    prepared = 1;
    t.identity = mfr_identity(c, row);
    need = k->prepare(c, ctx, &t.out_hash);
  }
  enum mfr_role role = mfr_lane_enter(&t, c->nr, need + SIGNAL_ROOM);
  if (role == MFR_ROLE_SOLO) {
    mfr_self.may_rerun = 0;
    result = k->produce(c, ctx, &t, NULL);
    if (unlikely(result == MFR_AGAIN)) { // served a request inside: perhaps no longer alone
      mfr_self.became_joiner = 0;
      goto again;
    }
    if (unlikely(result == MFR_PARK)) {
      mfr_lane_solo_done();
      mfr_thread_put_off();
      goto again;
    }
    mfr_account((u64)in_bytes_of(row->commit, result), (u64)out_bytes_of(row->commit, result));
    mfr_track(c, row, result, NULL);
    mfr_lane_solo_done();
    c->kicked = cut_short(row, result);
    drop_sigpipe(result);
    call_is_over(c);
    if (k->finish) result = k->finish(c, ctx, result);
    mfr_solo_signal(c);
    return result;
  }
  if (unlikely(!prepared)) {
    if (role == MFR_ROLE_LEAD) // claimed without knowing what: cannot happen, a claim needs company
      mfr_store_release64(&t.slot->word, 0);
    goto prepare;
  }
  if (role == MFR_ROLE_FOLLOW) {
    if (unlikely(mfr_pass_point(&t, c))) {
      if (mfr_self.rerun) return -MFR_EINTR;
      goto again; // too late to take it first
    }
    if (unlikely(mfr_self.threads > 1) && c->nr != __NR_sched_yield && mfr_is_event(&t)) {
      mfr_pass_event(&t);
      goto again;
    }
    // At a point to which it was called from the guest's code: somebody else led, and took no signal here.
    if (unlikely(wants_async(c)) && !is_async(&t)) return -MFR_EINTR;
    // The same for one that looked outside as the leader it was: nobody waits for what it saw.
    if (unlikely(c->nr == __NR_sched_yield) && c->a[1] && !mfr_is_event(&t)) return -MFR_EINTR;
  }
  mfr_self.may_rerun = 0;
  if (role == MFR_ROLE_LEAD) {
    if (mfr_try_save(&mfr_self.claim.redo)) goto again; // a page of the slot's data broke before the call was made
    mfr_self.claim.can_redo = 1;
    int happened = 0;
    // Before the call: should it be settled by the coordinator, the others learn of it all the same.
    if (unlikely(mfr_self.map_files) && mfr_mapping_changes(c)) t.slot->flags = MFR_SLOT_MAPPED;
    // Whoever died in this slot may have been at a signal point, or not have come as far as the call.
    if (t.retry && t.slot->identity != t.identity) t.retry = 0;
    if (t.retry) {
      u64 note;
      __builtin_memcpy(&note, t.slot->inline_data, 8);
      happened = mfr_look_first(c, row, t.data, note, &result);
    } else if (row->commit >= POSITION) {
      u64 note = mfr_note_before(c, row);
      __builtin_memcpy(t.slot->inline_data, &note, 8);
    }
    if (!happened) {
      if ((row->flags & CLOSES) && mfr_self.mmap_seq) mfr_rendezvous(mfr_self.mmap_seq);
      // Settlement reads the slot's data by these rules: what an older lap left there must not count.
      if (row->commit == RECORD || row->commit == CHILD) memset(t.data, 0, 8);
      mfr_lane_begin(&t);
      result = k->produce(c, ctx, &t, t.data);
      if (unlikely(result == MFR_AGAIN)) { // became a joiner: the donor holds the claim
        mfr_self.became_joiner = 0;
        goto again;
      }
    }
    if (unlikely(result == MFR_PARK)) {
      mfr_lane_publish(&t, c->nr, MFR_PARK, 0, 0, 0, 0, 0);
      mfr_lane_consumed();
      mfr_thread_put_off();
      goto again;
    }
    if (unlikely(result == -MFR_EFAULT)) {
      mfr_touch_claim();
      if (MFR_TRY()) {
        mfr_touch_memory(c, row);
        MFR_TRY_END();
      }
    }
    mfr_self.claim.executed = 1;
    mfr_track(c, row, result, t.data);
    drop_sigpipe(result);
    u32 len = k->used(c, ctx, t.data, result), flags = t.slot->flags | (unlikely(wants_async(c) || takes_turn(c)) ? MFR_SLOT_ASYNC : 0u);
    len = (len + 7) & ~7u;
    u32 outputs = len;
    u32 signo = mfr_attach_signal(&t, c, &len, &flags);
    c->signo = signo;
    c->kicked = cut_short(row, result);
    if (unlikely(c->kicked)) flags |= MFR_SLOT_KICKED;
    u32 counts = happened ? REPEAT : row->commit;
    mfr_lane_publish(&t, c->nr, result, len, flags, signo, in_bytes_of(counts, result),
                     out_bytes_of(counts, result));
    if (unlikely(flags & MFR_SLOT_MAPPED)) mfr_rendezvous(mfr_self.seq - 1); // they read it before it is written to
    int whole = 1;
    if (MFR_TRY()) {
      k->consume(c, ctx, t.data, result);
      MFR_TRY_END();
    } else whole = 0;
    mfr_lane_consumed();
    if (!whole) result = -MFR_EFAULT;
    // The page broke between the kernel's writing and ours. As the kernel itself says of a file's broken page.
    if (unlikely(mfr_self.claim.lost) && outputs) {
      if (row->commit == REPEAT && !c->signo) goto again;
      result = -MFR_EIO;
    }
    mfr_self.claim.state = MFR_CLAIM_NONE;
  } else {
    if (unlikely(mfr_lane_check(&t, c->nr))) goto again;
    const u8 *data = mfr_data_at(mfr_self.base, t.slot->data_off);
    result = t.slot->result;
    if (unlikely(mfr_self.thread->proxy)) { // it led when the call was put off
      long late = mfr_proxy_stop();
      if (late >= 0 && late != result && row->commit == NEWFD) SYS1(close, late);
    }
    if (unlikely(result == MFR_PARK)) {
      mfr_lane_pass(&t);
      mfr_self.thread->known = 0; // the leader knows what for
      mfr_thread_put_off();
      goto again;
    }
    c->kicked = t.slot->flags & MFR_SLOT_KICKED;
    mfr_track(c, row, result, data);
    mfr_slot_signal(&t, c);
    int whole = 1;
    if (MFR_TRY()) {
      k->consume(c, ctx, data, result);
      MFR_TRY_END();
    } else whole = 0;
    if (unlikely(t.slot->flags & MFR_SLOT_MAPPED)) mfr_mapping_refresh(c, result);
    mfr_lane_pass(&t);
    if (!whole) result = -MFR_EFAULT;
  }
  call_is_over(c);
  if (k->finish) result = k->finish(c, ctx, result);
  return result; // a signal that came with the slot is delivered by dispatch, on the guest's stack
}

long mfr_lane_call(struct mfr_call *c, const struct mfr_shape *k, void *ctx) {
  return mfr_lane_call_as(c, &mfr_rows[c->nr], k, ctx);
}

// ---- parts of simple shapes -----------------------------------------------------------------------
u64 mfr_no_prepare(struct mfr_call *c, void *ctx, u64 *hash) {
  (void)c, (void)ctx, (void)hash;
  return 0;
}
u32 mfr_no_used(struct mfr_call *c, void *ctx, const u8 *data, long result) {
  (void)c, (void)ctx, (void)data, (void)result;
  return 0;
}
void mfr_no_consume(struct mfr_call *c, void *ctx, const u8 *data, long result) {
  (void)c, (void)ctx, (void)data, (void)result;
}
u64 mfr_eight_prepare(struct mfr_call *c, void *ctx, u64 *hash) {
  (void)c, (void)ctx, (void)hash;
  return 8;
}
u32 mfr_eight_used(struct mfr_call *c, void *ctx, const u8 *data, long result) {
  (void)c, (void)ctx, (void)data, (void)result;
  return 8;
}
