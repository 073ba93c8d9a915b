// hooks.c - the hooks of -fsanitize=thread: each access of a process of the model to the buffer comes by here.
#include "explore.h"

static u8 touched[MFR_BUFFER_BYTES / 4], written[MFR_BUFFER_BYTES / 4], shared_word[MFR_BUFFER_BYTES / 4];

__attribute__((noinline)) static void check_owner(u64 off) {
  u64 at = off - MFR_OFF_SLOTS;
  if (at % sizeof(struct mfr_slot) == 0) return;
  struct mfr_slot *slot = mfr_slot_at(buffer, at / sizeof(struct mfr_slot));
  u32 state = mfr_word_state(slot->word), owner = mfr_word_owner(slot->word);
  if (state == MFR_SLOT_DONE) return;
  if (state == MFR_SLOT_CLAIMED && (owner == running || running >= PLACES)) return;
  if (state == MFR_SLOT_CLAIMED && running < PLACES)
    violated("replica %u touches %s, which replica %u has claimed", running, name_of(off), owner);
  if (running < PLACES) violated("replica %u touches %s, which nobody has claimed", running, name_of(off));
}

static void touch(const void *p, u32 n, int writes) {
  if (!inside) return;
  u64 off = (u64)((const u8 *)p - buffer);
  if (off < MFR_BUFFER_BYTES) {
    if (writes) mark_buffer(off, n);
    int owned = off >= MFR_OFF_SLOTS && (off >= MFR_OFF_DATA || (off - MFR_OFF_SLOTS) % sizeof(struct mfr_slot));
    u64 word = off / 4; // all of a wider field are as its first
    if (!owned) {
      touched[word] |= (u8)(1u << running), written[word] |= (u8)writes;
      int shared = (touched[word] & (touched[word] - 1)) && written[word];
      if (shared && !shared_word[word]) shared_word[word] = 1, found_new = 1;
    }
    // What the anchor reads decides nothing but about the dead, whose words are still.
    if (!owned && shared_word[word] && (running != ANCHOR || (writes && set.coarse < 2)) && (running != COORDINATOR || writes || !set.coarse)) {
      if (tracing) snprintf(trouble, sizeof trouble, "%s %s", writes ? "writes" : "reads", name_of(off));
      yield();
      if (tracing) printf("%s  ", name_of(off));
    } else if (writes) die_here();
    if (owned && off < MFR_OFF_DATA) check_owner(off);
  } else if (writes && (const u8 *)p >= __start_shim_bss && (const u8 *)p < __stop_shim_bss) {
    mark_shim((u64)((const u8 *)p - __start_shim_bss), n);
  }
}

#define PLAIN(n)                                             \
  void __tsan_read##n(void *p) { touch(p, n, 0); }           \
  void __tsan_write##n(void *p) { touch(p, n, 1); }          \
  void __tsan_unaligned_read##n(void *p) { touch(p, n, 0); } \
  void __tsan_unaligned_write##n(void *p) { touch(p, n, 1); } \
  void __tsan_read_write##n(void *p) { touch(p, n, 1); }
PLAIN(1) PLAIN(2) PLAIN(4) PLAIN(8) PLAIN(16)
void __tsan_init(void) {}
void __tsan_func_entry(void *p) { (void)p; }
void __tsan_func_exit(void) {}
void __tsan_atomic_thread_fence(int order) { (void)order; }
void __tsan_atomic_signal_fence(int order) { (void)order; }
#define ATOMIC(n, T)                                                                                    \
  T __tsan_atomic##n##_load(const T *p, int o) { return (void)o, touch(p, n / 8, 0), *p; }              \
  void __tsan_atomic##n##_store(T *p, T v, int o) { (void)o, touch(p, n / 8, 1), *p = v; }              \
  T __tsan_atomic##n##_exchange(T *p, T v, int o) {                                                     \
    (void)o, touch(p, n / 8, 1);                                                                        \
    T old = *p;                                                                                         \
    return *p = v, old;                                                                                 \
  }                                                                                                     \
  T __tsan_atomic##n##_fetch_add(T *p, T v, int o) { return __tsan_atomic##n##_exchange_with(p, v, o, '+'); } \
  T __tsan_atomic##n##_fetch_and(T *p, T v, int o) { return __tsan_atomic##n##_exchange_with(p, v, o, '&'); } \
  T __tsan_atomic##n##_fetch_or(T *p, T v, int o) { return __tsan_atomic##n##_exchange_with(p, v, o, '|'); }  \
  T __tsan_atomic##n##_fetch_xor(T *p, T v, int o) { return __tsan_atomic##n##_exchange_with(p, v, o, '^'); } \
  int __tsan_atomic##n##_compare_exchange_strong(T *p, T *e, T v, int o, int f) {                       \
    (void)o, (void)f, touch(p, n / 8, 1);                                                               \
    if (*p == *e) return *p = v, 1;                                                                     \
    return *e = *p, 0;                                                                                  \
  }                                                                                                     \
  T __tsan_atomic##n##_compare_exchange_val(T *p, T e, T v, int o, int f) {                             \
    __tsan_atomic##n##_compare_exchange_strong(p, &e, v, o, f);                                         \
    return e;                                                                                           \
  }
#define WITH(n, T)                                                            \
  static T __tsan_atomic##n##_exchange_with(T *p, T v, int o, char operation) { \
    (void)o, touch(p, n / 8, 1);                                              \
    T old = *p;                                                               \
    *p = operation == '+' ? (T)(old + v) : operation == '&' ? old & v : operation == '|' ? old | v : old ^ v; \
    return old;                                                               \
  }
WITH(8, u8) WITH(32, u32) WITH(64, u64)
ATOMIC(8, u8) ATOMIC(32, u32) ATOMIC(64, u64)
void *model_memcpy(void *d, const void *s, u64 n);
void *model_memset(void *d, int c, u64 n);
static void range(const void *p, u64 n, int writes) {
  for (u64 k = 0; n && k < n; k += 8) touch((const u8 *)p + k, n - k < 8 ? (u32)(n - k) : 8, writes);
}
void *model_memcpy(void *d, const void *s, u64 n) {
  range(s, n, 0);
  range(d, n, 1);
  return memmove(d, s, n);
}
void *model_memset(void *d, int c, u64 n) {
  range(d, n, 1);
  return memset(d, c, n);
}
void *__tsan_memcpy(void *d, const void *s, u64 n) { return model_memcpy(d, s, n); }
void *__tsan_memmove(void *d, const void *s, u64 n) { return model_memcpy(d, s, n); }
void *__tsan_memset(void *d, int c, u64 n) { return model_memset(d, c, n); }

// ---- names, for a trace ------------------------------------------------------------------------------------
const char *name_of(u64 off) {
  static char text[96];
#define FIELD(of, f) {offsetof(struct of, f), #f}
  static const struct { u64 at; const char *name; } header[] = {
    FIELD(mfr_header, grant), FIELD(mfr_header, sig_pending), FIELD(mfr_header, live), FIELD(mfr_header, sync),
    FIELD(mfr_header, late_us), FIELD(mfr_header, kick), FIELD(mfr_header, stalled), FIELD(mfr_header, signal_point),
    FIELD(mfr_header, parked), FIELD(mfr_header, coordinator_wake), FIELD(mfr_header, anchor_wake)},
    replica[] = {FIELD(mfr_replica, seq), FIELD(mfr_replica, begun), FIELD(mfr_replica, data_pos),
    FIELD(mfr_replica, in_sum), FIELD(mfr_replica, out_sum), FIELD(mfr_replica, calls), FIELD(mfr_replica, phase),
    FIELD(mfr_replica, bid), FIELD(mfr_replica, kicked), FIELD(mfr_replica, park), FIELD(mfr_replica, state),
    FIELD(mfr_replica, pid), FIELD(mfr_replica, request), FIELD(mfr_replica, request_arg),
    FIELD(mfr_replica, unshared), FIELD(mfr_replica, settled)},
    slot[] = {FIELD(mfr_slot, word), FIELD(mfr_slot, identity), FIELD(mfr_slot, out_hash), FIELD(mfr_slot, result),
    FIELD(mfr_slot, data_off), FIELD(mfr_slot, data_len), FIELD(mfr_slot, flags), FIELD(mfr_slot, signo),
    FIELD(mfr_slot, inline_data)};
  const char *what = "";
  u64 index = 0, in = off;
  const void *table = header;
  u64 count = sizeof header / sizeof *header;
  if (off >= MFR_OFF_DATA) return snprintf(text, sizeof text, "data+%llu", (unsigned long long)(off - MFR_OFF_DATA)), text;
  if (off >= MFR_OFF_SLOTS) {
    what = "slot", index = (off - MFR_OFF_SLOTS) / sizeof(struct mfr_slot), in = (off - MFR_OFF_SLOTS) % sizeof(struct mfr_slot);
    table = slot, count = sizeof slot / sizeof *slot;
  } else if (off >= MFR_OFF_REPLICAS && off < MFR_OFF_RANGES) {
    what = "replica", index = (off - MFR_OFF_REPLICAS) / sizeof(struct mfr_replica), in = (off - MFR_OFF_REPLICAS) % sizeof(struct mfr_replica);
    table = replica, count = sizeof replica / sizeof *replica;
  }
  const struct { u64 at; const char *name; } *t = table;
  for (u64 i = 0; i < count; i++)
    if (t[i].at == in) return snprintf(text, sizeof text, *what ? "%s[%llu].%s" : "%.0s%.0llu%s", what, (unsigned long long)index, t[i].name), text;
  return snprintf(text, sizeof text, "%s[%llu]+%llu", *what ? what : "header", (unsigned long long)index, (unsigned long long)in), text;
}
