// Abstract: another process sees the user and groups of a guest that gives up its rights, and that user may signal it, not read its memory.
#include "guest.h"
#include <grp.h>

static pid_t guest;
static volatile sig_atomic_t got[65];
static void handler(int s) { got[s]++; }

// Of /proc/PID/status: a line's ids, without the saved and the file system's.
static void ids(const char *name, char *out, size_t size) {
  char path[64], b[4096] = {0};
  snprintf(path, sizeof path, "/proc/%d/status", (int)guest);
  int fd = open(path, O_RDONLY);
  check(fd >= 0 && read(fd, b, sizeof b - 1) > 0 && close(fd) == 0);
  const char *line = strstr(b, name);
  unsigned first = 0, second = 0;
  check(line && sscanf(line + strlen(name), "%u %u", &first, &second) >= 1);
  snprintf(out, size, "%u %u", first, second);
}
// Waits until the line has these ids.
static void comes(const char *name, const char *wanted) {
  char b[64] = "";
  for (int i = 0; i < 2000; i++) {
    ids(name, b, sizeof b);
    if (!strcmp(b, wanted)) return;
    usleep(10000);
  }
  dprintf(2, "%s is %s, not %s\n", name, b, wanted);
  _exit(1);
}
static int owner(void) {
  struct stat st;
  char path[64];
  snprintf(path, sizeof path, "/proc/%d", (int)guest);
  check(stat(path, &st) == 0);
  return (int)st.st_uid;
}

int main(void) {
  if (geteuid() != 0) { // natively, too
    done();
    return 0;
  }
  int go[2], went[2], last[2];
  char b = 'x';
  guest = getpid();
  struct sigaction act = {.sa_handler = handler, .sa_flags = SA_RESTART};
  check(sigaction(SIGUSR1, &act, NULL) == 0 && sigaction(SIGUSR2, &act, NULL) == 0);
  check(pipe(go) == 0 && pipe(went) == 0 && pipe(last) == 0);
  pid_t child = fork();
  if (child == 0) {
    check(read(go[0], &b, 1) == 1);
    comes("Uid:", "0 64001");
    comes("Gid:", "64002 64002");
    comes("Groups:", "64003 64004");
    dprintf(1, "effective: owner %d\n", owner());
    check(write(went[1], "1", 1) == 1 && read(go[0], &b, 1) == 1);
    comes("Uid:", "0 0");
    dprintf(1, "itself again: owner %d\n", owner());
    check(write(went[1], "2", 1) == 1 && read(go[0], &b, 1) == 1);
    comes("Uid:", "64001 64001");
    dprintf(1, "for good: owner %d\n", owner());
    check(setresuid(64005, 64005, 64005) == 0);
    dprintf(1, "another user: %d\n", kill(guest, SIGUSR1) == -1 && errno == EPERM);
    _exit(0);
  }
  pid_t same = fork();
  if (same == 0) {
    check(read(last[0], &b, 1) == 1 && setresgid(64002, 64002, 64002) == 0 && setresuid(64001, 64001, 64001) == 0);
    dprintf(1, "the same user: %d\n", kill(guest, SIGUSR2));
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/mem", (int)guest);
    dprintf(1, "may read its memory: %d\n", open(path, O_RDONLY) >= 0);
    _exit(0);
  }
  gid_t groups[] = {64003, 64004};
  check(setgroups(2, groups) == 0 && setresgid(64002, 64002, 64002) == 0 && setresuid(0, 64001, 0) == 0);
  check(write(go[1], "1", 1) == 1 && read(went[0], &b, 1) == 1);
  check(setresuid(0, 0, 0) == 0);
  check(write(go[1], "2", 1) == 1 && read(went[0], &b, 1) == 1);
  check(setresuid(64001, 64001, 64001) == 0);
  check(write(go[1], "3", 1) == 1);
  show_end("watcher", child);
  check(write(last[1], "4", 1) == 1);
  show_end("same user", same);
  check(got[SIGUSR1] == 0 && got[SIGUSR2] == 1);
  done();
  return 0;
}
