// Abstract: getpwuid, getpwnam, getgrgid and their iteration read the system's files.
#include "guest.h"
#include <grp.h>
#include <pwd.h>

int main(void) {
  struct passwd *p = getpwuid(0);
  say("%s %s %u\n", p->pw_name, p->pw_dir, p->pw_gid);
  p = getpwnam("nobody");
  say("%s\n", p ? p->pw_name : "none");
  say("%d\n", getpwnam("no such user") != NULL);
  struct group *g = getgrgid(0);
  say("%s\n", g->gr_name);
  int n = 0;
  setpwent();
  while (getpwent()) n++;
  endpwent();
  check(n > 3);
  say("%d users\n", n);
  done();
}
