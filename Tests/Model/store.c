// store.c - what a state is made of, stored so that states are compared exactly: by the numbers of their parts.
#include "explore.h"

u8 stack[STACK] __attribute__((aligned(64)));
u8 buffer[MFR_BUFFER_BYTES] __attribute__((aligned(4096)));
void *model_base(void) { return buffer; }

#define BLOCK 64u
enum { MOST_HOT = 4096 };
static u8 hot_buffer[MFR_BUFFER_BYTES / BLOCK], *hot_shim;
static u32 buffer_hot[MOST_HOT], shim_hot[MOST_HOT], buffer_hots, shim_hots;
int found_new;

void mark_buffer(u64 off, u64 n) {
  for (u64 b = off / BLOCK; b <= (off + n - 1) / BLOCK; b++)
    if (!hot_buffer[b]) hot_buffer[b] = 1, found_new = 1;
}
void mark_shim(u64 off, u64 n) {
  for (u64 b = off / BLOCK; b <= (off + n - 1) / BLOCK; b++)
    if (!hot_shim[b]) hot_shim[b] = 1, found_new = 1;
}
static void list_hot(void) {
  buffer_hots = shim_hots = 0;
  for (u32 b = 0; b < sizeof hot_buffer && buffer_hots < MOST_HOT; b++)
    if (hot_buffer[b]) buffer_hot[buffer_hots++] = b;
  for (u32 b = 0; b < (__stop_shim_bss - __start_shim_bss + BLOCK - 1) / BLOCK && shim_hots < MOST_HOT; b++)
    if (hot_shim[b]) shim_hot[shim_hots++] = b;
}
void kernel_writes(void *to, u32 n) {
  u8 *p = to;
  if (p >= buffer && p < buffer + sizeof buffer) mark_buffer((u64)(p - buffer), n);
  if (p >= __start_shim_bss && p < __stop_shim_bss) mark_shim((u64)(p - __start_shim_bss), n);
}

// ---- parts, each stored once -----------------------------------------------------------------------------
static u64 hash_of(const void *p, u64 n) {
  const u8 *s = p;
  u64 h = n * 0x9e3779b97f4a7c15ull;
  for (; n >= 8; s += 8, n -= 8) {
    u64 v;
    memcpy(&v, s, 8);
    h = mfr_mix(h, v);
  }
  u64 v = 0;
  memcpy(&v, s, n);
  return mfr_mix(h, v);
}
void *grown(void *p, u64 n) {
  p = realloc(p, n);
  if (!p) {
    fputs("mfr-model: out of memory\n", stderr);
    exit(2);
  }
  return p;
}
u32 intern(struct parts *s, const void *bytes, u32 n) {
  if (s->count * 2 >= s->slots) {
    s->slots = s->slots ? s->slots * 2 : 4096;
    free(s->index);
    s->index = grown(NULL, s->slots * 4ull);
    memset(s->index, 0xff, s->slots * 4ull);
    for (u32 i = 0; i < s->count; i++) {
      u32 k = (u32)s->part[i].hash & (s->slots - 1);
      while (s->index[k] != ~0u) k = (k + 1) & (s->slots - 1);
      s->index[k] = i;
    }
  }
  u64 h = hash_of(bytes, n);
  u32 k = (u32)h & (s->slots - 1);
  for (; s->index[k] != ~0u; k = (k + 1) & (s->slots - 1)) {
    struct part *p = &s->part[s->index[k]];
    if (p->hash == h && p->bytes == n && !memcmp(s->bytes + (u64)p->at * 8, bytes, n)) return s->index[k];
  }
  if (s->count == s->most) s->part = grown(s->part, (s->most = s->most ? s->most * 2 : 1024) * sizeof *s->part);
  u64 need = (n + 7u) & ~7u;
  if (s->used + need > s->room) s->bytes = grown(s->bytes, s->room = (s->room + need) * 2);
  s->part[s->count] = (struct part){h, (u32)(s->used / 8), n};
  memcpy(s->bytes + s->used, bytes, n);
  s->used += need;
  s->index[k] = s->count;
  return s->count++;
}
const void *bytes_of(const struct parts *s, u32 i, u32 *n) {
  *n = s->part[i].bytes;
  return s->bytes + (u64)s->part[i].at * 8;
}
static void drop(struct parts *s) {
  s->used = s->count = 0;
  if (s->index) memset(s->index, 0xff, s->slots * 4ull);
}

static struct parts blocks, buffers;
struct parts images, worlds, states;

u32 save_buffer(void) {
  static u32 list[MOST_HOT]; // die_here runs on the stack of a process
  for (u32 i = 0; i < buffer_hots; i++) list[i] = intern(&blocks, buffer + buffer_hot[i] * BLOCK, BLOCK);
  return intern(&buffers, list, buffer_hots * 4);
}
void load_buffer(u32 id) {
  u32 n;
  const u32 *list = bytes_of(&buffers, id, &n);
  for (u32 i = 0; i < buffer_hots; i++) {
    u32 m;
    memcpy(buffer + buffer_hot[i] * BLOCK, bytes_of(&blocks, list[i], &m), BLOCK);
  }
}
// Stack pointer, shim's variables, stack.
u32 save_image(u32 process, void *sp) {
  static u8 image[STACK + MOST_HOT * BLOCK];
  u32 at = 8;
  memcpy(image, &sp, 8);
  for (u32 i = 0; process < PLACES && i < shim_hots; i++, at += BLOCK)
    memcpy(image + at, __start_shim_bss + shim_hot[i] * BLOCK, BLOCK);
  u64 used = (u64)(stack + STACK - (u8 *)sp);
  memcpy(image + at, sp, used);
  return intern(&images, image, at + (u32)used);
}
void load_image(u32 process, u32 id) {
  u32 n, at = 8;
  const u8 *image = bytes_of(&images, id, &n);
  memcpy(&process_sp, image, 8);
  for (u32 i = 0; process < PLACES && i < shim_hots; i++, at += BLOCK)
    memcpy(__start_shim_bss + shim_hot[i] * BLOCK, image + at, BLOCK);
  memcpy(process_sp, image + at, n - at);
  // What is no longer in use must not tell states apart.
  memset((u8 *)process_sp - 8192, 0, 8192);
}

void store_begin(void) {
  hot_shim = grown(NULL, (u64)(__stop_shim_bss - __start_shim_bss) / BLOCK + 1);
  memset(hot_shim, 0, (u64)(__stop_shim_bss - __start_shim_bss) / BLOCK + 1);
}
void store_clear(void) {
  drop(&blocks), drop(&buffers), drop(&images), drop(&worlds), drop(&states);
  list_hot();
}
