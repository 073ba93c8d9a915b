// commit.c - what became of a call whose leader died inside it, as far as a replica must look:
// the descriptor table is one, the file system is one, so the next leader can see whether the call
// happened. (What only the zombie tells - /proc/PID/io - the coordinator settles: MFRRuntime.)
#include "shim.h"

#define F_GETFD 1
#define AT_FDCWD (-100)
#define AT_SYMLINK_NOFOLLOW 0x100

// Which descriptors are open, by the calls that this replica has passed: the same in all at the same slot, and no
// death can leave it half true. The leader's tells a successor nothing; it has its own.
static u64 fd_open[MFR_MAX_FDS / 64];
static u64 fd_nonblock[MFR_MAX_FDS / 64]; // those that are O_NONBLOCK, as far as asked
static u64 fd_terminal[MFR_MAX_FDS / 64];
static u64 fd_asked[MFR_MAX_FDS / 64];
static u64 *open_word(long fd) { return &fd_open[(u64)fd / 64 % (MFR_MAX_FDS / 64)]; }
static u64 *nonblock_word(long fd) { return &fd_nonblock[(u64)fd / 64 % (MFR_MAX_FDS / 64)]; }
static int fd_ok(long fd) { return fd >= 0 && fd < (long)MFR_MAX_FDS; }

int mfr_fd_known(long fd) { return fd_ok(fd) && (*open_word(fd) >> (fd % 64) & 1); }
static u64 *asked_word(long fd) { return &fd_asked[(u64)fd / 64 % (MFR_MAX_FDS / 64)]; }
static void forget_flags(long fd) {
  *nonblock_word(fd) &= ~(1ull << (fd % 64));
  *asked_word(fd) &= ~(1ull << (fd % 64));
  if (unlikely(mfr_self.signalfds)) mfr_signalfd_forget(fd);
  if (unlikely(mfr_self.proc_fds)) mfr_proc_forget(fd);
}
void mfr_fd_set(long fd) {
  if (!fd_ok(fd)) return;
  *open_word(fd) |= 1ull << (fd % 64);
  forget_flags(fd);
}
void mfr_fd_clear(long fd) {
  if (!fd_ok(fd)) return;
  *open_word(fd) &= ~(1ull << (fd % 64));
  forget_flags(fd);
}

void mfr_fd_forget_all(void) {
  memset(fd_open, 0, sizeof fd_open);
  memset(fd_nonblock, 0, sizeof fd_nonblock);
  memset(fd_asked, 0, sizeof fd_asked);
}

// Whether reads and writes of this descriptor never wait. Costs one fcntl for each descriptor.
int mfr_never_waits(long fd) {
  if (!fd_ok(fd)) return 0;
  u64 bit = 1ull << (fd % 64);
  if (!(*asked_word(fd) & bit)) {
    long flags = SYS2(fcntl, fd, 3 /* F_GETFL */);
    static u64 st[18];
    int file = SYS2(fstat, fd, st) == 0 && ((u32)st[3] & 0170000) == 0100000; // a regular file is always ready
    if (file || (flags >= 0 && (flags & 04000 /* O_NONBLOCK */))) *nonblock_word(fd) |= bit;
    u64 *terminal = &fd_terminal[(u64)fd / 64 % (MFR_MAX_FDS / 64)];
    static u32 settings[16];
    int is = ((u32)st[3] & 0170000) == 0020000 && SYS3(ioctl, fd, 0x5401 /* TCGETS */, settings) == 0;
    *terminal = is ? *terminal | bit : *terminal & ~bit;
    *asked_word(fd) |= bit;
  }
  return (*nonblock_word(fd) & bit) != 0;
}
int mfr_is_terminal(long fd) {
  if (!fd_ok(fd)) return 0;
  (void)mfr_never_waits(fd);
  return (fd_terminal[(u64)fd / 64 % (MFR_MAX_FDS / 64)] >> (fd % 64)) & 1;
}

// Whether a call on this descriptor may put the leader to sleep, so that followers should have the processor
// first. Costs a poll only for those that block.
int mfr_may_sleep(long fd, int writing) {
  if (!fd_ok(fd) || mfr_never_waits(fd)) return 0;
  if (!mfr_load_relaxed32(&mfr_self.h->parked) || mfr_self.last_wake == mfr_self.seq) return 0;
  struct { i32 fd; i16 events, revents; } p = {(i32)fd, writing ? 4 : 1, 0};
  return SYS3(poll, &p, 1, 0) == 0;
}

long mfr_lowest_free(long from) {
  for (long fd = from < 0 ? 0 : from; fd < (long)MFR_MAX_FDS; fd++) {
    if (fd % 64 == 0 && ~*open_word(fd) == 0) {
      fd += 63;
      continue;
    }
    if (!mfr_fd_known(fd)) return fd;
  }
  return -1;
}
static int fd_is_open(long fd) { return fd >= 0 && SYS2(fcntl, fd, F_GETFD) >= 0; }

// The directory descriptor that path argument i is relative to, by the table: the FD before it.
static long dirfd_of(const struct mfr_call *c, const struct mfr_row *row, u32 i) {
  return i > 0 && MFR_ARG_KIND(row->arg[i - 1]) == ARG_FD ? (i32)c->a[i - 1] : AT_FDCWD;
}
// What has this name: device and number of the file as one number, 0 if there is none.
static u64 file_at(long dir, long path, long flags) {
  static u64 st[18];
  return SYS4(newfstatat, dir, path, st, flags) == 0 ? mfr_mix(st[0], st[1]) | 1 : 0;
}
static u64 file_of(const struct mfr_call *c, const struct mfr_row *row) {
  u32 i = row->commit_arg % 6;
  return file_at(dirfd_of(c, row, i), c->a[i], AT_SYMLINK_NOFOLLOW);
}

// ---- LOOK: what the claim notes, and what it is compared with ----------------------------------------------
#define AT_CREATE 1 // XATTR_CREATE
#define INSERT_OR_COLLAPSE 0x28
static u64 mask; // umask: nothing tells it without changing it

void mfr_mask_learn(void) {
  mask = (u64)SYS1(umask, 0);
  SYS1(umask, mask);
}

static u64 has_attribute(const struct mfr_call *c) {
  struct { u64 value; u32 size, flags; } none = {0, 0, 0};
  const long *a = c->a;
  long r = -1;
  switch (c->nr) {
  case __NR_setxattr:
  case __NR_removexattr: r = SYS4(getxattr, a[0], a[1], 0, 0); break;
  case __NR_lsetxattr:
  case __NR_lremovexattr: r = SYS4(lgetxattr, a[0], a[1], 0, 0); break;
  case __NR_fsetxattr:
  case __NR_fremovexattr: r = SYS4(fgetxattr, a[0], a[1], 0, 0); break;
  default: r = mfr_gate(464 /* getxattrat */, a[0], a[1], a[2], a[3], (long)&none, sizeof none); break;
  }
  return r >= 0;
}
static u64 size_of(long fd) {
  static u64 st[18];
  return SYS2(fstat, fd, st) == 0 ? st[6] : 0;
}
static u64 look(const struct mfr_call *c) {
  switch (c->nr) {
  case __NR_umask: return mask;
  case __NR_chdir: return file_at(AT_FDCWD, (long)".", 0);
  case __NR_chroot: return file_at(AT_FDCWD, (long)"/", 0);
  case __NR_fallocate: return size_of(c->a[0]);
  default: return has_attribute(c);
  }
}
static int looks_done(const struct mfr_call *c, u64 before, long *result) {
  u64 now = look(c);
  *result = 0;
  switch (c->nr) {
  case __NR_umask:
    SYS1(umask, c->a[0]);
    *result = (long)before;
    return 1;
  case __NR_chdir:
  case __NR_chroot: return before && now && now != before;
  case __NR_fallocate: return (c->a[1] & INSERT_OR_COLLAPSE) && now != before;
  case __NR_setxattr:
  case __NR_lsetxattr:
  case __NR_fsetxattr: return (c->a[4] & AT_CREATE) && !before && now;
  case __NR_removexattr:
  case __NR_lremovexattr:
  case __NR_fremovexattr:
  case 466 /* removexattrat */: return before && !now;
  default: return 0;
  }
}

u64 mfr_note_before(struct mfr_call *c, const struct mfr_row *row) {
  switch (row->commit) {
  case GONE_KIND:
  case MADE_KIND:
    return file_of(c, row);
  case LOOK:
    return look(c);
  case POSITION:
    return (u64)SYS3(lseek, c->a[0], 0, 1);
  case CLOSED:
    return (u64)mfr_fd_known(c->a[0]);
  default:
    return 0;
  }
}

int mfr_look_first(struct mfr_call *c, const struct mfr_row *row, u8 *data, u64 note, long *result) {
  switch (row->commit) {
  case NEWFD: {
    int from = c->nr == __NR_fcntl; // F_DUPFD: from a number up
    long fd = mfr_lowest_free(from ? (i32)c->a[2] : 0);
    if (!fd_is_open(fd)) return 0;
    if ((c->nr == __NR_accept || c->nr == __NR_accept4) && c->a[1] && c->a[2]) {
      // The peer's address went into the slot, if the kernel got that far; ask again to be sure.
      // Layout of the generic plan: address (argument 1), then its length (argument 2).
      u32 cap;
      if (MFR_TRY()) {
        cap = *(u32 *)c->a[2];
        MFR_TRY_END();
      } else return 0;
      u32 *len = (u32 *)(data + ((cap + 7) & ~7u));
      *len = cap;
      SYS3(getpeername, fd, data, len);
    }
    *result = fd;
    return 1;
  }
  case NEWFD2: {
    long one = mfr_lowest_free(0), two = mfr_lowest_free(one + 1);
    if (!fd_is_open(one) || !fd_is_open(two)) return 0;
    i32 pair[2] = {(i32)one, (i32)two};
    memcpy(data, pair, sizeof pair);
    *result = 0;
    return 1;
  }
  case CLOSED:
    if (!note || fd_is_open(c->a[0])) return 0;
    *result = 0;
    return 1;
  case GONE_KIND:
    if (!note || file_of(c, row) == note) return 0; // exchanged, there is another one
    *result = 0;
    return 1;
  case MADE_KIND:
    if (note || !file_of(c, row)) return 0;
    *result = 0;
    return 1;
  case POSITION:
    if ((i64)note >= 0) SYS3(lseek, c->a[0], note, 0);
    return 0;
  case STATE: {
    // Make it again; the errno that says "already so" means that it had happened.
    long r;
    do r = mfr_gate(c->nr, c->a[0], c->a[1], c->a[2], c->a[3], c->a[4], c->a[5]);
    while (r == -MFR_EINTR); // a kick: nothing that the guest should see
    if (c->nr == __NR_connect && (r == -MFR_EISCONN || r == -MFR_EALREADY))
      r = r == -MFR_EISCONN ? 0 : -115 /* EINPROGRESS */;
    else if (c->nr == __NR_epoll_ctl && (r == -MFR_EEXIST || r == -MFR_ENOENT)) r = 0;
    else if (c->nr == __NR_mq_unlink && r == -MFR_ENOENT) r = 0;
    else if ((c->nr == __NR_bind || c->nr == __NR_inotify_rm_watch) && r == -MFR_EINVAL) r = 0;
    *result = r;
    return 1;
  }
  case LOOK:
    return looks_done(c, note, result);
  case RECORD:
    return mfr_splice_look(data, result) != 0;
  default:
    return 0;
  }
}

// Keeps fd_open true: run by every replica for each call that it passes.
void mfr_track(struct mfr_call *c, const struct mfr_row *row, long result, const u8 *out) {
  if (result < 0) return;
  switch (row->commit) {
  case LOOK:
    if (c->nr == __NR_umask) mask = (u64)c->a[0] & 0777;
    return;
  case NEWFD:
    mfr_fd_set(result);
    if (unlikely(mfr_self.signalfds) && (c->nr == __NR_dup || c->nr == __NR_fcntl)) mfr_signalfd_duplicated(c->a[0], result);
    return;
  case NEWFD2: {
    const i32 *pair = (const i32 *)(out ? out : (const u8 *)c->a[row->arity - 1]);
    if (c->nr == __NR_pipe || c->nr == __NR_pipe2) pair = (const i32 *)(out ? out : (const u8 *)c->a[0]);
    mfr_fd_set(pair[0]);
    mfr_fd_set(pair[1]);
    return;
  }
  default:
    break;
  }
  if (!(row->flags & CLOSES)) return;
  if (c->nr == __NR_close) mfr_fd_clear(c->a[0]);
  if ((c->nr == __NR_dup2 || c->nr == __NR_dup3) && (i32)c->a[0] != (i32)c->a[1]) {
    mfr_fd_set((i32)c->a[1]);
    if (unlikely(mfr_self.signalfds)) mfr_signalfd_duplicated(c->a[0], c->a[1]);
  }
}
