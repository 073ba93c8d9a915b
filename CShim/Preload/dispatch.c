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
#define PEEK(n) (ARG_PEEK | (u32)(n) << 16)
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

// Delivers what came with a call, and then whatever is due after it, each found in a slot of its own, so that
// no signal waits for the guest's next call. Whether the call is restarted is said by the one delivered last:
// to the kernel it is the first (see mfr_take_signal).
static int take_signals(struct mfr_call *c) {
  struct mfr_call point;
  point.nr = __NR_restart_syscall;
  point.a[0] = 0;
  point.frame = c->frame;
  for (;;) {
    mfr_signal_taken(c->signo, (u32)c->info.pad);
    mfr_timer_taken(&c->info);
    c->info.pad = 0;
    int restart = mfr_deliver(c->signo, &c->info);
    if (unlikely(mfr_self.mode == MFR_CHILD && c->frame)) { // the handler has forked, and this is the child
      c->frame->sigmask = mfr_self.vmask & MFR_NOT_OURS;
      c->frame->stack = mfr_self.valt;
    }
    if (mfr_self.mode != MFR_ON_LANE) return 0;
    for (;;) {
      point.signo = 0;
      mfr_self.may_rerun = 1;
      mfr_on_own_stack(run, &point);
      if (likely(!mfr_self.rerun)) break;
      // The leader took one inside the handler: with it go the points that follow it, then ours is the next.
      mfr_self.rerun = 0;
      if (point.signo) take_signals(&point);
      if (mfr_self.mode != MFR_ON_LANE) return 0;
    }
    if (likely(!point.signo)) return restart;
    c->signo = point.signo;
    c->info = point.info;
  }
}

__attribute__((noinline)) static void end_suspend(void) {
  mfr_self.suspend_on = 0;
  mfr_self.vmask = mfr_self.suspend_mask;
}

void mfr_signal_point(struct mfr_frame *f) {
  struct mfr_call c;
  c.nr = __NR_restart_syscall;
  c.a[0] = 1;
  c.frame = f;
  c.signo = 0;
  mfr_self.may_rerun = 0;
  if (mfr_self.alt_is_guest | mfr_self.faults_lent) mfr_return_lent(f);
  mfr_on_own_stack(run, &c);
  if (c.signo) take_signals(&c);
}

// Only calls that come here and their frames touch the guest's stack; the work is done on the shim's.
// Signals are delivered here, once the call is over: nothing of the shim is on any stack then that a
// handler which never returns (siglongjmp) could leave behind.
long mfr_dispatch(struct mfr_call *c) {
  if (unlikely(mfr_self.mode != MFR_ON_LANE)) {
    long r = mfr_off_lane(c);
    if (likely(mfr_self.mode != MFR_ON_LANE)) return r; // else it has just become a set
  }
  if (unlikely(mfr_self.alt_is_guest | mfr_self.faults_lent)) mfr_return_lent(c->frame);
  if (unlikely(mfr_self.threads > 1)) mfr_threads_async();
  if (unlikely(c->nr >= mfr_row_count || !mfr_rows[c->nr].handler)) return -MFR_ENOSYS;
  const struct mfr_row *row = &mfr_rows[c->nr];
  if (unlikely(row->class == STRUCTURAL && !c->frame)) // these need the registers
    return mfr_trap(c->nr, c->a[0], c->a[1], c->a[2], c->a[3], c->a[4], c->a[5]);
  for (;;) {
    c->signo = 0;
    c->no_restart = 0;
    c->kicked = 0;
    mfr_self.may_rerun = 1;
    long r = mfr_on_own_stack(run, c);
    int again = 0;
    if (unlikely(mfr_self.rerun)) {
      mfr_self.rerun = 0;
      again = 1;
      if (mfr_self.suspend_on) end_suspend();
    }
    if (unlikely(c->signo)) {
      int restart = take_signals(c) && r == -MFR_EINTR && (row->flags & RESTARTS) && !c->no_restart;
      again = mfr_self.mode == MFR_ON_LANE && (again || restart);
    }
    if (unlikely(mfr_self.suspend_on)) end_suspend();
    if (unlikely(mfr_self.mode != MFR_ON_LANE)) return r; // it has left in this very call
    // The leader took a signal while it computed, after this very call.
    if (unlikely(mfr_load_relaxed64(&mfr_self.h->signal_point) == mfr_self.seq + 1) && mfr_self.mode == MFR_ON_LANE)
      mfr_signal_point(c->frame);
    if (unlikely(mfr_self.threads > 1) && mfr_self.mode == MFR_ON_LANE) mfr_thread_yield();
    if (likely(!again)) return r;
  }
}

long mfr_dispatch6(long nr, long a0, long a1, long a2, long a3, long a4, long a5) {
  struct mfr_call c;
  c.nr = (u32)nr;
  c.a[0] = a0, c.a[1] = a1, c.a[2] = a2, c.a[3] = a3, c.a[4] = a4, c.a[5] = a5;
  c.frame = NULL;
  return mfr_clean_registers(mfr_dispatch(&c));
}
