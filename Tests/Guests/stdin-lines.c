// Abstract: getline over a standard input that is a file, then the offset that is left.
// Stdin: first line\nsecond\n\nno newline at the end
#include "guest.h"

int main(void) {
  char *line = NULL;
  size_t room = 0;
  ssize_t n;
  while ((n = getline(&line, &room, stdin)) > 0) say("%zd: %s%s", n, line, line[n - 1] == '\n' ? "" : "\n");
  say("end %d\n", feof(stdin) != 0);
  show(lseek(0, 0, SEEK_CUR));
  show(lseek(0, 6, SEEK_SET));
  char b[5] = "";
  show(read(0, b, 4));
  say("%s\n", b);
  done();
}
