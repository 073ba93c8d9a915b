// Abstract: /proc/self/exe, auxv, environ and cwd tell of the program, not of MFR.
#include "guest.h"
#include <elf.h>
#include <sys/auxv.h>

int main(int argc, char **argv) {
  (void)argc;
  char b[PATH_MAX] = "", cwd[PATH_MAX];
  show(readlink("/proc/self/exe", b, sizeof b - 1) > 0);
  say("%d\n", !strcmp(b, argv[0]));
  ssize_t n = readlink("/proc/self/cwd", b, sizeof b - 1);
  check(n > 0);
  b[n] = 0;
  check(getcwd(cwd, sizeof cwd));
  say("%d\n", !strcmp(b, cwd));
  Elf64_Ehdr h;
  int fd = open("/proc/self/exe", O_RDONLY);
  show(read(fd, &h, sizeof h));
  say("%d %d\n", !memcmp(h.e_ident, ELFMAG, 4), h.e_machine == EM_X86_64);
  close(fd);
  fd = open("/proc/self/environ", O_RDONLY);
  static char e[65536];
  n = read(fd, e, sizeof e);
  say("LD_PRELOAD %d MFR %d\n", memmem(e, n, "LD_PRELOAD", 10) != NULL, memmem(e, n, "MFR_", 4) != NULL);
  say("page %lu, entry %d, hwcap %d\n", getauxval(AT_PAGESZ), getauxval(AT_ENTRY) != 0, getauxval(AT_HWCAP) != 0);
  say("secure %lu, uid %d\n", getauxval(AT_SECURE), getauxval(AT_UID) == getuid());
  done();
}
