// calls/memory.c - mappings. Each replica maps for itself; the address is the leader's.
#include "../shim.h"

#define MAP_SHARED_BIT 1
#define MAP_FIXED 0x10
#define MAP_ANONYMOUS 0x20
#define MAP_FIXED_NOREPLACE 0x100000
#define PROT_WRITE 2
#define MREMAP_MAYMOVE 1
#define MREMAP_FIXED 2

static u64 map_prepare(struct mfr_call *c, void *ctx, u64 *hash) {
  (void)c, (void)ctx, (void)hash;
  return 0;
}
static long map_produce(struct mfr_call *c, void *ctx, struct mfr_turn *t, u8 *data) {
  (void)t, (void)data;
  *(int *)ctx = 1; // this replica's own mapping is made
  return mfr_gate(c->nr, c->a[0], c->a[1], c->a[2], c->a[3], c->a[4], c->a[5]);
}
static u32 map_used(struct mfr_call *c, void *ctx, const u8 *data, long result) {
  (void)c, (void)ctx, (void)data, (void)result;
  return 0;
}
static int is_error(long r) { return r < 0 && r > -4096; }

static void map_consume(struct mfr_call *c, void *ctx, const u8 *data, long result) {
  (void)data;
  if (*(int *)ctx || is_error(result)) return;
  long r;
  if (c->nr == __NR_mmap) {
    long flags = c->a[3] & MAP_FIXED ? c->a[3] : c->a[3] | MAP_FIXED_NOREPLACE;
    r = SYS6(mmap, result, c->a[1], c->a[2], flags, c->a[4], c->a[5]);
  } else if (result == c->a[0]) {
    r = SYS5(mremap, c->a[0], c->a[1], c->a[2], c->a[3] & ~(MREMAP_MAYMOVE | MREMAP_FIXED), 0);
  } else {
    r = SYS5(mremap, c->a[0], c->a[1], c->a[2], c->a[3] | MREMAP_MAYMOVE | MREMAP_FIXED, result);
  }
  // This replica cannot have the mapping: it is of no use to the set any more. The set heals.
  if (r != result) SYS2(kill, mfr_self.rpid, MFR_SIGKILL);
}
static const struct mfr_shape map_shape = {map_prepare, map_produce, map_used, map_consume, NULL};

// Shared mappings that cannot be written yet, but that mprotect may open: their descriptor allows it. Alike in all
// replicas. What is unmapped stays in the table: at worst a set collapses that need not.
#define SHUT_MAPPINGS 64u
static struct { u64 start, end; } shut[SHUT_MAPPINGS];
static u32 shut_count;

static int may_be_written(const struct mfr_call *c) {
  struct mfr_call q; // asked in the lane: a follower comes here later, and the descriptor may be gone
  memset(&q, 0, sizeof q);
  q.nr = __NR_fcntl;
  q.a[0] = c->a[4], q.a[1] = 3 /* F_GETFL */;
  long flags = mfr_call_fcntl(&q);
  return flags >= 0 && (flags & 3) != 0;
}

static int shared_now(const struct mfr_call *c) {
  return (c->a[3] & MAP_SHARED_BIT) && ((c->a[2] & PROT_WRITE) || (c->a[3] & MAP_ANONYMOUS));
}

long mfr_call_mmap(struct mfr_call *c) {
  int later = (c->a[3] & MAP_SHARED_BIT) && !shared_now(c) && may_be_written(c);
  if (shared_now(c) || (later && shut_count == SHUT_MAPPINGS)) mfr_collapse("maps writable shared memory", 1);
  int made = 0;
  u64 at = mfr_self.seq;
  long r = mfr_lane_call(c, &map_shape, &made);
  if (later && !is_error(r) && shut_count < SHUT_MAPPINGS) {
    shut[shut_count].start = (u64)r;
    shut[shut_count++].end = (u64)r + (u64)c->a[1];
  }
  // A follower maps the descriptor later than the leader: the leader may not close it before.
  if (!(c->a[3] & MAP_ANONYMOUS) && !is_error(r)) {
    mfr_self.mmap_seq = at;
    if (mfr_load_relaxed32(&mfr_self.h->stalled)) mfr_futex_wake(&mfr_self.h->stalled); // mfr_rendezvous
  }
  return r;
}

long mfr_call_mremap(struct mfr_call *c) {
  int made = 0;
  return mfr_lane_call(c, &map_shape, &made);
}

long mfr_call_mprotect(struct mfr_call *c) {
  u64 start = (u64)c->a[0], end = start + (u64)c->a[1];
  for (u32 i = 0; (c->a[2] & PROT_WRITE) && i < shut_count; i++)
    if (start < shut[i].end && shut[i].start < end) {
      mfr_collapse("maps writable shared memory", 1);
      break;
    }
  return mfr_local(c);
}
