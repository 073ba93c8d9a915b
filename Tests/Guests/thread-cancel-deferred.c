// Abstract: deferred cancellation of a thread in each kind of waiting call; clean-up handlers run with the mutex held.
#include "thread.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t c = PTHREAD_COND_INITIALIZER;
static sem_t ready, never;
static int fds[2], cleaned;
static pthread_t joined;

static void unlock(void *arg) {
  check(pthread_mutex_trylock(&m) == EBUSY);
  check(pthread_mutex_unlock(arg) == 0);
  cleaned++;
}
static void count(void *arg) { *(int *)arg += 1; }

static void *in_read(void *arg) { up(&ready); char b; read(fds[0], &b, 1); return arg; }
static void *in_sleep(void *arg) { up(&ready); sleep(100); return arg; }
static void *in_sem(void *arg) { up(&ready); sem_wait(&never); return arg; }
static void *in_timed_sem(void *arg) {
  struct timespec late = in_ms(CLOCK_REALTIME, 60000);
  up(&ready); sem_timedwait(&never, &late); return arg;
}
static void *in_poll(void *arg) { up(&ready); poll(NULL, 0, -1); return arg; }
static void *in_select(void *arg) { up(&ready); select(0, NULL, NULL, NULL, NULL); return arg; }
static void *in_epoll(void *arg) {
  struct epoll_event e;
  int ep = epoll_create1(0);
  pthread_cleanup_push((void (*)(void *))(void *)close, (void *)(long)ep);
  up(&ready); epoll_wait(ep, &e, 1, -1);
  pthread_cleanup_pop(1);
  return arg;
}
static void *in_pause(void *arg) { up(&ready); pause(); return arg; }
static void *in_join(void *arg) { up(&ready); pthread_join(joined, NULL); return arg; }
static void *in_sigwait(void *arg) {
  sigset_t s;
  int sig;
  sigemptyset(&s), sigaddset(&s, SIGUSR2);
  up(&ready); sigwait(&s, &sig); return arg;
}
static void *in_accept(void *arg) {
  int l = socket(AF_UNIX, SOCK_STREAM, 0);
  struct sockaddr_un_ { sa_family_t f; char p[108]; } a = {AF_UNIX, ""};
  bind(l, (void *)&a, sizeof(sa_family_t)), listen(l, 1);
  pthread_cleanup_push((void (*)(void *))(void *)close, (void *)(long)l);
  up(&ready); accept(l, NULL, NULL);
  pthread_cleanup_pop(1);
  return arg;
}
static void *in_recv(void *arg) {
  int s[2];
  char b[8];
  check(socketpair(AF_UNIX, SOCK_DGRAM, 0, s) == 0);
  up(&ready); recv(s[0], b, 8, 0);
  return arg;
}
static void *in_wait(void *arg) {
  pid_t p = fork();
  if (p == 0) { pause(); _exit(0); }
  *(pid_t *)arg = p;
  up(&ready); waitpid(p, NULL, 0); return NULL;
}
static void *in_cond(void *arg) {
  check(pthread_mutex_lock(&m) == 0);
  pthread_cleanup_push(unlock, &m);
  up(&ready);
  for (;;) pthread_cond_wait(&c, &m);
  pthread_cleanup_pop(0);
  return arg;
}
static void *in_timed_cond(void *arg) {
  struct timespec late = in_ms(CLOCK_REALTIME, 60000);
  check(pthread_mutex_lock(&m) == 0);
  pthread_cleanup_push(unlock, &m);
  up(&ready);
  for (;;) pthread_cond_timedwait(&c, &m, &late);
  pthread_cleanup_pop(0);
  return arg;
}
static void *run(void *arg) {
  thread_body *body = arg;
  static int n;
  pthread_cleanup_push(count, &n);
  body(NULL);
  pthread_cleanup_pop(0);
  return &n;
}

static void cancel(const char *name, thread_body *body) {
  pthread_t t = start(run, body);
  down(&ready);
  let_them_block();
  check(pthread_cancel(t) == 0);
  say("%s: %s\n", name, end(t) == (long)PTHREAD_CANCELED ? "cancelled" : "not cancelled");
}

int main(void) {
  check(pipe(fds) == 0);
  sem_init(&ready, 0, 0), sem_init(&never, 0, 0);
#define each(body) cancel(#body, body)
  each(in_read); each(in_sleep); each(in_sem); each(in_timed_sem); each(in_poll); each(in_select); each(in_epoll);
  each(in_pause); each(in_sigwait); each(in_accept); each(in_recv); each(in_cond); each(in_timed_cond);
  joined = start(in_sleep, NULL);
  down(&ready);
  each(in_join);
  check(pthread_cancel(joined) == 0 && end(joined) == (long)PTHREAD_CANCELED);
  say("cleaned %d\n", cleaned);
  check(pthread_mutex_lock(&m) == 0 && pthread_mutex_unlock(&m) == 0);
  pid_t child = 0;
  pthread_t t = start(in_wait, &child);
  down(&ready);
  let_them_block();
  check(pthread_cancel(t) == 0 && end(t) == (long)PTHREAD_CANCELED);
  check(kill(child, SIGKILL) == 0);
  show_end("child", child);
  done();
}
