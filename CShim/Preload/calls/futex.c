// calls/futex.c - futexes among the guest's threads, emulated: no call, no slot, the same order in all replicas.
// Those of a single thread, too: what ends its wait is a signal or the time, which come from outside.
#include "../shim.h"

#define BUCKETS 256u
#define TID_MASK 0x3fffffffu
#define WAITERS 0x80000000u
#define OWNER_DIED 0x40000000u
enum { WAIT = 0, WAKE = 1, REQUEUE = 3, CMP_REQUEUE = 4, WAKE_OP = 5, LOCK_PI = 6, UNLOCK_PI = 7, TRYLOCK_PI = 8,
       WAIT_BITSET = 9, WAKE_BITSET = 10, LOCK_PI2 = 13 };
#define CLOCK_REALTIME_FLAG 256
#define PRIVATE_FLAG 128
#define ALL 0xffffffffu

// Who waits at an address, in order; a list for each bucket of addresses.
static struct { struct mfr_thread *head, *tail; } queue[BUCKETS];
static u32 bucket(u64 at) { return (u32)(mfr_mix(0, at) % BUCKETS); }

static void join(struct mfr_thread *t, u64 at, u32 bits) {
  u32 b = bucket(at);
  t->futex_at = at;
  t->futex_bits = bits;
  t->in_futex = 1;
  t->futex_next = NULL;
  t->futex_prev = queue[b].tail;
  if (queue[b].tail) queue[b].tail->futex_next = t;
  else queue[b].head = t;
  queue[b].tail = t;
}
void mfr_futex_leave(struct mfr_thread *t) {
  u32 b = bucket(t->futex_at);
  if (t->futex_prev) t->futex_prev->futex_next = t->futex_next;
  else queue[b].head = t->futex_next;
  if (t->futex_next) t->futex_next->futex_prev = t->futex_prev;
  else queue[b].tail = t->futex_prev;
  t->in_futex = 0;
}
static struct mfr_thread *first_at(u64 at, struct mfr_thread *from) {
  struct mfr_thread *t = from ? from : queue[bucket(at)].head;
  while (t && t->futex_at != at) t = t->futex_next;
  return t;
}

u32 mfr_futex_emulated_wake(u64 at, u32 most, u32 bits) {
  u32 n = 0;
  struct mfr_thread *t = queue[bucket(at)].head;
  while (t && n < most) {
    struct mfr_thread *next = t->futex_next;
    if (t->futex_at == at && (t->futex_bits & bits)) {
      mfr_thread_wake(t, MFR_WAKE_READY);
      n++;
    }
    t = next;
  }
  return n;
}

static int load(u64 at, u32 *value) {
  int ok = 0;
  if (MFR_TRY()) {
    *value = __atomic_load_n((const u32 *)at, __ATOMIC_SEQ_CST);
    MFR_TRY_END();
    ok = 1;
  }
  return ok;
}
static int store(u64 at, u32 value) {
  int ok = 0;
  if (MFR_TRY()) {
    __atomic_store_n((u32 *)at, value, __ATOMIC_SEQ_CST);
    MFR_TRY_END();
    ok = 1;
  }
  return ok;
}

// Until when to wait: CLOCK_MONOTONIC, never 0. Each replica reckons for itself; the leader's is what counts.
static long deadline_of(u64 timeout, int absolute, int realtime, u64 *deadline) {
  struct mfr_timespec ts = {0, 0}, now = {0, 0};
  *deadline = 0;
  if (!timeout) return 0;
  int ok = 0;
  if (MFR_TRY()) {
    ts = *(const struct mfr_timespec *)timeout;
    MFR_TRY_END();
    ok = 1;
  }
  if (!ok) return -MFR_EFAULT;
  if (ts.sec < 0 || ts.nsec < 0 || ts.nsec > 999999999) return -MFR_EINVAL;
  u64 at = ts.sec > 4000000000ll ? 4000000000000000000ull : (u64)ts.sec * 1000000000ull + (u64)ts.nsec;
  u64 mono = mfr_now();
  if (!absolute) at += mfr_call_started();
  else if (realtime) {
    mfr_clock_original(0, &now);
    u64 real = (u64)now.sec * 1000000000ull + (u64)now.nsec;
    at = at > real ? mono + (at - real) : 1;
  }
  *deadline = at ? at : 1;
  return 0;
}

// Waits in the queue. What woke it: 0, -ETIMEDOUT; -EINTR with a signal to deliver; MFR_AGAIN when that signal was
// another's.
static long wait_at(struct mfr_call *c, u64 at, u32 bits, u64 deadline) {
  struct mfr_thread *t = mfr_self.thread;
  join(t, at, bits);
  t->deadline = deadline;
  t->poll_count = 0;
  t->waits_child = 0;
  mfr_thread_wait(deadline != 0);
  t->deadline = 0;
  switch (t->woken) {
  case MFR_WAKE_READY:
    return 0;
  case MFR_WAKE_TIMEOUT:
    return -MFR_ETIMEDOUT;
  default: {
    struct mfr_call q;
    memset(&q, 0, sizeof q);
    q.nr = __NR_restart_syscall;
    q.frame = c->frame;
    mfr_rows[q.nr].handler(&q);
    if (!q.signo) return MFR_AGAIN;
    c->signo = q.signo;
    c->info = q.info;
    return -MFR_EINTR;
  }
  }
}

static long wait(struct mfr_call *c, u64 at, u32 value, u32 bits, u64 deadline) {
  long r;
  do {
    u32 now;
    if (at & 3) return -MFR_EINVAL;
    if (!load(at, &now)) return -MFR_EFAULT;
    if (now != value) return -MFR_EAGAIN;
    r = wait_at(c, at, bits, deadline);
  } while (r == MFR_AGAIN);
  if (r == -MFR_EINTR && deadline) c->no_restart = 1; // ERESTART_RESTARTBLOCK: a handler ends it
  return r;
}

static long requeue(u64 from, u64 to, u32 wake, u32 move) {
  u32 n = mfr_futex_emulated_wake(from, wake, ALL);
  struct mfr_thread *t = first_at(from, NULL);
  for (u32 k = 0; t && k < move; k++) {
    struct mfr_thread *next = first_at(from, t->futex_next ? t->futex_next : NULL);
    if (!t->futex_next) next = NULL;
    if (from != to) {
      u32 bits = t->futex_bits;
      mfr_futex_leave(t);
      join(t, to, bits);
    }
    n++;
    t = next;
  }
  return (long)n;
}

// FUTEX_WAKE_OP (kernel/futex/waitwake.c, futex_atomic_op_inuser).
static long wake_op(struct mfr_call *c) {
  u64 at = (u64)c->a[0], at2 = (u64)c->a[4];
  u32 spec = (u32)c->a[5], old;
  i32 arg = (i32)(spec << 8) >> 20, cmp = (i32)(spec << 20) >> 20;
  if (spec & 0x80000000) arg = 1 << (arg & 31);
  if (!load(at2, &old)) return -MFR_EFAULT;
  u32 now = old;
  switch (spec >> 28 & 7) {
  case 0: now = (u32)arg; break;
  case 1: now = old + (u32)arg; break;
  case 2: now = old | (u32)arg; break;
  case 3: now = old & ~(u32)arg; break;
  case 4: now = old ^ (u32)arg; break;
  default: return -MFR_ENOSYS;
  }
  if (!store(at2, now)) return -MFR_EFAULT;
  int hit;
  switch (spec >> 24 & 15) {
  case 0: hit = (i32)old == cmp; break;
  case 1: hit = (i32)old != cmp; break;
  case 2: hit = (i32)old < cmp; break;
  case 3: hit = (i32)old <= cmp; break;
  case 4: hit = (i32)old > cmp; break;
  case 5: hit = (i32)old >= cmp; break;
  default: return -MFR_ENOSYS;
  }
  u32 n = mfr_futex_emulated_wake(at, (u32)c->a[2], ALL);
  if (hit) n += mfr_futex_emulated_wake(at2, (u32)c->a[3], ALL);
  return (long)n;
}

static long lock_pi(struct mfr_call *c, u64 at, u64 deadline, int try) {
  for (;;) {
    u32 v, me = (u32)mfr_self.thread->tid;
    if (!load(at, &v)) return -MFR_EFAULT;
    if (!(v & TID_MASK)) {
      return store(at, me | (v & OWNER_DIED) | (first_at(at, NULL) ? WAITERS : 0)) ? 0 : -MFR_EFAULT;
    }
    if ((v & TID_MASK) == me) return -35; // EDEADLK
    if (try) return -MFR_EAGAIN;
    if (!mfr_thread_of((i32)(v & TID_MASK))) return -MFR_ESRCH;
    if (!store(at, v | WAITERS)) return -MFR_EFAULT;
    mfr_self.thread->waits_pi = 1;
    long r = wait_at(c, at, ALL, deadline);
    mfr_self.thread->waits_pi = 0;
    if (r == 0) return 0; // who let it go made it ours
    if (r != MFR_AGAIN) return r;
  }
}
static long hand_over(u64 at, struct mfr_thread *heir, u32 flags) {
  struct mfr_thread *more = heir->futex_next ? first_at(at, heir->futex_next) : NULL;
  if (!store(at, (u32)heir->tid | flags | (more ? WAITERS : 0))) return -MFR_EFAULT;
  mfr_thread_wake(heir, MFR_WAKE_READY);
  return 0;
}
static long unlock_pi(u64 at) {
  u32 v;
  if (!load(at, &v)) return -MFR_EFAULT;
  if ((v & TID_MASK) != (u32)mfr_self.thread->tid) return -MFR_EPERM;
  struct mfr_thread *heir = first_at(at, NULL);
  if (!heir) return store(at, 0) ? 0 : -MFR_EFAULT;
  return hand_over(at, heir, 0);
}
// Whoever waits for a lock of a thread that ends has it now (kernel/futex/core.c, exit_pi_state_list).
void mfr_futex_owner_ends(i32 tid) {
  for (u32 i = 0; i < mfr_thread_places; i++) {
    struct mfr_thread *t = mfr_thread_table[i];
    u32 v;
    if (t->state != MFR_THREAD_WAITS || !t->in_futex || !t->waits_pi) continue;
    if (!load(t->futex_at, &v) || (v & TID_MASK) != (u32)tid) continue;
    hand_over(t->futex_at, first_at(t->futex_at, NULL), OWNER_DIED);
  }
}

static long emulated(struct mfr_call *c) {
  u64 at = (u64)c->a[0], at2 = (u64)c->a[4], deadline;
  u32 op = (u32)c->a[1], cmd = op & 0x7f, value = (u32)c->a[2], bits = (u32)c->a[5];
  int realtime = (op & CLOCK_REALTIME_FLAG) != 0;
  long r;
  switch (cmd) {
  case WAIT:
    r = deadline_of((u64)c->a[3], 0, 0, &deadline);
    return r ? r : wait(c, at, value, ALL, deadline);
  case WAIT_BITSET:
    if (!bits) return -MFR_EINVAL;
    r = deadline_of((u64)c->a[3], 1, realtime, &deadline);
    return r ? r : wait(c, at, value, bits, deadline);
  case WAKE:
  case WAKE_BITSET:
    if (cmd == WAKE_BITSET && !bits) return -MFR_EINVAL;
    if (at & 3) return -MFR_EINVAL;
    return (long)mfr_futex_emulated_wake(at, value, cmd == WAKE ? ALL : bits);
  case CMP_REQUEUE:
  case REQUEUE: {
    u32 now;
    if ((i32)value < 0 || (i32)c->a[3] < 0) return -MFR_EINVAL;
    if (!load(at, &now)) return -MFR_EFAULT;
    if (cmd == CMP_REQUEUE && now != (u32)c->a[5]) return -MFR_EAGAIN;
    return requeue(at, at2, value, (u32)c->a[3]);
  }
  case WAKE_OP:
    return wake_op(c);
  case LOCK_PI:
  case LOCK_PI2:
    r = deadline_of((u64)c->a[3], 1, cmd == LOCK_PI || realtime, &deadline);
    return r ? r : lock_pi(c, at, deadline, 0);
  case TRYLOCK_PI:
    return lock_pi(c, at, 0, 1);
  case UNLOCK_PI:
    return unlock_pi(at);
  default:
    return -MFR_ENOSYS;
  }
}

// A set that has shrunk for good may share memory with other processes: what is not marked private is between
// them and the kernel, too.
static long between_processes(struct mfr_call *c) {
  struct mfr_row row = mfr_rows[c->nr];
  u32 cmd = (u32)c->a[1] & 0x7f;
  row.commit = REPEAT;
  if (cmd == WAIT || cmd == WAIT_BITSET) return mfr_shared_as(c, &row);
  long mine = mfr_self.threaded && (cmd == WAKE || cmd == WAKE_BITSET) ? emulated(c) : 0;
  long r = mfr_local(c);
  return r < 0 || mine < 0 ? r : r + mine;
}

long mfr_call_futex(struct mfr_call *c) {
  if (!((u32)c->a[1] & PRIVATE_FLAG) && unlikely(mfr_load_relaxed32(&mfr_self.h->no_grow))) return between_processes(c);
  if (unlikely(mfr_has_requests())) {
    mfr_serve_requests();
    mfr_self.became_joiner = 0;
  }
  return emulated(c);
}
