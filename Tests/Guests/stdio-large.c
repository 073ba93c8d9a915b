// Abstract: 20,000 formatted lines through a buffered standard output.
#include "guest.h"

int main(void) {
  for (int i = 0; i < 20000; i++) printf("%d %x %08.3f %s\n", i, i * 7919, i / 7.0, i % 15 ? "" : "fizzbuzz");
  fflush(stdout);
  done();
}
