// calls/time.c - reading a clock: the most frequent call of many servers, and 16 bytes of answer. The slot
// itself holds them, so that a time call costs one cache line, no data and no system call.
#include "../shim.h"

// Clocks that the vDSO reads without a system call. For any other its code would trap.
#define VDSO_CLOCKS (1u << 0 | 1u << 1 | 1u << 4 | 1u << 5 | 1u << 6 | 1u << 7 | 1u << 11)

// CLOCK_PROCESS_CPUTIME_ID or CLOCK_THREAD_CPUTIME_ID if that is what the guest means, 0 else. Pids and thread ids are
// encoded in such clocks (linux/posix-timers_types.h): ~id above three bits, of which 4 says that it is a thread.
u32 mfr_own_cpu_clock(u32 clock) {
  if (clock == 2 || clock == 3) return clock;
  i32 id = ~((i32)clock >> 3);
  if ((i32)clock >= 0 || (clock & 3) == 3 || !(id == 0 || mfr_is_own_id(id))) return 0;
  return clock & 4 ? 3 : 2;
}

static long read_clock(u32 clock, struct mfr_timespec *ts) {
  if (unlikely((i32)clock < 0)) {
    u32 own = mfr_own_cpu_clock(clock);
    if (own) clock = own;
  }
  if (clock < 32 && (VDSO_CLOCKS >> clock & 1)) return mfr_clock_original(clock, ts);
  long r = SYS2(clock_gettime, clock, ts);
  if (r == 0 && (clock == 2 || clock == 3)) { // processor time
    u64 ns = mfr_usage_clock(clock, (u64)ts->sec * 1000000000ull + (u64)ts->nsec);
    ts->sec = (i64)(ns / 1000000000ull);
    ts->nsec = (i64)(ns % 1000000000ull);
  }
  return r;
}

long mfr_call_clock_getres(struct mfr_call *c) {
  u32 own = mfr_own_cpu_clock((u32)c->a[0]);
  if (own) c->a[0] = (long)own;
  return mfr_shared(c);
}

static long give(struct mfr_call *c, const struct mfr_timespec *ts, long result) {
  if (result != 0) return result;
  struct mfr_timespec *to = (struct mfr_timespec *)c->a[1];
  int whole = 0;
  if (MFR_TRY()) {
    *to = *ts;
    MFR_TRY_END();
    whole = 1;
  }
  return whole ? 0 : -MFR_EFAULT;
}

long mfr_call_clock_gettime(struct mfr_call *c) {
  u32 clock = (u32)c->a[0];
  struct mfr_timespec ts = {0, 0};
  struct mfr_turn t;
  if (unlikely(mfr_self.threads > 1)) mfr_threads_look();
  t.identity = mfr_mix(__NR_clock_gettime | (u64)mfr_self.thread->number << 32, clock);
  t.out_hash = 0;
  switch (mfr_lane_enter(&t, __NR_clock_gettime, sizeof(struct mfr_siginfo) + 8)) {
  case MFR_ROLE_SOLO: {
    long r = read_clock(clock, &ts);
    mfr_lane_solo_done();
    mfr_solo_signal(c);
    return give(c, &ts, r);
  }
  case MFR_ROLE_LEAD: {
    // Nothing happens outside: a leader that dies here is replaced by one that reads the clock again.
    long r = read_clock(clock, &ts);
    __builtin_memcpy(t.slot->inline_data, &ts, sizeof ts);
    u32 len = 0, flags = 0;
    c->signo = mfr_attach_signal(&t, c, &len, &flags);
    mfr_lane_publish(&t, __NR_clock_gettime, r, len, flags, c->signo, 0, 0);
    mfr_lane_consumed();
    return give(c, &ts, r);
  }
  default: {
    if (unlikely(mfr_pass_point(&t, c))) return -MFR_EINTR; // made anew
    if (unlikely(mfr_self.threads > 1) && mfr_is_event(&t)) {
      mfr_pass_event(&t);
      return mfr_call_clock_gettime(c);
    }
    if (unlikely(mfr_lane_check(&t, __NR_clock_gettime))) return mfr_call_clock_gettime(c);
    long r = t.slot->result;
    __builtin_memcpy(&ts, t.slot->inline_data, sizeof ts);
    mfr_slot_signal(&t, c);
    mfr_lane_pass(&t);
    return give(c, &ts, r);
  }
  }
}
