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

// ---- credentials: the pid of a replica is that of the guest ------------------------------------------
#define SOL_SOCKET 1
#define SCM_CREDENTIALS 2
#define SO_PEERCRED 17
struct cmsg {
  u64 len;
  i32 level, type;
};
struct cred {
  i32 pid;
  u32 uid, gid;
};
static int is_replica(i32 pid) {
  struct mfr_header *h = mfr_self.h;
  if (pid <= 0) return 0;
  for (u32 i = 0; i < MFR_MAX_REPLICAS; i++)
    if (mfr_replica_at(mfr_self.base, i)->pid == pid) return 1;
  for (u32 i = 0; i < MFR_PAST_PIDS; i++) {
    if (h->past_pids[i] != pid) continue;
    for (u32 k = 0; k < MFR_MAX_CHILDREN; k++) // a child may have been given it again
      if (mfr_child_at(mfr_self.base, k) == pid) return 0;
    return 1;
  }
  return 0;
}
// Calls `change` for each SCM_CREDENTIALS: the pids that it changed. Under MFR_TRY when it is guest memory.
static u32 each_credential(u8 *control, u64 bytes, int (*change)(struct cred *)) {
  u32 changed = 0;
  for (u64 at = 0; at + sizeof(struct cmsg) <= bytes;) {
    struct cmsg head;
    struct cred cred;
    __builtin_memcpy(&head, control + at, sizeof head);
    if (head.len < sizeof head || head.len > bytes - at) break;
    if (head.level == SOL_SOCKET && head.type == SCM_CREDENTIALS && head.len >= sizeof head + sizeof cred) {
      __builtin_memcpy(&cred, control + at + sizeof head, sizeof cred);
      if (change(&cred)) {
        __builtin_memcpy(control + at + sizeof head, &cred, sizeof cred);
        changed++;
      }
    }
    at += round8(head.len);
  }
  return changed;
}
static int to_guest(struct cred *c) {
  if (!is_replica(c->pid)) return 0;
  c->pid = mfr_self.vpid;
  return 1;
}
static int to_real(struct cred *c) {
  if (c->pid != mfr_self.vpid) return 0;
  c->pid = mfr_self.rpid;
  return 1;
}

// The kernel lets only the privileged name another process than themselves, and to it that is what the guest's
// pid is: then the message says the sender's own. A receiver of this set is shown the guest's again.
static int own_credentials(struct mfr_msghdr *h) {
  static u8 control[4096];
  if (!h->control || h->controllen > sizeof control) return 0;
  int copied = 0;
  if (MFR_TRY()) {
    memcpy(control, (const void *)h->control, h->controllen);
    MFR_TRY_END();
    copied = 1;
  }
  if (!copied || !each_credential(control, h->controllen, to_real)) return 0;
  h->control = (u64)control;
  return 1;
}

static long msg_alone(struct msg_ctx *x) {
  // Nobody to record for: the plain call, on the guest's memory.
  int joiner;
  long a[6] = {x->fd, (long)&x->hdr, x->flags, 0, 0, 0};
  long r = mfr_blocking_step(NULL, x->sending ? __NR_sendmsg : __NR_recvmsg, a, &joiner);
  if (r == -MFR_EPERM && x->sending && own_credentials(&x->hdr))
    r = mfr_blocking_step(NULL, __NR_sendmsg, a, &joiner);
  x->namelen = x->hdr.namelen;
  x->controllen = x->hdr.controllen;
  x->out_flags = x->hdr.flags;
  if (r >= 0 && !x->sending && x->hdr.control && x->controllen && MFR_TRY()) {
    each_credential((u8 *)x->hdr.control, x->controllen, to_guest);
    MFR_TRY_END();
  }
  return r;
}

static long msg_wait(struct msg_ctx *x, struct mfr_turn *t, long nr, const long *a) {
  if ((x->flags & 0x40 /* MSG_DONTWAIT */) || mfr_never_waits(x->fd)) {
    long r = mfr_gate(nr, a[0], a[1], a[2], a[3], 0, 0);
    if (likely(r != -MFR_EINTR)) return r;
  }
  int joiner;
  long r = mfr_blocking(mfr_may_sleep(x->fd, x->sending) ? t : NULL, nr, a, &joiner);
  return joiner ? MFR_AGAIN : r;
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
  long nr = x->sending ? __NR_sendmmsg : __NR_recvmmsg;
  long r = msg_wait(x, t, nr, a);
  if (r == -MFR_EPERM && x->sending && own_credentials(&m->hdr)) r = msg_wait(x, t, nr, a);
  if (r != 1) return r;
  if (!x->sending && m->hdr.control) each_credential(data + x->control_at, m->hdr.controllen, to_guest);
  return (long)m->len;
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
  // A kick cut a sending call short: what is left, without the control message that has gone with the first part.
  while (unlikely(x->sending && r > 0 && c->kicked) && !c->signo) {
    struct msg_ctx rest = *x;
    int left = 0;
    if (MFR_TRY()) {
      rest.total = total_of(&x->hdr);
      left = (u64)r < rest.total;
      if (left) rest.hdr.iov = (u64)mfr_iov_rest((const struct mfr_iovec *)x->hdr.iov, &rest.hdr.iovlen, (u64)r);
      MFR_TRY_END();
    }
    rest.hdr.control = rest.hdr.controllen = 0;
    if (!left) break;
    long more = mfr_lane_call(c, &msg_shape, &rest);
    if (more <= 0) break;
    r += more;
  }
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
  while ((x.flags & 0x100) && r > 0 && (u64)r < (u64)c->a[2] && ((u64)r % RECV_MOST == 0 || c->kicked) && !c->signo) {
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
    if (!sending) continue;
    u64 total = (u64)r;
    if (MFR_TRY()) {
      total = total_of(&m[i].hdr);
      MFR_TRY_END();
    }
    if ((u64)r < total) return i + 1; // as the kernel does: what comes next must not overtake the rest
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

// ---- getsockopt: SO_PEERCRED names a replica ----------------------------------------------------------------
struct cred_ctx {
  u32 len;
  struct cred cred;
};
static u64 cred_prepare(struct mfr_call *c, void *ctx, u64 *hash) {
  (void)c;
  *hash = ((struct cred_ctx *)ctx)->len;
  return sizeof(struct cred_ctx);
}
static long cred_produce(struct mfr_call *c, void *ctx, struct mfr_turn *t, u8 *data) {
  (void)t;
  struct cred_ctx *x = ctx, now = {sizeof now.cred, {0, 0, 0}};
  long r = SYS5(getsockopt, c->a[0], SOL_SOCKET, SO_PEERCRED, &now.cred, &now.len);
  if (r == 0) to_guest(&now.cred);
  if (x->len < now.len) now.len = x->len;
  if (data) __builtin_memcpy(data, &now, sizeof now);
  else *x = now;
  return r;
}
static u32 cred_used(struct mfr_call *c, void *ctx, const u8 *data, long result) {
  (void)c, (void)ctx, (void)data, (void)result;
  return sizeof(struct cred_ctx);
}
static void cred_consume(struct mfr_call *c, void *ctx, const u8 *data, long result) {
  (void)c, (void)result;
  __builtin_memcpy(ctx, data, sizeof(struct cred_ctx));
}
static const struct mfr_shape cred_shape = {cred_prepare, cred_produce, cred_used, cred_consume, NULL};

long mfr_call_getsockopt(struct mfr_call *c) {
  if ((u32)c->a[1] != SOL_SOCKET || (u32)c->a[2] != SO_PEERCRED) return mfr_shared(c);
  struct cred_ctx x;
  memset(&x, 0, sizeof x);
  long bad = 0;
  if (MFR_TRY()) {
    x.len = *(const u32 *)c->a[4];
    MFR_TRY_END();
  } else bad = -MFR_EFAULT;
  if (bad) return bad;
  if ((i32)x.len < 0) return -MFR_EINVAL;
  long r = mfr_lane_call(c, &cred_shape, &x);
  if (r != 0) return r;
  if (MFR_TRY()) {
    memcpy((void *)c->a[3], &x.cred, x.len);
    *(u32 *)c->a[4] = x.len;
    MFR_TRY_END();
  } else r = -MFR_EFAULT;
  return r;
}
