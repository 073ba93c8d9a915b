// state CALL - makes calls that change something once, again and again until standard input ends, and checks that
// each answers as it does when it is made once. In the current directory, which must be empty.
//
// CALL  umask | chdir | xattr | exchange | fallocate | names | mq | directory | fork
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

static unsigned long turn;
#define MUST(condition) ((condition) ? (void)0 : wrong(#condition, __LINE__))
static void wrong(const char *what, int line) {
  dprintf(2, "turn %lu, line %d: not %s (errno %d)\n", turn, line, what, errno);
  exit(1);
}

static void turn_umask(void) {
  static mode_t before = 022;
  if (!turn) umask(before);
  mode_t next = (before + 1) & 0777;
  MUST(umask(next) == before);
  before = next;
}
static void turn_chdir(void) {
  if (!turn) {
    for (int i = 0; i < 8; i++) MUST(mkdir("d", 0755) == 0 && chdir("d") == 0);
    for (int i = 0; i < 8; i++) MUST(chdir("..") == 0);
  }
  for (int i = 0; i < 8; i++) MUST(chdir("d") == 0); // the ninth is not there
  MUST(chdir("d") == -1 && errno == ENOENT);
  for (int i = 0; i < 8; i++) MUST(chdir("..") == 0);
}
static void turn_xattr(void) {
  if (!turn) MUST(close(open("file", O_CREAT | O_WRONLY, 0644)) == 0);
  MUST(setxattr("file", "user.mfr", "x", 1, XATTR_CREATE) == 0);
  MUST(setxattr("file", "user.mfr", "x", 1, XATTR_CREATE) == -1 && errno == EEXIST);
  MUST(removexattr("file", "user.mfr") == 0);
  MUST(removexattr("file", "user.mfr") == -1 && errno == ENODATA);
}
static ino_t number_of(const char *name) {
  struct stat st;
  MUST(stat(name, &st) == 0);
  return st.st_ino;
}
static void turn_exchange(void) {
  if (!turn) MUST(close(open("a", O_CREAT | O_WRONLY, 0644)) == 0 && close(open("b", O_CREAT | O_WRONLY, 0644)) == 0);
  ino_t a = number_of("a"), b = number_of("b");
  MUST(syscall(SYS_renameat2, AT_FDCWD, "a", AT_FDCWD, "b", 2) == 0);
  MUST(number_of("a") == b && number_of("b") == a);
}
static void turn_fallocate(void) {
  static int fd;
  struct stat st;
  if (!turn) {
    fd = open("file", O_CREAT | O_RDWR, 0644);
    MUST(fd >= 0 && fallocate(fd, 0, 0, 16 * 4096) == 0);
  }
  MUST(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 4096, 4096) == 0);
  MUST(fstat(fd, &st) == 0 && st.st_size == 15 * 4096);
  MUST(fallocate(fd, FALLOC_FL_INSERT_RANGE, 4096, 4096) == 0);
  MUST(fstat(fd, &st) == 0 && st.st_size == 16 * 4096);
}
static void turn_names(void) {
  MUST(mkdir("d", 0755) == 0);
  MUST(mkdir("d", 0755) == -1 && errno == EEXIST);
  MUST(rename("d", "e") == 0);
  MUST(rmdir("e") == 0);
  MUST(rmdir("e") == -1 && errno == ENOENT);
  MUST(symlink("x", "s") == 0 && unlink("s") == 0);
  MUST(unlink("s") == -1 && errno == ENOENT);
}
static void turn_mq(void) {
  static char name[32];
  snprintf(name, sizeof name, "/mfr-state-%d", (int)getpid());
  mqd_t queue = mq_open(name, O_CREAT | O_EXCL | O_RDWR, 0600, NULL);
  MUST(queue != (mqd_t)-1);
  MUST(mq_unlink(name) == 0);
  MUST(mq_close(queue) == 0);
}
static void turn_directory(void) {
  static int fd;
  static char data[4096];
  if (!turn) {
    char name[16];
    for (int i = 0; i < 300; i++) {
      snprintf(name, sizeof name, "f%03d", i);
      MUST(close(open(name, O_CREAT | O_WRONLY, 0644)) == 0);
    }
    fd = open(".", O_RDONLY | O_DIRECTORY);
  }
  MUST(lseek(fd, 0, SEEK_SET) == 0);
  int found = 0;
  for (long n; (n = syscall(SYS_getdents64, fd, data, 1024)) > 0;)
    for (long at = 0; at < n; at += *(unsigned short *)(data + at + 16)) found += data[at + 19] == 'f';
  MUST(found == 300);
}
// As a server that answers in a child for each connection. The request lies in the socket before it is accepted: a close that
// comes too early, or a child that is missing or made twice, is seen by the client.
static void turn_fork(void) {
  static int listener, note[2];
  static struct sockaddr_un address = {.sun_family = AF_UNIX};
  static socklen_t size = sizeof address.sun_family; // the kernel chooses a name
  if (!turn) {
    MUST((listener = socket(AF_UNIX, SOCK_STREAM, 0)) >= 0 && bind(listener, (struct sockaddr *)&address, size) == 0);
    size = sizeof address;
    MUST(getsockname(listener, (struct sockaddr *)&address, &size) == 0 && listen(listener, 4) == 0);
    MUST(pipe2(note, O_NONBLOCK) == 0);
  }
  int client = socket(AF_UNIX, SOCK_STREAM, 0);
  MUST(client >= 0 && connect(client, (struct sockaddr *)&address, size) == 0);
  MUST(write(client, &turn, sizeof turn) == sizeof turn);
  int served = accept(listener, NULL, NULL);
  MUST(served == client + 1);
  pid_t child = fork();
  MUST(child >= 0);
  unsigned long got[2] = {0, 0};
  if (child == 0) {
    MUST(write(note[1], &turn, sizeof turn) == sizeof turn);
    MUST(close(listener) == 0 && close(client) == 0); // of two one finds the end of the request, and does not wait
    MUST(read(served, got, sizeof got) == sizeof *got && *got == turn);
    MUST(write(served, got, sizeof *got) == sizeof *got);
    MUST(shutdown(served, SHUT_WR) == 0);
    _exit(turn % 128);
  }
  MUST(close(served) == 0);
  MUST(read(client, got, sizeof got) == sizeof *got && *got == turn);
  MUST(read(client, got, sizeof got) == 0);
  MUST(close(client) == 0);
  int status;
  MUST(waitpid(child, &status, 0) == child && status == (int)(turn % 128) << 8);
  MUST(waitpid(-1, &status, 0) == -1 && errno == ECHILD);
  MUST(read(note[0], got, sizeof got) == sizeof *got && *got == turn); // one child, that of this turn
}

int main(int argc, char **argv) {
  static const struct {
    const char *name;
    void (*turn)(void);
  } calls[] = {{"umask", turn_umask}, {"chdir", turn_chdir}, {"xattr", turn_xattr}, {"exchange", turn_exchange},
               {"fallocate", turn_fallocate}, {"names", turn_names}, {"mq", turn_mq}, {"directory", turn_directory},
               {"fork", turn_fork}};
  void (*one)(void) = NULL;
  for (size_t i = 0; argc == 2 && i < sizeof calls / sizeof *calls; i++)
    if (!strcmp(argv[1], calls[i].name)) one = calls[i].turn;
  if (!one) return 64;
  for (;; turn++) {
    one();
    struct pollfd in = {.fd = 0, .events = POLLIN};
    if (turn % 8 == 0 && poll(&in, 1, 0) > 0) break;
  }
  printf("%s\n", turn > 1 ? "done" : "too slow");
  return 0;
}
