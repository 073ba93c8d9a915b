// Abstract: setenv, unsetenv, putenv and clearenv change the environment.
#include "guest.h"

int main(void) {
  show(setenv("NEW", "value", 0));
  show(setenv("NEW", "other", 0));
  say("%s\n", getenv("NEW"));
  show(setenv("NEW", "other", 1));
  say("%s\n", getenv("NEW"));
  show(setenv("A=B", "x", 1));
  static char put[] = "PUT=1";
  show(putenv(put));
  put[4] = '2';
  say("%s\n", getenv("PUT"));
  show(unsetenv("NEW"));
  say("%d\n", getenv("NEW") != NULL);
  show(clearenv());
  say("%d\n", getenv("PATH") != NULL);
  show(setenv("ONLY", "one", 1));
  for (char **e = environ; *e; e++) say("%s\n", *e);
  done();
}
