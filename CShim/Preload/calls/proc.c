// calls/proc.c - files of /proc that show the guest's ids, threads and signals.
//
// The leader gives a copy that shows the guest. It is what the file said when it was opened; a program that keeps such a
// file open and reads it again sees that again. A thread is named by writing to such a copy, and the directory of threads
// is listed here: its descriptor only holds the place.
#include "../shim.h"

#define PROC_BYTES 16384u
#define O_CLOEXEC 02000000u
#define O_DIRECTORY 0200000u
#define O_PATH 010000000u

struct text {
  char *at;
  u32 n;
};
static void put(struct text *out, const char *s, u64 n) {
  if (out->n + n > PROC_BYTES) n = PROC_BYTES - out->n;
  memcpy(out->at + out->n, s, n);
  out->n += (u32)n;
}
static void put_number(struct text *out, u64 value) {
  char digits[24];
  put(out, digits, mfr_format(digits, value));
}
static void put_mask(struct text *out, u64 mask) {
  for (int shift = 60; shift >= 0; shift -= 4) put(out, &"0123456789abcdef"[mask >> shift & 15], 1);
}
static void put_name(struct text *out, const struct mfr_thread *t) {
  u32 n = 0;
  while (n < 15 && t->name[n]) n++;
  put(out, t->name, n);
}

// ---- what the copies show: of the process (no thread), or of a thread ------------------------------------------
static u64 handled(int ignored) {
  u64 set = 0;
  for (u32 s = 1; s < MFR_NSIG; s++)
    if (ignored ? mfr_self.action[s].handler == 1 : mfr_self.action[s].handler > 1) set |= SIG_BIT(s);
  return set;
}
static u64 blocked(const struct mfr_thread *t) {
  return !t || t == mfr_self.thread ? mfr_self.vmask : t->saved.vmask;
}
// To the kernel all names but the first thread's are unknown.
static int named_here(const struct mfr_thread *t) { return t && t->number; }

// "Name:\tvalue" in lines.
static void show_status(const char *in, u32 n, const struct mfr_thread *t, struct text *out) {
  enum { NAME, TGID, NSTGID, PID, NSPID, PPID, THREADS, SIG_PND, SHD_PND, SIG_BLK, SIG_IGN, SIG_CGT, ALL };
  static const char *const names[] = {"Name:\t", "Tgid:\t", "NStgid:\t", "Pid:\t", "NSpid:\t", "PPid:\t", "Threads:\t",
                                      "SigPnd:\t", "ShdPnd:\t", "SigBlk:\t", "SigIgn:\t", "SigCgt:\t"};
  for (u32 i = 0; i < n;) {
    u32 end = i;
    while (end < n && in[end] != '\n') end++;
    u32 k = 0;
    while (k < ALL && !mfr_streq_prefix(in + i, names[k])) k++;
    if (k == ALL || (k == NAME && !named_here(t))) {
      put(out, in + i, end - i);
    } else {
      put(out, names[k], mfr_strlen(names[k]));
      switch (k) {
      case NAME: put_name(out, t); break;
      case TGID: case NSTGID: put_number(out, (u64)mfr_self.vpid); break;
      case PID: case NSPID: put_number(out, (u64)(t ? t->tid : mfr_self.vpid)); break;
      case PPID: put_number(out, (u64)mfr_self.h->anchor_ppid); break;
      case THREADS: put_number(out, mfr_self.threads); break;
      case SIG_PND: put_mask(out, 0); break;
      case SHD_PND: put_mask(out, mfr_pending(~0ull)); break;
      case SIG_BLK: put_mask(out, blocked(t)); break;
      default: put_mask(out, handled(k == SIG_IGN)); break;
      }
    }
    put(out, "\n", end < n);
    i = end + 1;
  }
}

// "pid (name) state ppid group session … threads …": the name may hold anything.
static void show_stat(const char *in, u32 n, const struct mfr_thread *t, struct text *out) {
  u32 name = 0, close = 0;
  while (name < n && in[name] != ' ') name++;
  for (u32 i = 0; i < n; i++)
    if (in[i] == ')') close = i;
  put_number(out, (u64)(t ? t->tid : mfr_self.vpid));
  if (close < name) {
    put(out, in + name, n - name);
    return;
  }
  if (named_here(t)) {
    put(out, " (", 2);
    put_name(out, t);
  } else put(out, in + name, close - name);
  put(out, ")", 1);
  for (u32 i = close + 1, field = 2; i < n;) { // each with the blank before it
    u32 end = i + 1;
    while (end < n && in[end] != ' ') end++;
    field++;
    if (field == 4 || field == 5 || field == 6 || field == 20) {
      put(out, " ", 1);
      long v = field == 4 ? mfr_self.h->anchor_ppid : field == 5 ? SYS1(getpgid, mfr_self.vpid)
               : field == 6 ? SYS1(getsid, mfr_self.vpid) : (long)mfr_self.threads;
      put_number(out, (u64)v);
    } else put(out, in + i, end - i);
    i = end;
  }
}

static void show_name(const char *in, u32 n, const struct mfr_thread *t, struct text *out) {
  if (!named_here(t)) {
    put(out, in, n);
    return;
  }
  put_name(out, t);
  put(out, "\n", 1);
}

static const struct proc_file {
  const char *name;
  void (*show)(const char *in, u32 n, const struct mfr_thread *t, struct text *out);
} proc_files[] = {
    {"/status", show_status},
    {"/stat", show_stat},
    {"/comm", show_name},
};

// ---- descriptors of names and of the directory of threads ------------------------------------------------------------
#define PROC_FDS 16u
#define DIRECTORY (-1)
#define SCORE (-2)
static struct {
  i32 fd, tid; // of the thread that it names, or DIRECTORY, or SCORE: /proc/self/oom_score_adj, which the anchor shows, too
  i64 at;      // DIRECTORY: 1 behind ".", 2 behind "..", 3 behind the first thread, or the id of the last one shown
} proc_fds[PROC_FDS];

static int place_of(long fd) {
  for (u32 i = 0; i < mfr_self.proc_fds; i++)
    if (proc_fds[i].fd == fd) return (int)i;
  return -1;
}
void mfr_proc_forget(long fd) {
  int i = place_of(fd);
  if (i >= 0) proc_fds[i] = proc_fds[--mfr_self.proc_fds];
}
static void remember(long fd, i32 tid) {
  if (mfr_self.proc_fds == PROC_FDS) return;
  proc_fds[mfr_self.proc_fds].fd = (i32)fd;
  proc_fds[mfr_self.proc_fds].tid = tid;
  proc_fds[mfr_self.proc_fds++].at = 0;
}

// To a thread's /comm: each replica has the names.
void mfr_proc_written(struct mfr_call *c, long n) {
  int i = place_of(c->a[0]);
  if (i >= 0 && proc_fds[i].tid == SCORE) mfr_renamed(c);
  struct mfr_thread *t = i < 0 || proc_fds[i].tid < 0 ? NULL : mfr_thread_of(proc_fds[i].tid);
  char name[16] = {0};
  if (!t) return;
  if (MFR_TRY()) {
    memcpy(name, (const void *)c->a[1], n < 15 ? (u64)n : 15);
    MFR_TRY_END();
  } else return;
  memcpy(t->name, name, sizeof name);
  if (t->number) return;
  SYS2(prctl, 15 /* PR_SET_NAME */, name);
  mfr_renamed(c);
}

void mfr_proc_seek(long fd, long to) {
  int i = place_of(fd);
  if (i >= 0) proc_fds[i].at = to;
}
static i32 next_thread(i64 behind) {
  if (behind < 3) return mfr_self.vpid;
  i32 next = 0;
  for (u32 i = 0; i < mfr_thread_places; i++) {
    const struct mfr_thread *t = mfr_thread_table[i];
    if (t->state != MFR_THREAD_FREE && t->number && t->tid > behind && (!next || t->tid < next)) next = t->tid;
  }
  return next;
}
static long list_threads(struct mfr_call *c, i64 *at) {
  u64 used = 0, room = (u32)c->a[2];
  for (;;) {
    u8 entry[40] = {0};
    u64 ino = 1;
    i64 behind = *at < 2 ? *at + 1 : 0;
    char name[24] = "..";
    u32 n = (u32)behind;
    if (*at >= 2) {
      i32 tid = next_thread(*at);
      if (!tid) return (long)used;
      behind = *at == 2 ? 3 : tid;
      n = mfr_format(name, (u64)tid);
    }
    u16 bytes = (u16)((19 + n + 1 + 7) & ~7u);
    if (used + bytes > room) return used ? (long)used : -MFR_EINVAL;
    __builtin_memcpy(entry, &ino, 8);
    __builtin_memcpy(entry + 8, &behind, 8);
    __builtin_memcpy(entry + 16, &bytes, 2);
    entry[18] = 4; // DT_DIR
    memcpy(entry + 19, name, n);
    int ok = 0;
    if (MFR_TRY()) {
      memcpy((u8 *)c->a[1] + used, entry, bytes);
      MFR_TRY_END();
      ok = 1;
    }
    if (!ok) return -MFR_EFAULT;
    used += bytes;
    *at = behind;
  }
}
long mfr_call_getdents64(struct mfr_call *c) {
  int i = likely(!mfr_self.proc_fds) ? -1 : place_of(c->a[0]);
  if (likely(i < 0) || proc_fds[i].tid != DIRECTORY) return mfr_shared(c);
  return list_threads(c, &proc_fds[i].at);
}

// ---- the copy --------------------------------------------------------------------------------------------------------
struct proc_ctx {
  const struct proc_file *file;
  i32 tid;
  u32 flags;
};
static u64 proc_prepare(struct mfr_call *c, void *ctx, u64 *hash) {
  (void)c;
  const struct proc_ctx *x = ctx;
  *hash = mfr_mix((u64)(x->file - proc_files), x->flags);
  return 0;
}
static long proc_produce(struct mfr_call *c, void *ctx, struct mfr_turn *t, u8 *data) {
  (void)c;
  const struct proc_ctx *x = ctx;
  static char in[PROC_BYTES + 1], shown[PROC_BYTES], path[64];
  struct text out = {shown, 0};
  if (data && t->retry) { // what a dead leader has left half made
    long left = mfr_lowest_free(0);
    if (SYS2(fcntl, left, 1 /* F_GETFD */) >= 0) SYS1(close, left);
  }
  const char *to = x->tid ? "/proc/thread-self" : "/proc/self";
  memcpy(path, to, mfr_strlen(to));
  memcpy(path + mfr_strlen(to), x->file->name, mfr_strlen(x->file->name) + 1);
  long fd = SYS4(openat, -100, path, O_CLOEXEC, 0);
  if (fd < 0) return fd;
  u32 n = 0;
  long r;
  while (n < PROC_BYTES && (r = SYS3(read, fd, in + n, PROC_BYTES - n)) > 0) n += (u32)r;
  SYS1(close, fd);
  in[n] = 0;
  x->file->show(in, n, x->tid ? mfr_thread_of(x->tid) : NULL, &out);
  fd = SYS2(memfd_create, x->file->name + 1, x->flags & O_CLOEXEC ? 1 : 0);
  if (fd < 0) return fd;
  SYS4(pwrite64, fd, shown, out.n, 0);
  SYS2(fchmod, fd, x->file->show == show_name ? 0644 : 0444);
  mfr_account((u64)n, (u64)out.n);
  return fd;
}
static const struct mfr_shape proc_shape = {proc_prepare, proc_produce, mfr_no_used, mfr_no_consume, NULL};

// The copy that a path asks for. A name is the kernel's to tell where it knows it.
static int wants_copy(const struct proc_ctx *x) {
  if (!x->file || (x->flags & (O_PATH | O_DIRECTORY))) return 0;
  if (x->file->show == show_name) return (x->flags & 3) || named_here(x->tid ? mfr_thread_of(x->tid) : NULL);
  return !(x->flags & 3);
}
// What somebody else has set for the guest's pid is there when the guest looks.
static long open_score(struct mfr_call *c, u32 flags) {
  struct mfr_call q = *c;
  q.signo = 0;
  mfr_renamed(&q);
  mfr_self.hold_signals = q.signo != 0;
  long fd = mfr_shared(c);
  mfr_self.hold_signals = 0;
  if (q.signo) c->signo = q.signo, c->info = q.info;
  if (fd >= 0 && (flags & 3)) remember(fd, SCORE);
  return fd;
}
int mfr_proc_open(struct mfr_call *c, u32 path_at, long *result) {
  struct proc_ctx x = {NULL, 0, (u32)c->a[path_at + 1]};
  int directory = 0, score = 0;
  if (MFR_TRY()) {
    const char *rest = mfr_own_proc((const char *)c->a[path_at], &x.tid);
    for (u32 i = 0; rest && i < sizeof proc_files / sizeof *proc_files; i++)
      if (mfr_streq_prefix(rest, proc_files[i].name) && !rest[mfr_strlen(proc_files[i].name)]) x.file = &proc_files[i];
    if (rest) score = mfr_streq_prefix(rest, "/oom_score_adj") && !rest[14];
    if (rest && mfr_streq_prefix(rest, "/task")) directory = !rest[5] || (rest[5] == '/' && !rest[6]);
    MFR_TRY_END();
  } else x.file = NULL;
  if (unlikely(directory)) {
    *result = mfr_shared(c);
    if (*result >= 0 && !(x.flags & O_PATH)) remember(*result, DIRECTORY);
    return 1;
  }
  if (unlikely(score)) {
    *result = open_score(c, x.flags);
    return 1;
  }
  if (likely(!x.file) || !wants_copy(&x)) return 0;
  struct mfr_row row = mfr_rows[c->nr];
  row.commit = REPEAT;
  *result = mfr_lane_call_as(c, &row, &proc_shape, &x);
  if (*result < 0) return 1;
  mfr_fd_set(*result);
  if (x.flags & 3) remember(*result, x.tid ? x.tid : mfr_self.vpid);
  return 1;
}
