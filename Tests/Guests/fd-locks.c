// Abstract: record locks, open file description locks and flock are granted, refused, released.
#include "guest.h"
#include <sys/file.h>

int main(void) {
  int a = open("f", O_RDWR | O_CREAT, 0644), b = open("f", O_RDWR);
  struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 10};
  show(fcntl(a, F_SETLK, &l));
  show(fcntl(b, F_SETLK, &l));
  struct flock q = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  show(fcntl(b, F_GETLK, &q));
  say("type %d\n", q.l_type);
  l.l_type = F_UNLCK;
  show(fcntl(a, F_SETLK, &l));
  show(flock(a, LOCK_EX));
  show(flock(b, LOCK_EX | LOCK_NB));
  show(flock(a, LOCK_UN));
  show(flock(b, LOCK_SH | LOCK_NB));
  show(flock(a, LOCK_SH | LOCK_NB));
  show(lockf(a, F_TLOCK, 5));
  struct flock o = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 100, .l_len = 10};
  show(fcntl(a, F_OFD_SETLK, &o));
  o.l_pid = 0;
  show(fcntl(b, F_OFD_SETLK, &o));
  show(fcntl(b, F_OFD_GETLK, &o));
  say("type %d pid %d\n", o.l_type, o.l_pid);
  done();
}
