// Abstract: the environment is exactly what was given: same names, same order, none of ours.
#include "guest.h"

int main(int argc, char **argv, char **envp) {
  (void)argc, (void)argv;
  check(envp == environ);
  for (char **e = environ; *e; e++) say("%s\n", *e);
  char cwd[PATH_MAX];
  say("PWD is cwd: %d\n", !strcmp(getenv("PWD"), getcwd(cwd, sizeof cwd)));
  say("%d %d %d\n", getenv("LD_PRELOAD") != NULL, getenv("MFR_BUFFER") != NULL, secure_getenv("HOME") != NULL);
  done();
}
