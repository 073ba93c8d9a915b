// calls/memory.c - mappings. Each replica maps for itself; the address is the leader's.
#include "../mappings.h"

static long map_produce(struct mfr_call *c, void *ctx, struct mfr_turn *t, u8 *data) {
  (void)t, (void)data;
  *(int *)ctx = 1; // this replica's own mapping is made
  return mfr_gate(c->nr, c->a[0], c->a[1], c->a[2], c->a[3], c->a[4], c->a[5]);
}

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
  if (r != result) mfr_useless();
}
static const struct mfr_shape map_shape = {mfr_no_prepare, map_produce, mfr_no_used, map_consume, NULL};

long mfr_call_mmap(struct mfr_call *c) {
  long r;
  int shared;
  long flags = c->a[3];
  if (mfr_mapping_mmap(c, &r, &shared)) return r;
  int made = 0;
  u64 at = mfr_self.seq;
  r = mfr_lane_call(c, &map_shape, &made);
  c->a[3] = flags; // the call may have to be made anew
  if (is_error(r)) return r;
  if (unlikely(shared || mfr_self.mappings)) mfr_mapping_mapped((u64)r, (u64)c->a[1], (u32)c->a[2], shared);
  // A follower maps the descriptor later than the leader: the leader may not close it before.
  if (!(c->a[3] & MAP_ANONYMOUS)) {
    mfr_self.mmap_seq = at;
    if (mfr_load_relaxed32(&mfr_self.h->stalled)) mfr_futex_wake(&mfr_self.h->stalled); // mfr_rendezvous
  }
  return r;
}

long mfr_call_mremap(struct mfr_call *c) {
  long r;
  if (mfr_mapping_mremap(c, &r)) return r;
  int made = 0;
  r = mfr_lane_call(c, &map_shape, &made);
  if (!is_error(r)) mfr_mapping_moved((u64)c->a[0], (u64)c->a[1], (u64)r, (u64)c->a[2]);
  return r;
}
