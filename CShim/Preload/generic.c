// generic.c - calls that their row of the table describes: what it says of the arguments fills in the shape of shared.c.
#include "shim.h"

// ---- what a row says of the arguments --------------------------------------------------------------
#define MAX_OUT 6

struct out_plan {
  u32 arg;       // index of the argument
  u32 kind;
  u64 capacity;  // bytes reserved in the slot
  u32 at;        // offset in the slot's data
};
struct plan {
  const struct mfr_row *row;
  u32 n;
  u64 need;
  struct out_plan out[MAX_OUT];
};

static u64 arg_value(const struct mfr_call *c, u32 i) { return (u64)c->a[i]; }

static u64 iov_total(const struct mfr_iovec *v, u64 n) {
  u64 total = 0;
  for (u64 i = 0; i < n && i < 1024; i++) total += v[i].len;
  return total;
}

// Bytes of memory that the call takes by argument `i`, vectors aside. Runs under MFR_TRY.
static u64 bytes_in(const struct mfr_call *c, const struct mfr_row *row, u32 i) {
  u32 spec = row->arg[i];
  u64 size = MFR_ARG_SIZE(spec), ref = arg_value(c, MFR_ARG_REF(spec) % 6);
  switch (MFR_ARG_KIND(spec)) {
  case ARG_STR:
  case ARG_PATH:
    return mfr_strlen((const char *)c->a[i]);
  case ARG_IN:
  case ARG_INOUT:
    return size;
  case ARG_IN_ARG:
    return ref;
  case ARG_IN_N:
  case ARG_INOUT_N:
    return size * (u32)ref;
  case ARG_LENP:
    return 4;
  default:
    return 0;
  }
}

// Hash of all that the call takes from memory. Runs under MFR_TRY.
static u64 hash_inputs(const struct mfr_call *c, const struct mfr_row *row) {
  u64 h = 0;
  for (u32 i = 0; i < row->arity; i++) {
    u32 spec = row->arg[i];
    const void *p = (const void *)c->a[i];
    if (!p) continue;
    if (MFR_ARG_KIND(spec) == ARG_IOV_IN) {
      const struct mfr_iovec *v = p;
      u64 ref = arg_value(c, MFR_ARG_REF(spec) % 6);
      for (u64 k = 0; k < ref && k < 1024; k++)
        if (v[k].len) h = mfr_hash((const void *)v[k].base, v[k].len, h);
      continue;
    }
    u64 n = bytes_in(c, row, i);
    if (n) h = mfr_hash(p, n, h);
  }
  return h;
}

// Reads a byte of each page that the call was to use: a poisoned page raises its SIGBUS here, in user mode, where
// the kernel only answered EFAULT. Runs under MFR_TRY.
static void touch(const void *p, u64 n) {
  const volatile u8 *b = p;
  for (u64 at = 0; at < n; at += MFR_PAGE) (void)b[at];
  if (n) (void)b[n - 1];
}
void mfr_touch_memory(const struct mfr_call *c, const struct mfr_row *row) {
  for (u32 i = 0; i < row->arity; i++) {
    u32 spec = row->arg[i];
    const void *p = (const void *)c->a[i];
    u64 size = MFR_ARG_SIZE(spec), ref = arg_value(c, MFR_ARG_REF(spec) % 6);
    if (!p) continue;
    switch (MFR_ARG_KIND(spec)) {
    case ARG_PEEK:
    case ARG_OUT:
      touch(p, size);
      break;
    case ARG_OUT_ARG:
    case ARG_OUT_RET:
      touch(p, ref);
      break;
    case ARG_OUT_RETN:
      touch(p, size * (u32)ref);
      break;
    case ARG_IOV_IN: {
      const struct mfr_iovec *v = p;
      for (u64 k = 0; k < ref && k < 1024; k++) touch((const void *)v[k].base, v[k].len);
      break;
    }
    default:
      touch(p, bytes_in(c, row, i));
      break;
    }
  }
}

// Lays the outputs out in the slot. Runs under MFR_TRY (lengths are read from guest memory).
static void make_plan(const struct mfr_call *c, const struct mfr_row *row, struct plan *p) {
  p->n = 0;
  p->need = 0;
  for (u32 i = 0; i < row->arity; i++) {
    u32 spec = row->arg[i], kind = MFR_ARG_KIND(spec);
    u64 size = MFR_ARG_SIZE(spec), ref = arg_value(c, MFR_ARG_REF(spec) % 6), cap = 0;
    if (!c->a[i]) continue;
    switch (kind) {
    case ARG_OUT:
    case ARG_INOUT:
      cap = size;
      break;
    case ARG_OUT_RET:
    case ARG_OUT_ARG:
      cap = ref;
      break;
    case ARG_OUT_RETN:
    case ARG_INOUT_N:
      cap = size * (u32)ref;
      break;
    case ARG_OUT_LEN:
      cap = ref ? *(const u32 *)ref : 0;
      break;
    case ARG_LENP:
      cap = 4;
      break;
    case ARG_IOV_OUT:
      cap = iov_total((const struct mfr_iovec *)c->a[i], ref);
      break;
    default:
      continue;
    }
    if (cap > MFR_CHUNK_MAX) cap = MFR_CHUNK_MAX;
    struct out_plan *o = &p->out[p->n++];
    o->arg = i;
    o->kind = kind;
    o->capacity = cap;
    o->at = (u32)p->need;
    p->need += (cap + 7) & ~7ull;
  }
}

// Bytes that output `o` really has, given the result.
static u64 out_bytes(const struct mfr_call *c, const struct mfr_row *row, const struct out_plan *o,
                     long result, const u8 *data, const struct plan *p) {
  if (o->kind == ARG_OUT_RET || o->kind == ARG_IOV_OUT)
    return result > 0 ? ((u64)result < o->capacity ? (u64)result : o->capacity) : 0;
  if (o->kind == ARG_OUT_RETN) {
    u64 n = result > 0 ? (u64)result * MFR_ARG_SIZE(row->arg[o->arg]) : 0;
    return n < o->capacity ? n : o->capacity;
  }
  if (result < 0 && o->kind != ARG_INOUT && o->kind != ARG_INOUT_N) return 0;
  if (o->kind == ARG_OUT_LEN) {
    u64 lenp = (u64)c->a[MFR_ARG_REF(row->arg[o->arg]) % 6];
    for (u32 k = 0; k < p->n; k++)
      if ((u64)c->a[p->out[k].arg] == lenp && p->out[k].kind == ARG_LENP) {
        u32 len;
        __builtin_memcpy(&len, data + p->out[k].at, 4);
        return len < o->capacity ? len : o->capacity;
      }
    return 0;
  }
  return o->capacity;
}

// Brings the outputs into the guest's memory. Runs under MFR_TRY.
static void copy_out(const struct mfr_call *c, const struct mfr_row *row, const struct plan *p,
                     const u8 *data, long result) {
  for (u32 k = 0; k < p->n; k++) {
    const struct out_plan *o = &p->out[k];
    u64 n = out_bytes(c, row, o, result, data, p);
    const u8 *from = data + o->at;
    if (o->kind != ARG_IOV_OUT) {
      if (n) memcpy((void *)c->a[o->arg], from, n);
      continue;
    }
    const struct mfr_iovec *v = (const struct mfr_iovec *)c->a[o->arg];
    for (u64 i = 0; n; i++) {
      u64 part = v[i].len < n ? v[i].len : n;
      memcpy((void *)v[i].base, from, part);
      from += part;
      n -= part;
    }
  }
}

static u32 data_used(const struct plan *p, const struct mfr_call *c, const struct mfr_row *row,
                     long result, const u8 *data) {
  u32 used = 0;
  for (u32 k = 0; k < p->n; k++) {
    u64 n = out_bytes(c, row, &p->out[k], result, data, p);
    if (n) used = p->out[k].at + (u32)n;
  }
  return (used + 7) & ~7u;
}

// ---- the generic call ----------------------------------------------------------------------------
static u64 generic_prepare(struct mfr_call *c, void *ctx, u64 *hash) {
  struct plan *plan = ctx;
  const struct mfr_row *row = plan->row;
  plan->n = 0;
  plan->need = 0;
  if (MFR_TRY()) {
    make_plan(c, row, plan);
    *hash = hash_inputs(c, row);
    MFR_TRY_END();
  } else {
    plan->n = 0; // a bad address: the kernel says which error that is
    plan->need = 0;
  }
  return plan->need;
}

// "123/…" with the guest's pid or the id of one of its threads: what follows.
static const char *own_id(const char *s, i32 *tid) {
  u64 id = 0;
  if (*s < '1' || *s > '9') return NULL;
  while (*s >= '0' && *s <= '9' && id < 1u << 30) id = id * 10 + (u64)(*s++ - '0');
  if ((*s != '/' && *s) || !mfr_is_own_id((i32)id)) return NULL;
  *tid = (i32)id;
  return s;
}
const char *mfr_own_proc(const char *s, i32 *thread) {
  const char *rest = NULL, *behind;
  i32 tid = 0;
  *thread = 0;
  if (!mfr_streq_prefix(s, "/proc/")) return NULL;
  s += 6;
  if (mfr_streq_prefix(s, "self") && (s[4] == '/' || s[4] == 0)) rest = s + 4;
  else if (mfr_streq_prefix(s, "thread-self") && (s[11] == '/' || s[11] == 0)) rest = s + 11, *thread = mfr_self.thread->tid;
  else if ((rest = own_id(s, &tid)) && tid != mfr_self.vpid) *thread = tid;
  if (!rest || *thread || !mfr_streq_prefix(rest, "/task/")) return rest;
  behind = own_id(rest + 6, &tid);
  if (behind) *thread = tid;
  return behind ? behind : rest;
}
static int names_own_proc(const char *s, char *out, u64 size) {
  int ours = 0;
  if (MFR_TRY()) {
    i32 thread;
    const char *rest = mfr_own_proc(s, &thread);
    if (rest) {
      const char *to = thread ? "/proc/thread-self" : "/proc/self";
      u64 len = mfr_strlen(rest), n = mfr_strlen(to);
      if (len + n < size) {
        memcpy(out, to, n);
        memcpy(out + n, rest, len + 1);
        ours = 1;
      }
    }
    MFR_TRY_END();
  } else ours = 0;
  return ours;
}

// A call that does not wait. A file gives all that is asked for. Less, up to the end of a page of the buffer: perhaps the
// next page of it is broken. Then it is replaced now, what lies before it stays, and the rest is read. Or the file ends
// there: no harm is done.
static long made(u32 nr, const long *a, const u8 *data) {
  long done = mfr_gate(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
  if (likely(!data || done <= 0 || (nr != __NR_read && nr != __NR_pread64) || done >= a[2] ||
             ((u64)a[1] + (u64)done) % MFR_PAGE))
    return done;
  struct mfr_claim *claim = &mfr_self.claim;
  u32 need = claim->need;
  claim->need = (u32)((u64)a[1] + (u64)done - (u64)data); // as far as it is there: nothing of the call is in that page
  (void)*(const volatile u8 *)(a[1] + done);
  claim->need = need;
  long more = mfr_gate(nr, a[0], a[1] + done, a[2] - done, a[3] + done, 0, 0);
  return more > 0 ? done + more : done;
}

static long generic_produce(struct mfr_call *c, void *ctx, struct mfr_turn *t, u8 *data) {
  struct plan *plan = ctx;
  const struct mfr_row *row = plan->row;
  long a[6], result;
  struct mfr_iovec one;
  char path[256];
  __builtin_memcpy(a, c->a, sizeof a);
  for (u32 i = 0; i < row->arity; i++) {
    u32 kind = MFR_ARG_KIND(row->arg[i]);
    // The guest's own pid names the anchor to the kernel: say "the caller" instead.
    if (kind == ARG_PID && mfr_is_own_id((i32)a[i])) a[i] = 0;
    if (kind == ARG_PATH && a[i] && names_own_proc((const char *)a[i], path, sizeof path)) a[i] = (long)path;
  }
  for (u32 k = 0; data && k < plan->n; k++) {
    struct out_plan *o = &plan->out[k];
    u64 from = (u64)c->a[o->arg];
    if (from < 0x10000 || from >= 0x800000000000ull) continue; // let the kernel say EFAULT
    if (o->kind == ARG_INOUT || o->kind == ARG_INOUT_N || o->kind == ARG_LENP) {
      int readable = 0;
      if (MFR_TRY()) {
        memcpy(data + o->at, (const void *)from, o->capacity);
        MFR_TRY_END();
        readable = 1;
      }
      if (!readable) continue;
    }
    u32 ref = MFR_ARG_REF(row->arg[o->arg]);
    if (o->kind == ARG_IOV_OUT) {
      one.base = (u64)(data + o->at);
      one.len = o->capacity;
      a[o->arg] = (long)&one;
      a[ref] = 1;
      continue;
    }
    if ((o->kind == ARG_OUT_RET || o->kind == ARG_OUT_ARG) && (u64)a[ref] > o->capacity)
      a[ref] = (long)o->capacity;
    a[o->arg] = (long)(data + o->at);
  }
  if (!(row->flags & BLOCKS)) return made(c->nr, a, data);
  int joiner = 0;
  if (MFR_ARG_KIND(row->arg[0]) == ARG_FD && unlikely(mfr_is_terminal(c->a[0])) &&
      ((row->commit >= COUNT_IN && row->commit <= COUNT_RW) || c->nr == __NR_ioctl)) {
    long turn = mfr_terminal_turn(c, row->commit == COUNT_IN);
    if (turn) return turn;
  }
  // A read of a file is never interrupted, one of a descriptor that does not block neither.
  if (row->commit >= COUNT_IN && row->commit <= COUNT_RW && mfr_never_waits(c->a[0])) {
    result = made(c->nr, a, data);
    if (likely(result != -MFR_EINTR)) return result; // somebody else has made it block
  }
  if (!data) return mfr_blocking_step(NULL, c->nr, a, &joiner);
  int on_fd = MFR_ARG_KIND(row->arg[0]) == ARG_FD, writing = row->commit == COUNT_OUT || row->commit == COUNT_RW;
  result = mfr_blocking(on_fd && !mfr_may_sleep(c->a[0], writing) ? NULL : t, c->nr, a, &joiner);
  return joiner ? MFR_AGAIN : result;
}

static u32 generic_used(struct mfr_call *c, void *ctx, const u8 *data, long result) {
  return data_used(ctx, c, ((struct plan *)ctx)->row, result, data);
}

static void generic_consume(struct mfr_call *c, void *ctx, const u8 *data, long result) {
  struct plan *plan = ctx;
  if (plan->n && result != -MFR_EFAULT) copy_out(c, plan->row, plan, data, result);
}

static const struct mfr_shape generic_shape = {
    generic_prepare, generic_produce, generic_used, generic_consume, NULL};

struct mfr_iovec *mfr_iov_rest(const struct mfr_iovec *v, u64 *n, u64 done) {
  struct mfr_iovec *iov_rest = mfr_self.thread->iov; // a thread may be put off in the midst of its call
  u64 k = 0;
  for (u64 i = 0; i < *n && i < 1024; i++) {
    u64 skip = done < v[i].len ? done : v[i].len;
    done -= skip;
    if (v[i].len > skip) iov_rest[k++] = (struct mfr_iovec){v[i].base + skip, v[i].len - skip};
  }
  *n = k;
  return iov_rest;
}

static long file_produce(struct mfr_call *c, void *ctx, struct mfr_turn *t, u8 *data) {
  (void)ctx, (void)t, (void)data;
  static u64 st[18];
  if (SYS2(fstat, c->a[0], st) < 0) return 0;
  u32 type = (u32)st[3] & 0170000; // st_mode follows nlink at byte 24
  int memory = type == 0020000 && (st[5] >> 8 & 0xfff) == 1; // /dev/zero and its like
  return type == 0100000 || type == 0060000 || memory;
}
static const struct mfr_shape file_shape = {mfr_no_prepare, file_produce, mfr_no_used, mfr_no_consume, NULL};

// Asked in the lane: a descriptor's file is one and the same for all replicas only at the same slot.
int mfr_is_file(const struct mfr_call *c) {
  struct mfr_call q = *c;
  q.nr = __NR_fstat;
  struct mfr_row row = mfr_rows[q.nr];
  row.arity = 1;
  u32 held = mfr_self.hold_signals;
  mfr_self.hold_signals = 1; // one that came with this call would be nobody's
  long r = mfr_lane_call_as(&q, &row, &file_shape, NULL);
  mfr_self.hold_signals = held;
  return r == 1;
}

// The arguments for what is left of a call that moves bytes; 0: it was all, or this is none of those that go on.
static int rest_of(const struct mfr_call *c, u64 done, struct mfr_call *rest) {
  u64 total = 0, n = (u64)c->a[2];
  *rest = *c;
  switch (c->nr) {
  case __NR_pread64: case __NR_pwrite64:
    rest->a[3] = c->a[3] + (long)done;
    __attribute__((fallthrough));
  case __NR_read: case __NR_write:
    total = n;
    rest->a[1] = c->a[1] + (long)done, rest->a[2] = (long)(n - done);
    break;
  case __NR_sendfile: // its offset, or the file's, has moved on
    total = (u64)c->a[3];
    rest->a[3] = (long)(total - done);
    break;
  case __NR_preadv: case __NR_preadv2: case __NR_pwritev: case __NR_pwritev2:
    if (c->a[3] != -1) rest->a[3] = c->a[3] + (long)done;
    __attribute__((fallthrough));
  case __NR_readv: case __NR_writev:
    if (MFR_TRY()) {
      total = iov_total((const struct mfr_iovec *)c->a[1], n);
      if (done < total) rest->a[1] = (long)mfr_iov_rest((const struct mfr_iovec *)c->a[1], &n, done);
      rest->a[2] = (long)n;
      MFR_TRY_END();
    } else total = 0;
    break;
  default:
    break;
  }
  return done < total;
}

long mfr_shared_as(struct mfr_call *c, const struct mfr_row *row) {
  struct plan plan;
  plan.row = row;
  plan.n = 0;
  plan.need = 0;
  long r = mfr_lane_call_as(c, row, &generic_shape, &plan);
  struct mfr_call rest;
  int reads = row->commit == COUNT_IN;
  while (unlikely(r > 0 && c->kicked) && (reads || !c->signo) && rest_of(c, (u64)r, &rest)) {
    // What is there may be all of a pipe. A file gives what is asked for, signal or not, unless a kill cuts it short (Linux:
    // filemap_get_pages).
    if (reads && !mfr_is_file(c)) break;
    plan.n = 0;
    plan.need = 0;
    u32 held = mfr_self.hold_signals;
    if (c->signo) mfr_self.hold_signals = 1; // one goes out with a call
    rest.signo = 0;
    long more = mfr_lane_call_as(&rest, row, &generic_shape, &plan);
    mfr_self.hold_signals = held;
    if (rest.signo) c->signo = rest.signo, c->info = rest.info;
    c->kicked = rest.kicked;
    if (more <= 0) break;
    r += more;
  }
  return r;
}
long mfr_shared(struct mfr_call *c) { return mfr_shared_as(c, &mfr_rows[c->nr]); }

// ---- calls without a slot ------------------------------------------------------------------------
long mfr_local(struct mfr_call *c) {
  if (unlikely(mfr_has_requests())) {
    mfr_serve_requests();
    mfr_self.became_joiner = 0;
  }
  const struct mfr_row *row = &mfr_rows[c->nr];
  long a[6];
  __builtin_memcpy(a, c->a, sizeof a);
  for (u32 i = 0; i < row->arity; i++)
    if (MFR_ARG_KIND(row->arg[i]) == ARG_PID && mfr_is_own_id((i32)a[i])) a[i] = 0;
  long r = mfr_gate(c->nr, a[0], a[1], a[2], a[3], a[4], a[5]);
  if (unlikely(r == -MFR_EFAULT) && MFR_TRY()) {
    mfr_touch_memory(c, row);
    MFR_TRY_END();
  }
  if (unlikely(row->flags & CREDS)) mfr_end_with_anchor();
  return r;
}

long mfr_refused(struct mfr_call *c) {
  (void)c;
  return -MFR_ENOSYS;
}
