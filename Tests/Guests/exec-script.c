// Abstract: exec of a script with an interpreter line gets its arguments.
// Ends: exit 4
#include "guest.h"

int main(void) {
  make_file("script", "#!/bin/sh -e\necho \"$0 $1 $#\"\nexit 4\n");
  chmod("script", 0755);
  execl("./script", "ignored", "argument", (char *)NULL);
  say("%s\n", strerrorname_np(errno));
}
