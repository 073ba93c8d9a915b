// refuse WHAT[,WHAT…] program [arguments] - runs a program under a system call filter that refuses some calls, as the
// profiles of containers do.
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct sock_filter code[256];
static unsigned length;

static void add(struct sock_filter one) { code[length++] = one; }

// `first`: only when the first argument is this; -1: always.
static void refuse(long number, long first, int error) {
  add((struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)));
  if (first < 0) {
    add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)number, 0, 1));
  } else {
    add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)number, 0, 3));
    add((struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])));
    add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)first, 0, 1));
  }
  add((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error));
}

static int refuse_name(const char *name) {
  static const struct {
    const char *name;
    long number, first;
    int error;
  } calls[] = {
      {"userfaultfd", SYS_userfaultfd, -1, EPERM},
      {"memfd_create", SYS_memfd_create, -1, EPERM},
      {"ptrace", SYS_ptrace, -1, EPERM},
      {"process_vm_readv", SYS_process_vm_readv, -1, EPERM},
      {"process_vm_writev", SYS_process_vm_writev, -1, EPERM},
      {"kcmp", SYS_kcmp, -1, EPERM},
      {"perf_event_open", SYS_perf_event_open, -1, EPERM},
      {"bpf", SYS_bpf, -1, EPERM},
      {"unshare", SYS_unshare, -1, EPERM},
      {"setns", SYS_setns, -1, EPERM},
      {"mount", SYS_mount, -1, EPERM},
      {"keyctl", SYS_keyctl, -1, EPERM},
      {"add_key", SYS_add_key, -1, EPERM},
      {"open_by_handle_at", SYS_open_by_handle_at, -1, EPERM},
      {"syslog", SYS_syslog, -1, EPERM},
      {"io_uring_setup", SYS_io_uring_setup, -1, EPERM},
      {"clone3", SYS_clone3, -1, ENOSYS},
      {"user-dispatch", SYS_prctl, 59, EINVAL},
      {"populate", SYS_madvise, -1, EINVAL}, // also mincore's companions: all advice
      {"mincore", SYS_mincore, -1, EPERM},
      {"sockets", SYS_socket, 1, EPERM}, // AF_UNIX
  };
  // What the default profile of Docker refuses, as far as a program may ever ask for it.
  static const char container[] = "userfaultfd,ptrace,process_vm_readv,process_vm_writev,kcmp,perf_event_open,bpf,unshare,"
                                  "setns,mount,keyctl,add_key,open_by_handle_at,syslog,io_uring_setup,clone3";
  if (!strcmp(name, "container")) {
    char list[sizeof container];
    memcpy(list, container, sizeof list);
    char *rest = NULL;
    for (char *one = strtok_r(list, ",", &rest); one; one = strtok_r(NULL, ",", &rest)) refuse_name(one);
    return 1;
  }
  for (unsigned i = 0; i < sizeof calls / sizeof *calls; i++)
    if (!strcmp(name, calls[i].name)) {
      refuse(calls[i].number, calls[i].first, calls[i].error);
      return 1;
    }
  return 0;
}

int main(int argc, char **argv) {
  if (argc < 3) return 64;
  char *rest = NULL;
  for (char *name = strtok_r(argv[1], ",", &rest); name; name = strtok_r(NULL, ",", &rest))
    if (!refuse_name(name)) {
      fprintf(stderr, "refuse: unknown: %s\n", name);
      return 64;
    }
  add((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  struct sock_fprog program = {(unsigned short)length, code};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) {
    perror("refuse");
    return 125;
  }
  execvp(argv[2], argv + 2);
  perror(argv[2]);
  return 127;
}
