// Abstract: prctl sets and tells the name, the death signal, dumpability and no_new_privs.
#include "guest.h"
#include <sys/prctl.h>

int main(void) {
  char name[16] = "";
  int sig = -1;
  show(prctl(PR_SET_NAME, "renamed"));
  show(prctl(PR_GET_NAME, name));
  say("%s\n", name);
  char comm[32] = "";
  int fd = open("/proc/self/comm", O_RDONLY);
  show(read(fd, comm, sizeof comm));
  say("%s", comm);
  show(prctl(PR_GET_PDEATHSIG, &sig));
  say("%d\n", sig);
  show(prctl(PR_SET_PDEATHSIG, SIGTERM));
  show(prctl(PR_GET_PDEATHSIG, &sig));
  say("%d\n", sig);
  show(prctl(PR_GET_DUMPABLE));
  show(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
  show(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
  show(prctl(99999));
  done();
}
