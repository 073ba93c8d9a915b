// Abstract: localtime, mktime, strftime and strptime in three time zones.
#include "guest.h"

int main(void) {
  const char *zones[] = {"UTC", "EST5EDT,M3.2.0,M11.1.0", "Europe/Berlin"};
  for (int i = 0; i < 3; i++) {
    setenv("TZ", zones[i], 1);
    tzset();
    time_t t = 1700000000;
    struct tm m;
    char b[100];
    localtime_r(&t, &m);
    strftime(b, sizeof b, "%F %T %z %A %j %U", &m);
    say("%s: %s, back %ld\n", zones[i], b, (long)mktime(&m));
  }
  struct tm m = {0};
  say("%s\n", strptime("2001-02-03 04:05:06", "%F %T", &m) ? "parsed" : "refused");
  say("%s", asctime(&m));
  done();
}
