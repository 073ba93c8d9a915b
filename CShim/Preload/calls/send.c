// calls/send.c - signals to other processes. Whoever gets one sees who has sent it: the anchor sends it, whose pid is the
// guest's, with the uid and the right to send that the guest has (CShim/ABI/send.c). Where it cannot, the leader does.
#include "../shim.h"

#define CAP_KILL 5u

// What the anchor is to be. Right below the call's own arguments, of which there are four at most.
static void say_who(long *a) {
  u32 ruid = 0, euid = 0, suid = 0;
  struct { u32 version; i32 pid; } header = {0x20080522, 0};
  struct { u32 effective, permitted, inheritable; } cap[2] = {{0, 0, 0}, {0, 0, 0}};
  SYS3(getresuid, &ruid, &euid, &suid);
  SYS2(capget, &header, cap);
  a[4] = (long)(ruid | (u64)euid << 32);
  a[5] = cap[0].effective >> CAP_KILL & 1;
}
static void arguments(const struct mfr_call *c, long *a) {
  __builtin_memcpy(a, c->a, 4 * sizeof *a);
  if (c->nr == __NR_pidfd_send_signal) a[2] = mfr_self.rpid; // whose descriptor it is
  say_who(a);
}

// Data: not 0 when the guest's own group has got it.
struct sent_ctx {
  u64 own_group;
};
static u64 sent_prepare(struct mfr_call *c, void *ctx, u64 *hash) {
  (void)c, (void)ctx, (void)hash;
  return sizeof(struct sent_ctx);
}
static long sent_produce(struct mfr_call *c, void *ctx, struct mfr_turn *t, u8 *data) {
  struct sent_ctx *x = ctx;
  int joiner;
  long a[6];
  arguments(c, a);
  long r = mfr_rpc(data ? t : NULL, c->nr, a, NULL, 0, 0, &joiner);
  memcpy(&x->own_group, mfr_self.h->rpc.data, 8);
  if (data) memcpy(data, x, sizeof *x);
  return r == -MFR_ENOSYS ? mfr_gate(c->nr, c->a[0], c->a[1], c->a[2], c->a[3], 0, 0) : r;
}
static u32 sent_used(struct mfr_call *c, void *ctx, const u8 *data, long result) {
  (void)c, (void)ctx, (void)data, (void)result;
  return sizeof(struct sent_ctx);
}
static void sent_consume(struct mfr_call *c, void *ctx, const u8 *data, long result) {
  (void)c, (void)result;
  memcpy(ctx, data, sizeof(struct sent_ctx));
}
static const struct mfr_shape sent_shape = {sent_prepare, sent_produce, sent_used, sent_consume, NULL};

long mfr_send(struct mfr_call *c, int *own_group) {
  struct sent_ctx x = {0};
  long r = mfr_lane_call(c, &sent_shape, &x);
  if (own_group) *own_group = x.own_group != 0;
  return r;
}

long mfr_call_pidfd_send_signal(struct mfr_call *c) {
  return c->a[2] ? mfr_shared(c) : mfr_send(c, NULL); // else the guest says itself who it is
}

// Off the lane, to another process.
long mfr_send_off_lane(struct mfr_call *c) {
  long a[6];
  arguments(c, a);
  long r = mfr_ask_off_lane(c->nr, a, NULL, 0, NULL, 0);
  return r == -MFR_ENOSYS ? mfr_gate(c->nr, c->a[0], c->a[1], c->a[2], c->a[3], 0, 0) : r;
}
