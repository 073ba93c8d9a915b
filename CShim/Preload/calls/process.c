// calls/process.c - who the guest is, and its end.
#include "../shim.h"

// ---- identity ---------------------------------------------------------------------------------------------
static int is_me(long pid) { return (i32)pid == 0 || (i32)pid == mfr_self.vpid; }

long mfr_call_getpid(struct mfr_call *c) {
  (void)c;
  return mfr_self.vpid;
}
long mfr_call_getppid(struct mfr_call *c) { return mfr_ask_anchor(c); } // nobody tells of the parent's death
long mfr_call_getpgrp(struct mfr_call *c) { return mfr_ask_anchor(c); }
long mfr_call_getpgid(struct mfr_call *c) {
  return is_me(c->a[0]) ? mfr_ask_anchor(c) : mfr_shared(c);
}
long mfr_call_getsid(struct mfr_call *c) { return is_me(c->a[0]) ? mfr_ask_anchor(c) : mfr_shared(c); }
long mfr_call_setpgid(struct mfr_call *c) {
  long r = mfr_ask_anchor(c); // the guest's children are the anchor's
  if (r == 0 && is_me(c->a[0])) SYS2(setpgid, 0, is_me(c->a[1]) ? mfr_self.vpid : c->a[1]); // where the anchor is now
  return r;
}
long mfr_call_setsid(struct mfr_call *c) {
  long r = mfr_ask_anchor(c);
  if (r > 0) SYS0(setsid); // away from the terminal; what the guest is told is the anchor's session
  return r;
}

// The pid is in memory here, where libcap and libcap-ng put the caller's.
static long capabilities(struct mfr_call *c) {
  u32 head[2] = {0, 0};
  int ok = 0;
  if (MFR_TRY()) {
    memcpy(head, (const void *)c->a[0], sizeof head);
    MFR_TRY_END();
    ok = 1;
  }
  if (!ok || !mfr_is_own_id((i32)head[1])) return mfr_local(c);
  struct mfr_call q = *c;
  u32 version = head[0];
  head[1] = 0;
  q.a[0] = (long)head;
  long r = mfr_local(&q);
  if (head[0] != version && MFR_TRY()) { // one that the kernel does not know: it says which it knows
    memcpy((void *)c->a[0], head, sizeof *head);
    MFR_TRY_END();
  }
  return r;
}
long mfr_call_capget(struct mfr_call *c) { return capabilities(c); }
long mfr_call_capset(struct mfr_call *c) { return capabilities(c); }

// The anchor sets or tells it. Registers of arguments that a command does not have hold garbage.
static long prctl_ask(struct mfr_call *c, int tells) {
  u8 out[16];
  struct mfr_rpc_ctx x = {0, tells ? out : NULL, tells ? sizeof out : 0};
  struct mfr_row row = mfr_rows[__NR_prctl];
  row.arity = 2;
  long r = mfr_lane_call_as(c, &row, &mfr_rpc_shape, &x);
  if (!tells || r != 0) return r;
  if (MFR_TRY()) {
    memcpy((void *)c->a[1], out, 4);
    MFR_TRY_END();
  } else r = -MFR_EFAULT;
  return r;
}
// What `ps` shows of the guest has changed by this call: before it is over, the anchor has looked (any question makes it).
void mfr_renamed(struct mfr_call *c) {
  struct mfr_call q = {.nr = __NR_getppid, .frame = c->frame};
  mfr_store_release32(&mfr_self.h->renamed, 1);
  mfr_self.hold_signals = c->signo != 0; // one signal goes out with a call
  mfr_ask_anchor(&q);
  mfr_self.hold_signals = 0;
  if (q.signo) c->signo = q.signo, c->info = q.info;
}
static long set_own_name(struct mfr_call *c) {
  long r = mfr_local(c);
  if (r == 0) mfr_renamed(c);
  return r;
}
// A thread's name; that of the first is the replica's, too, and the anchor's.
static long set_name(struct mfr_call *c) {
  struct mfr_thread *t = mfr_self.thread;
  char name[16] = {0};
  int ok = 0;
  if (!mfr_self.threaded) return set_own_name(c);
  if (MFR_TRY()) {
    for (u32 i = 0; i < 15 && (name[i] = ((const char *)c->a[1])[i]); i++) {}
    MFR_TRY_END();
    ok = 1;
  }
  if (!ok) return -MFR_EFAULT;
  memcpy(t->name, name, sizeof name);
  return t->number ? 0 : set_own_name(c);
}
static long get_name(struct mfr_call *c) {
  if (!mfr_self.threaded) return mfr_local(c);
  int ok = 0;
  if (MFR_TRY()) {
    memcpy((void *)c->a[1], mfr_self.thread->name, 16);
    MFR_TRY_END();
    ok = 1;
  }
  return ok ? 0 : -MFR_EFAULT;
}

long mfr_call_prctl(struct mfr_call *c) {
  switch ((u32)c->a[0]) {
  case 1:  // PR_SET_PDEATHSIG: the real one is ours
  case 36: // PR_SET_CHILD_SUBREAPER: orphans come to the anchor
    return prctl_ask(c, 0);
  case 2:  // PR_GET_PDEATHSIG
  case 37: // PR_GET_CHILD_SUBREAPER
    return prctl_ask(c, 1);
  case 15: // PR_SET_NAME
    return set_name(c);
  case 16: // PR_GET_NAME
    return get_name(c);
  case 59: // PR_SET_SYSCALL_USER_DISPATCH: it is ours
    return -MFR_EINVAL;
  case 22: // PR_SET_SECCOMP
    mfr_go_native("installs a system call filter (seccomp)", c->frame);
    return mfr_gate(c->nr, c->a[0], c->a[1], c->a[2], c->a[3], c->a[4], 0);
  default:
    return mfr_local(c);
  }
}
long mfr_call_prlimit64(struct mfr_call *c) {
  if (!is_me(c->a[0])) return mfr_shared(c);
  return mfr_gate(c->nr, 0, c->a[1], c->a[2], c->a[3], 0, 0); // each replica has the guest's limits
}

// ---- the end -------------------------------------------------------------------------------------------------------
// A leader whose memory is wrong may end where the others go on. So the end is told when one of them has come as far: where
// they do not agree, the majority finds that out first. Who is late is waited for as long as a leader without room does.
void mfr_await_agreement(void) {
  const struct mfr_timespec pause = {0, 200000};
  for (u32 n = 0; n < 10000; n++) {
    u32 others = mfr_load_acquire32(&mfr_self.h->live) & ~(1u << mfr_self.index), awaited = 0;
    for (u32 i = 0; i < MFR_MAX_REPLICAS; i++) {
      const struct mfr_replica *r = mfr_replica_at(mfr_self.base, i);
      u32 state = mfr_load_acquire32(&r->state);
      if (!(others >> i & 1) || (state != MFR_REPLICA_RUNNING && state != MFR_REPLICA_DIVERGED)) continue;
      if (mfr_load_acquire64(&r->seq) >= mfr_self.seq) return;
      awaited = 1;
    }
    if (!awaited || mfr_load_acquire32(&mfr_self.h->exit_kind) != MFR_EXIT_NONE) return;
    mfr_before_block(NULL);
    SYS2(nanosleep, &pause, NULL);
  }
}
void mfr_tell_end(u32 kind, i32 value) {
  struct mfr_header *h = mfr_self.h;
  if (mfr_load_acquire32(&h->exit_kind) != MFR_EXIT_NONE) return;
  h->exit_value = value;
  h->exit_seq = mfr_self.seq;
  mfr_store_release32(&h->exit_kind, kind);
}
static long exit_produce(struct mfr_call *c, void *ctx, struct mfr_turn *t, u8 *data) {
  (void)c, (void)ctx, (void)t, (void)data;
  return 0;
}
static const struct mfr_shape exit_shape = {mfr_no_prepare, exit_produce, mfr_no_used, mfr_no_consume, NULL};
long mfr_call_exit_group(struct mfr_call *c) {
  mfr_lane_call(c, &exit_shape, NULL);
  mfr_await_agreement();
  mfr_tell_end(MFR_EXIT_STATUS, (i32)c->a[0]);
  for (;;) SYS1(exit_group, c->a[0]);
}
