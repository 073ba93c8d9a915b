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

static inline long enter(u32 which, u32 nr, long a0, long a1, long a2, long a3, long a4, long a5) {
  if (mfr_self.mode != MFR_ON_LANE && next[which]) return next[which](a0, a1, a2, a3, a4, a5);
  long r = mfr_dispatch6(nr, a0, a1, a2, a3, a4, a5);
  if (r < 0 && r > -4096) {
    errno = (int)-r;
    return -1;
  }
  return r;
}

#define PARAMS_1 long a0
#define PARAMS_2 PARAMS_1, long a1
#define PARAMS_3 PARAMS_2, long a2
#define PARAMS_4 PARAMS_3, long a3
#define PARAMS_5 PARAMS_4, long a4
#define PARAMS_6 PARAMS_5, long a5
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
