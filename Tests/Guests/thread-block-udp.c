// Abstract: datagrams between threads: recvfrom with and without a time-out of the socket, sendto, recvmmsg.
#include "thread.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

static struct sockaddr_in at[2];
static int s[2];
static sem_t ready;
static void *echoes(void *arg) {
  char b[64];
  struct sockaddr_in from;
  up(&ready);
  for (;;) {
    socklen_t len = sizeof from;
    ssize_t n = recvfrom(s[1], b, sizeof b, 0, (void *)&from, &len);
    check(n > 0 && from.sin_port == at[0].sin_port);
    check(sendto(s[1], b, n, 0, (void *)&from, len) == n);
    if (b[0] == 'q') return arg;
  }
}

int main(void) {
  sem_init(&ready, 0, 0);
  for (int i = 0; i < 2; i++) {
    socklen_t len = sizeof at[i];
    at[i].sin_family = AF_INET, at[i].sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    s[i] = socket(AF_INET, SOCK_DGRAM, 0);
    check(bind(s[i], (void *)&at[i], len) == 0 && getsockname(s[i], (void *)&at[i], &len) == 0);
  }
  pthread_t t = start(echoes, NULL);
  down(&ready);
  let_them_block();
  char b[64];
  for (int i = 0; i < 20; i++) {
    int n = snprintf(b, sizeof b, "%s%d", i == 19 ? "q" : "p", i);
    check(sendto(s[0], b, n, 0, (void *)&at[1], sizeof at[1]) == n);
    check(recv(s[0], b, sizeof b, 0) == n);
    b[n] = 0;
    say("%s ", b);
  }
  end(t);
  struct timeval v = {0, 5000};
  check(setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &v, sizeof v) == 0);
  t = start((thread_body *)(void *)sched_yield, NULL);
  show(recv(s[0], b, sizeof b, 0));
  end(t);
  done();
}
