// main.c - the start of the model: what there is before the first step, and what the arguments say.
#include "explore.h"

struct settings set = {.program = "wr", .replicas = 2, .deaths = 1, .limit = 20000000};

static void set_up(void) {
  struct mfr_header *h = mfr_header_of(buffer);
  h->anchor_pid = 99;
  h->mode = MFR_MODE_LANE;
  h->level = set.replicas - 1;
  h->grant = 1 << 8;
  h->live = (1u << set.replicas) - 1;
  h->sync = set.idle ? MFR_SYNC_IDLE : MFR_SYNC_EAGER;
  h->wake_lag = 1u << 30;
  h->late_us = set.bids ? 10000 : 0;
  world = (struct world){.deaths = (u8)set.deaths, .bids = (u8)set.bids, .growth = (u8)set.growth, .signals = (u8)set.signals,
                         .restarts = (u8)set.restarts, .next_pid = 100, .open = 7};
  for (u32 p = 0; p < set.replicas; p++) {
    struct mfr_replica *r = mfr_replica_at(buffer, p);
    r->pid = world.pid[p] = world.next_pid++;
    r->state = MFR_REPLICA_RUNNING;
    r->unshared = 1;
  }
  mfr_self.mode = MFR_ON_LANE;
  mfr_self.base = buffer;
  mfr_self.h = h;
  mfr_self.vpid = 99;
  mfr_threads_init();
  mfr_self.action[SIGNAL] = (struct mfr_sigaction){0x1000, MFR_SA_RESTART, 0, 0};
  for (long fd = 0; fd < 3; fd++) mfr_fd_set(fd);
}

// What decide() makes of every kind of facts, a line each.
static void list_settlements(void) {
  static const struct { u32 rule; const char *name; } rules[] = {
    {REPEAT, "REPEAT"}, {COUNT_IN, "COUNT_IN"}, {COUNT_OUT, "COUNT_OUT"}, {COUNT_RW, "COUNT_RW"}, {RECORD, "RECORD"},
    {POSITION, "POSITION"}, {NEWFD, "NEWFD"}, {CLOSED, "CLOSED"}, {GONE_KIND, "GONE(0)"}, {MADE_KIND, "MADE(0)"}, {STATE, "STATE"}};
  static const u64 moved[] = {0, 70000}, lengths[] = {0xffffffff, 0, 7};
  puts("# claimed begun rule read written kind length: what becomes of the slot");
  for (u32 state = 0; state < 3; state++)
    for (u32 r = 0; r < sizeof rules / sizeof *rules; r++)
      for (u32 a = 0; a < 4; a++)
        for (u32 b = 0; b < 6; b++) {
          struct facts f = {state > 0, state > 1, rules[r].rule, moved[a / 2], moved[a % 2], b / 3, lengths[b % 3]};
          i64 result = 0;
          u32 outcome = decide(&f, &result);
          printf("%u %u %s %llu %llu %llu %llu: ", f.claimed, f.begun, rules[r].name, (unsigned long long)f.moved_in,
                 (unsigned long long)f.moved_out, (unsigned long long)f.kind, (unsigned long long)f.length);
          if (outcome == DONE_WITH) printf("done %lld\n", (long long)result);
          else puts(outcome == FREED ? "free" : outcome == UNTOUCHED ? "untouched" : "nothing");
        }
}

int main(int argc, char **argv) {
  if (argc == 2 && !strcmp(argv[1], "--settlements")) return list_settlements(), 0;
  for (int i = 1; i + 1 < argc; i += 2) {
    u32 n = (u32)atoi(argv[i + 1]);
    switch (argv[i][1]) {
    case 'p': set.program = argv[i + 1]; break;
    case 'r': set.replicas = n; break;
    case 'd': set.deaths = n; break;
    case 'b': set.bids = n; break;
    case 'g': set.growth = n; break;
    case 's': set.signals = n; break;
    case 'c': set.restarts = n; break;
    case 'i': set.idle = n; break;
    case 'q': set.coarse = n; break;
    case 'e': set.ends = n; break;
    case 'l': set.limit = n; break;
    default: return 64;
    }
  }
  set.places = set.replicas + (set.growth ? 1 : 0);
  if (set.places > PLACES || !set.replicas || strlen(set.program) > MOST_CALLS) return 64;
  setvbuf(stdout, NULL, _IOLBF, 0);
  store_begin();
  // Each replica's own variables differ from the first.
  kernel_writes(&mfr_self.index, sizeof mfr_self.index);
  kernel_writes(&mfr_self.me, sizeof mfr_self.me);
  kernel_writes(&mfr_self.rpid, sizeof mfr_self.rpid);
  static u8 clean_shim[4 << 20];
  u64 bytes = (u64)(__stop_shim_bss - __start_shim_bss);
  if (bytes > sizeof clean_shim) return 2;
  set_up();
  struct world clean = world;
  memcpy(clean_shim, __start_shim_bss, bytes);
  u8 *clean_buffer = grown(NULL, MFR_OFF_DATA);
  memcpy(clean_buffer, buffer, MFR_OFF_DATA);
  int result;
  do {
    memcpy(__start_shim_bss, clean_shim, bytes);
    memcpy(buffer, clean_buffer, MFR_OFF_DATA);
    memset(buffer + MFR_OFF_DATA, 0, 4096);
    world = clean;
    result = run_all();
  } while (result == 2);
  return result;
}
