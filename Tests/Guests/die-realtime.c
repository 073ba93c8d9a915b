// Abstract: a real-time signal that nobody handles ends the program.
// Ends: signal 64
#include "guest.h"

int main(void) {
  say("before\n");
  sigqueue(getpid(), SIGRTMAX, (union sigval){.sival_int = 1});
  say("not reached\n");
  return 0;
}
