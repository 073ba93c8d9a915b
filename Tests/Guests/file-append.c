// Abstract: O_APPEND writes go to the end wherever the offset is, each byte once.
#include "guest.h"

int main(void) {
  int fd = open("f", O_WRONLY | O_CREAT | O_APPEND, 0644);
  for (int i = 0; i < 500; i++) {
    char line[32];
    int n = snprintf(line, sizeof line, "record %d\n", i);
    check(lseek(fd, 0, SEEK_SET) == 0);
    check(write(fd, line, n) == n);
  }
  show(lseek(fd, 0, SEEK_CUR));
  FILE *f = fopen("f", "r");
  int expected = 0, number;
  while (fscanf(f, "record %d\n", &number) == 1) check(number == expected++);
  say("%d records\n", expected);
  show(fcntl(fd, F_GETFL) & O_APPEND);
  show(fcntl(fd, F_SETFL, 0));
  show(lseek(fd, 0, SEEK_SET));
  show(write(fd, "RECORD", 6));
  show(lseek(fd, 0, SEEK_CUR));
  done();
}
