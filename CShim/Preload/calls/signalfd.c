// calls/signalfd.c - signals read from a descriptor.
//
// What is pending for the guest lies in the buffer, and the kernel knows nothing of it. So the guest gets an eventfd:
// the leader makes it readable, or not, whenever a call could see that (mfr_signalfd_sync), and a read of it is answered
// out of the buffer. The table of such descriptors is each replica's own, alike at the same slot.
#include "../shim.h"

#define MOST 64u
#define RECORD 128u // struct signalfd_siginfo, and a struct mfr_siginfo of ours
#define FLAGS (04000 | 02000000) // SFD_NONBLOCK, SFD_CLOEXEC

static struct { i32 fd; u32 file; } open_fds[MOST];
static u64 masks[MOST]; // of each file; descriptors that were duplicated have the same one
static u32 files_used;  // bit i: masks[i] is in use
static u32 told;        // mfr_header.sig_ticket when the descriptors were last looked at

static int find(long fd) {
  for (u32 i = 0; i < mfr_self.signalfds; i++)
    if (open_fds[i].fd == fd) return (int)i;
  return -1;
}
int mfr_is_signalfd(long fd) { return unlikely(mfr_self.signalfds) && find((i32)fd) >= 0; }

static void add(long fd, u32 file) {
  if (mfr_self.signalfds == MOST) return; // signalfd4 sees to it; a duplicate more is one that never gets ready
  open_fds[mfr_self.signalfds].fd = (i32)fd;
  open_fds[mfr_self.signalfds++].file = file;
}
static void drop_unused(void) {
  files_used = 0;
  for (u32 i = 0; i < mfr_self.signalfds; i++) files_used |= 1u << open_fds[i].file;
}
// A descriptor is closed, or another one now.
void mfr_signalfd_forget(long fd) {
  int i = find(fd);
  if (i < 0) return;
  open_fds[i] = open_fds[--mfr_self.signalfds];
  drop_unused();
}
void mfr_signalfd_duplicated(long from, long to) {
  int i = find((i32)from);
  if (i >= 0) add(to, open_fds[i].file);
}

// Leader: each descriptor is readable if something of its mask is pending, and not otherwise. Something new is told once
// more to those who wait for edges.
void mfr_signalfd_sync(void) {
  u32 ticket = mfr_load_acquire32(&mfr_self.h->sig_ticket), seen = 0;
  int fresh = ticket != told;
  told = ticket;
  for (u32 i = 0; i < mfr_self.signalfds; i++) {
    u32 file = open_fds[i].file;
    if (seen >> file & 1) continue;
    seen |= 1u << file;
    struct { i32 fd; i16 events, revents; } p = {open_fds[i].fd, 1 /* POLLIN */, 0};
    u64 count = 1;
    int ready = SYS3(poll, &p, 1, 0) == 1, wanted = mfr_pending(masks[file]) != 0;
    if (wanted && (!ready || fresh)) SYS3(write, p.fd, &count, 8);
    if (!wanted && ready) SYS3(read, p.fd, &count, 8);
  }
}

static u32 kept; // entries of the table that are the kernel's own now

// In a child that leaves the lane, or an image that has no shim: what the kernel has for it.
void mfr_signalfd_to_kernel(void) {
  for (u32 i = 0; i < mfr_self.signalfds; i++) {
    i32 fd = open_fds[i].fd;
    long flags = SYS2(fcntl, fd, 3 /* F_GETFL */), close_on_exec = SYS2(fcntl, fd, 1 /* F_GETFD */);
    if (flags < 0) continue;
    long real = SYS4(signalfd4, -1, &masks[open_fds[i].file], 8, flags & 04000);
    if (real < 0) continue;
    SYS3(dup3, real, fd, close_on_exec & 1 ? 02000000 : 0);
    SYS1(close, real);
  }
  kept = mfr_self.signalfds;
  mfr_self.signalfds = 0;
}
// The child becomes a set of its own. What it has registered such a descriptor with (epoll) does not know the new one.
void mfr_signalfd_from_kernel(void) {
  u32 n = kept;
  kept = mfr_self.signalfds = 0;
  for (u32 i = 0; i < n; i++) {
    char path[40] = "/proc/self/fd/", link[32];
    i32 fd = open_fds[i].fd;
    u32 file = open_fds[i].file;
    mfr_format(path + 14, (u64)fd);
    memset(link, 0, sizeof link);
    SYS3(readlink, path, link, sizeof link - 1);
    if (!mfr_streq_prefix(link, "anon_inode:[signalfd]")) continue;
    long flags = SYS2(fcntl, fd, 3 /* F_GETFL */), close_on_exec = SYS2(fcntl, fd, 1 /* F_GETFD */);
    long event = SYS2(eventfd2, 0, flags & 04000);
    if (event < 0) continue;
    SYS3(dup3, event, fd, close_on_exec & 1 ? 02000000 : 0);
    SYS1(close, event);
    add(fd, file);
  }
  drop_unused();
}

// Over an exec: the leader leaves in the buffer what the new image takes out of it.
void mfr_signalfd_keep(void) {
  struct mfr_header *h = mfr_self.h;
  u32 n = 0;
  for (u32 i = 0; i < mfr_self.signalfds && n < MFR_SIGNALFDS; i++)
    h->signalfd[n++] = (struct mfr_signalfd){open_fds[i].fd, open_fds[i].file, masks[open_fds[i].file]};
  h->signalfds = n;
}
void mfr_signalfd_restore(void) {
  struct mfr_header *h = mfr_self.h;
  for (u32 i = 0; i < h->signalfds && i < MFR_SIGNALFDS; i++) {
    const struct mfr_signalfd *s = &h->signalfd[i];
    if (s->file >= 32 || SYS2(fcntl, s->fd, 1) < 0) continue;
    masks[s->file] = s->mask;
    add(s->fd, s->file);
  }
  drop_unused();
  h->signalfds = 0;
}

// ---- signalfd, signalfd4 ---------------------------------------------------------------------------------------
static long make_produce(struct mfr_call *c, void *ctx, struct mfr_turn *t, u8 *data) {
  (void)c, (void)t, (void)data;
  return SYS2(eventfd2, 0, *(u32 *)ctx);
}
static const struct mfr_shape make_shape = {mfr_no_prepare, make_produce, mfr_no_used, mfr_no_consume, NULL};

static long make(struct mfr_call *c, u32 flags) {
  u64 mask = 0;
  if ((u64)c->a[2] != 8 || (flags & ~(u32)FLAGS)) return -MFR_EINVAL;
  if (MFR_TRY()) {
    mask = *(const u64 *)c->a[1] & ~MFR_UNMASKABLE;
    MFR_TRY_END();
  } else return -MFR_EINVAL; // as the kernel has it
  if ((i32)c->a[0] != -1) {
    int i = find((i32)c->a[0]);
    if (i >= 0) {
      masks[open_fds[i].file] = mask;
      return (i32)c->a[0];
    }
    struct mfr_call q;
    memset(&q, 0, sizeof q);
    q.nr = __NR_fcntl;
    q.a[0] = c->a[0], q.a[1] = 3 /* F_GETFL */;
    return mfr_call_fcntl(&q) < 0 ? -MFR_EBADF : -MFR_EINVAL;
  }
  u32 file = (u32)__builtin_ctz(~files_used | 1u << 31);
  if (file == 31 || mfr_self.signalfds == MOST) return -24; // EMFILE
  long fd = mfr_lane_call(c, &make_shape, &flags);
  if (fd < 0) return fd;
  masks[file] = mask;
  add(fd, file);
  files_used |= 1u << file;
  return fd;
}
long mfr_call_signalfd(struct mfr_call *c) { return make(c, 0); }
long mfr_call_signalfd4(struct mfr_call *c) { return make(c, (u32)c->a[3]); }

// ---- read ----------------------------------------------------------------------------------------------------------
// Data: a struct mfr_siginfo for each signal, its padding the ticket.
struct read_ctx {
  u64 mask;
  u32 most;
  u32 alone; // signals that were taken without a slot
};
static struct mfr_siginfo own[16];
static u64 read_prepare(struct mfr_call *c, void *ctx, u64 *hash) {
  (void)c;
  *hash = ((struct read_ctx *)ctx)->mask;
  return ((struct read_ctx *)ctx)->most * RECORD;
}

// The pending entry that comes after `ticket` among those of one number.
static struct mfr_pending *next_of(u32 signo, u32 ticket, int first, u64 *word) {
  struct mfr_header *h = mfr_self.h;
  struct mfr_pending *found = NULL;
  for (u32 i = 0; i < MFR_PENDING; i++) {
    u64 w = mfr_load_acquire64(&h->pending_word[i]);
    if (mfr_pending_state_of(w) != MFR_PENDING_READY || mfr_pending_signo(w) != signo) continue;
    i32 target = h->pending[i].target;
    if (target && target != mfr_self.thread->tid) continue;
    if (!first && (i32)(mfr_pending_ticket(w) - ticket) <= 0) continue;
    if (found && (i32)(mfr_pending_ticket(w) - mfr_pending_ticket(*word)) > 0) continue;
    found = &h->pending[i];
    *word = w;
  }
  return found;
}
static u32 collect(struct read_ctx *x, struct mfr_siginfo *to) {
  u32 n = 0;
  u64 left = mfr_pending(x->mask);
  while (left && n < x->most) {
    // Synchronous ones first, as the kernel does, then the lowest number.
    u32 signo = (u32)__builtin_ctzll(left & MFR_FAULTS ? left & MFR_FAULTS : left) + 1, ticket = 0;
    u64 word = 0;
    struct mfr_pending *p;
    for (int first = 1; n < x->most && (p = next_of(signo, ticket, first, &word)); first = 0) {
      ticket = mfr_pending_ticket(word);
      memset(&to[n], 0, sizeof *to);
      memcpy(&to[n], p->info, sizeof p->info);
      to[n].signo = (i32)signo;
      to[n++].pad = (i32)ticket;
    }
    left &= ~SIG_BIT(signo);
  }
  return n;
}
static long read_produce(struct mfr_call *c, void *ctx, struct mfr_turn *t, u8 *data) {
  struct read_ctx *x = ctx;
  for (;;) {
    u32 n = collect(x, data ? (struct mfr_siginfo *)(void *)data : own);
    x->alone = data ? 0 : n;
    if (n) return n * RECORD;
    if (SYS2(fcntl, c->a[0], 3 /* F_GETFL */) & 04000 /* O_NONBLOCK */) return -MFR_EAGAIN;
    struct { i32 fd; i16 events, revents; } p = {(i32)c->a[0], 1 /* POLLIN */, 0};
    long a[6] = {(long)&p, 1, 0, 0, 8, 0};
    int joiner;
    long r = mfr_blocking_step(data ? t : NULL, __NR_ppoll, a, &joiner);
    if (joiner || (r == MFR_AGAIN && !data)) return MFR_AGAIN;
    if (r == -MFR_EINTR || r == MFR_PARK) return r;
  }
}
static u32 read_used(struct mfr_call *c, void *ctx, const u8 *data, long result) {
  (void)c, (void)ctx, (void)data;
  return result > 0 ? (u32)result : 0;
}

struct signalfd_siginfo {
  u32 signo;
  i32 err, code;
  u32 pid, uid;
  i32 fd;
  u32 tid, band, overrun, trapno;
  i32 status, value;
  u64 pointer, user_time, system_time, address;
  u8 rest[48];
};
_Static_assert(sizeof(struct signalfd_siginfo) == RECORD && sizeof(struct mfr_siginfo) == RECORD, "as the kernel has them");

// fs/signalfd.c: which fields there are depends on the code and the number.
static void convert(struct signalfd_siginfo *to, const struct mfr_siginfo *from) {
  const u8 *u = from->u.bytes;
  memset(to, 0, sizeof *to);
  to->signo = (u32)from->signo, to->err = from->err, to->code = from->code;
  int kernel = from->code > 0 && from->code < 0x80;
  if (kernel && from->signo == MFR_SIGCHLD) {
    memcpy(&to->pid, u, 8); // and uid
    memcpy(&to->status, u + 8, 4);
    memcpy(&to->user_time, u + 16, 16); // and system time
  } else if ((kernel && from->signo == 29 /* SIGIO */) || from->code == -5 /* SI_SIGIO */) {
    memcpy(&to->band, u, 4);
    memcpy(&to->fd, u + 8, 4);
  } else if (kernel && (MFR_FAULTS & SIG_BIT((u32)from->signo))) {
    memcpy(&to->address, u, 8);
  } else if (from->code == -2 /* SI_TIMER */) {
    memcpy(&to->tid, u, 4);
    memcpy(&to->overrun, u + 4, 4);
    memcpy(&to->value, u + 8, 4);
    memcpy(&to->pointer, u + 8, 8);
  } else {
    memcpy(&to->pid, u, 8);
    if (from->code < 0) {
      memcpy(&to->value, u + 8, 4);
      memcpy(&to->pointer, u + 8, 8);
    }
  }
}
static void take(struct mfr_call *c, const struct mfr_siginfo *info, u32 n) {
  struct signalfd_siginfo one;
  for (u32 i = 0; i < n; i++) {
    mfr_signal_taken((u32)info[i].signo, (u32)info[i].pad);
    mfr_timer_taken(&info[i]);
  }
  for (u32 i = 0; i < n; i++) {
    convert(&one, &info[i]);
    memcpy((u8 *)c->a[1] + i * RECORD, &one, RECORD);
  }
}
static void read_consume(struct mfr_call *c, void *ctx, const u8 *data, long result) {
  (void)ctx;
  if (result > 0) take(c, (const struct mfr_siginfo *)(const void *)data, (u32)result / RECORD);
}
static long read_finish(struct mfr_call *c, void *ctx, long result) {
  struct read_ctx *x = ctx;
  if (!x->alone) return result;
  int whole = 0;
  if (MFR_TRY()) {
    take(c, own, x->alone);
    MFR_TRY_END();
    whole = 1;
  }
  return whole ? result : -MFR_EFAULT;
}
static const struct mfr_shape read_shape = {read_prepare, read_produce, read_used, read_consume, read_finish};

long mfr_signalfd_read(struct mfr_call *c) {
  u64 most = (u64)c->a[2] / RECORD;
  if (!most) return -MFR_EINVAL;
  struct read_ctx x = {masks[open_fds[find((i32)c->a[0])].file], most < 16 ? (u32)most : 16, 0};
  return mfr_lane_call(c, &read_shape, &x);
}
