// calls/exec.c - becoming another program.
#include "../shim.h"

static int is_empty(const char *path) {
  char first = 1;
  if (mfr_self.mode == MFR_CHILD) return mfr_peek(&first, (u64)path, 1) == 0 && !first;
  return !path[0];
}
// Whether the shim can be preloaded into a file: x86-64, dynamically linked, no privilege gained.
// Follows `#!`. Returns 1 yes, 0 no, -errno when it cannot be read (then execve says what is wrong).
static long preloadable(long dirfd, const char *path, long flags, int depth) {
  static u8 head[4096];
  static u64 st[18];
  long fd = (flags & 0x1000) && is_empty(path) ? dirfd : SYS4(openat, dirfd, path, 02000000, 0);
  if (fd < 0) return fd;
  long n = SYS4(pread64, fd, head, sizeof head, 0);
  long e = SYS2(fstat, fd, st);
  if (n > 0 && mfr_self.mode == MFR_ON_LANE) mfr_account((u64)n, 0);
  if (fd != dirfd) SYS1(close, fd);
  if (n < 64 || e < 0) return n < 0 ? n : 1;
  u32 mode = (u32)st[3]; // st_mode follows nlink at byte 24
  if (mode & 06000) return 0;
  if (head[0] == '#' && head[1] == '!') {
    if (depth > 4) return 1;
    static char interpreter[256];
    long i = 2, k = 0;
    while (i < n && (head[i] == ' ' || head[i] == '\t')) i++;
    while (i < n && k < 255 && head[i] > ' ') interpreter[k++] = (char)head[i++];
    interpreter[k] = 0;
    return preloadable(-100, interpreter, 0, depth + 1);
  }
  // What is no program the kernel refuses, and the guest goes on: nothing is to be given up for it.
  if (head[0] != 0x7f || head[1] != 'E' || head[2] != 'L' || head[3] != 'F' || (head[16] != 2 && head[16] != 3)) return 1;
  if (head[4] != 2 || head[18] != 62) return 0;
  u64 phoff;
  u16 phsize, phnum;
  __builtin_memcpy(&phoff, head + 32, 8);
  __builtin_memcpy(&phsize, head + 54, 2);
  __builtin_memcpy(&phnum, head + 56, 2);
  for (u32 i = 0; i < phnum; i++) {
    u64 at = phoff + (u64)i * phsize;
    u32 type;
    if (at + 4 > (u64)n) break;
    __builtin_memcpy(&type, head + at, 4);
    if (type == 3) return 1; // PT_INTERP
  }
  return 0;
}

struct exec_ctx {
  long dirfd, flags;
  u64 path, argv, envp;
};
static u64 hash_vector(u64 at, u64 h) {
  const u64 *v = (const u64 *)at;
  for (u32 i = 0; v && v[i] && i < 100000; i++) h = mfr_hash((const void *)v[i], mfr_strlen((const char *)v[i]), h);
  return h;
}
static u64 exec_prepare(struct mfr_call *c, void *ctx, u64 *hash) {
  (void)c;
  struct exec_ctx *x = ctx;
  u64 h = 0;
  if (MFR_TRY()) {
    h = mfr_hash((const void *)x->path, mfr_strlen((const char *)x->path), h);
    h = hash_vector(x->argv, h);
    h = hash_vector(x->envp, h);
    MFR_TRY_END();
  } else h = 1;
  *hash = h;
  return 0;
}

// The guest's vector, and where in it LD_PRELOAD is. -1: it is bad. Where MFR_TRY is not to be had it is copied to `to`.
static i64 look_through(u64 envp, u64 *preload) {
  i64 n = 0;
  const u64 *v = (const u64 *)envp;
  *preload = 0;
  if (mfr_self.mode == MFR_CHILD) {
    for (u64 entry = 0; v; n++) {
      char head[12];
      if (mfr_peek(&entry, envp + (u64)n * 8, 8) < 0) return -1;
      if (!entry) break;
      // A short one may end where its mapping does.
      if (mfr_peek(head, entry, 11) == 0 && (head[11] = 0, mfr_streq_prefix(head, "LD_PRELOAD="))) *preload = entry;
    }
    return n;
  }
  int whole = 0;
  if (MFR_TRY()) {
    for (; v && v[n]; n++)
      if (mfr_streq_prefix((const char *)v[n], "LD_PRELOAD=")) *preload = v[n];
    MFR_TRY_END();
    whole = 1;
  }
  return whole ? n : -1;
}

// ---- how the new image comes to the buffer ----------------------------------------------------------------------
static int opens(const char *path, long flags) {
  long fd = SYS4(openat, -100, path, 02000000 | flags, 0);
  if (fd >= 0) SYS1(close, fd);
  return fd >= 0;
}

// The one descriptor that a datagram of the anchor's brings, or -1. Others may send to the socket, too: theirs are closed.
static i32 descriptor_in(const u8 *control, u64 bytes) {
  const u8 *rights = NULL;
  u64 count = 0;
  i32 from = 0, fd = -1;
  for (u64 at = 0; at + 16 <= bytes;) { // struct cmsghdr: length, level, type
    u64 len;
    u32 type;
    __builtin_memcpy(&len, control + at, 8);
    __builtin_memcpy(&type, control + at + 12, 4);
    if (len < 16) break;
    if (type == 1 /* SCM_RIGHTS */) rights = control + at + 16, count = (len - 16) / 4;
    if (type == 2 /* SCM_CREDENTIALS */) __builtin_memcpy(&from, control + at + 16, 4);
    at += (len + 7) & ~7ull;
  }
  int ours = from == mfr_self.h->anchor_pid && count == 1;
  for (u64 i = 0; i < count; i++) {
    __builtin_memcpy(&fd, rights + 4 * i, 4);
    if (!ours) SYS1(close, fd);
  }
  return ours ? fd : -1;
}

// A descriptor of the buffer, from the anchor, or -errno. By a socket whose address the kernel has chosen.
static long borrow_buffer(struct mfr_turn *t) {
  struct {
    u16 family;
    char name[126];
  } address = {1 /* AF_UNIX */, {0}};
  u64 control[16];
  u8 byte;
  struct mfr_iovec iov = {(u64)&byte, 1};
  struct mfr_msghdr m = {0};
  u32 size = sizeof address;
  i32 on = 1, fd = -1;
  int joiner;
  long s = SYS3(socket, 1, 2 /* SOCK_DGRAM */ | 02000000, 0);
  if (s < 0) return s;
  SYS5(setsockopt, s, 1, 16 /* SO_PASSCRED */, &on, sizeof on);
  if (SYS3(bind, s, &address, sizeof address.family) == 0 && SYS3(getsockname, s, &address, &size) == 0) {
    long args[6] = {(long)(size - sizeof address.family), 0, 0, 0, 0, 0};
    mfr_rpc(t, MFR_ASK_BUFFER, args, address.name, (u32)args[0], 0, &joiner);
    do {
      m.iov = (u64)&iov, m.iovlen = 1, m.control = (u64)control, m.controllen = sizeof control;
      if (SYS3(recvmsg, s, &m, 0x40 /* MSG_DONTWAIT */) < 0) break;
      fd = descriptor_in((const u8 *)control, m.controllen);
    } while (fd < 0);
  }
  SYS1(close, s);
  return fd >= 0 ? fd : -MFR_ENOMEM;
}

// The environment with ours put back at its end (see init.c), in memory of its own. NULL: the guest's vector is bad.
static u64 *exec_environment(u64 envp, u64 *bytes, long buffer) {
  u64 old_preload;
  i64 n = look_through(envp, &old_preload);
  if (n < 0) return NULL;
  const u64 *v = (const u64 *)envp;
  u64 old_len = old_preload ? mfr_strlen((const char *)old_preload) : 0;
  *bytes = (((u64)n + 4) * 8 + 1024 + MFR_TOOL_BYTES + MFR_FAMILY_BYTES + old_len + MFR_PAGE - 1) / MFR_PAGE * MFR_PAGE;
  long m = SYS6(mmap, 0, *bytes, 3, 0x22, -1, 0);
  if (m < 0 && m > -4096) return NULL;
  u64 *out = (u64 *)m;
  char *s = (char *)(out + n + 4);
  u64 k = 0;
  for (i64 i = 0; i < n; i++) out[k++] = v[i];
  out[k++] = (u64)s;
  memcpy(s, "LD_PRELOAD=", 11);
  s += 11;
  u64 len = mfr_strlen(mfr_self.shim_path);
  memcpy(s, mfr_self.shim_path, len);
  s += len;
  if (old_preload && old_len > 11) {
    *s++ = ':';
    memcpy(s, (const char *)old_preload + 11, old_len - 11);
    s += old_len - 11;
  }
  *s++ = 0;
  out[k++] = (u64)s;
  if (mfr_self.mode == MFR_CHILD) {
    mfr_tree_variable(s);
  } else {
    memcpy(s, "MFR_BUFFER=", 11);
    s += 11;
    len = mfr_strlen(mfr_self.buffer_path);
    memcpy(s, mfr_self.buffer_path, len + 1);
    if (buffer >= 0) s[len] = ' ', s[len + 1 + mfr_format(s + len + 1, (u64)buffer)] = 0;
  }
  out[k] = 0;
  return out;
}

// Of a process that is no set. SIGSYS and the kick are handled, so the kernel sets them back by itself.
static long exec_off_lane(struct exec_ctx *x, int preloads) {
  u64 bytes = 0;
  u64 *env = preloads ? exec_environment(x->envp, &bytes, -1) : NULL;
  long r = SYS5(execveat, x->dirfd, x->path, x->argv, env ? (u64)env : x->envp, x->flags);
  if (env) SYS2(munmap, env, bytes);
  return r;
}

static long exec_produce(struct mfr_call *c, void *ctx, struct mfr_turn *t, u8 *data) {
  (void)c;
  struct exec_ctx *x = ctx;
  struct mfr_header *h = mfr_self.h;
  u64 bytes = 0;
  long buffer = -1;
  if (data && t->retry) // what a dead leader has borrowed
    for (long k = 0, left = -1; k < 2; k++) {
      left = mfr_lowest_free(left + 1);
      if (SYS2(fcntl, left, 1 /* F_GETFD */) >= 0) SYS1(close, left);
    }
  if (!opens(mfr_self.buffer_path, 2 /* O_RDWR */) && (buffer = borrow_buffer(t)) < 0) return buffer;
  u64 *env = exec_environment(x->envp, &bytes, buffer);
  if (!env) {
    if (buffer >= 0) SYS1(close, buffer);
    return -MFR_EFAULT;
  }
  h->sig_blocked = mfr_self.vmask;
  mfr_signalfd_keep();
  mfr_store_release32((u32 *)&h->exec_pid, (u32)mfr_self.rpid);
  struct mfr_sigaction ign = {1, 0, 0, 0};
  for (u32 s = 1; s < MFR_NSIG; s++)
    if ((MFR_FAULTS & SIG_BIT(s)) && mfr_self.action[s].handler == 1) SYS4(rt_sigaction, s, &ign, NULL, 8);
  // A kick must not find the new image before it has a handler for it.
  u64 all = ~0ull, real = MFR_REAL_MASK;
  mfr_unmark_alive(); // to the robust list, an exec is a death
  SYS4(rt_sigprocmask, 2 /* SIG_SETMASK */, &all, NULL, 8);
  long r = SYS5(execveat, x->dirfd, x->path, x->argv, env, x->flags);
  mfr_mark_alive();
  SYS4(rt_sigprocmask, 2, &real, NULL, 8);
  mfr_store_release32((u32 *)&h->exec_pid, 0);
  mfr_self.faults_lent |= 1u << MFR_SIGSEGV | 1u << MFR_SIGBUS | 1u << MFR_SIGFPE | 1u << MFR_SIGILL | 1u << MFR_SIGTRAP;
  SYS2(munmap, env, bytes);
  if (buffer >= 0) SYS1(close, buffer);
  return r;
}
static const struct mfr_shape exec_shape = {exec_prepare, exec_produce, mfr_no_used, mfr_no_consume, NULL};

enum { UNREACHABLE = 2 };
static long probe_produce(struct mfr_call *c, void *ctx, struct mfr_turn *t, u8 *data) {
  (void)c, (void)t, (void)data;
  const long *p = ctx;
  long r = 1;
  if (MFR_TRY()) {
    r = preloadable(p[0], (const char *)p[1], p[2], 0);
    MFR_TRY_END();
  } else r = 1;
  if (r == 1 && !opens(mfr_self.shim_path, 0)) r = UNREACHABLE;
  if (r == 0 || r == UNREACHABLE) { // only give the set up for something that will really run
    long e = SYS4(faccessat2, p[0], p[1], 1, p[2] & 0x1000);
    if (e < 0 && e != -MFR_ENOSYS) r = 1;
  }
  return r;
}
static const struct mfr_shape probe_shape = {mfr_no_prepare, probe_produce, mfr_no_used, mfr_no_consume, NULL};
static long probe(struct mfr_call *c, long dirfd, u64 path, long flags) {
  long p[3] = {dirfd, (long)path, flags};
  struct mfr_row row = mfr_rows[c->nr];
  row.commit = REPEAT;
  row.flags = 0;
  return mfr_lane_call_as(c, &row, &probe_shape, p);
}

static long do_exec(struct mfr_call *c, struct exec_ctx *x) {
  if (mfr_self.mode == MFR_CHILD) return exec_off_lane(x, preloadable(x->dirfd, (const char *)x->path, x->flags, 0) > 0 && opens(mfr_self.shim_path, 0));
  // Asked in the lane: a file may change, and all must go the same way.
  struct mfr_call q = *c;
  long can = probe(&q, x->dirfd, x->path, x->flags);
  if (can == 0 || can == UNREACHABLE) {
    mfr_threads_forked(); // none but the one that executes lives on
    mfr_signalfd_to_kernel();
    mfr_go_native(can ? "runs a program where MFR cannot be reached (root directory)"
                      : "runs a program that cannot be preloaded (static or set-uid)", c->frame);
    u64 mask = mfr_self.vmask;
    SYS4(rt_sigprocmask, 2, &mask, NULL, 8);
    return SYS5(execveat, x->dirfd, x->path, x->argv, x->envp, x->flags);
  }
  return mfr_lane_call(c, &exec_shape, x);
}

long mfr_call_execve(struct mfr_call *c) {
  struct exec_ctx x = {-100, 0, (u64)c->a[0], (u64)c->a[1], (u64)c->a[2]};
  return do_exec(c, &x);
}
long mfr_call_execveat(struct mfr_call *c) {
  struct exec_ctx x = {(i32)c->a[0], (u32)c->a[4], (u64)c->a[1], (u64)c->a[2], (u64)c->a[3]};
  return do_exec(c, &x);
}
