// mfr_host.h - what the Swift side needs of Linux and of the buffer, and cannot say in Swift.
//
// Only Swift imports this file; the shim never does. Functions named mfr_host_* are thin: no policy,
// and errors come back as negative errno, never through errno.
#ifndef MFR_HOST_H
#define MFR_HOST_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include <stdint.h>
#include <sys/types.h>

#include "mfr_abi.h"

// ---- the call table, as text (abi.c) --------------------------------------------------------------
struct mfr_call_row {
  uint32_t number;
  const char *_Nonnull name;
  const char *_Nonnull call_class; // LOCAL, SHARED, …
  const char *_Nonnull commit;     // COUNT_IN, GONE(0), …
  const char *_Nonnull flags;      // "0" or "BLOCKS | RESTARTS"
  uint32_t arity;
  const char *_Nonnull args[6];
  const char *_Nonnull where;
};
// All rows, in the order of the table; `mfr_call_row_count` of them.
const struct mfr_call_row *_Nonnull mfr_call_rows_first(void);
extern const uint32_t mfr_call_row_count;

// Offsets that are macros with casts in mfr_abi.h, which Swift cannot import.
enum { MFR_OFF_REPLICAS_VALUE = MFR_OFF_REPLICAS, MFR_OFF_RANGES_VALUE = MFR_OFF_RANGES, MFR_OFF_SLOTS_VALUE = MFR_OFF_SLOTS };
enum { MFR_OFF_DATA_VALUE = MFR_OFF_DATA, MFR_BUFFER_BYTES_VALUE = MFR_BUFFER_BYTES, MFR_CHUNK_MAX_VALUE = MFR_CHUNK_MAX, MFR_SLOTS_VALUE = MFR_SLOTS };

// ---- fields of the buffer, as pointers that the atomics of mfr_abi.h take --------------------------
#define MFR_HEADER_FIELD(type, name)                                      \
  static inline type *_Nonnull mfr_header_##name(void *_Nonnull base) {   \
    return &mfr_header_of(base)->name;                                    \
  }
MFR_HEADER_FIELD(uint64_t, magic)
MFR_HEADER_FIELD(uint32_t, version)
MFR_HEADER_FIELD(uint32_t, total_bytes)
MFR_HEADER_FIELD(uint32_t, set_id)
MFR_HEADER_FIELD(int32_t, anchor_pid)
MFR_HEADER_FIELD(int32_t, anchor_tid)
MFR_HEADER_FIELD(int32_t, anchor_ppid)
MFR_HEADER_FIELD(uint32_t, hash_off)
MFR_HEADER_FIELD(uint32_t, start_level)
MFR_HEADER_FIELD(uint64_t, started_ns)
MFR_HEADER_FIELD(uint64_t, grant)
MFR_HEADER_FIELD(uint64_t, sig_pending)
MFR_HEADER_FIELD(uint64_t, signal_point)
MFR_HEADER_FIELD(uint32_t, live)
MFR_HEADER_FIELD(uint32_t, sync)
MFR_HEADER_FIELD(uint32_t, spin)
MFR_HEADER_FIELD(uint32_t, wake_lag)
MFR_HEADER_FIELD(uint32_t, late_us)
MFR_HEADER_FIELD(uint32_t, kick)
MFR_HEADER_FIELD(uint32_t, vote)
MFR_HEADER_FIELD(uint32_t, stalled)
MFR_HEADER_FIELD(uint32_t, parked)
MFR_HEADER_FIELD(uint32_t, coordinator_wake)
MFR_HEADER_FIELD(uint32_t, anchor_wake)
MFR_HEADER_FIELD(uint32_t, renamed)
MFR_HEADER_FIELD(int32_t, coordinator_pid)
MFR_HEADER_FIELD(uint32_t, coordinator_starts)
MFR_HEADER_FIELD(uint32_t, coordinator_rounds)
MFR_HEADER_FIELD(uint32_t, ending)
MFR_HEADER_FIELD(uint32_t, mode)
MFR_HEADER_FIELD(uint32_t, collapse)
MFR_HEADER_FIELD(uint32_t, collapse_by)
MFR_HEADER_FIELD(uint32_t, no_grow)
MFR_HEADER_FIELD(uint32_t, exec_count)
MFR_HEADER_FIELD(uint32_t, attached)
MFR_HEADER_FIELD(uint32_t, exec_arrived)
MFR_HEADER_FIELD(uint32_t, posix_timers)
MFR_HEADER_FIELD(uint32_t, child_event)
MFR_HEADER_FIELD(uint32_t, level)
MFR_HEADER_FIELD(uint32_t, exit_kind)
MFR_HEADER_FIELD(int32_t, exit_value)
MFR_HEADER_FIELD(uint64_t, exit_seq)
MFR_HEADER_FIELD(uint64_t, sig_ignored)
MFR_HEADER_FIELD(uint64_t, sig_caught)
MFR_HEADER_FIELD(uint64_t, sig_blocked)
MFR_HEADER_FIELD(int32_t, exec_pid)
MFR_HEADER_FIELD(uint32_t, sig_child_flags)
MFR_HEADER_FIELD(uint64_t, failovers)
MFR_HEADER_FIELD(uint64_t, respawns)
MFR_HEADER_FIELD(uint64_t, divergences)
MFR_HEADER_FIELD(uint64_t, bids)
MFR_HEADER_FIELD(uint64_t, faults)
MFR_HEADER_FIELD(uint64_t, collapses)
MFR_HEADER_FIELD(uint64_t, grant_seq)
MFR_HEADER_FIELD(uint64_t, level_max)
MFR_HEADER_FIELD(uint32_t, stops)
MFR_HEADER_FIELD(uint32_t, anchor_stopped)
MFR_HEADER_FIELD(uint32_t, stop_wanted)
MFR_HEADER_FIELD(uint32_t, map_count)
MFR_HEADER_FIELD(uint32_t, map_foreign)
MFR_HEADER_FIELD(uint32_t, halted)
MFR_HEADER_FIELD(uint32_t, breaks)
MFR_HEADER_FIELD(uint32_t, breaks_told)
MFR_HEADER_FIELD(uint32_t, break_page)
MFR_HEADER_FIELD(uint64_t, lost)
MFR_HEADER_FIELD(uint64_t, owed)
MFR_HEADER_FIELD(uint32_t, young_ms)
MFR_HEADER_FIELD(uint32_t, child_level)
#undef MFR_HEADER_FIELD

static inline uint64_t *_Nonnull mfr_header_loss_ns(void *_Nonnull base, uint64_t number) {
  return &mfr_header_of(base)->loss_ns[number % MFR_LOSSES];
}
static inline uint64_t *_Nonnull mfr_host_way(void *_Nonnull base, uint32_t index) {
  return &mfr_header_of(base)->way[index % MFR_MAX_REPLICAS];
}
static inline char *_Nonnull mfr_header_reason(void *_Nonnull base) { return mfr_header_of(base)->reason; }
static inline char *_Nonnull mfr_header_program(void *_Nonnull base) { return mfr_header_of(base)->program; }
static inline struct mfr_file mfr_host_mapped_file(void *_Nonnull base, uint32_t index) {
  return mfr_header_of(base)->map_file[index % MFR_MAP_FILES];
}
static inline char *_Nonnull mfr_header_name(void *_Nonnull base) { return mfr_header_of(base)->name; }
static inline char *_Nonnull mfr_header_tool(void *_Nonnull base) { return mfr_header_of(base)->tool; }
static inline char *_Nonnull mfr_header_family(void *_Nonnull base) { return mfr_header_of(base)->family; }
static inline struct mfr_adoption *_Nonnull mfr_host_adoption(void *_Nonnull base) {
  return &mfr_header_of(base)->adoption;
}
static inline uint32_t *_Nonnull mfr_host_adoption_state(void *_Nonnull base) {
  return &mfr_header_of(base)->adoption.state;
}
// Kicks the process of a replica, unless it has not taken the last kick yet.
int mfr_host_kick(void *_Nonnull base, uint32_t place, int pid);
// Whether a signal waits for the guest: 1 or 0.
static inline int mfr_host_signal_waits(void *_Nonnull base, uint32_t signo) {
  uint64_t word = 0;
  return mfr_signal_next(base, signo, MFR_ANY_THREAD, &word) != NULL;
}
// Whether there are, or may be, children of the guest that were not waited for: 1 or 0.
static inline int mfr_host_has_children(void *_Nonnull base) {
  if (mfr_load_acquire32(&mfr_header_of(base)->children_lost)) return 1;
  for (uint32_t i = 0; i < MFR_MAX_CHILDREN; i++)
    if (mfr_child_at(base, i)) return 1;
  return 0;
}
// Adds a child's struct rusage (18 words) to those of the children that were waited for.
static inline void mfr_host_add_usage(void *_Nonnull base, const void *_Nonnull usage) {
  uint64_t *sum = mfr_header_of(base)->child_usage;
  const uint64_t *one = (const uint64_t *)usage;
  for (uint32_t i = 0; i < 18; i++) {
    if (i != 4) sum[i] += one[i];
    else if (one[i] > sum[i]) sum[i] = one[i]; // ru_maxrss: the largest
  }
  for (uint32_t i = 1; i < 4; i += 2)
    if (sum[i] >= 1000000) sum[i - 1]++, sum[i] -= 1000000;
}
// Whether a signal of that timer waits; then it counts so many expirations more. Not exact: it may be taken at this
// moment.
static inline int mfr_host_timer_signal_waits(void *_Nonnull base, uint32_t signo, int32_t timer, int32_t more) {
  for (uint32_t i = 1; i < MFR_PENDING; i++) {
    struct mfr_pending *p = &mfr_header_of(base)->pending[i];
    uint64_t word = mfr_load_acquire64(&mfr_header_of(base)->pending_word[i]);
    int32_t code, tid, overrun;
    __builtin_memcpy(&code, p->info + 8, 4);
    __builtin_memcpy(&tid, p->info + 16, 4);
    if (mfr_pending_state_of(word) != MFR_PENDING_READY || mfr_pending_signo(word) != signo || code != -2 || tid != timer)
      continue;
    __builtin_memcpy(&overrun, p->info + 20, 4);
    overrun = (int32_t)((uint32_t)overrun + (uint32_t)more);
    __builtin_memcpy(p->info + 20, &overrun, 4);
    return 1;
  }
  return 0;
}
// Notes that the process of that pid was a replica of the set.
static inline void mfr_host_note_past(void *_Nonnull base, int32_t pid) {
  struct mfr_header *h = mfr_header_of(base);
  uint32_t n = mfr_load_relaxed32(&h->past_count);
  h->past_pids[n % MFR_PAST_PIDS] = pid;
  mfr_store_release32(&h->past_count, n + 1);
}

#define MFR_REPLICA_FIELD(type, name)                                                      \
  static inline type *_Nonnull mfr_replica_##name(void *_Nonnull base, uint32_t index) {   \
    return &mfr_replica_at(base, index)->name;                                             \
  }
MFR_REPLICA_FIELD(uint64_t, seq)
MFR_REPLICA_FIELD(uint32_t, phase)
MFR_REPLICA_FIELD(uint32_t, bid)
MFR_REPLICA_FIELD(uint32_t, alive)
MFR_REPLICA_FIELD(uint32_t, park)
MFR_REPLICA_FIELD(uint32_t, state)
MFR_REPLICA_FIELD(int32_t, pid)
MFR_REPLICA_FIELD(uint32_t, request)
MFR_REPLICA_FIELD(uint64_t, request_arg)
MFR_REPLICA_FIELD(uint64_t, inject_at)
MFR_REPLICA_FIELD(uint32_t, inject_bit)
MFR_REPLICA_FIELD(int32_t, inject_result)
MFR_REPLICA_FIELD(uint32_t, marks)
MFR_REPLICA_FIELD(int64_t, request_result)
MFR_REPLICA_FIELD(uint32_t, request_done)
MFR_REPLICA_FIELD(uint32_t, generation)
MFR_REPLICA_FIELD(uint32_t, verdict)
MFR_REPLICA_FIELD(uint32_t, unshared)
MFR_REPLICA_FIELD(int32_t, wait_code)
MFR_REPLICA_FIELD(int32_t, wait_status)
MFR_REPLICA_FIELD(uint64_t, died_ns)
MFR_REPLICA_FIELD(uint32_t, settled)
MFR_REPLICA_FIELD(uint32_t, range_count)
MFR_REPLICA_FIELD(uint32_t, ranges_more)
#undef MFR_REPLICA_FIELD

// Copies one replica's entry word by word, so that no field is torn. `state` is read first with
// acquire: what its writer wrote before is in the copy.
static inline struct mfr_replica mfr_host_replica(void *_Nonnull base, uint32_t index) {
  struct mfr_replica copy;
  const uint64_t *from = (const uint64_t *)mfr_replica_at(base, index);
  uint64_t *to = (uint64_t *)&copy;
  uint32_t state = mfr_load_acquire32(&mfr_replica_at(base, index)->state);
  for (uint32_t i = 0; i < sizeof copy / 8; i++) to[i] = mfr_load_relaxed64(from + i);
  copy.state = state;
  return copy;
}

// Zeroes the entry of a free place, all but its state.
static inline void mfr_host_clear_replica(void *_Nonnull base, uint32_t index) {
  struct mfr_replica *replica = mfr_replica_at(base, index);
  uint64_t *words = (uint64_t *)replica;
  for (uint32_t i = 0; i < sizeof *replica / 8; i++)
    if (i != offsetof(struct mfr_replica, state) / 8) mfr_store_relaxed64(words + i, 0);
  mfr_store_relaxed32(&replica->park, 0);
}

static inline struct mfr_rpc *_Nonnull mfr_host_rpc(void *_Nonnull base) { return &mfr_header_of(base)->rpc; }
static inline uint8_t *_Nonnull mfr_host_rpc_data(void *_Nonnull base) { return mfr_header_of(base)->rpc.data; }
static inline uint32_t *_Nonnull mfr_host_rpc_state(void *_Nonnull base) { return &mfr_header_of(base)->rpc.state; }
static inline uint32_t *_Nonnull mfr_host_rpc_cancel(void *_Nonnull base) { return &mfr_header_of(base)->rpc.cancel; }
static inline struct mfr_slot *_Nonnull mfr_host_slot(void *_Nonnull base, uint64_t seq) { return mfr_slot_at(base, seq); }
static inline struct mfr_range *_Nonnull mfr_host_ranges(void *_Nonnull base, uint32_t index) { return mfr_ranges_of(base, index); }
static inline uint64_t *_Nonnull mfr_host_slot_word(void *_Nonnull base, uint64_t seq) { return &mfr_slot_at(base, seq)->word; }

// Copies `count` bytes of the data ring from `off` on, wrapping at its end.
static inline void mfr_host_data_copy(void *_Nonnull base, uint64_t off, void *_Nonnull to, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) ((uint8_t *)to)[i] = *mfr_data_at(base, off + i);
}

// ---- Linux --------------------------------------------------------------------------------------
// Waits while *word == expected; timeout_ns < 0: without limit. 0, -EAGAIN, -ETIMEDOUT or -EINTR.
int mfr_host_futex_wait(uint32_t *_Nonnull word, uint32_t expected, int64_t timeout_ns);
// Wakes up to `count` waiters; returns how many.
int mfr_host_futex_wake(uint32_t *_Nonnull word, int count);
uint64_t mfr_host_now_ns(void);      // CLOCK_MONOTONIC
uint64_t mfr_host_realtime_ns(void); // CLOCK_REALTIME
int mfr_host_gettid(void);
// A file of `bytes` zeros that is memory and has no name: memfd_create, or where that is refused, /dev/shm or /tmp.
int mfr_host_memory(const char *_Nonnull name, uint64_t bytes);
int mfr_host_tgkill(int pid, int tid, int signo);
int mfr_host_kill(int pid, int signo);
// kill, tkill, tgkill or pidfd_send_signal (with the replica's pid for its third argument) by a guest of these uids, with or
// without CAP_KILL: the call's result, or -ENOSYS when this thread cannot be such a one.
int64_t mfr_host_send_as(uint32_t number, const int64_t *_Nonnull arguments, uint32_t ruid, uint32_t euid, int may_kill);
// Waits until a replica of the set dies (mfr_replica.alive), as soon as the kernel has ended its last call: 1, or
// 0 when there may be others to wait for; -errno when the kernel cannot (before Linux 5.16).
int mfr_host_wait_for_death(void *_Nonnull base);
// Queues the given raw siginfo (128 bytes); the kernel refuses codes >= 0 with -EPERM.
int mfr_host_sigqueueinfo(int pid, int signo, const void *_Nonnull siginfo);

// Signal masks as 64 bits, bit signo-1; includes the two signals that libc keeps for itself.
uint64_t mfr_host_block_all(void); // returns the mask before
void mfr_host_set_mask(uint64_t mask);
// Waits for a signal of `mask`: its number (siginfo filled), -EAGAIN on time-out, -EINTR.
int mfr_host_sigwait(uint64_t mask, void *_Nonnull siginfo, int64_t timeout_ns);
// 0 default, 1 ignored, 2 handled
int mfr_host_signal_fd(void); // readable while any blocked signal is pending; -errno
int mfr_host_wait_readable(int fd);
int mfr_host_disposition(int signo);
void mfr_host_set_default(int signo);
void mfr_host_set_ignored(int signo);

struct mfr_host_siginfo { // the fields of a siginfo that are read here
  int32_t signo, code, pid, status;
};
struct mfr_host_siginfo mfr_host_siginfo_of(const void *_Nonnull raw);

// waitid(P_PID …): 0 with *out filled (pid 0: nothing to report), or -errno. `usage` may be NULL (144 bytes).
int mfr_host_waitid(int idtype, int id, void *_Nonnull siginfo, int options, void *_Nullable usage);

struct mfr_host_spawn {
  const char *_Nonnull path;
  char *_Nullable const *_Nonnull argv;
  char *_Nullable const *_Nonnull envp;
  uint64_t mask;         // signal mask of the new program
  int32_t ignore_child;  // 1: SIGCHLD ignored in the new program
  // 1: a process group of its own, out of reach of the terminal's keys, and descriptors as given below. Not a session: each
  // would be an autogroup for the scheduler (sched(7)), and with a new one now and then Linux 6.18 let other processes of a
  // busy machine wait for seconds (docs/design/0002).
  int32_t own_group;
  int32_t keep_fd;       // own_group: this descriptor stays open, all others from 3 on are closed
  int32_t null_fd;       // own_group: becomes 0 and 1 (and 2, when stderr_fd < 0)
  int32_t stderr_fd;     // own_group: becomes 2
  int32_t die_with_parent; // 1: PR_SET_PDEATHSIG SIGKILL
};
// Starts a program by vfork and execve; returns its pid, or -errno of the execve. Call it from the
// main thread: PR_SET_PDEATHSIG is bound to the calling thread.
int mfr_host_spawn_program(const struct mfr_host_spawn *_Nonnull how);
int mfr_host_exec(const char *_Nonnull path, char *_Nullable const *_Nonnull argv, char *_Nullable const *_Nonnull envp);

int mfr_host_usable_cores(void);
int mfr_host_close_from(int first, int keep, int keep2);
int mfr_host_peer_uid(int fd, uint32_t *_Nonnull uid);
int mfr_host_listen(const char *_Nonnull path); // UNIX stream socket, mode 0600; fd or -errno
int mfr_host_connect(const char *_Nonnull path);
int mfr_host_accept(int fd);
int mfr_host_no_core(void);
// Comes before the replicas when processors are short, if it may (CAP_SYS_NICE): they wait for its decisions.
void mfr_host_hurry(void);
static inline int mfr_host_hurried(int nice) { return nice < -10 ? -20 : nice - 10; }
// As many descriptors as this process may give itself.
void mfr_host_raise_descriptor_limit(void);
int mfr_host_getitimer(int which, void *_Nonnull out32);
int mfr_host_setitimer(int which, const void *_Nonnull in32, void *_Nonnull out32);
// How the kernel is to treat a process: 0 (mfr_host_io_priority: the value), or a negative errno.
// The processors that it may run on, up to 8192 of them: sched_setaffinity(2).
typedef struct { uint64_t bits[128]; } mfr_processors;
int mfr_host_processors(int pid, mfr_processors *_Nonnull set);
int mfr_host_set_processors(int pid, const mfr_processors *_Nonnull set);
// setpriority(2)
int mfr_host_nice(int pid, int *_Nonnull nice);
int mfr_host_set_nice(int pid, int nice);
// sched_setscheduler(2)
typedef struct { int32_t policy, priority; } mfr_scheduling;
int mfr_host_scheduling(int pid, mfr_scheduling *_Nonnull how);
int mfr_host_set_scheduling(int pid, const mfr_scheduling *_Nonnull how);
// ioprio_set(2)
int mfr_host_io_priority(int pid);
int mfr_host_set_io_priority(int pid, int value);
// prlimit(2)
typedef struct { uint64_t soft, hard; } mfr_limit;
int mfr_host_limits(void); // how many resources there are
int mfr_host_limit_hurts(int resource); // whether the anchor might come to that limit itself
int mfr_host_limit(int pid, int resource, mfr_limit *_Nonnull limit);
int mfr_host_set_limit(int pid, int resource, const mfr_limit *_Nonnull limit);
// Processor time of a process: in user mode, or all of it; 0 when it is gone.
uint64_t mfr_host_cpu_ns(int pid, int user_only);
// What the guest's clock of processor time says when its leader has used `own` (calls/usage.c).
static inline uint64_t mfr_host_usage_clock(void *_Nonnull base, int32_t leader, uint64_t own) {
  const struct mfr_usage *u = &mfr_header_of(base)->usage[MFR_USAGE_CLOCKS];
  uint64_t told = own + (u->pid == leader ? u->base : u->last > own ? u->last - own : 0);
  return told > u->last ? told : u->last;
}
// timer_create: `event` is a struct sigevent of 64 bytes, or NULL; the thread that it may name is the guest's.
// Returns the kernel's number, or -errno.
int mfr_host_timer_create(int clock, const void *_Nullable event);
// The thread that a struct sigevent names, 0 if none.
int mfr_host_event_thread(const void *_Nonnull event);
int mfr_host_timer_settime(int timer, int flags, const void *_Nonnull in32, void *_Nonnull out32);
int mfr_host_timer_gettime(int timer, void *_Nonnull out32);
int mfr_host_timer_getoverrun(int timer);
int mfr_host_timer_delete(int timer);
int mfr_host_pdeathsig(int signo);
int mfr_host_get_pdeathsig(void);
int mfr_host_subreaper(int on); // on < 0: tells
int mfr_host_has_file_caps(const char *_Nonnull path);
void mfr_host_thread_name(const char *_Nonnull name);
// Replaces the command line shown by ps (argv area) and the thread name.
// Sends a descriptor to the datagram socket with this abstract address (n bytes, the first one 0). 0 or -errno.
int mfr_host_send_descriptor(int descriptor, const void *_Nonnull address, size_t n);
// /proc/self/cmdline shows these bytes from now on. 0 or -errno (-EINVAL: a kernel without checkpoint and restore).
// Not from two threads at once.
int mfr_host_show_command_line(const void *_Nonnull bytes, size_t n);
char *_Nullable *_Nonnull mfr_host_environ(void);
int mfr_host_start_thread(void (*_Nonnull body)(void *_Nonnull), void *_Nonnull context);
// inotify(7). Descriptor or -errno; says whether a watch for openings of the file is there.
int mfr_host_inotify(void);
int mfr_host_watch_open(int fd, const char *_Nonnull path);
void mfr_host_exit(int status) __attribute__((noreturn));

// ---- user and groups that others see (identity.c) --------------------------------------------------
#define MFR_HOST_GROUPS 64
struct mfr_host_identity {
  uint32_t ruid, euid, rgid, egid;
  uint32_t group_count;
  uint32_t groups[MFR_HOST_GROUPS];
};
// The calling thread has this real user id and these groups from now on; the effective one while it has stepped down.
// Only for the superuser. 0, or a negative errno.
int mfr_host_bear(const struct mfr_host_identity *_Nonnull who);
// Without its rights, and with all of them again. Nothing happens where the effective user id that is borne is 0.
void mfr_host_step_down(void);
void mfr_host_step_up(void);

// ---- broken pages of the buffer (buffer.c) ---------------------------------------------------------
// From now on a fault of this process at a page of the buffer is repaired (anchor), or told and died of (coordinator).
void mfr_host_guard_buffer(void *_Nonnull base, int anchor);
// In each thread of the anchor, whose signals are blocked otherwise.
void mfr_host_open_bus(void);
uint64_t mfr_host_always_open(void); // signals that are never blocked
// Anchor: keeps in mind what may have to be restored; does what a replica or a coordinator has called for.
void mfr_host_remember(void);
void mfr_host_check_alarm(void);
// A replica that a repair has reaped, whose SIGCHLD may come yet; each is told once. 0: none.
int mfr_host_next_reaped(void);
// 1: somebody has sent this process a SIGBUS; its siginfo (128 bytes).
int mfr_host_sent_bus(void *_Nonnull siginfo);

#endif
