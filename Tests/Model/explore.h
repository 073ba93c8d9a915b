// explore.h - what the files of the explorer share: explore.c (the states and the steps between them), store.c (what a
// state is made of), hooks.c (what a replica touches), main.c (the start).
#ifndef MFR_EXPLORE_H
#define MFR_EXPLORE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"

extern u8 __start_shim_bss[], __stop_shim_bss[];
#define STACK (64u << 10)
extern u8 stack[STACK], buffer[MFR_BUFFER_BYTES];

// ---- store.c: all that changes, 64 bytes at a time; each part is stored once, and has a number ------------
struct part { u64 hash; u32 at, bytes; };
struct parts {
  u8 *bytes;
  u64 used, room;
  struct part *part;
  u32 count, most, *index, slots;
};
struct state { u32 world, buffer, image[PROCESSES]; };
extern struct parts images, worlds, states;
extern int found_new; // something changes, or is shared, that was not known to
void mark_buffer(u64 off, u64 n);
void mark_shim(u64 off, u64 n);
void store_begin(void); // once
void store_clear(void); // no state is known
void *grown(void *p, u64 n);
u32 intern(struct parts *s, const void *bytes, u32 n);
const void *bytes_of(const struct parts *s, u32 i, u32 *n);
u32 save_buffer(void);
void load_buffer(u32 id);
u32 save_image(u32 process, void *sp);
void load_image(u32 process, u32 id);

// ---- hooks.c -----------------------------------------------------------------------------------------------
extern int tracing;
extern char trouble[512];
const char *name_of(u64 off); // for a trace

// ---- explore.c ---------------------------------------------------------------------------------------------
extern void *process_sp;
void die_here(void);
int run_all(void);

#endif
