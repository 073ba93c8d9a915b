// Abstract: capget and capset by the guest's own pid, by 0 and by one that does not exist; an unknown version; a dropped right is gone.
#include "guest.h"
#include <linux/capability.h>
#include <sys/syscall.h>

static struct __user_cap_data_struct data[2];

static void get(const char *what, unsigned version, int pid) {
  struct __user_cap_header_struct header = {version, pid};
  memset(data, 0, sizeof data);
  long r = syscall(SYS_capget, &header, data);
  say("%s: %ld %d version %x same pid %d effective %x %x\n", what, r, r < 0 ? errno : 0, header.version, header.pid == pid,
      data[0].effective, data[1].effective);
}

int main(void) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, getpid()};
  get("own", _LINUX_CAPABILITY_VERSION_3, getpid());
  get("0", _LINUX_CAPABILITY_VERSION_3, 0);
  get("nobody", _LINUX_CAPABILITY_VERSION_3, 0x7ffffff0);
  get("unknown version", 17, getpid());
  get("own", _LINUX_CAPABILITY_VERSION_3, getpid());
  data[0].effective &= ~(1u << CAP_SYS_NICE);
  check(syscall(SYS_capset, &header, data) == 0);
  get("after capset", _LINUX_CAPABILITY_VERSION_3, getpid());
  header.pid = getppid();
  check(syscall(SYS_capset, &header, data) == -1 && errno == EPERM);
  header.pid = 0;
  check(syscall(SYS_capset, &header, data) == 0);
  get("again", _LINUX_CAPABILITY_VERSION_3, 0);
  done();
}
