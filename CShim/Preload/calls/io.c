// calls/io.c - reads of more bytes than a slot holds. A pipe or a socket may give less than was asked for; a
// file gives all of it, and programs rely on that: several slots are then one call.
#include "../shim.h"

#define MOST 0x7ffff000u // MAX_RW_COUNT: what one call of the kernel moves
#define MOST_IOVECS 1024u

static u64 vector_bytes(const struct mfr_call *c) {
  u64 n = 0;
  if (MFR_TRY()) {
    const struct mfr_iovec *v = (const struct mfr_iovec *)c->a[1];
    for (u64 i = 0; i < (u64)c->a[2] && i < MOST_IOVECS && n < MOST; i++) n += v[i].len < MOST ? v[i].len : MOST;
    MFR_TRY_END();
  } else n = 0;
  return n;
}

// The vector without its first `skip` bytes.
static long rest_of(const struct mfr_call *c, u64 skip, struct mfr_iovec *rest) {
  long n = 0;
  if (MFR_TRY()) {
    const struct mfr_iovec *v = (const struct mfr_iovec *)c->a[1];
    for (u64 i = 0; i < (u64)c->a[2] && i < MOST_IOVECS; i++) {
      u64 gone = skip < v[i].len ? skip : v[i].len;
      skip -= gone;
      if (gone == v[i].len) continue;
      rest[n].base = v[i].base + gone;
      rest[n].len = v[i].len - gone;
      n++;
    }
    MFR_TRY_END();
  } else n = 0;
  return n;
}

// position: index of the offset argument; 0: reads at the file's own offset.
__attribute__((noinline)) static long large(struct mfr_call *c, int vector, u32 position, u64 size) {
  struct mfr_iovec *rest = mfr_self.thread->iov;
  if (size > MOST) size = MOST;
  long r = mfr_shared(c);
  if (r != (long)MFR_CHUNK_MAX || !mfr_is_file(c)) return r;
  u64 done = (u64)r;
  while (done < size) {
    struct mfr_call q = *c;
    q.signo = 0;
    if (vector) {
      q.a[1] = (long)rest;
      q.a[2] = rest_of(c, done, rest);
      if (!q.a[2]) break;
    } else {
      q.a[1] = c->a[1] + (long)done;
      q.a[2] = (long)(size - done);
    }
    if (position && c->a[position] != -1) q.a[position] = c->a[position] + (long)done;
    mfr_self.hold_signals = c->signo != 0; // one signal goes out with a call
    r = mfr_shared(&q);
    mfr_self.hold_signals = 0;
    if (q.signo) c->signo = q.signo, c->info = q.info;
    if (r <= 0) break;
    done += (u64)r;
    if (r < (long)MFR_CHUNK_MAX) break;
  }
  return (long)done;
}

long mfr_call_read(struct mfr_call *c) {
  if (unlikely(mfr_is_signalfd(c->a[0]))) return mfr_signalfd_read(c);
  if (likely((u64)c->a[2] <= MFR_CHUNK_MAX)) return mfr_shared(c);
  return large(c, 0, 0, (u64)c->a[2]);
}
long mfr_call_pread64(struct mfr_call *c) {
  if (likely((u64)c->a[2] <= MFR_CHUNK_MAX)) return mfr_shared(c);
  return large(c, 0, 3, (u64)c->a[2]);
}
static long read_vector(struct mfr_call *c, u32 position) {
  u64 size = vector_bytes(c);
  if (likely(size <= MFR_CHUNK_MAX)) return mfr_shared(c);
  return large(c, 1, position, size);
}
long mfr_call_readv(struct mfr_call *c) {
  if (likely(!mfr_is_signalfd(c->a[0]))) return read_vector(c, 0);
  struct mfr_call q = *c; // into the first piece: fewer signals than there might be
  q.nr = __NR_read;
  if (MFR_TRY()) {
    const struct mfr_iovec *v = (const struct mfr_iovec *)c->a[1];
    q.a[1] = (long)v->base, q.a[2] = c->a[2] > 0 ? (long)v->len : 0;
    MFR_TRY_END();
  } else return -MFR_EFAULT;
  long r = mfr_signalfd_read(&q);
  c->signo = q.signo, c->info = q.info;
  return r;
}
long mfr_call_preadv(struct mfr_call *c) { return read_vector(c, 3); }
long mfr_call_preadv2(struct mfr_call *c) { return read_vector(c, 3); }

long mfr_call_write(struct mfr_call *c) {
  long r = mfr_shared(c);
  if (unlikely(mfr_self.proc_fds) && r > 0) mfr_proc_written(c, r);
  return r;
}
