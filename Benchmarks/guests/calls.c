// calls - makes one kind of call again and again. For each line "NAME TIMES" on standard input it answers
// with the nanoseconds per call, as the program's own clock saw them.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int zero, null;
static char data[16384];

// A system call instruction of our own, which no libc symbol stands for.
static long raw(long number) {
  long result;
  __asm__ volatile("syscall" : "=a"(result) : "a"(number) : "rcx", "r11", "memory");
  return result;
}

static void nothing(void) { __asm__ volatile("" ::: "memory"); }
static void gettime(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
}
static void read_1(void) { (void)!read(zero, data, 1); }
static void read_16k(void) { (void)!read(zero, data, sizeof data); }
static void write_64(void) { (void)!write(null, data, 64); }
static void write_16k(void) { (void)!write(null, data, sizeof data); }
static void trapped(void) { raw(SYS_getppid); }

static const struct {
  const char *name;
  void (*call)(void);
} calls[] = {
    {"nothing", nothing},   {"clock_gettime", gettime}, {"read-1", read_1},   {"read-16k", read_16k},
    {"write-64", write_64}, {"write-16k", write_16k},   {"trapped", trapped},
};

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

int main(void) {
  zero = open("/dev/zero", O_RDONLY);
  null = open("/dev/null", O_WRONLY);
  if (zero < 0 || null < 0) return 1;
  char line[128];
  for (;;) {
    size_t length = 0;
    while (length < sizeof line - 1) {
      if (read(0, line + length, 1) != 1) return 0;
      if (line[length] == '\n') break;
      length++;
    }
    line[length] = 0;
    char name[64];
    long times;
    if (sscanf(line, "%63s %ld", name, &times) != 2) return 64;
    void (*call)(void) = NULL;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
      if (!strcmp(name, calls[i].name)) call = calls[i].call;
    if (!call) return 64;
    for (long i = 0; i < times / 10 + 1; i++) call(); // warm
    double begin = now();
    for (long i = 0; i < times; i++) call();
    double took = now() - begin;
    dprintf(1, "%.2f\n", took / (double)times);
  }
}
