// Abstract: of several signals that are due the handlers run in the kernel's order, each with its value, none lost.
#include "guest.h"

static char order[4096];
static int left;
static void note(int sig, siginfo_t *i, void *c) {
  (void)c;
  char t[16];
  char name = sig == SIGUSR1 ? 'u' : sig == SIGRTMIN + 1 ? 'r' : 's';
  snprintf(t, sizeof t, "%c%d ", name, i->si_value.sival_int);
  strcat(order, t);
}
// What a handler raises itself comes when it has returned.
static void again(int sig, siginfo_t *i, void *c) {
  note(sig, i, c);
  if (left-- > 0) check(sigqueue(getpid(), sig, (union sigval){.sival_int = left}) == 0);
  strcat(order, "; ");
}
static void install(void (*handler)(int, siginfo_t *, void *), int sig, const sigset_t *mask, int flags) {
  struct sigaction a = {.sa_sigaction = handler, .sa_mask = *mask, .sa_flags = SA_SIGINFO | flags};
  check(sigaction(sig, &a, NULL) == 0);
}
static void queue(int sig, int value) {
  check(sigqueue(getpid(), sig, (union sigval){.sival_int = value}) == 0);
}

static void batch(const char *name, const sigset_t *mask, int suspend) {
  sigset_t all, none, old;
  sigfillset(&all), sigemptyset(&none);
  install(note, SIGUSR1, mask, 0), install(note, SIGRTMIN + 1, mask, 0), install(note, SIGRTMIN + 2, mask, 0);
  order[0] = 0;
  sigprocmask(SIG_BLOCK, &all, &old);
  for (int i = 1; i <= 3; i++) queue(SIGRTMIN + 2, i), queue(SIGRTMIN + 1, i), queue(SIGUSR1, i);
  if (suspend) show(sigsuspend(&none));
  sigprocmask(SIG_SETMASK, &old, NULL);
  say("%s: %s\n", name, order);
}

int main(void) {
  sigset_t mask;
  sigemptyset(&mask);
  batch("no mask", &mask, 0);
  batch("no mask, sigsuspend", &mask, 1);
  sigaddset(&mask, SIGRTMIN + 1);
  batch("one masked", &mask, 0);
  sigfillset(&mask);
  batch("all masked", &mask, 0);
  batch("all masked, sigsuspend", &mask, 1);
  for (int sig = 0; sig < 2; sig++) {
    order[0] = 0, left = 3;
    sigemptyset(&mask);
    install(again, sig ? SIGRTMIN + 1 : SIGUSR1, &mask, 0);
    queue(sig ? SIGRTMIN + 1 : SIGUSR1, 7);
    say("%s\n", order);
  }
  order[0] = 0;
  install(note, SIGRTMIN + 2, &mask, 0);
  sigaddset(&mask, SIGRTMIN + 2);
  sigprocmask(SIG_BLOCK, &mask, NULL);
  for (int i = 0; i < 300; i++) queue(SIGRTMIN + 2, i);
  sigprocmask(SIG_UNBLOCK, &mask, NULL);
  say("%s\n", order);
  done();
}
