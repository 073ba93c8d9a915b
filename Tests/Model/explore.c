// explore.c - runs every order of steps, and every death, of the processes of the model, and checks what they do.
//
// A state is the kernel's state, the sync buffer, and each process as an image: its stack and, of a replica, the shim's
// variables. All processes run at the same place, one after the other, so that a clone is a copy. What does not change
// during a run is not stored; states are compared exactly, by the numbers of their parts (each part is stored once).
//
// A step ends before an access to a word of the buffer that more than one process touches, or before a call that
// others can see. Which words these are is found while exploring, and then the exploration starts over, until none
// is new. Words that belong to whoever has claimed their slot are checked to be left alone by all others; at each
// write to them a replica may die all the same.
#include <setjmp.h>
#include <stdarg.h>

#include "explore.h"

u32 running;

// ---- contexts -------------------------------------------------------------------------------------------
extern void switch_stack(void **save, void *to);
__asm__(".globl switch_stack\nswitch_stack:\n"
        "push %rbp\npush %rbx\npush %r12\npush %r13\npush %r14\npush %r15\n"
        "mov %rsp, (%rdi)\nmov %rsi, %rsp\n"
        "pop %r15\npop %r14\npop %r13\npop %r12\npop %rbx\npop %rbp\nret\n");
static void *explorer_sp;
void *process_sp;
static jmp_buf out; // of a violation
int inside;
static int cloned_into = -1;
char trouble[512];
int tracing;
static int exploring;

void yield(void) {
  world.status[running] = READY;
  switch_stack(&process_sp, explorer_sp);
}
void sleep_as(u32 status) {
  world.status[running] = (u8)status;
  switch_stack(&process_sp, explorer_sp);
}
void model_clone(u32 place) {
  cloned_into = (int)place;
  yield();
}
void violated(const char *format, ...) {
  va_list list;
  va_start(list, format);
  vsnprintf(trouble, sizeof trouble, format, list);
  va_end(list);
  longjmp(out, 1);
}

void wait_word(u32 *word, u32 seen, int timed) {
  yield();
  if (*word != seen || (running == ANCHOR && (world.child_signal || world.post))) return;
  world.futex[running] = (u32)((u8 *)word - buffer);
  world.timed[running] = (u8)timed;
  sleep_as(ON_FUTEX);
}
// Why it woke up is in world.timed: 2 - its time is over, 3 - a kick.
void futex_sleep(u32 *word, u32 value, int timed, long *result) {
  yield();
  *result = -MFR_EAGAIN;
  if (*word != value) return;
  world.futex[running] = (u32)((u8 *)word - buffer);
  world.timed[running] = (u8)timed;
  sleep_as(ON_FUTEX);
  *result = world.timed[running] == 2 ? -MFR_ETIMEDOUT : world.timed[running] == 3 ? -MFR_EINTR : 0;
  world.timed[running] = 0;
}

// ---- the states ------------------------------------------------------------------------------------------
enum kind { RUN, DIE, DIE_INSIDE, KICKED, TIME_OUT, POST, REPLACE };
static const char *const kinds[] = {"runs", "dies", "dies on its way", "takes a kick", "has waited long enough", "gets a signal", "is replaced"};
struct link { u32 parent; u8 process, kind; };
static struct link *links;
static u32 link_room;
static u32 (*edges)[2];
static u64 edge_count, edge_room;
static struct state now; // the state that is being left
static u32 now_id, now_process;
static struct state start;
static u32 fresh_coordinator;

static void arrive(const struct state *s, u32 process, enum kind kind) {
  u32 before = states.count, id = intern(&states, s, sizeof *s);
  if (id == before) {
    if (id >= link_room) links = grown(links, (link_room = link_room ? link_room * 2 : 65536) * sizeof *links);
    links[id] = (struct link){now_id, (u8)process, (u8)kind};
  }
  if (edge_count == edge_room) edges = grown(edges, (edge_room = edge_room ? edge_room * 2 : 65536) * sizeof *edges);
  edges[edge_count][0] = now_id;
  edges[edge_count++][1] = id;
}

static void kill_in(struct world *w, u32 place) {
  w->status[place] = ZOMBIE;
  w->deaths--;
  w->child_signal = 1;
  w->kick[place] = 0;
  w->timed[place] = 0;
  w->futex[place] = 0;
  if (w->status[ANCHOR] == ON_FUTEX) w->status[ANCHOR] = READY;
}

// Called inside a replica, before a write that nobody else sees now: it may die here all the same.
__attribute__((noinline)) void die_here(void) {
  if (!exploring || running >= PLACES || !world.deaths) return;
  struct world w = world;
  kill_in(&w, running);
  struct state s = now;
  s.world = intern(&worlds, &w, sizeof w);
  s.buffer = save_buffer();
  s.image[running] = 0;
  arrive(&s, running, DIE_INSIDE);
}

static void begin_process(u32 process, void (*body)(void)) {
  void **top = (void **)(stack + STACK) - 3; // aligned as after a call
  *--top = (void *)body;
  for (int i = 0; i < 6; i++) *--top = NULL;
  process_sp = top;
  (void)process;
}

// Lets a process of the state `now` go on to the end of its step.
static int step(u32 process, struct state *s) {
  load_buffer(now.buffer);
  load_image(process, now.image[process]);
  running = process;
  cloned_into = -1;
  if (setjmp(out)) {
    inside = 0;
    return 0;
  }
  inside = 1;
  switch_stack(&explorer_sp, process_sp);
  inside = 0;
  *s = now;
  s->image[process] = save_image(process, process_sp);
  if (cloned_into >= 0) {
    s->image[cloned_into] = s->image[process];
    world.status[cloned_into] = READY;
  }
  s->buffer = save_buffer();
  s->world = intern(&worlds, &world, sizeof world);
  return 1;
}

static void load_world(const struct state *s) {
  u32 n;
  memcpy(&world, bytes_of(&worlds, s->world, &n), sizeof world);
}

// One transition of the state `now`; 0: a property does not hold.
static int transition(u32 p, enum kind kind) {
  struct state s = now;
  load_world(&now);
  switch (kind) {
  case RUN: break;
  case DIE:
    kill_in(&world, p);
    s.image[p] = 0;
    s.world = intern(&worlds, &world, sizeof world);
    arrive(&s, p, kind);
    return 1;
  case KICKED: {
    // on_kick of signals.c, between two steps.
    load_buffer(now.buffer);
    load_image(p, now.image[p]);
    world.kick[p] = 0;
    mfr_kicked = 1;
    mark_shim((u64)((u8 *)&mfr_kicked - __start_shim_bss), 4);
    u32 *kicked = &mfr_replica_at(buffer, p)->kicked;
    mark_buffer((u64)((u8 *)kicked - buffer), 4);
    *kicked = 0;
    if (world.status[p] == ON_FUTEX) world.timed[p] = 3, world.futex[p] = 0;
    world.status[p] = READY;
    s.image[p] = save_image(p, process_sp);
    s.buffer = save_buffer();
    s.world = intern(&worlds, &world, sizeof world);
    arrive(&s, p, kind);
    return 1;
  }
  case TIME_OUT:
    if (p < PLACES && world.bids) world.bids--;
    world.timed[p] = p < PLACES ? 2 : 0;
    world.status[p] = READY;
    world.futex[p] = 0;
    s.world = intern(&worlds, &world, sizeof world);
    arrive(&s, p, kind);
    return 1;
  case POST:
    world.signals--;
    world.post = 1;
    if (world.status[ANCHOR] == ON_FUTEX) world.status[ANCHOR] = READY;
    s.world = intern(&worlds, &world, sizeof world);
    arrive(&s, p, kind);
    return 1;
  case REPLACE:
    world.restarts--;
    world.child_signal = 1; // the anchor starts the new one
    if (world.status[ANCHOR] == ON_FUTEX) world.status[ANCHOR] = READY;
    world.status[COORDINATOR] = READY;
    world.timed[COORDINATOR] = 0;
    s.image[COORDINATOR] = fresh_coordinator;
    s.world = intern(&worlds, &world, sizeof world);
    arrive(&s, p, kind);
    return 1;
  default: break;
  }
  if (world.status[p] == READY) world.futex[p] = 0;
  if (!step(p, &s)) return 0;
  arrive(&s, p, kind);
  return 1;
}

// Every replica that lives has come to the last call, and the leader is in it.
static int is_final(const struct world *w) {
  u32 calls = (u32)strlen(set.program), living = 0, reading = 0, outputs = 0, inputs = 0;
  for (const char *p = set.program; *p; p++) outputs += *p == 'w' || *p == 's', inputs += *p == 'r';
  if (w->output != outputs || w->input != inputs) return 0;
  for (u32 p = 0; p < PLACES; p++) {
    if (w->status[p] == NONE_YET) continue;
    if (w->status[p] == ZOMBIE) return 0;
    living++;
    if (w->passed[p] < calls || (set.ends && w->status[p] != HAS_ENDED)) return 0;
    reading += w->status[p] == ON_INPUT;
    if (w->signal_seq && !w->had_signal[p]) return 0;
  }
  return living > 0 && reading == !set.ends && !w->post;
}
static int all_dead(const struct world *w) {
  for (u32 p = 0; p < PLACES; p++)
    if (w->status[p] != NONE_YET && w->status[p] != ZOMBIE) return 0;
  return 1;
}

static void show(u32 id) {
  u32 path[4096], n = 0;
  for (u32 i = id; i != ~0u && n < 4096; i = links[i].parent) path[n++] = i;
  tracing = 1;
  exploring = 0;
  u32 last = ~0u;
  while (n-- > 1) {
    u32 bytes;
    memcpy(&now, bytes_of(&states, path[n], &bytes), sizeof now);
    const struct link *l = &links[path[n - 1]];
    if (l->process != last || l->kind != RUN) {
      printf("\n  %s%.0u ", l->process < PLACES ? "replica " : l->process == ANCHOR ? "anchor" : "coordinator", l->process);
      if (l->process == 0) printf("0 ");
      if (l->kind != RUN) printf("%s ", kinds[l->kind]);
    }
    last = l->kind == RUN ? l->process : ~0u;
    if (l->kind == RUN) {
      struct state s;
      load_world(&now);
      step(l->process, &s);
    }
  }
  tracing = 0;
  printf("\n");
}

static int fail(u32 id, const char *what) {
  char text[sizeof trouble];
  snprintf(text, sizeof text, "%s", what);
  printf("VIOLATION: %s\n", text);
  show(id);
  if (now_process < PROCESSES) printf("  then: %s\n", text);
  return 1;
}

static void settle_start(void) {
  struct world first = world;
  for (u32 p = 0; p < PROCESSES; p++) {
    if (p >= set.replicas && p < PLACES) continue;
    if (p < PLACES) {
      mfr_self.index = p;
      mfr_self.me = mfr_replica_at(buffer, p);
      mfr_self.rpid = world.pid[p];
    }
    begin_process(p, p < PLACES ? guest : p == COORDINATOR ? coordinator : anchor);
    start.image[p] = save_image(p, process_sp);
    first.status[p] = READY;
    if (p == COORDINATOR) fresh_coordinator = start.image[p];
  }
  start.buffer = save_buffer();
  start.world = intern(&worlds, &first, sizeof first);
  // Anchor and coordinator have looked, and wait for something to happen.
  for (u32 p = COORDINATOR; p < PROCESSES; p++)
    do {
      now = start;
      load_world(&now);
      step(p, &start);
    } while (world.status[p] == READY);
}

// All states from the start. 0: nothing was found; 1: a violation, shown; 2: start over.
int run_all(void) {
  store_clear();
  settle_start();
  found_new = 0;
  now_id = ~0u;
  exploring = 1;
  arrive(&start, 0, RUN);
  edge_count = 0;
  u8 *final = NULL;
  u32 final_room = 0;
  for (u32 id = 0; id < states.count; id++) {
    u32 n;
    memcpy(&now, bytes_of(&states, id, &n), sizeof now);
    now_id = id;
    struct world w;
    memcpy(&w, bytes_of(&worlds, now.world, &n), sizeof w);
    if (id >= final_room) final = grown(final, final_room = (id + 1) * 2);
    final[id] = (u8)is_final(&w);
    int moved = 0;
    for (u32 p = 0; p < PROCESSES; p++) {
      now_process = p;
      if (w.status[p] == READY) {
        moved = 1;
        if (!transition(p, RUN)) return fail(id, trouble);
      } else if (w.status[p] == ON_INPUT || w.status[p] == ON_FUTEX) {
        if (p < PLACES && w.timed[p] == 1 && w.bids && transition(p, TIME_OUT)) moved = 1;
      }
      if (p < PLACES && w.status[p] != NONE_YET && w.status[p] != ZOMBIE) {
        if (w.deaths && !transition(p, DIE)) return fail(id, trouble);
        if (w.kick[p]) {
          moved = 1;
          if (!transition(p, KICKED)) return fail(id, trouble);
        }
      }
      if (found_new) break;
    }
    now_process = PROCESSES;
    if (w.signals && !found_new) transition(ANCHOR, POST);
    if (w.restarts && !found_new && w.status[COORDINATOR] == READY) transition(COORDINATOR, REPLACE);
    // Nobody can move: only then does a sleep end by itself.
    for (u32 p = 0; p < PROCESSES && !moved; p++)
      if (w.status[p] == ON_FUTEX && w.timed[p] && (p >= PLACES || !w.bids)) transition(p, TIME_OUT);
    if (found_new) {
      free(final);
      return 2;
    }
    if (states.count > set.limit) {
      printf("more than %llu states\n", (unsigned long long)set.limit);
      return 1;
    }
  }
  // From every state a good end can be reached.
  u32 count = states.count, *first = grown(NULL, (count + 2) * 4ull), *to = grown(NULL, (edge_count + 1) * 4), *queue = grown(NULL, count * 4ull);
  memset(first, 0, (count + 2) * 4ull);
  for (u64 e = 0; e < edge_count; e++) first[edges[e][1] + 2]++;
  for (u32 i = 2; i < count + 2; i++) first[i] += first[i - 1];
  for (u64 e = 0; e < edge_count; e++) to[first[edges[e][1] + 1]++] = edges[e][0];
  u32 head = 0, tail = 0, ends = 0, lost = 0;
  for (u32 i = 0; i < count; i++) {
    u32 n;
    struct state s;
    memcpy(&s, bytes_of(&states, i, &n), sizeof s);
    struct world w;
    memcpy(&w, bytes_of(&worlds, s.world, &n), sizeof w);
    int gone = all_dead(&w);
    ends += final[i], lost += (u32)gone;
    if (final[i] || gone) final[i] = 2, queue[tail++] = i;
  }
  while (head < tail)
    for (u32 i = queue[head++], e = first[i]; e < first[i + 1]; e++)
      if (final[to[e]] != 2) final[to[e]] = 2, queue[tail++] = to[e];
  int stuck = 0;
  for (u32 i = 0; i < count && !stuck; i++)
    if (final[i] != 2) {
      now_process = PROCESSES;
      stuck = fail(i, "from here no good end can be reached");
    }
  free(first), free(to), free(queue), free(final);
  if (!stuck)
    printf("%u states, %llu steps, %u ends%s\n", count, (unsigned long long)edge_count, ends, lost ? ", some with all dead" : "");
  return stuck;
}
