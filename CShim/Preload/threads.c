// threads.c - the guest's threads: contexts that the one kernel thread of a replica runs in turn.
//
// Which one runs is a function of the calls they make (futexes are emulated, calls/futex.c) and of the lane. What
// comes from outside - a descriptor is ready, time has passed, a signal - wakes a thread by an *event*, a slot of
// its own (number of sched_yield, which has no slot otherwise) that names those to wake. The leader waits for all
// that its threads wait for in one ppoll. A thread that is woken makes its call anew; the slot that put it off says
// MFR_PARK. So a waiting thread is nothing but memory: cloning a replica clones its threads.
//
// The states of a thread:
//  1. RUNS, the one in mfr_self.thread or in the run queue: at the end of each call it goes to the queue's end
//  2. WAITS in the futex queue only (outside = 0): another thread wakes it, or a signal
//  3. WAITS for the outside as well: an event wakes it
//  4. FREE: ended
#include "shim.h"

#define MOST_THREADS 4096u
#define PLACE_BYTES (128u << 10) // of address space for one thread: guard page, stack, struct mfr_thread
#define PLACES_AT_ONCE 8u
#define SWITCHES_TO_LOOK 64u     // turns passed on without any slot, until all replicas look

#define AT_HWCAP2_FSGSBASE 2u

_Static_assert(sizeof(struct mfr_thread) + (40u << 10) < PLACE_BYTES, "a thread's place holds stack and state");

struct mfr_thread *mfr_thread_table[MOST_THREADS];
u32 mfr_thread_places;
static struct mfr_thread first;
static u32 made;           // threads begun so far
static u32 switches;       // since the last slot of the lane
static u64 slot_then;
static u32 turns;          // since slot `turns_at` began: how often a call has ended or the turn has gone on
static u64 turns_at;
static int fsgsbase;       // the processor lets us read and write FS and GS
static int compact;        // XSAVEC
static u64 unused_at, unused_end; // address space for further threads
static u64 calls;          // ends of calls, so that the tick sees a thread that makes none
static i32 ticker = -1;    // a timer of the kernel's
static int ticking;
static u64 calls_then;     // when the tick was set

// ---- what the processor holds of a thread ------------------------------------------------------------------
static u64 read_fs(void) {
  u64 v = 0;
  if (fsgsbase) __asm__ volatile("rdfsbase %0" : "=r"(v));
  else SYS2(arch_prctl, 0x1003 /* ARCH_GET_FS */, &v);
  return v;
}
static u64 read_gs(void) {
  u64 v = 0;
  if (fsgsbase) __asm__ volatile("rdgsbase %0" : "=r"(v));
  else SYS2(arch_prctl, 0x1004 /* ARCH_GET_GS */, &v);
  return v;
}
static void write_fs_gs(u64 fs, u64 gs) {
  if (fsgsbase) {
    __asm__ volatile("wrfsbase %0" : : "r"(fs));
    __asm__ volatile("wrgsbase %0" : : "r"(gs));
  } else {
    SYS2(arch_prctl, 0x1002 /* ARCH_SET_FS */, fs);
    SYS2(arch_prctl, 0x1001 /* ARCH_SET_GS */, gs);
  }
}

// x87, SSE, AVX, AVX-512 and PKRU; tiles (AMX) never live across a call.
#define VECTOR_LOW 0x2e7u
__attribute__((noinline)) static void save_vectors(struct mfr_thread *t) {
  if (compact) __asm__ volatile("xsavec64 %0" : "=m"(t->vector) : "a"(VECTOR_LOW), "d"(0) : "memory");
  else __asm__ volatile("xsave64 %0" : "=m"(t->vector) : "a"(VECTOR_LOW), "d"(0) : "memory");
}
__attribute__((noinline)) static void load_vectors(const struct mfr_thread *t) {
  __asm__ volatile("xrstor64 %0" : : "m"(t->vector), "a"(VECTOR_LOW), "d"(0) : "memory");
}
static void ask_processor(void) {
  u32 a = 0xd, b, c = 1, d;
  __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
  compact = a >> 1 & 1;
}

// ---- the run queue -------------------------------------------------------------------------------------------
void mfr_turn_push(struct mfr_thread *t) {
  t->next = NULL;
  if (mfr_self.runnable_last) mfr_self.runnable_last->next = t;
  else mfr_self.runnable = t;
  mfr_self.runnable_last = t;
}
static struct mfr_thread *pop(void) {
  struct mfr_thread *t = mfr_self.runnable;
  if (!t) return NULL;
  mfr_self.runnable = t->next;
  if (!t->next) mfr_self.runnable_last = NULL;
  return t;
}

u32 mfr_thread_count(void) { return mfr_self.threads; }

struct mfr_thread *mfr_thread_of(i32 tid) {
  for (u32 i = 0; i < mfr_thread_places; i++)
    if (mfr_thread_table[i]->state != MFR_THREAD_FREE && mfr_thread_table[i]->tid == tid) return mfr_thread_table[i];
  return NULL;
}

// ---- the switch ------------------------------------------------------------------------------------------------
static void arrive(void) {
  struct mfr_thread *t = mfr_self.thread;
  write_fs_gs(t->fs, t->gs);
  load_vectors(t);
}

static void switch_to(struct mfr_thread *to) {
  struct mfr_thread *from = mfr_self.thread;
  if (to == from) return;
  from->fs = read_fs();
  from->gs = read_gs();
  save_vectors(from);
  from->saved = mfr_self.per_thread;
  // Its handler runs on the alternate stack of its own: the next thread faults on ours. The flag stays with it.
  if (unlikely(mfr_self.alt_is_guest | from->lent_alt)) mfr_real_alt();
  mfr_self.thread = to;
  mfr_stack_top = to->stack_top;
  mfr_self.per_thread = to->saved;
  mfr_switch(&from->rsp, to->rsp);
  arrive();
}

static void begin(void) __attribute__((noreturn));
static void begin(void) {
  arrive();
  mfr_self.thread->start.rip = mfr_behind_site(mfr_self.thread->start.rip);
  mfr_enter_frame(&mfr_self.thread->start);
}

// ---- turns -----------------------------------------------------------------------------------------------------
static inline void count_turn(void) {
  if (turns_at != mfr_self.seq) turns_at = mfr_self.seq, turns = 0;
  turns++;
}
// Which stretch of the guest's code between two slots this is: the one after so many ends of calls and waits.
u32 mfr_turn_position(void) { return turns_at == mfr_self.seq ? turns : 0; }

void mfr_turn_next(void) {
  struct mfr_thread *to;
  count_turn();
  while (!(to = pop())) mfr_events(1, 0, 0, 0);
  switch_to(to);
}

void mfr_thread_wake(struct mfr_thread *t, u32 why) {
  if (t->state != MFR_THREAD_WAITS) return;
  if (t->in_futex) mfr_futex_leave(t);
  mfr_self.waiting--;
  mfr_self.wait_outside -= t->outside;
  t->outside = 0;
  t->state = MFR_THREAD_RUNS;
  t->woken = why;
  mfr_turn_push(t);
}

void mfr_thread_wait(u32 outside) {
  struct mfr_thread *t = mfr_self.thread;
  t->state = MFR_THREAD_WAITS;
  t->outside = outside;
  mfr_self.waiting++;
  mfr_self.wait_outside += outside;
  mfr_turn_next();
}

void mfr_thread_put_off(void) {
  struct mfr_thread *t = mfr_self.thread;
  if (!t->started) {
    t->started = mfr_now();
    t->put_off_at = mfr_self.seq;
  }
  mfr_thread_wait(1);
}

u64 mfr_call_started(void) { return mfr_self.thread->started ? mfr_self.thread->started : mfr_now(); }

// ---- a thread that computes ---------------------------------------------------------------------------------------
// It gives up its turn at its next call, and would keep the others waiting until then - for ever, when it spins on
// memory that one of them is to change. A tick finds it between the same two calls: the leader takes the turn away
// there, in an event slot marked MFR_SLOT_ASYNC. A follower does so at its next call, or at its own tick. Where
// exactly between the two calls may show in what the guest does next: that is a divergence, and heals.
#define TICK_NS 20000000ll // of processor time: a replica that the machine keeps waiting does not compute

static void set_tick(void) {
  struct { u64 value; i32 signo, notify, tid; u8 rest[44]; } event;
  struct { struct mfr_timespec every, first; } when = {{0, 0}, {0, TICK_NS}};
  if (ticker < 0) {
    memset(&event, 0, sizeof event);
    event.signo = MFR_KICK_SIGNAL;
    event.notify = 4; // SIGEV_THREAD_ID
    event.tid = mfr_self.rpid;
    if (SYS3(timer_create, 3 /* CLOCK_THREAD_CPUTIME_ID */, &event, &ticker) < 0) {
      ticking = 1; // none to be had
      return;
    }
  }
  calls_then = calls;
  ticking = SYS4(timer_settime, ticker, 0, &when, NULL) == 0;
}
// Also when a signal waits for the thread that runs: one thread has sent it to another, and nobody kicks for it.
static inline void want_tick(void) {
  if (unlikely(!ticking) && (mfr_self.runnable || mfr_self.wait_outside || mfr_deliverable())) set_tick();
}
// In a clone there is no such timer.
void mfr_threads_cloned(void) {
  ticker = -1;
  ticking = 0;
  for (u32 i = 0; i < mfr_thread_places; i++) {
    struct mfr_thread *t = mfr_thread_table[i];
    if (t->proxy) t->known = 0;
    t->proxy = NULL;
  }
  mfr_proxies_cloned();
  if (mfr_self.threads > 1) set_tick(); // its thread may compute from here on
}

int mfr_leads(void) { return (mfr_load_acquire64(&mfr_self.h->grant) & 0xff) == mfr_self.index; }
// Follower: the leader has taken the turn away between the call before and the one to come.
static int taken_away(void) {
  const struct mfr_slot *slot = mfr_slot_at(mfr_self.base, mfr_self.seq);
  u64 w = mfr_load_acquire64(&slot->word);
  if (!mfr_word_is_seq(w, mfr_self.seq) || mfr_word_state(w) != MFR_SLOT_DONE || mfr_word_nr(w) != __NR_sched_yield ||
      !(slot->flags & MFR_SLOT_ASYNC))
    return 0;
  u32 at;
  __builtin_memcpy(&at, slot->inline_data, 4);
  return mfr_turn_position() >= at; // behind the same call or wait, also of those that have no slot
}
static long take_away(struct mfr_call *c) {
  (void)c;
  struct mfr_turn t;
  if (taken_away()) {
    if (mfr_lane_enter(&t, __NR_sched_yield, 0) == MFR_ROLE_FOLLOW) mfr_pass_event(&t);
    return 0;
  }
  if (mfr_slot_has_call()) return 0;
  u64 seq = mfr_self.seq;
  u32 n = mfr_self.runnable ? 0 : mfr_look();
  if (!mfr_self.runnable && !n) return 0;
  mfr_events(0, n, 1, 1);
  if (seq == mfr_self.seq) return 0; // somebody else leads by now
  mfr_turn_push(mfr_self.thread);
  mfr_turn_next();
  return 0;
}

// At the beginning of a call.
void mfr_threads_async(void) {
  if (unlikely(taken_away())) mfr_on_own_stack(take_away, NULL);
}
// In the handler of the tick; 1: it is a thread that computes, and `take_turn` will do something.
int mfr_tick(int in_guest) {
  ticking = 0;
  if (mfr_self.threads < 2 || !in_guest) return 0;
  int computes = calls == calls_then;
  want_tick();
  return computes && (mfr_leads() ? mfr_self.runnable || mfr_self.wait_outside : taken_away());
}
void mfr_take_turn(void) { mfr_on_own_stack(take_away, NULL); }

static long yield(struct mfr_call *c) {
  (void)c;
  calls++;
  count_turn();
  want_tick();
  // Turns that pass without a slot are counted alike by all replicas: now and then they look outside together.
  if (slot_then != mfr_self.seq) {
    slot_then = mfr_self.seq;
    switches = 0;
  } else if (++switches >= SWITCHES_TO_LOOK) {
    switches = 0;
    if (mfr_self.wait_outside) mfr_events(0, 0, 0, 0);
    slot_then = mfr_self.seq;
  }
  if (!mfr_self.runnable) return 0;
  mfr_turn_push(mfr_self.thread);
  mfr_turn_next();
  return 0;
}
void mfr_thread_yield(void) { mfr_on_own_stack(yield, NULL); }

// A thread that nobody else keeps company: what it waits for may come from outside.
void mfr_thread_yields(void) {
  if (!mfr_self.runnable) yield(NULL); // else the end of the call passes the turn on
}

// ---- beginning and end ---------------------------------------------------------------------------------------------
static struct mfr_thread *new_place(void) {
  for (u32 i = 1; i < mfr_thread_places; i++)
    if (mfr_thread_table[i]->state == MFR_THREAD_FREE) return mfr_thread_table[i];
  if (mfr_thread_places == MOST_THREADS) return NULL;
  if (unused_at == unused_end) {
    // A call in the lane: it lies at the same place in all replicas, and is reckoned with when the guest maps.
    struct mfr_call c;
    memset(&c, 0, sizeof c);
    c.nr = __NR_mmap;
    c.a[1] = PLACES_AT_ONCE * PLACE_BYTES, c.a[2] = 3, c.a[3] = 0x4022 /* private, anonymous, not reserved */, c.a[4] = -1;
    u32 hold = mfr_self.hold_signals;
    mfr_self.hold_signals = 1;
    long at = mfr_rows[__NR_mmap].handler(&c);
    mfr_self.hold_signals = hold;
    if (at < 0 && at > -4096) return NULL;
    unused_at = (u64)at;
    unused_end = (u64)at + PLACES_AT_ONCE * PLACE_BYTES;
    for (u32 i = 0; i < PLACES_AT_ONCE; i++) SYS3(mprotect, unused_at + i * PLACE_BYTES, MFR_PAGE, 0);
  }
  u64 state = (unused_at + PLACE_BYTES - sizeof(struct mfr_thread)) & ~63ull;
  struct mfr_thread *t = (struct mfr_thread *)state;
  unused_at += PLACE_BYTES;
  t->stack_top = (u8 *)(state & ~63ull);
  t->number = mfr_thread_places;
  mfr_thread_table[mfr_thread_places++] = t;
  return t;
}

long mfr_thread_create(struct mfr_call *c) {
  u64 flags = (u64)c->a[0];
  struct mfr_thread *t = new_place();
  if (!t) return -MFR_EAGAIN;
  if (!mfr_self.threaded) SYS2(prctl, 16 /* PR_GET_NAME */, first.name);
  mfr_self.threaded = 1;
  t->tid = MFR_FIRST_TID + (i32)made++;
  t->state = MFR_THREAD_RUNS;
  t->outside = t->in_futex = t->known = t->waits_pi = t->lent_alt = 0;
  t->deadline = t->started = t->sigwait = t->robust = 0;
  t->proxy = NULL;
  memcpy(t->name, mfr_self.thread->name, sizeof t->name);
  memset(&t->saved, 0, sizeof t->saved);
  t->saved.vmask = mfr_self.vmask;
  t->saved.valt.flags = 2; // SS_DISABLE
  t->start = *c->frame;
  if (c->a[1]) t->start.rsp = (u64)c->a[1];
  t->fs = flags & 0x80000 /* CLONE_SETTLS */ ? (u64)c->a[4] : read_fs();
  t->gs = read_gs();
  t->clear_tid = flags & 0x200000 /* CLONE_CHILD_CLEARTID */ ? (u64)c->a[3] : 0;
  // The processor's own state is that of our handler: what the guest's was is in the frame (legacy area: x87, SSE).
  memset(t->vector, 0, 1024);
  if (c->frame->fpstate) {
    memcpy(t->vector, (const void *)c->frame->fpstate, 512);
    t->vector[512] = 3; // XSTATE_BV: these two; the others begin as they are in a new program
  }
  memset(t->vector + 464, 0, 48); // the kernel's own words
  if (MFR_TRY()) {
    if (flags & 0x100000 /* CLONE_PARENT_SETTID */) *(i32 *)c->a[2] = t->tid;
    if (flags & 0x1000000 /* CLONE_CHILD_SETTID */) *(i32 *)c->a[3] = t->tid;
    MFR_TRY_END();
  }
  u64 *sp = (u64 *)(void *)t->stack_top - 2;
  *--sp = (u64)begin; // mfr_switch returns there, with the stack as after a call
  for (u32 i = 0; i < 6; i++) *--sp = 0;
  t->rsp = (u64)sp;
  mfr_self.threads++;
  mfr_turn_push(t);
  return t->tid;
}

// Mutexes that it still holds say that their owner has died (kernel/futex/core.c, exit_robust_list).
static void let_go(u64 at, i32 tid, int pi) {
  u32 *word = (u32 *)at;
  u32 v = *word;
  if ((v & 0x3fffffff) != (u32)tid) return;
  *word = (v & 0x80000000) | 0x40000000;
  if (!pi && (v & 0x80000000)) mfr_futex_emulated_wake(at, 1, ~0u);
}
static void let_all_go(struct mfr_thread *t) {
  if (!t->robust) return;
  if (MFR_TRY()) {
    const u64 *head = (const u64 *)t->robust; // next, offset, pending
    u64 at = head[0], pending = head[2];
    for (u32 i = 0; (at & ~1ull) != t->robust && i < 2048; i++) {
      u64 next = *(const u64 *)(at & ~1ull);
      if (at != pending) let_go((at & ~1ull) + head[1], t->tid, at & 1);
      at = next;
    }
    if (pending) let_go((pending & ~1ull) + head[1], t->tid, pending & 1);
    MFR_TRY_END();
  }
}

void mfr_thread_exit(void) {
  struct mfr_thread *t = mfr_self.thread;
  mfr_futex_owner_ends(t->tid);
  let_all_go(t);
  if (t->clear_tid) {
    if (MFR_TRY()) {
      *(i32 *)t->clear_tid = 0;
      MFR_TRY_END();
    }
    mfr_futex_emulated_wake(t->clear_tid, 1, ~0u);
    SYS3(futex, t->clear_tid, 1 /* FUTEX_WAKE */, 1); // who joins it may wait in the kernel (between_processes)
  }
  // What was for it alone is gone.
  for (u32 s = 1; s < MFR_NSIG; s++) {
    u64 word = 0;
    if (!(mfr_load_relaxed64(&mfr_self.h->sig_pending) & SIG_BIT(s))) continue;
    struct mfr_pending *p;
    while ((p = mfr_signal_next(mfr_self.base, s, t->tid, &word)) && p->target == t->tid)
      mfr_signal_drop(mfr_self.base, s, mfr_pending_ticket(word));
  }
  t->state = MFR_THREAD_FREE;
  mfr_self.threads--;
  mfr_turn_next();
  __builtin_trap(); // nobody comes back to it
}

void mfr_threads_forked(void) {
  struct mfr_thread *t = mfr_self.thread;
  for (u32 i = 0; i < mfr_thread_places; i++)
    if (mfr_thread_table[i] != t) mfr_thread_table[i]->state = MFR_THREAD_FREE;
  mfr_self.threads = 1;
  mfr_self.runnable = mfr_self.runnable_last = NULL;
  mfr_self.wait_outside = mfr_self.waiting = 0;
}

void mfr_threads_init(void) {
  first.stack_top = mfr_own_stack_top;
  first.tid = mfr_self.vpid;
  first.state = MFR_THREAD_RUNS;
  mfr_thread_table[0] = &first;
  mfr_thread_places = 1;
  mfr_self.thread = &first;
  mfr_self.threads = 1;
  u64 bytes = 0; // libc has told both before we were there
  SYS3(get_robust_list, 0, &first.robust, &bytes);
  SYS5(prctl, 40 /* PR_GET_TID_ADDRESS */, &first.clear_tid, 0, 0, 0);
  ask_processor();
}
// A process with one thread, which was no set so far, has become one.
void mfr_threads_begin(u64 clear_tid, u64 robust) {
  mfr_threads_cloned();
  memset(&first, 0, sizeof first);
  mfr_threads_init();
  first.clear_tid = clear_tid;
  first.robust = robust;
  mfr_stack_top = first.stack_top;
  mfr_self.threaded = 0;
}
void mfr_threads_hwcap(u64 hwcap2) { fsgsbase = (hwcap2 & AT_HWCAP2_FSGSBASE) != 0; }
