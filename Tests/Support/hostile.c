// hostile SEED scribble | pids PARENT PID… | cut - a guest that turns against its own sync buffer.
//
// scribble: writes random words, and words that look right, all over the buffer. pids: says that the processes given are
// replicas, with states that ask for a kill, and that their parent is the anchor. cut: tries to make the buffer shorter, through the descriptor
// that its anchor has of it. Says "ready" before it begins; what comes after that is anybody's guess.
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <errno.h>

#include "mfr_abi.h"

static uint64_t seed;
static uint64_t any(void) {
  uint64_t x = seed += 0x9e3779b97f4a7c15ull;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  return x ^ (x >> 31);
}

static uint8_t *find_buffer(void) {
  FILE *maps = fopen("/proc/self/maps", "r");
  char line[512];
  while (maps && fgets(line, sizeof line, maps)) {
    unsigned long start, end;
    if (strstr(line, "memfd:mfr") && sscanf(line, "%lx-%lx", &start, &end) == 2 && end - start >= MFR_BUFFER_BYTES)
      return (uint8_t *)start;
  }
  return NULL;
}

static void pretend(void *base) {
  struct mfr_header *h = mfr_header_of(base);
  struct mfr_replica *r = mfr_replica_at(base, (uint32_t)any());
  switch (any() % 16) {
  case 0: h->grant = any() % 2 ? any() : any() % 16; break;
  case 1: h->live = (uint32_t)any(); break;
  case 2: h->level = (uint32_t)any(); break;
  case 3: h->exec_pid = (int32_t)any(); break;
  case 4: h->collapse = (uint32_t)any() % 4; break;
  case 5: r->state = (uint32_t)any() % 9; break;
  case 6: r->seq = any() % 2 ? any() : h->grant_seq; break;
  case 7: r->fault.signo = (uint32_t)any(); break;
  case 8: r->settled = (uint32_t)any() % 2; break;
  case 9: mfr_slot_at(base, any())->word = any(); break;
  case 10: mfr_slot_at(base, r->seq)->data_off = any(); break;
  case 11: h->sig_pending = any(); break;
  case 12: h->rpc.nr = any() % 2 ? 61 : (uint32_t)any() % 470; break;
  case 13: h->rpc.seq = any(); break;
  case 14: h->rpc.args[any() % 6] = any(); break;
  default:
    if (h->rpc.nr != 37 && h->rpc.nr != 38 && h->rpc.nr != 222) h->rpc.state = 1;
    break;
  }
}

int main(int argc, char **argv) {
  if (argc < 3) return 64;
  seed = strtoull(argv[1], NULL, 0);
  uint8_t *base = find_buffer();
  if (!base) {
    puts("no buffer");
    return 1;
  }
  if (!strcmp(argv[2], "cut")) {
    int refused = 0;
    // "self" is the guest: the anchor's own descriptors are seen by another name of it.
    for (int fd = 0; fd < 64; fd++) {
      char path[64];
      snprintf(path, sizeof path, "/proc/./%d/fd/%d", (int)((struct mfr_header *)base)->anchor_pid, fd);
      char name[256] = "";
      if (readlink(path, name, sizeof name - 1) < 0 || !strstr(name, "memfd:mfr")) continue;
      int buffer = open(path, O_RDWR);
      if (buffer < 0) continue;
      if (ftruncate(buffer, 0) < 0 && errno == EPERM) refused++;
      close(buffer);
    }
    printf("refused %d\n", refused);
    return 0;
  }
  if (!strcmp(argv[2], "pids") && argc < 5) return 64;
  puts("ready");
  fflush(stdout);
  const uint64_t turns = 3000000;
  for (uint64_t k = 0; k < turns; k++) {
    if (!strcmp(argv[2], "pids")) {
      int32_t pid = atoi(argv[4 + k % (uint64_t)(argc - 4)]);
      struct mfr_header *h = mfr_header_of(base);
      struct mfr_replica *r = mfr_replica_at(base, 1 + (uint32_t)(k % 15));
      h->anchor_pid = atoi(argv[3]);
      r->pid = pid;
      h->live |= 1u << (1 + k % 15);
      r->state = MFR_REPLICA_RUNNING; // one too many: the level is 0
      r->unshared = 1;
      h->level = 0;
      mfr_add_acqrel32(&h->coordinator_wake, 1);
      if (k % 1000 == 0) syscall(SYS_sched_yield);
      h->renamed = 1; // the anchor is to look at them
      if (k % 100000 == 0) getppid();
    } else if (k % 4) {
      pretend(base);
    } else {
      ((uint64_t *)base)[any() % (MFR_OFF_DATA / 8)] = any();
    }
    // Not an exit that looks like a crash of the anchor.
    if (mfr_header_of(base)->exit_value < 100) mfr_header_of(base)->exit_value = 100;
  }
  return 0;
}
