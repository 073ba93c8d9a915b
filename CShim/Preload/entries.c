// entries.c - the fast way in: libc entry points made from entries.def. They touch errno, which is
// libc's; this file and init.c are the only ones that may call libc.
#include <dlfcn.h>
#include <errno.h>

#include "shim.h"

// The next definition of the same symbol (libc's own): what a guest with threads gets, because
// libc's are cancellation points.
#define MFR_ENTRY(symbol, call, n) ENTRY_##symbol,
enum {
#include "entries.def"
  ENTRY_COUNT
};
#undef MFR_ENTRY
typedef long entry_function(long, long, long, long, long, long);
static entry_function *next[ENTRY_COUNT];

void mfr_entries_init(void) {
#define MFR_ENTRY(symbol, call, n) next[ENTRY_##symbol] = (entry_function *)dlsym(RTLD_NEXT, #symbol);
#include "entries.def"
#undef MFR_ENTRY
}

// Off the lane, too, these tell of the outside or of what the anchor keeps.
static inline int stays(u32 nr) {
  if (mfr_self.mode != MFR_NATIVE) return 0;
  switch (nr) {
  case __NR_getpid: case __NR_getppid: case __NR_gettid:
  case __NR_kill: case __NR_tgkill: case __NR_rt_sigqueueinfo:
  case __NR_timer_settime: case __NR_timer_gettime: case __NR_timer_getoverrun: case __NR_timer_delete:
    return 1;
  case __NR_wait4: case __NR_waitid:
    return mfr_waits_for_anchor(); // else libc's, which is a cancellation point
  default:
    return 0;
  }
}

static inline long enter(u32 which, u32 nr, long a0, long a1, long a2, long a3, long a4, long a5) {
  // With threads, too: libc's are cancellation points.
  int straight = mfr_self.mode != MFR_CHILD && (mfr_self.mode != MFR_ON_LANE || mfr_self.threaded);
  if (straight && next[which] && !stays(nr)) return next[which](a0, a1, a2, a3, a4, a5);
  // Two that are more than their call.
  struct mfr_siginfo info;
  if (which == ENTRY_wait) a1 = a0, a0 = -1;
  if (which == ENTRY_sigqueue) {
    memset(&info, 0, sizeof info);
    info.signo = (i32)a1;
    info.code = -1; // SI_QUEUE
    info.u.rt.pid = (i32)mfr_dispatch6(__NR_getpid, 0, 0, 0, 0, 0, 0);
    info.u.rt.uid = (u32)mfr_dispatch6(__NR_getuid, 0, 0, 0, 0, 0, 0);
    info.u.rt.value = (u64)a2;
    a2 = (long)&info;
  }
  long r = mfr_dispatch6(nr, a0, a1, a2, a3, a4, a5);
  if (r < 0 && r > -4096) {
    errno = (int)-r;
    return -1;
  }
  return r;
}

#define PARAMS_0 void
#define PARAMS_1 long a0
#define PARAMS_2 PARAMS_1, long a1
#define PARAMS_3 PARAMS_2, long a2
#define PARAMS_4 PARAMS_3, long a3
#define PARAMS_5 PARAMS_4, long a4
#define PARAMS_6 PARAMS_5, long a5
#define PASS_0 0, 0, 0, 0, 0, 0
#define PASS_1 a0, 0, 0, 0, 0, 0
#define PASS_2 a0, a1, 0, 0, 0, 0
#define PASS_3 a0, a1, a2, 0, 0, 0
#define PASS_4 a0, a1, a2, a3, 0, 0
#define PASS_5 a0, a1, a2, a3, a4, 0
#define PASS_6 a0, a1, a2, a3, a4, a5
// The C name differs from the symbol: <errno.h> and builtins may have declared that one.
#define MFR_ENTRY(symbol, call, n) \
  long mfr_entry_##symbol(PARAMS_##n) __asm__(#symbol) __attribute__((visibility("default"))); \
  long mfr_entry_##symbol(PARAMS_##n) { return enter(ENTRY_##symbol, __NR_##call, PASS_##n); }
#include "entries.def"
