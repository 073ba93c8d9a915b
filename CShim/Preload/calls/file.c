// calls/file.c - calls whose arguments depend on a command word: each command is a row of its own.
#include "../shim.h"

static const struct mfr_row *row_with(struct mfr_row *row, const struct mfr_call *c, u32 arity, u32 last,
                                      u32 commit, u32 flags) {
  *row = mfr_rows[c->nr];
  row->arity = (u8)arity;
  row->commit = (u8)commit;
  row->flags = (u8)flags;
  row->arg[0] = ARG_FD;
  row->arg[1] = ARG_INT;
  row->arg[2] = last;
  return row;
}
#define BYTES(kind, n) ((u32)(kind) | (u32)(n) << 16)

// A copy of a descriptor at or above a number: the lowest untracked one from there, if open, is it.
static long dup_from(struct mfr_call *c, struct mfr_row *row) {
  return mfr_shared_as(c, row_with(row, c, 3, ARG_INT, NEWFD, 0));
}

// A lease and a directory's notification make their caller the owner of the descriptor's signals, where it has none
// (fcntl(2), fs/locks.c and fs/notify/dnotify): that is to be the guest, not the replica that happens to lead.
static void own_signals_of(struct mfr_call *c) {
  struct mfr_row row;
  struct mfr_call q = {.nr = c->nr, .frame = c->frame, .a = {c->a[0], 9 /* F_GETOWN */}};
  long owner = mfr_shared_as(&q, row_with(&row, &q, 2, ARG_NONE, REPEAT, 0));
  if (owner == 0) {
    mfr_self.hold_signals = q.signo != 0; // one signal goes out with a call
    q.a[1] = 8, q.a[2] = mfr_self.vpid;   // F_SETOWN
    mfr_shared_as(&q, row_with(&row, &q, 3, ARG_LONG, REPEAT, 0));
  }
  if (q.signo) c->signo = q.signo, c->info = q.info;
}

long mfr_call_fcntl(struct mfr_call *c) {
  struct mfr_row row;
  switch ((u32)c->a[1]) {
  case 0: // F_DUPFD
  case 1030: // F_DUPFD_CLOEXEC
    return dup_from(c, &row);
  case 1: case 3: case 9: case 11: case 1025: case 1032: case 1034: // GETFD GETFL GETOWN GETSIG …
    return mfr_shared_as(c, row_with(&row, c, 2, ARG_NONE, REPEAT, 0));
  case 4: { // F_SETFL
    long r = mfr_shared_as(c, row_with(&row, c, 3, ARG_LONG, REPEAT, 0));
    if (r >= 0 && mfr_fd_known(c->a[0])) mfr_fd_set(c->a[0]); // forgets whether it blocks
    return r;
  }
  case 5: case 36: // F_GETLK, F_OFD_GETLK: struct flock
    return mfr_shared_as(c, row_with(&row, c, 3, BYTES(ARG_INOUT, 32), REPEAT, 0));
  case 6: case 37:
    return mfr_shared_as(c, row_with(&row, c, 3, BYTES(ARG_IN, 32), REPEAT, 0));
  case 7: case 38: // F_SETLKW
    return mfr_shared_as(c, row_with(&row, c, 3, BYTES(ARG_IN, 32), REPEAT, BLOCKS | RESTARTS));
  case 15: // F_SETOWN_EX
    return mfr_shared_as(c, row_with(&row, c, 3, BYTES(ARG_IN, 8), REPEAT, 0));
  case 16:
    return mfr_shared_as(c, row_with(&row, c, 3, BYTES(ARG_OUT, 8), REPEAT, 0));
  case 1035: case 1037: // F_GET_RW_HINT, F_GET_FILE_RW_HINT
    return mfr_shared_as(c, row_with(&row, c, 3, BYTES(ARG_OUT, 8), REPEAT, 0));
  case 1036: case 1038:
    return mfr_shared_as(c, row_with(&row, c, 3, BYTES(ARG_IN, 8), REPEAT, 0));
  case 1024: case 1026: { // F_SETLEASE, F_NOTIFY
    own_signals_of(c);
    mfr_self.hold_signals = c->signo != 0;
    long r = mfr_shared_as(c, row_with(&row, c, 3, ARG_LONG, REPEAT, 0));
    mfr_self.hold_signals = 0;
    return r;
  }
  default: // an integer: SETFD, SETOWN, SETSIG, SETPIPE_SZ, ADD_SEALS …
    return mfr_shared_as(c, row_with(&row, c, 3, ARG_LONG, REPEAT, 0));
  }
}

// Old ioctls say nothing of their argument in their number. Sizes: asm-generic/ioctls.h and tty_ioctl(2),
// netdevice(7). struct termios of the kernel is 36 bytes, termios2 44, termio 18, ifreq 40.
struct old_ioctl {
  u32 cmd, spec;
};
static const struct old_ioctl old_ioctls[] = {
    {0x5401, BYTES(ARG_OUT, 36)},   // TCGETS
    {0x5402, BYTES(ARG_IN, 36)},    // TCSETS
    {0x5403, BYTES(ARG_IN, 36)},    // TCSETSW
    {0x5404, BYTES(ARG_IN, 36)},    // TCSETSF
    {0x5405, BYTES(ARG_OUT, 18)},   // TCGETA
    {0x5406, BYTES(ARG_IN, 18)},    // TCSETA
    {0x5407, BYTES(ARG_IN, 18)},    // TCSETAW
    {0x5408, BYTES(ARG_IN, 18)},    // TCSETAF
    {0x540f, BYTES(ARG_OUT, 4)},    // TIOCGPGRP
    {0x5410, BYTES(ARG_IN, 4)},     // TIOCSPGRP
    {0x5411, BYTES(ARG_OUT, 4)},    // TIOCOUTQ
    {0x5412, BYTES(ARG_IN, 1)},     // TIOCSTI
    {0x5413, BYTES(ARG_OUT, 8)},    // TIOCGWINSZ
    {0x5414, BYTES(ARG_IN, 8)},     // TIOCSWINSZ
    {0x5415, BYTES(ARG_OUT, 4)},    // TIOCMGET
    {0x5416, BYTES(ARG_IN, 4)},     // TIOCMBIS
    {0x5417, BYTES(ARG_IN, 4)},     // TIOCMBIC
    {0x5418, BYTES(ARG_IN, 4)},     // TIOCMSET
    {0x5419, BYTES(ARG_OUT, 4)},    // TIOCGSOFTCAR
    {0x541a, BYTES(ARG_IN, 4)},     // TIOCSSOFTCAR
    {0x541b, BYTES(ARG_OUT, 4)},    // FIONREAD
    {0x5420, BYTES(ARG_IN, 4)},     // TIOCPKT
    {0x5421, BYTES(ARG_IN, 4)},     // FIONBIO
    {0x5423, BYTES(ARG_IN, 4)},     // TIOCSETD
    {0x5424, BYTES(ARG_OUT, 4)},    // TIOCGETD
    {0x5429, BYTES(ARG_OUT, 4)},    // TIOCGSID
    {0x5450, ARG_NONE},             // FIONCLEX
    {0x5451, ARG_NONE},             // FIOCLEX
    {0x5452, BYTES(ARG_IN, 4)},     // FIOASYNC
    {0x5460, BYTES(ARG_OUT, 8)},    // FIOQSIZE
    {0x8901, BYTES(ARG_IN, 4)},     // FIOSETOWN
    {0x8902, BYTES(ARG_IN, 4)},     // SIOCSPGRP
    {0x8903, BYTES(ARG_OUT, 4)},    // FIOGETOWN
    {0x8904, BYTES(ARG_OUT, 4)},    // SIOCGPGRP
    {0x8905, BYTES(ARG_OUT, 4)},    // SIOCATMARK
    {0x8906, BYTES(ARG_OUT, 16)},   // SIOCGSTAMP
};

struct ifconf_arg {
  i32 len, pad;
  u64 buf;
};

long mfr_call_ioctl(struct mfr_call *c) {
  struct mfr_row row;
  u32 cmd = (u32)c->a[1];
  for (u32 i = 0; i < sizeof old_ioctls / sizeof *old_ioctls; i++) {
    if (old_ioctls[i].cmd != cmd) continue;
    u32 spec = old_ioctls[i].spec;
    long r = mfr_shared_as(c, row_with(&row, c, spec == ARG_NONE ? 2 : 3, spec, REPEAT, 0));
    if (cmd == 0x5421 && r >= 0 && mfr_fd_known(c->a[0])) mfr_fd_set(c->a[0]);
    return r;
  }
  if (cmd >= 0x8910 && cmd <= 0x89ff && cmd != 0x8912) // network interfaces: struct ifreq, in and out
    return mfr_shared_as(c, row_with(&row, c, 3, BYTES(ARG_INOUT, 40), REPEAT, 0));
  u32 size = cmd >> 16 & 0x3fff, dir = cmd >> 30;
  if (dir && size) {
    u32 kind = dir == 1 ? ARG_IN : dir == 2 ? ARG_OUT : ARG_INOUT;
    return mfr_shared_as(c, row_with(&row, c, 3, BYTES(kind, size), REPEAT, BLOCKS));
  }
  if (cmd == 0x8912) mfr_collapse("uses an ioctl with a nested buffer (SIOCGIFCONF)", 0);
  return mfr_shared_as(c, row_with(&row, c, 3, ARG_LONG, REPEAT, BLOCKS));
}

long mfr_call_lseek(struct mfr_call *c) {
  struct mfr_row row = mfr_rows[c->nr];
  if (unlikely(mfr_self.proc_fds)) mfr_proc_seek(c->a[0], c->a[1]);
  // Only a move relative to where we are cannot simply be made again.
  if ((u32)c->a[2] != 1 || c->a[1] == 0) row.commit = REPEAT;
  return mfr_shared_as(c, &row);
}

long mfr_call_close_range(struct mfr_call *c) {
  if ((u32)c->a[2] & 2) { // CLOSE_RANGE_UNSHARE: a table of its own
    mfr_go_native("unshares its descriptor table", c->frame);
    return mfr_gate(c->nr, c->a[0], c->a[1], c->a[2], 0, 0, 0);
  }
  long r = mfr_shared(c);
  if (r == 0 && !((u32)c->a[2] & 4))
    for (u64 fd = (u32)c->a[0]; fd <= (u32)c->a[1] && fd < MFR_MAX_FDS; fd++) mfr_fd_clear((long)fd);
  return r;
}

// "/proc/self" is a link to the pid: the guest's, not the replica's.
static long own_pid_link(struct mfr_call *c, u32 path_at, long result) {
  char pid[24];
  u32 n = mfr_format(pid, (u64)mfr_self.vpid);
  int self = 0;
  if (result <= 0) return result;
  if (MFR_TRY()) {
    const char *s = (const char *)c->a[path_at];
    self = mfr_streq_prefix(s, "/proc/self") && s[10] == 0;
    if (self) {
      u64 cap = (u64)c->a[path_at + 2];
      if (n > cap) n = (u32)cap;
      memcpy((void *)c->a[path_at + 1], pid, n);
    }
    MFR_TRY_END();
  } else return -MFR_EFAULT;
  return self ? (long)n : result;
}
long mfr_call_readlink(struct mfr_call *c) { return own_pid_link(c, 0, mfr_shared(c)); }
long mfr_call_readlinkat(struct mfr_call *c) { return own_pid_link(c, 1, mfr_shared(c)); }

static long open_path(struct mfr_call *c, u32 path_at) {
  long r;
  return mfr_proc_open(c, path_at, &r) ? r : mfr_shared(c);
}
long mfr_call_open(struct mfr_call *c) { return open_path(c, 0); }
long mfr_call_openat(struct mfr_call *c) { return open_path(c, 1); }
