// calls/process.c - who the guest is, its children, its exec, its end.
#include "../shim.h"

#define CLONE_VM 0x100
#define CLONE_FS 0x200
#define CLONE_FILES 0x400
#define CLONE_VFORK 0x4000
#define CLONE_PARENT 0x8000
#define CLONE_THREAD 0x10000
#define CLONE_PARENT_SETTID 0x100000
#define CLONE_CHILD_CLEARTID 0x200000
#define CLONE_CHILD_SETTID 0x1000000

static u64 no_prepare(struct mfr_call *c, void *ctx, u64 *hash) {
  (void)c, (void)ctx, (void)hash;
  return 0;
}
static u32 no_used(struct mfr_call *c, void *ctx, const u8 *data, long result) {
  (void)c, (void)ctx, (void)data, (void)result;
  return 0;
}
static void no_consume(struct mfr_call *c, void *ctx, const u8 *data, long result) {
  (void)c, (void)ctx, (void)data, (void)result;
}

// ---- calls to the anchor --------------------------------------------------------------------------------
// One post for each sequence: a successor that posts the same sequence again gets the same answer. `in`: what
// the call reads from memory, NULL if nothing.
long mfr_rpc(struct mfr_turn *t, u32 nr, const long *args, const void *in, u32 bytes, int blocking, int *joiner) {
  struct mfr_header *h = mfr_self.h;
  struct mfr_rpc *rpc = &h->rpc;
  *joiner = 0;
  if (rpc->seq != mfr_self.seq + 1 || rpc->nr != nr ||
      mfr_load_acquire32(&rpc->state) == MFR_RPC_IDLE) {
    rpc->nr = nr;
    for (u32 i = 0; i < 6; i++) rpc->args[i] = (u64)args[i];
    if (in) memcpy(rpc->data, in, bytes < sizeof rpc->data ? bytes : sizeof rpc->data);
    rpc->cancel = 0;
    rpc->seq = mfr_self.seq + 1;
    mfr_store_release32(&rpc->state, MFR_RPC_POSTED);
  }
  mfr_add_acqrel32(&h->anchor_wake, 1);
  mfr_futex_wake(&h->anchor_wake);
  while (mfr_load_acquire32(&rpc->state) != MFR_RPC_ANSWERED) {
    if (!blocking || rpc->cancel) {
      mfr_futex_wait(&rpc->state, MFR_RPC_POSTED, NULL);
      continue;
    }
    long a[6] = {(long)&rpc->state, 0 /* FUTEX_WAIT */, MFR_RPC_POSTED, 0, 0, 0};
    long r = mfr_blocking_step(t, __NR_futex, a, joiner);
    if (*joiner) return 0;
    if (r == -MFR_EINTR) { // a signal for the guest: take the request back, if it is not too late
      mfr_store_release32(&rpc->cancel, 1);
      mfr_add_acqrel32(&h->anchor_wake, 1);
      mfr_futex_wake(&h->anchor_wake);
    }
  }
  return rpc->result;
}

struct rpc_ctx {
  int blocking;
  u8 *out;       // where the answer's data goes, `bytes` of it
  u32 bytes;
};
static u64 rpc_prepare(struct mfr_call *c, void *ctx, u64 *hash) {
  (void)c, (void)hash;
  return ((struct rpc_ctx *)ctx)->bytes;
}
static long rpc_produce(struct mfr_call *c, void *ctx, struct mfr_turn *t, u8 *data) {
  struct rpc_ctx *x = ctx;
  int joiner;
  long r = mfr_rpc(data ? t : NULL, c->nr, c->a, NULL, 0, x->blocking, &joiner);
  if (joiner) return MFR_AGAIN;
  if (x->bytes) memcpy(data ? data : x->out, mfr_self.h->rpc.data, x->bytes);
  return r;
}
static u32 rpc_used(struct mfr_call *c, void *ctx, const u8 *data, long result) {
  (void)c, (void)data, (void)result;
  return ((struct rpc_ctx *)ctx)->bytes;
}
static void rpc_consume(struct mfr_call *c, void *ctx, const u8 *data, long result) {
  (void)c, (void)result;
  struct rpc_ctx *x = ctx;
  if (x->bytes) memcpy(x->out, data, x->bytes);
}
static const struct mfr_shape rpc_shape = {rpc_prepare, rpc_produce, rpc_used, rpc_consume, NULL};

static long ask_anchor(struct mfr_call *c) {
  struct rpc_ctx x = {0, NULL, 0};
  return mfr_lane_call(c, &rpc_shape, &x);
}

// ---- identity ---------------------------------------------------------------------------------------------
static int is_me(long pid) { return (i32)pid == 0 || (i32)pid == mfr_self.vpid; }

long mfr_call_getpid(struct mfr_call *c) {
  (void)c;
  return mfr_self.vpid;
}
long mfr_call_gettid(struct mfr_call *c) {
  (void)c;
  return mfr_self.vpid;
}
long mfr_call_set_tid_address(struct mfr_call *c) {
  mfr_gate(c->nr, c->a[0], 0, 0, 0, 0, 0);
  return mfr_self.vpid;
}
static long ppid_produce(struct mfr_call *c, void *ctx, struct mfr_turn *t, u8 *data) {
  (void)c, (void)ctx, (void)t, (void)data;
  return mfr_self.h->anchor_ppid;
}
static const struct mfr_shape ppid_shape = {no_prepare, ppid_produce, no_used, no_consume, NULL};
long mfr_call_getppid(struct mfr_call *c) { return mfr_lane_call(c, &ppid_shape, NULL); }
long mfr_call_getpgrp(struct mfr_call *c) { return ask_anchor(c); }
long mfr_call_getpgid(struct mfr_call *c) {
  return is_me(c->a[0]) ? ask_anchor(c) : mfr_shared(c);
}
long mfr_call_getsid(struct mfr_call *c) { return is_me(c->a[0]) ? ask_anchor(c) : mfr_shared(c); }
long mfr_call_setpgid(struct mfr_call *c) {
  if (!is_me(c->a[0])) return mfr_shared(c);
  long r = ask_anchor(c);
  if (r == 0) SYS2(setpgid, 0, is_me(c->a[1]) ? mfr_self.vpid : c->a[1]); // where the anchor is now
  return r;
}
long mfr_call_setsid(struct mfr_call *c) {
  long r = ask_anchor(c);
  if (r > 0) SYS0(setsid); // away from the terminal; what the guest is told is the anchor's session
  return r;
}

// The anchor sets or tells it. Registers of arguments that a command does not have hold garbage.
static long prctl_ask(struct mfr_call *c, int tells) {
  u8 out[16];
  struct rpc_ctx x = {0, tells ? out : NULL, tells ? sizeof out : 0};
  struct mfr_row row = mfr_rows[__NR_prctl];
  row.arity = 2;
  long r = mfr_lane_call_as(c, &row, &rpc_shape, &x);
  if (!tells || r != 0) return r;
  if (MFR_TRY()) {
    memcpy((void *)c->a[1], out, 4);
    MFR_TRY_END();
  } else r = -MFR_EFAULT;
  return r;
}
long mfr_call_prctl(struct mfr_call *c) {
  switch ((u32)c->a[0]) {
  case 1:  // PR_SET_PDEATHSIG: the real one is ours
  case 36: // PR_SET_CHILD_SUBREAPER: orphans come to the anchor
    return prctl_ask(c, 0);
  case 2:  // PR_GET_PDEATHSIG
  case 37: // PR_GET_CHILD_SUBREAPER
    return prctl_ask(c, 1);
  case 59: // PR_SET_SYSCALL_USER_DISPATCH: it is ours
    return -MFR_EINVAL;
  case 22: // PR_SET_SECCOMP
    mfr_go_native("installs a system call filter (seccomp)", c->frame);
    return mfr_gate(c->nr, c->a[0], c->a[1], c->a[2], c->a[3], c->a[4], 0);
  default:
    return mfr_local(c);
  }
}
long mfr_call_prlimit64(struct mfr_call *c) {
  if (!is_me(c->a[0])) return mfr_shared(c);
  return mfr_gate(c->nr, 0, c->a[1], c->a[2], c->a[3], 0, 0); // each replica has the guest's limits
}

// ---- waiting for children -------------------------------------------------------------------------------------
static long wait_call(struct mfr_call *c, int blocking, u8 *out) {
  struct rpc_ctx x = {blocking, out, 512};
  memset(out, 0, 512);
  return mfr_lane_call(c, &rpc_shape, &x);
}
long mfr_call_wait4(struct mfr_call *c) {
  u8 out[512];
  long r = wait_call(c, !((u32)c->a[2] & 1), out);
  if (r > 0) {
    if (MFR_TRY()) {
      if (c->a[1]) memcpy((void *)c->a[1], out, 4);
      if (c->a[3]) memcpy((void *)c->a[3], out + 16, 144);
      MFR_TRY_END();
    } else r = -MFR_EFAULT;
  }
  return r;
}
long mfr_call_waitid(struct mfr_call *c) {
  u8 out[512];
  long r = wait_call(c, !((u32)c->a[3] & 1), out);
  if (r >= 0) {
    if (MFR_TRY()) {
      if (c->a[2]) memcpy((void *)c->a[2], out + 256, 128);
      if (c->a[4]) memcpy((void *)c->a[4], out + 16, 144);
      MFR_TRY_END();
    } else r = -MFR_EFAULT;
  }
  return r;
}

// ---- collapse and native mode ----------------------------------------------------------------------------------
static void set_reason(const char *s) {
  char *d = mfr_self.h->reason;
  u32 i = 0;
  for (; s[i] && i < sizeof mfr_self.h->reason - 1; i++) d[i] = s[i];
  d[i] = 0;
}

struct collapse_ctx {
  const char *reason;
  int permanent;
};
static long collapse_produce(struct mfr_call *c, void *ctx, struct mfr_turn *t, u8 *data) {
  (void)c, (void)t, (void)data;
  struct collapse_ctx *x = ctx;
  struct mfr_header *h = mfr_self.h;
  set_reason(x->reason);
  if (x->permanent) mfr_store_release32(&h->no_grow, 1);
  if (mfr_load_acquire32(&h->live) == 1u << mfr_self.index) return 0;
  h->collapse_by = mfr_self.index;
  mfr_store_release32(&h->collapse, MFR_COLLAPSE_ASKED);
  mfr_wake_coordinator();
  while (mfr_load_acquire32(&h->collapse) == MFR_COLLAPSE_ASKED)
    mfr_futex_wait(&h->collapse, MFR_COLLAPSE_ASKED, NULL);
  mfr_store_release32(&h->collapse, MFR_COLLAPSE_NONE);
  return 0;
}
static const struct mfr_shape collapse_shape = {no_prepare, collapse_produce, no_used, no_consume, NULL};

// The set shrinks to this replica; all replicas come here at the same slot, one returns.
void mfr_collapse(const char *reason, int permanent) {
  struct mfr_call c;
  memset(&c, 0, sizeof c);
  c.nr = __NR_personality; // a number for the slot's word; nothing is called
  struct mfr_row row = mfr_rows[c.nr];
  row.arity = 0;
  row.commit = REPEAT;
  row.flags = 0;
  struct collapse_ctx x = {reason, permanent};
  mfr_self.may_rerun = 0;
  mfr_lane_call_as(&c, &row, &collapse_shape, &x);
}

void mfr_go_native(const char *reason, struct mfr_frame *frame) {
  mfr_collapse(reason, 1);
  mfr_timers_to_kernel();
  mfr_self.mode = MFR_NATIVE;
  if (mfr_self.tid_field) *mfr_self.tid_field = mfr_self.rpid;
  mfr_store_release32(&mfr_self.h->mode, MFR_MODE_NATIVE);
  mfr_devirtualize(frame);
  // What was pending for the set goes to the process now.
  struct mfr_siginfo info;
  u32 ticket, signo;
  while ((signo = mfr_take_from(mfr_pending(~0ull), &info, &ticket))) {
    mfr_signal_taken(signo, ticket);
    SYS3(rt_sigqueueinfo, mfr_self.rpid, signo, &info);
  }
  mfr_wake_coordinator();
}

// ---- fork --------------------------------------------------------------------------------------------------------
// Data of the slot: pid of the child at 0 (written by the kernel), at 64 what a spawn child wrote into
// its parent's frame before it gave up: u32 length, then {u32 offset, u32 value} pairs.
#define SPAWN_WINDOW 4096u
#define SPAWN_PAIRS 64u
static u8 spawn_before[SPAWN_WINDOW];
static u64 spawn_base, spawn_bytes;
static u8 *spawn_report;

struct fork_ctx {
  u64 flags, stack, parent_tid, child_tid, tls;
  int spawn;       // shares memory and runs on a stack of its own until exec: posix_spawn
  u8 own[1024];    // alone: where the kernel writes
  u8 *data;
};
static u64 fork_prepare(struct mfr_call *c, void *ctx, u64 *hash) {
  (void)c;
  struct fork_ctx *x = ctx;
  *hash = x->flags;
  return sizeof x->own;
}

static void snapshot_parent(u64 rsp) {
  spawn_base = rsp;
  spawn_bytes = 0;
  if (MFR_TRY()) {
    for (u64 n = 0; n < SPAWN_WINDOW; n += 8) {
      memcpy(spawn_before + n, (const void *)(rsp + n), 8);
      spawn_bytes = n + 8;
    }
    MFR_TRY_END();
  }
}
static void report_parent(void) {
  u32 n = 0;
  for (u64 k = 0; k + 4 <= spawn_bytes && n < SPAWN_PAIRS; k += 4) {
    u32 now, was;
    __builtin_memcpy(&now, (const void *)(spawn_base + k), 4);
    __builtin_memcpy(&was, spawn_before + k, 4);
    if (now == was) continue;
    u32 pair[2] = {(u32)k, now};
    __builtin_memcpy(spawn_report + 4 + n * 8, pair, 8);
    n++;
  }
  __builtin_memcpy(spawn_report, &n, 4);
}

static long fork_produce(struct mfr_call *c, void *ctx, struct mfr_turn *t, u8 *data) {
  (void)t;
  struct fork_ctx *x = ctx;
  struct mfr_frame *f = c->frame;
  // The child reports through shared memory: the slot, or the unused ring when alone.
  u8 *at = data ? data : mfr_data_at(mfr_self.base, 0);
  memset(at, 0, 128);
  if (x->spawn) {
    snapshot_parent(f->rsp);
    spawn_report = at + 64;
  }
  u64 flags = (x->flags & ~(u64)(CLONE_VM | CLONE_PARENT_SETTID | 0xff)) | CLONE_PARENT |
              CLONE_PARENT_SETTID | MFR_SIGCHLD;
  u64 mask = mfr_block_ours();
  long r = SYS5(clone, flags, 0, at, x->child_tid, x->tls);
  if (r != 0) {
    mfr_unblock_ours(mask);
    if (r > 0) mfr_child_add(mfr_self.base, (i32)r);
    if (!data) memcpy(x->own, at, sizeof x->own);
    return r;
  }
  // The child. It is no replica: it gets the kernel's own view of signals and leaves the lane.
  mfr_self.mode = MFR_CHILD;
  mfr_self.rpid = (i32)SYS0(getpid);
  if (!x->spawn) spawn_report = NULL;
  mfr_devirtualize(f);
  if (x->spawn) { // watched until its exec, so that a failure can be carried back
    mfr_arm_dispatch();
    mfr_child_sigsys();
    f->sigmask &= ~SIG_BIT(MFR_SIGSYS);
  }
  if (x->stack) f->rsp = x->stack;
  f->rax = 0;
  mfr_resume(f);
}
static u32 fork_used(struct mfr_call *c, void *ctx, const u8 *data, long result) {
  (void)c, (void)ctx, (void)data, (void)result;
  return sizeof((struct fork_ctx *)0)->own;
}
static void fork_consume(struct mfr_call *c, void *ctx, const u8 *data, long result) {
  (void)c, (void)result;
  memcpy(((struct fork_ctx *)ctx)->own, data, sizeof((struct fork_ctx *)0)->own);
}
static const struct mfr_shape fork_shape = {fork_prepare, fork_produce, fork_used, fork_consume, NULL};

static long do_fork(struct mfr_call *c, struct fork_ctx *x) {
  u64 rsp = c->frame->rsp;
  long r = mfr_lane_call(c, &fork_shape, x);
  if (r <= 0) return r;
  u32 n = 0;
  memcpy(&n, x->own + 64, 4);
  if (MFR_TRY()) {
    if (x->parent_tid) *(i32 *)x->parent_tid = (i32)r;
    for (u32 i = 0; x->spawn && i < n && i < SPAWN_PAIRS; i++) {
      u32 pair[2];
      memcpy(pair, x->own + 68 + i * 8, 8);
      if (pair[0] < SPAWN_WINDOW) *(u32 *)(rsp + pair[0]) = pair[1];
    }
    MFR_TRY_END();
  }
  return r;
}

long mfr_call_fork(struct mfr_call *c) {
  struct fork_ctx x;
  memset(&x, 0, sizeof x);
  return do_fork(c, &x);
}
long mfr_call_vfork(struct mfr_call *c) {
  struct fork_ctx x;
  memset(&x, 0, sizeof x);
  x.flags = CLONE_VFORK; // a copy of the memory, but the parent waits as it would
  return do_fork(c, &x);
}
long mfr_call_clone(struct mfr_call *c) {
  struct fork_ctx x;
  memset(&x, 0, sizeof x);
  x.flags = (u64)c->a[0];
  x.stack = (u64)c->a[1];
  x.parent_tid = x.flags & CLONE_PARENT_SETTID ? (u64)c->a[2] : 0;
  x.child_tid = (u64)c->a[3];
  x.tls = (u64)c->a[4];
  int spawn = (x.flags & (CLONE_VM | CLONE_VFORK)) == (CLONE_VM | CLONE_VFORK);
  int thread = (x.flags & CLONE_VM) && !spawn;
  int odd = (x.flags & (CLONE_FS | CLONE_FILES | 0x7e020000ull)) != 0; // shared tables, namespaces
  if (thread || odd) {
    mfr_go_native(thread ? "starts threads" : "clones with shared tables or namespaces", c->frame);
    c->frame->rip -= 2; // the syscall instruction again, now straight to the kernel
    return c->nr;
  }
  x.spawn = spawn && x.stack;
  return do_fork(c, &x);
}
long mfr_call_clone3(struct mfr_call *c) {
  (void)c;
  return -MFR_ENOSYS; // glibc then uses clone
}

// ---- exec ----------------------------------------------------------------------------------------------------------
// Whether the shim can be preloaded into a file: x86-64, dynamically linked, no privilege gained.
// Follows `#!`. Returns 1 yes, 0 no, -errno when it cannot be read (then execve says what is wrong).
static long preloadable(long dirfd, const char *path, long flags, int depth) {
  static u8 head[4096];
  static u64 st[18];
  long fd = (flags & 0x1000) && path[0] == 0 ? dirfd : SYS4(openat, dirfd, path, 02000000, 0);
  if (fd < 0) return fd;
  long n = SYS4(pread64, fd, head, sizeof head, 0);
  long e = SYS2(fstat, fd, st);
  if (n > 0) mfr_self.me->in_sum += (u64)n;
  if (fd != dirfd) SYS1(close, fd);
  if (n < 64 || e < 0) return n < 0 ? n : 1;
  u32 mode = (u32)st[3]; // st_mode follows nlink at byte 24
  if (mode & 06000) return 0;
  if (head[0] == '#' && head[1] == '!') {
    if (depth > 4) return 1;
    static char interpreter[256];
    long i = 2, k = 0;
    while (i < n && (head[i] == ' ' || head[i] == '\t')) i++;
    while (i < n && k < 255 && head[i] > ' ') interpreter[k++] = (char)head[i++];
    interpreter[k] = 0;
    return preloadable(-100, interpreter, 0, depth + 1);
  }
  if (head[0] != 0x7f || head[1] != 'E' || head[4] != 2 || head[18] != 62) return 0;
  u64 phoff;
  u16 phsize, phnum;
  __builtin_memcpy(&phoff, head + 32, 8);
  __builtin_memcpy(&phsize, head + 54, 2);
  __builtin_memcpy(&phnum, head + 56, 2);
  for (u32 i = 0; i < phnum; i++) {
    u64 at = phoff + (u64)i * phsize;
    u32 type;
    if (at + 4 > (u64)n) break;
    __builtin_memcpy(&type, head + at, 4);
    if (type == 3) return 1; // PT_INTERP
  }
  return 0;
}

struct exec_ctx {
  long dirfd, flags;
  u64 path, argv, envp;
};
static u64 hash_vector(u64 at, u64 h) {
  const u64 *v = (const u64 *)at;
  for (u32 i = 0; v && v[i] && i < 100000; i++) h = mfr_hash((const void *)v[i], mfr_strlen((const char *)v[i]), h);
  return h;
}
static u64 exec_prepare(struct mfr_call *c, void *ctx, u64 *hash) {
  (void)c;
  struct exec_ctx *x = ctx;
  u64 h = 0;
  if (MFR_TRY()) {
    h = mfr_hash((const void *)x->path, mfr_strlen((const char *)x->path), h);
    h = hash_vector(x->argv, h);
    h = hash_vector(x->envp, h);
    MFR_TRY_END();
  } else h = 1;
  *hash = h;
  return 0;
}

// The environment with ours put back at its end (see init.c), in memory of its own. NULL: the guest's vector is bad.
static u64 *exec_environment(u64 envp, u64 *bytes) {
  u64 n = 0, old_preload = 0;
  const u64 *v = (const u64 *)envp;
  int ok = 0;
  if (MFR_TRY()) {
    for (; v && v[n]; n++)
      if (mfr_streq_prefix((const char *)v[n], "LD_PRELOAD=")) old_preload = v[n];
    MFR_TRY_END();
    ok = 1;
  }
  if (!ok) return NULL;
  u64 old_len = old_preload ? mfr_strlen((const char *)old_preload) : 0;
  *bytes = ((n + 4) * 8 + 1024 + old_len + MFR_PAGE - 1) / MFR_PAGE * MFR_PAGE;
  long m = SYS6(mmap, 0, *bytes, 3, 0x22, -1, 0);
  if (m < 0 && m > -4096) return NULL;
  u64 *out = (u64 *)m;
  char *s = (char *)(out + n + 4);
  u64 k = 0;
  for (u64 i = 0; i < n; i++) out[k++] = v[i];
  out[k++] = (u64)s;
  memcpy(s, "LD_PRELOAD=", 11);
  s += 11;
  u64 len = mfr_strlen(mfr_self.shim_path);
  memcpy(s, mfr_self.shim_path, len);
  s += len;
  if (old_preload && old_len > 11) {
    *s++ = ':';
    memcpy(s, (const char *)old_preload + 11, old_len - 11);
    s += old_len - 11;
  }
  *s++ = 0;
  out[k++] = (u64)s;
  memcpy(s, "MFR_BUFFER=", 11);
  memcpy(s + 11, mfr_self.buffer_path, mfr_strlen(mfr_self.buffer_path) + 1);
  out[k] = 0;
  return out;
}

static long exec_produce(struct mfr_call *c, void *ctx, struct mfr_turn *t, u8 *data) {
  (void)c, (void)t, (void)data;
  struct exec_ctx *x = ctx;
  struct mfr_header *h = mfr_self.h;
  u64 bytes = 0;
  u64 *env = exec_environment(x->envp, &bytes);
  if (!env) return -MFR_EFAULT;
  h->sig_blocked = mfr_self.vmask;
  mfr_store_release32((u32 *)&h->exec_pid, (u32)mfr_self.rpid);
  struct mfr_sigaction ign = {1, 0, 0, 0};
  for (u32 s = 1; s < MFR_NSIG; s++)
    if ((MFR_FAULTS & SIG_BIT(s)) && mfr_self.action[s].handler == 1) SYS4(rt_sigaction, s, &ign, NULL, 8);
  // A kick must not find the new image before it has a handler for it.
  u64 all = ~0ull, real = MFR_REAL_MASK;
  SYS4(rt_sigprocmask, 2 /* SIG_SETMASK */, &all, NULL, 8);
  long r = SYS5(execveat, x->dirfd, x->path, x->argv, env, x->flags);
  SYS4(rt_sigprocmask, 2, &real, NULL, 8);
  mfr_store_release32((u32 *)&h->exec_pid, 0);
  mfr_self.faults_lent |= 1u << MFR_SIGSEGV | 1u << MFR_SIGBUS | 1u << MFR_SIGFPE | 1u << MFR_SIGILL | 1u << MFR_SIGTRAP;
  SYS2(munmap, env, bytes);
  return r;
}
static const struct mfr_shape exec_shape = {exec_prepare, exec_produce, no_used, no_consume, NULL};

static long probe_produce(struct mfr_call *c, void *ctx, struct mfr_turn *t, u8 *data) {
  (void)c, (void)t, (void)data;
  const long *p = ctx;
  long r = 1;
  if (MFR_TRY()) {
    r = preloadable(p[0], (const char *)p[1], p[2], 0);
    MFR_TRY_END();
  } else r = 1;
  if (r == 0) { // only give the set up for something that will really run
    long e = SYS4(faccessat2, p[0], p[1], 1, p[2] & 0x1000);
    if (e < 0 && e != -MFR_ENOSYS) r = 1;
  }
  return r;
}
static const struct mfr_shape probe_shape = {no_prepare, probe_produce, no_used, no_consume, NULL};
static long probe(struct mfr_call *c, long dirfd, u64 path, long flags) {
  long p[3] = {dirfd, (long)path, flags};
  struct mfr_row row = mfr_rows[c->nr];
  row.commit = REPEAT;
  row.flags = 0;
  return mfr_lane_call_as(c, &row, &probe_shape, p);
}

static long do_exec(struct mfr_call *c, struct exec_ctx *x) {
  // Asked in the lane: a file may change, and all must go the same way.
  struct mfr_call q = *c;
  long can = probe(&q, x->dirfd, x->path, x->flags);
  if (can == 0) {
    mfr_go_native("runs a program that cannot be preloaded (static or set-uid)", c->frame);
    u64 mask = mfr_self.vmask;
    SYS4(rt_sigprocmask, 2, &mask, NULL, 8);
    return SYS5(execveat, x->dirfd, x->path, x->argv, x->envp, x->flags);
  }
  return mfr_lane_call(c, &exec_shape, x);
}

long mfr_call_execve(struct mfr_call *c) {
  struct exec_ctx x = {-100, 0, (u64)c->a[0], (u64)c->a[1], (u64)c->a[2]};
  return do_exec(c, &x);
}
long mfr_call_execveat(struct mfr_call *c) {
  struct exec_ctx x = {(i32)c->a[0], (u32)c->a[4], (u64)c->a[1], (u64)c->a[2], (u64)c->a[3]};
  return do_exec(c, &x);
}

// ---- the end -------------------------------------------------------------------------------------------------------
static long exit_produce(struct mfr_call *c, void *ctx, struct mfr_turn *t, u8 *data) {
  (void)ctx, (void)t, (void)data;
  struct mfr_header *h = mfr_self.h;
  h->exit_value = (i32)c->a[0];
  h->exit_seq = mfr_self.seq;
  mfr_store_release32(&h->exit_kind, MFR_EXIT_STATUS);
  return 0;
}
static const struct mfr_shape exit_shape = {no_prepare, exit_produce, no_used, no_consume, NULL};
long mfr_call_exit_group(struct mfr_call *c) {
  mfr_lane_call(c, &exit_shape, NULL);
  for (;;) SYS1(exit_group, c->a[0]);
}
long mfr_call_exit(struct mfr_call *c) { return mfr_call_exit_group(c); }

// ---- off the lane ----------------------------------------------------------------------------------------------------
// Native mode. Calls reach the shim by libc's entries and by sites that were patched on the lane; what is raw
// goes to the kernel. Pids are those of the outside, and what the anchor had made for the guest is still there:
// children that were forked on the lane, timers.

// The guest itself, not a child that it has forked since (which still has our state).
static int is_guest(void) { return (i32)SYS0(getpid) == mfr_self.rpid; }

static u32 anchor_lock;
// Any thread may come here, and a signal handler: with all signals blocked nobody waits for itself.
static long ask_off_lane(u32 nr, const long *args, const void *in, u32 bytes, u8 *out, u32 out_bytes) {
  u64 all = ~0ull, mask = 0;
  int joiner;
  SYS4(rt_sigprocmask, 2, &all, &mask, 8);
  while (!mfr_cas_acqrel32(&anchor_lock, 0, 1)) mfr_futex_wait(&anchor_lock, 1, NULL);
  mfr_self.seq++;
  long r = mfr_rpc(NULL, nr, args, in, bytes, 0, &joiner);
  if (out) memcpy(out, mfr_self.h->rpc.data, out_bytes);
  mfr_store_release32(&anchor_lock, 0);
  mfr_futex_wake(&anchor_lock);
  SYS4(rt_sigprocmask, 2, &mask, NULL, 8);
  return r;
}

static int anchor_has(i32 pid) { // 0: any child
  for (u32 i = 0; i < MFR_MAX_CHILDREN; i++) {
    i32 child = mfr_child_at(mfr_self.base, i);
    if (child > 0 && (pid == 0 || child == pid)) return 1;
  }
  return mfr_load_relaxed32(&mfr_self.h->children_lost) != 0;
}

int mfr_waits_for_anchor(void) { return mfr_self.mode == MFR_NATIVE && is_guest() && anchor_has(0); }

// wait4 and waitid, for children of two parents: ours and the anchor's.
static long wait_off_lane(struct mfr_call *c) {
  int by_id = c->nr == __NR_waitid;
  u32 opt = by_id ? 3 : 2;
  i32 one = by_id ? ((u32)c->a[0] == 1 ? (i32)c->a[1] : 0) : (i32)c->a[0] > 0 ? (i32)c->a[0] : 0;
  u8 out[512];
  if (one && !anchor_has(one)) return mfr_gate(c->nr, c->a[0], c->a[1], c->a[2], c->a[3], c->a[4], 0);
  long a[6];
  __builtin_memcpy(a, c->a, sizeof a);
  a[opt] |= 1; // WNOHANG
  for (;;) {
    u32 seen = mfr_load_acquire32(&mfr_self.h->child_event);
    long ours = -MFR_ECHILD;
    u64 info[16] = {0};
    if (!one) {
      if (by_id) ours = mfr_gate(c->nr, a[0], a[1], (long)info, a[3], a[4], 0);
      else ours = mfr_gate(c->nr, a[0], a[1], a[2], a[3], 0, 0);
      if (by_id && ours == 0 && (u32)info[0]) { // si_signo: there is one
        if (c->a[2]) memcpy((void *)c->a[2], info, sizeof info);
        return 0;
      }
      if ((!by_id && ours > 0) || (ours < 0 && ours != -MFR_ECHILD)) return ours;
    }
    memset(out, 0, sizeof out);
    long theirs = ask_off_lane(c->nr, a, NULL, 0, out, sizeof out);
    if (by_id && theirs == 0 && out[256]) {
      if (c->a[2]) memcpy((void *)c->a[2], out + 256, 128);
      if (c->a[4]) memcpy((void *)c->a[4], out + 16, 144);
      return 0;
    }
    if (!by_id && theirs > 0) {
      if (c->a[1]) memcpy((void *)c->a[1], out, 4);
      if (c->a[3]) memcpy((void *)c->a[3], out + 16, 144);
      return theirs;
    }
    if (theirs < 0 && theirs != -MFR_ECHILD) return theirs;
    if (theirs < 0 && ours < 0) return -MFR_ECHILD;
    if (c->a[opt] & 1) {
      if (by_id && c->a[2]) memset((void *)c->a[2], 0, 128);
      return 0;
    }
    if (theirs < 0) return mfr_gate(c->nr, c->a[0], c->a[1], c->a[2], c->a[3], c->a[4], 0);
    // SIGCHLD wakes us for children of our own, when the guest does not block it; else we look now and then.
    struct mfr_timespec pause = {0, 10000000};
    if (mfr_futex_wait(&mfr_self.h->child_event, seen, ours >= 0 ? &pause : NULL) == -MFR_EINTR) return -MFR_EINTR;
  }
}

static long timer_off_lane(struct mfr_call *c) {
  u8 out[64];
  const void *in = c->nr == __NR_timer_settime ? (const void *)c->a[2] : NULL;
  if (c->nr == __NR_timer_settime && !in) return -MFR_EINVAL;
  long r = ask_off_lane(c->nr, c->a, in, 32, out, sizeof out);
  if (r != 0) return r;
  if (c->nr == __NR_timer_settime && c->a[3]) memcpy((void *)c->a[3], out + 32, 32);
  if (c->nr == __NR_timer_gettime) memcpy((void *)c->a[1], out, 32);
  return r;
}

static long native(struct mfr_call *c) {
  long r;
  switch (c->nr) {
  case __NR_getpid:
  case __NR_gettid:
    r = c->nr == __NR_getpid ? SYS0(getpid) : SYS0(gettid);
    return r == mfr_self.rpid ? mfr_self.vpid : r;
  case __NR_getppid:
    if (is_guest()) return mfr_self.h->anchor_ppid;
    r = SYS0(getppid);
    return r == mfr_self.rpid ? mfr_self.vpid : r;
  case __NR_wait4:
  case __NR_waitid:
    if (mfr_waits_for_anchor()) return wait_off_lane(c);
    break;
  case __NR_kill: // to itself: not by way of the anchor, or it would come later
    if ((i32)c->a[0] != mfr_self.vpid || !is_guest()) break;
    {
      struct mfr_siginfo info;
      memset(&info, 0, sizeof info);
      info.signo = (i32)c->a[1];
      info.u.rt.pid = mfr_self.vpid;
      info.u.rt.uid = (u32)SYS0(getuid);
      r = SYS3(rt_sigqueueinfo, mfr_self.rpid, c->a[1], &info);
      return r == -MFR_EPERM ? SYS2(kill, mfr_self.rpid, c->a[1]) : r; // only the first thread may say who it is
    }
  case __NR_rt_sigqueueinfo:
    if ((i32)c->a[0] != mfr_self.vpid || !is_guest()) break;
    return SYS3(rt_sigqueueinfo, mfr_self.rpid, c->a[1], c->a[2]);
  case __NR_tgkill:
    if ((i32)c->a[0] != mfr_self.vpid || !is_guest()) break;
    return SYS3(tgkill, mfr_self.rpid, (i32)c->a[1] == mfr_self.vpid ? mfr_self.rpid : c->a[1], c->a[2]);
  case __NR_timer_settime:
  case __NR_timer_gettime:
  case __NR_timer_getoverrun:
  case __NR_timer_delete:
    if ((i32)c->a[0] >= 0x40000000 && is_guest()) return timer_off_lane(c); // numbers that the anchor gave
    break;
  default:
    break;
  }
  return mfr_gate(c->nr, c->a[0], c->a[1], c->a[2], c->a[3], c->a[4], c->a[5]);
}

// A spawn child: watched until its exec.
long mfr_off_lane(struct mfr_call *c) {
  if (mfr_self.mode == MFR_NATIVE) return native(c);
  if (mfr_self.mode == MFR_CHILD && spawn_report && (i32)SYS0(getpid) == mfr_self.rpid) {
    u64 set = 0;
    switch (c->nr) {
    case __NR_exit:
    case __NR_exit_group:
      report_parent();
      break;
    case __NR_rt_sigaction:
      if ((u32)c->a[0] == MFR_SIGSYS) return 0;
      break;
    case __NR_rt_sigprocmask: // SIGSYS must never be masked while dispatch is on
      if (!c->a[1]) break;
      __builtin_memcpy(&set, (const void *)c->a[1], 8);
      if ((u32)c->a[0] != 1) set &= ~SIG_BIT(MFR_SIGSYS);
      return mfr_gate(c->nr, c->a[0], (long)&set, c->a[2], c->a[3], 0, 0);
    default:
      break;
    }
  }
  return mfr_gate(c->nr, c->a[0], c->a[1], c->a[2], c->a[3], c->a[4], c->a[5]);
}
