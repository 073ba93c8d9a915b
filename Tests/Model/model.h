// model.h - an exhaustive explorer of what a replica set does: what its files share.
//
// The replicas run the shim's own code (CShim/Preload, compiled with -fsanitize=thread, whose hooks are ours): each
// access to the sync buffer is a place where another process may come first, and where this one may die. The kernel,
// the anchor and the coordinator are models: world.c and coordinator.c.
#ifndef MFR_MODEL_H
#define MFR_MODEL_H

#include "shim.h"

enum { PLACES = 4, COORDINATOR = PLACES, ANCHOR, PROCESSES };
enum status { NONE_YET, READY, ON_FUTEX, ON_INPUT, HAS_ENDED, ZOMBIE };
enum { MOST_CALLS = 8, SIGNAL = 10 };

// What the program under test is, and what may go wrong in a run.
struct settings {
  const char *program; // one letter for each call: see guest() in world.c
  u32 replicas, places, deaths, bids, growth, signals, restarts, idle, coarse, ends;
  u64 limit;
};
extern struct settings set;

// The kernel's state, and what the outside has seen. All of it is part of a state.
struct world {
  u8 status[PROCESSES];
  u8 timed[PROCESSES];
  u8 kick[PLACES];      // a kick is on its way
  u8 deaths, bids, growth, signals, restarts, replaced;
  u8 child_signal, post; // SIGCHLD, and a signal for the guest, that the anchor has not taken yet
  u8 output, input;     // how many tokens went out, came in
  u8 unlinked, random;
  u8 known;             // calls whose result some replica has had
  u8 signal_seq;        // 1 + sequence at which the guest's signal was delivered
  u8 had_signal[PLACES];
  u8 passed[PLACES];    // calls that it has come back from
  u16 open;             // descriptor table
  u16 next_pid;
  i32 pid[PLACES];
  u32 rchar[PLACES], wchar[PLACES];
  u32 futex[PROCESSES]; // offset in the buffer
  i64 result[MOST_CALLS];
};
extern struct world world;
extern u32 running; // who runs
extern int inside;  // a process does

enum outcome { NOTHING, UNTOUCHED, FREED, DONE_WITH };
struct facts {
  u32 claimed, begun, rule;
  u64 moved_in, moved_out; // totals of the zombie minus what its published calls account for
  u64 kind, length;        // of the record in the slot's data
};
u32 decide(const struct facts *facts, i64 *result);

void *model_base(void);
void yield(void);                      // before something that others can see or do
void sleep_as(u32 status);
void violated(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
void guest(void);
void coordinator(void);
void anchor(void);
int world_timeout(u32 process);        // whether its sleep may time out
void wait_word(u32 *word, u32 seen, int timed); // as FUTEX_WAIT
void wake_word(u32 *word);
int zombie(i32 pid);
void model_clone(u32 place);            // from here on there are two, at the same point
void kernel_writes(void *to, u32 bytes); // before the kernel writes into a process's memory
void kick(u32 place);
extern volatile u32 mfr_kicked;

#endif
