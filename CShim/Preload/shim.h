// shim.h - what the files of the shim share.
//
// Laws of everything under CShim/Preload (it lives in somebody else's process):
//  - No libc in the core: no malloc, no stdio, no errno, no TLS. Only init.c and entries.c may call libc.
//  - Async-signal-safe throughout; every system call goes through the gate (gate.S).
//  - No vector register is touched outside gate.S, which puts back what it uses: patched call sites
//    rely on it, since the kernel keeps vector registers across a system call.
//  - Guest memory is only touched inside MFR_TRY, or where a fault is the guest's own anyway.
//  - State that another process must see lies in the buffer (mfr_abi.h); all else is `mfr_self`.
#ifndef MFR_SHIM_H
#define MFR_SHIM_H

#include "kernel.h"
#include "mfr_abi.h"
#include "self.h"

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

// ---- the table -----------------------------------------------------------------------------------
enum mfr_class { LOCAL, SHARED, IDENTITY, STRUCTURAL, REFUSED };
enum mfr_commit {
  NONE, REPEAT, COUNT_IN, COUNT_OUT, COUNT_RW, RECORD, POSITION, NEWFD, NEWFD2, CLOSED,
  GONE_KIND, MADE_KIND, STATE, CHILD, LOOK,
};
enum { BLOCKS = 1, CLOSES = 2, RESTARTS = 4, CREDS = 8 };
enum mfr_arg_kind {
  ARG_NONE, ARG_INT, ARG_LONG, ARG_FD, ARG_SKIP, ARG_STR, ARG_PATH, ARG_IN, ARG_IN_ARG, ARG_IN_N,
  ARG_OUT, ARG_OUT_RET, ARG_OUT_ARG, ARG_OUT_RETN, ARG_INOUT, ARG_INOUT_N, ARG_OUT_LEN, ARG_LENP,
  ARG_IOV_IN, ARG_IOV_OUT, ARG_PID, ARG_PEEK,
};
#define MFR_ARG_KIND(a) ((a) & 0xff)
#define MFR_ARG_REF(a) (((a) >> 8) & 0xff)
#define MFR_ARG_SIZE(a) ((a) >> 16)

struct mfr_frame; // registers at a trapped call
struct mfr_call;

typedef long mfr_handler(struct mfr_call *c);

struct mfr_row {
  const char *name;
  mfr_handler *handler;
  u8 class, commit, commit_arg, flags, arity;
  u32 arg[6];
};
extern const struct mfr_row mfr_rows[];
extern const u32 mfr_row_count;
const struct mfr_row *mfr_row_of(u32 nr);

// ---- the gate (gate.S) ---------------------------------------------------------------------------
extern long mfr_gate(long nr, long a0, long a1, long a2, long a3, long a4, long a5);
// The same, but answers -EINTR without calling when mfr_kicked is set, with no window in between.
extern long mfr_gate_blocking(long nr, long a0, long a1, long a2, long a3, long a4, long a5);
extern const char mfr_gate_start[], mfr_gate_end[];
extern const char mfr_blocking_start[], mfr_blocking_syscall[], mfr_blocking_abort[];
extern void mfr_restorer(void);
extern void mfr_patched_entry(void);
// Runs fn(arg) on the shim's own stack: what a leader and a follower do differently must not show in
// the guest's stack, where a later call of the guest may pick up what was left there.
extern long mfr_on_own_stack(long (*fn)(struct mfr_call *), struct mfr_call *arg);
// The last thing before the guest goes on: nothing that only this replica has known stays in a register, from where
// the frame of the next call that traps would take it to the guest's stack.
static inline long mfr_clean_registers(long result) {
  __asm__ volatile("xor %%ecx, %%ecx; xor %%edx, %%edx; xor %%esi, %%esi; xor %%edi, %%edi\n"
                   "xor %%r8d, %%r8d; xor %%r9d, %%r9d; xor %%r10d, %%r10d; xor %%r11d, %%r11d"
                   : "+a"(result) : : "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "cc");
  return result;
}
// A system call from outside the gate: comes back in through SIGSYS, with the registers in a frame.
extern long mfr_trap(long nr, long a0, long a1, long a2, long a3, long a4, long a5);
extern void mfr_resume(struct mfr_frame *f) __attribute__((noreturn));
extern u64 mfr_hash_aes(const void *p, u64 blocks64, u64 seed);
extern volatile u32 mfr_kicked;
#define MFR_OWN_STACK 65536u
extern u8 mfr_own_stack[], mfr_own_stack_top[];
extern u8 *mfr_stack_top; // of the thread that runs
// From the linker: the shim's own text.
extern const char __ehdr_start[] __attribute__((visibility("hidden")));
extern const char etext[] __attribute__((visibility("hidden")));

#define SYS0(n) mfr_gate(__NR_##n, 0, 0, 0, 0, 0, 0)
#define SYS1(n, a) mfr_gate(__NR_##n, (long)(a), 0, 0, 0, 0, 0)
#define SYS2(n, a, b) mfr_gate(__NR_##n, (long)(a), (long)(b), 0, 0, 0, 0)
#define SYS3(n, a, b, c) mfr_gate(__NR_##n, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define SYS4(n, a, b, c, d) mfr_gate(__NR_##n, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define SYS5(n, a, b, c, d, e) \
  mfr_gate(__NR_##n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)
#define SYS6(n, a, b, c, d, e, f) \
  mfr_gate(__NR_##n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

// Protected access to guest memory. `if (MFR_TRY()) { access; MFR_TRY_END(); } else { it faulted }`
extern int mfr_try_save(struct mfr_try_buf *b) __attribute__((returns_twice));
#define MFR_TRY() (mfr_try_save(&mfr_self.try_buf) == 0 && mfr_try_begin())
#define MFR_TRY_END() mfr_try_end()
// The compiler may move no access out of the two, nor leave the stores out.
static inline int mfr_try_begin(void) {
  mfr_self.try_active = 1;
  __asm__ volatile("" ::: "memory");
  return 1;
}
static inline void mfr_try_end(void) {
  __asm__ volatile("" ::: "memory");
  mfr_self.try_active = 0;
}

// ---- a call that passes the shim ----------------------------------------------------------------------
struct mfr_call {
  u32 nr;
  u32 no_restart;          // no handler's SA_RESTART makes this call go on
  u32 signo;               // a signal to deliver on return, 0 = none; its siginfo is `info`
  long a[6];
  struct mfr_frame *frame; // NULL when the call came through a libc entry or a patched site
  u32 kicked;              // after a lane call: it may have been cut short for something the guest does not see
  struct mfr_siginfo info; // only with signo
};

// ---- lane.c ------------------------------------------------------------------------------------
enum mfr_role { MFR_ROLE_SOLO, MFR_ROLE_LEAD, MFR_ROLE_FOLLOW };
struct mfr_turn {
  struct mfr_slot *slot;
  u64 identity, out_hash;
  u8 *data;       // leader: start of the slot's data area
  u32 retry;      // leader: an earlier owner died trying
  u32 blocking;
};
// Comes to the next slot. `need`: bytes of data the leader may put into it.
enum mfr_role mfr_lane_enter(struct mfr_turn *t, u32 nr, u64 need);
void mfr_lane_begin(struct mfr_turn *t); // leader, just before the call
void mfr_lane_publish(struct mfr_turn *t, u32 nr, long result, u32 data_len, u32 flags, u32 signo,
                      i64 in_bytes, i64 out_bytes);
// Leader, after mfr_lane_publish: it needs the slot's data no more. Before that, another one that takes the lead over may
// be a whole ring further, and must not write where this one still reads.
static inline void mfr_lane_consumed(void) {
  mfr_store_release64(&mfr_self.me->data_pos, mfr_self.data_pos); // pairs with has_room
}
void mfr_lane_pass(struct mfr_turn *t); // follower: checked and copied, go on
int mfr_lane_check(struct mfr_turn *t, u32 nr); // 1: enter again
void mfr_lane_solo_done(void);
// The next slot belongs to a call: it is claimed, done, or a dead leader's who may have made it. Nothing else may be put
// before it, or nobody would look whether it happened.
int mfr_slot_has_call(void);
void mfr_wake_parked(void);
void mfr_wake_coordinator(void);
int mfr_alone(void);
// Leader: waits until every follower has passed slot `seq` (its local part of a mapping is made).
void mfr_rendezvous(u64 seq);
void mfr_before_block(struct mfr_turn *t);
void mfr_futex_wake(u32 *word);
long mfr_futex_wait(u32 *word, u32 value, const struct mfr_timespec *timeout);
u64 mfr_now(void);

// Makes a blocking call as leader or alone: serves requests and answers -EINTR only when a signal
// is to be delivered. Sets *joiner when this process is a clone made meanwhile: re-enter the lane.
long mfr_blocking(struct mfr_turn *t, long nr, const long *a, int *joiner);
// One attempt: MFR_AGAIN when it was interrupted for something that the guest does not see. For
// callers that must work out a time-out afresh.
#define MFR_AGAIN (-516)
long mfr_blocking_step(struct mfr_turn *t, long nr, const long *a, int *joiner);

// ---- threads.c -----------------------------------------------------------------------------------
#define MFR_PARK (-517) // put off: the thread waits, and makes the call again when it is woken
// One thread of the guest runs at a time, on the one kernel thread of the replica. It gives up its turn inside
// a call: to those that could run, first in, first out.
void mfr_threads_init(void);
long mfr_thread_create(struct mfr_call *c);
void mfr_thread_exit(void) __attribute__((noreturn)); // not for the last one
void mfr_thread_yield(void);                          // at the end of each call
void mfr_thread_yields(void);                         // sched_yield
void mfr_thread_wait(u32 outside);                    // until it is woken
void mfr_thread_wake(struct mfr_thread *t, u32 why);
void mfr_thread_put_off(void);                        // behind a slot that says MFR_PARK
void mfr_threads_look(void);                          // leader, before a call: does the outside wake somebody?
void mfr_threads_begin(u64 clear_tid, u64 robust);
void mfr_threads_forked(void);                        // the child of a fork has only the thread that forked
// Whether to block would keep others from running: 1, or 0 and until when it would not (CLOCK_MONOTONIC, 0: ever).
int mfr_others_wait(u64 *until);
long mfr_wait_until(struct mfr_turn *t, long nr, const long *a, u64 until);
long mfr_try_or_park(long nr, const long *a);         // the attempt of a call that may not block
long mfr_made_at_once(long nr, const long *a); // a signal is due: the result, or -EINTR where it would sleep
void mfr_wait_for_child(u32 seen);                    // what the running thread is to wait for: a child changes
void mfr_threads_cloned(void);
void mfr_threads_async(void);
int mfr_tick(int in_guest);
void mfr_take_turn(void);
// proxy.c: kernel threads that wait in calls which nothing else can wait for.
long mfr_by_proxy(long nr, const long *a);            // the result, or MFR_PARK
int mfr_proxy_done(const struct mfr_thread *t);
long mfr_proxy_stop(void);                            // of the running thread: -EINTR, or what it had done already
void mfr_proxies_cloned(void);
int mfr_proxy_inherit(long *result);                  // the kernel thread of the leader before has come to the end
int mfr_made_before(long nr, long *result);           // a call that was put off has come to its end meanwhile
long mfr_result_of_second(long nr, long r);           // what a call that was put off says that had come to its end
int mfr_on_proxy(u64 rsp);                            // a stack pointer is a proxy's
int mfr_is_event(const struct mfr_turn *t);           // follower: the slot wakes threads
void mfr_pass_event(struct mfr_turn *t);
struct mfr_thread *mfr_thread_of(i32 tid);
static inline int mfr_is_own_id(i32 id) { // the guest's pid, or the id of one of its threads
  return id == mfr_self.vpid || (id >= MFR_FIRST_TID && mfr_thread_of(id));
}
void mfr_threads_hwcap(u64 hwcap2);
u64 mfr_call_started(void);                           // CLOCK_MONOTONIC: now, or when the call was first put off
int mfr_may_take(u32 signo, i32 target);              // a pending signal is the running thread's
u32 mfr_thread_count(void);
void mfr_turn_push(struct mfr_thread *t);             // to the end of the run queue
void mfr_turn_next(void);                             // the turn goes on; comes back when it is this thread's again
u32 mfr_turn_position(void);
int mfr_leads(void);
// outside.c. optional: only a leader does it. preempts: the running thread is made to give up its turn (MFR_SLOT_ASYNC).
void mfr_events(int wait, u32 ready, int preempts, int optional);
u32 mfr_look(void);                                   // leader, without waiting: how many are to be woken
int mfr_signal_is_for(struct mfr_thread *t, u64 pending);
extern struct mfr_thread *mfr_thread_table[];
extern u32 mfr_thread_places;
extern long mfr_switch(u64 *save, u64 load);          // gate.S
extern void mfr_enter_frame(const struct mfr_frame *f) __attribute__((noreturn));
u32 mfr_futex_emulated_wake(u64 at, u32 most, u32 bits); // calls/futex.c
void mfr_futex_leave(struct mfr_thread *t);
void mfr_futex_owner_ends(i32 tid);

// Bytes that a call moved, for the account that settlement reads. Once the call is published.
static inline void mfr_account(u64 in, u64 out) {
  if (in) mfr_self.in_sum += in, mfr_store_release64(&mfr_self.me->in_sum, mfr_self.in_sum);
  if (out) mfr_self.out_sum += out, mfr_store_release64(&mfr_self.me->out_sum, mfr_self.out_sum);
}

// ---- repair.c ------------------------------------------------------------------------------------
void mfr_buffer_broken(u32 page, struct mfr_frame *f);
void mfr_touch_claim(void);

// ---- clone.c -------------------------------------------------------------------------------------
void mfr_serve_requests(void);
// Something is asked of this replica that it has not begun: work on memory stays requested until it is done.
static inline int mfr_has_requests(void) {
  return (mfr_load_acquire32(&mfr_self.me->request) & ~mfr_self.memory_work) != 0;
}
int mfr_clone_replica(u32 index);
void mfr_end_with_anchor(void);
void mfr_arm_dispatch(void);
// unshare.c: memory of its own for a clone, huge pages for whoever will be cloned. One step, about half a millisecond.
void mfr_memory_asked(u32 what);
int mfr_memory_step(void);
void mfr_memory_before_block(void);
// The kernel tells the anchor of this replica's death at once (mfr_replica.alive), by the robust list of its one kernel
// thread; the guest's own lists are kept by the shim. mfr_unmark_alive gives the kernel the guest's.
void mfr_mark_alive(void);
void mfr_unmark_alive(void);

// ---- shared.c --------------------------------------------------------------------------------------
// The shape of a shared call. `ctx` is the caller's own, on its stack.
struct mfr_shape {
  // Hashes the inputs, says how many bytes of data the outputs may need. Not called when alone.
  u64 (*prepare)(struct mfr_call *c, void *ctx, u64 *hash);
  // Carries the call out. data: the slot's data area; NULL when alone (use the guest's memory).
  // MFR_AGAIN: start over (a request was served, or this process became a joiner).
  long (*produce)(struct mfr_call *c, void *ctx, struct mfr_turn *t, u8 *data);
  // Bytes of data in use, from the result.
  u32 (*used)(struct mfr_call *c, void *ctx, const u8 *data, long result);
  // Brings the outputs into guest memory; leader and followers. Runs under MFR_TRY.
  void (*consume)(struct mfr_call *c, void *ctx, const u8 *data, long result);
  // Last, also alone: what the guest sees. May be NULL.
  long (*finish)(struct mfr_call *c, void *ctx, long result);
};
// Of shapes without inputs: those that put no data into the slot, and those that put eight bytes there.
u64 mfr_no_prepare(struct mfr_call *c, void *ctx, u64 *hash);
u32 mfr_no_used(struct mfr_call *c, void *ctx, const u8 *data, long result);
void mfr_no_consume(struct mfr_call *c, void *ctx, const u8 *data, long result);
u64 mfr_eight_prepare(struct mfr_call *c, void *ctx, u64 *hash);
u32 mfr_eight_used(struct mfr_call *c, void *ctx, const u8 *data, long result);
u32 mfr_attach_signal(struct mfr_turn *t, struct mfr_call *c, u32 *data_len, u32 *flags);
void mfr_slot_signal(struct mfr_turn *t, struct mfr_call *c);
void mfr_solo_signal(struct mfr_call *c);
int mfr_pass_point(struct mfr_turn *t, struct mfr_call *c);
long mfr_lane_call(struct mfr_call *c, const struct mfr_shape *k, void *ctx);
// The same under another row than the table's (fcntl, ioctl: one row for each command).
long mfr_lane_call_as(struct mfr_call *c, const struct mfr_row *row, const struct mfr_shape *k,
                      void *ctx);
i64 mfr_bytes_result(long result);
u64 mfr_identity(const struct mfr_call *c, const struct mfr_row *row);

// A record in the slot's data is laid out: its kind goes in last, since settlement believes the kind.
static inline void mfr_record_ready(u8 *data, u32 kind, u32 n) {
  mfr_store_release64((u64 *)(void *)data, (u64)n << 32 | kind);
}

// ---- generic.c -------------------------------------------------------------------------------------
mfr_handler mfr_shared, mfr_local, mfr_refused;
long mfr_shared_as(struct mfr_call *c, const struct mfr_row *row);
// Whether its first argument is a file of which a read gives all that is asked for, up to its end.
int mfr_is_file(const struct mfr_call *c);
void mfr_touch_memory(const struct mfr_call *c, const struct mfr_row *row);
// A path below the guest's own directory of /proc: what follows that, and the thread that it names (0: none).
const char *mfr_own_proc(const char *path, i32 *thread);
// What is left of a vector after its first `done` bytes, in memory of the shim's. Runs under MFR_TRY.
struct mfr_iovec *mfr_iov_rest(const struct mfr_iovec *v, u64 *n, u64 done);

// ---- commit.c ------------------------------------------------------------------------------------
// A replica died inside this call after it had begun: did it happen? 1: it did, and *result and
// data are what it gave. `note`: what mfr_note_before saw before the first attempt.
int mfr_look_first(struct mfr_call *c, const struct mfr_row *row, u8 *data, u64 note, long *result);
u64 mfr_note_before(struct mfr_call *c, const struct mfr_row *row);
void mfr_mask_learn(void); // the umask, while this process is alone
void mfr_track(struct mfr_call *c, const struct mfr_row *row, long result, const u8 *out);
long mfr_splice_look(const u8 *data, long *result);
mfr_handler mfr_call_lseek, mfr_call_fcntl;
int mfr_fd_known(long fd);
void mfr_fd_set(long fd);
void mfr_fd_clear(long fd);
void mfr_fd_forget_all(void);
long mfr_lowest_free(long from);
int mfr_never_waits(long fd);
int mfr_may_sleep(long fd, int writing);

// ---- signals.c -------------------------------------------------------------------------------------
// What a replica really leaves unblocked: faults, SIGSYS and kicks.
#define MFR_REAL_MASK (~(MFR_FAULTS | SIG_BIT(MFR_SIGSYS) | SIG_BIT(MFR_KICK_SIGNAL)))
// Signals that are no business of ours in a process that is no set.
#define MFR_NOT_OURS (~(SIG_BIT(MFR_SIGSYS) | SIG_BIT(MFR_KICK_SIGNAL)))
void mfr_signals_init(void);
u64 mfr_deliverable(void);               // leader: pending, not blocked, not ignored
u64 mfr_pending(u64 set);                // leader: pending
void mfr_signal_discard(u32 signo);      // leader: what is pending of it is gone
u32 mfr_take_from(u64 set, struct mfr_siginfo *info, u32 *ticket);
void mfr_action_changed(u32 signo);
u32 mfr_take_signal(struct mfr_siginfo *info, u32 *ticket); // leader: picks one; 0 if none
void mfr_signal_taken(u32 signo, u32 ticket);
void mfr_timer_taken(const struct mfr_siginfo *info); // calls/timer.c
int mfr_deliver(u32 signo, const struct mfr_siginfo *info); // 1: handler asked for restart
void mfr_signal_point(struct mfr_frame *f); // dispatch.c: takes signals in a slot of their own
void mfr_devirtualize(struct mfr_frame *frame);
void mfr_await_agreement(void); // that the guest ends here
void mfr_tell_end(u32 kind, i32 value); // enum mfr_exit_kind; the guest ends, and the anchor as it does
void mfr_guest_dies(u32 signo) __attribute__((noreturn));
void mfr_return_lent(struct mfr_frame *f); // f: of the trap, or NULL
u64 mfr_block_ours(void);
void mfr_unblock_ours(u64 old);
void mfr_signals_leave(struct mfr_frame *frame); // a forked child's way from the lane to the kernel's view
void mfr_handling_begin(struct mfr_handling *me);
void mfr_handling_end(struct mfr_handling *me);
void mfr_signals_child(void);        // our handlers, as a process that is no set needs them
void mfr_signals_join(struct mfr_frame *frame); // from there to the lane
void mfr_timers_to_kernel(void); // timer.c
void mfr_timers_forget(void);
long mfr_raise_self_in_lane(u32 signo, const struct mfr_siginfo *info, i32 target);
int mfr_is_ignored(u32 signo);
void mfr_real_alt(void); // the real alternate stack is ours
int mfr_is_default_ignored(u32 signo);
// Parks until the coordinator has judged a fault of this replica: returns if it is to live with it, does not if it is to die.
void mfr_leave_to(struct mfr_frame *f, const struct mfr_try_buf *b);
void mfr_await_verdict(u32 signo, i32 code, u64 address, u64 ip);

// ---- calls/rpc.c -------------------------------------------------------------------------------------
struct mfr_rpc_ctx {
  int blocking;
  u8 *out;   // where the answer's data goes, `bytes` of it
  u32 bytes;
};
extern const struct mfr_shape mfr_rpc_shape; // a call that the anchor answers; ctx: struct mfr_rpc_ctx
long mfr_ask_anchor(struct mfr_call *c);

// ---- calls/proc.c -----------------------------------------------------------------------------------
int mfr_proc_open(struct mfr_call *c, u32 path_at, long *result); // 0: a path like any other
void mfr_proc_written(struct mfr_call *c, long n);
void mfr_proc_seek(long fd, long to);
void mfr_renamed(struct mfr_call *c);
void mfr_wake_anchor(void); // its call thread
void mfr_proc_forget(long fd);

// ---- calls/send.c -----------------------------------------------------------------------------------
long mfr_send(struct mfr_call *c, int *own_group); // a signal to others; own_group: to the guest's group, too. May be NULL
long mfr_send_off_lane(struct mfr_call *c);

// ---- calls/native.c, wait.c, fork.c ------------------------------------------------------------------
int mfr_is_guest(void);
long mfr_ask_off_lane(u32 nr, const long *args, const void *in, u32 bytes, u8 *out, u32 out_bytes);
long mfr_wait_off_lane(struct mfr_call *c);
void mfr_collapse(const char *reason, int permanent);
// 1: from now on calls go to the kernel. 0: there are threads, which only the lane runs; alone it stays.
int mfr_go_native(const char *reason, struct mfr_frame *frame);
long mfr_rpc(struct mfr_turn *t, u32 nr, const long *args, const void *in, u32 bytes, int blocking, int *joiner);
void mfr_track_inherited(void); // init.c
void mfr_account_begins(void);  // init.c

// ---- calls/child.c, promote.c ----------------------------------------------------------------------------
long mfr_child_call(struct mfr_call *c);
void mfr_child_starts(void);              // arms what a process that is no set needs; mfr_self.action is known
void mfr_child_handler(int signo, struct mfr_siginfo *info, struct mfr_frame *f);
int mfr_child_in_handler(void);
void mfr_child_to_kernel(struct mfr_frame *f); // leaves the kernel alone with it, for good
long mfr_child_fork(struct mfr_call *c, void *fork);
void mfr_spawn_failed(void);
long mfr_peek(void *to, u64 from, u64 n); // guest memory where MFR_TRY is not to be had: 0 or -EFAULT
long mfr_poke(u64 to, const void *from, u64 n);
// 1 in the first replica of the new set: it is on the lane, and the call in progress is to be made there.
int mfr_promote(struct mfr_call *c);
void mfr_leave_lane(int keep_buffer);
u64 mfr_tree_variable(char *out); // NAME=value for the environment of what is executed; length with the NUL

// ---- mappings.c ----------------------------------------------------------------------------------------
int mfr_mapping_lead(void);   // at an empty slot, with the grant: 1 when the mapped files are this replica's
void mfr_mapping_yield(void); // they are no longer
int mfr_mapping_changes(const struct mfr_call *c);
void mfr_mapping_refresh(const struct mfr_call *c, long result);
void mfr_mapping_fork(u64 flags);
void mfr_mapping_open(void);
void mfr_mapping_give_up(const char *reason);
int mfr_mapping_touched(u64 start, u64 bytes);
// ---- calls/mapping.c -----------------------------------------------------------------------------------
int mfr_mapping_mmap(struct mfr_call *c, long *result, int *note);
void mfr_mapping_mapped(u64 at, u64 bytes, u32 prot, int shared);
int mfr_mapping_mremap(struct mfr_call *c, long *result);
void mfr_mapping_moved(u64 start, u64 old, u64 to, u64 new);

// ---- calls/terminal.c ----------------------------------------------------------------------------------
int mfr_is_default_stop(u32 signo);
long mfr_stop_call(struct mfr_call *c, u32 signo);
void mfr_stop(u32 signo);
long mfr_terminal_turn(const struct mfr_call *c, int reads);
int mfr_is_terminal(long fd); // commit.c

// ---- calls/signalfd.c ----------------------------------------------------------------------------------
int mfr_is_signalfd(long fd);
long mfr_signalfd_read(struct mfr_call *c);
void mfr_signalfd_forget(long fd);
void mfr_signalfd_duplicated(long from, long to);
void mfr_signalfd_sync(void);
void mfr_signalfd_to_kernel(void);
void mfr_signalfd_from_kernel(void);
void mfr_signalfd_keep(void);
void mfr_signalfd_restore(void);

// ---- calls/usage.c -------------------------------------------------------------------------------------
u64 mfr_usage_told(u32 index, u64 own);
u64 mfr_usage_clock(u32 clock, u64 own);
u32 mfr_own_cpu_clock(u32 clock); // time.c
void mfr_usage_hand_over(struct mfr_header *h); // to the set that this process becomes

// ---- vdso.c, patch.c -----------------------------------------------------------------------------------
int mfr_vdso_init(u64 vdso_base); // 0: clocks are read behind our back
void mfr_vdso_probe(void); // once dispatch is armed: does the moved code make system calls?
long mfr_clock_original(long clock, struct mfr_timespec *ts);
u64 mfr_patch_site(u64 rip, u32 nr);
u64 mfr_behind_site(u64 rip);

// ---- dispatch.c ----------------------------------------------------------------------------------------
long mfr_dispatch(struct mfr_call *c);
int mfr_waits_for_anchor(void); // native mode, and children that were forked on the lane
long mfr_off_lane(struct mfr_call *c); // calls/native.c: native mode and forked children
long mfr_dispatch6(long nr, long a0, long a1, long a2, long a3, long a4, long a5);

// ---- mem.c ---------------------------------------------------------------------------------------------
void *memcpy(void *restrict d, const void *restrict s, size_t n);
void *memset(void *d, int c, size_t n);
u64 mfr_strlen(const char *s);
int mfr_streq_prefix(const char *s, const char *prefix);
u64 mfr_hash(const void *p, u64 n, u64 seed);
static inline u64 mfr_mix(u64 h, u64 v) {
  __uint128_t m = (__uint128_t)(h ^ v ^ 0x9e3779b97f4a7c15ull) * 0xd6e8feb86659fd93ull;
  return (u64)m ^ (u64)(m >> 64);
}
u32 mfr_format(char *out, u64 value); // decimal, NUL-terminated; returns the length

#endif
