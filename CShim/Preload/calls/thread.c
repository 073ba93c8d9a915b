// calls/thread.c - what a thread is told of itself, and how it ends. The threads themselves: threads.c.
#include "../shim.h"

static struct mfr_thread *me(void) { return mfr_self.thread; }

long mfr_call_gettid(struct mfr_call *c) {
  (void)c;
  return me()->tid;
}
long mfr_call_set_tid_address(struct mfr_call *c) {
  me()->clear_tid = (u64)c->a[0];
  if (!mfr_self.threaded) mfr_gate(c->nr, c->a[0], 0, 0, 0, 0, 0);
  return me()->tid;
}

// The kernel's is ours (mfr_mark_alive), unless it has none of us any more.
long mfr_call_set_robust_list(struct mfr_call *c) {
  if ((u64)c->a[1] != 24) return -MFR_EINVAL;
  me()->robust = (u64)c->a[0];
  if (mfr_load_relaxed32(&mfr_self.h->no_grow) && !mfr_load_relaxed32(&mfr_self.me->alive) && me()->number == 0)
    mfr_local(c);
  return 0;
}
long mfr_call_get_robust_list(struct mfr_call *c) {
  i32 tid = (i32)c->a[0];
  struct mfr_thread *t = tid == 0 ? me() : mfr_thread_of(tid);
  if (!t) return mfr_local(c);
  long r = 0;
  if (MFR_TRY()) {
    *(u64 *)c->a[1] = t->robust;
    *(u64 *)c->a[2] = 24;
    MFR_TRY_END();
  } else r = -MFR_EFAULT;
  return r;
}

// Which processor a thread runs on is not the same in all replicas: without a registration glibc asks.
long mfr_call_rseq(struct mfr_call *c) {
  (void)c;
  return -MFR_ENOSYS;
}

long mfr_call_exit(struct mfr_call *c) {
  if (mfr_self.threads < 2) return mfr_rows[__NR_exit_group].handler(c);
  mfr_thread_exit();
}

long mfr_call_sched_yield(struct mfr_call *c) {
  if (mfr_self.threads < 2) return mfr_local(c);
  mfr_thread_yields();
  return 0;
}
