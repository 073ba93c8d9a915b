// Abstract: A session keyring that is joined is the same for what follows, also when who has joined it is lost.
// Collapse: yes
#include "guest.h"
#include <sys/syscall.h>

enum { JOIN = 1, REVOKE = 3, DESCRIBE = 6, LINK = 8, READ = 11, SESSION = -3, USER = -4 };
static long keyctl(long op, long a, long b, long c, long d) { return syscall(SYS_keyctl, op, a, b, c, d); }
static long id(long special) { return keyctl(0, special, 0, 0, 0); }

int main(void) {
  long joined = keyctl(JOIN, 0, 0, 0, 0);
  if (joined < 0) { // a kernel or a container without keys
    show(joined);
    done();
  }
  show(id(SESSION) == joined);
  long key = syscall(SYS_add_key, "user", "mfr:guest", "what it holds", 13, SESSION);
  show(key > 0);
  show(syscall(SYS_request_key, "user", "mfr:guest", NULL, SESSION) == key);
  char text[32] = {0};
  show(keyctl(READ, key, (long)text, sizeof text, 0));
  show(strcmp(text, "what it holds"));
  show(keyctl(LINK, USER, SESSION, 0, 0));
  show(id(SESSION) == joined);
  show(syscall(SYS_request_key, "user", "mfr:guest", NULL, SESSION) == key);
  show(keyctl(99, 0, 0, 0, 0));
  show(keyctl(REVOKE, key, 0, 0, 0));
  show(keyctl(READ, key, (long)text, sizeof text, 0));
  show(id(SESSION) == joined);
  show(keyctl(REVOKE, joined, 0, 0, 0));
  show(id(SESSION));
  done();
}
