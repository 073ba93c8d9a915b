// send.c - the anchor sends a signal for the guest: as the process that the guest is to the outside, with the uid and the
// right to send that the guest has at that moment.
#include "mfr_host.h"

#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define KILL_BIT (1u << CAP_KILL)

static long result_of(long r) { return r < 0 ? -errno : r; }

// Ids and rights are each thread's own to the kernel; libc's functions would change them in all.
struct who {
  uint32_t ruid, euid, suid;
  struct __user_cap_data_struct cap[2];
};
static struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};

static int look(struct who *w) {
  return syscall(SYS_getresuid, &w->ruid, &w->euid, &w->suid) == 0 && syscall(SYS_capget, &header, w->cap) == 0;
}
static int set_may_kill(int may) {
  struct __user_cap_data_struct cap[2];
  if (syscall(SYS_capget, &header, cap) != 0) return 0;
  if (!(cap[0].effective & KILL_BIT) == !may) return 1;
  cap[0].effective = may ? cap[0].effective | KILL_BIT : cap[0].effective & ~KILL_BIT;
  return syscall(SYS_capset, &header, cap) == 0;
}
static void become_again(const struct who *w) {
  syscall(SYS_setresuid, -1, w->euid, -1); // the right to set the others comes with it
  syscall(SYS_setresuid, w->ruid, w->euid, w->suid);
  syscall(SYS_capset, &header, w->cap);
}
// Only from the superuser there is a way back.
static int become(const struct who *was, uint32_t ruid, uint32_t euid, int may_kill) {
  int other = ruid != was->ruid || euid != was->euid;
  if (other && (was->euid != 0 || syscall(SYS_setresuid, ruid, euid, 0) != 0)) return 0;
  if (set_may_kill(may_kill)) return 1;
  become_again(was);
  return 0;
}

static long send_signal(uint32_t number, const int64_t *a, int pidfd) {
  if (number == SYS_pidfd_send_signal) return syscall(number, pidfd, (int)a[1], NULL, (unsigned)a[3]);
  return syscall(number, (int)a[0], (int)a[1], (int)a[2]);
}

// A descriptor of the guest's, by way of the replica that asks.
static int descriptor_of(int pid, int fd) {
  int process = (int)syscall(SYS_pidfd_open, pid, 0);
  int copy = process < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, process, fd, 0);
  if (process >= 0) close(process);
  return copy;
}

int64_t mfr_host_send_as(uint32_t number, const int64_t *a, uint32_t ruid, uint32_t euid, int may_kill) {
  struct who was;
  int pidfd = number == SYS_pidfd_send_signal ? descriptor_of((int)a[2], (int)a[0]) : 0, death = 0;
  if (pidfd < 0) return -ENOSYS;
  // A thread that becomes another forgets the signal of its parent's death, and hides its process's memory.
  int parent = getppid(), dumpable = prctl(PR_GET_DUMPABLE);
  prctl(PR_GET_PDEATHSIG, &death);
  int64_t r = -ENOSYS;
  if (look(&was) && become(&was, ruid, euid, may_kill)) {
    r = result_of(send_signal(number, a, pidfd));
    become_again(&was);
    if (prctl(PR_GET_DUMPABLE) != dumpable) prctl(PR_SET_DUMPABLE, dumpable);
    if (death) {
      prctl(PR_SET_PDEATHSIG, death);
      if (getppid() != parent) syscall(SYS_kill, getpid(), death);
    }
  }
  if (number == SYS_pidfd_send_signal) close(pidfd);
  return r;
}

int mfr_host_send_descriptor(int descriptor, const void *address, size_t n) {
  struct sockaddr_un to = {.sun_family = AF_UNIX};
  union {
    char room[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
  } control;
  char byte = 0;
  struct iovec iov = {&byte, 1};
  struct msghdr m = {.msg_name = &to, .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  if (n > sizeof to.sun_path) return -EINVAL;
  memcpy(to.sun_path, address, n);
  m.msg_namelen = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
  memset(&control, 0, sizeof control);
  struct cmsghdr *c = CMSG_FIRSTHDR(&m);
  c->cmsg_level = SOL_SOCKET, c->cmsg_type = SCM_RIGHTS, c->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(c), &descriptor, sizeof descriptor);
  int s = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (s < 0) return -errno;
  int r = sendmsg(s, &m, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
  close(s);
  return r;
}
