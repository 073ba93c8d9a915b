// Abstract: what calls leave in registers and below the stack pointer, where uninitialised variables find it, shows no replica.
#include "guest.h"
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>

enum { BELOW = 8192 };
static char seen[BELOW], data[65536];
static int nowhere;

// Nobody sees what is written there, but duplicates compare it.
__attribute__((noinline)) static void compare_stack(void) {
  volatile char *p = (volatile char *)__builtin_frame_address(0) - BELOW - 256;
  for (int i = 0; i < BELOW; i++) seen[i] = p[i];
  check(write(nowhere, seen, BELOW) == BELOW);
}

// The registers that a function need not keep: a compiler takes none of them for anything, a signal's frame has them all.
__attribute__((noinline)) static void compare_registers(void *function, long a, long b, long c, long d) {
  static long registers[8];
  register long fourth __asm__("rcx") = d;
  register long *into __asm__("r13") = registers;
  __asm__ volatile(
    "mov %%rsp, %%r12; sub $128, %%rsp; and $-16, %%rsp; xor %%r8d, %%r8d; xor %%r9d, %%r9d\n"
    "call *%%rbx; mov %%r12, %%rsp\n"
    "mov %%rcx, 0(%%r13); mov %%rdx, 8(%%r13); mov %%rsi, 16(%%r13); mov %%rdi, 24(%%r13)\n"
    "mov %%r8, 32(%%r13); mov %%r9, 40(%%r13); mov %%r10, 48(%%r13); mov %%r11, 56(%%r13)"
    : "+D"(a), "+S"(b), "+d"(c), "+r"(fourth)
    : "b"(function), "r"(into)
    : "rax", "r8", "r9", "r10", "r11", "r12", "memory");
  check(write(nowhere, registers, sizeof registers) == sizeof registers);
}

int main(void) {
  check((nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC)) >= 0);
  int pair[2], ends[2];
  struct timeval now;
  struct timespec clock;
  struct stat status;
  for (int round = 0; round < 20; round++) {
    check(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    compare_stack();
    check(pipe(ends) == 0);
    compare_stack();
    check(send(pair[0], data, 9000, 0) == 9000);
    compare_stack();
    check(recv(pair[1], data, 9000, 0) == 9000);
    compare_stack();
    check(write(ends[1], data, 4000) == 4000);
    compare_stack();
    struct iovec parts[2] = {{data, 100}, {data + 200, 3900}};
    check(readv(ends[0], parts, 2) == 4000);
    compare_stack();
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    check(sendmsg(pair[1], &message, 0) == 4000);
    compare_stack();
    check(recvmsg(pair[0], &message, 0) == 4000);
    compare_stack();
    struct pollfd ready = {.fd = pair[0], .events = POLLOUT};
    check(poll(&ready, 1, -1) == 1);
    compare_stack();
    check(gettimeofday(&now, NULL) == 0);
    compare_stack();
    check(clock_gettime(CLOCK_MONOTONIC, &clock) == 0);
    compare_stack();
    check(stat("/", &status) == 0);
    compare_stack();
    check(stat("/none", &status) == -1);
    compare_stack();
    check(read(ends[0], NULL, 0) == 0);
    compare_stack();
    check(write(ends[1], (void *)8, 10) == -1);
    compare_stack();
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    check(page != MAP_FAILED && munmap(page, 4096) == 0);
    compare_stack();
    check(syscall(SYS_gettid) > 0 && sched_yield() == 0);
    compare_stack();
    check(close(pair[0]) + close(pair[1]) + close(ends[0]) + close(ends[1]) == 0);
    compare_stack();
    compare_registers(getpid, 0, 0, 0, 0), compare_registers(getppid, 0, 0, 0, 0);
    compare_registers(socketpair, AF_UNIX, SOCK_STREAM, 0, (long)pair), compare_registers(close, pair[0], 0, 0, 0);
    compare_registers(write, nowhere, (long)data, 10, 0), compare_registers(close, pair[1], 0, 0, 0);
    compare_registers(lseek, nowhere, 0, SEEK_CUR, 0), compare_registers(clock_gettime, CLOCK_REALTIME, (long)&clock, 0, 0);
    compare_registers(time, 0, 0, 0, 0), compare_registers(open, (long)"/none", O_RDONLY, 0, 0);
    compare_registers(mprotect, (long)seen & -4096, 4096, PROT_READ | PROT_WRITE, 0);
  }
  done();
}
