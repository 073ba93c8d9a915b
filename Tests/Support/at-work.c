// at-work wait|compute - reads a byte, then says "done" three times. Before that it waits for the end of its input, or
// computes a second each time.
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv) {
  (void)argc;
  volatile unsigned long sum = 1;
  char byte;
  if (read(0, &byte, 1) != 1) return 1;
  for (int round = 0; round < 3; round++) {
    if (!strcmp(argv[1], "wait"))
      while (read(0, &byte, 1) > 0) {}
    else
      for (unsigned long i = 0; i < 400000000ul; i++) sum = sum * 3 + i;
    if (write(1, "done\n", 5) != 5) return 1;
  }
  return 0;
}
