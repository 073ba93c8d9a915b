// calls/poll.c - calls that wait with a time-out, and epoll.
//
// A wait can be interrupted for something that the guest does not see (it is asked to clone): what is
// left of the time-out is then worked out afresh from a deadline.
#include "../shim.h"

#define NS 1000000000ull
#define FOREVER (~0ull)

static u64 time_of(const struct mfr_timespec *t) { return (u64)t->sec * NS + (u64)t->nsec; }
static void set_time(struct mfr_timespec *t, u64 ns) {
  t->sec = (i64)(ns / NS);
  t->nsec = (i64)(ns % NS);
}
static u64 left_of(u64 deadline) {
  u64 now = mfr_now();
  return now >= deadline ? 0 : deadline - now;
}

// One look without waiting is worth its price when somebody would have to be woken before a real wait.
static int worth_a_look(struct mfr_turn *t, u8 *data) {
  (void)t;
  return data && mfr_load_relaxed32(&mfr_self.h->parked) && mfr_self.last_wake != mfr_self.seq;
}

// ---- the signal mask that ppoll and others carry ---------------------------------------------------
static long use_mask(const void *mask, u64 size) {
  u64 v = 0;
  if (!mask) return 0;
  if (size != 8) return -MFR_EINVAL;
  if (MFR_TRY()) {
    v = *(const u64 *)mask;
    MFR_TRY_END();
  } else return -MFR_EFAULT;
  mfr_self.suspend_mask = mfr_self.vmask;
  mfr_self.suspend_on = 1; // dispatch puts it back
  mfr_self.vmask = v & ~MFR_UNMASKABLE;
  return 0;
}

// ---- poll, ppoll, select, pselect6 -------------------------------------------------------------------
struct wait_ctx {
  u32 is_select;
  u32 pieces;          // arrays in and out: pollfd, or three fd sets
  u64 at[3], len[3];   // guest address and bytes of each
  u64 timeout;         // ns, FOREVER
  u64 deadline;
  u64 left;            // ns left at the end (select and ppoll tell)
  long nfds;
  u8 *own;             // alone: where the kernel works (the guest's memory)
};
static u64 round8(u64 n) { return (n + 7) & ~7ull; }
static u64 wait_bytes(const struct wait_ctx *x) {
  u64 n = 8; // what was left of the time
  for (u32 i = 0; i < x->pieces; i++) n += round8(x->len[i]);
  return n;
}
static u64 wait_prepare(struct mfr_call *c, void *ctx, u64 *hash) {
  (void)c;
  struct wait_ctx *x = ctx;
  u64 h = x->timeout;
  if (MFR_TRY()) {
    for (u32 i = 0; i < x->pieces; i++) {
      if (!x->at[i]) continue;
      if (x->is_select) h = mfr_hash((const void *)x->at[i], x->len[i], h);
      else // revents is output only and often never initialised
        for (u64 k = 0; k < x->len[i]; k += 8) {
          u64 v = *(const u64 *)(x->at[i] + k);
          h = mfr_mix(h, v & 0xffffffffffffull);
        }
    }
    MFR_TRY_END();
  } else h = 1;
  *hash = h;
  return wait_bytes(x);
}
static long wait_once(struct wait_ctx *x, struct mfr_turn *t, u8 *data, u64 timeout, int *joiner) {
  long a[6] = {0, 0, 0, 0, 0, 0};
  struct mfr_timespec ts;
  set_time(&ts, timeout);
  u64 p[3];
  u8 *at = data ? data + 8 : NULL;
  for (u32 i = 0; i < x->pieces; i++) {
    p[i] = x->at[i];
    if (at && x->at[i]) {
      p[i] = (u64)at;
      at += round8(x->len[i]);
    }
  }
  long ts_arg = timeout == FOREVER ? 0 : (long)&ts;
  long nr;
  if (x->is_select) {
    nr = __NR_pselect6;
    a[0] = x->nfds, a[1] = (long)p[0], a[2] = (long)p[1], a[3] = (long)p[2], a[4] = ts_arg;
  } else {
    nr = __NR_ppoll;
    a[0] = (long)p[0], a[1] = x->nfds, a[2] = ts_arg, a[4] = 8;
  }
  long r = timeout == 0 ? mfr_gate(nr, a[0], a[1], a[2], a[3], a[4], a[5])
                        : mfr_blocking_step(t, nr, a, joiner);
  if (timeout != FOREVER) x->left = r == 0 ? 0 : time_of(&ts);
  return r;
}
static int wait_fill(struct wait_ctx *x, u8 *data) {
  u8 *at = data + 8;
  int ok = 0;
  if (MFR_TRY()) {
    for (u32 i = 0; i < x->pieces; i++) {
      if (!x->at[i]) continue;
      memcpy(at, (const void *)x->at[i], x->len[i]);
      at += round8(x->len[i]);
    }
    MFR_TRY_END();
    ok = 1;
  }
  return ok;
}
static long wait_produce(struct mfr_call *c, void *ctx, struct mfr_turn *t, u8 *data) {
  (void)c;
  if (unlikely(mfr_self.signalfds)) mfr_signalfd_sync();
  struct wait_ctx *x = ctx;
  int joiner = 0;
  if (x->timeout && x->timeout != FOREVER && !x->deadline) x->deadline = mfr_call_started() + x->timeout;
  if (data && !wait_fill(x, data)) return -MFR_EFAULT;
  if (x->timeout && worth_a_look(t, data)) {
    long r = wait_once(x, t, data, 0, &joiner);
    if (r != 0) {
      if (x->deadline) x->left = left_of(x->deadline);
      __builtin_memcpy(data, &x->left, 8);
      return r;
    }
  }
  for (;;) {
    if (data && !wait_fill(x, data)) return -MFR_EFAULT; // the kernel may have cleared the sets
    u64 timeout = x->timeout == FOREVER || !x->timeout ? x->timeout : left_of(x->deadline);
    long r = wait_once(x, data ? t : NULL, data, timeout, &joiner);
    if (joiner || (r == MFR_AGAIN && !data)) return MFR_AGAIN;
    if (r == MFR_AGAIN) continue;
    if (x->deadline) x->left = r == 0 ? 0 : left_of(x->deadline);
    if (data) __builtin_memcpy(data, &x->left, 8);
    return r;
  }
}
static u32 wait_used(struct mfr_call *c, void *ctx, const u8 *data, long result) {
  (void)c, (void)data, (void)result;
  return (u32)wait_bytes(ctx);
}
static void wait_consume(struct mfr_call *c, void *ctx, const u8 *data, long result) {
  (void)c;
  struct wait_ctx *x = ctx;
  __builtin_memcpy(&x->left, data, 8);
  if (result < 0) return;
  const u8 *at = data + 8;
  for (u32 i = 0; i < x->pieces; i++) {
    if (!x->at[i]) continue;
    memcpy((void *)x->at[i], at, x->len[i]);
    at += round8(x->len[i]);
  }
}
static const struct mfr_shape wait_shape = {wait_prepare, wait_produce, wait_used, wait_consume, NULL};

static long wait_call(struct mfr_call *c, struct wait_ctx *x) {
  if (wait_bytes(x) > MFR_CHUNK_MAX) return -MFR_EINVAL;
  return mfr_lane_call(c, &wait_shape, x);
}
static void poll_pieces(struct mfr_call *c, struct wait_ctx *x) {
  memset(x, 0, sizeof *x);
  x->pieces = 1;
  x->at[0] = (u64)c->a[0];
  x->len[0] = (u64)(u32)c->a[1] * 8;
  x->nfds = (u32)c->a[1];
  if (!x->nfds) x->at[0] = 0;
}
static long read_time(u64 at, struct mfr_timespec *ts, int micro, u64 *ns) {
  *ns = FOREVER;
  if (!at) return 0;
  long bad = 0;
  if (MFR_TRY()) {
    *ts = *(const struct mfr_timespec *)at;
    MFR_TRY_END();
  } else bad = -MFR_EFAULT;
  if (bad) return bad;
  i64 part = micro ? ts->nsec * 1000 : ts->nsec;
  if (micro && ts->nsec >= 1000000) { // select(2) normalises microseconds
    ts->sec += ts->nsec / 1000000;
    part = ts->nsec % 1000000 * 1000;
  }
  if (ts->sec < 0 || part < 0 || part >= (i64)NS) return -MFR_EINVAL;
  *ns = (u64)ts->sec > 4000000000ull ? FOREVER : (u64)ts->sec * NS + (u64)part;
  return 0;
}
static long write_time(u64 at, u64 left, int micro) {
  struct mfr_timespec ts;
  set_time(&ts, left);
  if (micro) ts.nsec /= 1000;
  long r = 0;
  if (MFR_TRY()) {
    *(struct mfr_timespec *)at = ts;
    MFR_TRY_END();
  } else r = 0; // the kernel does not mind either
  return r;
}

long mfr_call_poll(struct mfr_call *c) {
  struct wait_ctx x;
  poll_pieces(c, &x);
  i32 ms = (i32)c->a[2];
  x.timeout = ms < 0 ? FOREVER : (u64)ms * 1000000;
  return wait_call(c, &x);
}
long mfr_call_ppoll(struct mfr_call *c) {
  struct wait_ctx x;
  struct mfr_timespec ts;
  poll_pieces(c, &x);
  long r = read_time((u64)c->a[2], &ts, 0, &x.timeout);
  if (r == 0) r = use_mask((const void *)c->a[3], (u64)c->a[4]);
  if (r) return r;
  r = wait_call(c, &x);
  if (c->a[2]) write_time((u64)c->a[2], x.left, 0);
  return r;
}
static long select_call(struct mfr_call *c, u64 time_at, int micro) {
  struct wait_ctx x;
  struct mfr_timespec ts;
  memset(&x, 0, sizeof x);
  if ((i32)c->a[0] < 0) return -MFR_EINVAL;
  x.is_select = 1;
  x.pieces = 3;
  x.nfds = (i32)c->a[0] > 65536 ? 65536 : (i32)c->a[0];
  for (u32 i = 0; i < 3; i++) {
    x.at[i] = (u64)c->a[i + 1];
    x.len[i] = x.at[i] ? ((u64)x.nfds + 63) / 64 * 8 : 0;
    if (!x.len[i]) x.at[i] = 0;
  }
  long r = read_time(time_at, &ts, micro, &x.timeout);
  if (r) return r;
  r = wait_call(c, &x);
  if (time_at) write_time(time_at, x.left, micro);
  return r;
}
long mfr_call_select(struct mfr_call *c) { return select_call(c, (u64)c->a[4], 1); }
long mfr_call_pselect6(struct mfr_call *c) {
  if (c->a[5]) {
    u64 pair[2] = {0, 0};
    long bad = 0;
    if (MFR_TRY()) {
      memcpy(pair, (const void *)c->a[5], 16);
      MFR_TRY_END();
    } else bad = -MFR_EFAULT;
    if (!bad) bad = use_mask((const void *)pair[0], pair[1]);
    if (bad) return bad;
  }
  return select_call(c, (u64)c->a[4], 0);
}

// ---- epoll ------------------------------------------------------------------------------------------
// Data: kind 2, capacity; events from byte 64. What is not written keeps a mark, so that settlement sees
// how many events a dead leader was given: with EPOLLET they would not come again.
#define EVENT 12
#define MOST_EVENTS 64u
#define UNWRITTEN 0xffffffffu

struct epoll_ctx {
  u64 timeout, deadline;
  u32 max;
};
static u64 epoll_prepare(struct mfr_call *c, void *ctx, u64 *hash) {
  (void)c;
  struct epoll_ctx *x = ctx;
  *hash = x->timeout;
  return 64 + (u64)(x->max < MOST_EVENTS ? x->max : MOST_EVENTS) * EVENT;
}
static long epoll_produce(struct mfr_call *c, void *ctx, struct mfr_turn *t, u8 *data) {
  if (unlikely(mfr_self.signalfds)) mfr_signalfd_sync();
  struct epoll_ctx *x = ctx;
  int joiner = 0;
  u32 max = data && x->max > MOST_EVENTS ? MOST_EVENTS : x->max;
  if (x->timeout && x->timeout != FOREVER && !x->deadline) x->deadline = mfr_call_started() + x->timeout;
  if (data) {
    for (u32 i = 0; i < max; i++) {
      u32 mark = UNWRITTEN;
      __builtin_memcpy(data + 64 + i * EVENT, &mark, 4);
    }
    mfr_record_ready(data, 2, max);
  }
  long a[6] = {c->a[0], data ? (long)(data + 64) : c->a[1], max, 0, 0, 8};
  int look = x->timeout && worth_a_look(t, data);
  for (;;) {
    u64 timeout = x->timeout == FOREVER || !x->timeout ? x->timeout : left_of(x->deadline);
    if (look) timeout = 0;
    // epoll_wait counts in ms; up to the next whole one, so that it never comes back early.
    long ms = timeout == FOREVER ? -1 : (long)((timeout + 999999) / 1000000);
    a[3] = ms;
    long r = timeout == 0 ? SYS4(epoll_wait, a[0], a[1], a[2], 0)
                          : mfr_blocking_step(data ? t : NULL, __NR_epoll_wait, a, &joiner);
    if (joiner || (r == MFR_AGAIN && !data)) return MFR_AGAIN;
    if (r == MFR_AGAIN) continue;
    if (look && r == 0) {
      look = 0;
      continue;
    }
    return r;
  }
}
static u32 epoll_used(struct mfr_call *c, void *ctx, const u8 *data, long result) {
  (void)c, (void)ctx, (void)data;
  return 64 + (result > 0 ? (u32)result * EVENT : 0);
}
static void epoll_consume(struct mfr_call *c, void *ctx, const u8 *data, long result) {
  (void)ctx;
  if (result > 0) memcpy((void *)c->a[1], data + 64, (u64)result * EVENT);
}
static const struct mfr_shape epoll_shape = {epoll_prepare, epoll_produce, epoll_used, epoll_consume, NULL};

static long epoll_call(struct mfr_call *c, u64 timeout) {
  struct epoll_ctx x = {timeout, 0, (u32)c->a[2]};
  if ((i32)c->a[2] <= 0) return -MFR_EINVAL;
  return mfr_lane_call(c, &epoll_shape, &x);
}
static u64 from_ms(i32 ms) { return ms < 0 ? FOREVER : (u64)ms * 1000000; }
long mfr_call_epoll_wait(struct mfr_call *c) { return epoll_call(c, from_ms((i32)c->a[3])); }
long mfr_call_epoll_pwait(struct mfr_call *c) {
  long r = use_mask((const void *)c->a[4], (u64)c->a[5]);
  return r ? r : epoll_call(c, from_ms((i32)c->a[3]));
}
long mfr_call_epoll_pwait2(struct mfr_call *c) {
  struct mfr_timespec ts;
  u64 timeout;
  long r = read_time((u64)c->a[3], &ts, 0, &timeout);
  if (r == 0) r = use_mask((const void *)c->a[4], (u64)c->a[5]);
  return r ? r : epoll_call(c, timeout);
}

// ---- sleeping ------------------------------------------------------------------------------------------
struct sleep_ctx {
  i32 clock;
  u64 until;  // absolute, on `clock`; 0: not yet known
  u64 length; // relative
  u64 left;
};
static u64 sleep_prepare(struct mfr_call *c, void *ctx, u64 *hash) {
  (void)c;
  *hash = ((struct sleep_ctx *)ctx)->length;
  return 8;
}
static u64 clock_now(i32 clock) {
  struct mfr_timespec ts = {0, 0};
  SYS2(clock_gettime, clock, &ts);
  return time_of(&ts);
}
static long sleep_produce(struct mfr_call *c, void *ctx, struct mfr_turn *t, u8 *data) {
  (void)c;
  struct sleep_ctx *x = ctx;
  int joiner;
  if (!x->until) x->until = clock_now(x->clock) + x->length - (mfr_now() - mfr_call_started());
  struct mfr_timespec ts;
  set_time(&ts, x->until);
  long a[6] = {x->clock, 1 /* TIMER_ABSTIME */, (long)&ts, 0, 0, 0}, r;
  do r = mfr_blocking_step(data ? t : NULL, __NR_clock_nanosleep, a, &joiner);
  while (r == MFR_AGAIN && data && !joiner);
  if (r == MFR_AGAIN) return r;
  u64 now = clock_now(x->clock);
  x->left = now >= x->until ? 0 : x->until - now;
  if (data) __builtin_memcpy(data, &x->left, 8);
  return r;
}
static void sleep_consume(struct mfr_call *c, void *ctx, const u8 *data, long result) {
  (void)c, (void)result;
  __builtin_memcpy(&((struct sleep_ctx *)ctx)->left, data, 8);
}
static const struct mfr_shape sleep_shape = {sleep_prepare, sleep_produce, mfr_eight_used, sleep_consume, NULL};

static long sleep_call(struct mfr_call *c, i32 clock, int absolute, u64 at, u64 rem) {
  struct mfr_timespec ts = {0, 0};
  u64 ns;
  if (!at) return -MFR_EFAULT;
  long r = read_time(at, &ts, 0, &ns);
  if (r) return r;
  struct sleep_ctx x = {clock, absolute ? (ns ? ns : 1) : 0, ns, 0};
  if (!absolute && clock == 0) x.clock = 1; // a relative sleep does not follow changes of the clock
  if (ns == FOREVER) x.until = 4000000000ull * NS;
  r = mfr_lane_call(c, &sleep_shape, &x);
  if (r == -MFR_EINTR && rem && !absolute) write_time(rem, x.left, 0);
  return r;
}
long mfr_call_nanosleep(struct mfr_call *c) {
  return sleep_call(c, 1, 0, (u64)c->a[0], (u64)c->a[1]);
}
long mfr_call_clock_nanosleep(struct mfr_call *c) {
  i32 clock = (i32)c->a[0];
  if (clock != 0 && clock != 1 && clock != 7 && clock != 11 && clock != 8 && clock != 9)
    return mfr_shared(c); // processor time and others: the kernel says what it thinks of it
  return sleep_call(c, clock, (c->a[1] & 1) != 0, (u64)c->a[2], (u64)c->a[3]);
}
