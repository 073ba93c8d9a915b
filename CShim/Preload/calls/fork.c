// calls/fork.c - children of the guest.
#include "../shim.h"

#define CLONE_VM 0x100
#define CLONE_FS 0x200
#define CLONE_FILES 0x400
#define CLONE_VFORK 0x4000
#define CLONE_PARENT 0x8000
#define CLONE_THREAD 0x10000
#define CLONE_PARENT_SETTID 0x100000
#define ODD_FLAGS (CLONE_FS | CLONE_FILES | 0x7e020000ull) // shared tables, namespaces

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
  if (mfr_self.mode == MFR_CHILD) {
    while (spawn_bytes < SPAWN_WINDOW && mfr_peek(spawn_before + spawn_bytes, rsp + spawn_bytes, 512) == 0)
      spawn_bytes += 512;
  } else if (MFR_TRY()) {
    for (u64 n = 0; n < SPAWN_WINDOW; n += 8) {
      memcpy(spawn_before + n, (const void *)(rsp + n), 8);
      spawn_bytes = n + 8;
    }
    MFR_TRY_END();
  }
}
void mfr_spawn_failed(void) {
  u32 n = 0;
  if (!spawn_report) return;
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

// The child. It is no replica: it leaves the lane, and becomes a set of its own when it has lived for a while. All
// signals are blocked; `f` is where it goes on.
static void begin_child(const struct fork_ctx *x, struct mfr_frame *f) __attribute__((noreturn));
static void begin_child(const struct fork_ctx *x, struct mfr_frame *f) {
  struct mfr_young *y = &mfr_self.young;
  mfr_self.rpid = mfr_self.vpid = (i32)SYS0(getpid);
  y->due = 0;
  y->bare = (x->flags & CLONE_VFORK) != 0;
  y->never = (x->flags & ODD_FLAGS) != 0;
  if (mfr_self.mode == MFR_ON_LANE) {
    mfr_threads_forked();
    const struct mfr_header *h = mfr_self.h;
    mfr_self.tree.level = h->child_level ? h->child_level - 1 : h->level;
    if (mfr_self.signalfds) mfr_signalfd_to_kernel();
    mfr_signals_leave(f);
    mfr_leave_lane(x->spawn); // a spawn child reports into the buffer
  }
  if (!x->spawn) spawn_report = NULL;
  mfr_child_starts();
  if (x->stack) f->rsp = x->stack;
  f->rax = 0;
  mfr_resume(f);
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
  begin_child(x, f);
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

// A child of a process that is no set: nobody else has to know.
static long fork_off_lane(struct mfr_call *c, struct fork_ctx *x) {
  u64 all = ~0ull, mask = 0, rsp = c->frame->rsp;
  long page = 0;
  if (x->spawn) {
    page = SYS6(mmap, 0, MFR_PAGE, 3, 0x21 /* MAP_SHARED | MAP_ANONYMOUS */, -1, 0);
    if (page < 0 && page > -4096) return page;
    snapshot_parent(rsp);
    spawn_report = (u8 *)page;
  }
  SYS4(rt_sigprocmask, 2 /* SIG_SETMASK */, &all, &mask, 8);
  long r = SYS5(clone, x->flags & ~(u64)CLONE_VM, 0, x->parent_tid, x->child_tid, x->tls);
  if (r == 0) begin_child(x, c->frame);
  SYS4(rt_sigprocmask, 2, &mask, NULL, 8);
  if (!x->spawn) return r;
  u32 n = 0;
  __builtin_memcpy(&n, spawn_report, 4);
  for (u32 i = 0; r > 0 && i < n && i < SPAWN_PAIRS; i++) {
    u32 pair[2];
    __builtin_memcpy(pair, spawn_report + 4 + i * 8, 8);
    if (pair[0] < SPAWN_WINDOW) mfr_poke(rsp + pair[0], &pair[1], 4);
  }
  spawn_report = NULL;
  SYS2(munmap, page, MFR_PAGE);
  return r;
}

static long do_fork(struct mfr_call *c, struct fork_ctx *x) {
  if (mfr_self.mode == MFR_CHILD) return fork_off_lane(c, x);
  u64 rsp = c->frame->rsp;
  mfr_mapping_fork(x->flags);
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
  x.flags = MFR_SIGCHLD;
  return do_fork(c, &x);
}
long mfr_call_vfork(struct mfr_call *c) {
  struct fork_ctx x;
  memset(&x, 0, sizeof x);
  x.flags = CLONE_VFORK | MFR_SIGCHLD; // a copy of the memory, but the parent waits as it would
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
  u64 all_shared = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_THREAD;
  int child = mfr_self.mode == MFR_CHILD, thread = (x.flags & all_shared) == all_shared;
  if (thread && !child) return mfr_thread_create(c);
  int odd = (x.flags & ODD_FLAGS) != 0 || ((x.flags & CLONE_VM) && !spawn);
  if (child && (x.flags & CLONE_VM) && !spawn) { // a thread of a process that could not become a set
    mfr_child_to_kernel(c->frame);
    c->frame->rip -= 2;
    return c->nr;
  }
  if (odd && !child && mfr_go_native("clones with shared tables or namespaces", c->frame)) {
    c->frame->rip -= 2; // the syscall instruction again, now straight to the kernel
    return c->nr;
  }
  if (odd && child) mfr_self.young.never = 1;
  x.spawn = spawn && x.stack;
  return do_fork(c, &x);
}
long mfr_call_clone3(struct mfr_call *c) {
  (void)c;
  return -MFR_ENOSYS; // glibc then uses clone
}

