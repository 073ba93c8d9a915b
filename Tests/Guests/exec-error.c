// Abstract: a failed exec gives its errno and changes nothing.
#include "guest.h"

int main(void) {
  char *args[] = {"x", NULL};
  show(execv("/no/such/file", args));
  show(execv(".", args));
  make_file("plain", "no program");
  show(execv("./plain", args));
  chmod("plain", 0755);
  show(execv("./plain", args));
  make_file("script", "#!/no/interpreter\n");
  chmod("script", 0755);
  show(execv("./script", args));
  show(execv((char *)8, args));
  show(execvp("surely-not-there", args));
  printf("stdio still works\n");
  fflush(stdout);
  done();
}
