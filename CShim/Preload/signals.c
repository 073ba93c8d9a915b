// signals.c - the guest's signals: what is pending lies in the buffer, who gets it when is decided
// by the lane; the kernel only builds the frames.
//
// Really blocked in every replica: everything but faults and SIGSYS. So a signal that somebody
// sends to a replica's real pid does nothing, and a terminal's signals, which reach the whole
// process group, count once: through the anchor.
#include "shim.h"

#define SI_USER_DISPATCH 2
#define SIG_BLOCK 0
#define SIG_UNBLOCK 1
#define SIG_SETMASK 2
#define SS_DISABLE 2

static u8 fault_stack[64 << 10] __attribute__((aligned(64)));

static void real_sigaction(u32 signo, const struct mfr_sigaction *act) {
  SYS4(rt_sigaction, signo, act, NULL, 8);
}
static void real_mask(u32 how, u64 set) { SYS4(rt_sigprocmask, how, &set, NULL, 8); }

int mfr_is_default_ignored(u32 signo) {
  return signo == MFR_SIGCHLD || signo == MFR_SIGCONT || signo == 23 /* URG */ || signo == 28 /* WINCH */;
}
static int is_ignored(u32 signo) {
  u64 h = mfr_self.action[signo].handler;
  return h == 1 || (h == 0 && mfr_is_default_ignored(signo));
}

// ---- pending ---------------------------------------------------------------------------------------
// The bit of a signal is set after its entry is ready and cleared by the leader alone, who looks once more
// after that: a posting in between is not lost.
static int none_left(u32 signo) {
  u64 word = 0;
  if (mfr_signal_next(mfr_self.base, signo, &word)) return 0;
  mfr_and_acqrel64(&mfr_self.h->sig_pending, ~SIG_BIT(signo));
  if (!mfr_signal_next(mfr_self.base, signo, &word)) return 1;
  mfr_or_acqrel64(&mfr_self.h->sig_pending, SIG_BIT(signo));
  return 0;
}
void mfr_signal_discard(u32 signo) {
  u64 word = 0;
  while (mfr_signal_next(mfr_self.base, signo, &word)) mfr_signal_drop(mfr_self.base, signo, mfr_pending_ticket(word));
}

// Those of a set that are really pending; leader only.
u64 mfr_pending(u64 set) {
  u64 real = set = mfr_load_acquire64(&mfr_self.h->sig_pending) & set;
  for (; set; set &= set - 1) {
    u32 signo = (u32)__builtin_ctzll(set) + 1;
    if (none_left(signo)) real &= ~SIG_BIT(signo);
  }
  return real;
}

__attribute__((noinline)) static u64 deliverable_slow(u64 set) {
  u64 real = 0;
  for (; set; set &= set - 1) {
    u32 signo = (u32)__builtin_ctzll(set) + 1;
    if (is_ignored(signo)) mfr_signal_discard(signo);
    if (!none_left(signo)) real |= SIG_BIT(signo);
  }
  return real;
}
u64 mfr_deliverable(void) {
  u64 p = mfr_load_acquire64(&mfr_self.h->sig_pending) & ~mfr_self.vmask;
  return likely(!p) ? 0 : deliverable_slow(p);
}

// Synchronous signals first, as the kernel does, then the lowest number.
static u32 first_of(u64 set) { return (u32)__builtin_ctzll(set & MFR_FAULTS ? set & MFR_FAULTS : set) + 1; }

u32 mfr_take_from(u64 set, struct mfr_siginfo *info, u32 *ticket) {
  if (!set) return 0;
  u32 signo = first_of(set);
  u64 word = 0;
  struct mfr_pending *p = mfr_signal_next(mfr_self.base, signo, &word);
  if (!p) return 0;
  *ticket = mfr_pending_ticket(word);
  memset(info, 0, sizeof *info);
  memcpy(info, p->info, sizeof p->info);
  info->signo = (i32)signo;
  return signo;
}

// The kernel makes the frames of all signals that are due before any handler runs, each on top of the one
// before: the handler that runs first is that of the last signal which those before it leave unblocked.
u32 mfr_take_signal(struct mfr_siginfo *info, u32 *ticket) {
  u64 left = mfr_deliverable(), blocked = 0;
  u32 signo = 0;
  while (left & ~blocked) {
    signo = first_of(left & ~blocked);
    const struct mfr_sigaction *act = &mfr_self.action[signo];
    if (act->handler == 0) break; // the end
    blocked |= act->mask | SIG_BIT(signo);
  }
  return signo ? mfr_take_from(SIG_BIT(signo), info, ticket) : 0;
}

void mfr_signal_taken(u32 signo, u32 ticket) { mfr_signal_drop(mfr_self.base, signo, ticket); }

// Inside a claimed slot, or alone.
long mfr_raise_self_in_lane(u32 signo, const struct mfr_siginfo *info) {
  return mfr_signal_post(mfr_self.base, signo, info, mfr_self.seq + 1);
}

// ---- delivery ----------------------------------------------------------------------------------------
void mfr_guest_dies(u32 signo) {
  struct mfr_header *h = mfr_self.h;
  if (mfr_load_acquire32(&h->exit_kind) == MFR_EXIT_NONE) {
    h->exit_value = (i32)signo;
    h->exit_seq = mfr_self.seq;
    mfr_store_release32(&h->exit_kind, MFR_EXIT_SIGNAL);
  }
  struct mfr_sigaction dfl = {0, 0, 0, 0};
  real_sigaction(signo, &dfl);
  SYS3(tgkill, mfr_self.rpid, mfr_self.rpid, signo);
  real_mask(SIG_UNBLOCK, SIG_BIT(signo));
  for (;;) SYS1(exit_group, 128 + signo);
}

// Around a clone: what hits the child before it knows who it is would be told of its parent.
u64 mfr_block_ours(void) {
  u64 set = ~MFR_REAL_MASK, old = 0;
  SYS4(rt_sigprocmask, SIG_BLOCK, &set, &old, 8);
  return old;
}
void mfr_unblock_ours(u64 old) { real_mask(SIG_SETMASK, old); }

static int usable_alt(void) { return mfr_self.valt.size && !(mfr_self.valt.flags & SS_DISABLE); }
static void real_alt(void) {
  struct mfr_stack ours = {(u64)fault_stack, 0, 0, sizeof fault_stack};
  if (SYS2(sigaltstack, &ours, NULL) == 0) mfr_self.alt_is_guest = 0;
}

static void install_real(u32 signo, struct mfr_sigaction act) {
  if (act.handler > 1) {
    act.flags |= MFR_SA_RESTORER;
    act.restorer = (u64)mfr_restorer;
    // What the handler may be interrupted by is decided by the virtual mask; nothing real may come.
    act.mask = MFR_REAL_MASK;
  }
  real_sigaction(signo, &act);
}

static void install_ours(u32 signo);

// Runs the guest's handler. The mask that sigsuspend and others carry is in force until all signals are
// delivered, as in the kernel; dispatch puts the guest's own back.
int mfr_deliver(u32 signo, const struct mfr_siginfo *info) {
  if (mfr_self.mode != MFR_ON_LANE) { // left the lane in this very call: it is the kernel's now
    SYS4(rt_tgsigqueueinfo, mfr_self.rpid, mfr_self.rpid, signo, info);
    return 0;
  }
  struct mfr_sigaction act = mfr_self.action[signo];
  u64 old = mfr_self.vmask, suspended = mfr_self.suspend_mask;
  u32 suspend_on = mfr_self.suspend_on;
  if (act.handler == 1 || (act.handler == 0 && mfr_is_default_ignored(signo))) return 0;
  if (act.handler == 0) mfr_guest_dies(signo);
  if (act.flags & MFR_SA_RESETHAND) mfr_self.action[signo].handler = 0;
  mfr_self.suspend_on = 0;
  mfr_self.vmask |= act.mask | (act.flags & MFR_SA_NODEFER ? 0 : SIG_BIT(signo));
  mfr_self.vmask &= ~MFR_UNMASKABLE;
  if (signo == MFR_SIGSYS || signo == MFR_KICK_SIGNAL) { // really ours: call the handler as a function
    ((void (*)(int, const struct mfr_siginfo *, void *))act.handler)((int)signo, info, NULL);
  } else {
    int fault = (MFR_FAULTS & SIG_BIT(signo)) != 0;
    if ((act.flags & MFR_SA_ONSTACK) && usable_alt() && SYS2(sigaltstack, &mfr_self.valt, NULL) == 0)
      mfr_self.alt_is_guest = 1;
    if (fault || (act.flags & MFR_SA_RESETHAND)) {
      struct mfr_sigaction once = act;
      once.flags &= ~(u64)MFR_SA_RESETHAND;
      install_real(signo, once);
    }
    SYS4(rt_tgsigqueueinfo, mfr_self.rpid, mfr_self.rpid, signo, info);
    if (!fault) {
      real_mask(SIG_UNBLOCK, SIG_BIT(signo)); // the handler runs inside this call
      real_mask(SIG_BLOCK, SIG_BIT(signo));
    }
    if (fault) install_ours(signo);
    else if (act.flags & MFR_SA_RESETHAND) install_real(signo, mfr_self.action[signo]);
    if (mfr_self.alt_is_guest) real_alt();
  }
  mfr_self.vmask = old;
  mfr_self.suspend_mask = suspended;
  mfr_self.suspend_on = suspend_on;
  return (act.flags & MFR_SA_RESTART) != 0;
}

// ---- SIGSYS: the gate's other side; kicks ----------------------------------------------------------------
// Whether the interrupted instruction is the guest's: nothing of the shim is half done.
static int in_guest(const struct mfr_frame *f) {
  if (mfr_self.mode != MFR_ON_LANE || mfr_self.me->phase != MFR_PHASE_GUEST || mfr_self.try_active) return 0;
  if (f->rip >= (u64)__ehdr_start && f->rip < (u64)etext) return 0;
  if (f->rsp > (u64)mfr_own_stack && f->rsp <= (u64)mfr_own_stack_top) return 0;
  return !(f->rsp > (u64)fault_stack && f->rsp <= (u64)fault_stack + sizeof fault_stack);
}

// A kick while the guest computes. It comes to a call soon, as a rule, and gets its signal there, at the same
// place in all replicas. When it does not - the second kick finds it between the same two calls - it gets the
// signal here, in a slot of its own; the others take it wherever they are between these calls.
static void kicked_in_guest(struct mfr_frame *f) {
  struct mfr_header *h = mfr_self.h;
  if ((mfr_load_acquire64(&h->grant) & 0xff) == mfr_self.index) {
    u64 p = mfr_deliverable();
    if (!p) return;
    for (; p; p &= p - 1) { // one that ends the guest need not wait
      u32 s = (u32)__builtin_ctzll(p) + 1;
      if (mfr_self.action[s].handler == 0) mfr_guest_dies(s);
    }
    if (!mfr_alone() && mfr_self.kick_seq != mfr_self.seq + 1) {
      mfr_self.kick_seq = mfr_self.seq + 1;
      return;
    }
    mfr_store_release64(&h->signal_point, mfr_self.seq + 1);
  } else if (mfr_load_acquire64(&h->signal_point) != mfr_self.seq + 1) {
    return;
  }
  real_mask(SIG_UNBLOCK, SIG_BIT(MFR_KICK_SIGNAL)); // the guest's handler runs in here, and makes calls
  mfr_signal_point(f);
}

static void on_kick(int signo, struct mfr_siginfo *info, struct mfr_frame *f) {
  (void)signo, (void)info;
  // A full fence before we look: whoever asks for something from now on sends another one.
  __atomic_exchange_n(&mfr_self.me->kicked, 0, __ATOMIC_SEQ_CST);
  mfr_kicked = 1;
  if (f->rip >= (u64)mfr_blocking_start && f->rip <= (u64)mfr_blocking_syscall)
    f->rip = (u64)mfr_blocking_abort;
  if (in_guest(f)) kicked_in_guest(f);
}

static void on_sigsys(int signo, struct mfr_siginfo *info, struct mfr_frame *f) {
  (void)signo;
  if (info->code != SI_USER_DISPATCH) return; // somebody sent one to a replica's own pid
  if (unlikely(mfr_self.probing)) {
    mfr_self.probing = 2;
    f->rax = (u64)-MFR_ENOSYS;
    return;
  }
  u32 nr = (u32)f->rax;
  struct mfr_call c;
  c.nr = nr;
  c.a[0] = (long)f->rdi, c.a[1] = (long)f->rsi, c.a[2] = (long)f->rdx;
  c.a[3] = (long)f->r10, c.a[4] = (long)f->r8, c.a[5] = (long)f->r9;
  c.frame = f;
  u64 rip = f->rip;
  long r = mfr_dispatch(&c);
  f->rax = (u64)r;
  if (mfr_self.mode == MFR_ON_LANE && f->rip == rip) f->rip = mfr_patch_site(rip, nr);
}

// ---- faults --------------------------------------------------------------------------------------------
// Not raised by an instruction: somebody sent it to this process (what the guest sends itself comes through the
// lane), or it is news of a broken page that was not touched.
static int comes_from_outside(u32 signo, i32 code) {
  return code <= 0 || (signo == MFR_SIGBUS && code == BUS_MCEERR_AO);
}

void mfr_await_verdict(u32 signo, i32 code, u64 address, u64 ip) {
  struct mfr_replica *me = mfr_self.me;
  u32 before = mfr_load_relaxed32(&me->state);
  me->fault.signo = signo;
  me->fault.code = code;
  me->fault.address = address;
  me->fault.ip = ip;
  me->fault.seq = mfr_self.seq;
  me->fault.when_ns = mfr_now();
  me->fault.number = me->faults;
  mfr_store_relaxed32(&me->verdict, MFR_VERDICT_NONE);
  mfr_store_release32(&me->state, MFR_REPLICA_FAULTED);
  mfr_wake_coordinator();
  while (mfr_load_acquire32(&me->verdict) == MFR_VERDICT_NONE)
    mfr_futex_wait(&me->verdict, MFR_VERDICT_NONE, NULL);
  if (mfr_load_relaxed32(&me->verdict) == MFR_VERDICT_DIE) SYS2(kill, mfr_self.rpid, MFR_SIGKILL);
  // Before the state: whoever sees us go on sees that we have had this fault.
  if (!comes_from_outside(signo, code)) me->faults++;
  mfr_store_release32(&me->state, before);
}

static void leave_try(struct mfr_frame *f) {
  const struct mfr_try_buf *b = &mfr_self.try_buf;
  mfr_self.try_active = 0;
  f->rbx = b->rbx;
  f->rbp = b->rbp;
  f->r12 = b->r12;
  f->r13 = b->r13;
  f->r14 = b->r14;
  f->r15 = b->r15;
  f->rsp = b->rsp;
  f->rip = b->rip;
  f->rax = 1;
}

static long lend_alt(struct mfr_call *c) {
  (void)c;
  return SYS2(sigaltstack, &mfr_self.valt, NULL);
}

static void on_fault(int sig, struct mfr_siginfo *info, struct mfr_frame *f) {
  u32 signo = (u32)sig;
  if (mfr_self.try_active && signo == MFR_SIGSEGV && info->code > 0) {
    leave_try(f);
    return;
  }
  int outside = comes_from_outside(signo, info->code);
  if (mfr_load_acquire32(&mfr_self.h->live) == 1u << mfr_self.index) mfr_self.me->faults += !outside;
  else mfr_await_verdict(signo, info->code, info->u.fault.addr, f->rip); // do the others fault here, too?
  if (outside) return; // the last one goes on
  if (mfr_self.try_active) { // e.g. a file mapping that was cut short: the kernel would say EFAULT
    leave_try(f);
    return;
  }
  struct mfr_sigaction act = mfr_self.action[signo];
  if (act.handler <= 1 || (mfr_self.vmask & SIG_BIT(signo))) mfr_guest_dies(signo);
  // Lend the signal to the guest and let the instruction fault again: the kernel then builds the
  // frame from the true state. Our handler comes back at the next call (mfr_return_lent).
  if (act.flags & MFR_SA_RESETHAND) mfr_self.action[signo].handler = 0;
  install_real(signo, act);
  mfr_self.faults_lent |= 1u << signo;
  int on_own = f->rsp > (u64)mfr_own_stack && f->rsp <= (u64)mfr_own_stack_top;
  if ((act.flags & MFR_SA_ONSTACK) && usable_alt() && !on_own) {
    // The kernel lets nobody change the alternate stack who is on it, not even by sigreturn (Linux 6.12).
    if (mfr_on_own_stack(lend_alt, NULL) == 0) mfr_self.alt_is_guest = 1;
    f->stack = mfr_self.valt;
  }
}

void mfr_return_lent(void) {
  u32 lent = mfr_self.faults_lent;
  mfr_self.faults_lent = 0;
  if (lent) real_mask(SIG_SETMASK, MFR_REAL_MASK); // a handler left by siglongjmp leaves its signal masked
  while (lent) {
    u32 signo = (u32)__builtin_ctz(lent);
    lent &= lent - 1;
    install_ours(signo);
  }
  if (mfr_self.alt_is_guest) real_alt(); // EPERM while the guest is on it: tried again later
}

static void install_ours(u32 signo) {
  struct mfr_sigaction act = {(u64)on_fault,
                              MFR_SA_SIGINFO | MFR_SA_RESTORER | MFR_SA_ONSTACK | MFR_SA_NODEFER,
                              (u64)mfr_restorer, MFR_REAL_MASK};
  if (signo == MFR_SIGSYS || signo == MFR_KICK_SIGNAL) {
    act.handler = signo == MFR_SIGSYS ? (u64)on_sigsys : (u64)on_kick;
    act.flags &= ~(u64)MFR_SA_ONSTACK;
    if (signo == MFR_KICK_SIGNAL) act.flags &= ~(u64)MFR_SA_NODEFER; // they queue: one after the other, not one in the other
  }
  real_sigaction(signo, &act);
}

static int is_ours(u32 signo) {
  return signo == MFR_SIGSYS || signo == MFR_KICK_SIGNAL || (MFR_FAULTS & SIG_BIT(signo));
}

void mfr_child_sigsys(void) { install_ours(MFR_SIGSYS); }

// The guest changed a disposition.
void mfr_action_changed(u32 signo) {
  if (!is_ours(signo) && signo != MFR_SIGKILL && signo != MFR_SIGSTOP)
    install_real(signo, mfr_self.action[signo]);
}

void mfr_signals_init(void) {
  // After execve or at start: the kernel knows which signals are ignored and the mask.
  for (u32 s = 1; s < MFR_NSIG; s++) {
    struct mfr_sigaction old = {0, 0, 0, 0};
    SYS4(rt_sigaction, s, NULL, &old, 8);
    mfr_self.action[s] = old;
    if (old.handler == 1) mfr_or_acqrel64(&mfr_self.h->sig_ignored, SIG_BIT(s));
  }
  u64 mask = 0;
  SYS4(rt_sigprocmask, SIG_BLOCK, NULL, &mask, 8);
  mfr_self.vmask = mask;
  SYS2(sigaltstack, NULL, &mfr_self.valt);
  real_alt();
  for (u32 s = 1; s < MFR_NSIG; s++)
    if (is_ours(s)) install_ours(s);
  real_mask(SIG_SETMASK, MFR_REAL_MASK);
}

// Gives the kernel the guest's own view of signals: before native mode, in a forked child, before
// an exec that takes no shim along.
void mfr_devirtualize(struct mfr_frame *frame) {
  SYS5(prctl, 59 /* PR_SET_SYSCALL_USER_DISPATCH */, 0, 0, 0, 0);
  SYS5(prctl, 33 /* PR_MCE_KILL */, 1, mfr_self.mce_policy, 0, 0);
  // What a group signal left pending here has been delivered through the anchor, or will be.
  u64 all = ~0ull;
  struct mfr_timespec zero = {0, 0};
  struct mfr_siginfo info;
  while (SYS4(rt_sigtimedwait, &all, &info, &zero, 8) > 0) {}
  for (u32 s = 1; s < MFR_NSIG; s++) {
    struct mfr_sigaction act = mfr_self.action[s];
    if (s == MFR_SIGKILL || s == MFR_SIGSTOP || (!is_ours(s) && act.handler <= 1)) continue;
    if (act.handler > 1 && !(act.flags & MFR_SA_RESTORER)) {
      act.flags |= MFR_SA_RESTORER;
      act.restorer = (u64)mfr_restorer;
    }
    if (s == MFR_KICK_SIGNAL && !act.handler && mfr_self.mode == MFR_NATIVE) act.handler = 1; // one may be on its way
    real_sigaction(s, &act);
  }
  SYS2(sigaltstack, &mfr_self.valt, NULL);
  if (frame) {
    frame->sigmask = mfr_self.vmask;
    frame->stack = mfr_self.valt;
  } else {
    real_mask(SIG_SETMASK, mfr_self.vmask);
  }
}
