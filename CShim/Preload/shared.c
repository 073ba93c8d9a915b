// shared.c - one shape for every shared call: claim, carry out or take over, copy out.
//
// The generic call knows its arguments from the table. The leader lets the kernel write outputs
// into the slot's data, so that they outlive it; then leader and followers alike copy them to the
// guest. Calls that a table line cannot describe use mfr_custom_call with the same shape.
#include "shim.h"

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

u64 mfr_identity(const struct mfr_call *c, const struct mfr_row *row) {
  u64 h = c->nr;
  for (u32 i = 0; i < row->arity; i++) {
    u32 kind = MFR_ARG_KIND(row->arg[i]);
    if (kind == ARG_SKIP || kind == ARG_PEEK) continue;
    int narrow = kind == ARG_INT || kind == ARG_FD || kind == ARG_PID;
    h = mfr_mix(h, narrow ? (u32)c->a[i] : (u64)c->a[i]);
  }
  return h;
}

// Hash of all that the call takes from memory. Runs under MFR_TRY.
static u64 hash_inputs(const struct mfr_call *c, const struct mfr_row *row) {
  u64 h = 0;
  for (u32 i = 0; i < row->arity; i++) {
    u32 spec = row->arg[i];
    const void *p = (const void *)c->a[i];
    u64 size = MFR_ARG_SIZE(spec), ref = arg_value(c, MFR_ARG_REF(spec) % 6);
    if (!p) continue;
    switch (MFR_ARG_KIND(spec)) {
    case ARG_STR:
    case ARG_PATH:
      h = mfr_hash(p, mfr_strlen(p), h);
      break;
    case ARG_IN:
    case ARG_INOUT:
      h = mfr_hash(p, size, h);
      break;
    case ARG_IN_ARG:
      h = mfr_hash(p, ref, h);
      break;
    case ARG_IN_N:
    case ARG_INOUT_N:
      h = mfr_hash(p, size * (u32)ref, h);
      break;
    case ARG_LENP:
      h = mfr_hash(p, 4, h);
      break;
    case ARG_IOV_IN: {
      const struct mfr_iovec *v = p;
      for (u64 k = 0; k < ref && k < 1024; k++)
        if (v[k].len) h = mfr_hash((const void *)v[k].base, v[k].len, h);
      break;
    }
    default:
      break;
    }
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
static void touch_memory(const struct mfr_call *c, const struct mfr_row *row) {
  for (u32 i = 0; i < row->arity; i++) {
    u32 spec = row->arg[i];
    const void *p = (const void *)c->a[i];
    u64 size = MFR_ARG_SIZE(spec), ref = arg_value(c, MFR_ARG_REF(spec) % 6);
    if (!p) continue;
    switch (MFR_ARG_KIND(spec)) {
    case ARG_STR:
    case ARG_PATH:
      (void)mfr_strlen(p);
      break;
    case ARG_IN:
    case ARG_INOUT:
    case ARG_PEEK:
    case ARG_OUT:
      touch(p, size);
      break;
    case ARG_IN_ARG:
    case ARG_OUT_ARG:
    case ARG_OUT_RET:
      touch(p, ref);
      break;
    case ARG_IN_N:
    case ARG_INOUT_N:
    case ARG_OUT_RETN:
      touch(p, size * (u32)ref);
      break;
    case ARG_IOV_IN: {
      const struct mfr_iovec *v = p;
      for (u64 k = 0; k < ref && k < 1024; k++) touch((const void *)v[k].base, v[k].len);
      break;
    }
    default:
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

i64 mfr_bytes_result(long result) { return result > 0 ? result : 0; }
static i64 in_bytes_of(u32 commit, long r) {
  return commit == COUNT_IN || commit == COUNT_RW ? mfr_bytes_result(r) : 0;
}
static i64 out_bytes_of(u32 commit, long r) {
  return commit == COUNT_OUT || commit == COUNT_RW ? mfr_bytes_result(r) : 0;
}

// A signal that goes out with this slot: its siginfo follows the data.
u32 mfr_attach_signal(struct mfr_turn *t, struct mfr_call *c, u32 *data_len, u32 *flags) {
  if (likely(!mfr_deliverable()) || mfr_self.hold_signals) return 0;
  u32 ticket, signo = mfr_take_signal(&c->info, &ticket);
  if (!signo) return 0;
  c->info.pad = (i32)ticket; // the padding says which posting this was
  memcpy(t->data + *data_len, &c->info, sizeof c->info);
  *data_len += sizeof c->info;
  *flags |= MFR_SLOT_SIGNAL;
  return signo;
}

// Follower: the signal that came with the slot.
void mfr_slot_signal(struct mfr_turn *t, struct mfr_call *c) {
  const struct mfr_slot *slot = t->slot;
  if (likely(!(slot->flags & MFR_SLOT_SIGNAL))) return;
  c->signo = slot->signo;
  memcpy(&c->info, mfr_data_at(mfr_self.base, slot->data_off) + slot->data_len - sizeof c->info, sizeof c->info);
}

static int is_async(const struct mfr_turn *t) {
  return mfr_word_nr(mfr_load_relaxed64(&t->slot->word)) == __NR_restart_syscall && (t->slot->flags & MFR_SLOT_ASYNC);
}
static int wants_async(const struct mfr_call *c) { return c->nr == __NR_restart_syscall && c->a[0] == 1; }
// Follower at a call: the leader took a signal between this call and the one before. 1: that slot is passed, and
// unless it is too late for that, the call is to be left and made anew after the signal (mfr_self.rerun).
int mfr_pass_point(struct mfr_turn *t, struct mfr_call *c) {
  if (likely(!is_async(t)) || wants_async(c)) return 0;
  mfr_slot_signal(t, c);
  mfr_lane_pass(t);
  mfr_self.rerun = mfr_self.may_rerun;
  return 1;
}

// Alone: nobody to publish for. Same order of events as a slot would give.
void mfr_solo_signal(struct mfr_call *c) {
  u32 ticket;
  if (likely(!mfr_deliverable()) || mfr_self.hold_signals || !(c->signo = mfr_take_signal(&c->info, &ticket))) return;
  c->info.pad = (i32)ticket;
}

#define SIGNAL_ROOM ((u64)sizeof(struct mfr_siginfo) + 8)

static void drop_sigpipe(long result) {
  // A write that raised SIGPIPE left it pending in this replica only; it belongs to the slot.
  if (result != -32) return;
  u64 set = SIG_BIT(MFR_SIGPIPE);
  struct mfr_timespec zero = {0, 0};
  struct mfr_siginfo info;
  if (SYS4(rt_sigtimedwait, &set, &info, &zero, 8) == MFR_SIGPIPE)
    (void)mfr_raise_self_in_lane(MFR_SIGPIPE, &info);
}

// A call that moved something, and was interrupted by a kick perhaps: the guest has had no signal, and would not
// understand why a descriptor that blocks took less than all.
static u32 cut_short(const struct mfr_row *row, long result) {
  if (likely(!mfr_kicked) || !(row->flags & BLOCKS)) return 0;
  mfr_kicked = 0;
  return result > 0;
}

// ---- the one shape -------------------------------------------------------------------------------
long mfr_lane_call_as(struct mfr_call *c, const struct mfr_row *row, const struct mfr_shape *k,
                      void *ctx) {
  struct mfr_turn t;
  long result;
  if (unlikely(mfr_self.rerun)) return -MFR_EINTR;
again:;
  u64 need = 0;
  t.identity = t.out_hash = 0;
  t.data = NULL;
  int prepared = 0;
  if (!mfr_alone() ||
      mfr_word_is_seq(mfr_load_acquire64(&mfr_slot_at(mfr_self.base, mfr_self.seq)->word),
                      mfr_self.seq)) {
  prepare:
    prepared = 1;
    t.identity = mfr_identity(c, row);
    need = k->prepare(c, ctx, &t.out_hash);
  }
  enum mfr_role role = mfr_lane_enter(&t, c->nr, need + SIGNAL_ROOM);
  if (role == MFR_ROLE_SOLO) {
    mfr_self.may_rerun = 0;
    result = k->produce(c, ctx, &t, NULL);
    if (unlikely(result == MFR_AGAIN)) { // served a request inside: perhaps no longer alone
      mfr_self.became_joiner = 0;
      goto again;
    }
    if (row->commit == COUNT_IN || row->commit == COUNT_RW)
      mfr_self.me->in_sum += (u64)in_bytes_of(row->commit, result);
    if (row->commit == COUNT_OUT || row->commit == COUNT_RW)
      mfr_self.me->out_sum += (u64)out_bytes_of(row->commit, result);
    mfr_track(c, row, result, NULL);
    mfr_lane_solo_done();
    c->kicked = cut_short(row, result);
    drop_sigpipe(result);
    if (k->finish) result = k->finish(c, ctx, result);
    mfr_solo_signal(c);
    return result;
  }
  if (unlikely(!prepared)) {
    if (role == MFR_ROLE_LEAD) // claimed without knowing what: cannot happen, a claim needs company
      mfr_store_release64(&t.slot->word, 0);
    goto prepare;
  }
  if (role == MFR_ROLE_FOLLOW) {
    if (unlikely(mfr_pass_point(&t, c))) {
      if (mfr_self.rerun) return -MFR_EINTR;
      goto again; // too late to take it first
    }
    // At a point to which it was called from the guest's code: somebody else led, and took no signal here.
    if (unlikely(wants_async(c)) && !is_async(&t)) return -MFR_EINTR;
  }
  mfr_self.may_rerun = 0;
  if (role == MFR_ROLE_LEAD) {
    int happened = 0;
    // Whoever died in this slot may have been at a signal point, or not have come as far as the call.
    if (t.retry && t.slot->identity != t.identity) t.retry = 0;
    if (t.retry) {
      u64 note;
      __builtin_memcpy(&note, t.slot->inline_data, 8);
      happened = mfr_look_first(c, row, t.data, note, &result);
    } else if (row->commit >= POSITION) {
      u64 note = mfr_note_before(c, row);
      __builtin_memcpy(t.slot->inline_data, &note, 8);
    }
    if (!happened) {
      if ((row->flags & CLOSES) && mfr_self.mmap_seq) mfr_rendezvous(mfr_self.mmap_seq);
      // Settlement reads the slot's data by these rules: what an older lap left there must not count.
      if (row->commit == RECORD || row->commit == CHILD) memset(t.data, 0, 8);
      mfr_lane_begin(&t);
      result = k->produce(c, ctx, &t, t.data);
      if (unlikely(result == MFR_AGAIN)) { // became a joiner: the donor holds the claim
        mfr_self.became_joiner = 0;
        goto again;
      }
    }
    if (unlikely(result == -MFR_EFAULT) && MFR_TRY()) {
      touch_memory(c, row);
      MFR_TRY_END();
    }
    mfr_track(c, row, result, t.data);
    drop_sigpipe(result);
    u32 len = k->used(c, ctx, t.data, result), flags = unlikely(wants_async(c)) ? MFR_SLOT_ASYNC : 0;
    len = (len + 7) & ~7u;
    u32 signo = mfr_attach_signal(&t, c, &len, &flags);
    c->signo = signo;
    c->kicked = cut_short(row, result);
    if (unlikely(c->kicked)) flags |= MFR_SLOT_KICKED;
    u32 counts = happened ? REPEAT : row->commit;
    mfr_lane_publish(&t, c->nr, result, len, flags, signo, in_bytes_of(counts, result),
                     out_bytes_of(counts, result));
    int whole = 1;
    if (MFR_TRY()) {
      k->consume(c, ctx, t.data, result);
      MFR_TRY_END();
    } else whole = 0;
    if (!whole) result = -MFR_EFAULT;
  } else {
    if (unlikely(mfr_lane_check(&t, c->nr))) goto again;
    const u8 *data = mfr_data_at(mfr_self.base, t.slot->data_off);
    result = t.slot->result;
    c->kicked = t.slot->flags & MFR_SLOT_KICKED;
    mfr_track(c, row, result, data);
    mfr_slot_signal(&t, c);
    int whole = 1;
    if (MFR_TRY()) {
      k->consume(c, ctx, data, result);
      MFR_TRY_END();
    } else whole = 0;
    mfr_lane_pass(&t);
    if (!whole) result = -MFR_EFAULT;
  }
  if (k->finish) result = k->finish(c, ctx, result);
  return result; // a signal that came with the slot is delivered by dispatch, on the guest's stack
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

// "/proc/<pid of the guest>…" means the guest, not the anchor that has this pid; and its one thread has the
// guest's pid. Runs under MFR_TRY. What follows the directory of the process or thread, NULL if it is another's.
static const char *pid_component(const char *s) {
  char pid[24];
  u32 n = mfr_format(pid, (u64)mfr_self.vpid);
  return mfr_streq_prefix(s, pid) && (s[n] == '/' || s[n] == 0) ? s + n : NULL;
}
const char *mfr_own_proc(const char *s, int *thread) {
  const char *rest = NULL;
  *thread = 0;
  if (!mfr_streq_prefix(s, "/proc/")) return NULL;
  s += 6;
  if (mfr_streq_prefix(s, "self") && (s[4] == '/' || s[4] == 0)) rest = s + 4;
  else if (mfr_streq_prefix(s, "thread-self") && (s[11] == '/' || s[11] == 0)) rest = s + 11, *thread = 1;
  else if (*s >= '0' && *s <= '9') rest = pid_component(s);
  if (!rest || *thread || !mfr_streq_prefix(rest, "/task/")) return rest;
  const char *behind = pid_component(rest + 6);
  if (behind) *thread = 1;
  return behind ? behind : rest;
}
static int names_own_proc(const char *s, char *out, u64 size) {
  int ours = 0;
  if (MFR_TRY()) {
    int thread;
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
    if (kind == ARG_PID && (i32)a[i] == mfr_self.vpid) a[i] = 0;
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
  if (!(row->flags & BLOCKS))
    return mfr_gate(c->nr, a[0], a[1], a[2], a[3], a[4], a[5]);
  int joiner = 0;
  // A read of a file is never interrupted, one of a descriptor that does not block neither.
  if (row->commit >= COUNT_IN && row->commit <= COUNT_RW && mfr_never_waits(c->a[0])) {
    result = mfr_gate(c->nr, a[0], a[1], a[2], a[3], a[4], a[5]);
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

static struct mfr_iovec iov_rest[1024];
struct mfr_iovec *mfr_iov_rest(const struct mfr_iovec *v, u64 *n, u64 done) {
  u64 k = 0;
  for (u64 i = 0; i < *n && i < 1024; i++) {
    u64 skip = done < v[i].len ? done : v[i].len;
    done -= skip;
    if (v[i].len > skip) iov_rest[k++] = (struct mfr_iovec){v[i].base + skip, v[i].len - skip};
  }
  *n = k;
  return iov_rest;
}

// The arguments for what is left of a writing call; 0: it was all, or this is none of those that go on.
static int rest_of(const struct mfr_call *c, u64 done, struct mfr_call *rest) {
  u64 total = 0, n = (u64)c->a[2];
  *rest = *c;
  switch (c->nr) {
  case __NR_write:
    total = n;
    rest->a[1] = c->a[1] + (long)done, rest->a[2] = (long)(n - done);
    break;
  case __NR_sendfile: // its offset, or the file's, has moved on
    total = (u64)c->a[3];
    rest->a[3] = (long)(total - done);
    break;
  case __NR_writev:
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
  while (unlikely(r > 0 && c->kicked) && !c->signo && rest_of(c, (u64)r, &rest)) {
    plan.n = 0;
    plan.need = 0;
    long more = mfr_lane_call_as(&rest, row, &generic_shape, &plan);
    c->signo = rest.signo;
    c->info = rest.info;
    c->kicked = rest.kicked;
    if (more <= 0) break;
    r += more;
  }
  return r;
}
long mfr_shared(struct mfr_call *c) { return mfr_shared_as(c, &mfr_rows[c->nr]); }

long mfr_lane_call(struct mfr_call *c, const struct mfr_shape *k, void *ctx) {
  return mfr_lane_call_as(c, &mfr_rows[c->nr], k, ctx);
}

long mfr_local(struct mfr_call *c) {
  if (unlikely(mfr_load_acquire32(&mfr_self.me->request))) {
    mfr_serve_requests();
    mfr_self.became_joiner = 0;
  }
  const struct mfr_row *row = &mfr_rows[c->nr];
  long a[6];
  __builtin_memcpy(a, c->a, sizeof a);
  for (u32 i = 0; i < row->arity; i++)
    if (MFR_ARG_KIND(row->arg[i]) == ARG_PID && (i32)a[i] == mfr_self.vpid) a[i] = 0;
  long r = mfr_gate(c->nr, a[0], a[1], a[2], a[3], a[4], a[5]);
  if (unlikely(r == -MFR_EFAULT) && MFR_TRY()) {
    touch_memory(c, row);
    MFR_TRY_END();
  }
  return r;
}

long mfr_refused(struct mfr_call *c) {
  (void)c;
  return -MFR_ENOSYS;
}
