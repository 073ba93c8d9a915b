// init.c - the constructor: runs once in each image, before any other (-z initfirst) and before main.
// Law: this file and entries.c may call libc; nothing here stays on the guest's side.
#define _GNU_SOURCE
#include <sys/auxv.h>
#include <unistd.h>

#include "shim.h"

struct mfr_self mfr_self;
extern char **environ;
void mfr_entries_init(void);

static void copy_string(char *to, const char *from, u64 size, char end) {
  u64 i = 0;
  for (; from[i] && from[i] != end && i + 1 < size; i++) to[i] = from[i];
  to[i] = 0;
}

// ---- the environment ------------------------------------------------------------------------------------
// Ours are the last two of it: LD_PRELOAD=<shim>[:<theirs>], which the loader prefers to one that the guest's
// user has set, and MFR_BUFFER=<path> for a replica or MFR_TREE=<…> for a process that is no set (promote.c).
struct mm_map { // struct prctl_mm_map
  u64 start_code, end_code, start_data, end_data, start_brk, brk, start_stack, arg_start, arg_end, env_start, env_end;
  u64 auxv;
  u32 auxv_size, exe_fd;
};

// Field n of /proc/self/stat, counted from 1.
static u64 stat_field(const char *text, u32 n) {
  const char *p = text;
  for (const char *q = text; *q; q++)
    if (*q == ')') p = q + 1; // the name may hold anything
  for (u32 at = 2; at < n && *p; p++) at += *p == ' ';
  u64 value = 0;
  while (*p >= '0' && *p <= '9') value = value * 10 + (u64)(*p++ - '0');
  return value;
}

// /proc/self/environ ends at `end` from now on.
static void cut_environment(u64 end) {
  if (SYS5(prctl, 35 /* PR_SET_MM */, 11 /* PR_SET_MM_ENV_END */, end, 0, 0) == 0) return;
  // Without CAP_SYS_RESOURCE the fields are only set all together.
  char text[1024];
  long fd = SYS4(openat, -100, "/proc/self/stat", 02000000, 0);
  if (fd < 0) return;
  long n = SYS3(read, fd, text, sizeof text - 1);
  SYS1(close, fd);
  if (n <= 0) return;
  text[n] = 0;
  struct mm_map m;
  memset(&m, 0, sizeof m);
  m.start_code = stat_field(text, 26), m.end_code = stat_field(text, 27), m.start_stack = stat_field(text, 28);
  m.start_data = stat_field(text, 45), m.end_data = stat_field(text, 46), m.start_brk = stat_field(text, 47);
  m.arg_start = stat_field(text, 48), m.arg_end = stat_field(text, 49), m.env_start = stat_field(text, 50);
  m.brk = (u64)SYS1(brk, 0);
  m.env_end = end;
  m.exe_fd = ~0u;
  SYS5(prctl, 35, 14 /* PR_SET_MM_MAP */, &m, sizeof m, 0);
}

// What MFR_TREE says: level, milliseconds, mfr-run; and on the next lines what is passed on.
static void take_tree(const char *s) {
  struct mfr_tree *t = &mfr_self.tree;
  for (t->level = 0; *s >= '0' && *s <= '9'; s++) t->level = t->level * 10 + (u32)(*s - '0');
  s += *s == ',';
  for (t->young_ms = 0; *s >= '0' && *s <= '9'; s++) t->young_ms = t->young_ms * 10 + (u32)(*s - '0');
  s += *s == ',';
  copy_string(t->tool, s, sizeof t->tool, '\n');
  while (*s && *s++ != '\n') {}
  copy_string(t->family, s, sizeof t->family, 0);
}

// Takes ours out, for good: from the vector (bash has a getenv of its own), from memory, from /proc/self/environ.
static long lent = -1; // a descriptor of the buffer, which goes away again: see borrow_buffer
enum { IS_FOREIGN, IS_REPLICA, IS_CHILD };
static int take_environment(void) {
  u32 n = 0;
  while (environ && environ[n]) n++;
  if (n < 2) return IS_FOREIGN;
  char *preload = environ[n - 2], *buffer = environ[n - 1];
  int replica = mfr_streq_prefix(buffer, "MFR_BUFFER=");
  if (!mfr_streq_prefix(preload, "LD_PRELOAD=") || (!replica && !mfr_streq_prefix(buffer, "MFR_TREE="))) return IS_FOREIGN;
  copy_string(mfr_self.shim_path, preload + 11, sizeof mfr_self.shim_path, ':');
  if (replica) {
    copy_string(mfr_self.buffer_path, buffer + 11, sizeof mfr_self.buffer_path, ' ');
    const char *fd = buffer + 11 + mfr_strlen(mfr_self.buffer_path);
    for (lent = *fd == ' ' ? 0 : -1, fd += *fd == ' '; *fd; fd++) lent = lent * 10 + (*fd - '0');
  }
  else take_tree(buffer + 9);
  // The auxiliary vector follows the environment, and some look for it there: what is left over of the
  // environment is an entry that means nothing.
  environ[n - 2] = NULL;
  environ[n - 1] = (char *)1; // AT_IGNORE
  environ[n] = NULL;
  memset(preload, 0, mfr_strlen(preload));
  memset(buffer, 0, mfr_strlen(buffer));
  cut_environment((u64)(preload < buffer ? preload : buffer));
  return replica ? IS_REPLICA : IS_CHILD;
}

// The address space has no room for the buffer (RLIMIT_AS): the program runs without MFR, and status says why.
static void tell_unmapped(long fd) {
  static const char reason[] = "its address space has no room for the buffer (ulimit -v)";
  struct mfr_header *h = NULL; // for offsets only
  u64 magic = 0;
  u32 one = 1, native = MFR_MODE_NATIVE, version = 0;
  SYS4(pread64, fd, &magic, sizeof magic, &h->magic);
  SYS4(pread64, fd, &version, sizeof version, &h->version);
  if (magic != MFR_ABI_MAGIC || version != MFR_ABI_VERSION) return;
  SYS4(pwrite64, fd, reason, sizeof reason, &h->reason);
  SYS4(pwrite64, fd, &one, sizeof one, &h->no_grow);
  SYS4(pwrite64, fd, &native, sizeof native, &h->mode);
}

static int attach(const char *path) {
  long fd = lent >= 0 ? lent : SYS4(openat, -100, path, 02000002 /* O_RDWR | O_CLOEXEC */, 0);
  if (fd < 0) return 0;
  // A page more than there is: beyond the end of a file, as mappings.c needs it.
  long m = SYS6(mmap, 0, MFR_BUFFER_BYTES + MFR_PAGE, 3, 1 /* MAP_SHARED */, fd, 0);
  if (m < 0 && m > -4096) tell_unmapped(fd);
  SYS1(close, fd);
  if (m < 0 && m > -4096) return 0;
  struct mfr_header *h = mfr_header_of((void *)m);
  if (h->magic != MFR_ABI_MAGIC || h->version != MFR_ABI_VERSION) {
    SYS2(munmap, m, MFR_BUFFER_BYTES + MFR_PAGE);
    return 0;
  }
  mfr_self.base = (u8 *)m;
  mfr_self.h = h;
  return 1;
}

// What this process's own reads so far count in /proc/PID/io: exec and the loader read files, the shim its tables.
void mfr_account_begins(void) {
  char text[512];
  mfr_self.me->in_sum = mfr_self.in_sum = 0; // a child of the guest has its parent's
  mfr_self.me->out_sum = mfr_self.out_sum = 0;
  long fd = SYS4(openat, -100, "/proc/self/io", 02000000, 0);
  if (fd < 0) return;
  long n = SYS3(read, fd, text, sizeof text - 1);
  SYS1(close, fd);
  if (n <= 0) return;
  text[n] = 0;
  u64 value[2] = {0, 0};
  u32 k = 0;
  for (long i = 0; i < n && k < 2; i++)
    if (text[i] == ':') {
      i += 2;
      while (text[i] >= '0' && text[i] <= '9') value[k] = value[k] * 10 + (u64)(text[i++] - '0');
      k++;
    }
  mfr_self.me->in_sum = mfr_self.in_sum = value[0] + (u64)n;
  mfr_self.me->out_sum = mfr_self.out_sum = value[1];
}

// sched_getcpu reads the restartable-sequences area without any call, and replicas run on different
// processors: without a registration glibc asks the vDSO, which is ours.
extern const ptrdiff_t __rseq_offset __attribute__((weak));
extern const unsigned int __rseq_size __attribute__((weak));
static void leave_rseq(void) {
  if (!&__rseq_offset || !&__rseq_size || !__rseq_size) return;
  u64 tp;
  __asm__("mov %%fs:0, %0" : "=r"(tp));
  SYS4(rseq, tp + (u64)__rseq_offset, 32, 1 /* RSEQ_FLAG_UNREGISTER */, 0x53053053);
}

static void own_thread_id(void) {
  // glibc keeps its thread id where it told the kernel to clear it (set_tid_address).
  i32 *at = NULL;
  if (SYS5(prctl, 40 /* PR_GET_TID_ADDRESS */, &at, 0, 0, 0) != 0 || !at || *at != mfr_self.rpid) return;
  mfr_self.tid_field = at;
  *at = mfr_self.vpid;
}

void mfr_track_inherited(void) {
  for (long fd = 0; fd < 256; fd++)
    if (SYS2(fcntl, fd, 1 /* F_GETFD */) >= 0) mfr_fd_set(fd);
}

// What is needed to keep replicas in step is not there: one process, that makes its calls itself.
static void go_unprotected(const char *reason) {
  struct mfr_header *h = mfr_self.h;
  copy_string(h->reason, reason, sizeof h->reason, 0);
  h->no_grow = 1;
  mfr_store_release32(&h->mode, MFR_MODE_NATIVE);
  if (mfr_self.tid_field) *mfr_self.tid_field = mfr_self.rpid;
  mfr_self.mode = MFR_NATIVE;
  mfr_devirtualize(NULL);
  mfr_wake_coordinator();
}

// The lane begins, with the first duplicate where there is to be one: the coordinator makes what is missing then.
static long start_lane(struct mfr_call *c) {
  (void)c;
  struct mfr_header *h = mfr_self.h;
  u32 level = h->start_level < MFR_MAX_REPLICAS ? h->start_level : MFR_MAX_REPLICAS - 1;
  for (u32 i = 1; i <= level; i++) {
    // The place is reserved as the coordinator does it, and the request shows that the clone is under way.
    struct mfr_replica *r = mfr_replica_at(mfr_self.base, i);
    if (!mfr_cas_acqrel32(&r->state, MFR_REPLICA_FREE, MFR_REPLICA_RESERVED)) continue;
    r->generation++;
    mfr_self.me->request_arg = i;
    mfr_or_acqrel32(&mfr_self.me->request, MFR_REQ_CLONE);
    if (mfr_clone_replica(i) != 0) {
      mfr_and_acqrel32(&mfr_self.me->request, ~MFR_REQ_CLONE);
      continue;
    }
    mfr_self.became_joiner = 0;
    mfr_store_release32(&h->mode, MFR_MODE_LANE); // in case the donor dies just now
    return 0;
  }
  mfr_store_release32(&h->mode, MFR_MODE_LANE);
  mfr_add_acqrel32(&h->attached, 1);
  mfr_wake_coordinator();
  return 0;
}

// The guest's child has executed a program: it goes on as it is until it has lived for a while.
static void start_child(void) {
  mfr_self.vpid = mfr_self.rpid;
  for (u32 s = 1; s < MFR_NSIG; s++) SYS4(rt_sigaction, s, NULL, &mfr_self.action[s], 8);
  SYS2(sigaltstack, NULL, &mfr_self.valt);
  mfr_entries_init();
  leave_rseq(); // before the guest asks what its threads shall do
  own_thread_id();
  u64 ours = ~MFR_NOT_OURS;
  SYS4(rt_sigprocmask, 1 /* SIG_UNBLOCK */, &ours, NULL, 8);
  // Without Syscall User Dispatch there are no sets.
  if (SYS5(prctl, 59, 1, mfr_gate_start, mfr_gate_end - mfr_gate_start, 0) == 0) mfr_child_starts();
}

__attribute__((constructor)) static void mfr_start(int argc, char **argv, char **envp) {
  (void)argc, (void)argv;
  if (envp && !environ) environ = envp;
  int what = take_environment();
  if (what == IS_FOREIGN) return;
  mfr_self.rpid = (i32)SYS0(getpid);
  mfr_self.vdso = getauxval(33 /* AT_SYSINFO_EHDR */);
  mfr_threads_hwcap(getauxval(26 /* AT_HWCAP2 */));
  if (what == IS_CHILD) {
    start_child();
    return;
  }
  if (!attach(mfr_self.buffer_path)) return;
  struct mfr_header *h = mfr_self.h;
  int again = h->exec_pid == mfr_self.rpid, first = 0;
  u32 index = 0;
  for (u32 i = 0; i < MFR_MAX_REPLICAS; i++)
    if (mfr_replica_at(mfr_self.base, i)->pid == mfr_self.rpid) index = i, first = 1;
  if (!again && !(mfr_load_acquire32(&h->mode) == MFR_MODE_STARTING && SYS0(getppid) == h->anchor_pid)) {
    SYS2(munmap, mfr_self.base, MFR_BUFFER_BYTES + MFR_PAGE);
    return; // not a replica: a child that somebody gave our environment
  }
  (void)first;
  mfr_self.index = index;
  mfr_self.me = mfr_replica_at(mfr_self.base, index);
  mfr_self.vpid = h->anchor_pid;
  mfr_self.tree.young_ms = h->young_ms;
  copy_string(mfr_self.tree.tool, h->tool, sizeof mfr_self.tree.tool, 0);
  copy_string(mfr_self.tree.family, h->family, sizeof mfr_self.tree.family, 0);
  mfr_self.seq = mfr_self.me->seq;
  mfr_self.data_pos = mfr_self.me->data_pos;
  if (again) { // the slot of the execve itself is passed by having got here
    mfr_self.seq++;
    mfr_store_release64(&mfr_self.me->seq, mfr_self.seq);
    h->exec_count++;
    mfr_store_release32(&h->map_owner, 0); // the mappings are gone with the image
    mfr_store_release32(&h->map_foreign, 0);
    mfr_store_release32(&h->renamed, 1);
    mfr_wake_anchor();
  }
  mfr_self.me->pid = mfr_self.rpid;
  mfr_self.me->kicked = 0;
  mfr_end_with_anchor();
  h->sig_caught = h->sig_ignored = 0;
  h->sig_child_flags = 0;
  // A page that the hardware has found broken is news at once, not when it is touched.
  mfr_self.mce_policy = again ? 2 /* DEFAULT */ : (i32)SYS5(prctl, 34 /* PR_MCE_KILL_GET */, 0, 0, 0, 0);
  SYS5(prctl, 33 /* PR_MCE_KILL */, 1 /* SET */, 1 /* EARLY */, 0, 0);
  mfr_threads_init();
  mfr_mark_alive();
  mfr_signals_init();
  if (again) mfr_self.vmask = h->sig_blocked;
  else h->sig_blocked = mfr_self.vmask;
  mfr_entries_init();
  leave_rseq();
  own_thread_id();
  mfr_track_inherited();
  if (again) mfr_signalfd_restore();
  mfr_mask_learn();
  int clocks = mfr_vdso_init(mfr_self.vdso);
  mfr_account_begins();
  if (!clocks) {
    go_unprotected("the kernel's clock functions (vDSO) cannot be replaced");
    return;
  }
  if (SYS5(prctl, 59, 1, mfr_gate_start, mfr_gate_end - mfr_gate_start, 0) != 0) {
    go_unprotected("the kernel has no Syscall User Dispatch (Linux 5.11 or later is needed)");
    return;
  }
  mfr_vdso_probe();
  if (again) {
    // The others still wait for this execve to come back. The coordinator ends them, then says so.
    mfr_add_acqrel32(&h->attached, 1);
    mfr_store_release32(&h->exec_arrived, 1);
    mfr_wake_coordinator();
    struct mfr_timespec look = {0, 5000000}; // a coordinator that is being replaced wakes nobody
    u32 *word = (u32 *)&h->exec_pid;
    for (u32 v; (v = mfr_load_acquire32(word)) != 0;) mfr_futex_wait(word, v, &look);
    mfr_store_release32(&h->exec_arrived, 0);
    mfr_timers_forget();
    mfr_self.mode = MFR_ON_LANE;
    mfr_store_release32(&h->mode, MFR_MODE_LANE);
    return; // the coordinator makes the duplicates: it always does when some are missing
  }
  mfr_self.mode = MFR_ON_LANE;
  mfr_on_own_stack(start_lane, NULL);
}
