// proxy.c - kernel threads of ours that make a call for a thread of the guest: for the few calls that neither ppoll
// nor a clock tells the end of. A proxy shares all with the replica, takes no part in the lane, touches nothing of the
// guest's but what its call is given, and ends with its call. Only a leader has them; a clone has none, and who leads
// next makes such a call anew.
#include "shim.h"

#define PROXIES 16u
#define PROXY_STACK 32768u // the frame of a kick has all vector registers
#define PROXY_MEMORY 4352u
// VM, FS, FILES, SIGHAND, THREAD, SYSVSEM; the kernel clears `tid` when it is gone
#define PROXY_FLAGS (0x100 | 0x200 | 0x400 | 0x800 | 0x10000 | 0x40000 | 0x200000 | 0x1000000)

struct mfr_proxy {
  u32 tid;   // not 0 while it exists
  u32 done;  // futex; release: the result is there
  u32 taken; // a thread of the guest waits for it
  struct mfr_proxied *entry; // what the others know of it
  long nr, a[6], result;
  u8 memory[PROXY_MEMORY]; // what the call reads
  u8 stack[PROXY_STACK] __attribute__((aligned(64)));
};
static struct mfr_proxy proxies[PROXIES];
extern long mfr_thread_gate(u64 flags, void *stack, void (*fn)(struct mfr_proxy *), struct mfr_proxy *arg, u32 *clear_tid);

int mfr_on_proxy(u64 rsp) { return rsp >= (u64)proxies && rsp < (u64)(proxies + PROXIES); }

static void work(struct mfr_proxy *p) {
  mfr_store_release32(&p->entry->tid, (u32)SYS0(gettid));
  p->result = mfr_gate(p->nr, p->a[0], p->a[1], p->a[2], p->a[3], p->a[4], p->a[5]);
  p->entry->result = p->result;
  mfr_store_release32(&p->entry->state, MFR_PROXIED_DONE);
  mfr_futex_wake(&p->entry->state);
  mfr_store_release32(&p->done, 1);
  mfr_futex_wake(&p->done);
  SYS3(tgkill, mfr_self.rpid, mfr_self.rpid, MFR_KICK_SIGNAL);
}

// The slot's data, and the guest's stack, are gone by the time the call reads them.
static int keep(struct mfr_proxy *p, u32 argument, u64 bytes, u64 *used) {
  if (!p->a[argument]) return 1;
  if (*used + bytes > PROXY_MEMORY) return 0;
  int ok = 0;
  if (MFR_TRY()) {
    memcpy(p->memory + *used, (const void *)p->a[argument], bytes);
    MFR_TRY_END();
    ok = 1;
  }
  if (!ok) return 1; // the call itself says EFAULT
  p->a[argument] = (long)(p->memory + *used);
  *used += (bytes + 7) & ~7ull;
  return 1;
}
static u64 path_bytes(long path) {
  u64 n = 1;
  if (MFR_TRY()) {
    n = mfr_strlen((const char *)path) + 1;
    MFR_TRY_END();
  }
  return n;
}
static int keep_all(struct mfr_proxy *p) {
  u64 used = 0;
  switch (p->nr) {
  case __NR_open: case __NR_creat:
    return keep(p, 0, path_bytes(p->a[0]), &used);
  case __NR_openat:
    return keep(p, 1, path_bytes(p->a[1]), &used);
  case __NR_openat2:
    return keep(p, 1, path_bytes(p->a[1]), &used) && keep(p, 2, (u64)p->a[3], &used);
  case __NR_connect:
    return keep(p, 1, (u32)p->a[2] < 256 ? (u32)p->a[2] : 256, &used);
  case __NR_fcntl:
    return keep(p, 2, 32, &used); // struct flock
  case __NR_semop:
    return keep(p, 1, 6 * (u32)p->a[2], &used);
  case __NR_semtimedop:
    return keep(p, 1, 6 * (u32)p->a[2], &used) && keep(p, 3, 16, &used);
  case __NR_futex:
    return keep(p, 3, 16, &used);
  default:
    return 1;
  }
}

// ---- what a leader leaves to the next one ----------------------------------------------------------------------------
static int lives(const struct mfr_proxied *e) {
  const struct mfr_replica *r = mfr_replica_at(mfr_self.base, e->owner % MFR_MAX_REPLICAS);
  return r->pid == e->pid && mfr_load_acquire32((u32 *)(void *)&r->state) != MFR_REPLICA_DEAD;
}
static void set_free(struct mfr_proxied *e) {
  mfr_store_release32(&e->state, MFR_PROXIED_FREE);
  __atomic_fetch_sub(&mfr_self.h->proxied_count, 1, __ATOMIC_ACQ_REL);
}
static u64 call_of(const struct mfr_thread *t) { return t->started ? t->put_off_at : mfr_self.seq + 1; }
static int is_of(const struct mfr_proxied *e, const struct mfr_thread *t) {
  return mfr_load_acquire32((u32 *)(void *)&e->state) != MFR_PROXIED_FREE && e->thread == t->number && e->call == call_of(t);
}
static struct mfr_proxied *entry_for(const struct mfr_thread *t) {
  for (u32 i = 0; i < MFR_PROXIED; i++) {
    struct mfr_proxied *e = &mfr_self.h->proxied[i];
    if (mfr_load_acquire32(&e->state) != MFR_PROXIED_FREE) {
      if (mfr_load_relaxed32(&mfr_self.h->proxied_count) < MFR_PROXIED / 2 || lives(e)) continue;
      set_free(e); // nobody has come back for it
    }
    e->thread = t->number;
    e->call = call_of(t);
    e->pid = mfr_self.rpid;
    e->owner = mfr_self.index;
    e->tid = 0;
    mfr_add_acqrel32(&mfr_self.h->proxied_count, 1);
    mfr_store_release32(&e->state, MFR_PROXIED_WAITS);
    return e;
  }
  return NULL;
}

// Leader, at a call of the running thread's that was put off under another one, who may live: its kernel thread would go
// on with the call, and have what this one gives up. It is ended first. 1: it had come to the end, with *result.
int mfr_proxy_inherit(long *result) {
  struct mfr_thread *t = mfr_self.thread;
  struct mfr_timespec again = {0, 1000000}; // it may not have come as far as its call when it was told
  if (likely(!mfr_load_acquire32(&mfr_self.h->proxied_count)) || t->proxy) return 0;
  for (u32 i = 0; i < MFR_PROXIED; i++) {
    struct mfr_proxied *e = &mfr_self.h->proxied[i];
    if (!is_of(e, t)) continue;
    while (mfr_load_acquire32(&e->state) == MFR_PROXIED_WAITS && lives(e)) {
      u32 tid = mfr_load_acquire32(&e->tid);
      if (tid && SYS3(tgkill, e->pid, tid, MFR_KICK_SIGNAL) == -MFR_ESRCH) break;
      mfr_futex_wait(&e->state, MFR_PROXIED_WAITS, &again);
    }
    int done = mfr_load_acquire32(&e->state) == MFR_PROXIED_DONE;
    *result = e->result;
    set_free(e);
    if (done && *result != -MFR_EINTR) return 1;
  }
  return 0;
}

static struct mfr_proxy *start(long nr, const long *a) {
  for (u32 i = 0; i < PROXIES; i++) {
    struct mfr_proxy *p = &proxies[i];
    if (p->taken || mfr_load_acquire32(&p->tid)) continue;
    p->nr = nr;
    __builtin_memcpy(p->a, a, sizeof p->a);
    if (!keep_all(p)) return NULL;
    if (!(p->entry = entry_for(mfr_self.thread))) return NULL;
    p->done = 0;
    p->tid = 1;
    if (mfr_thread_gate(PROXY_FLAGS, p->stack + PROXY_STACK, work, p, &p->tid) < 0) {
      p->tid = 0;
      set_free(p->entry);
      return NULL;
    }
    p->taken = 1;
    return p;
  }
  return NULL;
}

int mfr_proxy_done(const struct mfr_thread *t) { return mfr_load_acquire32(&t->proxy->done) != 0; }

static long result_of(struct mfr_thread *t) {
  struct mfr_proxy *p = t->proxy;
  t->proxy = NULL;
  p->taken = 0;
  // Unless the next leader has taken it over, and perhaps uses the entry itself.
  if (p->entry->owner == mfr_self.index && p->entry->pid == mfr_self.rpid && is_of(p->entry, t)) set_free(p->entry);
  return p->result;
}

// The call was put off under a leader that is dead: its proxy may have come to the end of the call. A descriptor that
// nobody knows of is that one's.
int mfr_made_before(long nr, long *result) {
  if (mfr_self.thread->proxy) return 0;
  if (nr != __NR_open && nr != __NR_creat && nr != __NR_openat && nr != __NR_openat2) return 0;
  *result = mfr_lowest_free(0);
  return *result >= 0 && SYS2(fcntl, *result, 1 /* F_GETFD */) >= 0;
}
long mfr_result_of_second(long nr, long r) { return nr == __NR_connect && r == -MFR_EISCONN ? 0 : r; }
static long sense(const struct mfr_thread *t, long nr, long r) { return t->started ? mfr_result_of_second(nr, r) : r; }

long mfr_by_proxy(long nr, const long *a) {
  struct mfr_thread *t = mfr_self.thread;
  if (t->proxy && t->proxy->nr != nr) (void)mfr_proxy_stop();
  if (!t->proxy && !(t->proxy = start(nr, a))) // none to be had: the others wait
    return sense(t, nr, mfr_gate_blocking(nr, a[0], a[1], a[2], a[3], a[4], a[5]));
  if (mfr_proxy_done(t)) return sense(t, nr, result_of(t));
  t->known = 1;
  t->deadline = 0;
  t->poll_count = 0;
  t->waits_child = 0;
  return MFR_PARK;
}

long mfr_proxy_stop(void) {
  struct mfr_thread *t = mfr_self.thread;
  struct mfr_proxy *p = t->proxy;
  struct mfr_timespec again = {0, 1000000}; // it may not have come as far as its call when it was told
  while (!mfr_load_acquire32(&p->done)) {
    u32 tid = mfr_load_acquire32(&p->tid);
    if (tid > 1) SYS3(tgkill, mfr_self.rpid, tid, MFR_KICK_SIGNAL);
    mfr_futex_wait(&p->done, 0, &again);
  }
  return result_of(t);
}

void mfr_proxies_cloned(void) {
  for (u32 i = 0; i < PROXIES; i++) proxies[i].taken = proxies[i].tid = proxies[i].done = 0;
}
