// world.c - the kernel as the replicas of the model see it, and the guest that they run.
#include "model.h"

struct world world;
// What gate.S and init.c have of each replica's variables.
#pragma clang section bss = "shim_bss"
volatile u32 mfr_kicked;
struct mfr_self mfr_self;
u8 *mfr_stack_top;
#pragma clang section bss = ""

// ---- what gate.S, vdso.c, patch.c and mem.c have in a real replica ---------------------------------------
const char mfr_gate_start[1], mfr_gate_end[1], mfr_blocking_start[1], mfr_blocking_syscall[1], mfr_blocking_abort[1];
u8 mfr_own_stack[1], mfr_own_stack_top[1];
const char __ehdr_start[1] __attribute__((visibility("hidden")));
void mfr_restorer(void) {}
void mfr_patched_entry(void) {}
long mfr_on_own_stack(long (*fn)(struct mfr_call *), struct mfr_call *arg) { return fn(arg); }
long mfr_trap(long nr, long a, long b, long c, long d, long e, long f) {
  (void)a, (void)b, (void)c, (void)d, (void)e, (void)f;
  violated("call %ld left the model", nr);
}
void mfr_resume(struct mfr_frame *f) {
  (void)f;
  violated("resume left the model");
}
u64 mfr_patch_site(u64 rip, u32 nr) { return (void)nr, rip; }
int mfr_try_save(struct mfr_try_buf *b) { return (void)b, 0; } // nothing faults
long mfr_clone_helper(u64 flags, void *stack, long (*fn)(u64), u64 arg, volatile long *result) {
  (void)flags, (void)stack, (void)fn, (void)arg, (void)result;
  return -MFR_ENOSYS;
}
long mfr_clock_original(long clock, struct mfr_timespec *ts) { return (void)clock, ts->sec = 1, ts->nsec = 0; }
char **mfr_environ_strip(char **env) { return env; }
u64 mfr_strlen(const char *s) {
  u64 n = 0;
  while (s[n]) n++;
  return n;
}
int mfr_streq_prefix(const char *s, const char *prefix) {
  while (*prefix)
    if (*s++ != *prefix++) return 0;
  return 1;
}
u32 mfr_format(char *out, u64 value) { return out[0] = (char)('0' + value % 10), out[1] = 0, 1; }
u64 mfr_hash(const void *p, u64 n, u64 seed) {
  u64 h = mfr_mix(seed, n);
  for (u64 i = 0; i < n; i++) h = mfr_mix(h, ((const u8 *)p)[i]);
  return h;
}

// ---- the kernel -----------------------------------------------------------------------------------------
void wake_word(u32 *word) {
  u32 at = (u32)((u8 *)word - (u8 *)model_base());
  for (u32 p = 0; p < PROCESSES; p++)
    if (world.status[p] == ON_FUTEX && world.futex[p] == at) world.status[p] = READY;
}

int zombie(i32 pid) {
  for (u32 p = 0; p < PLACES; p++)
    if (world.pid[p] == pid) return world.status[p] == ZOMBIE;
  return 1;
}

void kick(u32 place) {
  if (place < PLACES && world.status[place] != NONE_YET && world.status[place] != ZOMBIE) world.kick[place] = 1;
}

static int fd_open(long fd) { return fd >= 0 && fd < 16 && (world.open >> fd & 1); }

// A token of output leaves: it must be the one that is due.
static void put(u8 token) {
  if (token != world.output + 1) violated("output %u came when %u was due", token, world.output + 1);
  world.output++;
}

extern void futex_sleep(u32 *word, u32 value, int timed, long *result);

static u32 inputs(void) {
  u32 n = 0;
  for (const char *p = set.program; *p; p++) n += *p == 'r';
  return n;
}

long mfr_gate(long nr, long a0, long a1, long a2, long a3, long a4, long a5) {
  (void)a4, (void)a5;
  if (!inside) return 0; // the set-up
  u32 me = running;
  switch (nr) {
  case __NR_getpid: return world.pid[me];
  case __NR_getppid: return mfr_self.h->anchor_pid;
  case __NR_prctl:
  case __NR_set_robust_list:
  case __NR_rt_sigprocmask:
  case __NR_rt_sigaction:
  case __NR_sigaltstack: return 0;
  case __NR_rt_sigtimedwait: return -MFR_EAGAIN;
  case __NR_fstat: // a pipe
    kernel_writes((u64 *)a1 + 3, 8);
    ((u64 *)a1)[3] = 0010000;
    return 0;
  case __NR_fcntl:
    if (a1 == 1) {
      yield();
      return fd_open(a0) ? 0 : -MFR_EBADF;
    }
    return 2; // O_RDWR, blocks
  case __NR_poll:
    yield();
    return world.input < inputs();
  case __NR_futex:
    if (a1 == 0) {
      long r;
      futex_sleep((u32 *)a0, (u32)a2, a3 != 0, &r);
      return r;
    }
    yield();
    wake_word((u32 *)a0);
    return 0;
  case __NR_write:
    yield();
    put(*(const u8 *)a1);
    world.wchar[me] += (u32)a2;
    return a2;
  case __NR_sendmmsg: {
    struct mfr_mmsghdr *m = (struct mfr_mmsghdr *)a1;
    const struct mfr_iovec *v = (const struct mfr_iovec *)m->hdr.iov;
    yield();
    put(*(const u8 *)v->base);
    kernel_writes(&m->len, 4);
    m->len = (u32)v->len;
    return 1;
  }
  case __NR_sendmsg: {
    const struct mfr_msghdr *h = (const struct mfr_msghdr *)a1;
    const struct mfr_iovec *v = (const struct mfr_iovec *)h->iov;
    yield();
    put(*(const u8 *)v->base);
    return (long)v->len;
  }
  case __NR_read:
    for (;;) {
      yield();
      if (world.input < inputs()) break;
      sleep_as(ON_INPUT);
      if (mfr_kicked) return -MFR_EINTR;
    }
    kernel_writes((void *)a1, 1);
    *(u8 *)a1 = (u8)(100 + world.input++);
    world.rchar[me]++;
    return 1;
  case __NR_unlink:
    yield();
    if (world.unlinked) return -MFR_ENOENT;
    world.unlinked = 1;
    return 0;
  case __NR_newfstatat:
    yield();
    return world.unlinked ? -MFR_ENOENT : 0;
  case __NR_open:
  case __NR_socket: {
    yield();
    long fd = 0;
    while (fd_open(fd)) fd++;
    world.open |= (u16)(1u << fd);
    return fd;
  }
  case __NR_getrandom:
    yield();
    kernel_writes((void *)a0, 1);
    *(u8 *)a0 = ++world.random;
    return 1;
  case __NR_rt_tgsigqueueinfo: {
    u8 at = (u8)(mfr_self.seq + 1);
    if (world.had_signal[me]) violated("replica %u ran the handler twice", me);
    world.had_signal[me] = 1;
    if (world.signal_seq && world.signal_seq != at)
      violated("replica %u ran the handler at %u, another one at %u", me, at - 1u, world.signal_seq - 1u);
    world.signal_seq = at;
    return 0;
  }
  case __NR_clone:
    yield();
    for (u32 place = 0; place < PLACES; place++) {
      i32 *pid = &mfr_replica_at(mfr_self.base, place)->pid;
      if ((long)pid != a2) continue;
      if (world.status[place] != NONE_YET) violated("place %u is cloned into while somebody is there", place);
      world.pid[place] = world.next_pid++;
      world.rchar[place] = world.wchar[place] = 0;
      world.had_signal[place] = world.had_signal[me];
      world.passed[place] = world.passed[me];
      world.kick[place] = 0;
      kernel_writes(pid, 4);
      *pid = world.pid[place];
      model_clone(place);
      return running == me ? world.pid[place] : 0; // both come here
    }
    violated("clone into no place");
  default: violated("the model's kernel has no call %ld", nr);
  }
}

long mfr_gate_blocking(long nr, long a0, long a1, long a2, long a3, long a4, long a5) {
  if (mfr_kicked) return -MFR_EINTR;
  return mfr_gate(nr, a0, a1, a2, a3, a4, a5);
}

// ---- the guest -------------------------------------------------------------------------------------------
static const u8 tokens[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};

static void had(u32 k, i64 result) {
  u32 me = running;
  if (world.known > k && world.result[k] != result)
    violated("replica %u got %ld from call %u, another one %ld", me, (long)result, k, (long)world.result[k]);
  if (world.known == k) world.result[k] = result, world.known++;
  world.passed[me] = (u8)(k + 1);
}

// w: write, s: send, r: read, u: unlink, o: open, n: socket, g: getrandom; then a read that waits for ever, unless
// it is to end here.
void guest(void) {
  u8 token = 0;
  u32 k = 0;
  for (const char *p = set.program; *p; p++, k++) {
    u8 in = 0;
    i64 r = 0, wanted = 1;
    switch (*p) {
    case 'w': r = mfr_dispatch6(__NR_write, 1, (long)&tokens[++token], 1, 0, 0, 0); break;
    case 's': r = mfr_dispatch6(__NR_sendto, 1, (long)&tokens[++token], 1, 0, 0, 0); break;
    case 'r': r = mfr_dispatch6(__NR_read, 0, (long)&in, 1, 0, 0, 0); break;
    case 'u':
      r = mfr_dispatch6(__NR_unlink, (long)"f", 0, 0, 0, 0, 0);
      wanted = 0;
      break;
    case 'o':
      r = mfr_dispatch6(__NR_open, (long)"f", 0, 0, 0, 0, 0);
      wanted = r;
      break;
    case 'n':
      r = mfr_dispatch6(__NR_socket, 1, 1, 0, 0, 0, 0);
      wanted = r;
      break;
    case 'g': r = mfr_dispatch6(__NR_getrandom, (long)&in, 1, 0, 0, 0, 0); break;
    default: violated("no such call: %c", *p);
    }
    if (r != wanted) violated("replica %u got %ld from call %u (%c)", running, (long)r, k, *p);
    had(k, r << 8 | in);
  }
  if (set.ends) {
    for (;;) sleep_as(HAS_ENDED);
  }
  u8 in = 0;
  long r = mfr_dispatch6(__NR_read, 0, (long)&in, 1, 0, 0, 0);
  if (r != -MFR_EINTR) violated("replica %u got %ld from the last read", running, r);
  violated("replica %u came back from the last read", running);
}
