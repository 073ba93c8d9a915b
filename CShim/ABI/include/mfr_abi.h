// mfr_abi.h - the contract between the shim (inside every replica) and the Swift side (anchor,
// coordinator, tools). Both sides include this file and nothing else of each other.
//
// Glossary (shared/DESIGN.md section 1): guest, replica, leader, follower, slot, lane, sequence,
// grant, donor, joiner, anchor, coordinator.
//
// Laws:
//  - Fixed-width types only; offsets and indices, never pointers.
//  - Every field names its writer. A field that two processes touch is accessed with the helpers
//    below, named by memory order; each acquire names its release at the place of use.
//  - Bump MFR_ABI_VERSION whenever a size, an offset or the meaning of a field changes: the shim
//    refuses to attach to a buffer of another version (the guest then runs unprotected).
#ifndef MFR_ABI_H
#define MFR_ABI_H

#include <stddef.h>
#include <stdint.h>

#define MFR_ABI_MAGIC 0x3152464d46524d31ull
#define MFR_ABI_VERSION 21u

#define MFR_MAX_REPLICAS 16u          // one leader and up to 15 duplicates
#ifndef MFR_SLOTS // the model of Tests/Model has few
#define MFR_SLOTS 8192u               // slots in the ring, a power of two
#endif
#define MFR_DATA_BYTES (4u << 20)     // bytes in the data ring, a power of two
#define MFR_CHUNK_MAX (1u << 20)      // most bytes one slot may carry
#define MFR_MAX_FDS 65536u            // descriptors whose state the lane tracks
#define MFR_RANGES 512u               // address ranges handed to a joiner at a time
#define MFR_MAX_CHILDREN 1024u        // children of the guest that the anchor can tell from its own
#define MFR_NSIG 65u                  // signals 1..64
#define MFR_FIRST_QUEUED 32u          // signals from here on queue; of the others one can be pending
#define MFR_PENDING 1056u             // entries: one for each that does not queue, 1024 for the rest
#define MFR_PENDING_ANCHOR 288u       // the anchor fills those below this; the kernel keeps the rest for it
#define MFR_PAST_PIDS 256u            // pids of replicas that are gone
#define MFR_FIRST_TID 0x400000        // thread ids of the guest's threads but the first: no process has such a number
#define MFR_LOSSES 64u                // losses whose time is remembered
#define MFR_NO_REPLICA 0xffu
#define MFR_TOOL_BYTES 512u           // path of mfr-run
#define MFR_FAMILY_BYTES 2048u        // what the guest's children inherit
// The signal that makes a replica look up: never blocked, no effect of its own. Not SIGSYS: a standard signal is
// pending once only, and a trapped call whose SIGSYS is merged into a kick would be lost. 33 is glibc's own
// (SIGSETXID, only used between threads), so no program has it.
#define MFR_KICK_SIGNAL 33

// ---- slot word ---------------------------------------------------------------------------------
// One 64-bit word says all that settlement must know about a slot, so that no death can leave it
// half written:  [63:20] sequence  [19:10] call number  [9:5] owner  [4] retry  [3:0] state.
// A word whose sequence is not the one asked for is EMPTY for the asker (it is an older lap).
enum mfr_slot_state {
  MFR_SLOT_EMPTY = 0,    // nobody has carried the call out; `retry` set: somebody died trying, who had begun
  MFR_SLOT_CLAIMED = 1,  // owner is carrying it out
  MFR_SLOT_DONE = 2,     // result and data are there
};
#define MFR_WORD_SEQ_SHIFT 20
#define MFR_WORD_NR_SHIFT 10
#define MFR_WORD_NR_MASK 0x3ffull
#define MFR_WORD_OWNER_SHIFT 5
#define MFR_WORD_OWNER_MASK 0x1full
#define MFR_WORD_RETRY 0x10ull
#define MFR_WORD_STATE_MASK 0xfull

static inline uint64_t mfr_word(uint64_t seq, uint32_t nr, uint32_t owner, uint32_t state) {
  return (seq << MFR_WORD_SEQ_SHIFT) | ((uint64_t)nr << MFR_WORD_NR_SHIFT) |
         ((uint64_t)owner << MFR_WORD_OWNER_SHIFT) | state;
}
static inline int mfr_word_is_seq(uint64_t word, uint64_t seq) {
  return (word >> MFR_WORD_SEQ_SHIFT) == (seq & ((1ull << 44) - 1));
}
static inline uint32_t mfr_word_nr(uint64_t w) { return (w >> MFR_WORD_NR_SHIFT) & MFR_WORD_NR_MASK; }
static inline uint32_t mfr_word_owner(uint64_t w) {
  return (w >> MFR_WORD_OWNER_SHIFT) & MFR_WORD_OWNER_MASK;
}
static inline uint32_t mfr_word_state(uint64_t w) { return w & MFR_WORD_STATE_MASK; }

// ---- slot --------------------------------------------------------------------------------------
#define MFR_SLOT_SIGNAL 1u     // a signal is delivered on return of this call: siginfo in the data
#define MFR_SLOT_KICKED 2u     // a kick may have cut the call short: a writer goes on with the rest
#define MFR_SLOT_ASYNC 8u      // a signal point at which the leader was not at a call of the guest
#define MFR_SLOT_MAPPED 16u    // the call changes a file that is mapped shared: followers bring their copies up to date
#define MFR_SLOT_SPAWN_DIFF 4u // data holds what a spawn child wrote into its parent's stack
#define MFR_INLINE_BYTES 16u

struct mfr_slot {
  uint64_t word;        // any replica by compare-and-swap, coordinator when the owner is dead
  uint64_t identity;    // owner: hash of call number and arguments
  uint64_t out_hash;    // owner: hash of the bytes that the call takes from memory
  int64_t result;       // owner or coordinator: what the kernel returned, -errno on failure
  uint64_t data_off;    // owner: monotonic offset into the data ring (modulo MFR_DATA_BYTES)
  uint32_t data_len;    // owner: bytes in use there
  uint16_t flags;       // owner: MFR_SLOT_*
  uint16_t signo;       // owner: with MFR_SLOT_SIGNAL
  uint8_t inline_data[MFR_INLINE_BYTES]; // owner: output of at most 16 bytes, instead of the ring
};

// ---- replica -----------------------------------------------------------------------------------
enum mfr_replica_state {
  MFR_REPLICA_FREE = 0,
  MFR_REPLICA_RESERVED = 1, // coordinator asked for it; the donor has not cloned yet
  MFR_REPLICA_JOINING = 2,  // cloned: counted in the ring's back-pressure, memory not yet un-shared
  MFR_REPLICA_RUNNING = 3,  // in step and un-shared
  MFR_REPLICA_FAULTED = 4,  // parked at a fault, waits for `verdict`
  MFR_REPLICA_DIVERGED = 5, // parked at a mismatch, waits for `verdict`
  MFR_REPLICA_DEAD = 6,     // zombie; anchor set it; the coordinator settles
  MFR_REPLICA_LEFT = 7,     // told to leave (collapse, exec, lower level)
};

enum mfr_phase { // what a replica is doing; written by itself, read by the coordinator
  MFR_PHASE_GUEST = 0,
  MFR_PHASE_CALL = 1,    // inside a claimed call
  MFR_PHASE_BLOCKED = 2, // inside a claimed call that may wait for ever
  MFR_PHASE_PARKED = 3,  // waits for a slot
};

enum mfr_verdict { // answer to FAULTED and DIVERGED, written by the coordinator, a futex
  MFR_VERDICT_NONE = 0,
  MFR_VERDICT_OWN = 1,      // all replicas fault there: it is the guest's own fault
  MFR_VERDICT_CONTINUE = 2, // take the slot as it is (divergence on which we are in the majority)
  MFR_VERDICT_DIE = 3,
  MFR_VERDICT_AGAIN = 4,    // the slot has been emptied, its leader was wrong: come to it again
};

enum mfr_mark { // what a coordinator has made of a replica; the next one must not do it again
  MFR_MARK_LOST = 1,    // its loss is in `lost` and `owed`
  MFR_MARK_LEAVES = 2,  // it was told to go
  MFR_MARK_IN_STEP = 4, // that it is in step is told, and what was owed before it is made good
};

// Requests to one replica, served at its next call boundary; bits of mfr_replica.request.
#define MFR_REQ_CLONE 1u    // clone yourself into replica `request_arg`
#define MFR_REQ_UNSHARE 2u  // ranges[] of this replica are ready
#define MFR_REQ_POISON 4u   // plant a poisoned page at `inject_at` (fault injection)
#define MFR_REQ_LEAVE 8u    // leave: exit at once, quietly
#define MFR_REQ_BITFLIP 16u // flip bit `inject_bit` of the byte at `inject_at` (fault injection)
#define MFR_REQ_FAULT 32u   // touch an unmapped page (fault injection: SIGSEGV in this replica only)
#define MFR_REQ_SPIN 64u    // never come back from here (fault injection: a hang that uses its processor)
#define MFR_REQ_HWPOISON 128u // MADV_HWPOISON for the page of `inject_at` (fault injection; root, CONFIG_MEMORY_FAILURE)
#define MFR_REQ_FOLD 256u // ranges[] of this replica are ready: huge pages for what is wholly present in them
#define MFR_REQ_MEMORY (MFR_REQ_UNSHARE | MFR_REQ_FOLD) // work on memory, done in steps

struct mfr_fault {
  uint32_t signo;
  int32_t code;
  uint64_t address;
  uint64_t ip;
  uint64_t seq;
  uint64_t when_ns; // CLOCK_MONOTONIC
  uint64_t number;  // how many faults it has gone on from before this one
};

#define MFR_ALIVE_WAITERS 0x80000000u // FUTEX_WAITERS: the kernel is to wake somebody
#define MFR_ALIVE_DIED 0x40000000u    // FUTEX_OWNER_DIED
#define MFR_ALIVE_NOTICED 1u

struct mfr_replica {
  // Line 0, hot: written by the replica, read by others now and then.
  uint64_t seq;      // next slot it will come to
  uint64_t begun;    // sequence + 1 of the last call that it has begun to carry out
  uint64_t data_pos; // its position in the data ring
  uint64_t in_sum;   // /proc/PID/io rchar that its published calls account for
  uint64_t out_sum;  // the same for wchar
  uint64_t calls;    // calls that it carried out as leader
  uint32_t phase;    // enum mfr_phase
  uint32_t bid;      // sequence-independent: 1 while it asks for the grant
  uint32_t kicked;   // milliseconds (never 0) of a kick that it has not taken yet: mfr_kick_due
  uint32_t alive;    // robust futex of its process: pid | WAITERS; the kernel says OWNER_DIED before it takes the memory
                     // apart, which for a large guest is 0.1 s per GB; anchor: MFR_ALIVE_NOTICED
  // Line 1: written by coordinator, anchor or donor.
  uint32_t park;     // futex: 1 while it waits for a slot; the waker writes 0
  uint32_t state;    // enum mfr_replica_state
  int32_t pid;       // real pid; written by the kernel (CLONE_PARENT_SETTID) at clone
  uint32_t request;  // MFR_REQ_* bits: or-ed by the coordinator, cleared by the replica
  uint64_t request_arg;   // coordinator: of MFR_REQ_CLONE
  uint64_t inject_at;     // coordinator: of the requests that inject faults
  int64_t request_result; // written by the replica: 0 or -errno of the clone
  uint32_t request_done;  // futex: incremented by the replica when it has served a request
  uint32_t generation;    // how many processes have had this index
  uint32_t verdict;       // futex, enum mfr_verdict
  uint32_t unshared;      // 1: memory is its own; written by the replica
  uint64_t cloned_ns;     // CLOCK_MONOTONIC, written by the donor
  // Line 2: faults and divergences, written by the replica.
  struct mfr_fault fault;
  uint64_t faults; // how many it has gone on from: they were the guest's own
  uint32_t inject_bit;    // coordinator
  int32_t inject_result;  // written by the replica: 0 or -errno of the fault that was to be injected
  // Line 3: what it had at the slot where it diverged.
  uint64_t diverged_seq;
  uint64_t diverged_identity;
  uint64_t diverged_out_hash;
  uint32_t diverged_nr;
  uint32_t marks; // coordinator, bits of enum mfr_mark
  // written by the anchor when it has seen the death
  int32_t wait_code;   // CLD_EXITED, CLD_KILLED, CLD_DUMPED
  int32_t wait_status; // exit status or signal
  uint64_t died_ns;
  uint32_t settled; // coordinator sets 1: the anchor may reap it
  uint32_t range_count;
  uint32_t ranges_more; // coordinator: another batch follows this one
  uint32_t donor;       // donor, at clone: its index + 1; 0 = the first replica of an image
};

// In `start`:
#define MFR_RANGE_ALL 1u  // populate all of it; the kernel would not call these pages present
#define MFR_RANGE_FILE 2u // a private mapping of a file: its pages cannot be made huge pages of a replica's own
#define MFR_RANGE_FLAGS (MFR_RANGE_ALL | MFR_RANGE_FILE)
struct mfr_range {
  uint64_t start, end;
};

// ---- remote calls to the anchor (class identity) -------------------------------------------------
enum mfr_rpc_state { MFR_RPC_IDLE = 0, MFR_RPC_POSTED = 1, MFR_RPC_ANSWERED = 2 };

// ---- calls that a kernel thread of a leader makes (CShim/Preload/proxy.c) ----------------------------
// Who leads next ends it, and takes over what it has come to, before it makes the call itself.
enum mfr_proxied_state { MFR_PROXIED_FREE = 0, MFR_PROXIED_WAITS = 1, MFR_PROXIED_DONE = 2 };
struct mfr_proxied {
  uint32_t state;  // futex; DONE, by the kernel thread: `result` is there
  uint32_t thread; // of the guest: its number
  uint64_t call;   // sequence at which that one's call was first put off
  int32_t pid;     // replica
  uint32_t owner;  // its index
  uint32_t tid;    // kernel thread, 0: it has not begun
  uint32_t pad;
  int64_t result;
};
#define MFR_PROXIED 32u

// No system call: the anchor sends the buffer's descriptor to the abstract UNIX address in `data`, of args[0] bytes. For a
// replica that may not open it any more (another user, another root directory) and is about to execute a program.
#define MFR_ASK_BUFFER 1000u
struct mfr_rpc {
  uint32_t state; // futex. replica: POSTED; anchor: ANSWERED. An answer stays until the next post
  uint32_t nr;
  uint64_t seq;   // slot of the call: the same seq posted again gets the same answer (exactly once)
  uint64_t args[6];
  int64_t result;
  uint32_t cancel; // replica: 1 = stop waiting (a signal came); the anchor answers -EINTR if it has not acted
  uint32_t data_len;
  uint8_t data[1024]; // in and out bytes of the call: status at 0, rusage at 16, siginfo at 256 …
};

// ---- pending signals -----------------------------------------------------------------------------
// One entry per pending signal. Its word (mfr_header.pending_word) says all that must not be half written:
// [63:32] ticket (the order of posting)  [9] posted by a replica  [8:2] number  [1:0] state.
enum mfr_pending_state { MFR_PENDING_FREE = 0, MFR_PENDING_FILLING = 1, MFR_PENDING_READY = 2 };
// Poster: FREE -> FILLING -> READY. Who has taken it: READY -> FREE.
// A signal for one thread (target not 0) has its entry among those that queue, whatever its number.
struct mfr_pending {
  uint64_t origin;   // sequence + 1 of the call that posted it, 0: the anchor
  int32_t target;    // thread id of the one thread it is for, 0: the process
  uint32_t pad;
  uint8_t info[112]; // siginfo
};
#define MFR_ANY_THREAD (-1)

// ---- what the guest has used -----------------------------------------------------------------------
// The kernel counts for each replica. A count goes on from what the leader before has told, so that it never
// falls.
#define MFR_USAGES 32u
#define MFR_USAGE_CLOCKS 22u // the process's clock, then the thread's; those before: calls/usage.c
struct mfr_usage {
  int32_t pid; // leader that told last
  uint32_t pad;
  uint64_t base; // its own count and this is the guest's
  uint64_t last; // what was told
};

// ---- files that are mapped shared --------------------------------------------------------------------
#define MFR_MAP_FILES 64u
struct mfr_file {
  uint64_t dev, ino;
};

// ---- process trees -------------------------------------------------------------------------------
// A child of the guest runs without MFR's help at first; when it has lived for a while it becomes a set of its own:
// it clones itself, and turns into that clone's anchor (execve of mfr-run, with the new buffer as a descriptor).
enum mfr_adoption_state {
  MFR_ADOPTION_ASKED = 0,
  MFR_ADOPTION_LANE = 1,   // anchor: there is a coordinator, go on as replica 0
  MFR_ADOPTION_NATIVE = 2, // anchor: there is none, go on without a lane
};
struct mfr_adoption {
  uint32_t state; // futex. anchor: release, all else in the header is there
  int32_t pid;    // shim: the clone
  uint32_t level; // shim: that of the parent, or what it has said for its children
  uint32_t pad;
};

// ---- descriptors of signals, over an exec ------------------------------------------------------------
#define MFR_SIGNALFDS 16u
struct mfr_signalfd {
  int32_t fd;
  uint32_t file; // duplicates have the same one
  uint64_t mask;
};

// ---- header ------------------------------------------------------------------------------------
enum mfr_sync { MFR_SYNC_EAGER = 0, MFR_SYNC_IDLE = 1 };

enum mfr_set_mode {
  MFR_MODE_STARTING = 0, // replica 0 has not attached yet
  MFR_MODE_LANE = 1,     // calls go through the lane (with or without followers)
  MFR_MODE_NATIVE = 2,   // the one replica left makes its calls itself; it cannot grow again
};

enum mfr_anchor_stopped {
  MFR_ANCHOR_RUNS = 0,      // anchor: the replicas run, too
  MFR_ANCHOR_STOPPED = 1,   // coordinator: it is stopped, and so are the replicas
  MFR_ANCHOR_CONTINUED = 2, // coordinator: it is stopped no longer, and is to continue the replicas
};
enum mfr_exit_kind { MFR_EXIT_NONE = 0, MFR_EXIT_STATUS = 1, MFR_EXIT_SIGNAL = 2 };

enum mfr_collapse_state {
  MFR_COLLAPSE_NONE = 0,
  MFR_COLLAPSE_ASKED = 1, // replica `collapse_by` waits until it is alone
  MFR_COLLAPSE_ALONE = 2, // coordinator: all others are dead and settled
};

struct mfr_header {
  // Line 0: fixed at creation by the anchor.
  uint64_t magic;
  uint32_t version;
  uint32_t total_bytes;
  uint32_t set_id;
  int32_t anchor_pid;
  int32_t anchor_tid;
  int32_t anchor_ppid; // parent of the anchor: what the guest's getppid answers; refreshed by the anchor
  uint32_t hash_off;   // 1: do not hash output (benchmarks only)
  uint32_t start_level; // level at start: replica 0's constructor clones this many duplicates
  uint64_t started_ns;
  uint64_t pad0[2];
  // Line 1: the rules. Written by the coordinator, read by replicas at each call.
  uint64_t grant;       // epoch << 8 | replica that may claim
  uint64_t sig_pending; // poster ors bit signo-1; leader clears it when no entry is left (a hint)
  uint32_t live;        // bit i: replica i counts (donor sets it at clone, coordinator clears it)
  uint32_t sync;        // enum mfr_sync
  uint32_t spin;        // iterations a follower spins before it parks
  uint32_t wake_lag;    // slots a parked follower may be behind before the leader wakes it
  uint32_t late_us;     // a follower parked at an EMPTY slot bids after this many microseconds
  uint32_t kick;        // bit 0: leader must look at requests (wakes it out of blocking calls)
  uint32_t vote;        // 1: output waits for a majority (later)
  uint32_t stalled;     // futex: 1 while the leader sleeps because followers have left it no room
  uint64_t signal_point; // leader: 1 + sequence of a slot that is no call: it takes a signal while the
                         // guest computes (mfr_call_restart_syscall)
  uint32_t pad1[2];
  // Line 2: written by followers when they park, cleared by whoever wakes them.
  uint32_t parked; // bit i: replica i is parked
  uint32_t pad_parked[15];
  // Line 3: futexes of the Swift side.
  uint32_t coordinator_wake; // futex: incremented to wake the coordinator
  uint32_t anchor_wake;      // futex: incremented to wake the anchor's call thread
  uint32_t renamed;          // replica: 1 = what `ps` shows of the guest has changed; anchor: 0
  int32_t coordinator_pid;
  uint32_t coordinator_starts; // how often one was started
  uint32_t ending;             // anchor: 1 = the set is over, write the last event and exit
  uint32_t mode;               // enum mfr_set_mode
  uint32_t collapse;           // futex, enum mfr_collapse_state
  uint32_t collapse_by;
  uint32_t no_grow;            // 1: must stay at one replica (reason says why)
  uint32_t exec_count;
  uint32_t attached;           // number of shim attachments (start and each exec), futex
  uint32_t level;              // wanted level now; coordinator writes
  uint32_t exec_arrived;       // 1: the image that execve made waits until the others have gone
  uint32_t posix_timers;       // anchor: how many timers of timer_create there are
  uint32_t child_event;        // futex: anchor increments it when a child of the guest has changed
  uint32_t map_owner;          // futex: generation << 8 | index + 1 of the replica that has files mapped shared, 0: none
  // Exit: written by the replica that ends the guest, inside its claimed slot.
  uint32_t exit_kind; // enum mfr_exit_kind; release: exit_value is there
  int32_t exit_value;
  uint64_t exit_seq;
  // Guest's virtual signal state as the outside must know it; written by the leader.
  uint64_t sig_ignored; // bit: disposition is ignore, explicitly
  uint64_t sig_caught;  // bit: guest has a handler
  uint64_t sig_blocked; // virtual mask of the main thread (also carries it over execve)
  int32_t exec_pid;     // replica that is in execve
  uint32_t births;      // futex: incremented by a replica that has set its `alive`
  uint32_t coordinator_rounds; // coordinator: how often it has looked at everything
  uint32_t sig_child_flags; // of SIGCHLD: SA_NOCLDSTOP (1) and SA_NOCLDWAIT (2)
  // Counters, written by the coordinator.
  uint64_t failovers, respawns, divergences, bids, faults, collapses;
  uint64_t grant_seq; // sequence at which the grant last moved
  char reason[128];   // why less protected than asked; NUL-terminated; coordinator or shim
  char program[256];  // name of the guest; anchor, shim after execve
  char name[64];      // --name
  uint64_t level_max; // replicas that may exist at once - 1
  struct mfr_rpc rpc;
  // Children that the guest has made and not yet waited for: pids, 0 = free. The kernel cannot be asked
  // (they are children of the anchor, as the replicas are). Added by the leader before it publishes the fork,
  // or by the coordinator that settles it; taken out by the anchor when it reaps.
  int32_t children[MFR_MAX_CHILDREN];
  uint32_t children_lost; // 1: there was no room once; /proc is searched
  uint64_t pending_word[MFR_PENDING];      // anchor and leader; [signo] or, from 32 on, any
  struct mfr_pending pending[MFR_PENDING];
  struct mfr_usage usage[MFR_USAGES];      // leader; index: calls/usage.c
  uint64_t child_usage[18];                // anchor: struct rusage of the children that were waited for
  uint32_t sig_ticket;                     // tickets given out
  uint32_t past_count;                     // anchor: how many pids went into past_pids, a ring
  int32_t past_pids[MFR_PAST_PIDS];        // anchor: replicas that are gone
  uint32_t map_count;                      // leader: files that have been mapped shared, ever
  uint32_t stops;                          // futex, anchor: incremented when it begins to stop and when it goes on
  uint32_t anchor_stopped;                 // enum mfr_anchor_stopped
  uint32_t stop_wanted;                    // leader: the signal by which the guest stops itself; anchor: 0
  uint32_t signalfds;                      // leader in execve, new image: how many are left
  struct mfr_signalfd signalfd[MFR_SIGNALFDS];
  uint32_t map_foreign;                    // coordinator: 1 = another process uses one of them
  struct mfr_file map_file[MFR_MAP_FILES]; // leader: the last ones, a ring
  // Replicas lost, and those of them whose successor is not in step yet (the last `owed` of loss_ns, a ring).
  // Coordinator; here, so that the next coordinator goes on counting.
  uint32_t halted; // coordinator: 1 = too many were lost, none is made until `mfr-ctl restore`
  uint32_t pad3;
  uint64_t lost;
  uint64_t owed;
  uint64_t loss_ns[MFR_LOSSES];            // CLOCK_MONOTONIC
  // For the guest's children. Written by whoever fills the header.
  uint32_t young_ms;             // how long a child lives before it is protected
  uint32_t child_level;          // 1 + level of children, 0: as this set's is at the fork
  char tool[MFR_TOOL_BYTES];     // mfr-run; empty: children stay unprotected
  char family[MFR_FAMILY_BYTES]; // the Swift side's text, only passed on by the shim
  struct mfr_adoption adoption;
  // By replica: which of the ways the guest may run on from where its leader was interrupted while it computed
  // (MFR_SLOT_ASYNC). Nobody knows the instruction, so each replica that was there has a way of its own, and its
  // clones go that one, too. Those on different ways may differ without any of them being broken.
  uint64_t way[MFR_MAX_REPLICAS];
  uint32_t breaks;      // anchor: how many broken pages of the buffer were replaced
  uint32_t breaks_told; // coordinator: how many of them were reported
  uint32_t break_page;  // anchor: number of the last one
  uint32_t proxied_count; // entries below that are in use
  struct mfr_proxied proxied[MFR_PROXIED];
};

// ---- broken pages of this very buffer ----------------------------------------------------------------
// docs/design/0005-broken-buffer.md. The word of state goes round IDLE -> RAISED (leader) -> REPLACED (anchor) ->
// FILLED (leader) -> IDLE (anchor); IDLE -> SUSPECT: a coordinator has met the page and dies. Who fills in the rest of it
// says so by FILLING and its pid (MFR_ALARM_FILLER): should it die over that, the anchor makes it IDLE.
enum mfr_alarm_state {
  MFR_ALARM_IDLE = 0,
  MFR_ALARM_FILLING = 1,
  MFR_ALARM_RAISED = 2,
  MFR_ALARM_REPLACED = 3,
  MFR_ALARM_FILLED = 4,
  MFR_ALARM_SUSPECT = 5,
};
#define MFR_ALARM_FILLER(pid) ((uint32_t)(pid) << 8 | MFR_ALARM_FILLING) // pids have 22 bits: PID_MAX_LIMIT
struct mfr_alarm {
  uint32_t state;
  uint32_t page; // number of the broken page
  uint32_t place;
  int32_t pid;
};
// The anchor asks a replica about a page of the buffer by a SIGBUS that carries this and the page's number.
#define MFR_ALARM_MAGIC 0x4d46520000000000ull

// ---- the whole buffer ----------------------------------------------------------------------------
#define MFR_PAGE 4096u
#define MFR_ALIGN(n) (((n) + MFR_PAGE - 1) / MFR_PAGE * MFR_PAGE)
#define MFR_OFF_REPLICAS MFR_ALIGN((uint32_t)sizeof(struct mfr_header))
#define MFR_OFF_RANGES \
  (MFR_OFF_REPLICAS + MFR_ALIGN(MFR_MAX_REPLICAS * (uint32_t)sizeof(struct mfr_replica)))
#define MFR_OFF_SLOTS \
  (MFR_OFF_RANGES + MFR_ALIGN(MFR_MAX_REPLICAS * MFR_RANGES * (uint32_t)sizeof(struct mfr_range)))
#define MFR_OFF_DATA (MFR_OFF_SLOTS + MFR_ALIGN(MFR_SLOTS * (uint32_t)sizeof(struct mfr_slot)))
// Two pages that only serve to tell of a broken page: of the two, one is whole.
#define MFR_OFF_ALARM (MFR_OFF_DATA + MFR_DATA_BYTES)
#define MFR_BUFFER_BYTES (MFR_OFF_ALARM + 2 * MFR_PAGE)

_Static_assert(sizeof(struct mfr_slot) == 64, "a slot is one cache line");
_Static_assert(offsetof(struct mfr_replica, park) == 64, "line 1 of a replica");
_Static_assert(offsetof(struct mfr_replica, fault) == 128, "line 2 of a replica");
_Static_assert(sizeof(struct mfr_replica) == 256, "a replica is four cache lines");
_Static_assert(offsetof(struct mfr_header, grant) == 64, "line 1 of the header");
_Static_assert(offsetof(struct mfr_header, parked) == 128, "line 2 of the header");
_Static_assert(offsetof(struct mfr_header, coordinator_wake) == 192, "line 3 of the header");
_Static_assert(sizeof(struct mfr_pending) == 128, "origin, target and siginfo of a pending signal");

static inline struct mfr_header *mfr_header_of(void *base) { return (struct mfr_header *)base; }
static inline struct mfr_replica *mfr_replica_at(void *base, uint32_t index) {
  return (struct mfr_replica *)((char *)base + MFR_OFF_REPLICAS) + (index % MFR_MAX_REPLICAS);
}
static inline struct mfr_range *mfr_ranges_of(void *base, uint32_t index) {
  return (struct mfr_range *)((char *)base + MFR_OFF_RANGES) + (index % MFR_MAX_REPLICAS) * MFR_RANGES;
}
static inline struct mfr_slot *mfr_slot_at(void *base, uint64_t seq) {
  return (struct mfr_slot *)((char *)base + MFR_OFF_SLOTS) + (seq % MFR_SLOTS);
}
// Where the breaking of a page is told: not in that page.
static inline struct mfr_alarm *mfr_alarm_for(void *base, uint32_t page) {
  return (struct mfr_alarm *)((char *)base + MFR_OFF_ALARM + (page == MFR_OFF_ALARM / MFR_PAGE ? MFR_PAGE : 0));
}
static inline uint8_t *mfr_data_at(void *base, uint64_t off) {
  return (uint8_t *)base + MFR_OFF_DATA + (off % MFR_DATA_BYTES);
}

// ---- atomics, named by order ---------------------------------------------------------------------
static inline uint32_t mfr_load_acquire32(const uint32_t *p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }
static inline uint64_t mfr_load_acquire64(const uint64_t *p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }
static inline uint32_t mfr_load_relaxed32(const uint32_t *p) { return __atomic_load_n(p, __ATOMIC_RELAXED); }
static inline uint64_t mfr_load_relaxed64(const uint64_t *p) { return __atomic_load_n(p, __ATOMIC_RELAXED); }
static inline void mfr_store_release32(uint32_t *p, uint32_t v) { __atomic_store_n(p, v, __ATOMIC_RELEASE); }
static inline void mfr_store_release64(uint64_t *p, uint64_t v) { __atomic_store_n(p, v, __ATOMIC_RELEASE); }
static inline void mfr_store_relaxed32(uint32_t *p, uint32_t v) { __atomic_store_n(p, v, __ATOMIC_RELAXED); }
static inline void mfr_store_relaxed64(uint64_t *p, uint64_t v) { __atomic_store_n(p, v, __ATOMIC_RELAXED); }
static inline int mfr_cas_acqrel64(uint64_t *p, uint64_t expected, uint64_t desired) {
  return __atomic_compare_exchange_n(p, &expected, desired, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}
static inline int mfr_cas_acqrel32(uint32_t *p, uint32_t expected, uint32_t desired) {
  return __atomic_compare_exchange_n(p, &expected, desired, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}
static inline uint32_t mfr_or_acqrel32(uint32_t *p, uint32_t v) { return __atomic_fetch_or(p, v, __ATOMIC_ACQ_REL); }
static inline uint32_t mfr_and_acqrel32(uint32_t *p, uint32_t v) { return __atomic_fetch_and(p, v, __ATOMIC_ACQ_REL); }
static inline uint64_t mfr_or_acqrel64(uint64_t *p, uint64_t v) { return __atomic_fetch_or(p, v, __ATOMIC_ACQ_REL); }
static inline uint64_t mfr_and_acqrel64(uint64_t *p, uint64_t v) { return __atomic_fetch_and(p, v, __ATOMIC_ACQ_REL); }
static inline uint32_t mfr_add_acqrel32(uint32_t *p, uint32_t v) { return __atomic_fetch_add(p, v, __ATOMIC_ACQ_REL); }

// Whether to send a kick. The kick signal queues: one that has not been taken yet will do its work, and a queue of
// them would only pile up handlers. Sent again after a while, as a sender may have died before it sent its own.
static inline int mfr_kick_due(struct mfr_replica *r, uint64_t now_ns) {
  uint32_t now = (uint32_t)(now_ns / 1000000) | 1, last = mfr_load_acquire32(&r->kicked);
  if (last && now - last < 50) return 0;
  return mfr_cas_acqrel32(&r->kicked, last, now);
}

// ---- children --------------------------------------------------------------------------------------
static inline void mfr_child_add(void *base, int32_t pid) {
  struct mfr_header *h = mfr_header_of(base);
  for (uint32_t i = 0; i < MFR_MAX_CHILDREN; i++) {
    uint32_t *place = (uint32_t *)&h->children[i];
    if (mfr_load_acquire32(place) == (uint32_t)pid) return;
    if (mfr_load_acquire32(place) == 0 && mfr_cas_acqrel32(place, 0, (uint32_t)pid)) return;
  }
  mfr_store_release32(&h->children_lost, 1);
}
static inline void mfr_child_remove(void *base, int32_t pid) {
  struct mfr_header *h = mfr_header_of(base);
  for (uint32_t i = 0; i < MFR_MAX_CHILDREN; i++)
    mfr_cas_acqrel32((uint32_t *)&h->children[i], (uint32_t)pid, 0);
}
static inline int32_t mfr_child_at(void *base, uint32_t i) {
  return (int32_t)mfr_load_acquire32((uint32_t *)&mfr_header_of(base)->children[i % MFR_MAX_CHILDREN]);
}

static inline void mfr_fence_seqcst(void) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }

#include "mfr_pending.h"

#endif
