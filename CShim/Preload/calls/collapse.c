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
COLLAPSES(landlock_create_ruleset, "restricts itself (landlock)")
COLLAPSES(landlock_add_rule, "restricts itself (landlock)")
COLLAPSES(landlock_restrict_self, "restricts itself (landlock)")
COLLAPSES(modify_ldt, "changes its segment descriptors")
COLLAPSES(ioperm, "accesses I/O ports")
COLLAPSES(iopl, "accesses I/O ports")
COLLAPSES(name_to_handle_at, "uses file handles")
COLLAPSES(quotactl, "manages quotas")
COLLAPSES(quotactl_fd, "manages quotas")

// Keys lie in the kernel, once: what is done to them one replica does for all. Who may use them goes by credentials: a
// session keyring that is joined comes to the others when they are cloned anew from the one that has joined it; a
// thread's and a process's own keyring do not.
long mfr_call_keyctl(struct mfr_call *c) {
  enum { THREAD_KEYRING = -1, PROCESS_KEYRING = -2, REQKEY_AUTH = -7, REQUESTOR = -8 };
  for (int i = 1; i <= 3; i++) { // where no key is meant these are lengths or addresses, or a user's or group's "leave it"
    i32 key = (i32)c->a[i];
    int is_key = c->a[0] != 4 /* CHOWN */ || i == 1;
    if (is_key && (key == THREAD_KEYRING || key == PROCESS_KEYRING || key == REQKEY_AUTH || key == REQUESTOR))
      return native(c, "uses a keyring of its own process");
  }
  switch ((u32)c->a[0]) {
  case 0:  // GET_KEYRING_ID
  case 3:  // REVOKE
  case 4:  // CHOWN
  case 5:  // SETPERM
  case 7:  // CLEAR
  case 8:  // LINK
  case 9:  // UNLINK
  case 15: // SET_TIMEOUT
  case 21: // INVALIDATE
  case 22: // GET_PERSISTENT
    return mfr_shared(c);
  default:
    mfr_collapse("uses kernel keys", 0);
    return mfr_gate(c->nr, c->a[0], c->a[1], c->a[2], c->a[3], c->a[4], 0);
  }
}
