// Abstract: nftw, glob, fnmatch and regex over a small tree.
#include "guest.h"
#include <fnmatch.h>
#include <ftw.h>
#include <glob.h>
#include <regex.h>

static int files, dirs;
static long bytes;
static int each(const char *p, const struct stat *s, int flag, struct FTW *f) {
  (void)p, (void)f;
  if (flag == FTW_F) files++, bytes += s->st_size;
  else dirs++;
  return 0;
}

int main(void) {
  for (int i = 0; i < 5; i++) {
    char name[64];
    snprintf(name, sizeof name, "d%d", i);
    mkdir(name, 0755);
    for (int k = 0; k < 4; k++) {
      snprintf(name, sizeof name, "d%d/f%d.%s", i, k, k % 2 ? "c" : "h");
      make_file(name, "0123456789");
    }
  }
  show(nftw(".", each, 8, FTW_PHYS));
  say("%d files, %d directories, %ld bytes\n", files, dirs, bytes);
  glob_t g;
  show(glob("d[1-3]/*.c", 0, NULL, &g));
  for (size_t i = 0; i < g.gl_pathc; i++) say("%s ", g.gl_pathv[i]);
  say("\n");
  regex_t r;
  regmatch_t m[2];
  check(regcomp(&r, "^a(b+)c$", REG_EXTENDED) == 0);
  show(regexec(&r, "abbbc", 2, m, 0));
  say("%d-%d\n", m[1].rm_so, m[1].rm_eo);
  show(regexec(&r, "ac", 0, NULL, 0));
  show(fnmatch("*.c", "x.c", 0));
  done();
}
