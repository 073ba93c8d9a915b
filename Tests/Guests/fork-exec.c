// Abstract: fork and exec of /bin/echo and of a shell with an environment and a redirected output.
#include "guest.h"

int main(void) {
  pid_t c = fork();
  if (c == 0) {
    execlp("echo", "echo", "hello", "from exec", (char *)NULL);
    _exit(127);
  }
  show_end("echo", c);
  c = fork();
  if (c == 0) {
    int fd = open("out", O_WRONLY | O_CREAT | O_TRUNC, 0644);
    dup2(fd, 1);
    char *env[] = {"ONE=1", "PATH=/bin:/usr/bin", NULL};
    execle("/bin/sh", "sh", "-c", "echo $ONE $HOME x; env | grep -v PWD | sort; exit 6", (char *)NULL, env);
    _exit(127);
  }
  show_end("sh", c);
  show_file("out");
  c = fork();
  if (c == 0) {
    make_file("notexec", "data");
    execl("./notexec", "x", (char *)NULL);
    _exit(errno == EACCES ? 50 : 51);
  }
  show_end("not executable", c);
  done();
}
