// calls/rpc.c - what the anchor answers.
#include "../shim.h"

// ---- calls to the anchor --------------------------------------------------------------------------------
void mfr_wake_anchor(void) {
  mfr_add_acqrel32(&mfr_self.h->anchor_wake, 1);
  mfr_futex_wake(&mfr_self.h->anchor_wake);
}

// One post for each sequence: a successor that posts the same sequence again gets the same answer. `in`: what
// the call reads from memory, NULL if nothing.
long mfr_rpc(struct mfr_turn *t, u32 nr, const long *args, const void *in, u32 bytes, int blocking, int *joiner) {
  struct mfr_header *h = mfr_self.h;
  struct mfr_rpc *rpc = &h->rpc;
  *joiner = 0;
post:
  if (rpc->seq != mfr_self.seq + 1 || rpc->nr != nr ||
      mfr_load_acquire32(&rpc->state) == MFR_RPC_IDLE) {
    rpc->nr = nr;
    for (u32 i = 0; i < 6; i++) rpc->args[i] = (u64)args[i];
    if (in) memcpy(rpc->data, in, bytes < sizeof rpc->data ? bytes : sizeof rpc->data);
    rpc->cancel = 0;
    rpc->seq = mfr_self.seq + 1;
    mfr_store_release32(&rpc->state, MFR_RPC_POSTED);
  }
  mfr_wake_anchor();
  for (u32 state; (state = mfr_load_acquire32(&rpc->state)) != MFR_RPC_ANSWERED;) {
    if (unlikely(state == MFR_RPC_IDLE)) goto post; // its page of the buffer was replaced
    if (!blocking || rpc->cancel) {
      mfr_futex_wait(&rpc->state, MFR_RPC_POSTED, NULL);
      continue;
    }
    long a[6] = {(long)&rpc->state, 0 /* FUTEX_WAIT */, MFR_RPC_POSTED, 0, 0, 0};
    long r = mfr_blocking_step(t, __NR_futex, a, joiner);
    // Alone, no slot is claimed: after a request - perhaps there are two of us now - the lane is entered again.
    if (!t && r == MFR_AGAIN) *joiner = 1;
    if (*joiner) return 0;
    if (r == -MFR_EINTR) { // a signal for the guest: take the request back, if it is not too late
      mfr_store_release32(&rpc->cancel, 1);
      mfr_wake_anchor();
    }
  }
  return rpc->result;
}

static u64 rpc_prepare(struct mfr_call *c, void *ctx, u64 *hash) {
  (void)c, (void)hash;
  return ((struct mfr_rpc_ctx *)ctx)->bytes;
}
static long rpc_produce(struct mfr_call *c, void *ctx, struct mfr_turn *t, u8 *data) {
  struct mfr_rpc_ctx *x = ctx;
  int joiner;
  long a[6];
  __builtin_memcpy(a, c->a, sizeof a);
  int block = x->blocking;
  u64 until;
  if (block && mfr_self.threads > 1 && (mfr_others_wait(&until) || until)) { // asked again when a child has changed
    mfr_wait_for_child(mfr_load_acquire32(&mfr_self.h->child_event));
    a[c->nr == __NR_waitid ? 3 : 2] |= 1; // WNOHANG
    block = 0;
  }
  long r = mfr_rpc(data ? t : NULL, c->nr, a, NULL, 0, block, &joiner);
  if (joiner) return MFR_AGAIN;
  if (x->blocking && !block && r == 0 && (c->nr == __NR_wait4 || !mfr_self.h->rpc.data[256])) return MFR_PARK;
  if (x->bytes) memcpy(data ? data : x->out, mfr_self.h->rpc.data, x->bytes);
  return r;
}
static u32 rpc_used(struct mfr_call *c, void *ctx, const u8 *data, long result) {
  (void)c, (void)data, (void)result;
  return ((struct mfr_rpc_ctx *)ctx)->bytes;
}
static void rpc_consume(struct mfr_call *c, void *ctx, const u8 *data, long result) {
  (void)c, (void)result;
  struct mfr_rpc_ctx *x = ctx;
  if (x->bytes) memcpy(x->out, data, x->bytes);
}
const struct mfr_shape mfr_rpc_shape = {rpc_prepare, rpc_produce, rpc_used, rpc_consume, NULL};

long mfr_ask_anchor(struct mfr_call *c) {
  struct mfr_rpc_ctx x = {0, NULL, 0};
  return mfr_lane_call(c, &mfr_rpc_shape, &x);
}
