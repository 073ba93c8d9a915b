// promote.c - a process of the guest becomes a set of its own.
//
// Process P, which parent, pid files and process groups know, clones itself: the clone carries the guest on, as
// replica 0, and P executes mfr-run, which makes it the anchor of the new set (Swift: Adoption). So the pid stays, and
// with it all that the kernel keeps for it: parent, children, session, pending signals, interval timer.
//
//   P, at a call                          clone R
//   new buffer (memfd), R cloned ───────▶ waits: adoption.state
//   execve mfr-run ── fails: R is killed, P goes on as before, for good
//   closes the guest's descriptors
//   header, coordinator
//   adoption.state = LANE ──────────────▶ attaches, makes the call on the lane; the coordinator makes duplicates
//
// P and R have one descriptor table until the execve gives P a copy: locks of files stay with R.
#include "shim.h"

#define CLONE_FILES 0x400
#define CLONE_SYSVSEM 0x40000
#define SIG_SETMASK 2
#define RLIMIT_DATA 2
#define RLIMIT_AS 9
#define OURS (SIG_BIT(MFR_SIGSYS) | SIG_BIT(MFR_KICK_SIGNAL))

// ---- the family's text -----------------------------------------------------------------------------------
u64 mfr_tree_variable(char *out) {
  const struct mfr_tree *t = &mfr_self.tree;
  char *s = out;
  memcpy(s, "MFR_TREE=", 9);
  s += 9;
  s += mfr_format(s, t->level);
  *s++ = ',';
  s += mfr_format(s, t->young_ms);
  *s++ = ',';
  u64 n = mfr_strlen(t->tool);
  memcpy(s, t->tool, n);
  s += n;
  *s++ = '\n';
  n = mfr_strlen(t->family);
  memcpy(s, t->family, n + 1);
  return (u64)(s - out) + n + 1;
}

// The line "key=value" of the family's text: the value, its length in *n.
static const char *family_value(const char *key, u64 *n) {
  const char *s = mfr_self.tree.family;
  while (*s) {
    u64 len = 0, k = mfr_strlen(key);
    while (s[len] && s[len] != '\n') len++;
    if (mfr_streq_prefix(s, key) && s[k] == '=') {
      *n = len - k - 1;
      return s + k + 1;
    }
    s += len + (s[len] != 0);
  }
  *n = 0;
  return NULL;
}

// One line in the events file: why this process stays as it is. The coordinator's events have the same form.
static void note(const char *why) {
  char path[512], line[768], *s = line;
  u64 n;
  const char *events = family_value("events", &n);
  if (!events || !n || n >= sizeof path) return;
  memcpy(path, events, n);
  path[n] = 0;
#define PUT(text) (memcpy(s, text, sizeof text - 1), s += sizeof text - 1)
#define NUMBER(v) (s += mfr_format(s, (u64)(v)))
  PUT("{\"monotonic_ns\":");
  NUMBER(mfr_now());
  PUT(",\"level\":\"warning\",\"event\":\"unprotected\",\"pid\":");
  NUMBER(mfr_self.rpid);
  PUT(",\"text\":\"");
  n = mfr_strlen(why);
  memcpy(s, why, n);
  s += n;
  PUT("\"}\n");
  long fd = SYS4(openat, -100, path, 02006001 /* O_WRONLY | O_APPEND | O_CLOEXEC | O_NONBLOCK */, 0);
  if (fd < 0) return;
  SYS3(write, fd, line, s - line);
  SYS1(close, fd);
}

// ---- what cannot be a set ----------------------------------------------------------------------------------
// Writable memory that others may share: the permissions of a line of /proc/self/maps.
static int maps_shared(void) {
  static char text[4096];
  long fd = SYS4(openat, -100, "/proc/self/maps", 02000000, 0), n;
  u32 field = 0, at = 0;
  int write = 0, found = 0;
  if (fd < 0) return 0;
  while (!found && (n = SYS3(read, fd, text, sizeof text)) > 0)
    for (long i = 0; i < n && !found; i++) {
      char b = text[i];
      if (b == '\n') field = 0, at = 0;
      else if (b == ' ') field++, at = 0;
      else if (field == 1 && ++at == 2) write = b == 'w';
      else if (field == 1 && at == 4) found = write && b == 's';
    }
  SYS1(close, fd);
  return found;
}
static int limited(u32 resource) {
  u64 limit[2] = {0, 0};
  return SYS4(prlimit64, 0, resource, NULL, limit) == 0 && limit[0] != ~0ull;
}
static const char *unfit(void) {
  if (maps_shared()) return "maps writable shared memory";
  // P would run mfr-run under it, and what does not start cannot go back.
  if (limited(RLIMIT_AS) || limited(RLIMIT_DATA)) return "has a limit on its memory";
  if (!mfr_vdso_init(mfr_self.vdso)) return "the kernel's clock functions (vDSO) cannot be replaced";
  return NULL;
}

// ---- the clone ---------------------------------------------------------------------------------------------
static void track_descriptors(void) {
  static struct { u64 ino, off; u16 bytes; u8 type; char name[4096 - 19]; } room;
  mfr_fd_forget_all();
  mfr_mask_learn();
  long dir = SYS4(openat, -100, "/proc/self/fd", 02200000 /* O_DIRECTORY | O_CLOEXEC */, 0), n;
  if (dir < 0) {
    mfr_track_inherited();
    return;
  }
  while ((n = SYS3(getdents64, dir, &room, sizeof room)) > 0)
    for (long at = 0; at < n;) {
      const u8 *entry = (const u8 *)&room + at;
      u16 bytes;
      __builtin_memcpy(&bytes, entry + 16, 2);
      long fd = 0;
      for (const u8 *d = entry + 19; *d >= '0' && *d <= '9'; d++) fd = fd * 10 + (*d - '0');
      if (entry[19] != '.' && fd != dir) mfr_fd_set(fd);
      at += bytes ? bytes : n;
    }
  SYS1(close, dir);
}

// What the lane has kept in this process so far was another set's, if anything.
void mfr_leave_lane(int keep_buffer) {
  struct mfr_self *m = &mfr_self;
  if (!keep_buffer && m->base) SYS2(munmap, m->base, MFR_BUFFER_BYTES + MFR_PAGE);
  m->base = NULL, m->h = NULL, m->me = NULL;
  m->index = 0;
  m->seq = m->data_pos = m->last_wake = m->last_wake_data = m->min_seq = m->min_data = 0;
  m->try_active = m->became_joiner = m->probing = m->alt_is_guest = m->faults_lent = 0;
  m->mmap_fence = m->memory_work = m->range_at = m->suspend_on = m->hold_signals = m->may_rerun = m->rerun = 0;
  m->mmap_seq = m->range_addr = m->kick_seq = 0;
  m->proc_fds = 0;
  m->mappings = m->map_files = m->map_leading = m->map_open = 0;
  m->leading = 0;
  m->in_sum = m->out_sum = 0;
  memset(&m->claim, 0, sizeof m->claim);
  memset(m->taken, 0, sizeof m->taken);
}

static u64 clear_tid, robust; // of P, which the kernel tells

static void join(struct mfr_call *c, u8 *buffer, long fd, i32 anchor, u64 mask) {
  struct mfr_header *h = mfr_header_of(buffer);
  mfr_self.rpid = (i32)SYS0(getpid);
  SYS5(prctl, 1 /* PR_SET_PDEATHSIG */, MFR_SIGKILL, 0, 0, 0);
  if (SYS0(getppid) != anchor) SYS1(exit_group, 125);
  u32 state;
  while ((state = mfr_load_acquire32(&h->adoption.state)) == MFR_ADOPTION_ASKED) // pairs with the release in Adoption
    mfr_futex_wait(&h->adoption.state, MFR_ADOPTION_ASKED, NULL);
  SYS1(close, fd);
  mfr_leave_lane(0);
  mfr_self.base = buffer;
  mfr_self.h = h;
  mfr_self.me = mfr_replica_at(buffer, 0);
  memcpy(mfr_self.buffer_path, "/proc/", 6);
  u32 n = 6 + mfr_format(mfr_self.buffer_path + 6, (u64)anchor);
  memcpy(mfr_self.buffer_path + n, "/fd/", 4);
  mfr_format(mfr_self.buffer_path + n + 4, (u64)fd);
  mfr_threads_begin(clear_tid, robust);
  mfr_self.vmask = mask | mfr_self.young.hidden;
  if (state == MFR_ADOPTION_NATIVE) {
    mfr_child_to_kernel(c->frame);
    mfr_self.mode = MFR_NATIVE;
    SYS4(rt_sigprocmask, SIG_SETMASK, &mfr_self.vmask, NULL, 8);
    return;
  }
  mfr_self.mce_policy = (i32)SYS5(prctl, 34 /* PR_MCE_KILL_GET */, 0, 0, 0, 0);
  SYS5(prctl, 33 /* PR_MCE_KILL */, 1 /* SET */, 1 /* EARLY */, 0, 0);
  mfr_mark_alive();
  mfr_signals_join(c->frame);
  track_descriptors();
  mfr_signalfd_from_kernel();
  mfr_self.young.due = 0;
  mfr_kicked = 0;
  mfr_self.mode = MFR_ON_LANE; // before a kick can come
  u64 real = MFR_REAL_MASK;
  SYS4(rt_sigprocmask, SIG_SETMASK, &real, NULL, 8);
  mfr_arm_dispatch();
  mfr_vdso_probe();
  mfr_account_begins();
  mfr_add_acqrel32(&h->attached, 1);
  mfr_wake_coordinator();
}

// ---- the anchor to be ----------------------------------------------------------------------------------------
// The header's part that only this process knows.
static void describe(struct mfr_header *h, u64 mask) {
  const struct mfr_tree *t = &mfr_self.tree;
  for (u32 s = 1; s < MFR_NSIG; s++) {
    u64 handler = mfr_self.action[s].handler;
    if (handler == 1) h->sig_ignored |= SIG_BIT(s);
    if (handler > 1) h->sig_caught |= SIG_BIT(s);
  }
  h->sig_blocked = mask | mfr_self.young.hidden;
  h->sig_child_flags = (u32)mfr_self.action[MFR_SIGCHLD].flags & (MFR_SA_NOCLDSTOP | MFR_SA_NOCLDWAIT);
  h->young_ms = t->young_ms;
  memcpy(h->tool, t->tool, sizeof h->tool);
  memcpy(h->family, t->family, sizeof h->family);
  h->adoption.level = t->level;
  // What it has used goes on in the replicas' counts.
  mfr_usage_hand_over(h);
}

// P shows the guest's command line.
static char **command_line(void) {
  static char text[4096];
  static char *argv[128];
  long fd = SYS4(openat, -100, "/proc/self/cmdline", 02000000, 0);
  long n = fd < 0 ? 0 : SYS3(read, fd, text, sizeof text - 1);
  u32 k = 0;
  if (fd >= 0) SYS1(close, fd);
  for (long i = 0; i < n && k < 127; i += (long)mfr_strlen(text + i) + 1) argv[k++] = text + i;
  if (!k) argv[k++] = text; // nothing is empty, too
  argv[k] = NULL;
  return argv;
}

// Returns in the clone, 1; in P when it failed, 0.
static int turn(struct mfr_call *c) {
  u64 all = ~0ull, mask = 0;
  const char *why = "cannot become a set: no memory for its buffer";
  SYS4(rt_sigprocmask, SIG_SETMASK, &all, &mask, 8);
  long fd = SYS2(memfd_create, "mfr", 2 | 8 /* MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL */), map = -1;
  if (fd == -MFR_EINVAL) fd = SYS2(memfd_create, "mfr", 2);
  if (fd >= 0 && fd < 3) { // P puts others there
    long moved = SYS3(fcntl, fd, 0 /* F_DUPFD */, 3);
    SYS1(close, fd);
    fd = moved;
  }
  if (fd >= 0 && SYS2(ftruncate, fd, MFR_BUFFER_BYTES) == 0 &&
      SYS3(fcntl, fd, 1033 /* F_ADD_SEALS */, 7 /* SEAL, SHRINK, GROW */) == 0)
    map = SYS6(mmap, 0, MFR_BUFFER_BYTES + MFR_PAGE, 3, 1 /* MAP_SHARED */, fd, 0);
  if (map > 0 || map < -4095) {
    struct mfr_header *h = mfr_header_of((void *)map);
    i32 anchor = mfr_self.rpid;
    u64 bytes;
    describe(h, mask);
    SYS5(prctl, 40 /* PR_GET_TID_ADDRESS */, &clear_tid, 0, 0, 0);
    SYS3(get_robust_list, 0, &robust, &bytes);
    long pid = SYS5(clone, CLONE_FILES | CLONE_SYSVSEM | MFR_SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) {
      join(c, (u8 *)map, fd, anchor, mask);
      return 1;
    }
    why = "cannot become a set: no room for another process";
    if (pid > 0) {
      h->adoption.pid = (i32)pid;
      char variable[32] = "MFR_ADOPT=";
      mfr_format(variable + 10, (u64)fd);
      char *envp[] = {variable, NULL};
      // An ignored SIGCHLD would make the replicas vanish; a handled one is set back by the kernel.
      struct mfr_sigaction dfl = {0, 0, 0, 0};
      int ignored = mfr_self.action[MFR_SIGCHLD].handler == 1;
      if (ignored) SYS4(rt_sigaction, MFR_SIGCHLD, &dfl, NULL, 8);
      SYS3(execve, mfr_self.tree.tool, command_line(), envp);
      if (ignored) SYS4(rt_sigaction, MFR_SIGCHLD, &mfr_self.action[MFR_SIGCHLD], NULL, 8);
      SYS2(kill, pid, MFR_SIGKILL);
      SYS4(wait4, pid, NULL, 0x40000000 /* __WALL */, NULL);
      why = "cannot become a set: mfr-run cannot be executed";
    }
    SYS2(munmap, map, MFR_BUFFER_BYTES + MFR_PAGE);
  }
  if (fd >= 0) SYS1(close, fd);
  mfr_self.young.never = 1;
  mfr_self.young.due = 0;
  note(why);
  SYS4(rt_sigprocmask, SIG_SETMASK, &mask, NULL, 8);
  return 0;
}

int mfr_promote(struct mfr_call *c) {
  struct mfr_young *y = &mfr_self.young;
  switch (c->nr) {
  case __NR_exit:
  case __NR_exit_group:
  case __NR_execve:
  case __NR_execveat:
  case __NR_rt_sigreturn:
    return 0;
  default:
    break;
  }
  mfr_kicked = 0; // whatever comes of it
  if (y->never || y->bare || !mfr_self.tree.tool[0] || mfr_child_in_handler()) return 0;
  const char *why = unfit();
  if (!why) return turn(c);
  y->never = 1;
  y->due = 0;
  note(why);
  return 0;
}
