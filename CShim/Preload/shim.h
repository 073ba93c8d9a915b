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

#include <linux/types.h>
#include <asm/unistd_64.h>
#include <stddef.h>
#include <stdint.h>

#include "mfr_abi.h"

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int16_t i16;
typedef int32_t i32;
typedef int64_t i64;

#define MFR_EPERM 1
#define MFR_ENOENT 2
#define MFR_ESRCH 3
#define MFR_EINTR 4
#define MFR_EBADF 9
#define MFR_ECHILD 10
#define MFR_EAGAIN 11
#define MFR_ENOMEM 12
#define MFR_EFAULT 14
#define MFR_EEXIST 17
#define MFR_EINVAL 22
#define MFR_ENOSYS 38
#define MFR_ETIMEDOUT 110
#define MFR_EHWPOISON 133
#define BUS_MCEERR_AO 5
#define MFR_EISCONN 106
#define MFR_EALREADY 114

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

// ---- the table -----------------------------------------------------------------------------------
enum mfr_class { LOCAL, SHARED, IDENTITY, STRUCTURAL, REFUSED };
enum mfr_commit {
  NONE, REPEAT, COUNT_IN, COUNT_OUT, COUNT_RW, RECORD, POSITION, NEWFD, NEWFD2, CLOSED,
  GONE_KIND, MADE_KIND, STATE, CHILD,
};
enum { BLOCKS = 1, CLOSES = 2, RESTARTS = 4 };
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
// A system call from outside the gate: comes back in through SIGSYS, with the registers in a frame.
extern long mfr_trap(long nr, long a0, long a1, long a2, long a3, long a4, long a5);
extern void mfr_resume(struct mfr_frame *f) __attribute__((noreturn));
extern u64 mfr_hash_aes(const void *p, u64 blocks64, u64 seed);
extern volatile u32 mfr_kicked;
extern u8 mfr_own_stack[], mfr_own_stack_top[];
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
struct mfr_try_buf {
  u64 rbx, rbp, r12, r13, r14, r15, rsp, rip;
};
extern int mfr_try_save(struct mfr_try_buf *b) __attribute__((returns_twice));
#define MFR_TRY() (mfr_try_save(&mfr_self.try_buf) == 0 && (mfr_self.try_active = 1))
#define MFR_TRY_END() (mfr_self.try_active = 0)

// ---- kernel structures, as the kernel has them -----------------------------------------------------
struct mfr_sigaction {
  u64 handler, flags, restorer, mask;
};
struct mfr_stack {
  u64 sp;
  i32 flags, pad;
  u64 size;
};
// ucontext of x86-64 as the kernel lays it out (arch/x86/include/uapi/asm/sigcontext.h).
struct mfr_frame {
  u64 uc_flags, uc_link;
  struct mfr_stack stack;
  u64 r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, eflags;
  u16 cs, gs, fs, ss;
  u64 err, trapno, oldmask, cr2, fpstate, reserved[8];
  u64 sigmask;
};
struct mfr_siginfo {
  i32 signo, err, code, pad;
  union {
    struct { i32 pid; u32 uid; u64 value; } rt;
    struct { u64 call_addr; i32 syscall; u32 arch; } sys;
    struct { u64 addr; } fault;
    u8 bytes[112];
  } u;
};
struct mfr_timespec {
  i64 sec, nsec;
};
struct mfr_iovec {
  u64 base, len;
};
struct mfr_msghdr {
  u64 name;
  u32 namelen, pad0;
  u64 iov, iovlen, control, controllen;
  u32 flags, pad1;
};
struct mfr_mmsghdr {
  struct mfr_msghdr hdr;
  u32 len, pad;
};

struct mfr_call {
  u32 nr;
  u32 signo;               // a signal to deliver on return, 0 = none; its siginfo is `info`
  long a[6];
  struct mfr_frame *frame; // NULL when the call came through a libc entry or a patched site
  u32 kicked;              // after a lane call: it may have been cut short for something the guest does not see
  struct mfr_siginfo info; // only with signo
};

#define SIG_BIT(s) (1ull << ((s)-1))
#define MFR_SIGHUP 1
#define MFR_SIGILL 4
#define MFR_SIGTRAP 5
#define MFR_SIGABRT 6
#define MFR_SIGBUS 7
#define MFR_SIGFPE 8
#define MFR_SIGKILL 9
#define MFR_SIGSEGV 11
#define MFR_SIGPIPE 13
#define MFR_SIGALRM 14
#define MFR_SIGCHLD 17
#define MFR_SIGCONT 18
#define MFR_SIGSTOP 19
#define MFR_SIGSYS 31
#define MFR_FAULTS \
  (SIG_BIT(MFR_SIGILL) | SIG_BIT(MFR_SIGBUS) | SIG_BIT(MFR_SIGFPE) | SIG_BIT(MFR_SIGSEGV) | \
   SIG_BIT(MFR_SIGTRAP))
#define MFR_UNMASKABLE (SIG_BIT(MFR_SIGKILL) | SIG_BIT(MFR_SIGSTOP))
// What a replica really leaves unblocked: faults, SIGSYS and kicks.
#define MFR_REAL_MASK (~(MFR_FAULTS | SIG_BIT(MFR_SIGSYS) | SIG_BIT(MFR_KICK_SIGNAL)))
#define MFR_SA_NOCLDSTOP 1u
#define MFR_SA_NOCLDWAIT 2u
#define MFR_SA_SIGINFO 4u
#define MFR_SA_RESTORER 0x04000000u
#define MFR_SA_ONSTACK 0x08000000u
#define MFR_SA_RESTART 0x10000000u
#define MFR_SA_NODEFER 0x40000000u
#define MFR_SA_RESETHAND 0x80000000u

// ---- this replica ----------------------------------------------------------------------------------
enum mfr_local_mode {
  MFR_OFF = 0,      // not attached: every call goes straight to the kernel
  MFR_ON_LANE = 1,
  MFR_NATIVE = 2,   // attached, but makes its calls itself; only pids are translated
  MFR_CHILD = 3,    // a child that the guest forked: no longer part of the set
};

struct mfr_self {
  u32 mode;
  u32 index;
  u8 *base;
  struct mfr_header *h;
  struct mfr_replica *me;
  u64 seq;
  u64 data_pos;
  u64 last_wake;     // sequence at which this leader last woke the parked
  u64 last_wake_data; // its position in the data ring then
  u64 min_seq;       // cached back-pressure: followers are at least here
  u64 min_data;
  i32 vpid;          // pid of the guest as the outside knows it
  i32 rpid;          // real pid
  i32 *tid_field;    // glibc's own thread id field
  u32 try_active;
  struct mfr_try_buf try_buf;
  u32 became_joiner; // set in a fresh clone until the call in progress has noticed
  u32 probing;       // mfr_vdso_probe is at work: a trap now answers the question
  u32 alt_is_guest;  // the real alternate stack is the guest's at the moment
  u32 faults_lent;   // a fault signal's real handler is the guest's at the moment (bit mask)
  u32 mmap_fence;    // mappings of descriptors made since the last rendezvous
  u64 mmap_seq;
  u32 unsharing;     // un-share work is under way
  u32 range_at;
  u64 range_addr;
  u64 vmask;         // guest's signal mask
  u64 suspend_mask;  // during sigsuspend/ppoll/…: mask to put back after delivery
  u32 suspend_on;
  u64 kick_seq;      // 1 + sequence at which a kick found the guest computing
  u32 hold_signals;  // a signal has been taken with an earlier slot of the call in progress
  u32 may_rerun;     // the call in progress has done nothing yet
  u32 rerun;         // the call in progress must be left and made anew: a signal comes before it
  struct mfr_stack valt; // guest's alternate stack
  struct mfr_sigaction action[MFR_NSIG];
  char shim_path[512];
  char buffer_path[64];
  u64 page_errors;
  i32 mce_policy;    // PR_MCE_KILL that the program was started with
};
extern struct mfr_self mfr_self;

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
void mfr_lane_pass(struct mfr_turn *t); // follower: checked and copied, go on
int mfr_lane_check(struct mfr_turn *t, u32 nr); // 1: enter again
void mfr_lane_solo_done(void);
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

// ---- clone.c -------------------------------------------------------------------------------------
void mfr_serve_requests(void);
void mfr_unshare_step(void);
int mfr_clone_replica(u32 index);
void mfr_arm_dispatch(void);

// ---- shared.c --------------------------------------------------------------------------------------
mfr_handler mfr_shared, mfr_local, mfr_refused;
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
u32 mfr_attach_signal(struct mfr_turn *t, struct mfr_call *c, u32 *data_len, u32 *flags);
void mfr_slot_signal(struct mfr_turn *t, struct mfr_call *c);
void mfr_solo_signal(struct mfr_call *c);
int mfr_pass_point(struct mfr_turn *t, struct mfr_call *c);
long mfr_lane_call(struct mfr_call *c, const struct mfr_shape *k, void *ctx);
// The same under another row than the table's (fcntl, ioctl: one row for each command).
long mfr_lane_call_as(struct mfr_call *c, const struct mfr_row *row, const struct mfr_shape *k,
                      void *ctx);
long mfr_shared_as(struct mfr_call *c, const struct mfr_row *row);
const char *mfr_own_proc(const char *path, int *thread);
i64 mfr_bytes_result(long result);
// What is left of a vector after its first `done` bytes, in memory of the shim's. Runs under MFR_TRY.
struct mfr_iovec *mfr_iov_rest(const struct mfr_iovec *v, u64 *n, u64 done);
u64 mfr_identity(const struct mfr_call *c, const struct mfr_row *row);

// A record in the slot's data is laid out: its kind goes in last, since settlement believes the kind.
static inline void mfr_record_ready(u8 *data, u32 kind, u32 n) {
  mfr_store_release64((u64 *)(void *)data, (u64)n << 32 | kind);
}

// ---- commit.c ------------------------------------------------------------------------------------
// A replica died inside this call after it had begun: did it happen? 1: it did, and *result and
// data are what it gave. `note`: what mfr_note_before saw before the first attempt.
int mfr_look_first(struct mfr_call *c, const struct mfr_row *row, u8 *data, u64 note, long *result);
u64 mfr_note_before(struct mfr_call *c, const struct mfr_row *row);
void mfr_track(struct mfr_call *c, const struct mfr_row *row, long result, const u8 *out);
long mfr_splice_look(const u8 *data, long *result);
mfr_handler mfr_call_lseek, mfr_call_fcntl;
int mfr_fd_known(long fd);
void mfr_fd_set(long fd);
void mfr_fd_clear(long fd);
long mfr_lowest_free(long from);
int mfr_never_waits(long fd);
int mfr_may_sleep(long fd, int writing);

// ---- signals.c -------------------------------------------------------------------------------------
void mfr_signals_init(void);
u64 mfr_deliverable(void);               // leader: pending, not blocked, not ignored
u64 mfr_pending(u64 set);                // leader: pending
void mfr_signal_discard(u32 signo);      // leader: what is pending of it is gone
u32 mfr_take_from(u64 set, struct mfr_siginfo *info, u32 *ticket);
void mfr_action_changed(u32 signo);
u32 mfr_take_signal(struct mfr_siginfo *info, u32 *ticket); // leader: picks one; 0 if none
void mfr_signal_taken(u32 signo, u32 ticket);
int mfr_deliver(u32 signo, const struct mfr_siginfo *info); // 1: handler asked for restart
void mfr_signal_point(struct mfr_frame *f); // dispatch.c: takes signals in a slot of their own
void mfr_devirtualize(struct mfr_frame *frame);
void mfr_guest_dies(u32 signo) __attribute__((noreturn));
void mfr_return_lent(void);
u64 mfr_block_ours(void);
void mfr_unblock_ours(u64 old);
void mfr_timers_to_kernel(void); // timer.c
void mfr_timers_forget(void);
void mfr_child_sigsys(void); // a forked child that stays under dispatch keeps our SIGSYS handler
long mfr_raise_self_in_lane(u32 signo, const struct mfr_siginfo *info);
int mfr_is_default_ignored(u32 signo);
// Parks until the coordinator has judged a fault of this replica: returns if it is to live with it, does not if it is to die.
void mfr_await_verdict(u32 signo, i32 code, u64 address, u64 ip);

// ---- process.c / collapse ----------------------------------------------------------------------------
void mfr_collapse(const char *reason, int permanent);
void mfr_go_native(const char *reason, struct mfr_frame *frame);
long mfr_rpc(struct mfr_turn *t, u32 nr, const long *args, const void *in, u32 bytes, int blocking, int *joiner);
extern char **mfr_environ_strip(char **env);

// ---- calls/usage.c -------------------------------------------------------------------------------------
u64 mfr_usage_told(u32 index, u64 own);
u64 mfr_usage_clock(u32 clock, u64 own);

// ---- vdso.c, patch.c -----------------------------------------------------------------------------------
void mfr_vdso_init(u64 vdso_base);
void mfr_vdso_probe(void); // once dispatch is armed: does the moved code make system calls?
long mfr_clock_original(long clock, struct mfr_timespec *ts);
u64 mfr_patch_site(u64 rip, u32 nr);

// ---- dispatch.c ----------------------------------------------------------------------------------------
long mfr_dispatch(struct mfr_call *c);
int mfr_waits_for_anchor(void); // native mode, and children that were forked on the lane
long mfr_off_lane(struct mfr_call *c); // process.c: native mode and forked children
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
