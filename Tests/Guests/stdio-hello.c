// Abstract: printf to standard output and standard error.
#include "guest.h"

int main(void) {
  printf("hello %d %s %.3f\n", 42, "world", 3.14159);
  fprintf(stderr, "to stderr\n");
  fflush(stdout);
  done();
}
