// command_line.c - what /proc/self/cmdline shows. Errors are -errno.
#include "mfr_host.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

// The kernel reads the command line from memory, and lets a process say where that is. Without CAP_SYS_RESOURCE only all
// places of its memory are set together (kernel/sys.c, prctl_set_mm_map): those that it has, but for this one.
static int read_places(struct prctl_mm_map *m) {
  unsigned long long v[52] = {0};
  char text[2048];
  FILE *f = fopen("/proc/self/stat", "re");
  if (!f) return -errno;
  size_t n = fread(text, 1, sizeof text - 1, f);
  fclose(f);
  text[n] = 0;
  char *p = strrchr(text, ')'); // the name may hold anything
  if (!p) return -EINVAL;
  int field = 2;
  char *rest = NULL;
  for (char *word = strtok_r(p + 1, " ", &rest); word && ++field < 52; word = strtok_r(NULL, " ", &rest))
    v[field] = strtoull(word, NULL, 10);
  if (field < 51) return -EINVAL;
  m->start_code = v[26], m->end_code = v[27], m->start_stack = v[28];
  m->start_data = v[45], m->end_data = v[46], m->start_brk = v[47];
  m->env_start = v[50], m->env_end = v[51];
  return 0;
}

int mfr_host_show_command_line(const void *bytes, size_t n) {
  static char *shown;
  static size_t shown_size;
  struct prctl_mm_map m = {0};
  size_t size = (n + 4095) & ~(size_t)4095;
  if (n == 0) return -EINVAL;
  int r = read_places(&m);
  if (r < 0) return r;
  char *to = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (to == MAP_FAILED) return -errno;
  memcpy(to, bytes, n);
  m.arg_start = (uint64_t)to, m.arg_end = m.arg_start + n;
  m.exe_fd = ~0u;
  do { // again, if another thread has moved the end of the heap meanwhile
    m.brk = (uint64_t)sbrk(0);
    r = prctl(PR_SET_MM, PR_SET_MM_MAP, &m, sizeof m, 0) < 0 ? -errno : 0;
  } while (r == 0 && m.brk != (uint64_t)sbrk(0));
  char *gone = r < 0 ? to : shown;
  size_t gone_size = r < 0 ? size : shown_size;
  if (r == 0) shown = to, shown_size = size;
  if (gone) munmap(gone, gone_size);
  return r;
}
