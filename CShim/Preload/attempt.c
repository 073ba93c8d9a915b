// attempt.c - calls that may wait, made while other threads could run: what can be done at once is done; else what the
// call waits for is noted for the leader's next look (outside.c), and the call is put off (MFR_PARK).
#include "shim.h"

#define POLLIN 1
#define POLLPRI 2
#define POLLOUT 4

// ---- the attempt of a call ------------------------------------------------------------------------------------------
// Whether something else than a point in time wakes it; leader.
static int waits_for_more(const struct mfr_thread *t) {
  return (!t->known && !t->in_futex) || t->poll_count || t->waits_child || t->proxy;
}
int mfr_others_wait(u64 *until) {
  *until = 0;
  if (mfr_self.runnable) return 1;
  for (u32 i = 0, left = mfr_self.wait_outside; left && i < mfr_thread_places; i++) {
    const struct mfr_thread *t = mfr_thread_table[i];
    if (t->state != MFR_THREAD_WAITS || !t->outside) continue;
    left--;
    if (waits_for_more(t)) {
      *until = 0;
      return 1;
    }
    if (t->deadline && (!*until || t->deadline < *until)) *until = t->deadline;
  }
  u64 pending = mfr_self.waiting ? mfr_load_acquire64(&mfr_self.h->sig_pending) : 0;
  for (u32 i = 0; unlikely(pending) && i < mfr_thread_places; i++)
    if (mfr_thread_table[i]->state == MFR_THREAD_WAITS && mfr_signal_is_for(mfr_thread_table[i], pending)) {
      *until = 0;
      return 1;
    }
  return 0;
}

static u64 ns_of(const struct mfr_timespec *t) { return (u64)t->sec * 1000000000ull + (u64)t->nsec; }

static struct mfr_thread *conditions(void) {
  struct mfr_thread *t = mfr_self.thread;
  t->known = 1;
  t->deadline = 0;
  t->poll_count = 0;
  t->waits_child = 0;
  return t;
}
static void add_fd(struct mfr_thread *t, long fd, i16 what) {
  if (t->poll_count < MFR_POLL_MOST) t->fds[t->poll_count++] = (struct mfr_pollfd){(i32)fd, what, 0};
  else if (!t->deadline) t->deadline = mfr_now() + 1000000; // more than it can name: it looks for itself each ms
}
static int ready(long fd, i16 what) {
  struct mfr_pollfd p = {(i32)fd, what, 0};
  return SYS3(poll, &p, 1, 0) != 0; // also when it is no descriptor: the call says so
}

// Reads and writes as they are on a descriptor that does not block. What was moved is counted as that of the plain
// call; a writing one goes on with the rest (mfr_kicked).
#define RWF_NOWAIT 8
static long move(long nr, const long *a, int writing) {
  struct mfr_iovec one = {(u64)a[1], (u64)a[2]};
  int vector = nr == __NR_readv || nr == __NR_writev || nr == __NR_preadv2 || nr == __NR_pwritev2;
  long r = mfr_gate(writing ? __NR_pwritev2 : __NR_preadv2, a[0], vector ? a[1] : (long)&one, vector ? a[2] : 1, -1, 0,
                    RWF_NOWAIT);
  if (r == -95 /* EOPNOTSUPP */ || r == -29 /* ESPIPE */) return mfr_gate_blocking(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
  if (r > 0 && writing) mfr_kicked = 1;
  return r == -MFR_EAGAIN ? MFR_PARK : r;
}
// SO_RCVTIMEO, SO_SNDTIMEO: when the wait that has begun ends; 0: never, or no socket.
static u64 socket_deadline(long fd, i16 what) {
  u64 limit[2] = {0, 0}; // seconds, microseconds
  u32 bytes = sizeof limit;
  if (SYS5(getsockopt, fd, 1 /* SOL_SOCKET */, what == POLLIN ? 20 : 21, limit, &bytes) != 0) return 0;
  u64 ns = limit[0] * 1000000000ull + limit[1] * 1000;
  return ns ? mfr_call_started() + ns : 0;
}
static long on_fd(long nr, const long *a, long fd, i16 what) {
  struct mfr_thread *t = conditions();
  add_fd(t, fd, what);
  if (!ready(fd, what)) {
    t->deadline = socket_deadline(fd, what);
    return t->deadline && mfr_now() >= t->deadline ? -MFR_EAGAIN : MFR_PARK;
  }
  long b[6];
  __builtin_memcpy(b, a, sizeof b);
  long r;
  switch (nr) {
  case __NR_read: case __NR_readv: case __NR_preadv2:
    return move(nr, a, 0);
  case __NR_write: case __NR_writev: case __NR_pwritev2:
    return move(nr, a, 1);
  case __NR_recvmsg: case __NR_sendmsg:
    b[2] |= 0x40; // MSG_DONTWAIT
    r = mfr_gate(nr, b[0], b[1], b[2], 0, 0, 0);
    break;
  case __NR_recvmmsg: case __NR_sendmmsg:
    b[3] |= 0x40;
    r = mfr_gate(nr, b[0], b[1], b[2], b[3], b[4], 0);
    break;
  default:
    return mfr_gate_blocking(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
  }
  long flags = nr == __NR_recvmmsg ? a[3] : nr == __NR_recvmsg ? a[2] : 0;
  if (r > 0 && (what == POLLOUT || (flags & 0x100 /* MSG_WAITALL */))) mfr_kicked = 1; // the rest follows
  return r == -MFR_EAGAIN ? MFR_PARK : r;
}

static void time_left(struct mfr_thread *t, u64 left) {
  u64 at = mfr_now() + left;
  t->deadline = at ? at : 1;
}
// Message queues: to the kernel, they are files. Their time limit is a point in time.
static long on_queue(long nr, const long *a, i16 what) {
  struct mfr_thread *t = conditions();
  struct mfr_timespec until = {0, 0}, now = {0, 0}, past = {0, 0};
  int timed = a[4] != 0, ok = 0;
  if (MFR_TRY()) {
    if (timed) until = *(const struct mfr_timespec *)a[4];
    MFR_TRY_END();
    ok = 1;
  }
  if (!ok || (SYS2(fcntl, a[0], 3 /* F_GETFL */) & 04000 /* O_NONBLOCK */) || until.sec < 0 || until.nsec < 0 ||
      until.nsec > 999999999)
    return mfr_gate(nr, a[0], a[1], a[2], a[3], a[4], 0);
  if (ready(a[0], what)) {
    long r = mfr_gate(nr, a[0], a[1], a[2], a[3], (long)&past, 0);
    if (r != -MFR_ETIMEDOUT) return r; // or else another process was first
  }
  add_fd(t, a[0], what);
  if (!timed) return MFR_PARK;
  SYS2(clock_gettime, 0, &now);
  if (ns_of(&now) >= ns_of(&until)) return -MFR_ETIMEDOUT;
  time_left(t, ns_of(&until) - ns_of(&now));
  return MFR_PARK;
}
static long on_poll(const long *a) {
  struct mfr_timespec now = {0, 0};
  const struct mfr_timespec *limit = (const struct mfr_timespec *)a[2];
  u64 left = limit ? ns_of(limit) : 0;
  long r = mfr_gate(__NR_ppoll, a[0], a[1], (long)&now, 0, 8, 0);
  if (r != 0 || (limit && !left)) return r;
  struct mfr_thread *t = conditions();
  const struct mfr_pollfd *p = (const struct mfr_pollfd *)a[0];
  for (long i = 0; i < a[1]; i++)
    if (p[i].fd >= 0) add_fd(t, p[i].fd, p[i].events);
  if (limit) time_left(t, left);
  return MFR_PARK;
}
#define MOST_SELECTED 65536u // calls/poll.c
static long on_select(const long *a) {
  static u64 ready_sets[3][MOST_SELECTED / 64];
  struct mfr_timespec now = {0, 0};
  const struct mfr_timespec *limit = (const struct mfr_timespec *)a[4];
  u64 left = limit ? ns_of(limit) : 0;
  struct mfr_thread *t = conditions();
  for (long fd = 0; fd < a[0]; fd++) {
    i16 what = 0;
    for (u32 k = 0; k < 3; k++) {
      const u64 *set = (const u64 *)a[1 + k];
      static const i16 means[3] = {POLLIN, POLLOUT, POLLPRI};
      if (set && set[fd / 64] >> (fd % 64) & 1) what |= means[k];
    }
    if (what) add_fd(t, fd, what);
  }
  // The kernel clears the sets when nothing is ready, and alone they are the guest's own.
  u64 bytes = ((u64)a[0] + 63) / 64 * 8;
  for (u32 k = 0; k < 3; k++)
    if (a[1 + k]) memcpy(ready_sets[k], (const void *)a[1 + k], bytes);
  long r = mfr_gate(__NR_pselect6, a[0], a[1] ? (long)ready_sets[0] : 0, a[2] ? (long)ready_sets[1] : 0,
                    a[3] ? (long)ready_sets[2] : 0, (long)&now, 0);
  if (r == 0 && (!limit || left)) {
    if (limit) time_left(t, left);
    return MFR_PARK;
  }
  for (u32 k = 0; r >= 0 && k < 3; k++)
    if (a[1 + k]) memcpy((void *)a[1 + k], ready_sets[k], bytes);
  return r;
}

void mfr_wait_for_child(u32 seen) {
  struct mfr_thread *t = conditions();
  t->waits_child = 1;
  t->child_seen = seen;
}

static int is_fifo(long dir, long path) {
  static u64 st[18];
  return SYS4(newfstatat, dir, path, st, 0) == 0 && ((u32)st[3] & 0170000) == 0010000;
}

// What opens or locks, without sleeping for it. MFR_AGAIN: the call itself does not sleep; MFR_PARK: it would.
static long without_sleep(long nr, const long *a) {
  int at = nr == __NR_openat || nr == __NR_openat2;
  long r;
  switch (nr) {
  case __NR_flock:
    if (a[1] & 4 /* LOCK_NB */) return MFR_AGAIN;
    r = SYS2(flock, a[0], a[1] | 4);
    return r == -MFR_EAGAIN ? MFR_PARK : r;
  case __NR_fcntl:
    if (a[1] != 7 /* F_SETLKW */ && a[1] != 38 /* F_OFD_SETLKW */) return MFR_AGAIN;
    r = SYS3(fcntl, a[0], a[1] - 1, a[2]);
    return r == -MFR_EAGAIN || r == -13 /* EACCES */ ? MFR_PARK : r;
  default:
    if ((nr == __NR_openat ? a[2] : nr == __NR_open ? a[1] : 0) & 04000 /* O_NONBLOCK */) return MFR_AGAIN;
    return is_fifo(at ? a[0] : -100, at ? a[1] : a[0]) ? MFR_PARK : MFR_AGAIN;
  }
}

// A signal is due before a call that may wait. As in the kernel, one that need not wait is made all the same, and has
// its result; only a sleep is interrupted. Should one of these sleep after all, another kick comes.
long mfr_made_at_once(long nr, const long *a) {
  long r;
  switch (nr) {
  case __NR_open: case __NR_creat: case __NR_openat: case __NR_openat2: case __NR_flock: case __NR_fcntl:
    r = without_sleep(nr, a);
    if (r != MFR_AGAIN) return r == MFR_PARK ? -MFR_EINTR : r;
    break;
  case __NR_ioctl:
  case __NR_connect: // what it has begun goes on, as it does when the kernel interrupts it
    break;
  case __NR_read: case __NR_readv: case __NR_preadv2: case __NR_recvmsg: case __NR_recvmmsg:
  case __NR_accept: case __NR_accept4:
    if (!mfr_never_waits(a[0]) && !ready(a[0], POLLIN)) return -MFR_EINTR;
    break;
  case __NR_write: case __NR_writev: case __NR_pwritev2: case __NR_sendmsg: case __NR_sendmmsg: case __NR_sendfile:
    if (!mfr_never_waits(a[0]) && !ready(a[0], POLLOUT)) return -MFR_EINTR;
    break;
  case __NR_epoll_wait:
    r = mfr_gate(nr, a[0], a[1], a[2], 0, 0, 0);
    return r != 0 || a[3] == 0 ? r : -MFR_EINTR;
  case __NR_ppoll: {
    struct mfr_timespec none = {0, 0};
    r = mfr_gate(nr, a[0], a[1], (long)&none, 0, 8, 0);
    return r != 0 ? r : -MFR_EINTR;
  }
  default:
    return -MFR_EINTR;
  }
  return mfr_gate(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
}

// The others wait for a point in time, no more: until then a call with a time-out may wait by itself, as it does
// without threads. MFR_PARK: that time has come.
long mfr_wait_until(struct mfr_turn *t, long nr, const long *a, u64 until) {
  long b[6], r;
  struct mfr_timespec ts;
  u64 now = mfr_now(), left = until > now ? until - now : 0, own = ~0ull;
  __builtin_memcpy(b, a, sizeof b);
  if (nr == __NR_epoll_wait) {
    if (a[3] >= 0) own = (u64)a[3] * 1000000;
  } else if (nr == __NR_ppoll) {
    if (a[2]) own = ns_of((const struct mfr_timespec *)a[2]);
  } else {
    return mfr_try_or_park(nr, a);
  }
  if (!left || own == 0) return mfr_try_or_park(nr, a);
  u64 wait = own < left ? own : left;
  if (nr == __NR_epoll_wait) {
    b[3] = (long)((wait + 999999) / 1000000);
  } else {
    ts.sec = (i64)(wait / 1000000000ull);
    ts.nsec = (i64)(wait % 1000000000ull);
    b[2] = (long)&ts;
  }
  if (t) mfr_before_block(t);
  r = mfr_gate_blocking(nr, b[0], b[1], b[2], b[3], b[4], b[5]);
  if (r != 0 || own <= left) return r;
  return mfr_try_or_park(nr, a);
}

long mfr_try_or_park(long nr, const long *a) {
  struct mfr_thread *t;
  struct mfr_timespec now = {0, 0};
  long r;
  if (unlikely(mfr_self.thread->proxy)) return mfr_by_proxy(nr, a);
  switch (nr) {
  case __NR_read: case __NR_readv: case __NR_preadv2: case __NR_recvmsg: case __NR_recvmmsg:
  case __NR_accept: case __NR_accept4:
    if (mfr_never_waits(a[0]) || (nr == __NR_recvmsg && (a[2] & 0x40)) || (nr == __NR_recvmmsg && (a[3] & 0x40)))
      return mfr_gate(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
    return on_fd(nr, a, a[0], POLLIN);
  case __NR_write: case __NR_writev: case __NR_pwritev2: case __NR_sendmsg: case __NR_sendmmsg:
  case __NR_sendfile:
    if (mfr_never_waits(a[0]) || (nr == __NR_sendmsg && (a[2] & 0x40)) || (nr == __NR_sendmmsg && (a[3] & 0x40)))
      return mfr_gate(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
    return on_fd(nr, a, a[0], POLLOUT);
  case __NR_mq_timedreceive:
    return on_queue(nr, a, POLLIN);
  case __NR_mq_timedsend:
    return on_queue(nr, a, POLLOUT);
  case __NR_splice: case __NR_tee: {
    long out = nr == __NR_splice ? a[2] : a[1];
    t = conditions();
    if (!ready(a[0], POLLIN)) add_fd(t, a[0], POLLIN);
    else if (!ready(out, POLLOUT)) add_fd(t, out, POLLOUT);
    else return mfr_gate_blocking(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
    return MFR_PARK;
  }
  case __NR_ppoll:
    return on_poll(a);
  case __NR_pselect6:
    return on_select(a);
  case __NR_epoll_wait:
    r = mfr_gate(nr, a[0], a[1], a[2], 0, 0, 0);
    if (r != 0 || a[3] == 0) return r;
    t = conditions();
    add_fd(t, a[0], POLLIN);
    if (a[3] > 0) time_left(t, (u64)a[3] * 1000000);
    return MFR_PARK;
  case __NR_clock_nanosleep: { // to a point in time
    u64 until = ns_of((const struct mfr_timespec *)a[2]);
    SYS2(clock_gettime, a[0], &now);
    if (ns_of(&now) >= until) return 0;
    time_left(conditions(), until - ns_of(&now));
    return MFR_PARK;
  }
  case __NR_pause:
    conditions();
    return MFR_PARK;
  case __NR_open: case __NR_creat: case __NR_openat: case __NR_openat2: case __NR_flock: case __NR_fcntl:
    r = without_sleep(nr, a);
    if (r != MFR_AGAIN) return r == MFR_PARK ? mfr_by_proxy(nr, a) : r;
    break;
  case __NR_connect:
    if (mfr_never_waits(a[0])) break;
    return mfr_by_proxy(nr, a);
  case __NR_semop: case __NR_semtimedop: case __NR_futex: case __NR_syslog:
    return mfr_by_proxy(nr, a);
  default:
    break;
  }
  return mfr_gate_blocking(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
}
