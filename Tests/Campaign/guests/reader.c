// reader [forked | executed] SOURCE CALL - reads the numbered stream to its end, checks each byte, and says on standard output
// after every 64 KB how far it is, and at the end how much there was. A file is read again and again, until
// standard input ends.
//
// SOURCE  stdin | file:PATH | unix:PATH | tcp:PORT      CALL  read | readv | recv | recvfrom | recvmsg | recvmmsg
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "stream.h"

#define MOST 131072u
static int source = -1;
static char data[MOST];

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static int open_source(const char *name) {
  const char *rest = strchr(name, ':');
  rest = rest ? rest + 1 : "";
  if (!strcmp(name, "stdin")) return 0;
  if (!strncmp(name, "file:", 5)) return open(rest, O_RDONLY);
  if (!strncmp(name, "unix:", 5)) {
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    strncpy(to.sun_path, rest, sizeof to.sun_path - 1);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    return connect(fd, (struct sockaddr *)&to, sizeof to) ? -1 : fd;
  }
  if (!strncmp(name, "tcp:", 4)) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(rest))};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    return connect(fd, (struct sockaddr *)&to, sizeof to) ? -1 : fd;
  }
  errno = EINVAL;
  return -1;
}

static int cut(struct iovec *v, size_t length, uint64_t turn) {
  size_t first = mix(turn) % (length + 1), second = mix(turn + 1) % (length - first + 1);
  v[0] = (struct iovec){data, first};
  v[1] = (struct iovec){data + first, second};
  v[2] = (struct iovec){data + first + second, length - first - second};
  return 3;
}

static ssize_t get_read(size_t length, uint64_t turn) {
  (void)turn;
  return read(source, data, length);
}
static ssize_t get_readv(size_t length, uint64_t turn) {
  struct iovec v[3];
  return readv(source, v, cut(v, length, turn));
}
static ssize_t get_recv(size_t length, uint64_t turn) {
  return recv(source, data, length, turn % 4 ? 0 : MSG_WAITALL);
}
static ssize_t get_recvfrom(size_t length, uint64_t turn) {
  (void)turn;
  struct sockaddr_storage from;
  socklen_t size = sizeof from;
  return recvfrom(source, data, length, 0, (struct sockaddr *)&from, &size);
}
static ssize_t get_recvmsg(size_t length, uint64_t turn) {
  struct iovec v[3];
  struct msghdr message = {.msg_iov = v, .msg_iovlen = (size_t)cut(v, length, turn)};
  return recvmsg(source, &message, 0);
}
static ssize_t get_recvmmsg(size_t length, uint64_t turn) {
  (void)turn;
  struct iovec v = {data, length};
  struct mmsghdr message = {.msg_hdr = {.msg_iov = &v, .msg_iovlen = 1}};
  int done = recvmmsg(source, &message, 1, 0, NULL);
  return done < 0 ? -1 : done == 0 ? 0 : (ssize_t)message.msg_len;
}

static const struct {
  const char *name;
  ssize_t (*get)(size_t, uint64_t);
} calls[] = {
    {"read", get_read},         {"readv", get_readv},     {"recv", get_recv},
    {"recvfrom", get_recvfrom}, {"recvmsg", get_recvmsg}, {"recvmmsg", get_recvmmsg},
};

int main(int argc, char **argv) {
  descend(&argc, &argv);
  if (argc != 3) return 64;
  ssize_t (*get)(size_t, uint64_t) = NULL;
  for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
    if (!strcmp(argv[2], calls[i].name)) get = calls[i].get;
  if (!get) return 64;
  fill_block();
  source = open_source(argv[1]);
  if (source < 0) fail(argv[1]);

  int terminal = isatty(source);
  int again = !strncmp(argv[1], "file:", 5);
  uint64_t total = 0, told = 0;
  for (uint64_t turn = 0;; turn++) {
    if (again && turn % 64 == 0) {
      struct pollfd in = {.fd = 0, .events = POLLIN};
      if (poll(&in, 1, 0) > 0) break;
    }
    uint32_t most = piece(turn);
    ssize_t n = get(most < MOST ? most : MOST, turn);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EIO && terminal) break; // the other end of the terminal is gone
    if (n < 0) fail(argv[2]);
    if (n == 0 && again && total) {
      lseek(source, 0, SEEK_SET);
      continue;
    }
    if (n == 0) break;
    if (memcmp(data, block + total % BLOCK, (size_t)n)) {
      size_t at = 0;
      while (data[at] == block[total % BLOCK + at]) at++;
      dprintf(2, "bad byte at %llu: '%.40s', not '%.40s'\n", (unsigned long long)(total + at), data + at,
              block + total % BLOCK + at);
      return 1;
    }
    total += (uint64_t)n;
    for (; told + 65536 <= total; told += 65536) dprintf(1, "at=%llu\n", (unsigned long long)(told + 65536));
  }
  dprintf(1, "total=%llu\n", (unsigned long long)total);
  return 0;
}
