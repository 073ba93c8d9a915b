// calls/wait.c - waiting for children.
#include "../shim.h"

static long wait_call(struct mfr_call *c, int blocking, u8 *out) {
  struct mfr_rpc_ctx x = {blocking, out, 512};
  memset(out, 0, 512);
  return mfr_lane_call(c, &mfr_rpc_shape, &x);
}
long mfr_call_wait4(struct mfr_call *c) {
  u8 out[512];
  long r = wait_call(c, !((u32)c->a[2] & 1), out);
  if (r > 0) {
    if (MFR_TRY()) {
      if (c->a[1]) memcpy((void *)c->a[1], out, 4);
      if (c->a[3]) memcpy((void *)c->a[3], out + 16, 144);
      MFR_TRY_END();
    } else r = -MFR_EFAULT;
  }
  return r;
}
long mfr_call_waitid(struct mfr_call *c) {
  u8 out[512];
  long r = wait_call(c, !((u32)c->a[3] & 1), out);
  if (r >= 0) {
    if (MFR_TRY()) {
      if (c->a[2]) memcpy((void *)c->a[2], out + 256, 128);
      if (c->a[4]) memcpy((void *)c->a[4], out + 16, 144);
      MFR_TRY_END();
    } else r = -MFR_EFAULT;
  }
  return r;
}

// ---- off the lane ----------------------------------------------------------------------------------------------------
static int anchor_has(i32 pid) { // 0: any child
  for (u32 i = 0; i < MFR_MAX_CHILDREN; i++) {
    i32 child = mfr_child_at(mfr_self.base, i);
    if (child > 0 && (pid == 0 || child == pid)) return 1;
  }
  return mfr_load_relaxed32(&mfr_self.h->children_lost) != 0;
}

int mfr_waits_for_anchor(void) { return mfr_self.mode == MFR_NATIVE && mfr_is_guest() && anchor_has(0); }

// wait4 and waitid, for children of two parents: ours and the anchor's.
long mfr_wait_off_lane(struct mfr_call *c) {
  int by_id = c->nr == __NR_waitid;
  u32 opt = by_id ? 3 : 2;
  i32 one = by_id ? ((u32)c->a[0] == 1 ? (i32)c->a[1] : 0) : (i32)c->a[0] > 0 ? (i32)c->a[0] : 0;
  u8 out[512];
  if (one && !anchor_has(one)) return mfr_gate(c->nr, c->a[0], c->a[1], c->a[2], c->a[3], c->a[4], 0);
  long a[6];
  __builtin_memcpy(a, c->a, sizeof a);
  a[opt] |= 1; // WNOHANG
  for (;;) {
    u32 seen = mfr_load_acquire32(&mfr_self.h->child_event);
    long ours = -MFR_ECHILD;
    u64 info[16] = {0};
    if (!one) {
      if (by_id) ours = mfr_gate(c->nr, a[0], a[1], (long)info, a[3], a[4], 0);
      else ours = mfr_gate(c->nr, a[0], a[1], a[2], a[3], 0, 0);
      if (by_id && ours == 0 && (u32)info[0]) { // si_signo: there is one
        if (c->a[2]) memcpy((void *)c->a[2], info, sizeof info);
        return 0;
      }
      if ((!by_id && ours > 0) || (ours < 0 && ours != -MFR_ECHILD)) return ours;
    }
    memset(out, 0, sizeof out);
    long theirs = mfr_ask_off_lane(c->nr, a, NULL, 0, out, sizeof out);
    if (by_id && theirs == 0 && out[256]) {
      if (c->a[2]) memcpy((void *)c->a[2], out + 256, 128);
      if (c->a[4]) memcpy((void *)c->a[4], out + 16, 144);
      return 0;
    }
    if (!by_id && theirs > 0) {
      if (c->a[1]) memcpy((void *)c->a[1], out, 4);
      if (c->a[3]) memcpy((void *)c->a[3], out + 16, 144);
      return theirs;
    }
    if (theirs < 0 && theirs != -MFR_ECHILD) return theirs;
    if (theirs < 0 && ours < 0) return -MFR_ECHILD;
    if (c->a[opt] & 1) {
      if (by_id && c->a[2]) memset((void *)c->a[2], 0, 128);
      return 0;
    }
    if (theirs < 0) return mfr_gate(c->nr, c->a[0], c->a[1], c->a[2], c->a[3], c->a[4], 0);
    // SIGCHLD wakes us for children of our own, when the guest does not block it; else we look now and then.
    struct mfr_timespec pause = {0, 10000000};
    if (mfr_futex_wait(&mfr_self.h->child_event, seen, ours >= 0 ? &pause : NULL) == -MFR_EINTR) return -MFR_EINTR;
  }
}

