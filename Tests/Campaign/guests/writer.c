// writer [forked | executed] SINK CALL [gap | repeat] - writes the numbered stream until standard input ends, then says how much it
// wrote. With gap or repeat it makes that mistake once, so that a test can see that it is found.
//
// SINK  stdout | file:PATH | append:PATH | unix:PATH | tcp:PORT
// CALL  write | writev | send | sendmsg | sendto | sendmmsg | sendfile | splice
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "stream.h"

static int sink = -1;
static int source = -1;       // file with one block, for sendfile and splice
static int inner[2];          // pipe of splice
static int sink_is_pipe;

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static int open_sink(const char *name) {
  const char *rest = strchr(name, ':');
  rest = rest ? rest + 1 : "";
  if (!strcmp(name, "stdout")) return 1;
  if (!strncmp(name, "file:", 5)) return open(rest, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (!strncmp(name, "append:", 7)) return open(rest, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0644);
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

static void make_source(void) {
  source = memfd_create("stream", MFD_CLOEXEC);
  if (source < 0) fail("memfd_create");
  for (size_t done = 0; done < BLOCK;) {
    ssize_t n = write(source, block + done, BLOCK - done);
    if (n <= 0) fail("fill source");
    done += (size_t)n;
  }
}

// Three entries, the middle one empty now and then.
static int cut(struct iovec *v, char *from, size_t length, uint64_t turn) {
  size_t first = mix(turn) % (length + 1), second = mix(turn + 1) % (length - first + 1);
  v[0] = (struct iovec){from, first};
  v[1] = (struct iovec){from + first, second};
  v[2] = (struct iovec){from + first + second, length - first - second};
  return 3;
}

static ssize_t put_write(char *from, size_t length, uint64_t turn) {
  (void)turn;
  return write(sink, from, length);
}
static ssize_t put_writev(char *from, size_t length, uint64_t turn) {
  struct iovec v[3];
  return writev(sink, v, cut(v, from, length, turn));
}
static ssize_t put_send(char *from, size_t length, uint64_t turn) {
  (void)turn;
  return send(sink, from, length, MSG_NOSIGNAL);
}
static ssize_t put_sendto(char *from, size_t length, uint64_t turn) {
  (void)turn;
  return sendto(sink, from, length, MSG_NOSIGNAL, NULL, 0);
}
static ssize_t put_sendmsg(char *from, size_t length, uint64_t turn) {
  struct iovec v[3];
  struct msghdr message = {.msg_iov = v, .msg_iovlen = (size_t)cut(v, from, length, turn)};
  return sendmsg(sink, &message, MSG_NOSIGNAL);
}
static ssize_t put_sendmmsg(char *from, size_t length, uint64_t turn) {
  (void)turn;
  size_t half = length / 2;
  struct iovec v[2] = {{from, half}, {from + half, length - half}};
  struct mmsghdr m[2] = {{.msg_hdr = {.msg_iov = &v[0], .msg_iovlen = 1}},
                         {.msg_hdr = {.msg_iov = &v[1], .msg_iovlen = 1}}};
  int done = sendmmsg(sink, m, 2, MSG_NOSIGNAL);
  if (done < 0) return -1;
  if (done > 1 && m[0].msg_len < half) {
    fprintf(stderr, "sendmmsg: second message sent after a short first one\n");
    exit(1);
  }
  return (ssize_t)m[0].msg_len + (done > 1 ? (ssize_t)m[1].msg_len : 0);
}
static ssize_t put_sendfile(char *from, size_t length, uint64_t turn) {
  off_t offset = (from - block) % BLOCK;
  if (length > BLOCK - (size_t)offset) length = BLOCK - (size_t)offset;
  if (turn % 2) return sendfile(sink, source, &offset, length);
  lseek(source, offset, SEEK_SET);
  return sendfile(sink, source, NULL, length);
}
static ssize_t put_splice(char *from, size_t length, uint64_t turn) {
  static size_t waiting; // bytes in the inner pipe
  loff_t offset = (from - block) % BLOCK;
  if (length > BLOCK - (size_t)offset) length = BLOCK - (size_t)offset;
  if (sink_is_pipe) {
    if (turn % 2) return splice(source, &offset, sink, NULL, length, 0);
    lseek(source, offset, SEEK_SET);
    return splice(source, NULL, sink, NULL, length, 0);
  }
  if (waiting == 0) {
    ssize_t n = splice(source, &offset, inner[1], NULL, length, 0);
    if (n <= 0) return n;
    waiting = (size_t)n;
  }
  ssize_t n = splice(inner[0], NULL, sink, NULL, waiting, 0);
  if (n > 0) waiting -= (size_t)n;
  return n;
}

static const struct {
  const char *name;
  ssize_t (*put)(char *, size_t, uint64_t);
} calls[] = {
    {"write", put_write},       {"writev", put_writev},     {"send", put_send},
    {"sendto", put_sendto},     {"sendmsg", put_sendmsg},   {"sendmmsg", put_sendmmsg},
    {"sendfile", put_sendfile}, {"splice", put_splice},
};

int main(int argc, char **argv) {
  descend(&argc, &argv);
  if (argc < 3) return 64;
  ssize_t (*put)(char *, size_t, uint64_t) = NULL;
  for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
    if (!strcmp(argv[2], calls[i].name)) put = calls[i].put;
  if (!put) return 64;
  fill_block();
  sink = open_sink(argv[1]);
  if (sink < 0) fail(argv[1]);
  sink_is_pipe = lseek(sink, 0, SEEK_CUR) < 0 && errno == ESPIPE && fcntl(sink, F_GETPIPE_SZ) > 0;
  if (put == put_sendfile || put == put_splice) make_source();
  if (put == put_splice && pipe(inner)) fail("pipe");

  uint64_t total = 0;
  for (uint64_t turn = 0;; turn++) {
    if (turn % 64 == 0) {
      struct pollfd in = {.fd = 0, .events = POLLIN};
      if (poll(&in, 1, 0) > 0) break;
    }
    ssize_t n = put(block + total % BLOCK, piece(turn), turn);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) fail(argv[2]);
    total += (uint64_t)n;
    if (turn == 1000 && argc > 3) total = !strcmp(argv[3], "gap") ? total + 7 : total - 7;
  }
  dprintf(2, "total=%llu\n", (unsigned long long)total);
  return 0;
}
