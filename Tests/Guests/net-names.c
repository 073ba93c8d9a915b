// Abstract: getaddrinfo, getnameinfo, inet_pton, gethostname and interfaces without a network.
#include "guest.h"
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <sys/socket.h>

int main(void) {
  struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST}, *list;
  int r = getaddrinfo("127.0.0.1", "80", &hints, &list);
  say("getaddrinfo %d\n", r);
  char host[64], service[16];
  say("getnameinfo %d", getnameinfo(list->ai_addr, list->ai_addrlen, host, sizeof host, service, sizeof service, NI_NUMERICHOST | NI_NUMERICSERV));
  say(" %s %s\n", host, service);
  freeaddrinfo(list);
  say("not a number: %s\n", gai_strerror(getaddrinfo("no number", NULL, &hints, &list)));
  hints.ai_flags = 0;
  r = getaddrinfo("localhost", NULL, &hints, &list);
  say("localhost %d\n", r);
  struct in_addr a;
  say("%d %d\n", inet_pton(AF_INET, "10.1.2.3", &a), inet_pton(AF_INET, "10.1.2", &a));
  char name[256] = "";
  check(gethostname(name, sizeof name) == 0);
  say("%s\n", name);
  struct ifaddrs *all;
  check(getifaddrs(&all) == 0);
  for (struct ifaddrs *i = all; i; i = i->ifa_next)
    if (i->ifa_addr && i->ifa_addr->sa_family == AF_INET) say("%s %d\n", i->ifa_name, (i->ifa_flags & IFF_LOOPBACK) != 0);
  say("index of lo %u\n", if_nametoindex("lo"));
  struct servent *s = getservbyname("http", "tcp");
  say("http %d\n", s ? ntohs(s->s_port) : -1);
  done();
}
