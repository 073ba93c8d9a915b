// calls/socket.c - send and receive. They are in nobody's I/O accounting, so each goes through
// sendmmsg/recvmmsg with its header in the slot: the kernel writes the count there itself, and a leader
// that dies after that has told what it did.
//
// Data: kind 1 at 0; struct mmsghdr at 64; then iovec at 128, name at 144, control, payload.
#include "../shim.h"

#define HEAD 64u
#define IOV_AT 128u
#define NAME_AT 144u
#define NAME_MAX 128u
#define NOT_SENT 0xffffffffu
#define RECV_MOST (MFR_CHUNK_MAX / 2)

struct msg_ctx {
  int sending, fd;
  u32 flags;
  struct mfr_msghdr hdr;     // as the guest gave it, or made from sendto/recvfrom
  struct mfr_iovec one;      // for sendto/recvfrom
  u64 total;                 // bytes of its iovec
  u64 control_at, payload_at;
  // outputs
  u32 namelen, out_flags;
  u64 controllen;
};
static u64 round8(u64 n) { return (n + 7) & ~7ull; }

static u64 total_of(const struct mfr_msghdr *h) {
  const struct mfr_iovec *v = (const struct mfr_iovec *)h->iov;
  u64 n = 0;
  for (u64 i = 0; i < h->iovlen && i < 1024; i++) n += v[i].len;
  return n;
}

static u64 msg_prepare(struct mfr_call *c, void *ctx, u64 *hash) {
  (void)c;
  struct msg_ctx *x = ctx;
  u64 h = x->flags;
  if (MFR_TRY()) {
    x->total = total_of(&x->hdr);
    if (x->sending) {
      const struct mfr_iovec *v = (const struct mfr_iovec *)x->hdr.iov;
      for (u64 i = 0; i < x->hdr.iovlen && i < 1024; i++)
        if (v[i].len) h = mfr_hash((const void *)v[i].base, v[i].len, h);
      if (x->hdr.control) h = mfr_hash((const void *)x->hdr.control, x->hdr.controllen, h);
    } else {
      h = mfr_mix(h, x->total);
    }
    MFR_TRY_END();
  } else h = 1;
  *hash = h;
  x->control_at = NAME_AT + NAME_MAX;
  u64 control = x->sending ? 0 : x->hdr.controllen < 65536 ? x->hdr.controllen : 65536;
  x->payload_at = x->control_at + round8(control);
  u64 payload = x->sending ? 0 : x->total < RECV_MOST ? x->total : RECV_MOST;
  return x->payload_at + round8(payload);
}

static long msg_alone(struct msg_ctx *x) {
  // Nobody to record for: the plain call, on the guest's memory.
  int joiner;
  long a[6] = {x->fd, (long)&x->hdr, x->flags, 0, 0, 0};
  long r = mfr_blocking_step(NULL, x->sending ? __NR_sendmsg : __NR_recvmsg, a, &joiner);
  x->namelen = x->hdr.namelen;
  x->controllen = x->hdr.controllen;
  x->out_flags = x->hdr.flags;
  return r;
}

static long msg_produce(struct mfr_call *c, void *ctx, struct mfr_turn *t, u8 *data) {
  (void)c;
  struct msg_ctx *x = ctx;
  if (!data) {
    struct mfr_msghdr keep = x->hdr;
    long r = msg_alone(x);
    x->hdr = keep;
    return r;
  }
  struct mfr_mmsghdr *m = (struct mfr_mmsghdr *)(data + HEAD);
  memset(m, 0, sizeof *m);
  m->hdr = x->hdr;
  m->len = NOT_SENT;
  if (!x->sending) {
    struct mfr_iovec *v = (struct mfr_iovec *)(data + IOV_AT);
    v->base = (u64)(data + x->payload_at);
    v->len = x->total < RECV_MOST ? x->total : RECV_MOST;
    m->hdr.iov = (u64)v;
    m->hdr.iovlen = x->hdr.iovlen ? 1 : 0;
    if (x->hdr.name) {
      m->hdr.name = (u64)(data + NAME_AT);
      if (m->hdr.namelen > NAME_MAX) m->hdr.namelen = NAME_MAX;
    }
    if (x->hdr.control) {
      m->hdr.control = (u64)(data + x->control_at);
      if (m->hdr.controllen > 65536) m->hdr.controllen = 65536;
    }
  }
  mfr_record_ready(data, 1, 1);
  long a[6] = {x->fd, (long)m, 1, x->flags, 0, 0};
  int joiner, quick = (x->flags & 0x40 /* MSG_DONTWAIT */) || !mfr_may_sleep(x->fd, x->sending);
  long r = mfr_blocking(quick ? NULL : t, x->sending ? __NR_sendmmsg : __NR_recvmmsg, a, &joiner);
  if (joiner) return MFR_AGAIN;
  return r == 1 ? (long)m->len : r;
}

static u32 msg_used(struct mfr_call *c, void *ctx, const u8 *data, long result) {
  (void)c, (void)data;
  struct msg_ctx *x = ctx;
  if (x->sending || result < 0) return HEAD + sizeof(struct mfr_mmsghdr);
  u64 n = (u64)result < x->total ? (u64)result : x->total;
  return (u32)(x->payload_at + (n < RECV_MOST ? n : RECV_MOST));
}

static void msg_consume(struct mfr_call *c, void *ctx, const u8 *data, long result) {
  (void)c;
  struct msg_ctx *x = ctx;
  if (x->sending || result < 0) return;
  const struct mfr_mmsghdr *m = (const struct mfr_mmsghdr *)(data + HEAD);
  u64 n = (u64)result;
  if (n > x->total) n = x->total; // MSG_TRUNC tells the true length
  if (n > RECV_MOST) n = RECV_MOST;
  const u8 *from = data + x->payload_at;
  const struct mfr_iovec *v = (const struct mfr_iovec *)x->hdr.iov;
  for (u64 i = 0; n && i < x->hdr.iovlen; i++) {
    u64 part = v[i].len < n ? v[i].len : n;
    memcpy((void *)v[i].base, from, part);
    from += part;
    n -= part;
  }
  x->namelen = m->hdr.namelen;
  x->controllen = m->hdr.controllen;
  x->out_flags = m->hdr.flags;
  if (x->hdr.name) {
    u64 k = x->hdr.namelen < m->hdr.namelen ? x->hdr.namelen : m->hdr.namelen;
    memcpy((void *)x->hdr.name, data + NAME_AT, k < NAME_MAX ? k : NAME_MAX);
  }
  if (x->hdr.control && m->hdr.controllen) {
    u64 k = m->hdr.controllen < 65536 ? m->hdr.controllen : 65536;
    memcpy((void *)x->hdr.control, data + x->control_at, k);
  }
}
static const struct mfr_shape msg_shape = {msg_prepare, msg_produce, msg_used, msg_consume, NULL};

static void track_received(struct msg_ctx *x, long r) {
  // Descriptors that came in a message (SCM_RIGHTS) exist from now on.
  if (r < 0 || !x->hdr.control || !x->controllen) return;
  if (MFR_TRY()) {
    u64 at = 0;
    while (at + 16 <= x->controllen) {
      const u8 *p = (const u8 *)x->hdr.control + at;
      u64 len;
      i32 level, type;
      __builtin_memcpy(&len, p, 8);
      __builtin_memcpy(&level, p + 8, 4);
      __builtin_memcpy(&type, p + 12, 4);
      if (len < 16) break;
      if (level == 1 && type == 1)
        for (u64 k = 16; k + 4 <= len; k += 4) {
          i32 fd;
          __builtin_memcpy(&fd, p + k, 4);
          mfr_fd_set(fd);
        }
      at += round8(len);
    }
    MFR_TRY_END();
  }
}

static long msg_call(struct mfr_call *c, struct msg_ctx *x) {
  long r = mfr_lane_call(c, &msg_shape, x);
  if (!x->sending) track_received(x, r);
  return r;
}

static long plain(struct mfr_call *c, int sending) {
  struct msg_ctx x;
  memset(&x, 0, sizeof x);
  x.sending = sending;
  x.fd = (i32)c->a[0];
  x.flags = (u32)c->a[3];
  x.one.base = (u64)c->a[1];
  x.one.len = (u64)c->a[2];
  x.hdr.iov = (u64)&x.one;
  x.hdr.iovlen = 1;
  x.hdr.name = (u64)c->a[4];
  if (sending) {
    x.hdr.namelen = (u32)c->a[5];
    return msg_call(c, &x);
  }
  u32 cap = 0;
  if (c->a[4] && c->a[5]) {
    long bad = 0;
    if (MFR_TRY()) {
      cap = *(const u32 *)c->a[5];
      MFR_TRY_END();
    } else bad = -MFR_EFAULT;
    if (bad) return bad;
    if ((i32)cap < 0) return -MFR_EINVAL;
    x.hdr.namelen = cap;
  } else x.hdr.name = 0;
  long r = msg_call(c, &x);
  // MSG_WAITALL: a slot holds only part of it.
  while ((x.flags & 0x100) && r > 0 && (u64)r < (u64)c->a[2] && (u64)r % RECV_MOST == 0 && !c->signo) {
    struct msg_ctx more = x;
    more.one.base = (u64)c->a[1] + (u64)r;
    more.one.len = (u64)c->a[2] - (u64)r;
    more.hdr.iov = (u64)&more.one;
    more.hdr.name = 0;
    more.hdr.namelen = 0;
    long n = msg_call(c, &more);
    if (n <= 0) break;
    r += n;
  }
  if (r >= 0 && x.hdr.name) {
    if (MFR_TRY()) {
      *(u32 *)c->a[5] = x.namelen;
      MFR_TRY_END();
    } else r = -MFR_EFAULT;
  }
  return r;
}
long mfr_call_sendto(struct mfr_call *c) { return plain(c, 1); }
long mfr_call_recvfrom(struct mfr_call *c) { return plain(c, 0); }

static long with_header(struct mfr_call *c, struct mfr_msghdr *user, u32 flags, int sending) {
  struct msg_ctx x;
  memset(&x, 0, sizeof x);
  x.sending = sending;
  x.fd = (i32)c->a[0];
  x.flags = flags;
  long bad = 0;
  if (MFR_TRY()) {
    x.hdr = *user;
    MFR_TRY_END();
  } else bad = -MFR_EFAULT;
  if (bad) return bad;
  if (x.hdr.iovlen > 1024) return -90; // EMSGSIZE
  if (!x.hdr.name) x.hdr.namelen = 0;
  if (!sending && !x.hdr.control) x.hdr.controllen = 0;
  long r = msg_call(c, &x);
  if (!sending && r >= 0) {
    if (MFR_TRY()) {
      if (x.hdr.name) user->namelen = x.namelen;
      user->controllen = x.controllen;
      user->flags = x.out_flags;
      MFR_TRY_END();
    } else r = -MFR_EFAULT;
  }
  return r;
}
long mfr_call_sendmsg(struct mfr_call *c) {
  return with_header(c, (struct mfr_msghdr *)c->a[1], (u32)c->a[2], 1);
}
long mfr_call_recvmsg(struct mfr_call *c) {
  return with_header(c, (struct mfr_msghdr *)c->a[1], (u32)c->a[2], 0);
}

// Several messages: one slot each, so that each is recorded.
static long several(struct mfr_call *c, int sending) {
  struct mfr_mmsghdr *m = (struct mfr_mmsghdr *)c->a[1];
  u32 n = (u32)c->a[2], flags = (u32)c->a[3], i;
  if (n > 1024) n = 1024;
  u32 each = sending ? flags : flags & ~0x10000u; // MSG_WAITFORONE is about the next ones
  for (i = 0; i < n; i++) {
    u32 now = each | (!sending && i && (flags & 0x10000u) ? 0x40u : 0);
    long r = with_header(c, &m[i].hdr, now, sending);
    if (r < 0) return i ? (long)i : r;
    if (MFR_TRY()) {
      m[i].len = (u32)r;
      MFR_TRY_END();
    } else return i ? (long)i : -MFR_EFAULT;
    if (c->signo) return i + 1; // a signal goes out with this slot
  }
  return n;
}
long mfr_call_sendmmsg(struct mfr_call *c) { return several(c, 1); }
long mfr_call_recvmmsg(struct mfr_call *c) {
  if (c->a[4]) mfr_collapse("receives several messages with a time-out (recvmmsg)", 0);
  if (c->a[4] && mfr_alone())
    return mfr_gate(c->nr, c->a[0], c->a[1], c->a[2], c->a[3], c->a[4], 0);
  return several(c, 0);
}
