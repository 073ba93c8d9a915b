// calls/native.c - a set that shrinks to one replica, and one that has left the lane.
#include "../shim.h"

// ---- collapse and native mode ----------------------------------------------------------------------------------
static void set_reason(const char *s) {
  char *d = mfr_self.h->reason;
  u32 i = 0;
  for (; s[i] && i < sizeof mfr_self.h->reason - 1; i++) d[i] = s[i];
  d[i] = 0;
}

struct collapse_ctx {
  const char *reason;
  int permanent;
};
static long collapse_produce(struct mfr_call *c, void *ctx, struct mfr_turn *t, u8 *data) {
  (void)c, (void)t, (void)data;
  struct collapse_ctx *x = ctx;
  struct mfr_header *h = mfr_self.h;
  set_reason(x->reason);
  if (x->permanent) mfr_store_release32(&h->no_grow, 1);
  if (mfr_load_acquire32(&h->live) == 1u << mfr_self.index) return 0;
  h->collapse_by = mfr_self.index;
  mfr_store_release32(&h->collapse, MFR_COLLAPSE_ASKED);
  mfr_wake_coordinator();
  while (mfr_load_acquire32(&h->collapse) == MFR_COLLAPSE_ASKED)
    mfr_futex_wait(&h->collapse, MFR_COLLAPSE_ASKED, NULL);
  mfr_store_release32(&h->collapse, MFR_COLLAPSE_NONE);
  return 0;
}
static const struct mfr_shape collapse_shape = {mfr_no_prepare, collapse_produce, mfr_no_used, mfr_no_consume, NULL};

// The set shrinks to this replica; all replicas come here at the same slot, one returns.
void mfr_collapse(const char *reason, int permanent) {
  struct mfr_call c;
  memset(&c, 0, sizeof c);
  c.nr = __NR_personality; // a number for the slot's word; nothing is called
  struct mfr_row row = mfr_rows[c.nr];
  row.arity = 0;
  row.commit = REPEAT;
  row.flags = 0;
  struct collapse_ctx x = {reason, permanent};
  mfr_self.may_rerun = 0;
  mfr_lane_call_as(&c, &row, &collapse_shape, &x);
  if (permanent) mfr_unmark_alive(); // memory may be shared with other processes now, and robust mutexes in it
}

int mfr_go_native(const char *reason, struct mfr_frame *frame) {
  mfr_collapse(reason, 1);
  if (mfr_self.threads > 1 || mfr_self.signalfds) return 0;
  mfr_mapping_open();
  mfr_timers_to_kernel();
  mfr_self.mode = MFR_NATIVE;
  if (mfr_self.tid_field) *mfr_self.tid_field = mfr_self.rpid;
  mfr_store_release32(&mfr_self.h->mode, MFR_MODE_NATIVE);
  mfr_devirtualize(frame);
  // What was pending for the set goes to the process now.
  struct mfr_siginfo info;
  u32 ticket, signo;
  while ((signo = mfr_take_from(mfr_pending(~0ull), &info, &ticket))) {
    mfr_signal_taken(signo, ticket);
    SYS3(rt_sigqueueinfo, mfr_self.rpid, signo, &info);
  }
  mfr_wake_coordinator();
  return 1;
}

// ---- off the lane ----------------------------------------------------------------------------------------------------
// Native mode. Calls reach the shim by libc's entries and by sites that were patched on the lane; what is raw
// goes to the kernel. Pids are those of the outside, and what the anchor had made for the guest is still there:
// children that were forked on the lane, timers.

// The guest itself, not a child that it has forked since (which still has our state).
int mfr_is_guest(void) { return (i32)SYS0(getpid) == mfr_self.rpid; }

static u32 anchor_lock;
// Any thread may come here, and a signal handler: with all signals blocked nobody waits for itself.
long mfr_ask_off_lane(u32 nr, const long *args, const void *in, u32 bytes, u8 *out, u32 out_bytes) {
  u64 all = ~0ull, mask = 0;
  int joiner;
  SYS4(rt_sigprocmask, 2, &all, &mask, 8);
  while (!mfr_cas_acqrel32(&anchor_lock, 0, 1)) mfr_futex_wait(&anchor_lock, 1, NULL);
  mfr_self.seq++;
  long r = mfr_rpc(NULL, nr, args, in, bytes, 0, &joiner);
  if (out) memcpy(out, mfr_self.h->rpc.data, out_bytes);
  mfr_store_release32(&anchor_lock, 0);
  mfr_futex_wake(&anchor_lock);
  SYS4(rt_sigprocmask, 2, &mask, NULL, 8);
  return r;
}

static long timer_off_lane(struct mfr_call *c) {
  u8 out[64];
  const void *in = c->nr == __NR_timer_settime ? (const void *)c->a[2] : NULL;
  if (c->nr == __NR_timer_settime && !in) return -MFR_EINVAL;
  long r = mfr_ask_off_lane(c->nr, c->a, in, 32, out, sizeof out);
  if (r != 0) return r;
  if (c->nr == __NR_timer_settime && c->a[3]) memcpy((void *)c->a[3], out + 32, 32);
  if (c->nr == __NR_timer_gettime) memcpy((void *)c->a[1], out, 32);
  return r;
}

static long native(struct mfr_call *c) {
  long r;
  switch (c->nr) {
  case __NR_getpid:
  case __NR_gettid:
    r = c->nr == __NR_getpid ? SYS0(getpid) : SYS0(gettid);
    return r == mfr_self.rpid ? mfr_self.vpid : r;
  case __NR_getppid:
    if (mfr_is_guest()) return mfr_self.h->anchor_ppid;
    r = SYS0(getppid);
    return r == mfr_self.rpid ? mfr_self.vpid : r;
  case __NR_wait4:
  case __NR_waitid:
    if (mfr_waits_for_anchor()) return mfr_wait_off_lane(c);
    break;
  case __NR_kill: // to itself: not by way of the anchor, or it would come later
    if ((i32)c->a[0] > 0 && (i32)c->a[0] != mfr_self.vpid && mfr_is_guest()) return mfr_send_off_lane(c);
    if ((i32)c->a[0] != mfr_self.vpid || !mfr_is_guest()) break;
    {
      struct mfr_siginfo info;
      memset(&info, 0, sizeof info);
      info.signo = (i32)c->a[1];
      info.u.rt.pid = mfr_self.vpid;
      info.u.rt.uid = (u32)SYS0(getuid);
      r = SYS3(rt_sigqueueinfo, mfr_self.rpid, c->a[1], &info);
      return r == -MFR_EPERM ? SYS2(kill, mfr_self.rpid, c->a[1]) : r; // only the first thread may say who it is
    }
  case __NR_rt_sigqueueinfo:
    if ((i32)c->a[0] != mfr_self.vpid || !mfr_is_guest()) break;
    return SYS3(rt_sigqueueinfo, mfr_self.rpid, c->a[1], c->a[2]);
  case __NR_tgkill:
    if ((i32)c->a[0] != mfr_self.vpid && mfr_is_guest()) return mfr_send_off_lane(c);
    if ((i32)c->a[0] != mfr_self.vpid || !mfr_is_guest()) break;
    return SYS3(tgkill, mfr_self.rpid, (i32)c->a[1] == mfr_self.vpid ? mfr_self.rpid : c->a[1], c->a[2]);
  case __NR_timer_settime:
  case __NR_timer_gettime:
  case __NR_timer_getoverrun:
  case __NR_timer_delete:
    if ((i32)c->a[0] >= 0x40000000 && mfr_is_guest()) return timer_off_lane(c); // numbers that the anchor gave
    break;
  default:
    break;
  }
  return mfr_gate(c->nr, c->a[0], c->a[1], c->a[2], c->a[3], c->a[4], c->a[5]);
}

long mfr_off_lane(struct mfr_call *c) {
  if (mfr_self.mode == MFR_NATIVE) return native(c);
  if (mfr_self.mode == MFR_CHILD) return mfr_child_call(c);
  return mfr_gate(c->nr, c->a[0], c->a[1], c->a[2], c->a[3], c->a[4], c->a[5]);
}
