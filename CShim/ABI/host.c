// host.c - Linux calls of the Swift side that Swift cannot make itself. Errors are -errno.
#include "mfr_host.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

static int result_of(long r) { return r < 0 ? -errno : (int)r; }

int mfr_host_futex_wait(uint32_t *word, uint32_t expected, int64_t timeout_ns) {
  struct timespec t = {timeout_ns / 1000000000, timeout_ns % 1000000000};
  return result_of(syscall(SYS_futex, word, FUTEX_WAIT, expected, timeout_ns < 0 ? NULL : &t, NULL, 0));
}
int mfr_host_futex_wake(uint32_t *word, int count) {
  return result_of(syscall(SYS_futex, word, FUTEX_WAKE, count, NULL, NULL, 0));
}
static uint64_t clock_ns(clockid_t id) {
  struct timespec t;
  clock_gettime(id, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}
uint64_t mfr_host_now_ns(void) { return clock_ns(CLOCK_MONOTONIC); }
uint64_t mfr_host_realtime_ns(void) { return clock_ns(CLOCK_REALTIME); }
int mfr_host_gettid(void) { return (int)syscall(SYS_gettid); }
int mfr_host_memory(const char *name, uint64_t bytes) {
  // A file that grows beyond this limit is not only refused: the kernel also sends SIGXFSZ.
  struct rlimit size, most;
  int limited = getrlimit(RLIMIT_FSIZE, &size) == 0 && size.rlim_cur < bytes;
  if (limited && size.rlim_max < bytes) return -EFBIG;
  if (limited) {
    most = size;
    most.rlim_cur = size.rlim_max;
    setrlimit(RLIMIT_FSIZE, &most);
  }
  // 8 is MFD_NOEXEC_SEAL, which some systems insist on and others do not know.
  int fd = memfd_create(name, MFD_CLOEXEC | 8u), error = errno;
  if (fd < 0 && error == EINVAL) fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING), error = errno;
  if (fd >= 0 && ftruncate(fd, (off_t)bytes) < 0) {
    error = errno;
    close(fd);
    fd = -1;
  }
  // A guest that finds it below /proc cannot cut it short: we would die of SIGBUS.
  if (fd >= 0) fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
  static const char *const folders[] = {"/dev/shm", "/tmp"};
  for (int i = 0; fd < 0 && error != EMFILE && error != ENFILE && i < 2; i++) {
    fd = open(folders[i], O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    // All of it now: a page that a full file system does not give later would be a SIGBUS in the guest.
    if (fd >= 0 && fallocate(fd, 0, 0, (off_t)bytes) < 0) {
      error = errno;
      close(fd);
      fd = -1;
    }
  }
  if (limited) setrlimit(RLIMIT_FSIZE, &size);
  return fd < 0 ? -error : fd;
}
int mfr_host_tgkill(int pid, int tid, int signo) { return result_of(syscall(SYS_tgkill, pid, tid, signo)); }
int mfr_host_kick(void *base, uint32_t place, int pid) {
  if (!mfr_kick_due(mfr_replica_at(base, place), mfr_host_now_ns())) return 0;
  return mfr_host_tgkill(pid, pid, MFR_KICK_SIGNAL);
}
int mfr_host_kill(int pid, int signo) { return result_of(syscall(SYS_kill, pid, signo)); }
int mfr_host_sigqueueinfo(int pid, int signo, const void *siginfo) {
  return result_of(syscall(SYS_rt_sigqueueinfo, pid, signo, siginfo));
}

uint64_t mfr_host_block_all(void) {
  uint64_t all = ~mfr_host_always_open(), before = 0;
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, 8);
  return before;
}
void mfr_host_set_mask(uint64_t mask) { syscall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, 8); }
int mfr_host_sigwait(uint64_t mask, void *siginfo, int64_t timeout_ns) {
  struct timespec t = {timeout_ns / 1000000000, timeout_ns % 1000000000};
  return result_of(syscall(SYS_rt_sigtimedwait, &mask, siginfo, timeout_ns < 0 ? NULL : &t, 8));
}

int mfr_host_signal_fd(void) {
  uint64_t all = ~0ull;
  return result_of(syscall(SYS_signalfd4, -1, &all, 8, 02000000 /* SFD_CLOEXEC */));
}
int mfr_host_wait_readable(int fd) {
  struct { int fd; short events, revents; } p = {fd, 1 /* POLLIN */, 0};
  return result_of(syscall(SYS_poll, &p, 1, -1));
}

// The kernel's own layout: libc's sigaction() refuses signals 32 and 33.
struct kernel_sigaction {
  void (*handler)(int);
  unsigned long flags;
  void (*restorer)(void);
  uint64_t mask;
};
int mfr_host_disposition(int signo) {
  struct kernel_sigaction a = {0};
  if (syscall(SYS_rt_sigaction, signo, NULL, &a, 8) < 0) return -errno;
  return a.handler == SIG_DFL ? 0 : a.handler == SIG_IGN ? 1 : 2;
}
static void set_disposition(int signo, void (*handler)(int)) {
  struct kernel_sigaction a = {.handler = handler};
  syscall(SYS_rt_sigaction, signo, &a, NULL, 8);
}
void mfr_host_set_default(int signo) { set_disposition(signo, SIG_DFL); }
void mfr_host_set_ignored(int signo) { set_disposition(signo, SIG_IGN); }

struct mfr_host_siginfo mfr_host_siginfo_of(const void *raw) {
  siginfo_t info;
  memcpy(&info, raw, sizeof info);
  struct mfr_host_siginfo out = {info.si_signo, info.si_code, info.si_pid, info.si_status};
  return out;
}
int mfr_host_waitid(int idtype, int id, void *siginfo, int options, void *usage) {
  memset(siginfo, 0, sizeof(siginfo_t));
  long r;
  do r = syscall(SYS_waitid, idtype, id, siginfo, options, usage);
  while (r < 0 && errno == EINTR);
  return result_of(r);
}

int mfr_host_spawn_program(const struct mfr_host_spawn *how) {
  volatile int error = 0;
  int pid = vfork();
  if (pid < 0) return -errno;
  if (pid == 0) { // shares our memory until execve: change nothing but descriptors and signals
    if (how->die_with_parent) prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (how->ignore_child) set_disposition(SIGCHLD, SIG_IGN);
    if (how->own_group) {
      setpgid(0, 0);
      // It stays in the terminal's session, where these may come although it does not belong to the job.
      for (const int *signo = (const int[]){SIGHUP, SIGTTIN, SIGTTOU, 0}; *signo; signo++) set_disposition(*signo, SIG_IGN);
      dup2(how->null_fd, 0);
      dup2(how->null_fd, 1);
      dup2(how->stderr_fd >= 0 ? how->stderr_fd : how->null_fd, 2);
      mfr_host_close_from(3, how->keep_fd, -1);
      fcntl(how->keep_fd, F_SETFD, 0);
    }
    mfr_host_set_mask(how->mask);
    execve(how->path, how->argv, how->envp);
    error = errno;
    _exit(127);
  }
  if (error) {
    int status;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
    return -error;
  }
  return pid;
}
int mfr_host_exec(const char *path, char *const *argv, char *const *envp) {
  execve(path, argv, envp);
  return -errno;
}

int mfr_host_usable_cores(void) {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) < 0) return 1;
  return CPU_COUNT(&set);
}
int mfr_host_processors(int pid, mfr_processors *set) {
  memset(set, 0, sizeof *set);
  return sched_getaffinity(pid, sizeof *set, (cpu_set_t *)set) < 0 ? -errno : 0;
}
int mfr_host_set_processors(int pid, const mfr_processors *set) {
  return sched_setaffinity(pid, sizeof *set, (const cpu_set_t *)set) < 0 ? -errno : 0;
}
int mfr_host_nice(int pid, int *nice) {
  errno = 0;
  int value = getpriority(PRIO_PROCESS, (id_t)pid);
  if (value == -1 && errno) return -errno;
  *nice = value;
  return 0;
}
int mfr_host_scheduling(int pid, mfr_scheduling *how) {
  struct sched_param param;
  how->policy = sched_getscheduler(pid);
  if (how->policy < 0 || sched_getparam(pid, &param) < 0) return -errno;
  how->priority = param.sched_priority;
  return 0;
}
int mfr_host_set_scheduling(int pid, const mfr_scheduling *how) {
  struct sched_param param = {.sched_priority = how->priority};
  return sched_setscheduler(pid, how->policy, &param) < 0 ? -errno : 0;
}
int mfr_host_io_priority(int pid) { return result_of(syscall(SYS_ioprio_get, 1 /* IOPRIO_WHO_PROCESS */, pid)); }
int mfr_host_set_io_priority(int pid, int value) { return result_of(syscall(SYS_ioprio_set, 1, pid, value)); }
int mfr_host_limits(void) { return RLIM_NLIMITS; }
int mfr_host_limit_hurts(int resource) {
  switch (resource) {
  case RLIMIT_CORE:
  case RLIMIT_RSS:
  case RLIMIT_LOCKS:
  case RLIMIT_MSGQUEUE:
  case RLIMIT_NICE:
  case RLIMIT_RTPRIO: return 0;
  default: return 1;
  }
}
int mfr_host_limit(int pid, int resource, mfr_limit *limit) {
  return result_of(syscall(SYS_prlimit64, pid, resource, NULL, limit));
}
int mfr_host_set_limit(int pid, int resource, const mfr_limit *limit) {
  return result_of(syscall(SYS_prlimit64, pid, resource, limit, NULL));
}
int mfr_host_set_nice(int pid, int nice) { return setpriority(PRIO_PROCESS, (id_t)pid, nice) < 0 ? -errno : 0; }
int mfr_host_close_from(int first, int keep, int keep2) {
  if (keep2 >= 0 && keep2 < keep) {
    int t = keep;
    keep = keep2;
    keep2 = t;
  }
  unsigned from = (unsigned)first;
  int kept[2] = {keep, keep2};
  for (int i = 0; i < 2; i++) {
    if (kept[i] < (int)from) continue;
    if (kept[i] > (int)from) syscall(SYS_close_range, from, (unsigned)kept[i] - 1, 0);
    from = (unsigned)kept[i] + 1;
  }
  return result_of(syscall(SYS_close_range, from, ~0u, 0));
}
int mfr_host_peer_uid(int fd, uint32_t *uid) {
  struct ucred cred;
  socklen_t n = sizeof cred;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) < 0) return -errno;
  *uid = cred.uid;
  return 0;
}
static int unix_socket(const char *path, struct sockaddr_un *address) {
  if (strlen(path) >= sizeof address->sun_path) return -ENAMETOOLONG;
  memset(address, 0, sizeof *address);
  address->sun_family = AF_UNIX;
  strcpy(address->sun_path, path);
  return result_of(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
}
int mfr_host_listen(const char *path) {
  struct sockaddr_un address;
  // Under another name first: where the last coordinator's socket is, there is always one.
  char fresh[sizeof address.sun_path];
  if (snprintf(fresh, sizeof fresh, "%s.new", path) >= (int)sizeof fresh) return -ENAMETOOLONG;
  int fd = unix_socket(fresh, &address);
  if (fd < 0) return fd;
  unlink(fresh);
  mode_t mask = umask(0177);
  int bound = bind(fd, (struct sockaddr *)&address, sizeof address);
  int error = errno;
  umask(mask);
  if (bound < 0 || listen(fd, 16) < 0 || rename(fresh, path) < 0) {
    if (bound == 0) error = errno;
    close(fd);
    unlink(fresh);
    return -error;
  }
  return fd;
}
int mfr_host_connect(const char *path) {
  struct sockaddr_un address;
  int fd = unix_socket(path, &address);
  if (fd < 0) return fd;
  if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
    int error = errno;
    close(fd);
    return -error;
  }
  return fd;
}
int mfr_host_accept(int fd) { return result_of(accept4(fd, NULL, NULL, SOCK_CLOEXEC)); }
int mfr_host_no_core(void) {
  struct rlimit none = {0, 0};
  struct rlimit now;
  if (getrlimit(RLIMIT_CORE, &now) == 0) none.rlim_max = now.rlim_max;
  return result_of(setrlimit(RLIMIT_CORE, &none));
}
void mfr_host_hurry(void) {
  errno = 0;
  int now = getpriority(PRIO_PROCESS, 0);
  if (errno == 0) setpriority(PRIO_PROCESS, 0, mfr_host_hurried(now));
}
void mfr_host_raise_descriptor_limit(void) {
  struct rlimit limit, more;
  if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return;
  more = limit;
  if (more.rlim_max < 64) more.rlim_max = 64; // root may
  more.rlim_cur = more.rlim_max < 1024 ? more.rlim_max : 1024;
  if (more.rlim_cur <= limit.rlim_cur || setrlimit(RLIMIT_NOFILE, &more) == 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}
int mfr_host_getitimer(int which, void *out32) { return result_of(syscall(SYS_getitimer, which, out32)); }
int mfr_host_setitimer(int which, const void *in32, void *out32) {
  return result_of(syscall(SYS_setitimer, which, in32, out32));
}
int mfr_host_timer_create(int clock, const void *event) {
  struct {
    uint64_t value;
    int32_t signo, notify, thread;
    uint8_t rest[44];
  } e;
  int timer = -1;
  _Static_assert(sizeof e == 64, "struct sigevent");
  if (event) {
    memcpy(&e, event, sizeof e);
    e.notify &= ~4; // SIGEV_THREAD_ID: of a thread that the kernel does not know; see mfr_host_event_thread
  }
  int r = result_of(syscall(SYS_timer_create, clock, event ? &e : NULL, &timer));
  return r < 0 ? r : timer;
}
int mfr_host_event_thread(const void *event) {
  int32_t notify, thread;
  memcpy(&notify, (const char *)event + 12, 4);
  memcpy(&thread, (const char *)event + 16, 4);
  return notify & 4 ? thread : 0;
}
int mfr_host_timer_settime(int timer, int flags, const void *in32, void *out32) {
  return result_of(syscall(SYS_timer_settime, timer, flags, in32, out32));
}
int mfr_host_timer_gettime(int timer, void *out32) { return result_of(syscall(SYS_timer_gettime, timer, out32)); }
int mfr_host_timer_getoverrun(int timer) { return result_of(syscall(SYS_timer_getoverrun, timer)); }
int mfr_host_timer_delete(int timer) { return result_of(syscall(SYS_timer_delete, timer)); }
uint64_t mfr_host_cpu_ns(int pid, int user_only) {
  // The kernel's encoding (posix-timers_types.h): ~pid above three bits, 0 CPUCLOCK_PROF, 1 CPUCLOCK_VIRT.
  clockid_t clock = (clockid_t)((unsigned)~pid << 3 | (user_only ? 1u : 0u));
  struct timespec t;
  if (syscall(SYS_clock_gettime, clock, &t) != 0) return 0;
  return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}
int mfr_host_pdeathsig(int signo) { return result_of(prctl(PR_SET_PDEATHSIG, signo)); }
int mfr_host_get_pdeathsig(void) {
  int signo = 0;
  return prctl(PR_GET_PDEATHSIG, &signo) < 0 ? -errno : signo;
}
int mfr_host_subreaper(int on) {
  int now = 0;
  if (on >= 0) return result_of(prctl(PR_SET_CHILD_SUBREAPER, (unsigned long)on));
  return prctl(PR_GET_CHILD_SUBREAPER, &now) < 0 ? -errno : now;
}
int mfr_host_has_file_caps(const char *path) {
  return getxattr(path, "security.capability", NULL, 0) > 0;
}
void mfr_host_thread_name(const char *name) { prctl(PR_SET_NAME, name); }
char **mfr_host_environ(void) { return environ; }

struct thread_start {
  void (*body)(void *);
  void *context;
  uint64_t mask;
};
// glibc lets its own two signals (32, 33) through when the first thread is made. To the guest they are those of timers
// and of changes of identity, and may come to the anchor: the mask is put back as it was.
static void *run_thread(void *raw) {
  struct thread_start *start = raw;
  mfr_host_set_mask(start->mask);
  start->body(start->context);
  return NULL;
}
int mfr_host_start_thread(void (*body)(void *), void *context) {
  static struct thread_start starts[8]; // threads live as long as the process
  static uint32_t used;
  uint32_t mine = __atomic_fetch_add(&used, 1, __ATOMIC_RELAXED);
  if (mine >= 8) return -EAGAIN;
  uint64_t mask = 0;
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, NULL, &mask, 8);
  starts[mine] = (struct thread_start){body, context, mask};
  pthread_t thread;
  int error = pthread_create(&thread, NULL, run_thread, &starts[mine]);
  mfr_host_set_mask(mask);
  if (error) {
    uint32_t next = mine + 1; // its place may be used again
    __atomic_compare_exchange_n(&used, &next, mine, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
    return -error;
  }
  pthread_detach(thread);
  return 0;
}
int mfr_host_wait_for_death(void *base) {
  struct { uint64_t value, address; uint32_t flags, pad; } wait[MFR_MAX_REPLICAS + 1]; // struct futex_waitv
  uint32_t *births = &mfr_header_of(base)->births, n = 0;
  memset(wait, 0, sizeof wait);
  wait[n].value = mfr_load_acquire32(births);
  wait[n++].address = (uint64_t)(uintptr_t)births;
  for (uint32_t i = 0; i < MFR_MAX_REPLICAS; i++) {
    uint32_t *alive = &mfr_replica_at(base, i)->alive, v = mfr_load_acquire32(alive);
    if (v & MFR_ALIVE_DIED) {
      if (mfr_cas_acqrel32(alive, v, MFR_ALIVE_NOTICED)) return 1;
    } else if (v & MFR_ALIVE_WAITERS) {
      wait[n].value = v;
      wait[n++].address = (uint64_t)(uintptr_t)alive;
    }
  }
  for (uint32_t i = 0; i < n; i++) wait[i].flags = 2; // FUTEX2_SIZE_U32
  int r = result_of(syscall(449 /* futex_waitv */, wait, n, 0, NULL, 0));
  return r >= 0 || r == -EAGAIN || r == -EINTR ? 0 : r;
}
void mfr_host_exit(int status) { _exit(status); }

int mfr_host_inotify(void) {
  int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  return fd < 0 ? -errno : fd;
}
int mfr_host_watch_open(int fd, const char *path) {
  int watch = inotify_add_watch(fd, path, IN_OPEN | IN_MASK_ADD);
  return watch < 0 ? -errno : 0;
}
