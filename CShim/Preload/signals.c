// signals.c - the guest's signals: what is pending lies in the buffer, who gets it when is decided
// by the lane; the kernel only builds the frames.
//
// Really blocked in every replica: everything but faults and SIGSYS. So a signal that somebody
// sends to a replica's real pid does nothing, and a terminal's signals, which reach the whole
// process group, count once: through the anchor.
#include "shim.h"

#define SI_USER_DISPATCH 2
#define SI_TIMER (-2)
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
int mfr_is_ignored(u32 signo) {
  u64 h = mfr_self.action[signo].handler;
  return h == 1 || (h == 0 && mfr_is_default_ignored(signo));
}

// ---- pending ---------------------------------------------------------------------------------------
// The bit of a signal is set after its entry is ready and cleared by the leader alone, who looks once more
// after that: a posting in between is not lost.
static int none_left(u32 signo) {
  u64 word = 0;
  if (mfr_signal_next(mfr_self.base, signo, MFR_ANY_THREAD, &word)) return 0;
  mfr_and_acqrel64(&mfr_self.h->sig_pending, ~SIG_BIT(signo));
  if (!mfr_signal_next(mfr_self.base, signo, MFR_ANY_THREAD, &word)) return 1;
  mfr_or_acqrel64(&mfr_self.h->sig_pending, SIG_BIT(signo));
  return 0;
}
void mfr_signal_discard(u32 signo) {
  u64 word = 0;
  while (mfr_signal_next(mfr_self.base, signo, MFR_ANY_THREAD, &word)) mfr_signal_drop(mfr_self.base, signo, mfr_pending_ticket(word));
}

// Whether the running thread has something pending of that number.
static int for_me(u32 signo) {
  u64 word = 0;
  return mfr_signal_next(mfr_self.base, signo, mfr_self.thread->tid, &word) != NULL;
}

// Those of a set that are really pending for this thread; leader only.
u64 mfr_pending(u64 set) {
  u64 real = set = mfr_load_acquire64(&mfr_self.h->sig_pending) & set;
  for (; set; set &= set - 1) {
    u32 signo = (u32)__builtin_ctzll(set) + 1;
    if (none_left(signo) || !for_me(signo)) real &= ~SIG_BIT(signo);
  }
  return real;
}

// What is ignored, as far as it is not for another thread, which may block it and wait for it.
static void discard_mine(u32 signo) {
  u64 word = 0;
  while (mfr_signal_next(mfr_self.base, signo, mfr_self.thread->tid, &word))
    mfr_signal_drop(mfr_self.base, signo, mfr_pending_ticket(word));
}

__attribute__((noinline)) static u64 deliverable_slow(u64 set) {
  u64 real = 0;
  for (; set; set &= set - 1) {
    u32 signo = (u32)__builtin_ctzll(set) + 1;
    int ignored = mfr_is_ignored(signo);
    if (ignored) discard_mine(signo);
    if (none_left(signo) || ignored) continue; // one that is posted just now must not interrupt a call either
    u64 word = 0;
    struct mfr_pending *p = mfr_signal_next(mfr_self.base, signo, mfr_self.thread->tid, &word);
    if (p && mfr_may_take(signo, p->target)) real |= SIG_BIT(signo);
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
  struct mfr_pending *p = mfr_signal_next(mfr_self.base, signo, mfr_self.thread->tid, &word);
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
  u64 left = mfr_deliverable(), blocked = 0, below = 0;
  u32 signo = 0;
  while (left & ~blocked) {
    signo = first_of(left & ~blocked);
    const struct mfr_sigaction *act = &mfr_self.action[signo];
    if (act->handler == 0) break; // the end
    below = blocked;
    blocked |= act->mask | (act->flags & MFR_SA_NODEFER ? 0 : SIG_BIT(signo));
    if (act->flags & MFR_SA_NODEFER) left &= ~SIG_BIT(signo); // a frame more for the same one changes no order
  }
  if (!signo || !mfr_take_from(SIG_BIT(signo), info, ticket)) return 0;
  info->u.ours.below = below; // they are blocked while its handler runs
  return signo;
}

void mfr_signal_taken(u32 signo, u32 ticket) {
  mfr_self.taken[signo % MFR_NSIG] = ticket + 1;
  mfr_signal_drop(mfr_self.base, signo, ticket);
}

// Inside a claimed slot, or alone.
long mfr_raise_self_in_lane(u32 signo, const struct mfr_siginfo *info, i32 target) {
  return mfr_signal_post(mfr_self.base, signo, info, mfr_self.seq + 1, target);
}

// ---- delivery ----------------------------------------------------------------------------------------
static void __attribute__((noreturn)) die_at_once(u32 signo) {
  struct mfr_header *h = mfr_self.h;
  // An heir that dies before it has led: what the guest has stored is in its copy alone.
  if (mfr_self.map_files && (mfr_load_acquire64(&h->grant) & 0xff) == mfr_self.index) (void)mfr_mapping_lead();
  mfr_tell_end(MFR_EXIT_SIGNAL, (i32)signo);
  struct mfr_sigaction dfl = {0, 0, 0, 0};
  real_sigaction(signo, &dfl);
  SYS3(tgkill, mfr_self.rpid, mfr_self.rpid, signo);
  real_mask(SIG_UNBLOCK, SIG_BIT(signo));
  for (;;) SYS1(exit_group, 128 + signo);
}
void mfr_guest_dies(u32 signo) {
  mfr_await_agreement();
  die_at_once(signo);
}

// The end of the guest by a signal is known to all replicas: it came with one of the last slots. What says otherwise is
// the memory of this one. Its frames lie on the guest's stack for as long as it waits in a call.
#define RECENT 64u
static int came_with_slot(u32 signo) {
  if (mfr_load_acquire32(&mfr_self.h->live) == 1u << mfr_self.index) return 1; // alone, it takes them without slots
  for (u64 k = 1; k <= RECENT && k <= mfr_self.seq; k++) {
    const struct mfr_slot *slot = mfr_slot_at(mfr_self.base, mfr_self.seq - k);
    if (mfr_word_is_seq(mfr_load_acquire64(&slot->word), mfr_self.seq - k) && (slot->flags & MFR_SLOT_SIGNAL) &&
        slot->signo == signo)
      return 1;
  }
  return 0;
}

// Around a clone: what hits the child before it knows who it is would be told of its parent.
u64 mfr_block_ours(void) {
  u64 set = ~MFR_REAL_MASK, old = 0;
  SYS4(rt_sigprocmask, SIG_BLOCK, &set, &old, 8);
  return old;
}
void mfr_unblock_ours(u64 old) { real_mask(SIG_SETMASK, old); }

static int usable_alt(void) { return mfr_self.valt.size && !(mfr_self.valt.flags & SS_DISABLE); }
void mfr_real_alt(void) {
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

// A fault's handler of a thread that has no alternate stack must not come to ours.
static struct mfr_sigaction own_stack(struct mfr_sigaction act) {
  if (!usable_alt()) act.flags &= ~(u64)MFR_SA_ONSTACK;
  return act;
}

// Runs the guest's handler. The mask that sigsuspend and others carry is in force until all signals are
// delivered, as in the kernel; dispatch puts the guest's own back.
int mfr_deliver(u32 signo, const struct mfr_siginfo *info) {
  if (mfr_self.mode != MFR_ON_LANE) { // left the lane in this very call: it is the kernel's now
    SYS4(rt_tgsigqueueinfo, mfr_self.rpid, mfr_self.rpid, signo, info);
    return 0;
  }
  struct mfr_sigaction act = mfr_self.action[signo];
  struct mfr_handling me;
  u64 old = mfr_self.vmask, suspended = mfr_self.suspend_mask;
  u32 suspend_on = mfr_self.suspend_on;
  if (act.handler == 1 || (act.handler == 0 && mfr_is_default_ignored(signo))) return 0;
  if (mfr_is_default_stop(signo)) {
    mfr_stop(signo);
    return 1; // a call goes on as if nothing had been
  }
  if (act.handler == 0) {
    while (!came_with_slot(signo)) SYS2(kill, mfr_self.rpid, MFR_SIGKILL);
    mfr_guest_dies(signo);
  }
  if (act.flags & MFR_SA_RESETHAND) mfr_self.action[signo].handler = 0;
  mfr_handling_begin(&me);
  mfr_self.suspend_on = 0;
  struct mfr_siginfo shown = *info;
  mfr_self.vmask |= info->u.ours.below;
  shown.u.ours.below = 0;
  info = &shown;
  mfr_self.vmask |= act.mask | (act.flags & MFR_SA_NODEFER ? 0 : SIG_BIT(signo));
  mfr_self.vmask &= ~MFR_UNMASKABLE;
  if (signo == MFR_SIGSYS || signo == MFR_KICK_SIGNAL) { // really ours: call the handler as a function
    ((void (*)(int, const struct mfr_siginfo *, void *))act.handler)((int)signo, info, NULL);
  } else {
    int fault = (MFR_FAULTS & SIG_BIT(signo)) != 0;
    int on_alt = (act.flags & MFR_SA_ONSTACK) && usable_alt() && SYS2(sigaltstack, &mfr_self.valt, NULL) == 0;
    mfr_self.alt_is_guest |= (u32)on_alt;
    if (fault || (act.flags & MFR_SA_RESETHAND)) {
      struct mfr_sigaction once = own_stack(act);
      once.flags &= ~(u64)MFR_SA_RESETHAND;
      install_real(signo, once);
    }
    // What was sent to the whole process group is pending here, too, and has come by way of the anchor.
    u64 same = SIG_BIT(signo);
    struct mfr_timespec zero = {0, 0};
    if (!fault) while (SYS4(rt_sigtimedwait, &same, NULL, &zero, 8) > 0) {}
    SYS4(rt_tgsigqueueinfo, mfr_self.rpid, mfr_self.rpid, signo, info);
    if (!fault) {
      real_mask(SIG_UNBLOCK, SIG_BIT(signo)); // the handler runs inside this call
      real_mask(SIG_BLOCK, SIG_BIT(signo));
    }
    if (fault) install_ours(signo);
    else if (act.flags & MFR_SA_RESETHAND) install_real(signo, mfr_self.action[signo]);
    if (mfr_self.alt_is_guest || on_alt) mfr_real_alt(); // sigreturn has put the guest's back
  }
  mfr_handling_end(&me);
  mfr_self.vmask = old;
  if (unlikely(mfr_self.mode == MFR_CHILD)) { // forked by the handler: the frame had what is real on the lane
    SYS2(sigaltstack, &mfr_self.valt, NULL);
    mfr_self.young.hidden = old & ~MFR_NOT_OURS;
    real_mask(SIG_SETMASK, old & MFR_NOT_OURS);
    return 0;
  }
  mfr_self.suspend_mask = suspended;
  mfr_self.suspend_on = suspend_on;
  return (act.flags & MFR_SA_RESTART) != 0;
}

// ---- SIGSYS: the gate's other side; kicks ----------------------------------------------------------------
// Whether the interrupted instruction is the guest's: nothing of the shim is half done.
static int in_guest(const struct mfr_frame *f) {
  if (mfr_self.mode != MFR_ON_LANE || mfr_self.me->phase != MFR_PHASE_GUEST || mfr_self.try_active) return 0;
  if (f->rip >= (u64)__ehdr_start && f->rip < (u64)etext) return 0;
  if (f->rsp > (u64)mfr_stack_top - MFR_OWN_STACK && f->rsp <= (u64)mfr_stack_top) return 0;
  return !(f->rsp > (u64)fault_stack && f->rsp <= (u64)fault_stack + sizeof fault_stack);
}

// A kick while the guest computes. It comes to a call soon, as a rule, and gets its signal there, at the same
// place in all replicas. When it does not - the second kick finds it between the same two calls - it gets the
// signal here, in a slot of its own; the others take it wherever they are between these calls.
static void kicked_in_guest(struct mfr_frame *f) {
  struct mfr_header *h = mfr_self.h;
  if ((mfr_load_acquire64(&h->grant) & 0xff) == mfr_self.index) {
    u64 p = mfr_deliverable();
    if (!p || mfr_slot_has_call()) return;
    for (; p; p &= p - 1) { // one that ends the guest need not wait
      u32 s = (u32)__builtin_ctzll(p) + 1;
      if (mfr_self.action[s].handler == 0 && !mfr_is_default_stop(s)) die_at_once(s);
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

// The next instruction is the call: a site that is patched while its thread stands there would be left out.
static int before_call(const struct mfr_frame *f) {
  u8 code[2] = {0x0f, 0x05};
  if (MFR_TRY()) {
    memcpy(code, (const void *)f->rip, 2);
    MFR_TRY_END();
  }
  return code[0] == 0x0f && code[1] == 0x05;
}

static void stop_blocking(struct mfr_frame *f) {
  mfr_kicked = 1;
  if (f->rip >= (u64)mfr_blocking_start && f->rip <= (u64)mfr_blocking_syscall)
    f->rip = (u64)mfr_blocking_abort;
}

// In a process that is no set: its timer says that it has lived long enough.
static void kicked_child(int signo, struct mfr_siginfo *info, struct mfr_frame *f) {
  if (info->code != SI_TIMER) {
    mfr_child_handler(signo, info, f);
    return;
  }
  mfr_self.young.due = 1;
  stop_blocking(f);
}

static void on_kick(int signo, struct mfr_siginfo *info, struct mfr_frame *f) {
  if (unlikely(mfr_self.mode == MFR_OFF)) return;
  if (unlikely(mfr_self.mode == MFR_CHILD)) {
    kicked_child(signo, info, f);
    return;
  }
  if (unlikely(mfr_on_proxy(f->rsp))) return;
  // A full fence before we look: whoever asks for something from now on sends another one.
  __atomic_exchange_n(&mfr_self.me->kicked, 0, __ATOMIC_SEQ_CST);
  stop_blocking(f);
  int guest = in_guest(f);
  if (unlikely(info->code == SI_TIMER) && mfr_tick(guest) && !before_call(f)) {
    if (mfr_self.alt_is_guest | mfr_self.faults_lent) mfr_return_lent(f);
    real_mask(SIG_UNBLOCK, SIG_BIT(MFR_KICK_SIGNAL)); // other threads run in here
    mfr_take_turn();
  } else if (guest) kicked_in_guest(f);
  if (guest) f->rip = mfr_behind_site(f->rip);
}

static void on_sigsys(int signo, struct mfr_siginfo *info, struct mfr_frame *f) {
  (void)signo;
  if (info->code != SI_USER_DISPATCH) { // somebody sent one to a replica's own pid
    if (mfr_self.mode == MFR_CHILD) mfr_child_handler(signo, info, f);
    return;
  }
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
  if (f->rip != rip) return;
  if (mfr_self.mode == MFR_ON_LANE) f->rip = mfr_patch_site(rip, nr);
  if (mfr_self.mode == MFR_CHILD) { // here a handler of the guest could run in between, and trap
    u64 all = ~0ull, mask = 0;
    SYS4(rt_sigprocmask, SIG_SETMASK, &all, &mask, 8);
    f->rip = mfr_patch_site(rip, nr);
    real_mask(SIG_SETMASK, mask);
  }
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

void mfr_leave_to(struct mfr_frame *f, const struct mfr_try_buf *b) {
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
    mfr_leave_to(f, &mfr_self.try_buf);
    return;
  }
  if (unlikely(signo == MFR_SIGBUS)) {
    // The anchor has met a broken page of the buffer and asks for the leader.
    if (info->code == -1 && info->u.rt.pid == mfr_self.vpid && (info->u.rt.value & ~0xffffffffull) == MFR_ALARM_MAGIC) {
      mfr_buffer_broken((u32)info->u.rt.value, f);
      return;
    }
    u64 offset = info->u.fault.addr - (u64)mfr_self.base;
    if (info->code > 0 && offset < MFR_BUFFER_BYTES) {
      mfr_buffer_broken((u32)(offset / MFR_PAGE), f);
      return;
    }
  }
  int outside = comes_from_outside(signo, info->code);
  if (mfr_load_acquire32(&mfr_self.h->live) == 1u << mfr_self.index) mfr_self.me->faults += !outside;
  else mfr_await_verdict(signo, info->code, info->u.fault.addr, f->rip); // do the others fault here, too?
  if (outside) return; // the last one goes on
  if (mfr_self.try_active) { // e.g. a file mapping that was cut short: the kernel would say EFAULT
    mfr_leave_to(f, &mfr_self.try_buf);
    return;
  }
  struct mfr_sigaction act = mfr_self.action[signo];
  if (act.handler <= 1 || (mfr_self.vmask & SIG_BIT(signo))) mfr_guest_dies(signo);
  // Lend the signal to the guest and let the instruction fault again: the kernel then builds the
  // frame from the true state. Our handler comes back at the next call (mfr_return_lent).
  if (act.flags & MFR_SA_RESETHAND) mfr_self.action[signo].handler = 0;
  install_real(signo, own_stack(act));
  mfr_self.faults_lent |= 1u << signo;
  int on_own = f->rsp > (u64)mfr_stack_top - MFR_OWN_STACK && f->rsp <= (u64)mfr_stack_top;
  if ((act.flags & MFR_SA_ONSTACK) && usable_alt() && !on_own) {
    // The kernel lets nobody change the alternate stack who is on it, not even by sigreturn (Linux 6.12).
    if (mfr_on_own_stack(lend_alt, NULL) == 0) mfr_self.alt_is_guest = mfr_self.thread->lent_alt = 1;
    f->stack = mfr_self.valt;
  }
}

// A handler left by siglongjmp leaves its signal masked; and so does the frame of a trap inside of one, when it is
// gone back to. Another thread may fault then.
void mfr_return_lent(struct mfr_frame *f) {
  u32 lent = mfr_self.faults_lent;
  mfr_self.faults_lent = 0;
  if (lent) real_mask(SIG_SETMASK, MFR_REAL_MASK);
  if (lent && f) f->sigmask = MFR_REAL_MASK;
  while (lent) {
    u32 signo = (u32)__builtin_ctz(lent);
    lent &= lent - 1;
    install_ours(signo);
  }
  if (mfr_self.alt_is_guest) mfr_real_alt(); // EPERM while the guest is on it: tried again later
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

void mfr_signals_leave(struct mfr_frame *frame) {
  SYS5(prctl, 33 /* PR_MCE_KILL */, 1, mfr_self.mce_policy, 0, 0);
  for (u32 s = 1; s < MFR_NSIG; s++)
    if (is_ours(s) && mfr_self.action[s].handler <= 1) real_sigaction(s, &mfr_self.action[s]);
  SYS2(sigaltstack, &mfr_self.valt, NULL);
  mfr_self.young.hidden = mfr_self.vmask & ~MFR_NOT_OURS;
  frame->sigmask = mfr_self.vmask & MFR_NOT_OURS;
  frame->stack = mfr_self.valt;
}

// Nothing is masked while a trapped call is made: its sleep ends when a signal comes, as it would without us.
void mfr_signals_child(void) {
  struct mfr_sigaction act = {(u64)on_sigsys, MFR_SA_SIGINFO | MFR_SA_RESTORER | MFR_SA_NODEFER, (u64)mfr_restorer, 0};
  real_sigaction(MFR_SIGSYS, &act);
  act.handler = (u64)on_kick;
  real_sigaction(MFR_KICK_SIGNAL, &act);
}

void mfr_signals_join(struct mfr_frame *frame) {
  for (u32 s = 1; s < MFR_NSIG; s++) {
    if (is_ours(s)) install_ours(s);
    else if (mfr_self.action[s].handler > 1) install_real(s, mfr_self.action[s]);
  }
  mfr_self.alt_is_guest = 1;
  mfr_real_alt();
  if (frame) { // the trapped call returns to the guest with what is real on the lane
    frame->sigmask = MFR_REAL_MASK;
    frame->stack = (struct mfr_stack){(u64)fault_stack, 0, 0, sizeof fault_stack};
  }
}

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
  mfr_real_alt();
  for (u32 s = 1; s < MFR_NSIG; s++)
    if (is_ours(s)) install_ours(s);
  real_mask(SIG_SETMASK, MFR_REAL_MASK);
}

// Gives the kernel the guest's own view of signals: before native mode, in a forked child, before
// an exec that takes no shim along.
void mfr_devirtualize(struct mfr_frame *frame) {
  if (mfr_self.signalfds) mfr_signalfd_to_kernel();
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
