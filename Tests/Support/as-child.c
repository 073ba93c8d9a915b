// as-child PROGRAM [ARGUMENT]… - runs a program as a child and ends as it ends. Under mfr-run, what is looked at
// then is a child set and not the first set of the tree.
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv) {
  if (argc < 2) return 125;
  pid_t child = fork();
  if (child < 0) return 125;
  if (child == 0) {
    execvp(argv[1], argv + 1);
    fprintf(stderr, "as-child: %s: %s\n", argv[1], strerror(errno));
    _exit(127);
  }
  // Keys and signals meant for the program come here, too.
  for (int s = 1; s < 32; s++)
    if (s != SIGCHLD && s != SIGCONT && s != SIGTSTP && s != SIGKILL && s != SIGSTOP) signal(s, SIG_IGN);
  int st;
  while (waitpid(child, &st, 0) < 0)
    if (errno != EINTR) return 125;
  if (WIFEXITED(st)) return WEXITSTATUS(st);
  struct rlimit none = {0, 0};
  setrlimit(RLIMIT_CORE, &none);
  signal(WTERMSIG(st), SIG_DFL);
  raise(WTERMSIG(st));
  return 126;
}
