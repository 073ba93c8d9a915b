// guest.h - what the guest programs share. A guest shows one behaviour; all that it prints must be
// the same on each run (no pids, times, addresses), and its last line is done().
//
// Each guest starts with header lines that the runners read (Scripts/guests, ReplicationTests):
//   // Abstract: one sentence
//   // Link: words               more words for the compiler, at the end (-lm)
//   // Args: words               its arguments
//   // Stdin: text               standard input is a file with this text (\n is a newline), or with
//                                the contents of that file beside the guest; default /dev/null
//   // Pipe: text                the same, but standard input is a pipe
//   // Terminal: text            0, 1, 2 are a terminal at which this text and ^D are typed
//   // Ends: exit 3 | signal 13  how it must end, when that is not done() and exit 0
//   // Protect: N                children become sets after N ms, not after 100 (--protect-after)
//   // Collapse: yes             cannot be kept in step; must be right all the same
//   // Diverges: yes             duplicates part from the leader and are made anew; the same
#ifndef GUEST_H
#define GUEST_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// Guests pass wrong things on purpose.
#pragma GCC diagnostic ignored "-Wstringop-overread"
#pragma GCC diagnostic ignored "-Wstringop-overflow"
#pragma GCC diagnostic ignored "-Wnonnull"
#pragma GCC diagnostic ignored "-Winfinite-recursion"

#define GUEST_UNUSED __attribute__((unused))

// Unbuffered, so that a fork never doubles a line and a death never swallows one.
__attribute__((format(printf, 1, 2))) static GUEST_UNUSED void say(const char *format, ...) {
  char text[8192];
  va_list list;
  va_start(list, format);
  int n = vsnprintf(text, sizeof text, format, list);
  va_end(list);
  if (n > (int)sizeof text - 1) n = sizeof text - 1;
  for (char *p = text; n > 0;) {
    ssize_t w = write(1, p, n);
    if (w < 0 && errno != EINTR) abort();
    if (w > 0) p += w, n -= w;
  }
}

// Prints the text of the call, its result, and on -1 the name of errno.
#define show(call)                                                                                 \
  ({                                                                                               \
    errno = 0;                                                                                     \
    long result_ = (long)(call);                                                                   \
    int error_ = errno;                                                                            \
    if (result_ == -1) say("%s = -1 %s\n", #call, error_ ? strerrorname_np(error_) : "-");         \
    else say("%s = %ld\n", #call, result_);                                                        \
    errno = error_;                                                                                \
    result_;                                                                                       \
  })

// Says and fails when a condition does not hold; silent when it does.
#define check(condition)                                                                           \
  do {                                                                                             \
    int error_ = errno;                                                                            \
    if (!(condition)) {                                                                            \
      say("line %d: not so: %s (errno %s)\n", __LINE__, #condition, strerrorname_np(error_));      \
      exit(99);                                                                                    \
    }                                                                                              \
  } while (0)

static GUEST_UNUSED uint64_t hash(const void *data, size_t size) {
  const unsigned char *p = data;
  uint64_t h = 14695981039346656037ull;
  while (size--) h = (h ^ *p++) * 1099511628211ull;
  return h;
}

// Fills memory with bytes that depend on the seed alone.
static GUEST_UNUSED void fill(void *data, size_t size, uint64_t seed) {
  unsigned char *p = data;
  uint64_t x = seed * 2862933555777941757ull + 3037000493ull;
  for (size_t i = 0; i < size; i++) {
    x ^= x << 13, x ^= x >> 7, x ^= x << 17;
    p[i] = (unsigned char)(x >> 24);
  }
}

// Makes a file with the given text.
static GUEST_UNUSED void make_file(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  check(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && close(fd) == 0);
}

// Prints a file's size and contents (printable text only).
static GUEST_UNUSED void show_file(const char *path) {
  char text[4096];
  int fd = open(path, O_RDONLY);
  check(fd >= 0);
  ssize_t n = read(fd, text, sizeof text - 1);
  check(n >= 0 && close(fd) == 0);
  text[n] = 0;
  say("%s (%zd): %s\n", path, n, text);
}

static GUEST_UNUSED int64_t now_ns(clockid_t clock) {
  struct timespec t;
  check(clock_gettime(clock, &t) == 0);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static GUEST_UNUSED void pause_ms(int ms) {
  struct timespec t = {ms / 1000, ms % 1000 * 1000000l};
  while (nanosleep(&t, &t)) check(errno == EINTR);
}

// The last line. The pause lets duplicates come to the end too: what they would have done otherwise
// is then noticed.
static GUEST_UNUSED void done_(const char *file) {
  const char *slash = strrchr(file, '/'), *name = slash ? slash + 1 : file, *dot = strrchr(name, '.');
  pause_ms(20);
  say("ok %.*s\n", (int)(dot ? dot - name : (long)strlen(name)), name);
}
#define done() done_(__BASE_FILE__)

// Waits for the child and prints how it ended.
static GUEST_UNUSED void show_end(const char *who, pid_t pid) {
  int st;
  check(waitpid(pid, &st, 0) == pid);
  if (WIFEXITED(st)) say("%s: exit %d\n", who, WEXITSTATUS(st));
  else say("%s: signal %d\n", who, WTERMSIG(st));
}
#endif
