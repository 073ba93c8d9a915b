// Abstract: /proc/self/maps describes this process: it has our stack, heap, code and mappings.
#include "guest.h"
#include <sys/mman.h>

static int variable;

int main(void) {
  void *heap = malloc(10), *mapped = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  int on_stack = 0;
  struct { const char *name; uintptr_t at; int found; } want[] = {
      {"code", (uintptr_t)main, 0}, {"data", (uintptr_t)&variable, 0},   {"heap", (uintptr_t)heap, 0},
      {"map", (uintptr_t)mapped, 0}, {"stack", (uintptr_t)&on_stack, 0}, {"libc", (uintptr_t)&printf, 0}};
  FILE *f = fopen("/proc/self/maps", "r");
  char line[4096];
  while (fgets(line, sizeof line, f)) {
    uintptr_t a, b;
    if (sscanf(line, "%lx-%lx", &a, &b) != 2) continue;
    for (int i = 0; i < 6; i++)
      if (want[i].at >= a && want[i].at < b) want[i].found++;
  }
  fclose(f);
  for (int i = 0; i < 6; i++) say("%s %d\n", want[i].name, want[i].found);
  done();
}
