// Abstract: what a child writes is its own.
// Protect: 0
#include "guest.h"

static int word = 1;
int main(void) {
  size_t size = 8 << 20;
  char *big = malloc(size);
  fill(big, size, 1);
  say("%d %llx\n", word, (unsigned long long)hash(big, size));
  pid_t c = fork();
  if (c == 0) {
    check(getpid() > 1);
    word = 2;
    fill(big + size / 2, size / 2, 2);
    say("%d %llx\n", word, (unsigned long long)hash(big, size));
    _exit(0);
  }
  show_end("child", c);
  say("%d %llx\n", word, (unsigned long long)hash(big, size));
  done();
}
