// identity.c - the anchor's main thread bears the guest's user and groups: it is what `ps` shows, and what the kernel
// compares when somebody signals the guest's pid.
//
// Law: the saved user id stays 0. So the thread can step up again, and another user, who may signal it, may not trace it
// (ptrace(2): all three ids must be the tracer's), nor the threads that keep all rights.
#include "mfr_host.h"

#include <errno.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static __thread uint32_t below; // effective user id while it waits

// Ids are each thread's own to the kernel; libc's functions would change them in all. With them it hides the process's
// memory, from which a new image of the guest's takes the buffer.
static int set_users(uint32_t real, uint32_t effective) {
  int dumpable = prctl(PR_GET_DUMPABLE), r = syscall(SYS_setresuid, real, effective, 0) < 0 ? -errno : 0;
  if (prctl(PR_GET_DUMPABLE) != dumpable) prctl(PR_SET_DUMPABLE, dumpable);
  return r;
}

int mfr_host_bear(const struct mfr_host_identity *who) {
  if (syscall(SYS_geteuid) != 0) return -EPERM;
  int dumpable = prctl(PR_GET_DUMPABLE);
  // Where nobody may set groups (user_namespaces(7)), the guest has not either.
  syscall(SYS_setgroups, who->group_count, who->groups);
  int r = syscall(SYS_setresgid, who->rgid, who->egid, -1) < 0 ? -errno : 0;
  if (prctl(PR_GET_DUMPABLE) != dumpable) prctl(PR_SET_DUMPABLE, dumpable);
  if (r == 0) r = set_users(who->ruid, 0);
  if (r == 0) below = who->euid;
  return r;
}
void mfr_host_step_down(void) {
  if (below) set_users((uint32_t)-1, below);
}
void mfr_host_step_up(void) {
  if (below) set_users((uint32_t)-1, 0);
}
