// mem.c - memory routines. Law: no vector registers (see shim.h), no calls out.
#include "shim.h"

void *memcpy(void *restrict d, const void *restrict s, size_t n) {
  void *r = d;
  if (n < 32) {
    u8 *dp = d;
    const u8 *sp = s;
    while (n >= 8) {
      u64 v;
      __builtin_memcpy(&v, sp, 8);
      __builtin_memcpy(dp, &v, 8);
      dp += 8, sp += 8, n -= 8;
    }
    while (n) *dp++ = *sp++, n--;
    return r;
  }
  __asm__ volatile("rep movsb" : "+D"(d), "+S"(s), "+c"(n) : : "memory");
  return r;
}

void *memset(void *d, int c, size_t n) {
  void *r = d;
  __asm__ volatile("rep stosb" : "+D"(d), "+c"(n) : "a"(c) : "memory");
  return r;
}

u64 mfr_strlen(const char *s) {
  u64 n = 0;
  while (s[n]) n++;
  return n;
}

int mfr_streq_prefix(const char *s, const char *prefix) {
  while (*prefix)
    if (*s++ != *prefix++) return 0;
  return 1;
}

u32 mfr_format(char *out, u64 value) {
  char tmp[24];
  u32 n = 0, i = 0;
  do tmp[n++] = (char)('0' + value % 10);
  while (value /= 10);
  while (n) out[i++] = tmp[--n];
  out[i] = 0;
  return i;
}

static int has_aes(void) {
  static int known; // 0 not asked, 1 no, 2 yes
  if (!known) {
    u32 a = 1, b, c, d;
    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "=c"(c), "=d"(d));
    known = (c >> 25) & 1 ? 2 : 1;
  }
  return known == 2;
}

u64 mfr_hash(const void *p, u64 n, u64 seed) {
  const u8 *s = p;
  u64 h = mfr_mix(seed, n);
  if (n >= 128 && has_aes()) {
    u64 blocks = n / 64;
    h = mfr_hash_aes(s, blocks, h);
    s += blocks * 64, n -= blocks * 64;
  }
  while (n >= 8) {
    u64 v;
    __builtin_memcpy(&v, s, 8);
    h = mfr_mix(h, v);
    s += 8, n -= 8;
  }
  if (n) {
    u64 v = 0;
    for (u64 i = 0; i < n; i++) v |= (u64)s[i] << (8 * i);
    h = mfr_mix(h, v ^ 0xff);
  }
  return h;
}
