// self.h - what a replica keeps in its own memory: mfr_self, and its threads.
#ifndef MFR_SELF_H
#define MFR_SELF_H

#include "kernel.h"
#include "mfr_abi.h"

// Where to go on when an access to memory faults.
struct mfr_try_buf {
  u64 rbx, rbp, r12, r13, r14, r15, rsp, rip;
};

// A handler of the guest that runs: below its stack frames lies a mark. One that is left by a jump leaves it there, until
// something else is written over it.
#define MFR_HANDLING_MOST 8u
struct mfr_handling {
  u64 mark;
};

// ---- threads (threads.c) -------------------------------------------------------------------------------
// What `mfr_self` holds of the thread that runs; the others have theirs in struct mfr_thread.
#define MFR_PER_THREAD                                                                                        \
  u32 alt_is_guest;  /* the real alternate stack is the guest's at the moment */                              \
  u32 suspend_on;                                                                                             \
  u64 suspend_mask;  /* during sigsuspend/ppoll/…: mask to put back after delivery */                         \
  u64 vmask;         /* guest's signal mask */                                                                \
  u32 hold_signals;  /* a signal has been taken with an earlier slot of the call in progress */               \
  u32 may_rerun;     /* the call in progress has done nothing yet */                                          \
  u32 rerun;         /* the call in progress must be left and made anew: a signal comes before it */          \
  u32 pad_thread;                                                                                             \
  u64 handling[MFR_HANDLING_MOST]; /* handlers of the guest that run: where their marks are; 1: on valt */    \
  u64 handling_count;                                                                                         \
  struct mfr_stack valt; /* guest's alternate stack */

struct mfr_per_thread {
  MFR_PER_THREAD
};

enum mfr_thread_state { MFR_THREAD_FREE, MFR_THREAD_RUNS, MFR_THREAD_WAITS };
enum mfr_wake { MFR_WAKE_READY, MFR_WAKE_TIMEOUT, MFR_WAKE_SIGNAL };
#define MFR_POLL_MOST 1024u  // descriptors that one waiting thread may name
#define MFR_IOV_MOST 1024u
struct mfr_proxy;

struct mfr_thread {
  u64 rsp;                   // where it goes on, on its own shim stack
  u64 fs, gs;
  u8 *stack_top;
  u32 number;                // place in the table
  i32 tid;                   // as the guest knows it
  u32 state;                 // enum mfr_thread_state
  u32 woken;                 // enum mfr_wake: why it runs again
  struct mfr_thread *next;   // in the run queue
  u64 clear_tid;             // CLONE_CHILD_CLEARTID, set_tid_address
  u64 robust;                // set_robust_list
  struct mfr_per_thread saved;
  // While it waits.
  u32 outside;               // something outside this replica's threads can wake it
  u32 in_futex;
  u64 futex_at;
  u32 futex_bits;
  u32 lent_alt;              // a fault's handler has run on its alternate stack: what is real, sigreturn decides
  u32 waits_pi;              // for a lock that is handed over
  u32 known;                 // the conditions below are true; else only that it waits is known
  struct mfr_thread *futex_next, *futex_prev;
  u64 deadline;              // CLOCK_MONOTONIC, 0: none
  u64 put_off_at;            // sequence behind the slot that first put it off
  u64 started;               // when the call in progress was first put off, 0: it was not
  u64 sigwait;               // signals that it waits for in sigtimedwait
  u32 child_seen, waits_child;
  u32 poll_count;
  u32 poll_at;               // of its descriptors in the list of all
  struct mfr_proxy *proxy;   // a kernel thread that makes its call
  char name[16];
  struct mfr_frame start;    // registers to begin with
  struct mfr_iovec iov[MFR_IOV_MOST];
  struct mfr_pollfd fds[MFR_POLL_MOST];
  u8 vector[4096] __attribute__((aligned(64))); // XSAVE
};

// ---- this replica ----------------------------------------------------------------------------------
enum mfr_local_mode {
  MFR_OFF = 0,      // not attached: every call goes straight to the kernel
  MFR_ON_LANE = 1,
  MFR_NATIVE = 2,   // attached, but makes its calls itself; only pids are translated
  MFR_CHILD = 3,    // a process of the guest that is no set: signals, pids, timers are the kernel's (calls/child.c)
};

// What a process of the guest needs to become a set, and passes on to those that it makes.
struct mfr_tree {
  u32 level;
  u32 young_ms;
  char tool[MFR_TOOL_BYTES]; // empty: never
  char family[MFR_FAMILY_BYTES];
};

struct mfr_young {
  u32 due;      // it has lived long enough
  u32 never;    // it cannot become a set
  u32 bare;     // its parent waits for its exec
  u32 handled, not_restarting; // handlers that were run, and those without SA_RESTART
  u64 hidden;   // our signals, as far as the guest believes them blocked
  struct mfr_timespec left; // of a call that goes on after an interruption
};

// The call that this replica leads, as far as it would be needed without the buffer.
enum mfr_claim_state { MFR_CLAIM_NONE = 0, MFR_CLAIM_HELD = 1, MFR_CLAIM_PUBLISHED = 2 };
struct mfr_claim {
  u32 state, nr, need;
  u32 executed; // the system call has been made
  u32 can_redo; // `redo` is where to begin anew
  u32 lost;     // what it brought is no more
  u64 data_off, begun;
  struct mfr_try_buf redo;
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
  u32 faults_lent;   // a fault signal's real handler is the guest's at the moment (bit mask)
  u32 mmap_fence;    // mappings of descriptors made since the last rendezvous
  u64 mmap_seq;
  u32 memory_work;   // MFR_REQ_UNSHARE or MFR_REQ_FOLD: work on memory that is under way (unshare.c)
  u32 range_at;
  u64 range_addr;
  u64 kick_seq;      // 1 + sequence at which a kick found the guest computing
  union {
    struct {
      MFR_PER_THREAD
    };
    struct mfr_per_thread per_thread;
  };
  struct mfr_thread *thread; // the one that runs
  u32 threads;       // that there are
  u32 threaded;      // there has been more than one
  struct mfr_thread *runnable, *runnable_last; // those that could run, too
  u32 waiting;       // threads that wait
  u32 wait_outside;  // those of them that the outside can wake
  struct mfr_sigaction action[MFR_NSIG];
  char shim_path[512];
  char buffer_path[64];
  struct mfr_tree tree;
  struct mfr_young young;
  u64 vdso;          // where the kernel mapped it
  u64 page_errors;
  u32 mappings;      // mappings.c: entries in its table, and those of files
  u32 map_files;
  u32 map_leading;   // the files are mapped shared here
  u32 proc_fds;      // calls/proc.c: descriptors that it knows of
  u32 signalfds;     // calls/signalfd.c: descriptors of signals
  u32 map_open;      // what is shared is shared with others: no table any more
  i32 mce_policy;    // PR_MCE_KILL that the program was started with
  u32 leading;       // what it last did in the lane
  u64 in_sum, out_sum; // as in the buffer
  struct mfr_claim claim;
  u32 taken[MFR_NSIG]; // 1 + ticket of the last signal that was taken, by number
};
extern struct mfr_self mfr_self;

#endif
