// vdso.c - time that programs read without a system call. The vDSO's functions are patched in place, so
// that what libc does inside is caught as well; their first instructions move to a stub through which
// the shim itself still reads the clock for what it costs without us.
#include "shim.h"

typedef long clock_function(long clock, struct mfr_timespec *ts);
static clock_function *original; // NULL: not to be had, the system call serves

static u8 stub[64] __attribute__((aligned(MFR_PAGE)));
static u8 stub_page_end[MFR_PAGE - 64] __attribute__((aligned(64), used));

long mfr_clock_original(long clock, struct mfr_timespec *ts) {
  if (likely(original != NULL)) return original(clock, ts);
  return SYS2(clock_gettime, clock, ts);
}

static long time_call(long clock, struct mfr_timespec *ts) {
  struct mfr_call c;
  c.nr = __NR_clock_gettime;
  c.a[0] = clock, c.a[1] = (long)ts;
  c.a[2] = c.a[3] = c.a[4] = c.a[5] = 0;
  c.frame = NULL;
  return mfr_clean_registers(mfr_dispatch(&c));
}

// Replacements. On the lane they are calls like any other; off it they are the original.
static long new_clock_gettime(long clock, struct mfr_timespec *ts) {
  if (mfr_self.mode != MFR_ON_LANE) return mfr_clock_original((i32)clock, ts);
  return time_call(clock, ts);
}
static long new_gettimeofday(i64 *tv, u64 *tz) {
  if (tv) {
    struct mfr_timespec ts;
    long r = new_clock_gettime(0, &ts);
    if (r) return r;
    tv[0] = ts.sec;
    tv[1] = ts.nsec / 1000;
  }
  if (tz) *tz = 0;
  return 0;
}
static long new_time(i64 *t) {
  struct mfr_timespec ts;
  long r = new_clock_gettime(5 /* CLOCK_REALTIME_COARSE, as the kernel's own time() */, &ts);
  if (r) return r;
  if (t) *t = ts.sec;
  return ts.sec;
}
static long new_clock_getres(long clock, struct mfr_timespec *ts) {
  return mfr_dispatch6(__NR_clock_getres, clock, (long)ts, 0, 0, 0, 0);
}
static long new_getcpu(u32 *cpu, u32 *node) {
  return mfr_dispatch6(__NR_getcpu, (long)cpu, (long)node, 0, 0, 0, 0);
}
static long new_getrandom(void) { return -MFR_ENOSYS; } // glibc then makes the system call

// ---- finding and patching ------------------------------------------------------------------------------
struct ehdr { u8 ident[16]; u16 type, machine; u32 version; u64 entry, phoff, shoff; u32 flags; u16 ehsize, phsize, phnum, shsize, shnum, shstr; };
struct phdr { u32 type, flags; u64 offset, vaddr, paddr, filesz, memsz, align; };
struct dyn { i64 tag; u64 value; };
struct sym { u32 name; u8 info, other; u16 shndx; u64 value, size; };

static int streq(const char *a, const char *b) {
  while (*a && *a == *b) a++, b++;
  return *a == *b;
}

// Length of an instruction that may be moved, 0 if it is not one of those known. Enough for the
// prologues that compilers write; anything else means: no stub.
static u32 movable(const u8 *p) {
  u32 n = 0;
  if (p[0] == 0xf3 && p[1] == 0x0f && p[2] == 0x1e && p[3] == 0xfa) return 4; // endbr64
  if (p[0] == 0x41 && p[1] >= 0x50 && p[1] <= 0x57) return 2;                 // push r8-r15
  if (p[0] >= 0x50 && p[0] <= 0x57) return 1;                                 // push
  if ((p[0] & 0xf8) == 0x48) n = 1;                                           // REX.W
  if ((p[n] == 0x89 || p[n] == 0x8b || p[n] == 0x31 || p[n] == 0x85) && p[n + 1] >= 0xc0) return n + 2; // reg, reg
  if (p[n] == 0x83 && p[n + 1] >= 0xc0) return n + 3;                         // op reg, imm8
  if (p[n] == 0x81 && p[n + 1] >= 0xc0) return n + 6;                         // op reg, imm32
  if (!n && p[0] >= 0xb8 && p[0] <= 0xbf) return 5;                           // mov reg, imm32
  return 0;
}

static void jump(u8 *at, u64 to) { // mov $to, %rax; jmp *%rax: 12 bytes, rax is free at an entry
  at[0] = 0x48, at[1] = 0xb8;
  __builtin_memcpy(at + 2, &to, 8);
  at[10] = 0xff, at[11] = 0xe0;
}

static void make_stub(const u8 *f) {
  u32 n = 0;
  while (n < 12) {
    u32 k = movable(f + n);
    if (!k) return;
    n += k;
  }
  if (n > 40) return;
  memcpy(stub, f, n);
  // Back behind the moved part, with rax untouched: jmp *0(%rip); address.
  u8 *j = stub + n;
  u64 to = (u64)(f + n);
  j[0] = 0xff, j[1] = 0x25, j[2] = j[3] = j[4] = j[5] = 0;
  __builtin_memcpy(j + 6, &to, 8);
  (void)stub_page_end;
  if (SYS3(mprotect, stub, MFR_PAGE, 5) == 0) original = (clock_function *)(void *)stub;
}

static const struct {
  const char *name;
  void *to;
} patches[] = {
    {"__vdso_clock_gettime", (void *)new_clock_gettime}, {"__vdso_gettimeofday", (void *)new_gettimeofday},
    {"__vdso_time", (void *)new_time},                   {"__vdso_clock_getres", (void *)new_clock_getres},
    {"__vdso_getcpu", (void *)new_getcpu},               {"__vdso_getrandom", (void *)new_getrandom},
};

void mfr_vdso_probe(void) {
  // Without a clock source that user space can read, the vDSO makes the system call itself: that would trap.
  struct mfr_timespec ts;
  if (!original) return;
  mfr_self.probing = 1;
  original(1, &ts);
  if (mfr_self.probing != 1) original = NULL;
  mfr_self.probing = 0;
}

// The kernel splits no mapping of the vDSO: only all of it can be made writable, and how much that is can
// only be guessed from what it holds.
static u64 make_writable(u64 first, u64 bytes) {
  for (u32 more = 0; more < 8; more++, bytes += MFR_PAGE)
    if (SYS3(mprotect, first, bytes, 7) == 0) return bytes;
  return 0;
}

int mfr_vdso_init(u64 base) {
  static u32 done; // a forked child has it from its parent
  if (!base || done++) return 1; // without one, libc makes system calls
  const struct ehdr *e = (const struct ehdr *)base;
  const struct phdr *p = (const struct phdr *)(base + e->phoff);
  u64 bias = base, end = base;
  const struct dyn *d = NULL;
  for (u32 i = 0; i < e->phnum; i++) {
    if (p[i].type == 1) {
      bias = base - p[i].vaddr + p[i].offset;
      if (base + p[i].offset + p[i].memsz > end) end = base + p[i].offset + p[i].memsz;
    }
    if (p[i].type == 2) d = (const struct dyn *)(base + p[i].offset);
  }
  const char *strings = NULL;
  const struct sym *symbols = NULL;
  for (; d && d->tag; d++) {
    if (d->tag == 5) strings = (const char *)(bias + d->value);
    if (d->tag == 6) symbols = (const struct sym *)(bias + d->value);
  }
  if (!strings || !symbols || (u64)strings <= (u64)symbols) return 0;
  u64 first = base & ~(u64)(MFR_PAGE - 1), bytes = (end - first + MFR_PAGE - 1) & ~(u64)(MFR_PAGE - 1);
  if (!(bytes = make_writable(first, bytes))) return 0;
  u64 count = ((u64)strings - (u64)symbols) / sizeof *symbols; // the string table follows the symbols
  for (u32 k = 0; k < sizeof patches / sizeof *patches; k++)
    for (u64 i = 1; i < count; i++) {
      if (symbols[i].shndx == 0 || !streq(strings + symbols[i].name, patches[k].name)) continue;
      u8 *f = (u8 *)(bias + symbols[i].value);
      if (k == 0) make_stub(f);
      if (k == 5) { // getrandom: mov $-ENOSYS, %rax; ret - fits the smallest function
        static const u8 refuse[8] = {0x48, 0xc7, 0xc0, 0xda, 0xff, 0xff, 0xff, 0xc3};
        memcpy(f, refuse, sizeof refuse);
      } else {
        jump(f, (u64)patches[k].to);
      }
      break;
    }
  return SYS3(mprotect, first, bytes, 5) == 0;
}
