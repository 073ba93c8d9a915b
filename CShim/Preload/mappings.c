// mappings.c - writable shared mappings: the table, the copies of followers, and who has the file
// (docs/design/0006-shared-file-mappings.md). The calls are in calls/mapping.c.
//
// A file that the guest maps shared is mapped by the leader alone. Each follower has a copy of its own at the same
// address, and beside it, at an address that all replicas have in common, the file itself: the shadow. Whoever
// becomes leader writes its copy into the shadow and then puts the shadow in place of the copy.
//
//  state of a replica     at the guest's address                                shadow
//  map_leading = 1        the file, shared                                      the file, shared, read-only
//  map_leading = 0        private memory up to the file's end, then nothing     the same
//
// mfr_header.map_owner says who has it shared: nobody leads before that one is dead or has given it up, so that
// two replicas never store into the file.
// Anonymous shared memory is private memory until somebody else could see it: at a fork the set collapses.
#include "mappings.h"

#define CHUNK 64u

struct mfr_mapping mfr_mapping_table[MFR_MAPPINGS];

static const char reason_foreign[] = "maps a file that another process uses";

void mfr_useless(void) { SYS2(kill, mfr_self.rpid, MFR_SIGKILL); }

// ---- pages -------------------------------------------------------------------------------------------
static int page_zero(const u64 *p) {
  for (u32 i = 0; i < MFR_PAGE / 8; i += 4)
    if (p[i] | p[i + 1] | p[i + 2] | p[i + 3]) return 0;
  return 1;
}
static int page_same(const u64 *p, const u64 *q) {
  for (u32 i = 0; i < MFR_PAGE / 8; i += 4)
    if ((p[i] ^ q[i]) | (p[i + 1] ^ q[i + 1]) | (p[i + 2] ^ q[i + 2]) | (p[i + 3] ^ q[i + 3])) return 0;
  return 1;
}
static void protect(u64 at, u64 n, u32 prot) {
  if (n && SYS3(mprotect, at, n, prot) != 0) mfr_useless();
}
static void anonymous(u64 at, u64 n) {
  long r = SYS6(mmap, at, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
  if (r != (long)at) mfr_useless();
}
// The file itself at `at`: a shared mapping is doubled by moving nothing of it (mremap(2), old size 0).
static void shadow_at(u64 shadow, u64 at, u64 n, u32 prot) {
  if (!n) return;
  long r = SYS5(mremap, shadow, 0, n, MREMAP_MAYMOVE | MREMAP_FIXED, at);
  if (r != (long)at) mfr_useless();
  protect(at, n, prot);
}

// What lies beyond the end of a file: SIGBUS. Not of this file, which the leader may have made longer since.
static void void_at(u64 at, u64 n, u32 prot) { shadow_at((u64)mfr_self.base + MFR_BUFFER_BYTES, at, n, prot); }

// Whether a page of the file is there. A broken one is this replica's misfortune, unless it is the last.
static int there(u64 page) {
  long r = SYS3(madvise, page, MFR_PAGE, MADV_POPULATE_READ);
  if (unlikely(r == -MFR_EHWPOISON)) {
    mfr_await_verdict(MFR_SIGBUS, BUS_MCEERR_AO, page, 0);
    return -1;
  }
  return r == 0;
}
static u64 file_end(const struct mfr_mapping *m) {
  u64 pages = (m->end - m->start) / MFR_PAGE, guess = min64(m->valid / MFR_PAGE, pages), low = 0, high = pages;
  if (guess && !there(m->shadow + (guess - 1) * MFR_PAGE)) high = guess - 1;
  else {
    low = guess;
    if (guess < pages && !there(m->shadow + guess * MFR_PAGE)) high = guess;
  }
  while (low < high) { // pages below `low` are there, from `high` on they are not
    u64 middle = low + (high - low) / 2;
    if (there(m->shadow + middle * MFR_PAGE)) low = middle + 1;
    else high = middle;
  }
  return low * MFR_PAGE;
}

// Brings pages [low, high) of `from` to `to`; those that are the same already are left alone.
static void bring(u64 shadow, u64 to, u64 from, u64 low, u64 high) {
  for (u64 at = low; at < high;) {
    u64 n = min64(high - at, CHUNK * MFR_PAGE);
    int all = SYS3(madvise, shadow + at, n, MADV_POPULATE_READ) == 0;
    for (u64 end = at + n; at < end; at += MFR_PAGE) {
      if (!all && there(shadow + at) != 1) continue;
      u64 *p = (u64 *)(to + at);
      const u64 *q = (const u64 *)(from + at);
      if (!page_same(p, q)) memcpy(p, q, MFR_PAGE);
    }
  }
}
// A fresh copy: pages of zeros stay unused.
static void copy_fresh(const struct mfr_mapping *m, u64 low, u64 high) {
  for (u64 at = low; at < high;) {
    u64 n = min64(high - at, CHUNK * MFR_PAGE);
    int all = SYS3(madvise, m->shadow + at, n, MADV_POPULATE_READ) == 0;
    for (u64 end = at + n; at < end; at += MFR_PAGE) {
      if (!all && there(m->shadow + at) != 1) continue;
      const u64 *q = (const u64 *)(m->shadow + at);
      if (!page_zero(q)) memcpy((void *)(m->start + at), q, MFR_PAGE);
    }
  }
}

// ---- the table ---------------------------------------------------------------------------------------
int mfr_mapping_touched(u64 start, u64 bytes) {
  if (likely(!mfr_self.mappings)) return 0;
  FOR_EACH(m) if (overlaps(m, start, start + up(bytes))) return 1;
  return 0;
}
static int is_me(u32 owner) { return owner == (mfr_self.me->generation << 8 | (mfr_self.index + 1)); }
void mfr_mapping_own(void) {
  mfr_store_release32(&mfr_self.h->map_owner, mfr_self.me->generation << 8 | (mfr_self.index + 1));
  mfr_self.map_leading = 1;
}
static void disown(void) {
  struct mfr_header *h = mfr_self.h;
  mfr_self.map_leading = 0;
  if (!is_me(mfr_load_relaxed32(&h->map_owner))) return;
  mfr_store_release32(&h->map_owner, 0); // pairs with mfr_mapping_lead
  mfr_futex_wake(&h->map_owner);
}

struct mfr_mapping *mfr_mapping_add(void) {
  if (mfr_self.mappings == MFR_MAPPINGS) mfr_useless(); // SPARE is for this
  return &mfr_mapping_table[mfr_self.mappings++ % MFR_MAPPINGS];
}
void mfr_mapping_remove(struct mfr_mapping *m) { *m = mfr_mapping_table[--mfr_self.mappings]; }
// Makes `at` a border between two entries.
void mfr_mapping_split(u64 at) {
  u32 n = mfr_self.mappings;
  for (u32 i = 0; i < n; i++) {
    struct mfr_mapping *m = &mfr_mapping_table[i];
    if (m->start >= at || at >= m->end) continue;
    struct mfr_mapping *rest = mfr_mapping_add();
    u64 first = at - m->start;
    *rest = *m;
    rest->start = at;
    if (rest->shadow) rest->shadow += first;
    rest->off += first;
    rest->valid = m->valid > first ? m->valid - first : 0;
    m->end = at;
    m->valid = min64(m->valid, first);
  }
}
void mfr_mapping_cut(u64 start, u64 end) {
  if (!mfr_mapping_touched(start, end - start)) return;
  mfr_mapping_split(start);
  mfr_mapping_split(end);
  for (u32 i = 0; i < mfr_self.mappings;) {
    struct mfr_mapping *m = &mfr_mapping_table[i];
    if (m->start < start || m->end > end) {
      i++;
      continue;
    }
    if (m->shadow) SYS2(munmap, m->shadow, m->end - m->start);
    mfr_mapping_remove(m);
  }
}
// After each change of the table.
void mfr_mapping_recount(void) {
  u32 n = 0;
  FOR_EACH(m) n += m->shadow != 0;
  mfr_self.map_files = n;
  if (!n && mfr_self.map_leading) disown();
}
static int follows(const struct mfr_mapping *m, const struct mfr_mapping *n) {
  if (m->end != n->start || m->prot != n->prot || !m->shadow != !n->shadow) return 0;
  u64 bytes = m->end - m->start;
  return !m->shadow || (m->shadow + bytes == n->shadow && m->ino == n->ino && m->dev == n->dev &&
                        m->off + bytes == n->off && (m->valid == bytes || n->valid == 0));
}
void mfr_mapping_join(void) {
  for (u32 i = 0; i < mfr_self.mappings; i++)
    for (u32 k = 0; k < mfr_self.mappings; k++)
      if (i != k && follows(&mfr_mapping_table[i], &mfr_mapping_table[k])) {
        mfr_mapping_table[i].valid += mfr_mapping_table[k].valid;
        mfr_mapping_table[i].end = mfr_mapping_table[k].end;
        mfr_mapping_remove(&mfr_mapping_table[k]);
        i = k = (u32)-1; // from the beginning
        break;
      }
}
// Another mapping of the same part of a file: what is stored through one shows in the other.
int mfr_mapping_doubled(u64 dev, u64 ino, u64 off, u64 bytes, u32 prot) {
  FOR_EACH(m)
    if (m->shadow && m->dev == dev && m->ino == ino && m->off < off + bytes && off < m->off + (m->end - m->start) &&
        ((m->prot | prot) & PROT_WRITE))
      return 1;
  return 0;
}

// Alone, and for good: memory that others are to see is shared from now on.
void mfr_mapping_open(void) {
  FOR_EACH(m) {
    if (m->shadow) continue;
    u64 bytes = m->end - m->start;
    long at = SYS6(mmap, 0, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (is_error(at)) continue;
    protect(m->start, bytes, m->prot | PROT_READ);
    for (u64 k = 0; k < bytes; k += MFR_PAGE)
      if (!page_zero((const u64 *)(m->start + k))) memcpy((u8 *)at + k, (const u8 *)m->start + k, MFR_PAGE);
    protect((u64)at, bytes, m->prot);
    SYS5(mremap, at, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, m->start);
  }
  mfr_self.mappings = mfr_self.map_files = 0;
  mfr_self.map_open = 1;
}
void mfr_mapping_give_up(const char *reason) {
  mfr_collapse(reason, 1);
  mfr_mapping_open();
}
void mfr_mapping_fork(u64 flags) {
  if (mfr_self.mappings && !(flags & 0x4000 /* CLONE_VFORK: it only executes */))
    mfr_mapping_give_up("shares writable memory with a child");
}

// ---- who has the file ----------------------------------------------------------------------------------
void mfr_mapping_copy(struct mfr_mapping *m) {
  u64 bytes = m->end - m->start;
  m->valid = file_end(m);
  if (m->valid) {
    anonymous(m->start, m->valid);
    copy_fresh(m, 0, m->valid);
    protect(m->start, m->valid, m->prot);
  }
  void_at(m->start + m->valid, bytes - m->valid, m->prot);
}

// Follower: its copy, and the shadow, are where and as long as the leader's mapping is now.
void mfr_mapping_move(struct mfr_mapping *m, u64 to, u64 new, u64 shadow, int replaces) {
  u64 from = m->start, old = m->end - from, valid = min64(m->valid, new);
  if (new != old) {
    int moves = shadow != m->shadow;
    long s = SYS5(mremap, m->shadow, old, new, moves ? MREMAP_MAYMOVE | MREMAP_FIXED : 0, moves ? shadow : 0);
    if (s != (long)shadow) mfr_useless();
  }
  m->shadow = shadow;
  m->start = to;
  m->end = m->start + new;
  if (m->start != from) {
    long fixed = replaces ? MAP_FIXED : MAP_FIXED_NOREPLACE;
    long r = SYS6(mmap, m->start, new, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | fixed, -1, 0);
    if (r != (long)to) mfr_useless();
    protect(from, valid, m->prot | PROT_READ);
    for (u64 at = 0; at < valid; at += MFR_PAGE)
      if (!page_zero((const u64 *)(from + at))) memcpy((u8 *)m->start + at, (const u8 *)from + at, MFR_PAGE);
    protect(m->start, valid, m->prot);
    SYS2(munmap, from, old);
  } else if (new < old) {
    SYS2(munmap, from + new, old - new);
  }
  m->valid = valid;
  u64 now = new > old ? file_end(m) : valid;
  if (now > valid) {
    anonymous(m->start + valid, now - valid);
    copy_fresh(m, valid, now);
    protect(m->start + valid, now - valid, m->prot);
  }
  void_at(m->start + now, new - now, m->prot);
  m->valid = now;
}

// Leader, between two slots: what is in the file now is what this replica has seen and stored.
void mfr_mapping_yield(void) {
  FOR_EACH(m) if (m->shadow) mfr_mapping_copy(m);
  disown();
}

static int is_alive(u32 owner) {
  u32 index = (owner & 0xff) - 1;
  if (!owner || index >= MFR_MAX_REPLICAS) return 0;
  if (!(mfr_load_acquire32(&mfr_self.h->live) & 1u << index)) return 0;
  return (mfr_replica_at(mfr_self.base, index)->generation & 0xffffff) == owner >> 8;
}

static void take_file(void) {
  FOR_EACH(m) {
    if (!m->shadow) continue;
    u64 bytes = m->end - m->start, valid = m->valid;
    // What others have stored there is not put back: the guest's own stores come once more.
    if (!mfr_load_acquire32(&mfr_self.h->map_foreign)) {
      u64 end = file_end(m);
      protect(m->start, valid, PROT_READ);
      protect(m->shadow, bytes, PROT_READ | PROT_WRITE);
      bring(m->shadow, m->shadow, m->start, 0, min64(valid, end));
      protect(m->shadow, bytes, PROT_READ);
    }
    shadow_at(m->shadow, m->start, bytes, m->prot);
  }
}

// Comes to an empty slot with the grant. 1: the file is this replica's; 0: the one before has still got it, or the
// lane has changed.
int mfr_mapping_lead(void) {
  struct mfr_header *h = mfr_self.h;
  static u32 giving_up;
  if (likely(mfr_self.map_leading)) {
    if (likely(!mfr_load_relaxed32(&h->map_foreign)) || giving_up) return 1;
    giving_up = 1;
    mfr_mapping_give_up(reason_foreign);
    giving_up = 0;
    return 0;
  }
  u32 owner = mfr_load_acquire32(&h->map_owner); // pairs with disown
  if (!is_me(owner) && is_alive(owner)) {
    struct mfr_timespec t = {0, 5000000}; // it may die instead
    mfr_futex_wait(&h->map_owner, owner, &t);
    return 0;
  }
  mfr_mapping_own();
  // The others may still have to take over what a dead leader's last call has put into the file.
  if (mfr_self.seq) mfr_rendezvous(mfr_self.seq - 1);
  take_file();
  return 1;
}

// ---- calls that change a mapped file ---------------------------------------------------------------------
static u64 changed[18]; // struct stat

static long stat_of(const struct mfr_call *c) {
  switch (c->nr) {
  case __NR_write:
  case __NR_pwrite64:
  case __NR_writev:
  case __NR_pwritev:
  case __NR_pwritev2:
  case __NR_ftruncate:
  case __NR_fallocate:
  case __NR_sendfile:
    return SYS2(fstat, c->a[0], changed);
  case __NR_ioctl: // FICLONE, FICLONERANGE
    return (u32)c->a[1] == 0x40049409u || (u32)c->a[1] == 0x4020940du ? SYS2(fstat, c->a[0], changed) : -1;
  case __NR_copy_file_range:
  case __NR_splice:
    return SYS2(fstat, c->a[2], changed);
  case __NR_truncate:
    return SYS2(stat, c->a[0], changed);
  case __NR_open:
    return c->a[1] & 01000 /* O_TRUNC */ ? SYS2(stat, c->a[0], changed) : -1;
  case __NR_creat:
    return SYS2(stat, c->a[0], changed);
  case __NR_openat:
    return c->a[2] & 01000 ? SYS4(newfstatat, c->a[0], c->a[1], changed, 0) : -1;
  default:
    return -1;
  }
}
static int is_mapped(void) {
  FOR_EACH(m) if (m->shadow && m->dev == changed[STAT_DEV] && m->ino == changed[STAT_INO]) return 1;
  return 0;
}
// Leader, before the call: whether it changes a file that followers have a copy of.
int mfr_mapping_changes(const struct mfr_call *c) { return stat_of(c) == 0 && is_mapped(); }

// Bytes of the file that the call has written; all of it when that is not plain. The leader waits meanwhile.
static void span(const struct mfr_call *c, long result, u64 *low, u64 *high) {
  *low = 0, *high = ~0ull;
  if (c->nr == __NR_pwrite64 || c->nr == __NR_pwritev) {
    *low = (u64)c->a[3];
    *high = *low + (u64)result;
  } else if (c->nr == __NR_write || c->nr == __NR_writev) {
    long at = SYS3(lseek, c->a[0], 0, 1);
    if (at < result) return;
    *high = (u64)at;
    *low = (u64)(at - result);
  }
}
static void refresh(struct mfr_mapping *m, u64 low, u64 high) {
  u64 was = m->valid, bytes = m->end - m->start;
  u64 now = file_end(m);
  if (now > was) {
    anonymous(m->start + was, now - was);
    copy_fresh(m, was, now);
    protect(m->start + was, now - was, m->prot);
  } else if (now < was) {
    void_at(m->start + now, was - now, m->prot);
  }
  m->valid = now;
  low = low > m->off ? low - m->off : 0;
  high = high > m->off ? min64(high - m->off, bytes) : 0;
  low &= ~(u64)(MFR_PAGE - 1);
  high = min64(up(high), min64(was, now));
  if (low >= high) return;
  if (~m->prot & (PROT_READ | PROT_WRITE)) protect(m->start, now, PROT_READ | PROT_WRITE);
  bring(m->shadow, m->start, m->shadow, low, high);
  if (~m->prot & (PROT_READ | PROT_WRITE)) protect(m->start, now, m->prot);
}
// Follower, at a slot whose call has changed a mapped file: so is its copy.
void mfr_mapping_refresh(const struct mfr_call *c, long result) {
  if (result < 0 || !mfr_self.mappings || mfr_self.map_leading) return;
  u64 low, high;
  if (stat_of(c) != 0) return;
  span(c, result, &low, &high);
  FOR_EACH(m)
    if (m->shadow && m->dev == changed[STAT_DEV] && m->ino == changed[STAT_INO]) refresh(m, low, high);
}
