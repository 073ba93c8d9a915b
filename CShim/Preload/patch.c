// patch.c - a call site that has trapped once is sent straight to the shim: 0.1 µs instead of 2.
//
// Two patterns, both of glibc's and most others' making:
//   mov $nr, %eax ; syscall            -> jmp stub ; nop nop          (5 + 2 bytes)
//   syscall ; cmp $-4095/-4096, %rax   -> jmp stub ; nop nop nop      (2 + 6 bytes)
// The stub keeps the red zone, does what the replaced instruction did, and jumps back. Structural
// calls are never patched: they need the registers that the trap saves.
#include "shim.h"

#define STUB_BYTES 64u
#define STUBS 512u
#define MOVED_AT 29u // where build() puts an instruction that stood behind the call
#define BACK_AT 56u  // where unwinders find the way back (gate.S)
extern u8 mfr_stubs[STUBS * STUB_BYTES];
static u32 used;
static int executable;

static int near(u64 a, u64 b) {
  i64 d = (i64)(a - b);
  return d > -0x7fff0000ll && d < 0x7fff0000ll;
}

// Only text that is mapped from a file and is not ours: a site in memory that the guest writes code
// into may change under our hands. Asked by trying: see patch().
static u8 *build(u64 back, const u8 *moved, u32 moved_bytes, int moved_first) {
  u8 *s = mfr_stubs + used * STUB_BYTES, *p = s;
  if (moved_first) {
    memcpy(p, moved, moved_bytes);
    p += moved_bytes;
  }
  static const u8 enter[] = {0x48, 0x8d, 0x64, 0x24, 0x80,      // lea -128(%rsp), %rsp
                             0xff, 0x15, 0x02, 0, 0, 0,         // call *2(%rip)
                             0xeb, 0x08};                       // jmp over the address
  memcpy(p, enter, sizeof enter);
  p += sizeof enter;
  u64 to = (u64)mfr_patched_entry;
  __builtin_memcpy(p, &to, 8);
  p += 8;
  static const u8 leave[] = {0x48, 0x8d, 0xa4, 0x24, 0x80, 0, 0, 0}; // lea 128(%rsp), %rsp
  memcpy(p, leave, sizeof leave);
  p += sizeof leave;
  if (!moved_first) { // p - s == MOVED_AT
    memcpy(p, moved, moved_bytes);
    p += moved_bytes;
  }
  *p++ = 0xe9;
  i32 rel = (i32)(back - (u64)(p + 4));
  __builtin_memcpy(p, &rel, 4);
  __builtin_memcpy(s + BACK_AT, &back, 8);
  return s;
}

static int writable(u64 at, u64 bytes, int on) {
  u64 first = at & ~(u64)(MFR_PAGE - 1), last = (at + bytes - 1) & ~(u64)(MFR_PAGE - 1);
  return SYS3(mprotect, first, last - first + MFR_PAGE, on ? 7 : 5) == 0;
}

// Where a thread that trapped at a site goes on: behind the call, unless another thread's trap has had the site
// patched meanwhile. Then what stood there is in the stub.
u64 mfr_behind_site(u64 rip) {
  u8 code[5];
  int whole = 0;
  if (!used) return rip;
  if (MFR_TRY()) {
    memcpy(code, (const void *)(rip - 2), sizeof code);
    MFR_TRY_END();
    whole = 1;
  }
  if (!whole || code[0] != 0xe9) return rip;
  i32 to;
  __builtin_memcpy(&to, code + 1, 4);
  u64 stub = rip + 3 + (u64)(i64)to;
  return stub >= (u64)mfr_stubs && stub < (u64)mfr_stubs + sizeof mfr_stubs ? stub + MOVED_AT : rip;
}

// Returns where the call that trapped goes on: behind the call, or in the stub when what was there moved.
u64 mfr_patch_site(u64 rip, u32 nr) {
  if (rip >= (u64)__ehdr_start && rip < (u64)etext) return rip;
  if (rip >= (u64)mfr_stubs && rip < (u64)mfr_stubs + sizeof mfr_stubs) return rip;
  u64 behind = mfr_behind_site(rip);
  if (behind != rip) return behind;
  if (used >= STUBS || !near(rip, (u64)mfr_stubs)) return rip;
  if (nr < mfr_row_count && mfr_rows[nr].class == STRUCTURAL) return rip;
  if (nr == __NR_rt_sigreturn) return rip;
  u8 *site = (u8 *)(rip - 2);
  u8 around[16];
  if (mfr_self.mode == MFR_CHILD) {
    if (mfr_peek(around, (u64)site - 5, 13) < 0) return rip;
  } else if (MFR_TRY()) {
    memcpy(around, site - 5, 13); // the mov before, the call, the cmp behind
    MFR_TRY_END();
  } else return rip;
  if (around[5] != 0x0f || around[6] != 0x05) return rip;
  u32 imm;
  __builtin_memcpy(&imm, around + 1, 4);
  u8 code[8] = {0xe9, 0, 0, 0, 0, 0x90, 0x90, 0x90};
  u8 *start;
  u32 bytes;
  u8 *stub;
  if (!executable) {
    if (SYS3(mprotect, mfr_stubs, sizeof mfr_stubs, 7) != 0) {
      used = STUBS; // a policy forbids it: every call of such a site traps
      return rip;
    }
    executable = 1;
  }
  if (around[7] == 0x48 && around[8] == 0x3d && (around[9] == 0x00 || around[9] == 0x01) &&
      around[10] == 0xf0 && around[11] == 0xff && around[12] == 0xff) {
    start = site;
    bytes = 8;
    stub = build(rip + 6, around + 7, 6, 0);
  } else if (around[0] == 0xb8 && imm == nr) {
    start = site - 5;
    bytes = 7;
    stub = build(rip, around, 5, 1);
  } else return rip;
  i32 rel = (i32)((u64)stub - (u64)(start + 5));
  __builtin_memcpy(code + 1, &rel, 4);
  if (!writable((u64)start, bytes, 1)) return rip;
  used++;
  // The guest runs no other thread here; the write need not be atomic.
  memcpy(start, code, bytes);
  writable((u64)start, bytes, 0);
  return start == site ? (u64)stub + MOVED_AT : rip;
}
