// calls/splice.c - moving bytes between descriptors without seeing them. No I/O accounting counts
// these. With an offset the kernel itself records the new one in the slot; between pipes and
// sockets what is in the pipe tells.
//
// Data: kind 3: int64 offset before at 64, as the kernel left it at 72. Kind 5: bytes in the pipe
// before at 64, its descriptor at 72, +1 at 80 when the call fills it and -1 when it drains it.
#include "../shim.h"

#define KIND_OFFSET 3u
#define KIND_PIPE 5u
#define FIONREAD 0x541b

struct splice_ctx {
  i64 *user_in, *user_out; // guest's offsets
  i64 in, out;             // offsets to use, valid with has_*
  u32 has_in, has_out;
  u64 hash;
};
static u64 splice_prepare(struct mfr_call *c, void *ctx, u64 *hash) {
  (void)c;
  struct splice_ctx *x = ctx;
  *hash = mfr_mix(x->hash, (u64)x->in ^ (u64)x->out);
  return 128;
}
static i64 pipe_bytes(long fd) {
  i32 n = -1;
  if (SYS3(ioctl, fd, FIONREAD, &n) < 0) return -1;
  return n;
}
static long splice_produce(struct mfr_call *c, void *ctx, struct mfr_turn *t, u8 *data) {
  struct splice_ctx *x = ctx;
  static i64 own[8];
  i64 *rec = data ? (i64 *)(data + 64) : own;
  long a[6];
  __builtin_memcpy(a, c->a, sizeof a);
  u32 head[2] = {0, 0};
  if (c->nr == __NR_splice) {
    a[1] = a[3] = 0;
    if (x->has_in || x->has_out) {
      i64 at = x->has_in ? x->in : x->out;
      head[0] = KIND_OFFSET;
      rec[0] = at;
      rec[1] = at;
      if (x->has_in) a[1] = (long)&rec[1];
      else a[3] = (long)&rec[1];
      if (x->has_in && x->has_out) { // two files never meet in a splice; let the kernel say so
        rec[2] = x->out;
        a[3] = (long)&rec[2];
      }
    }
  }
  if (!head[0]) {
    long in = c->nr == __NR_vmsplice ? -1 : c->a[0], out = c->nr == __NR_splice ? c->a[2] : c->nr == __NR_tee ? c->a[1] : c->a[0];
    i64 drained = c->nr == __NR_splice ? pipe_bytes(in) : -1;
    int in_is_pipe = c->nr == __NR_splice && SYS2(fcntl, in, 1032 /* F_GETPIPE_SZ */) >= 0;
    head[0] = KIND_PIPE;
    rec[0] = in_is_pipe ? drained : pipe_bytes(out);
    rec[1] = in_is_pipe ? in : out;
    rec[2] = in_is_pipe ? -1 : 1;
  }
  if (data) mfr_record_ready(data, head[0], 0);
  int joiner;
  long r = data ? mfr_blocking(t, c->nr, a, &joiner) : mfr_blocking_step(NULL, c->nr, a, &joiner);
  if (data && joiner) return MFR_AGAIN;
  return r;
}
static u32 splice_used(struct mfr_call *c, void *ctx, const u8 *data, long result) {
  (void)c, (void)ctx, (void)data, (void)result;
  return 128;
}
static const struct mfr_shape splice_shape = {splice_prepare, splice_produce, splice_used, mfr_no_consume, NULL};

// Offset of a file that is not given one: asked for, and set afterwards, as calls of their own.
static i64 position(long fd) {
  struct mfr_call q;
  memset(&q, 0, sizeof q);
  q.nr = __NR_lseek;
  q.a[0] = fd, q.a[1] = 0, q.a[2] = 1;
  return mfr_call_lseek(&q);
}
static void set_position(long fd, i64 at) {
  struct mfr_call q;
  memset(&q, 0, sizeof q);
  q.nr = __NR_lseek;
  q.a[0] = fd, q.a[1] = at, q.a[2] = 0;
  mfr_call_lseek(&q);
}

long mfr_call_splice(struct mfr_call *c) {
  struct splice_ctx x;
  memset(&x, 0, sizeof x);
  x.user_in = (i64 *)c->a[1];
  x.user_out = (i64 *)c->a[3];
  long bad = 0;
  if (MFR_TRY()) {
    if (x.user_in) x.in = *x.user_in, x.has_in = 1;
    if (x.user_out) x.out = *x.user_out, x.has_out = 1;
    MFR_TRY_END();
  } else bad = -MFR_EFAULT;
  if (bad) return bad;
  int moved_in = 0, moved_out = 0;
  if (!x.user_in) {
    i64 at = position(c->a[0]);
    if (at >= 0) x.in = at, x.has_in = 1, moved_in = 1;
  }
  if (!x.user_out && !x.has_in) {
    i64 at = position(c->a[2]);
    if (at >= 0) x.out = at, x.has_out = 1, moved_out = 1;
  }
  long r = mfr_lane_call(c, &splice_shape, &x);
  if (r <= 0) return r;
  if (moved_in) set_position(c->a[0], x.in + r);
  if (moved_out) set_position(c->a[2], x.out + r);
  if (MFR_TRY()) {
    if (x.user_in) *x.user_in = x.in + r;
    if (x.user_out) *x.user_out = x.out + r;
    MFR_TRY_END();
  } else r = -MFR_EFAULT;
  return r;
}

long mfr_call_tee(struct mfr_call *c) {
  struct splice_ctx x;
  memset(&x, 0, sizeof x);
  return mfr_lane_call(c, &splice_shape, &x);
}

long mfr_call_vmsplice(struct mfr_call *c) {
  // Giving pages of one replica to a pipe would share them: the bytes are what counts.
  struct mfr_call w;
  memset(&w, 0, sizeof w);
  w.nr = __NR_writev;
  w.a[0] = c->a[0], w.a[1] = c->a[1], w.a[2] = c->a[2];
  i64 access = SYS2(fcntl, c->a[0], 3);
  if (access >= 0 && (access & 3) == 0) w.nr = __NR_readv;
  long r = mfr_shared(&w);
  c->signo = w.signo;
  c->info = w.info;
  return r;
}

// What a dead leader had moved, when the kernel left no record: what is in the pipe now says.
long mfr_splice_look(const u8 *data, long *result) {
  u32 kind;
  i64 rec[3];
  __builtin_memcpy(&kind, data, 4);
  if (kind != KIND_PIPE) return 0;
  __builtin_memcpy(rec, data + 64, sizeof rec);
  i64 now = pipe_bytes(rec[1]);
  i64 moved = rec[2] > 0 ? now - rec[0] : rec[0] - now;
  if (now < 0 || rec[0] < 0 || moved <= 0) return 0;
  *result = moved;
  return 1;
}
