// Abstract: 1 MB of arguments and environment goes through execv.
#include "guest.h"

int main(int argc, char **argv) {
  if (argc > 100) {
    uint64_t h = 0;
    for (int i = 0; i < argc; i++) h = h * 31 + hash(argv[i], i ? strlen(argv[i]) : 0);
    say("%d arguments %016lx, BIG %zu\n", argc, h, strlen(getenv("BIG")));
    done();
    return 0;
  }
  static char *list[1002], text[1000][1000], big[100001];
  list[0] = argv[0];
  for (int i = 0; i < 1000; i++) {
    memset(text[i], 'a' + i % 26, i % 999);
    list[i + 1] = text[i];
  }
  memset(big, 'B', 100000);
  setenv("BIG", big, 1);
  execv("/proc/self/exe", list);
  say("exec: %s\n", strerrorname_np(errno));
  return 1;
}
