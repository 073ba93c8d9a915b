// A thread waits for a lock; the test moves the lead, then the thread gives the lock up, and nobody may have it later.
// Says a line when it waits, goes on at a line of standard input.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int file;
static const char *name;
static void handler(int signo) { (void)signo; }
static void *waits(void *arg) {
  int r = flock(file, LOCK_EX);
  printf("%s\n", r == 0 ? "locked" : strerrorname_np(errno));
  fflush(stdout);
  if (r == 0) flock(file, LOCK_UN);
  return arg;
}
// "4: -> FLOCK  ADVISORY  WRITE 123 00:1f:4567 0 EOF": somebody waits for that file.
static int somebody_waits(void) {
  struct stat st;
  char line[256], inode[32];
  int found = 0;
  FILE *f = fopen("/proc/locks", "re");
  if (!f || fstat(file, &st) != 0) exit(98);
  snprintf(inode, sizeof inode, ":%lu ", (unsigned long)st.st_ino);
  while (fgets(line, sizeof line, f)) found |= strstr(line, "->") && strstr(line, inode);
  fclose(f);
  return found;
}
static void holder(int go, int told) {
  int own = open(name, O_RDWR | O_CLOEXEC), taken = 0;
  char b;
  if (own < 0 || flock(own, LOCK_EX) != 0 || write(told, "h", 1) != 1) _exit(97);
  while (!somebody_waits()) sched_yield();
  if (write(told, "w", 1) != 1 || read(go, &b, 1) != 1) _exit(97);
  flock(own, LOCK_UN);
  for (int i = 0; i < 200; i++) { // whoever waited for it has it now
    struct timespec ms = {0, 1000000};
    if (flock(own, LOCK_EX | LOCK_NB) != 0) taken++;
    flock(own, LOCK_UN);
    nanosleep(&ms, NULL);
  }
  _exit(taken ? 1 : 0);
}
int main(int argc, char **argv) {
  int go[2], told[2], status;
  char b, line[16];
  pthread_t t;
  struct sigaction a = {.sa_handler = handler};
  if (argc < 2 || pipe(go) != 0 || pipe(told) != 0) return 96;
  name = argv[1];
  file = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  sigaction(SIGUSR1, &a, NULL);
  pid_t child = fork();
  if (child == 0) holder(go[0], told[1]);
  if (read(told[0], &b, 1) != 1) return 95;
  pthread_create(&t, NULL, waits, NULL);
  if (read(told[0], &b, 1) != 1) return 95;
  printf("waits\n");
  fflush(stdout);
  if (read(0, line, sizeof line) <= 0) return 94;
  pthread_kill(t, SIGUSR1);
  pthread_join(t, NULL);
  if (write(go[1], "g", 1) != 1 || waitpid(child, &status, 0) != child) return 93;
  printf("%s\n", status == 0 ? "free" : "taken");
  return 0;
}
