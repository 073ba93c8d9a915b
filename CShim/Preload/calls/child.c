// calls/child.c - calls of a process of the guest that is no set: a forked child, or what it has executed. Its
// signals, pids, timers and children are the kernel's business, as without MFR. Every call comes by here all the
// same, so that nothing is missed of what the set that it becomes must know, and so that a call which sleeps can
// go on as a call of that set (promote.c).
//
// Laws of this file: MFR_TRY is not to be had (the fault signals are the guest's), and a handler of the guest may
// run at any instruction and never come back.
#include "../shim.h"

mfr_handler mfr_call_fork, mfr_call_vfork, mfr_call_clone, mfr_call_execve, mfr_call_execveat;

#define CLONE_THREAD 0x10000
#define OURS (SIG_BIT(MFR_SIGSYS) | SIG_BIT(MFR_KICK_SIGNAL))
#define SIG_UNBLOCK 1
#define SIG_SETMASK 2
#define SS_DISABLE 2

// ---- guest memory ----------------------------------------------------------------------------------------
static long copy_self(long nr, u64 ours, u64 theirs, u64 n) {
  struct mfr_iovec l = {ours, n}, r = {theirs, n};
  return mfr_gate(nr, mfr_self.rpid, (long)&l, 1, (long)&r, 1, 0);
}
long mfr_peek(void *to, u64 from, u64 n) {
  long k = copy_self(__NR_process_vm_readv, (u64)to, from, n);
  if (k == -MFR_ENOSYS || k == -MFR_EPERM) memcpy(to, (const void *)from, n);
  else if (k != (long)n) return -MFR_EFAULT;
  return 0;
}
long mfr_poke(u64 to, const void *from, u64 n) {
  long k = copy_self(__NR_process_vm_writev, (u64)from, to, n);
  if (k == -MFR_ENOSYS || k == -MFR_EPERM) memcpy((void *)to, from, n);
  else if (k != (long)n) return -MFR_EFAULT;
  return 0;
}

// ---- signals ---------------------------------------------------------------------------------------------
static u32 on_alt(u64 sp) {
  const struct mfr_stack *alt = &mfr_self.valt;
  return alt->size && !(alt->flags & SS_DISABLE) && sp - alt->sp < alt->size;
}

#define MARK 0x68616e646c696e67ull
static int was_left(u64 entry, u64 sp) {
  u64 at = entry & ~1ull, mark = 0;
  u32 alt = on_alt(sp);
  if (alt == (entry & 1) ? at <= sp : entry & 1) return 1;
  return mfr_peek(&mark, at, 8) < 0 || mark != (at ^ MARK);
}
static void forget_left(u64 sp) {
  u64 *n = &mfr_self.handling_count;
  while (*n && was_left(mfr_self.handling[*n - 1], sp)) --*n;
}
void mfr_handling_begin(struct mfr_handling *me) {
  u64 at = (u64)me, *n = &mfr_self.handling_count;
  if (unlikely(*n)) forget_left(at);
  if (*n == MFR_HANDLING_MOST) // the outermost is forgotten
    for (u32 i = 1; i < MFR_HANDLING_MOST; i++) mfr_self.handling[i - 1] = mfr_self.handling[i];
  else ++*n;
  mfr_self.handling[*n - 1] = at | on_alt(at);
  me->mark = at ^ MARK;
}
void mfr_handling_end(struct mfr_handling *me) {
  u64 *n = &mfr_self.handling_count, at = 0;
  while (*n && at != (u64)me) at = mfr_self.handling[--*n] & ~1ull;
  me->mark = 0;
}
int mfr_child_in_handler(void) {
  if (likely(!mfr_self.handling_count)) return 0;
  forget_left((u64)__builtin_frame_address(0));
  return mfr_self.handling_count != 0;
}

static void real_action(u32 signo) {
  struct mfr_sigaction act = mfr_self.action[signo];
  if (OURS & SIG_BIT(signo)) return;
  if (act.handler > 1) {
    act.handler = (u64)mfr_child_handler;
    act.flags |= MFR_SA_SIGINFO | MFR_SA_RESTORER;
    act.restorer = (u64)mfr_restorer; // the guest's own would trap, and find another frame
  }
  act.mask &= ~OURS;
  SYS4(rt_sigaction, signo, &act, NULL, 8);
}

// In the place of the guest's handlers: while one runs, the process cannot become a set.
void mfr_child_handler(int signo, struct mfr_siginfo *info, struct mfr_frame *f) {
  struct mfr_sigaction *act = &mfr_self.action[signo];
  u64 handler = act->handler;
  if (handler == 0 && signo == MFR_SIGSYS) { // ours is installed: the guest's default is the end
    struct mfr_sigaction dfl = {0, 0, 0, 0};
    SYS4(rt_sigaction, signo, &dfl, NULL, 8);
    SYS3(tgkill, mfr_self.rpid, mfr_self.rpid, signo);
    return;
  }
  if (handler <= 1) return;
  if (act->flags & MFR_SA_RESETHAND) act->handler = 0;
  struct mfr_handling me;
  mfr_handling_begin(&me);
  mfr_self.young.handled++;
  mfr_self.young.not_restarting += !(act->flags & MFR_SA_RESTART);
  ((void (*)(int, struct mfr_siginfo *, struct mfr_frame *))handler)(signo, info, f);
  mfr_handling_end(&me);
}

static long sigaction_call(struct mfr_call *c) {
  u32 signo = (u32)c->a[0];
  struct mfr_sigaction was, now;
  if ((u64)c->a[3] != 8 || signo < 1 || signo >= MFR_NSIG) return -MFR_EINVAL;
  if (c->a[1] && (signo == MFR_SIGKILL || signo == MFR_SIGSTOP)) return -MFR_EINVAL;
  if (c->a[1] && mfr_peek(&now, (u64)c->a[1], sizeof now) < 0) return -MFR_EFAULT;
  was = mfr_self.action[signo];
  if (c->a[1]) {
    now.mask &= ~MFR_UNMASKABLE;
    mfr_self.action[signo] = now;
    real_action(signo);
  }
  return c->a[2] ? mfr_poke((u64)c->a[2], &was, sizeof was) : 0;
}

static long sigprocmask_call(struct mfr_call *c) {
  u64 set = 0, old = 0, now = 0;
  if ((u64)c->a[3] != 8) return -MFR_EINVAL;
  if (c->a[1] && mfr_peek(&set, (u64)c->a[1], 8) < 0) return -MFR_EFAULT;
  u64 real = set & ((u32)c->a[0] == SIG_UNBLOCK ? ~0ull : ~OURS);
  long r = SYS4(rt_sigprocmask, c->a[0], c->a[1] ? &real : NULL, &old, 8);
  if (r < 0) return r;
  old |= mfr_self.young.hidden;
  if (c->a[1]) {
    u64 *hidden = &mfr_self.young.hidden;
    set &= OURS;
    *hidden = (u32)c->a[0] == SIG_SETMASK ? set : (u32)c->a[0] == SIG_UNBLOCK ? *hidden & ~set : *hidden | set;
    if (c->frame) { // else the return from the trap would undo it
      SYS4(rt_sigprocmask, 0, NULL, &now, 8);
      c->frame->sigmask = now;
    }
  }
  return c->a[2] ? mfr_poke((u64)c->a[2], &old, 8) : 0;
}

static long sigaltstack_call(struct mfr_call *c) {
  long r = SYS2(sigaltstack, c->a[0], c->a[1]);
  if (r == 0 && c->a[0]) {
    SYS2(sigaltstack, NULL, &mfr_self.valt);
    if (c->frame) c->frame->stack = mfr_self.valt;
  }
  return r;
}

// Everything as the guest would have it without us: its own handlers, no dispatch. For threads that cannot be in a
// lane, and before a filter of system calls.
void mfr_child_to_kernel(struct mfr_frame *f) {
  u64 hidden = mfr_self.young.hidden;
  SYS5(prctl, 59 /* PR_SET_SYSCALL_USER_DISPATCH */, 0, 0, 0, 0);
  for (u32 s = 1; s < MFR_NSIG; s++) {
    struct mfr_sigaction act = mfr_self.action[s];
    if (s == MFR_SIGKILL || s == MFR_SIGSTOP || (!(OURS & SIG_BIT(s)) && act.handler <= 1)) continue;
    if (act.handler > 1 && !(act.flags & MFR_SA_RESTORER)) {
      act.flags |= MFR_SA_RESTORER;
      act.restorer = (u64)mfr_restorer;
    }
    if (s == MFR_KICK_SIGNAL && !act.handler) act.handler = 1; // the timer may be about to fire
    SYS4(rt_sigaction, s, &act, NULL, 8);
  }
  SYS4(rt_sigprocmask, 0 /* SIG_BLOCK */, &hidden, NULL, 8);
  if (f) f->sigmask |= hidden;
  mfr_self.mode = MFR_OFF;
}

// ---- the start -------------------------------------------------------------------------------------------
// The signals are blocked, or none has a handler yet.
void mfr_child_starts(void) {
  mfr_self.mode = MFR_CHILD;
  mfr_kicked = 0;
  for (u32 s = 1; s < MFR_NSIG; s++)
    if (mfr_self.action[s].handler > 1) real_action(s);
  mfr_signals_child();
  mfr_arm_dispatch();
  struct mfr_young *y = &mfr_self.young;
  if (y->bare || !mfr_self.tree.tool[0]) return;
  if (!mfr_self.tree.young_ms) {
    y->due = 1;
    return;
  }
  struct { u64 value; i32 signo, notify, tid, pad[11]; } event = {0, MFR_KICK_SIGNAL, 4 /* SIGEV_THREAD_ID */, mfr_self.rpid, {0}};
  struct { i64 interval[2], value[2]; } when = {{0, 0}, {mfr_self.tree.young_ms / 1000, mfr_self.tree.young_ms % 1000 * 1000000ll}};
  i32 timer = 0;
  if (SYS3(timer_create, 1 /* CLOCK_MONOTONIC */, &event, &timer) == 0) SYS4(timer_settime, timer, 0, &when, NULL);
}

// ---- calls that may sleep ----------------------------------------------------------------------------------
// Where a call that is begun again keeps how long it still may take: what is relative to now.
enum left { LEFT_NONE, LEFT_MS, LEFT_TIMESPEC };
static enum left time_left(const struct mfr_call *c, u32 *at) {
  switch (c->nr) {
  case __NR_poll: *at = 2; return LEFT_MS;
  case __NR_epoll_wait:
  case __NR_epoll_pwait: *at = 3; return LEFT_MS;
  case __NR_nanosleep: *at = 0; return LEFT_TIMESPEC;
  case __NR_clock_nanosleep: *at = 2; return c->a[1] & 1 ? LEFT_NONE : LEFT_TIMESPEC;
  case __NR_epoll_pwait2: *at = 3; return LEFT_TIMESPEC;
  case __NR_rt_sigtimedwait: *at = 2; return LEFT_TIMESPEC;
  case __NR_semtimedop: *at = 3; return LEFT_TIMESPEC;
  case __NR_futex: *at = 3; return (c->a[1] & 0x7f) == 0 ? LEFT_TIMESPEC : LEFT_NONE;
  default: return LEFT_NONE; // select, ppoll and their like are told by the kernel
  }
}
static void shorten(struct mfr_call *c, enum left kind, u32 at, u64 since) {
  u64 gone = mfr_now() - since;
  if (kind == LEFT_MS && (i32)c->a[at] > 0) {
    i64 ms = (i32)c->a[at] - (i64)(gone / 1000000);
    c->a[at] = ms > 0 ? ms : 0;
  }
  struct mfr_timespec t;
  if (kind != LEFT_TIMESPEC || !c->a[at] || mfr_peek(&t, (u64)c->a[at], sizeof t) < 0) return;
  i64 left = t.sec * 1000000000ll + t.nsec - (i64)gone;
  if (t.sec > 1000000000) return; // for ever, as far as anybody can tell
  mfr_self.young.left = (struct mfr_timespec){left > 0 ? left / 1000000000 : 0, left > 0 ? left % 1000000000 : 0};
  c->a[at] = (long)&mfr_self.young.left;
}

// A writing call that our timer cut short goes on with the rest.
#define IOV_MOST 64u
static long write_rest(struct mfr_call *c, long done) {
  while ((c->nr == __NR_write || c->nr == __NR_sendto) && done < c->a[2]) {
    long r = mfr_gate(c->nr, c->a[0], c->a[1] + done, c->a[2] - done, c->a[3], c->a[4], c->a[5]);
    if (r <= 0) return done;
    done += r;
  }
  struct mfr_iovec v[IOV_MOST];
  u64 n = (u64)c->a[2];
  if (c->nr != __NR_writev || n > IOV_MOST || mfr_peek(v, (u64)c->a[1], n * sizeof *v) < 0) return done;
  for (u64 i = 0, gone = (u64)done; i < n; i++) {
    u64 skip = gone < v[i].len ? gone : v[i].len;
    gone -= skip;
    for (u64 at = skip; at < v[i].len;) {
      long r = SYS3(write, c->a[0], v[i].base + at, v[i].len - at);
      if (r <= 0) return done;
      at += (u64)r;
      done += r;
    }
  }
  return done;
}

// The masks that a call puts in force while it sleeps must leave our signals alone.
static void open_mask(struct mfr_call *c, u32 at, u64 size, u64 *mask) {
  if (!c->a[at] || size != 8 || mfr_peek(mask, (u64)c->a[at], 8) < 0) return;
  *mask &= ~OURS;
  c->a[at] = (long)mask;
}

static long sleeping_call(struct mfr_call *c, int restarts) {
  u32 at = 0;
  enum left kind = time_left(c, &at);
  u64 since = kind ? mfr_now() : 0, mask;
  struct { u64 set, size; } with = {0, 0};
  for (;;) {
    struct mfr_call q = *c;
    switch (c->nr) {
    case __NR_rt_sigsuspend: open_mask(&q, 0, (u64)c->a[1], &mask); break;
    case __NR_rt_sigtimedwait: open_mask(&q, 0, (u64)c->a[3], &mask); break;
    case __NR_ppoll: open_mask(&q, 3, (u64)c->a[4], &mask); break;
    case __NR_epoll_pwait:
    case __NR_epoll_pwait2: open_mask(&q, 4, (u64)c->a[5], &mask); break;
    case __NR_pselect6:
      if (c->a[5] && mfr_peek(&with, (u64)c->a[5], sizeof with) == 0 && with.set && with.size == 8 &&
          mfr_peek(&mask, with.set, 8) == 0) {
        mask &= ~OURS;
        with.set = (u64)&mask;
        q.a[5] = (long)&with;
      }
      break;
    default: break;
    }
    const u32 *interrupts = restarts ? &mfr_self.young.not_restarting : &mfr_self.young.handled, before = *interrupts;
    long r = mfr_gate_blocking(c->nr, q.a[0], q.a[1], q.a[2], q.a[3], q.a[4], q.a[5]);
    if (likely(!mfr_kicked)) return r;
    mfr_kicked = 0;
    if (before != *interrupts) return r; // the guest was interrupted by a signal of its own, too
    if (r != -MFR_EINTR) return r > 0 ? write_rest(c, r) : r;
    if (kind) shorten(c, kind, at, since);
    since = kind ? mfr_now() : 0;
    if (mfr_promote(c)) return 0;
  }
}

// ---- every call --------------------------------------------------------------------------------------------
// What a set could not take over later.
static int must_be_a_set(const struct mfr_call *c) {
  switch (c->nr) {
  case __NR_mmap: // shared memory that may be written, now or after an mprotect
    return unlikely((c->a[3] & 1) && (c->a[3] & 0x20 /* MAP_ANONYMOUS */ || (SYS2(fcntl, c->a[4], 3 /* F_GETFL */) & 3)));
  case __NR_clone: return (c->a[0] & CLONE_THREAD) != 0;
  case __NR_setitimer: return (u32)c->a[0] != 0 && c->a[1];
  case __NR_timer_create:
  case __NR_signalfd:
  case __NR_signalfd4: return 1;
  default: return 0;
  }
}

long mfr_child_call(struct mfr_call *c) {
  const struct mfr_row *row = c->nr < mfr_row_count && mfr_rows[c->nr].handler ? &mfr_rows[c->nr] : NULL;
  if ((c->nr == __NR_clone || c->nr == __NR_fork || c->nr == __NR_vfork) && !c->frame) // these need the registers
    return mfr_trap(c->nr, c->a[0], c->a[1], c->a[2], c->a[3], c->a[4], c->a[5]);
  if (unlikely(mfr_self.young.due | must_be_a_set(c)) && mfr_promote(c)) return 0;
  switch (c->nr) {
  case __NR_rt_sigaction: return sigaction_call(c);
  case __NR_rt_sigprocmask: return sigprocmask_call(c);
  case __NR_sigaltstack: return sigaltstack_call(c);
  case __NR_fork: return mfr_call_fork(c);
  case __NR_vfork: return mfr_call_vfork(c);
  case __NR_clone: return mfr_call_clone(c);
  case __NR_clone3: return -MFR_ENOSYS;
  case __NR_execve: return mfr_call_execve(c);
  case __NR_execveat: return mfr_call_execveat(c);
  case __NR_exit:
  case __NR_exit_group:
    mfr_spawn_failed();
    break;
  case __NR_prctl:
    if ((u32)c->a[0] == 59 /* PR_SET_SYSCALL_USER_DISPATCH */) return -MFR_EINVAL;
    if ((u32)c->a[0] == 22 /* PR_SET_SECCOMP */) mfr_child_to_kernel(c->frame);
    break;
  case __NR_seccomp:
    mfr_child_to_kernel(c->frame);
    break;
  case __NR_madvise: // as in a set, whose replicas are made by fork (calls/mapping.c)
    if ((u32)c->a[2] == 18 /* MADV_WIPEONFORK */) return -MFR_EINVAL;
    if ((u32)c->a[2] == 10 /* MADV_DONTFORK */) return SYS3(madvise, c->a[0], c->a[1], 11 /* MADV_DOFORK */);
    break;
  case __NR_unshare:
  case __NR_setns:
  case __NR_ptrace:
    mfr_self.young.never = 1;
    break;
  default:
    break;
  }
  if (unlikely(!row || row->class == REFUSED)) return -MFR_ENOSYS;
  if (row->flags & BLOCKS) return sleeping_call(c, row->flags & RESTARTS);
  return mfr_gate(c->nr, c->a[0], c->a[1], c->a[2], c->a[3], c->a[4], c->a[5]);
}
