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
#define MADV_POPULATE_WRITE 23
#define MADV_DONTNEED 4
#define STEP_PAGES 64u   // pages un-shared between two looks at the lane
#define LOOK_PAGES 512u  // pages asked about at a time

extern const char mfr_gate_start[], mfr_gate_end[];

void mfr_arm_dispatch(void) {
  // PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, the gate stays open (Documentation/admin-guide/
  // syscall-user-dispatch.rst). Dropped by clone and by execve.
  SYS5(prctl, 59, 1, mfr_gate_start, mfr_gate_end - mfr_gate_start, 0);
}

static void become(u32 index) {
  mfr_self.index = index;
  mfr_self.me = mfr_replica_at(mfr_self.base, index);
  mfr_self.rpid = (i32)SYS0(getpid);
  mfr_self.became_joiner = 1;
  mfr_self.unsharing = 0;
  mfr_self.last_wake = mfr_self.seq;
  mfr_self.min_seq = mfr_self.min_data = 0;
  mfr_kicked = 0;
  mfr_arm_dispatch();
  SYS5(prctl, 1 /* PR_SET_PDEATHSIG */, MFR_SIGKILL, 0, 0, 0);
  if (SYS0(getppid) != mfr_self.h->anchor_pid) SYS1(exit_group, 0);
  mfr_store_release32(&mfr_self.me->state, MFR_REPLICA_JOINING);
  mfr_wake_coordinator();
}

// Donor: makes replica `index`. Returns the child's pid or -errno in the donor, 0 in the joiner.
int mfr_clone_replica(u32 index) {
  struct mfr_replica *r = mfr_replica_at(mfr_self.base, index);
  struct mfr_replica *me = mfr_self.me;
  r->data_pos = me->data_pos;
  r->begun = 0;
  r->in_sum = r->out_sum = 0;
  r->calls = 0;
  r->faults = me->faults;
  r->phase = MFR_PHASE_GUEST;
  r->bid = 0;
  r->kicked = 0;
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

// ---- un-sharing --------------------------------------------------------------------------------------
// Only pages that are present get a frame of their own: populating whole mappings would fill every
// thread's stack. mincore says which (for anonymous memory it looks at the page table). Time-bounded:
// one step, then the lane has its turn again.
//
// A page that is broken in the donor is broken in its clone, too (fork inherits a poisoned entry): populating
// it tells. Then both are of no use, unless nobody else is left who has the page.
static void populate(u64 at, u64 pages) {
  long r = SYS3(madvise, at, pages * MFR_PAGE, MADV_POPULATE_WRITE);
  if (likely(r == 0)) return;
  if (r == -MFR_EINVAL) { // before Linux 5.14: write each page with what it holds
    for (u64 k = 0; k < pages && MFR_TRY(); k++) { // or the guest has made them read-only meanwhile
      __atomic_fetch_add((u8 *)(at + k * MFR_PAGE), 0, __ATOMIC_RELAXED);
      MFR_TRY_END();
    }
  } else if (pages > 1) {
    for (u64 k = 0; k < pages; k++) populate(at + k * MFR_PAGE, 1);
  } else if (r == -MFR_EHWPOISON) {
    mfr_await_verdict(MFR_SIGBUS, BUS_MCEERR_AO, at, 0);
  }
}

void mfr_unshare_step(void) {
  struct mfr_replica *me = mfr_self.me;
  const struct mfr_range *ranges = mfr_ranges_of(mfr_self.base, mfr_self.index);
  static u8 present[LOOK_PAGES];
  u32 budget = STEP_PAGES, looks = 16;
  u32 count = me->range_count < MFR_RANGES ? me->range_count : MFR_RANGES;
  while (mfr_self.range_at < count && budget && looks--) {
    const struct mfr_range *r = &ranges[mfr_self.range_at];
    u64 at = mfr_self.range_addr ? mfr_self.range_addr : r->start & ~(u64)MFR_RANGE_ALL, end = r->end;
    if (at >= end) {
      mfr_self.range_at++;
      mfr_self.range_addr = 0;
      continue;
    }
    u64 pages = (end - at) / MFR_PAGE;
    if (pages > LOOK_PAGES) pages = LOOK_PAGES;
    long e = 0;
    if (r->start & MFR_RANGE_ALL) memset(present, 1, pages);
    else e = SYS3(mincore, at, pages * MFR_PAGE, present);
    if (e == -MFR_ENOMEM && pages > 1) { // part of it is gone since: go page by page
      pages = 1;
      e = SYS3(mincore, at, MFR_PAGE, present);
    }
    if (e < 0) {
      mfr_self.range_addr = at + pages * MFR_PAGE;
      continue;
    }
    u64 i = 0;
    while (i < pages && budget) {
      if (!(present[i] & 1)) {
        i++;
        continue;
      }
      u64 n = 1;
      while (i + n < pages && (present[i + n] & 1) && n < budget) n++;
      populate(at + i * MFR_PAGE, n);
      budget -= (u32)n;
      i += n;
    }
    mfr_self.range_addr = at + i * MFR_PAGE;
  }
  if (mfr_self.range_at < count) return;
  mfr_self.unsharing = 0;
  mfr_and_acqrel32(&me->request, ~MFR_REQ_UNSHARE);
  if (!me->ranges_more) {
    mfr_store_release32(&me->unshared, 1);
    mfr_store_release32(&me->state, MFR_REPLICA_RUNNING);
  }
  mfr_add_acqrel32(&me->request_done, 1);
  mfr_wake_coordinator();
}

// ---- fault injection -------------------------------------------------------------------------------------
// Userfaultfd wants a descriptor, and none of ours may show in the guest's table: a helper that
// shares the memory but has a table of its own plants the poison (UFFDIO_POISON, Linux 6.6).
struct uffdio_api { u64 api, features, ioctls; };
struct uffdio_register { u64 start, len, mode, ioctls; };
struct uffdio_poison { u64 start, len, mode; i64 updated; };

__attribute__((noinline)) static long poison_page(u64 page) {
  long fd = SYS1(userfaultfd, 1 /* UFFD_USER_MODE_ONLY */ | 02000000);
  if (fd < 0) return fd;
  struct uffdio_api api = {0xaa, 0, 0};
  struct uffdio_register reg = {page, MFR_PAGE, 1 /* MISSING */, 0};
  struct uffdio_poison poison = {page, MFR_PAGE, 0, 0};
  long r = SYS3(ioctl, fd, 0xc018aa3f, &api);
  if (r >= 0) r = SYS3(ioctl, fd, 0xc020aa00, &reg);
  if (r >= 0) r = SYS3(madvise, page, MFR_PAGE, MADV_DONTNEED);
  if (r >= 0) r = SYS3(ioctl, fd, 0xc020aa08, &poison);
  SYS1(close, fd);
  return r;
}

static u8 helper_stack[16 << 10] __attribute__((aligned(16)));
static volatile long helper_result;
extern long mfr_clone_helper(u64 flags, void *stack, long (*fn)(u64), u64 arg, volatile long *result);

static long plant_poison(u64 page) {
  helper_result = -MFR_EAGAIN;
  long pid = mfr_clone_helper(CLONE_VM | CLONE_VFORK, helper_stack + sizeof helper_stack, poison_page,
                              page & ~(u64)(MFR_PAGE - 1), &helper_result);
  if (pid < 0) return pid;
  SYS4(wait4, pid, NULL, 0x40000000 /* __WALL */, NULL);
  return helper_result;
}

// ---- requests --------------------------------------------------------------------------------------------
void mfr_serve_requests(void) {
  struct mfr_replica *me = mfr_self.me;
  // CLONE and UNSHARE stay set until they are done: so the coordinator sees that they are under way.
  u32 asked = mfr_and_acqrel32(&me->request, MFR_REQ_CLONE | MFR_REQ_UNSHARE);
  if (asked & MFR_REQ_LEAVE) SYS1(exit_group, 0);
  if ((asked & MFR_REQ_UNSHARE) && !mfr_self.unsharing) {
    mfr_self.unsharing = 1;
    mfr_self.range_at = 0;
    mfr_self.range_addr = 0;
  }
  if (asked & MFR_REQ_CLONE) {
    int r = mfr_clone_replica((u32)me->request_arg % MFR_MAX_REPLICAS);
    if (r == 0) return; // the joiner
    me->request_result = r < 0 ? r : 0;
    mfr_and_acqrel32(&me->request, ~MFR_REQ_CLONE);
    mfr_add_acqrel32(&me->request_done, 1);
    mfr_wake_coordinator();
  }
  if (asked & (MFR_REQ_POISON | MFR_REQ_BITFLIP)) {
    u64 at = me->request_arg;
    if (asked & MFR_REQ_POISON) me->request_result = plant_poison(at);
    else if (MFR_TRY()) {
      __atomic_fetch_xor((u8 *)at, (u8)(1u << (me->request_arg2 & 7)), __ATOMIC_RELAXED);
      MFR_TRY_END();
      me->request_result = 0;
    } else me->request_result = -MFR_EFAULT;
    mfr_add_acqrel32(&me->request_done, 1);
    mfr_wake_coordinator();
  }
  if (asked & MFR_REQ_FAULT) *(volatile u32 *)8 = 0; // SIGSEGV in this replica alone
}
