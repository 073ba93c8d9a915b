// unshare.c - work on the memory of a replica, in steps between two calls of the guest: a clone's memory becomes its
// own, and whoever may have to be cloned gets huge pages, as the time that a clone takes is that of its page tables
// (measured: 40 ms for a GB of small pages, 0.7 ms for a GB of huge ones).
#include "shim.h"

#define MADV_POPULATE_WRITE 23
#define MADV_COLLAPSE 25
#define PR_SET_THP_DISABLE 41
#define PR_GET_THP_DISABLE 42
#define STEP_PAGES 64u   // pages un-shared between two looks at the lane
#define STEP_LOOKS 16u   // pieces looked at between two looks at the lane
#define HUGE_PAGES 512u  // small pages in a huge one: as many are asked about at a time
#define HUGE_BYTES (HUGE_PAGES * MFR_PAGE)
#define FOLD_NS 20000u   // a piece that was folded in less had been huge before
// A fold waits for so many times what it took before it goes on: the guest waits for a leader, and where the kernel
// does not preempt itself, a follower may hold the processor that the leader wants.
#define LEAD_RESTS 8u
#define FOLLOW_RESTS 2u
#define LEAD_NS 1000000u // and no less than this
#define SLOW_NS 1000000u // a virtual machine may first have to get a page from its host: small ones take half as long
#define SKIP 16u         // pieces that are un-shared in small pages after a slow one; doubled each time, 16 times at most
#define BLOCK_NS 1000000u // for so long a leader un-shares before it waits for input
#define REST_NS 2000000000ull // after the kernel had no huge page; doubled each time, 64 times at most

static u64 fold_next; // when this replica may fold again
static u32 slow, skip;
static u64 rest_until;
static u32 refusals;

// Makes a huge page of its own of a piece that is wholly present, so that memory use does not change. The kernel
// copies (madvise(2), MADV_COLLAPSE, Linux 6.1), so whatever was shared is not any longer. Returns 0 or -errno.
static long fold(u64 at) {
  long r = SYS3(madvise, at, HUGE_BYTES, MADV_COLLAPSE);
  if (r != -MFR_EINVAL || SYS5(prctl, PR_GET_THP_DISABLE, 0, 0, 0, 0) != 1) return r;
  // What a guest says there is for the pages that it will get, not for those that it has.
  SYS5(prctl, PR_SET_THP_DISABLE, 0, 0, 0, 0);
  r = SYS3(madvise, at, HUGE_BYTES, MADV_COLLAPSE);
  SYS5(prctl, PR_SET_THP_DISABLE, 1, 0, 0, 0);
  return r;
}

// No huge page is free, or the memory group has reached its limit: not again soon.
static int is_short(long r) {
  if (r != -MFR_ENOMEM && r != -MFR_EBUSY) return 0;
  if (refusals < 6) refusals++;
  rest_until = mfr_now() + (REST_NS << refusals);
  return 1;
}
static int rests(void) { return unlikely(refusals) && mfr_now() < rest_until; }

// Only pages that are present get a frame of their own: populating whole mappings would fill every
// thread's stack. mincore says which (for anonymous memory it looks at the page table).
//
// A page that is broken in the donor is broken in its clone, too (fork inherits a poisoned entry): populating
// it tells. Then both are of no use, unless nobody else is left who has the page.
static void populate(u64 at, u64 pages) {
  long r = SYS3(madvise, at, pages * MFR_PAGE, MADV_POPULATE_WRITE);
  if (likely(r == 0)) return;
  if (r == -MFR_EINVAL || r == -MFR_EPERM) { // before Linux 5.14, or refused: write each page with what it holds
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

// A huge page that is shared as a whole counts as folded for the kernel: writing to it parts it first.
static int unshare_folded(u64 at) {
  if (skip) {
    skip--;
    return 0; // being in step comes first; it is folded later
  }
  if (rests() || SYS3(madvise, at, MFR_PAGE, MADV_POPULATE_WRITE) != 0) return 0;
  u64 begun = mfr_now();
  long r = fold(at);
  if (mfr_now() - begun < SLOW_NS) slow = 0;
  else skip = SKIP << (slow < 4 ? slow++ : slow);
  return !is_short(r) && r == 0;
}

static u8 present[HUGE_PAGES];

// Pages of the piece at `at` that are looked at, 0 when nothing can be said about them. At most up to the next
// boundary of a huge page.
static u64 look(u64 at, u64 end, int all) {
  u64 pages = (end - at) / MFR_PAGE, most = HUGE_PAGES - at / MFR_PAGE % HUGE_PAGES;
  if (pages > most) pages = most;
  long e = 0;
  if (all) memset(present, 1, pages);
  else e = SYS3(mincore, at, pages * MFR_PAGE, present);
  if (e == -MFR_ENOMEM && pages > 1) { // part of it is gone since: go page by page
    pages = 1;
    e = SYS3(mincore, at, MFR_PAGE, present);
  }
  if (e == -MFR_EPERM || e == -MFR_ENOSYS) memset(present, 1, pages); // a filter refuses it: all of it, then
  else if (e < 0) memset(present, 0, pages);
  return pages;
}
static int whole(u64 pages) {
  if (pages != HUGE_PAGES) return 0;
  for (u64 i = 0; i < pages; i++)
    if (!(present[i] & 1)) return 0;
  return 1;
}

// The range under way, NULL when all are done.
static const struct mfr_range *range_now(u64 *at) {
  struct mfr_replica *me = mfr_self.me;
  u32 count = me->range_count < MFR_RANGES ? me->range_count : MFR_RANGES;
  for (; mfr_self.range_at < count; mfr_self.range_at++, mfr_self.range_addr = 0) {
    const struct mfr_range *r = &mfr_ranges_of(mfr_self.base, mfr_self.index)[mfr_self.range_at];
    *at = mfr_self.range_addr ? mfr_self.range_addr : r->start & ~(u64)MFR_RANGE_FLAGS;
    if (*at < r->end) return r;
  }
  return NULL;
}

static void done(u32 what) {
  struct mfr_replica *me = mfr_self.me;
  mfr_self.memory_work = 0;
  mfr_and_acqrel32(&me->request, ~what);
  if (what == MFR_REQ_UNSHARE && !me->ranges_more) {
    mfr_store_release32(&me->unshared, 1);
    mfr_store_release32(&me->state, MFR_REPLICA_RUNNING);
  }
  mfr_add_acqrel32(&me->request_done, 1);
  mfr_wake_coordinator();
}

static void unshare_step(void) {
  u32 budget = STEP_PAGES, looks = STEP_LOOKS;
  u64 at;
  const struct mfr_range *r;
  while ((r = range_now(&at)) && budget && looks--) {
    int all = (r->start & MFR_RANGE_ALL) != 0; // mincore does not count what is swapped out or broken
    u64 pages = look(at, r->end, all);
    if (!(r->start & MFR_RANGE_FLAGS) && whole(pages) && unshare_folded(at)) {
      mfr_self.range_addr = at + HUGE_BYTES;
      break;
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
  if (!r) done(MFR_REQ_UNSHARE);
}

static void fold_step(void) {
  u64 at, now = mfr_now();
  u64 begun = now;
  u32 looks = STEP_LOOKS;
  const struct mfr_range *r;
  while ((r = range_now(&at)) && looks--) {
    u64 pages = look(at, r->end, 0);
    mfr_self.range_addr = at + pages * MFR_PAGE;
    if (!whole(pages)) continue;
    long e = fold(at);
    u64 then = mfr_now();
    if (e == 0) refusals = 0;
    if (is_short(e)) r = NULL;
    if (e != 0 || then - now > FOLD_NS) break;
    now = then;
  }
  now = mfr_now();
  u64 rest = (now - begun) * (mfr_self.leading ? LEAD_RESTS : FOLLOW_RESTS);
  fold_next = now + (mfr_self.leading && rest < LEAD_NS ? LEAD_NS : rest);
  if (!r) done(MFR_REQ_FOLD);
}

void mfr_memory_asked(u32 what) {
  if (!what || mfr_self.memory_work) return;
  mfr_self.range_at = 0;
  mfr_self.range_addr = 0;
  mfr_self.memory_work = what & MFR_REQ_UNSHARE ? MFR_REQ_UNSHARE : MFR_REQ_FOLD;
  if (mfr_self.memory_work == MFR_REQ_FOLD && rests()) done(MFR_REQ_FOLD);
}

// The kernel may take long for a page. Whoever un-shares and is behind catches up first, lest the leader waits for it.
static int is_late(void) {
  u32 leads = (u32)(mfr_load_acquire64(&mfr_self.h->grant) & 0xff) % MFR_MAX_REPLICAS;
  u64 at = mfr_load_acquire64(&mfr_replica_at(mfr_self.base, leads)->seq);
  return at > mfr_self.seq && at - mfr_self.seq > MFR_SLOTS / 4;
}

// Returns 0 when it is not the time for it.
int mfr_memory_step(void) {
  if (is_late()) return 0;
  if (mfr_self.memory_work == MFR_REQ_UNSHARE) {
    unshare_step();
  } else {
    if (mfr_now() < fold_next) return 0;
    fold_step();
  }
  return 1;
}

// Before a call that may block. The coordinator kicks for more, as long as it takes.
void mfr_memory_before_block(void) {
  u64 until = mfr_now() + BLOCK_NS;
  do mfr_memory_step();
  while (mfr_self.memory_work == MFR_REQ_UNSHARE && mfr_now() < until);
}
