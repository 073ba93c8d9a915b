// stream.h - the numbered stream that writer, reader and driver agree on.
//
// Record n is 32 bytes: ten digits, a space, sixteen hexadecimal digits of a checksum of n, four dots
// and a newline. After RECORDS records the numbers start again: byte k of the stream is
// block[k % BLOCK]. Any gap or repeat shorter than a block shows in the first byte after it.
#ifndef MFR_CAMPAIGN_STREAM_H
#define MFR_CAMPAIGN_STREAM_H

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define RECORD 32u
#define RECORDS 32768u
#define BLOCK (RECORD * RECORDS)

static char block[2 * BLOCK]; // twice, so that a piece of up to one block is in one place

static uint64_t mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15ull;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  return x ^ (x >> 31);
}

static void fill_block(void) {
  for (uint32_t n = 0; n < RECORDS; n++) {
    char *record = block + n * RECORD;
    uint32_t rest = n;
    for (int i = 9; i >= 0; i--, rest /= 10) record[i] = (char)('0' + rest % 10);
    record[10] = ' ';
    uint64_t sum = mix(n);
    for (int i = 0; i < 16; i++, sum >>= 4) record[11 + i] = "0123456789abcdef"[sum & 15];
    memcpy(record + 27, "....\n", 5);
  }
  memcpy(block + BLOCK, block, BLOCK);
}

// Sizes of pieces: mostly small and odd, sometimes large.
static uint32_t piece(uint64_t turn) {
  uint64_t r = mix(turn);
  uint32_t small = 1 + (uint32_t)(r % 700), middle = 1 + (uint32_t)(r % 9000);
  switch ((r >> 32) % 16) {
    case 0: return 1 + (uint32_t)(r % 120000);
    case 1: case 2: case 3: return middle;
    default: return small;
  }
}

// `forked` or `executed` before the other arguments: a child does the work, as it is or as a new image. Before it is
// made the parent has read and written something, which is not the child's.
static void descend(int *argc, char ***argv) {
  int forked = *argc > 1 && !strcmp((*argv)[1], "forked"), executed = *argc > 1 && !strcmp((*argv)[1], "executed");
  if (!forked && !executed) return;
  (*argv)[1] = (*argv)[0];
  --*argc, ++*argv;
  char some[1000];
  int in = open("/dev/zero", O_RDONLY | O_CLOEXEC), out = open("/dev/null", O_WRONLY | O_CLOEXEC);
  for (int i = 0; i < 100; i++)
    if (read(in, some, sizeof some) < 0 || write(out, some, sizeof some) < 0) exit(1);
  pid_t child = fork();
  if (child < 0) exit(1);
  if (child == 0) {
    if (executed) execv((*argv)[0], *argv);
    if (executed) _exit(1);
    return;
  }
  int status = 0;
  if (waitpid(child, &status, 0) != child || !WIFEXITED(status)) exit(1);
  exit(WEXITSTATUS(status));
}

#endif
