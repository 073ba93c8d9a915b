// calls/timer.c - timers that send signals belong to the process that the outside knows: the anchor makes them,
// and what they send reaches the guest as any signal does.
#include "../shim.h"

struct timer_ctx {
  u8 in[80];  // what the call reads
  u8 out[64]; // what the anchor answered
};
static u64 timer_prepare(struct mfr_call *c, void *ctx, u64 *hash) {
  (void)c;
  struct timer_ctx *x = ctx;
  *hash = mfr_hash(x->in, sizeof x->in, 0);
  return sizeof x->out;
}
static long timer_produce(struct mfr_call *c, void *ctx, struct mfr_turn *t, u8 *data) {
  struct timer_ctx *x = ctx;
  int joiner = 0;
  long r = mfr_rpc(t, c->nr, c->a, x->in, sizeof x->in, 0, &joiner);
  memcpy(data ? data : x->out, mfr_self.h->rpc.data, sizeof x->out);
  return r;
}
static u32 timer_used(struct mfr_call *c, void *ctx, const u8 *data, long result) {
  (void)c, (void)data, (void)result;
  return sizeof((struct timer_ctx *)ctx)->out;
}
static void timer_consume(struct mfr_call *c, void *ctx, const u8 *data, long result) {
  (void)c, (void)result;
  struct timer_ctx *x = ctx;
  memcpy(x->out, data, sizeof x->out);
}
static const struct mfr_shape timer_shape = {timer_prepare, timer_produce, timer_used, timer_consume, NULL};

// The call with `in` bytes at argument in_at (absent when NULL) and `out` bytes for argument out_at, which are in
// the answer from `from` on.
static long timer_call(struct mfr_call *c, u32 in_at, u32 in, u32 out_at, u32 out, u32 from) {
  struct timer_ctx x;
  memset(&x, 0, sizeof x);
  if (in && c->a[in_at]) {
    long bad = 0;
    if (MFR_TRY()) {
      memcpy(x.in, (const void *)c->a[in_at], in);
      MFR_TRY_END();
    } else bad = -MFR_EFAULT;
    if (bad) return bad;
    x.in[64] = 1;
  }
  long r = mfr_lane_call(c, &timer_shape, &x);
  if (r == 0 && out && c->a[out_at]) {
    if (MFR_TRY()) {
      memcpy((void *)c->a[out_at], x.out + from, out);
      MFR_TRY_END();
    } else r = -MFR_EFAULT;
  }
  return r;
}

// ---- alarm, setitimer, getitimer -----------------------------------------------------------------------
long mfr_call_alarm(struct mfr_call *c) { return timer_call(c, 0, 0, 0, 0, 0); }
long mfr_call_setitimer(struct mfr_call *c) {
  if ((u32)c->a[0] > 2) return -MFR_EINVAL;
  return timer_call(c, 1, 32, 2, 32, 32);
}
long mfr_call_getitimer(struct mfr_call *c) {
  if ((u32)c->a[0] > 2) return -MFR_EINVAL;
  if (!c->a[1]) return -MFR_EFAULT;
  return timer_call(c, 0, 0, 1, 32, 0);
}

// ---- timer_create and its like ---------------------------------------------------------------------------
// SIGEV_THREAD_ID names a thread of the guest's, whom the anchor does not know.
static int names_no_thread(const struct mfr_call *c) {
  i32 event[5] = {0};
  if (c->a[1] && MFR_TRY()) {
    memcpy(event, (const void *)c->a[1], sizeof event);
    MFR_TRY_END();
  }
  return (event[3] & 4) && !mfr_is_own_id(event[4]);
}

// A clock of processor time of the guest itself is said to be one of two, by whatever name the guest calls it: the
// anchor reckons with what the leaders have used. Any other clock runs for the anchor as for the guest.
long mfr_call_timer_create(struct mfr_call *c) {
  u32 own = mfr_own_cpu_clock((u32)c->a[0]);
  if (own) c->a[0] = (long)own;
  if (names_no_thread(c)) return -MFR_EINVAL;
  return timer_call(c, 1, 64, 2, 4, 0);
}
// How often a timer had expired unheard when its last signal was taken: each replica knows, as all take it at one place.
#define COUNTED 64u
static struct { i32 timer, overrun; } counted[COUNTED];
static u32 counts;
static u32 count_of(i32 timer) {
  u32 i = 0;
  while (i < counts && counted[i].timer != timer) i++;
  return i;
}
static void forget_count(i32 timer) {
  u32 i = count_of(timer);
  if (i < counts) counted[i] = counted[--counts];
}
void mfr_timer_taken(const struct mfr_siginfo *info) {
  if (likely(info->code != -2 /* SI_TIMER */)) return;
  u32 i = count_of(info->u.rt.pid); // where a timer's number is
  if (i == COUNTED) return;
  counts += i == counts;
  counted[i].timer = info->u.rt.pid;
  counted[i].overrun = (i32)info->u.rt.uid;
}

long mfr_call_timer_settime(struct mfr_call *c) {
  if (!c->a[2]) return -MFR_EINVAL;
  long r = timer_call(c, 2, 32, 3, 32, 32);
  if (r == 0) forget_count((i32)c->a[0]);
  return r;
}
long mfr_call_timer_gettime(struct mfr_call *c) { return timer_call(c, 0, 0, 1, 32, 0); }
long mfr_call_timer_getoverrun(struct mfr_call *c) {
  long r = timer_call(c, 0, 0, 0, 0, 0);
  u32 i = count_of((i32)c->a[0]);
  if (r < 0 || (i == counts && counts == COUNTED)) return r;
  return i < counts ? counted[i].overrun : 0;
}
long mfr_call_timer_delete(struct mfr_call *c) {
  long r = timer_call(c, 0, 0, 0, 0, 0);
  if (r == 0) forget_count((i32)c->a[0]);
  return r;
}

// Leaving the lane, alone: from now on interval timers are the kernel's business.
void mfr_timers_to_kernel(void) {
  for (long which = 0; which < 3; which++) {
    struct timer_ctx x;
    struct mfr_call c;
    memset(&x, 0, sizeof x);
    memset(&c, 0, sizeof c);
    c.nr = __NR_setitimer;
    c.a[0] = which;
    if (mfr_lane_call(&c, &timer_shape, &x) != 0) continue;
    u64 old[4];
    memcpy(old, x.out + 32, sizeof old);
    if (old[2] | old[3]) SYS3(setitimer, which, old, 0);
  }
}

// After execve, before the new image runs: timers of timer_create do not outlive the old one.
void mfr_timers_forget(void) {
  static const long none[6];
  int joiner;
  if (mfr_load_acquire32(&mfr_self.h->posix_timers)) mfr_rpc(NULL, __NR_execve, none, NULL, 0, 0, &joiner);
}
