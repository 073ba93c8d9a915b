// calls/collapse.c - calls that cannot be kept in step yet: the set shrinks to this one replica, says
// why, and the guest runs on correctly.
#include "../shim.h"

static long native(struct mfr_call *c, const char *reason) {
  (void)mfr_go_native(reason, c->frame);
  return mfr_gate(c->nr, c->a[0], c->a[1], c->a[2], c->a[3], c->a[4], c->a[5]);
}
#define COLLAPSES(name, why) \
  long mfr_call_##name(struct mfr_call *c) { return native(c, why); }

COLLAPSES(shmget, "uses System V shared memory")
COLLAPSES(shmat, "uses System V shared memory")
COLLAPSES(shmdt, "uses System V shared memory")
COLLAPSES(shmctl, "uses System V shared memory")
COLLAPSES(semctl, "uses System V semaphores")
COLLAPSES(msgsnd, "uses System V messages")
COLLAPSES(msgrcv, "uses System V messages")
COLLAPSES(msgctl, "uses System V messages")
COLLAPSES(mq_notify, "uses message queue notification")
COLLAPSES(unshare, "leaves a namespace (unshare)")
COLLAPSES(setns, "enters a namespace (setns)")
COLLAPSES(ptrace, "traces another process (ptrace)")
COLLAPSES(seccomp, "installs a system call filter (seccomp)")
COLLAPSES(userfaultfd, "handles its own page faults (userfaultfd)")
COLLAPSES(perf_event_open, "counts its own performance events")
COLLAPSES(fanotify_init, "watches file accesses (fanotify)")
COLLAPSES(bpf, "uses bpf")
COLLAPSES(process_vm_readv, "reads another process's memory")
COLLAPSES(process_vm_writev, "writes another process's memory")
COLLAPSES(kcmp, "compares processes (kcmp)")
COLLAPSES(keyctl, "uses kernel keys")
COLLAPSES(landlock_create_ruleset, "restricts itself (landlock)")
COLLAPSES(landlock_add_rule, "restricts itself (landlock)")
COLLAPSES(landlock_restrict_self, "restricts itself (landlock)")
COLLAPSES(modify_ldt, "changes its segment descriptors")
COLLAPSES(ioperm, "accesses I/O ports")
COLLAPSES(iopl, "accesses I/O ports")
COLLAPSES(name_to_handle_at, "uses file handles")
COLLAPSES(quotactl, "manages quotas")
COLLAPSES(quotactl_fd, "manages quotas")
