// calls/signals.c - signal calls. Dispositions and masks are virtual: kept by each replica, alike in
// all, and changed in step.
#include "../shim.h"

// ---- a call with no data: only its place in the lane matters -------------------------------------------
static long zero_produce(struct mfr_call *c, void *ctx, struct mfr_turn *t, u8 *data) {
  (void)c, (void)ctx, (void)t, (void)data;
  return 0;
}
static const struct mfr_shape mark = {mfr_no_prepare, zero_produce, mfr_no_used, mfr_no_consume, NULL};

// The anchor stops the guest by itself, unless it blocks the signal.
#define STOP_SIGNALS (SIG_BIT(MFR_SIGTSTP) | SIG_BIT(MFR_SIGTTIN) | SIG_BIT(MFR_SIGTTOU))
static long mask_produce(struct mfr_call *c, void *ctx, struct mfr_turn *t, u8 *data) {
  (void)c, (void)ctx, (void)t, (void)data;
  mfr_store_release64(&mfr_self.h->sig_blocked, mfr_self.vmask);
  return 0;
}
static const struct mfr_shape mask_shape = {mfr_no_prepare, mask_produce, mfr_no_used, mfr_no_consume, NULL};

// A slot that only takes a signal (see dispatch.c). An argument of 1: the leader was not at a call; the others
// may be anywhere between the same two. The anchor, too, kicks those that still stand there.
long mfr_call_restart_syscall(struct mfr_call *c) {
  u64 seq = mfr_self.seq;
  mfr_lane_call(c, &mark, NULL);
  if (c->a[0] == 1 && c->signo && mfr_self.seq == seq + 1 &&
      (mfr_load_acquire64(&mfr_self.h->grant) & 0xff) == mfr_self.index) {
    for (u32 live = mfr_load_acquire32(&mfr_self.h->live) & ~(1u << mfr_self.index); live; live &= live - 1) {
      struct mfr_replica *r = mfr_replica_at(mfr_self.base, (u32)__builtin_ctz(live));
      i32 pid = r->pid;
      if (pid > 0 && mfr_kick_due(r, mfr_now())) SYS3(tgkill, pid, pid, MFR_KICK_SIGNAL);
    }
  }
  return -MFR_EINTR; // what the kernel answers to a call that was never interrupted
}

// ---- rt_sigaction ----------------------------------------------------------------------------------------
struct action_ctx {
  struct mfr_sigaction new;
};
static u64 action_prepare(struct mfr_call *c, void *ctx, u64 *hash) {
  (void)c;
  *hash = mfr_hash(ctx, sizeof(struct action_ctx), 0);
  return 0;
}
static long action_produce(struct mfr_call *c, void *ctx, struct mfr_turn *t, u8 *data) {
  (void)data;
  const struct action_ctx *x = ctx;
  struct mfr_header *h = mfr_self.h;
  u64 bit = SIG_BIT((u32)c->a[0]), handler = x->new.handler;
  if ((u32)c->a[0] == MFR_SIGCHLD) {
    // Whether children vanish is decided when they end: those that have ended so far, by the old rule.
    int was = (h->sig_ignored & bit) || (h->sig_child_flags & MFR_SA_NOCLDWAIT);
    int now = handler == 1 || (x->new.flags & MFR_SA_NOCLDWAIT);
    static const long none[6];
    int joiner;
    if (was != now) mfr_rpc(t, __NR_rt_sigaction, none, NULL, 0, 0, &joiner);
    h->sig_child_flags = (u32)x->new.flags & (MFR_SA_NOCLDSTOP | MFR_SA_NOCLDWAIT);
  }
  h->sig_ignored = handler == 1 ? h->sig_ignored | bit : h->sig_ignored & ~bit;
  h->sig_caught = handler > 1 ? h->sig_caught | bit : h->sig_caught & ~bit;
  // What is ignored from now on is forgotten, even when it is blocked.
  if (handler == 1 || (handler == 0 && mfr_is_default_ignored((u32)c->a[0]))) mfr_signal_discard((u32)c->a[0]);
  return 0;
}
static const struct mfr_shape action_shape = {action_prepare, action_produce, mfr_no_used, mfr_no_consume, NULL};

long mfr_call_rt_sigaction(struct mfr_call *c) {
  u32 signo = (u32)c->a[0];
  struct action_ctx x;
  const struct mfr_sigaction *act = (const void *)c->a[1];
  struct mfr_sigaction *old = (void *)c->a[2];
  if ((u64)c->a[3] != 8 || signo < 1 || signo >= MFR_NSIG) return -MFR_EINVAL;
  if (act && (signo == MFR_SIGKILL || signo == MFR_SIGSTOP)) return -MFR_EINVAL;
  struct mfr_sigaction was = mfr_self.action[signo];
  if (act) {
    if (MFR_TRY()) {
      x.new = *act;
      MFR_TRY_END();
    } else return -MFR_EFAULT;
    x.new.mask &= ~MFR_UNMASKABLE;
    mfr_self.action[signo] = x.new;
    mfr_action_changed(signo);
    mfr_lane_call(c, &action_shape, &x);
    if (mfr_self.rerun) {
      mfr_self.action[signo] = was;
      mfr_action_changed(signo);
      return -MFR_EINTR;
    }
  }
  if (old) {
    if (MFR_TRY()) {
      *old = was;
      MFR_TRY_END();
    } else return -MFR_EFAULT;
  }
  return 0;
}

long mfr_call_rt_sigprocmask(struct mfr_call *c) {
  const u64 *set = (const u64 *)c->a[1];
  u64 *old = (u64 *)c->a[2], was = mfr_self.vmask, now = was, v = 0;
  if ((u64)c->a[3] != 8) return -MFR_EINVAL;
  if (set) {
    if (MFR_TRY()) {
      v = *set;
      MFR_TRY_END();
    } else return -MFR_EFAULT;
    switch ((u32)c->a[0]) {
    case 0: now = was | v; break;
    case 1: now = was & ~v; break;
    case 2: now = v; break;
    default: return -MFR_EINVAL;
    }
    mfr_self.vmask = now & ~MFR_UNMASKABLE;
  }
  if (old) {
    if (MFR_TRY()) {
      *old = was;
      MFR_TRY_END();
    } else return -MFR_EFAULT;
  }
  // Whoever unblocks something may get a signal now: that must happen at one place in the lane.
  int stops = ((was ^ mfr_self.vmask) & STOP_SIGNALS) != 0;
  if ((was & ~mfr_self.vmask) || stops) mfr_lane_call(c, stops ? &mask_shape : &mark, NULL);
  if (mfr_self.rerun) mfr_self.vmask = was;
  return 0;
}

// ---- rt_sigpending -------------------------------------------------------------------------------------
struct pending_ctx {
  u64 set;
};
static long pending_produce(struct mfr_call *c, void *ctx, struct mfr_turn *t, u8 *data) {
  (void)c, (void)t;
  struct pending_ctx *x = ctx;
  x->set = mfr_pending(mfr_self.vmask);
  if (data) __builtin_memcpy(data, &x->set, 8);
  return 0;
}
static void pending_consume(struct mfr_call *c, void *ctx, const u8 *data, long result) {
  (void)c, (void)result;
  __builtin_memcpy(&((struct pending_ctx *)ctx)->set, data, 8);
}
static const struct mfr_shape pending_shape = {mfr_eight_prepare, pending_produce, mfr_eight_used, pending_consume, NULL};

long mfr_call_rt_sigpending(struct mfr_call *c) {
  struct pending_ctx x = {0};
  u64 n = (u64)c->a[1] < 8 ? (u64)c->a[1] : 8;
  if ((u64)c->a[1] > 8) return -MFR_EINVAL;
  mfr_lane_call(c, &pending_shape, &x);
  long r = 0;
  if (MFR_TRY()) {
    memcpy((void *)c->a[0], &x.set, n);
    MFR_TRY_END();
  } else r = -MFR_EFAULT;
  return r;
}

// ---- waiting for a signal ----------------------------------------------------------------------------------
static long pause_produce(struct mfr_call *c, void *ctx, struct mfr_turn *t, u8 *data) {
  (void)c, (void)ctx, (void)data;
  static const long none[6];
  int joiner;
  long r = data ? mfr_blocking(t, __NR_pause, none, &joiner)
                : mfr_blocking_step(NULL, __NR_pause, none, &joiner);
  return data && joiner ? MFR_AGAIN : r;
}
static const struct mfr_shape pause_shape = {mfr_no_prepare, pause_produce, mfr_no_used, mfr_no_consume, NULL};

long mfr_call_pause(struct mfr_call *c) { return mfr_lane_call(c, &pause_shape, NULL); }

long mfr_call_rt_sigsuspend(struct mfr_call *c) {
  u64 mask = 0;
  if ((u64)c->a[1] != 8) return -MFR_EINVAL;
  if (MFR_TRY()) {
    mask = *(const u64 *)c->a[0];
    MFR_TRY_END();
  } else return -MFR_EFAULT;
  mfr_self.suspend_mask = mfr_self.vmask;
  mfr_self.suspend_on = 1;
  mfr_self.vmask = mask & ~MFR_UNMASKABLE;
  return mfr_lane_call(c, &pause_shape, NULL); // dispatch puts the mask back
}

struct wait_ctx {
  u64 set, deadline; // deadline: CLOCK_MONOTONIC ns, 0 = none
  struct mfr_siginfo info;
};
static u64 wait_prepare(struct mfr_call *c, void *ctx, u64 *hash) {
  (void)c;
  *hash = ((struct wait_ctx *)ctx)->set;
  return sizeof(struct mfr_siginfo);
}
static long wait_produce(struct mfr_call *c, void *ctx, struct mfr_turn *t, u8 *data) {
  (void)c;
  struct wait_ctx *x = ctx;
  for (;;) {
    u32 ticket;
    u32 signo = mfr_take_from(mfr_pending(x->set), &x->info, &ticket);
    if (signo) {
      x->info.pad = (i32)ticket;
      if (data) memcpy(data, &x->info, sizeof x->info);
      else mfr_signal_taken(signo, ticket);
      return signo;
    }
    u64 now = mfr_now();
    if (x->deadline && now >= x->deadline) return -MFR_EAGAIN;
    struct mfr_timespec left = {0, 0};
    if (x->deadline) {
      left.sec = (i64)((x->deadline - now) / 1000000000ull);
      left.nsec = (i64)((x->deadline - now) % 1000000000ull);
    }
    long a[6] = {0, 0, x->deadline ? (long)&left : 0, 0, 8, 0};
    int joiner;
    long r = mfr_blocking_step(data ? t : NULL, __NR_ppoll, a, &joiner);
    if (joiner || (r == MFR_AGAIN && !data)) return MFR_AGAIN;
    if (r == -MFR_EINTR || r == MFR_PARK) return r;
  }
}
static u32 wait_used(struct mfr_call *c, void *ctx, const u8 *data, long result) {
  (void)c, (void)ctx, (void)data;
  return result > 0 ? sizeof(struct mfr_siginfo) : 0;
}
static void wait_consume(struct mfr_call *c, void *ctx, const u8 *data, long result) {
  (void)c;
  struct wait_ctx *x = ctx;
  if (result <= 0) return;
  memcpy(&x->info, data, sizeof x->info);
  mfr_signal_taken((u32)result, (u32)x->info.pad);
}
static const struct mfr_shape wait_shape = {wait_prepare, wait_produce, wait_used, wait_consume, NULL};

long mfr_call_rt_sigtimedwait(struct mfr_call *c) {
  struct wait_ctx x;
  memset(&x, 0, sizeof x);
  if ((u64)c->a[3] != 8) return -MFR_EINVAL;
  struct mfr_timespec ts = {0, 0};
  int timed = c->a[2] != 0;
  if (MFR_TRY()) {
    x.set = *(const u64 *)c->a[0] & ~MFR_UNMASKABLE;
    if (timed) ts = *(const struct mfr_timespec *)c->a[2];
    MFR_TRY_END();
  } else return -MFR_EFAULT;
  if (timed && (ts.sec < 0 || ts.nsec < 0 || ts.nsec > 999999999)) return -MFR_EINVAL;
  if (timed) x.deadline = mfr_now() + (u64)ts.sec * 1000000000ull + (u64)ts.nsec;
  mfr_self.thread->sigwait = x.set;
  long r = mfr_lane_call(c, &wait_shape, &x);
  mfr_self.thread->sigwait = 0;
  if (r > 0) mfr_timer_taken(&x.info);
  if (r > 0 && c->a[1]) {
    x.info.pad = 0;
    if (MFR_TRY()) {
      memcpy((void *)c->a[1], &x.info, sizeof x.info);
      MFR_TRY_END();
    } else r = -MFR_EFAULT;
  }
  return r;
}

// ---- sending to oneself --------------------------------------------------------------------------------------
struct raise_ctx {
  u32 signo;
  i32 target; // the thread that it is for, 0: the process
  struct mfr_siginfo info;
};
static long raise_produce(struct mfr_call *c, void *ctx, struct mfr_turn *t, u8 *data) {
  (void)c, (void)t, (void)data;
  struct raise_ctx *x = ctx;
  // Only sigqueue is told that the queue is full: kill loses what it cannot keep.
  long r = x->signo ? mfr_raise_self_in_lane(x->signo, &x->info, x->target) : 0;
  return x->info.code == 0 || x->info.code == -6 ? 0 : r;
}
static const struct mfr_shape raise_shape = {mfr_no_prepare, raise_produce, mfr_no_used, mfr_no_consume, NULL};

static long raise_self(struct mfr_call *c, i32 signo, i32 code, const void *info, i32 target) {
  if (signo < 0 || signo >= (i32)MFR_NSIG) return -MFR_EINVAL;
  struct raise_ctx x;
  memset(&x, 0, sizeof x);
  x.signo = (u32)signo;
  x.target = target;
  if (info) {
    long bad = 0;
    if (MFR_TRY()) {
      memcpy(&x.info, info, 112);
      MFR_TRY_END();
    } else bad = -MFR_EFAULT;
    if (bad) return bad;
  } else {
    x.info.code = code;
    x.info.u.rt.pid = mfr_self.vpid;
    x.info.u.rt.uid = (u32)SYS0(getuid);
  }
  x.info.signo = signo;
  if (signo == MFR_SIGKILL) {
    x.signo = 0; // a slot all the same: one that has gone astray does not end the others
    long r = mfr_lane_call(c, &raise_shape, &x);
    if (mfr_self.rerun) return r;
    mfr_guest_dies(MFR_SIGKILL);
  }
  // Job control is the anchor's: the signal goes to its pid.
  if (signo == MFR_SIGSTOP || (mfr_is_default_stop((u32)signo) && !(mfr_self.vmask & SIG_BIT(signo)))) {
    return mfr_stop_call(c, (u32)signo);
  }
  return mfr_lane_call(c, &raise_shape, &x);
}

static int is_me(i32 pid) { return pid == mfr_self.vpid; }

// A thread of the guest: 1, and who a signal for it is for.
static int is_thread(i32 tid, i32 *target) {
  *target = mfr_self.threaded ? tid : 0;
  return is_me(tid) || mfr_thread_of(tid);
}

long mfr_call_kill(struct mfr_call *c) {
  if (is_me((i32)c->a[0])) return raise_self(c, (i32)c->a[1], 0, NULL, 0);
  u32 signo = (u32)c->a[1];
  int own_group = 0;
  long r = mfr_send(c, &own_group);
  // The whole group stops, and this process with it.
  int stops = own_group && signo && signo < MFR_NSIG && mfr_is_default_stop(signo) && !(mfr_self.vmask & SIG_BIT(signo));
  if (likely(!stops) || r != 0 || c->signo || mfr_self.rerun) return r;
  return mfr_stop_call(c, signo);
}
long mfr_call_tkill(struct mfr_call *c) {
  i32 target;
  if (is_thread((i32)c->a[0], &target)) return raise_self(c, (i32)c->a[1], -6, NULL, target);
  return mfr_send(c, NULL);
}
long mfr_call_tgkill(struct mfr_call *c) {
  i32 target;
  if (is_me((i32)c->a[0]) && is_thread((i32)c->a[1], &target)) return raise_self(c, (i32)c->a[2], -6, NULL, target);
  return mfr_send(c, NULL);
}
long mfr_call_rt_sigqueueinfo(struct mfr_call *c) {
  if (is_me((i32)c->a[0])) return raise_self(c, (i32)c->a[1], 0, (const void *)c->a[2], 0);
  return mfr_shared(c);
}
long mfr_call_rt_tgsigqueueinfo(struct mfr_call *c) {
  i32 target;
  if (is_me((i32)c->a[0]) && is_thread((i32)c->a[1], &target))
    return raise_self(c, (i32)c->a[2], 0, (const void *)c->a[3], target);
  return mfr_shared(c);
}

// ---- alternate stack: ours is the real one ---------------------------------------------------------------------
long mfr_call_sigaltstack(struct mfr_call *c) {
  const struct mfr_stack *new = (const void *)c->a[0];
  struct mfr_stack *old = (void *)c->a[1], was = mfr_self.valt, now = was;
  u64 sp = c->frame ? c->frame->rsp : (u64)c; // the call itself lies on the guest's stack
  int on = was.size && !(was.flags & 2) && sp - was.sp < was.size;
  if (!was.size) was.flags = 2;
  if (on) was.flags |= 1;
  if (new) {
    if (MFR_TRY()) {
      now = *new;
      MFR_TRY_END();
    } else return -MFR_EFAULT;
    if (on) return -MFR_EPERM;
    u32 flags = (u32)now.flags & 0x7fffffffu;
    if (flags > 2) return -MFR_EINVAL;
    if (flags == 2) now.sp = now.size = 0;
    else if (now.size < 2048) return -MFR_ENOMEM;
    now.flags &= ~1;
    mfr_self.valt = now;
  }
  if (old) {
    if (MFR_TRY()) {
      *old = was;
      MFR_TRY_END();
    } else return -MFR_EFAULT;
  }
  return 0;
}
