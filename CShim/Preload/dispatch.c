// dispatch.c - the table, and the one place that every call of the guest passes.
#include "shim.h"

// Words of mfr_calls.def.
#define _ ARG_NONE
#define INT ARG_INT
#define LONG ARG_LONG
#define FD ARG_FD
#define SKIP ARG_SKIP
#define PID ARG_PID
#define STR ARG_STR
#define PATH ARG_PATH
#define IN(n) (ARG_IN | (u32)(n) << 16)
#define IN_ARG(i) (ARG_IN_ARG | (i) << 8)
#define IN_N(n, i) (ARG_IN_N | (i) << 8 | (u32)(n) << 16)
#define OUT(n) (ARG_OUT | (u32)(n) << 16)
#define OUT_RET(i) (ARG_OUT_RET | (i) << 8)
#define OUT_ARG(i) (ARG_OUT_ARG | (i) << 8)
#define OUT_RETN(n, i) (ARG_OUT_RETN | (i) << 8 | (u32)(n) << 16)
#define INOUT(n) (ARG_INOUT | (u32)(n) << 16)
#define INOUT_N(n, i) (ARG_INOUT_N | (i) << 8 | (u32)(n) << 16)
#define OUT_LEN(i) (ARG_OUT_LEN | (i) << 8)
#define LENP ARG_LENP
#define IOV_IN(i) (ARG_IOV_IN | (i) << 8)
#define IOV_OUT(i) (ARG_IOV_OUT | (i) << 8)
// GONE(i) and MADE(i) carry the index of their path above the kind.
#define GONE(i) (GONE_KIND | (i) << 8)
#define MADE(i) (MADE_KIND | (i) << 8)

#define CLASS_HANDLER_LOCAL mfr_local
#define CLASS_HANDLER_SHARED mfr_shared
#define CLASS_HANDLER_REFUSED mfr_refused
#define CLASS_HANDLER_IDENTITY mfr_local
#define CLASS_HANDLER_STRUCTURAL mfr_local
#define HANDLER_GENERIC(class, name) CLASS_HANDLER_##class
#define HANDLER_IN_FILE(class, name) mfr_call_##name
#define GENERIC HANDLER_GENERIC
#define IN_FILE(file) HANDLER_IN_FILE

// First pass: declare the functions of IN_FILE rows (harmless for the others).
#define MFR_CALL(nr, name, class, commit, flags, arity, a0, a1, a2, a3, a4, a5, where) \
  mfr_handler mfr_call_##name;
#include "mfr_calls.def"
#undef MFR_CALL

#define MFR_CALL(nr, name, class, commit, flags, arity, a0, a1, a2, a3, a4, a5, where) \
  [nr] = {#name, where(class, name), class, (commit) & 0xff, (commit) >> 8, flags, arity, \
          {a0, a1, a2, a3, a4, a5}},
const struct mfr_row mfr_rows[] = {
#include "mfr_calls.def"
};
#undef MFR_CALL
const u32 mfr_row_count = sizeof mfr_rows / sizeof *mfr_rows;

static long run(struct mfr_call *c) { return mfr_rows[c->nr].handler(c); }

// Only calls that come here and their frames touch the guest's stack; the work is done on the shim's.
// Signals are delivered here, once the call is over: nothing of the shim is on any stack then that a
// handler which never returns (siglongjmp) could leave behind.
long mfr_dispatch(struct mfr_call *c) {
  if (unlikely(mfr_self.mode != MFR_ON_LANE)) return mfr_off_lane(c);
  if (unlikely(mfr_self.alt_is_guest | mfr_self.faults_lent)) mfr_return_lent();
  if (unlikely(c->nr >= mfr_row_count || !mfr_rows[c->nr].handler)) return -MFR_ENOSYS;
  const struct mfr_row *row = &mfr_rows[c->nr];
  if (unlikely(row->class == STRUCTURAL && !c->frame)) // these need the registers
    return mfr_trap(c->nr, c->a[0], c->a[1], c->a[2], c->a[3], c->a[4], c->a[5]);
  for (;;) {
    c->signo = 0;
    long r = mfr_on_own_stack(run, c);
    int restart = 0;
    if (unlikely(c->signo)) {
      mfr_signal_taken(c->signo, (u32)c->info.pad);
      c->info.pad = 0;
      restart = mfr_deliver(c->signo, &c->info) && r == -MFR_EINTR && (row->flags & RESTARTS);
      if (mfr_self.mode != MFR_ON_LANE) restart = 0;
    }
    if (unlikely(mfr_self.suspend_on)) {
      mfr_self.suspend_on = 0;
      mfr_self.vmask = mfr_self.suspend_mask;
    }
    if (likely(!restart)) return r;
  }
}

long mfr_dispatch6(long nr, long a0, long a1, long a2, long a3, long a4, long a5) {
  struct mfr_call c;
  c.nr = (u32)nr;
  c.a[0] = a0, c.a[1] = a1, c.a[2] = a2, c.a[3] = a3, c.a[4] = a4, c.a[5] = a5;
  c.frame = NULL;
  return mfr_dispatch(&c);
}
