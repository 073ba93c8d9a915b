// calls/mapping.c - calls that make, change and end mappings, where writable shared ones are concerned (mappings.c):
// mmap, munmap, mremap, madvise, msync are then a slot each.
#include "../mappings.h"

#define SPARE 16u               // room for pieces that munmap and mprotect make
#define MOST_BYTES (256ull << 20) // copied while the leader waits
#define HUGETLBFS_MAGIC 0x958458f6ull

static const char reason_shared[] = "maps writable shared memory";
static const char reason_twice[] = "maps the same part of a file twice";

struct map_ctx {
  int leads;          // this replica has carried it out: its memory is as it should be
  u64 shadow;         // address of the shadow
  struct mfr_mapping new; // of mmap and mremap
};
static long plain_produce(struct mfr_call *c, void *ctx, struct mfr_turn *t, u8 *data) {
  (void)t, (void)data;
  ((struct map_ctx *)ctx)->leads = 1;
  return mfr_gate(c->nr, c->a[0], c->a[1], c->a[2], c->a[3], c->a[4], c->a[5]);
}
// Leader: the followers have their copies before anything is stored.
static void wait_for_copies(u64 slot) {
  if (mfr_load_acquire32(&mfr_self.h->live) != 1u << mfr_self.index) mfr_rendezvous(slot);
}

static long mmap_produce(struct mfr_call *c, void *ctx, struct mfr_turn *t, u8 *data) {
  struct map_ctx *x = ctx;
  if (!mfr_self.map_leading) mfr_mapping_own();
  long r = plain_produce(c, ctx, t, data);
  if (!is_error(r)) {
    long s = SYS6(mmap, 0, c->a[1], PROT_READ, MAP_SHARED, c->a[4], c->a[5]);
    if (is_error(s)) {
      SYS2(munmap, r, c->a[1]);
      r = s;
    } else x->shadow = (u64)s;
  }
  if (data) __builtin_memcpy(data, &x->shadow, 8);
  return r;
}
static struct mfr_mapping *note_new(const struct map_ctx *x, u64 at, u64 bytes) {
  mfr_mapping_cut(at, at + bytes);
  struct mfr_mapping *m = mfr_mapping_add();
  *m = x->new;
  m->start = at;
  m->end = at + bytes;
  m->shadow = x->shadow;
  return m;
}
static void mmap_consume(struct mfr_call *c, void *ctx, const u8 *data, long result) {
  struct map_ctx *x = ctx;
  if (is_error(result) || x->leads) return;
  __builtin_memcpy(&x->shadow, data, 8);
  u64 bytes = up((u64)c->a[1]);
  long fixed = c->a[3] & MAP_FIXED ? MAP_FIXED : MAP_FIXED_NOREPLACE;
  long r = SYS6(mmap, result, bytes, 0, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | fixed, -1, 0);
  struct mfr_mapping *m = note_new(x, (u64)result, bytes);
  long s = SYS6(mmap, x->shadow, bytes, PROT_READ, MAP_SHARED | MAP_FIXED_NOREPLACE, c->a[4], c->a[5]);
  if (s != (long)x->shadow || r != result) mfr_useless();
  mfr_mapping_copy(m);
  mfr_mapping_recount();
}
static const struct mfr_shape mmap_shape = {mfr_eight_prepare, mmap_produce, mfr_eight_used, mmap_consume, NULL};

// What the descriptor is, asked in the lane: a follower comes here later, when it may be gone. 0: memory that is
// shared cannot be written through it; 1: a file of which followers can have copies; 2: anything else.
static int kind_of(const struct mfr_call *c, struct mfr_mapping *m) {
  static u64 st[18], fs[15];
  struct mfr_call q;
  memset(&q, 0, sizeof q);
  q.nr = __NR_fcntl;
  q.a[0] = c->a[4], q.a[1] = 3 /* F_GETFL */;
  long flags = mfr_call_fcntl(&q);
  if (mfr_self.rerun || flags < 0 || (flags & 3) != 2 /* O_RDWR */) return 0;
  q.nr = __NR_fstat;
  q.a[1] = (long)st;
  if (mfr_shared(&q) < 0) return 0;
  q.nr = __NR_fstatfs;
  q.a[1] = (long)fs;
  if (mfr_shared(&q) < 0) return 2;
  m->dev = st[STAT_DEV];
  m->ino = st[STAT_INO];
  m->off = (u64)c->a[5];
  m->prot = (u32)c->a[2];
  u64 bytes = up((u64)c->a[1]), size = up(st[STAT_SIZE]);
  if (((u32)st[STAT_MODE] & 0170000) != 0100000 || fs[0] == HUGETLBFS_MAGIC) return 2;
  return min64(bytes, size > m->off ? size - m->off : 0) > MOST_BYTES ? 2 : 1;
}

static long map_file(struct mfr_call *c, const struct mfr_mapping *m) {
  struct map_ctx x = {0, 0, *m};
  u64 at = mfr_self.seq;
  long r = mfr_lane_call(c, &mmap_shape, &x);
  if (x.leads) {
    if (!is_error(r)) note_new(&x, (u64)r, up((u64)c->a[1]));
    mfr_mapping_recount(); // whose it is, also when it has failed
    if (!is_error(r)) wait_for_copies(at);
  }
  if (x.leads && !is_error(r)) { // who else uses it?
    struct mfr_header *h = mfr_self.h;
    u32 n = mfr_load_relaxed32(&h->map_count);
    h->map_file[n % MFR_MAP_FILES] = (struct mfr_file){m->dev, m->ino};
    mfr_store_release32(&h->map_count, n + 1);
    mfr_wake_coordinator();
  }
  return r;
}

static int room(void) { return mfr_self.mappings + SPARE < MFR_MAPPINGS; }
static int can_populate(void) {
  static u8 page[2 * MFR_PAGE]; // one whole page lies in it
  return SYS3(madvise, up((u64)page), MFR_PAGE, MADV_POPULATE_READ) == 0; // Linux 5.14
}

// A mapping with MAP_SHARED. 1: *result is its; 0: it is mapped like any other, *note tells mfr_mapping_mapped.
int mfr_mapping_mmap(struct mfr_call *c, long *result, int *note) {
  *note = 0;
  if (mfr_self.map_open || !(c->a[3] & MAP_SHARED)) return 0;
  if (c->a[3] & MAP_ANONYMOUS) {
    if ((c->a[3] & 0xf) != MAP_SHARED) return 0; // the kernel has none of these
    if (room()) {
      c->a[3] = (c->a[3] & ~0xfl) | MAP_PRIVATE; // the caller puts it back
      *note = 1;
    } else mfr_mapping_give_up(reason_shared);
    return 0;
  }
  struct mfr_mapping m;
  memset(&m, 0, sizeof m);
  int kind = kind_of(c, &m);
  if (mfr_self.rerun) {
    *result = -MFR_EINTR;
    return 1;
  }
  if (kind == 0) return 0;
  const char *why = kind == 2 || !room() || !can_populate() ? reason_shared
                    : mfr_mapping_doubled(m.dev, m.ino, m.off, up((u64)c->a[1]), m.prot) ? reason_twice : NULL;
  if (why) {
    mfr_mapping_give_up(why);
    return 0;
  }
  *result = map_file(c, &m);
  return 1;
}
// Any mapping, made by all: it may lie where one of ours was, or be anonymous shared memory.
void mfr_mapping_mapped(u64 at, u64 bytes, u32 prot, int shared) {
  bytes = up(bytes);
  mfr_mapping_cut(at, at + bytes);
  if (shared) {
    struct mfr_mapping *m = mfr_mapping_add();
    memset(m, 0, sizeof *m);
    m->start = at;
    m->end = at + bytes;
    m->prot = prot;
    mfr_mapping_join();
  }
  mfr_mapping_recount();
}

static void munmap_consume(struct mfr_call *c, void *ctx, const u8 *data, long result) {
  (void)data;
  if (result == 0 && !((struct map_ctx *)ctx)->leads && SYS2(munmap, c->a[0], c->a[1]) != 0) mfr_useless();
}
static const struct mfr_shape munmap_shape = {mfr_eight_prepare, plain_produce, mfr_eight_used, munmap_consume, NULL};
// In the lane: whoever unmaps a file has led, and so has stored into it what there was to store.
long mfr_call_munmap(struct mfr_call *c) {
  if (likely(!mfr_mapping_touched((u64)c->a[0], (u64)c->a[1]))) return mfr_local(c);
  struct map_ctx x;
  memset(&x, 0, sizeof x);
  long r = mfr_lane_call(c, &munmap_shape, &x);
  if (r == 0) {
    mfr_mapping_cut((u64)c->a[0], (u64)c->a[0] + up((u64)c->a[1]));
    mfr_mapping_recount();
  }
  return r;
}

static struct mfr_mapping *entry(u64 start, u64 end) {
  FOR_EACH(m) if (m->start == start && m->end == end) return m;
  return NULL;
}
static long mremap_produce(struct mfr_call *c, void *ctx, struct mfr_turn *t, u8 *data) {
  struct map_ctx *x = ctx;
  u64 old = up((u64)c->a[1]), new = up((u64)c->a[2]);
  x->shadow = x->new.shadow;
  long r = plain_produce(c, ctx, t, data);
  if (!is_error(r) && new != old) {
    long s = SYS5(mremap, x->shadow, old, new, MREMAP_MAYMOVE, 0);
    if (is_error(s)) mfr_useless();
    x->shadow = (u64)s;
  }
  if (data) __builtin_memcpy(data, &x->shadow, 8);
  return r;
}
static void mremap_consume(struct mfr_call *c, void *ctx, const u8 *data, long result) {
  struct map_ctx *x = ctx;
  if (is_error(result) || x->leads) return;
  __builtin_memcpy(&x->shadow, data, 8);
  mfr_mapping_move(&x->new, (u64)result, up((u64)c->a[2]), x->shadow, c->a[3] & MREMAP_FIXED);
}
static const struct mfr_shape mremap_shape = {mfr_eight_prepare, mremap_produce, mfr_eight_used, mremap_consume, NULL};

// 1: *result is that of the call; 0: no file of ours is in it.
int mfr_mapping_mremap(struct mfr_call *c, long *result) {
  u64 start = (u64)c->a[0], old = up((u64)c->a[1]), new = up((u64)c->a[2]);
  if (likely(!mfr_mapping_touched(start, old ? old : MFR_PAGE))) return 0;
  mfr_mapping_split(start);
  mfr_mapping_split(start + old);
  struct mfr_mapping *m = entry(start, start + old);
  if (!m || !old || !new || (c->a[3] & ~(long)(MREMAP_MAYMOVE | MREMAP_FIXED)) || !room() ||
      (m->shadow && new > old && mfr_mapping_doubled(m->dev, m->ino, m->off + old, new - old, m->prot))) {
    mfr_mapping_give_up(reason_shared);
    return 0;
  }
  if (!m->shadow) return 0; // anonymous: moved as any other, and told to mfr_mapping_moved
  struct map_ctx x = {0, 0, *m};
  u64 at = mfr_self.seq;
  long r = mfr_lane_call(c, &mremap_shape, &x);
  *result = r;
  if (is_error(r)) return 1;
  if (x.leads) {
    x.new.start = (u64)r;
    x.new.end = (u64)r + new;
    x.new.shadow = x.shadow;
  }
  mfr_mapping_remove(entry(start, start + old));
  mfr_mapping_cut((u64)r, (u64)r + new);
  *mfr_mapping_add() = x.new;
  mfr_mapping_recount();
  if (x.leads) wait_for_copies(at);
  return 1;
}
void mfr_mapping_moved(u64 start, u64 old, u64 to, u64 new) {
  if (likely(!mfr_self.mappings)) return;
  struct mfr_mapping *m = entry(start, start + up(old));
  u32 prot = 0;
  int ours = m != NULL;
  if (m) {
    prot = m->prot;
    mfr_mapping_remove(m);
  }
  mfr_mapping_mapped(to, new, prot, ours);
}

// ---- protection, advice --------------------------------------------------------------------------------------
long mfr_call_mprotect(struct mfr_call *c) {
  u64 start = (u64)c->a[0], end = start + up((u64)c->a[1]);
  if (likely(!mfr_mapping_touched(start, (u64)c->a[1]))) return mfr_local(c);
  int twice = 0;
  FOR_EACH(m)
    if (m->shadow && overlaps(m, start, end) && (c->a[2] & PROT_WRITE)) {
      u64 ino = m->ino;
      m->ino = ~ino; // all but this one
      twice |= mfr_mapping_doubled(m->dev, ino, m->off, m->end - m->start, PROT_WRITE);
      m->ino = ino;
    }
  if (twice || !room()) {
    mfr_mapping_give_up(twice ? reason_twice : reason_shared);
    return mfr_local(c);
  }
  long r = mfr_local(c);
  if (r != 0) return r;
  mfr_mapping_split(start);
  mfr_mapping_split(end);
  FOR_EACH(m) if (overlaps(m, start, end)) m->prot = (u32)c->a[2];
  mfr_mapping_join();
  return r;
}
long mfr_call_pkey_mprotect(struct mfr_call *c) { return mfr_call_mprotect(c); }

long mfr_call_remap_file_pages(struct mfr_call *c) {
  if (mfr_mapping_touched((u64)c->a[0], (u64)c->a[1])) mfr_mapping_give_up(reason_shared);
  return mfr_local(c);
}

static const struct mfr_shape plain_shape = {mfr_eight_prepare, plain_produce, mfr_eight_used, mfr_no_consume, NULL};
static int has_file(u64 start, u64 bytes) {
  FOR_EACH(m) if (m->shadow && overlaps(m, start, start + up(bytes))) return 1;
  return 0;
}

// Data that a leader has made safe is safe: followers have nothing to do.
long mfr_call_msync(struct mfr_call *c) {
  if (likely(!mfr_mapping_touched((u64)c->a[0], (u64)c->a[1])) || !has_file((u64)c->a[0], (u64)c->a[1]))
    return mfr_local(c);
  struct map_ctx x;
  memset(&x, 0, sizeof x);
  return mfr_lane_call(c, &plain_shape, &x);
}

// Shared memory keeps what is in it when its pages are given back; private memory would not.
static long keep_ours(struct mfr_call *c) {
  u64 at = (u64)c->a[0], end = at + up((u64)c->a[1]);
  while (at < end) {
    u64 next = end;
    const struct mfr_mapping *in = NULL;
    FOR_EACH(m) {
      if (m->start <= at && at < m->end) in = m;
      else if (m->start > at && m->start < next) next = m->start;
    }
    if (in) {
      at = in->end;
      continue;
    }
    long r = SYS3(madvise, at, next - at, c->a[2]);
    if (r < 0) return r;
    at = next;
  }
  return 0;
}
static void zero(u64 start, u64 end) {
  FOR_EACH(m) {
    u64 low = max64(start, m->start), high = min64(end, m->shadow ? m->start + m->valid : m->end);
    if (low < high && !(m->shadow && mfr_self.map_leading)) SYS3(madvise, low, high - low, MADV_DONTNEED);
  }
}
// What is not to be inherited by children that the guest forks must be inherited by replicas. A child that has more
// memory than it asked for does not notice; to one whose memory is not wiped the advice is refused, as by kernels
// that do not know it.
static long about_children(struct mfr_call *c) {
  if ((u32)c->a[2] == MADV_WIPEONFORK) return -MFR_EINVAL;
  struct mfr_call q = *c;
  q.a[2] = MADV_DOFORK; // says what is wrong with the range
  return mfr_local(&q);
}
long mfr_call_madvise(struct mfr_call *c) {
  u64 start = (u64)c->a[0], end = start + up((u64)c->a[1]);
  if ((u32)c->a[2] == MADV_DONTFORK || (u32)c->a[2] == MADV_WIPEONFORK) return about_children(c);
  if (likely(!mfr_mapping_touched(start, (u64)c->a[1])) || start % MFR_PAGE) return mfr_local(c);
  switch ((u32)c->a[2]) {
  case MADV_DONTNEED: return keep_ours(c);
  case MADV_FREE: return -MFR_EINVAL;
  case MADV_REMOVE: {
    struct map_ctx x;
    memset(&x, 0, sizeof x);
    long r = has_file(start, (u64)c->a[1]) ? mfr_lane_call(c, &plain_shape, &x) : 0;
    if (r == 0) zero(start, end);
    return r;
  }
  default: return mfr_local(c);
  }
}
