// guest-run - runs one program once, alone and watched, and writes down all that came of it.
//
//   guest-run [-v] [-t SECONDS] [-d FIXTURE] [-i FILE | -p FILE | -T FILE [-P PROMPT]]
//             [-e NAME=VALUE]… DIR program [args…]
//
// The program runs in the fresh directory DIR/cwd with a fixed environment, default signals, only
// descriptors 0, 1, 2 and a session of its own. Afterwards DIR holds
//   stdout, stderr   what it wrote to two pipes (the path of DIR/cwd reads "<cwd>")
//   status           "exit N", "signal N" or "timeout"; then "left PID NAME" for each process that
//                    outlived it by more than the grace
//   tree             every file that it left behind: type, mode, size, hash, path
//   hang             after a time-out or a leak: what each process was doing
// Its own exit status: 0 when the program ended by itself and left no process, 1 when it did not,
// 2 when nothing could be run.
//
//   -d DIR   DIR/cwd starts as a copy of that directory
//   -i FILE  standard input is that file (default /dev/null)
//   -p FILE  standard input is a pipe that carries that file
//   -T FILE  0, 1, 2 are a terminal, its controlling one, at which that file and ^D are typed
//   -P TEXT  with -T: type a line each time that the output ends with this prompt and
//            blanks, not all at once
//   -t N     time limit in seconds (default 30)
//   -e       one more environment variable
//   -v       show the three files at the end
//
// It is a subreaper: nothing that the program started can get away from it.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define GRACE_MS 3000

static const char *dir;        // DIR, absolute
static char cwd[4096];         // DIR/cwd
static int status_fd = -1;

static void die(const char *what) {
  fprintf(stderr, "guest-run: %s: %s\n", what, strerror(errno));
  exit(2);
}

static int64_t now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int create(const char *name) {
  char path[4200];
  snprintf(path, sizeof path, "%s/%s", dir, name);
  int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) die(path);
  return fd;
}

// ---- captured output ---------------------------------------------------------------------------
struct capture {
  int fd;
  char *data;
  size_t len, room;
};

static int drain(struct capture *c) {
  if (c->room - c->len < 65536) {
    c->room = c->room ? c->room * 2 : 1 << 18;
    c->data = realloc(c->data, c->room);
    if (!c->data) die("memory");
  }
  ssize_t n = read(c->fd, c->data + c->len, c->room - c->len);
  if (n > 0) {
    c->len += n;
    return 1;
  }
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
  close(c->fd);
  c->fd = -1;
  return 0;
}

static void put(int fd, const void *data, size_t len) {
  const char *p = data;
  while (len) {
    ssize_t n = write(fd, p, len);
    if (n < 0) die("write");
    p += n;
    len -= n;
  }
}

// Types the next line of *text when the output has come to another prompt.
static void answer(struct capture *c, const char *prompt, char **text) {
  static size_t answered;
  size_t n = strlen(prompt);
  size_t len = c->len;
  while (len && c->data[len - 1] == ' ') len--;
  if (c->fd < 0 || len < n || c->len == answered || memcmp(c->data + len - n, prompt, n)) return;
  answered = c->len;
  char *end = strchr(*text, '\n');
  size_t length = end ? (size_t)(end + 1 - *text) : strlen(*text);
  put(c->fd, length ? *text : "\4", length ? length : 1);
  *text += length;
}

static void save(struct capture *c, const char *name) {
  int fd = create(name);
  const char *p = c->data, *end = c->data + c->len;
  size_t n = strlen(cwd);
  for (const char *hit; p && (hit = memmem(p, end - p, cwd, n)); p = hit + n) {
    put(fd, p, hit - p);
    put(fd, "<cwd>", 5);
  }
  if (p) put(fd, p, end - p);
  close(fd);
}

// ---- processes ---------------------------------------------------------------------------------
static int parent_of(int pid, char *name, size_t size) {
  char path[64], line[1024];
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  ssize_t n = read(fd, line, sizeof line - 1);
  close(fd);
  if (n <= 0) return -1;
  line[n] = 0;
  char *open_paren = strchr(line, '('), *close_paren = strrchr(line, ')');
  if (!open_paren || !close_paren) return -1;
  if (name) snprintf(name, size, "%.*s", (int)(close_paren - open_paren - 1), open_paren + 1);
  char state;
  int parent;
  if (sscanf(close_paren + 1, " %c %d", &state, &parent) != 2) return -1;
  return state == 'Z' || state == 'X' ? -1 : parent;
}

static int descends(int pid) {
  for (int depth = 0; depth < 64; depth++) {
    int parent = parent_of(pid, NULL, 0);
    if (parent == getpid()) return 1;
    if (parent <= 1) return 0;
    pid = parent;
  }
  return 0;
}

static void copy_proc(int out, int pid, const char *what) {
  char path[64], text[4096];
  snprintf(path, sizeof path, "/proc/%d/%s", pid, what);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text);
  if (fd >= 0) close(fd);
  dprintf(out, "  %-8s %.*s%s", what, n > 0 ? (int)n : 0, text, n > 0 && text[n - 1] == '\n' ? "" : "\n");
}

enum { LIST, DESCRIBE, KILL };
static int each_descendant(int what, int out) {
  int count = 0;
  DIR *d = opendir("/proc");
  if (!d) return 0;
  for (struct dirent *e; (e = readdir(d));) {
    int pid = atoi(e->d_name);
    char name[64];
    if (pid <= 0 || !descends(pid) || parent_of(pid, name, sizeof name) < 0) continue;
    count++;
    if (what == KILL) kill(pid, SIGKILL);
    if (what == LIST) dprintf(out, "left %d %s\n", pid, name);
    if (what == DESCRIBE) {
      dprintf(out, "%d %s\n", pid, name);
      const char *files[] = {"wchan", "syscall", "stack", "status", "maps"};
      for (unsigned i = 0; i < sizeof files / sizeof *files; i++) copy_proc(out, pid, files[i]);
    }
  }
  closedir(d);
  return count;
}

static void kill_all(void) {
  for (int i = 0; i < 200; i++) {
    each_descendant(KILL, -1);
    pid_t pid;
    while ((pid = waitpid(-1, NULL, WNOHANG)) > 0) {
    }
    if (pid < 0) return;
    usleep(10000);
  }
}

// ---- the directory -----------------------------------------------------------------------------
static int remove_entry(const char *path, const struct stat *s, int flag, struct FTW *f) {
  (void)s, (void)flag, (void)f;
  return remove(path);
}

static void copy(const char *from) {
  char source[4096];
  snprintf(source, sizeof source, "%s/", from);
  pid_t pid = fork();
  if (pid == 0) {
    execlp("cp", "cp", "-a", "-T", source, cwd, (char *)NULL);
    _exit(127);
  }
  int st = -1;
  if (pid < 0 || waitpid(pid, &st, 0) != pid || st) die(from);
}

struct line {
  char *text;
  const char *key;
};
static struct line *lines;
static size_t line_count;

static uint64_t hash_file(const char *path) {
  uint64_t h = 14695981039346656037ull;
  static unsigned char buffer[1 << 16];
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  for (ssize_t n; fd >= 0 && (n = read(fd, buffer, sizeof buffer)) > 0;)
    for (ssize_t i = 0; i < n; i++) h = (h ^ buffer[i]) * 1099511628211ull;
  if (fd >= 0) close(fd);
  return h;
}

static int note_entry(const char *path, const struct stat *s, int flag, struct FTW *f) {
  (void)flag, (void)f;
  const char *relative = path + strlen(cwd);
  char detail[4200] = "";
  char type = S_ISREG(s->st_mode)    ? 'f'
              : S_ISDIR(s->st_mode)  ? 'd'
              : S_ISLNK(s->st_mode)  ? 'l'
              : S_ISSOCK(s->st_mode) ? 's'
              : S_ISFIFO(s->st_mode) ? 'p'
                                     : '?';
  if (type == 'f') snprintf(detail, sizeof detail, "%jd %016" PRIx64, (intmax_t)s->st_size, hash_file(path));
  if (type == 'l') {
    char target[4096];
    ssize_t n = readlink(path, target, sizeof target - 1);
    snprintf(detail, sizeof detail, "-> %.*s", n > 0 ? (int)n : 0, target);
  }
  char *text;
  if (asprintf(&text, "%c %04o %s%s.%s\n", type, s->st_mode & 07777, detail, *detail ? " " : "", relative) < 0)
    return 1;
  lines = realloc(lines, (line_count + 1) * sizeof *lines);
  lines[line_count].key = text + strlen(text) - strlen(relative) - 1;
  lines[line_count++].text = text;
  return 0;
}

static int by_key(const void *a, const void *b) {
  return strcmp(((const struct line *)a)->key, ((const struct line *)b)->key);
}

static void save_tree(void) {
  nftw(cwd, note_entry, 16, FTW_PHYS);
  qsort(lines, line_count, sizeof *lines, by_key);
  int fd = create("tree");
  for (size_t i = 0; i < line_count; i++) put(fd, lines[i].text, strlen(lines[i].text));
  close(fd);
}

static void show_file(const char *name) {
  char path[4200], buffer[1 << 16];
  snprintf(path, sizeof path, "%s/%s", dir, name);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  dprintf(1, "--- %s\n", name);
  for (ssize_t n; fd >= 0 && (n = read(fd, buffer, sizeof buffer)) > 0;) put(1, buffer, n);
  if (fd >= 0) close(fd);
}

// ---- the run -----------------------------------------------------------------------------------
int main(int argc, char **argv) {
  int limit = 30, verbose = 0, opt, extra = 0;
  char mode = 0, *extras[32];
  const char *input = "/dev/null", *prompt = NULL, *fixture = NULL;
  char typed[4000] = "", *next = typed;
  while ((opt = getopt(argc, argv, "+t:d:i:p:T:P:e:v")) != -1) switch (opt) {
      case 't': limit = atoi(optarg); break;
      case 'i':
      case 'p':
      case 'T': mode = opt, input = optarg; break;
      case 'd': fixture = optarg; break;
      case 'P': prompt = optarg; break;
      case 'e': if (extra < 32) extras[extra++] = optarg; break;
      case 'v': verbose = 1; break;
      default: return 2;
    }
  if (argc - optind < 2) return fprintf(stderr, "guest-run: usage: see the head of guest-run.c\n"), 2;
  mkdir(argv[optind], 0755);
  if (!(dir = realpath(argv[optind], NULL))) die(argv[optind]);
  snprintf(cwd, sizeof cwd, "%s/cwd", dir);
  nftw(cwd, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
  umask(022);
  if (fixture) copy(fixture);
  else if (mkdir(cwd, 0755)) die(cwd);
  char **command = argv + optind + 1;
  int in = open(input, O_RDONLY | O_CLOEXEC);
  if (in < 0) die(input);
  status_fd = create("status");

  sigset_t chld, old;
  sigemptyset(&chld);
  sigaddset(&chld, SIGCHLD);
  sigprocmask(SIG_BLOCK, &chld, &old);
  signal(SIGPIPE, SIG_IGN);
  int sig_fd = signalfd(-1, &chld, SFD_CLOEXEC | SFD_NONBLOCK);
  prctl(PR_SET_CHILD_SUBREAPER, 1);

  struct capture out = {-1, 0, 0, 0}, err = {-1, 0, 0, 0};
  int guest[3] = {in, -1, -1}, feed = -1, slave = -1;
  if (mode == 'T') {
    int master;
    struct winsize size = {24, 80, 0, 0};
    if (openpty(&master, &slave, NULL, NULL, &size)) die("openpty");
    fcntl(master, F_SETFD, FD_CLOEXEC);
    fcntl(slave, F_SETFD, FD_CLOEXEC); // held till the program is gone: it may close its own before
    fcntl(master, F_SETFL, O_NONBLOCK);
    guest[0] = guest[1] = guest[2] = slave;
    out.fd = master;
    ssize_t n = read(in, typed, sizeof typed - 2);
    if (n < 0) die(input);
    if (!prompt) { // before the program starts: all of the echo comes first
      size_t lines = 0, echoed = 0;
      for (ssize_t i = 0; i < n; i++) lines += typed[i] == '\n';
      typed[n++] = 4;
      put(master, typed, n);
      for (int64_t end = now_ms() + 2000; echoed < lines && now_ms() < end;) {
        struct pollfd p = {master, POLLIN, 0};
        poll(&p, 1, 100);
        size_t from = out.len;
        drain(&out);
        for (size_t i = from; i < out.len; i++) echoed += out.data[i] == '\n';
      }
    }
  } else {
    int p[2];
    if (pipe2(p, O_CLOEXEC)) die("pipe");
    out.fd = p[0], guest[1] = p[1];
    if (pipe2(p, O_CLOEXEC)) die("pipe");
    err.fd = p[0], guest[2] = p[1];
    fcntl(out.fd, F_SETFL, O_NONBLOCK);
    fcntl(err.fd, F_SETFL, O_NONBLOCK);
    if (mode == 'p') {
      if (pipe2(p, O_CLOEXEC)) die("pipe");
      guest[0] = p[0], feed = p[1];
      fcntl(feed, F_SETFL, O_NONBLOCK);
    }
  }

  pid_t pid = fork();
  if (pid < 0) die("fork");
  if (pid == 0) {
    setsid();
    for (int s = 1; s < NSIG; s++) signal(s, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (mode == 'T') ioctl(guest[0], TIOCSCTTY, 0);
    for (int i = 0; i < 3; i++) guest[i] = fcntl(guest[i], F_DUPFD, 10);
    for (int i = 0; i < 3; i++) dup2(guest[i], i);
    close_range(3, ~0u, 0);
    struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    if (chdir(cwd)) _exit(127);
    char home[4200], pwd[4200];
    snprintf(home, sizeof home, "HOME=%s", cwd);
    snprintf(pwd, sizeof pwd, "PWD=%s", cwd);
    char *env[48] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                     "LANG=C.UTF-8", "TERM=dumb", "TZ=UTC", "USER=guest", "LOGNAME=guest",
                     "GUEST=a value, with = and spaces", "EMPTY=", home, pwd};
    int n = 0;
    while (env[n]) n++;
    for (int i = 0; i < extra; i++) env[n++] = extras[i];
    environ = env;
    execvp(command[0], command);
    dprintf(2, "guest-run: %s: %s\n", command[0], strerror(errno));
    _exit(127);
  }
  for (int i = 0; i < 3; i++)
    if (guest[i] != slave) close(guest[i]);
  if (mode != 'p') in = -1;

  int64_t deadline = now_ms() + limit * 1000ll, grace = 0;
  int bad = 0, alive = 1, running = 1;
  static char chunk[1 << 16];
  ssize_t chunk_len = 0, chunk_done = 0;
  while (alive || out.fd >= 0 || err.fd >= 0) {
    struct pollfd p[4] = {{sig_fd, POLLIN, 0}, {out.fd, POLLIN, 0}, {err.fd, POLLIN, 0}, {feed, POLLOUT, 0}};
    int64_t end = running ? deadline : grace, left = end - now_ms();
    poll(p, 4, left < 0 ? 0 : (int)left);
    struct signalfd_siginfo si;
    while (read(sig_fd, &si, sizeof si) > 0) {
    }
    if (p[1].revents) while (out.fd >= 0 && drain(&out)) {}
    if (prompt) answer(&out, prompt, &next);
    if (p[2].revents) while (err.fd >= 0 && drain(&err)) {}
    if (p[3].revents) {
      if (chunk_done == chunk_len) chunk_len = read(in, chunk, sizeof chunk), chunk_done = 0;
      ssize_t n = chunk_len > 0 ? write(feed, chunk + chunk_done, chunk_len - chunk_done) : -1;
      if (n > 0) chunk_done += n;
      if (n < 0 && (chunk_len <= 0 || errno != EAGAIN)) close(feed), feed = -1;
    }
    int st;
    pid_t who;
    while ((who = waitpid(-1, &st, WNOHANG)) > 0)
      if (who == pid) {
        if (WIFEXITED(st)) dprintf(status_fd, "exit %d\n", WEXITSTATUS(st));
        else dprintf(status_fd, "signal %d\n", WTERMSIG(st));
        running = 0;
        if (slave >= 0) close(slave), slave = -1;
        grace = now_ms() + GRACE_MS;
      }
    if (who < 0) alive = 0;
    if ((alive || out.fd >= 0 || err.fd >= 0) && now_ms() >= (running ? deadline : grace)) {
      bad = 1;
      if (running) dprintf(status_fd, "timeout\n");
      else each_descendant(LIST, status_fd);
      int fd = create("hang");
      each_descendant(DESCRIBE, fd);
      close(fd);
      kill_all();
      if (slave >= 0) close(slave);
      for (int i = 0; i < 100 && (out.fd >= 0 || err.fd >= 0); i++) {
        if (out.fd >= 0 && !drain(&out)) usleep(1000);
        if (err.fd >= 0 && !drain(&err)) usleep(1000);
      }
      break;
    }
  }
  save(&out, "stdout");
  save(&err, "stderr");
  save_tree();
  if (verbose) show_file("stdout"), show_file("stderr"), show_file("status");
  return bad;
}
