// counter - a guest that runs until it is told to end, for tests that look at a replica set from outside.
//
// counter [MB [US]]: holds so many megabytes besides; US: microseconds between two lines, 5,000 if not given.
//
// Counts on standard output, a line at a time, so that a number that is missing or doubled shows. In every
// round it writes into its stack, its data and its heap, grows and shrinks the heap, and checks that they
// hold what it has written. What a test writes behind `order.name` in one replica's memory, that replica alone sends to itself;
// a number below 0 is its exit status instead.
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096
#define PAGES 64

static unsigned char data[PAGES * PAGE] = {1}, bss[PAGES * PAGE];

static volatile struct {
  char name[24];
  int signal;
} order = {"signal of a flipped bit", 0};

static void write_round(unsigned char *memory, unsigned round) {
  for (int page = 0; page < PAGES; page++) memory[page * PAGE + round % PAGE] = (unsigned char)round;
}
static void check_round(const unsigned char *memory, unsigned round) {
  for (int page = 0; page < PAGES; page++)
    if (memory[page * PAGE + round % PAGE] != (unsigned char)round) abort();
}

// It has no children: who dies are replicas of its own, and it hears nothing of them.
static void no_child_of_mine(int signo) {
  (void)signo;
  abort();
}

int main(int argc, char **argv) {
  signal(SIGCHLD, no_child_of_mine);
  size_t bytes = argc > 1 ? (size_t)atoi(argv[1]) << 20 : 0;
  long us = argc > 2 ? atol(argv[2]) : 5000;
  char *much = bytes ? malloc(bytes) : NULL;
  if (much) memset(much, 1, bytes);
  unsigned char stack[PAGES * PAGE];
  unsigned char *heap = calloc(PAGES, PAGE);
  memset(stack, 0, sizeof stack);
  if (!heap) return 1;
  for (unsigned round = 0;; round++) {
    unsigned char *areas[] = {stack, data, bss, heap};
    for (int i = 0; i < 4; i++) write_round(areas[i], round);
    if (much && much[(size_t)round * 40961 % bytes] != 1) abort();
    char *passing = malloc(1000 + round % 16 * 20000);
    if (!passing) return 1;
    memset(passing, (int)round, 1000);
    if (order.signal < 0) _exit(-order.signal);
    if (order.signal) kill(getpid(), order.signal);
    char line[32];
    int length = snprintf(line, sizeof line, "%u\n", round);
    if (write(1, line, (size_t)length) != length) return 1;
    for (int i = 0; i < 4; i++) check_round(areas[i], round);
    free(passing);
    struct timespec wait = {0, us * 1000};
    nanosleep(&wait, NULL);
  }
}
