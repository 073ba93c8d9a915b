// clone.c - the one way to make a replica: clone a live one at a call boundary. Start-up, respawn
// after a loss and a raised level are this same operation.
#include "shim.h"

#define CLONE_FS 0x200
#define CLONE_FILES 0x400
#define CLONE_PARENT 0x8000
#define CLONE_PARENT_SETTID 0x100000
#define CLONE_VM 0x100
#define CLONE_VFORK 0x4000
#define CLONE_SYSVSEM 0x40000 // semaphore adjustments belong to the set, not to the leader
#define MADV_DONTNEED 4

extern const char mfr_gate_start[], mfr_gate_end[];

void mfr_arm_dispatch(void) {
  // PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, the gate stays open (Documentation/admin-guide/
  // syscall-user-dispatch.rst). Dropped by clone and by execve.
  SYS5(prctl, 59, 1, mfr_gate_start, mfr_gate_end - mfr_gate_start, 0);
}

static struct {
  struct { void *next; } node;
  struct { void *list; i64 offset; void *pending; } head; // struct robust_list_head
} robust;
void mfr_mark_alive(void) {
  struct mfr_replica *me = mfr_self.me;
  robust.node.next = &robust.head;
  robust.head.list = &robust.node;
  robust.head.offset = (i64)((u64)&me->alive - (u64)&robust.node);
  robust.head.pending = NULL;
  mfr_store_release32(&me->alive, (u32)mfr_self.rpid | MFR_ALIVE_WAITERS);
  SYS2(set_robust_list, &robust.head, sizeof robust.head);
  mfr_add_acqrel32(&mfr_self.h->births, 1);
  mfr_futex_wake(&mfr_self.h->births);
}
void mfr_unmark_alive(void) {
  SYS2(set_robust_list, mfr_thread_table[0]->robust, sizeof robust.head);
  mfr_store_release32(&mfr_self.me->alive, 0);
}

// The kernel ends this process with the anchor. It forgets that when credentials change (kernel/cred.c, commit_creds).
void mfr_end_with_anchor(void) {
  SYS5(prctl, 1 /* PR_SET_PDEATHSIG */, MFR_SIGKILL, 0, 0, 0);
  if (SYS0(getppid) != mfr_self.h->anchor_pid) SYS1(exit_group, 125);
}

static void become(u32 index) {
  mfr_self.index = index;
  mfr_self.me = mfr_replica_at(mfr_self.base, index);
  mfr_self.rpid = (i32)SYS0(getpid);
  mfr_self.became_joiner = 1;
  mfr_self.memory_work = 0;
  mfr_self.last_wake = mfr_self.seq;
  mfr_self.min_seq = mfr_self.min_data = 0;
  mfr_self.leading = 0;
  mfr_self.in_sum = mfr_self.out_sum = 0;
  mfr_self.claim.state = MFR_CLAIM_NONE;
  mfr_self.claim.begun = 0;
  mfr_kicked = 0;
  mfr_threads_cloned();
  mfr_arm_dispatch();
  mfr_mark_alive();
  mfr_end_with_anchor();
  mfr_store_release32(&mfr_self.me->state, MFR_REPLICA_JOINING);
  mfr_wake_coordinator();
}

// Donor: makes replica `index`. Returns the child's pid or -errno in the donor, 0 in the joiner.
int mfr_clone_replica(u32 index) {
  struct mfr_replica *r = mfr_replica_at(mfr_self.base, index);
  struct mfr_replica *me = mfr_self.me;
  if (mfr_self.map_leading) mfr_mapping_yield(); // it leads again at its next slot; the joiner has a copy
  r->data_pos = mfr_self.data_pos;
  mfr_self.h->way[index % MFR_MAX_REPLICAS] = mfr_self.h->way[mfr_self.index];
  r->begun = 0;
  r->in_sum = r->out_sum = 0;
  r->calls = 0;
  r->faults = me->faults;
  r->phase = MFR_PHASE_GUEST;
  r->bid = 0;
  r->kicked = 0;
  r->alive = 0;
  r->park = 0;
  r->request = 0;
  r->verdict = MFR_VERDICT_NONE;
  r->unshared = 0;
  r->range_count = 0;
  r->donor = mfr_self.index + 1;
  r->cloned_ns = mfr_now();
  mfr_store_release64(&r->seq, mfr_self.seq);
  // Start-up clones unasked: the coordinator must know that there may be one more before it calls us alone.
  mfr_cas_acqrel32(&r->state, MFR_REPLICA_FREE, MFR_REPLICA_RESERVED);
  // From here on the leader may not lap it; undone when the clone fails.
  mfr_or_acqrel32(&mfr_self.h->live, 1u << index);
  mfr_fence_seqcst();
  u64 mask = mfr_block_ours();
  long pid = SYS5(clone, CLONE_FS | CLONE_FILES | CLONE_SYSVSEM | CLONE_PARENT | CLONE_PARENT_SETTID | MFR_SIGCHLD, 0,
                  &r->pid, 0, 0);
  if (pid == 0) {
    become(index);
    mfr_unblock_ours(mask);
    return 0;
  }
  mfr_unblock_ours(mask);
  if (pid < 0) {
    mfr_and_acqrel32(&mfr_self.h->live, ~(1u << index));
    mfr_store_release32(&r->state, MFR_REPLICA_FREE);
  }
  return (int)pid;
}

// ---- fault injection -------------------------------------------------------------------------------------
// Userfaultfd wants a descriptor, and none of ours may show in the guest's table: a helper that
// shares the memory but has a table of its own plants the poison (UFFDIO_POISON, Linux 6.6).
struct uffdio_api { u64 api, features, ioctls; };
struct uffdio_register { u64 start, len, mode, ioctls; };
struct uffdio_poison { u64 start, len, mode; i64 updated; };

__attribute__((noinline)) static long poison_page(u64 at) {
  u64 page = at & ~(u64)(MFR_PAGE - 1);
  long fd = SYS1(userfaultfd, 1 /* UFFD_USER_MODE_ONLY */ | 02000000);
  if (fd < 0) return fd;
  struct uffdio_api api = {0xaa, 0, 0};
  struct uffdio_register reg = {page, MFR_PAGE, 1 /* MISSING */, 0};
  struct uffdio_poison poison = {page, MFR_PAGE, 0, 0};
  long r = SYS3(ioctl, fd, 0xc018aa3f, &api);
  if (r >= 0) r = SYS3(ioctl, fd, 0xc020aa00, &reg);
  if (r == -MFR_EINVAL) {
    // A page of a file (text, initialised data), which userfaultfd does not take: one of no file in its place. What
    // was in it is lost either way.
    int data = 0;
    if (MFR_TRY()) {
      __atomic_fetch_add((u8 *)page, 0, __ATOMIC_RELAXED);
      MFR_TRY_END();
      data = 1;
    }
    r = SYS6(mmap, page, MFR_PAGE, data ? 3 : 5, 0x32 /* PRIVATE | FIXED | ANONYMOUS */, -1, 0);
    if (r >= 0) r = SYS3(ioctl, fd, 0xc020aa00, &reg);
  }
  if (r >= 0) r = SYS3(madvise, page, MFR_PAGE, MADV_DONTNEED);
  if (r >= 0) r = SYS3(ioctl, fd, 0xc020aa08, &poison);
  SYS1(close, fd);
  return r;
}

// By /proc/self/mem: that also writes to text. The kernel adds what the helper has read and written to this process's
// account when it is reaped (kernel/exit.c), from which settlement tells how far a call has come.
static volatile u32 helper_read, helper_written;
__attribute__((noinline)) static long flip_bit(u64 at) {
  u8 byte;
  long fd = SYS4(openat, -100, "/proc/self/mem", 02 | 02000000, 0);
  if (fd < 0) return fd;
  long r = SYS4(pread64, fd, &byte, 1, at);
  byte ^= (u8)(1u << (mfr_self.me->inject_bit & 7));
  helper_read = r == 1;
  if (r == 1) r = SYS4(pwrite64, fd, &byte, 1, at);
  helper_written = helper_read && r == 1;
  SYS1(close, fd);
  return r == 1 ? 0 : r < 0 ? r : -MFR_EFAULT;
}

static u8 helper_stack[16 << 10] __attribute__((aligned(16)));
static volatile long helper_result;
extern long mfr_clone_helper(u64 flags, void *stack, long (*fn)(u64), u64 arg, volatile long *result);

static long by_helper(long (*fn)(u64), u64 at) {
  // What it stands on: it would wait for ever, for itself.
  if (fn == poison_page && at - (u64)helper_stack < sizeof helper_stack) return -MFR_EBUSY;
  helper_result = -MFR_EAGAIN;
  long pid = mfr_clone_helper(CLONE_VM | CLONE_VFORK, helper_stack + sizeof helper_stack, fn, at, &helper_result);
  if (pid < 0) return pid;
  SYS4(wait4, pid, NULL, 0x40000000 /* __WALL */, NULL);
  mfr_account(helper_read, helper_written);
  helper_read = helper_written = 0;
  return helper_result;
}

// ---- requests --------------------------------------------------------------------------------------------
void mfr_serve_requests(void) {
  struct mfr_replica *me = mfr_self.me;
  // CLONE, UNSHARE and FOLD stay set until they are done: so the coordinator sees that they are under way.
  u32 asked = mfr_and_acqrel32(&me->request, MFR_REQ_CLONE | MFR_REQ_MEMORY);
  if (asked & MFR_REQ_LEAVE) SYS1(exit_group, 0);
  mfr_memory_asked(asked & MFR_REQ_MEMORY);
  if (asked & MFR_REQ_CLONE) {
    int r = mfr_clone_replica((u32)me->request_arg % MFR_MAX_REPLICAS);
    if (r == 0) return; // the joiner
    me->request_result = r < 0 ? r : 0;
    mfr_and_acqrel32(&me->request, ~MFR_REQ_CLONE);
    mfr_add_acqrel32(&me->request_done, 1);
    mfr_wake_coordinator();
  }
  if (asked & (MFR_REQ_POISON | MFR_REQ_BITFLIP | MFR_REQ_HWPOISON)) {
    u64 at = me->inject_at;
    if (asked & MFR_REQ_POISON) me->inject_result = (i32)by_helper(poison_page, at);
    else if (asked & MFR_REQ_BITFLIP) me->inject_result = (i32)by_helper(flip_bit, at);
    else me->inject_result = (i32)SYS3(madvise, at & ~(u64)(MFR_PAGE - 1), MFR_PAGE, 100 /* MADV_HWPOISON */);
    mfr_add_acqrel32(&me->request_done, 1);
    mfr_wake_coordinator();
  }
  if (asked & MFR_REQ_SPIN)
    for (;;) __builtin_ia32_pause();
  if (asked & MFR_REQ_FAULT) *(volatile u32 *)8 = 0; // SIGSEGV in this replica alone
}
