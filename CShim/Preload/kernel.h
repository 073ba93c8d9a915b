// kernel.h - numbers and structures as the kernel has them: the shim includes none of libc's headers for them.
#ifndef MFR_KERNEL_H
#define MFR_KERNEL_H

#include <linux/types.h>
#include <asm/unistd_64.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int16_t i16;
typedef int32_t i32;
typedef int64_t i64;

#define MFR_EPERM 1
#define MFR_ENOENT 2
#define MFR_ESRCH 3
#define MFR_EINTR 4
#define MFR_EIO 5
#define MFR_EBADF 9
#define MFR_ECHILD 10
#define MFR_EAGAIN 11
#define MFR_ENOMEM 12
#define MFR_EFAULT 14
#define MFR_EBUSY 16
#define MFR_EEXIST 17
#define MFR_EINVAL 22
#define MFR_ENOSYS 38
#define MFR_EISCONN 106
#define MFR_ETIMEDOUT 110
#define MFR_EALREADY 114
#define MFR_EHWPOISON 133

// ---- signals ----------------------------------------------------------------------------------------
#define SIG_BIT(s) (1ull << ((s)-1))
#define MFR_SIGHUP 1
#define MFR_SIGILL 4
#define MFR_SIGTRAP 5
#define MFR_SIGABRT 6
#define MFR_SIGBUS 7
#define MFR_SIGFPE 8
#define MFR_SIGKILL 9
#define MFR_SIGSEGV 11
#define MFR_SIGPIPE 13
#define MFR_SIGALRM 14
#define MFR_SIGCHLD 17
#define MFR_SIGCONT 18
#define MFR_SIGSTOP 19
#define MFR_SIGTSTP 20
#define MFR_SIGTTIN 21
#define MFR_SIGTTOU 22
#define MFR_SIGSYS 31
#define MFR_FAULTS \
  (SIG_BIT(MFR_SIGILL) | SIG_BIT(MFR_SIGBUS) | SIG_BIT(MFR_SIGFPE) | SIG_BIT(MFR_SIGSEGV) | \
   SIG_BIT(MFR_SIGTRAP))
#define MFR_UNMASKABLE (SIG_BIT(MFR_SIGKILL) | SIG_BIT(MFR_SIGSTOP))
#define MFR_SA_NOCLDSTOP 1u
#define MFR_SA_NOCLDWAIT 2u
#define MFR_SA_SIGINFO 4u
#define MFR_SA_RESTORER 0x04000000u
#define MFR_SA_ONSTACK 0x08000000u
#define MFR_SA_RESTART 0x10000000u
#define MFR_SA_NODEFER 0x40000000u
#define MFR_SA_RESETHAND 0x80000000u
#define BUS_MCEERR_AO 5

// ---- structures -------------------------------------------------------------------------------------
struct mfr_sigaction {
  u64 handler, flags, restorer, mask;
};
struct mfr_stack {
  u64 sp;
  i32 flags, pad;
  u64 size;
};
// ucontext of x86-64 as the kernel lays it out (arch/x86/include/uapi/asm/sigcontext.h).
struct mfr_frame {
  u64 uc_flags, uc_link;
  struct mfr_stack stack;
  u64 r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, eflags;
  u16 cs, gs, fs, ss;
  u64 err, trapno, oldmask, cr2, fpstate, reserved[8];
  u64 sigmask;
};
struct mfr_siginfo {
  i32 signo, err, code, pad;
  union {
    struct { i32 pid; u32 uid; u64 value; } rt;
    struct { u64 call_addr; i32 syscall; u32 arch; } sys;
    struct { u64 addr; } fault;
    u8 bytes[112];
    struct { u8 kernel[104]; u64 below; } ours; // mfr_take_signal: signals whose frames lie below this one's
  } u;
};
struct mfr_timespec {
  i64 sec, nsec;
};
struct mfr_iovec {
  u64 base, len;
};
struct mfr_msghdr {
  u64 name;
  u32 namelen, pad0;
  u64 iov, iovlen, control, controllen;
  u32 flags, pad1;
};
struct mfr_mmsghdr {
  struct mfr_msghdr hdr;
  u32 len, pad;
};

struct mfr_pollfd {
  i32 fd;
  i16 events, revents;
};

#endif
