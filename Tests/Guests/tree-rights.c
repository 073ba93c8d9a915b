// Abstract: a descriptor goes from set to set in a message.
// Protect: 0
#include "guest.h"
#include <sys/socket.h>

static void put_fd(int s, int fd) {
  char b = 'f', room[CMSG_SPACE(sizeof fd)] = {0};
  struct iovec v = {&b, 1};
  struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
  struct cmsghdr *h = CMSG_FIRSTHDR(&m);
  h->cmsg_level = SOL_SOCKET, h->cmsg_type = SCM_RIGHTS, h->cmsg_len = CMSG_LEN(sizeof fd);
  memcpy(CMSG_DATA(h), &fd, sizeof fd);
  check(sendmsg(s, &m, 0) == 1);
}
static int get_fd(int s) {
  char b, room[CMSG_SPACE(sizeof(int))];
  struct iovec v = {&b, 1};
  struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
  check(recvmsg(s, &m, 0) == 1 && CMSG_FIRSTHDR(&m));
  int fd;
  memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof fd);
  return fd;
}
int main(void) {
  int s[2];
  check(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
  pid_t c = fork();
  if (c == 0) {
    close(s[0]);
    int fd = get_fd(s[1]);
    say("got %d\n", fd);
    check(write(fd, "from the child", 14) == 14 && close(fd) == 0);
    int p[2];
    check(pipe(p) == 0);
    put_fd(s[1], p[0]);
    check(close(p[0]) == 0 && write(p[1], "by a pipe", 9) == 9);
    _exit(0);
  }
  close(s[1]);
  int fd = open("f", O_RDWR | O_CREAT, 0644);
  put_fd(s[0], fd);
  int in = get_fd(s[0]);
  char text[32] = "";
  check(read(in, text, sizeof text) == 9);
  say("%s; then %zd\n", text, read(in, text, sizeof text));
  show_end("child", c);
  show(lseek(fd, 0, SEEK_CUR));
  show_file("f");
  done();
}
