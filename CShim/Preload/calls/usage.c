// calls/usage.c - processor time and other things used. The leader's are told; who leads next has used other
// amounts, and goes on from what was told (struct mfr_usage). Children were the anchor's, which adds up for them.
#include "../shim.h"

#define RUSAGE_WORDS 18u // struct rusage
enum { WORD_MAXRSS = 4 };
// Indices of mfr_header.usage: words of struct rusage as they are, its two times in words 0 and 2; then:
enum { USAGE_TIMES = 20, USAGE_CLOCKS = MFR_USAGE_CLOCKS };

// Leader, or alone.
u64 mfr_usage_told(u32 index, u64 own) {
  struct mfr_usage *u = &mfr_self.h->usage[index % MFR_USAGES];
  if (u->pid != mfr_self.rpid) {
    u->base = u->last > own ? u->last - own : 0;
    u->pid = mfr_self.rpid;
  }
  u64 told = own + u->base;
  if (told > u->last) u->last = told;
  return u->last;
}

u64 mfr_usage_clock(u32 clock, u64 own) { return mfr_usage_told(USAGE_CLOCKS + (clock & 1), own); }

struct usage_ctx {
  u64 word[RUSAGE_WORDS];
  u32 bytes;
};
static u64 usage_prepare(struct mfr_call *c, void *ctx, u64 *hash) {
  (void)c, (void)hash;
  return ((struct usage_ctx *)ctx)->bytes;
}
static u32 usage_used(struct mfr_call *c, void *ctx, const u8 *data, long result) {
  (void)c, (void)data, (void)result;
  return ((struct usage_ctx *)ctx)->bytes;
}
static void usage_consume(struct mfr_call *c, void *ctx, const u8 *data, long result) {
  (void)c, (void)result;
  struct usage_ctx *x = ctx;
  memcpy(x->word, data, x->bytes);
}
static long give(struct mfr_call *c, struct usage_ctx *x, u32 at, long r) {
  if (r < 0 || !c->a[at]) return r;
  if (MFR_TRY()) {
    memcpy((void *)c->a[at], x->word, x->bytes);
    MFR_TRY_END();
  } else r = -MFR_EFAULT;
  return r;
}

// ---- getrusage ----------------------------------------------------------------------------------------------
static long rusage_produce(struct mfr_call *c, void *ctx, struct mfr_turn *t, u8 *data) {
  (void)t;
  struct usage_ctx *x = ctx;
  u64 *w = x->word;
  long r = SYS2(getrusage, c->a[0], w);
  if (r == 0 && (i32)c->a[0] == -1) { // RUSAGE_CHILDREN
    memcpy(w, mfr_self.h->child_usage, sizeof x->word);
  } else if (r == 0) {
    for (u32 i = 0; i < 4; i += 2) {
      u64 micro = mfr_usage_told(i, w[i] * 1000000 + w[i + 1]);
      w[i] = micro / 1000000;
      w[i + 1] = micro % 1000000;
    }
    struct mfr_usage *most = &mfr_self.h->usage[WORD_MAXRSS];
    if (w[WORD_MAXRSS] > most->last) most->last = w[WORD_MAXRSS];
    w[WORD_MAXRSS] = most->last;
    for (u32 i = WORD_MAXRSS + 1; i < RUSAGE_WORDS; i++) w[i] = mfr_usage_told(i, w[i]);
  }
  if (data) memcpy(data, w, x->bytes);
  return r;
}
static const struct mfr_shape rusage_shape = {usage_prepare, rusage_produce, usage_used, usage_consume, NULL};

long mfr_call_getrusage(struct mfr_call *c) {
  struct usage_ctx x;
  memset(&x, 0, sizeof x);
  x.bytes = sizeof x.word;
  long r = mfr_lane_call(c, &rusage_shape, &x);
  return r == 0 && !c->a[1] ? -MFR_EFAULT : give(c, &x, 1, r);
}

// What the guest goes on from in a new buffer.
void mfr_usage_hand_over(struct mfr_header *h) {
  u64 w[RUSAGE_WORDS], ticks[4];
  if (SYS2(getrusage, 0, w) == 0) {
    h->usage[0].last = w[0] * 1000000 + w[1];
    h->usage[2].last = w[2] * 1000000 + w[3];
    for (u32 i = WORD_MAXRSS; i < RUSAGE_WORDS; i++) h->usage[i].last = w[i];
  }
  if (SYS2(getrusage, -1, w) == 0) memcpy(h->child_usage, w, sizeof h->child_usage);
  if (SYS1(times, ticks) > 0) h->usage[USAGE_TIMES].last = ticks[0], h->usage[USAGE_TIMES + 1].last = ticks[1];
  for (u32 i = 0; i < 2; i++) {
    struct mfr_timespec t;
    if (SYS2(clock_gettime, 2 + i, &t) == 0)
      h->usage[USAGE_CLOCKS + ((2 + i) & 1)].last = (u64)t.sec * 1000000000ull + (u64)t.nsec;
  }
}

// ---- times -----------------------------------------------------------------------------------------------------
#define TICK_US 10000 // USER_HZ is 100
static long times_produce(struct mfr_call *c, void *ctx, struct mfr_turn *t, u8 *data) {
  (void)c, (void)t;
  struct usage_ctx *x = ctx;
  const u64 *children = mfr_self.h->child_usage;
  long r = SYS1(times, x->word);
  for (u32 i = 0; i < 2; i++) {
    x->word[i] = mfr_usage_told(USAGE_TIMES + i, x->word[i]);
    x->word[2 + i] = (children[2 * i] * 1000000 + children[2 * i + 1]) / TICK_US;
  }
  if (data) memcpy(data, x->word, x->bytes);
  return r;
}
static const struct mfr_shape times_shape = {usage_prepare, times_produce, usage_used, usage_consume, NULL};

long mfr_call_times(struct mfr_call *c) {
  struct usage_ctx x;
  memset(&x, 0, sizeof x);
  x.bytes = 32;
  return give(c, &x, 0, mfr_lane_call(c, &times_shape, &x));
}
