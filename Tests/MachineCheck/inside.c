// inside.c - what the machine check test does inside the virtual machine and busybox cannot.
//
//   inside pages PID NAME          present pages of the mappings of that name: virtual and physical address
//   inside call PID NR [ARG]...    lets a replica make one system call; prints its result
//   inside symbol PID NAME         where a symbol of libmfrshim.so is in that process
//   inside follow MARK FILE        prints what is appended to a file, line by line with MARK before each
//   inside behind COMMAND...       runs a command that leaves the processor to all others
//   inside serve                   runs the command lines that come in, each "NUMBER COMMAND": says what they say,
//                                  with = before each line, and then @NUMBER STATUS
//
// Numbers may be decimal or 0x...
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

static void fail(const char *what) {
  fprintf(stderr, "inside: %s: %s\n", what, strerror(errno));
  exit(1);
}

// Calls `each` for every mapping of a process whose file name ends in `name`.
static void mappings(const char *pid, const char *name, void (*each)(uint64_t start, uint64_t end, uint64_t offset, void *), void *arg) {
  char path[64], line[512];
  snprintf(path, sizeof path, "/proc/%s/maps", pid);
  FILE *f = fopen(path, "re");
  if (!f) fail(path);
  while (fgets(line, sizeof line, f)) {
    uint64_t start, end, offset;
    int at = 0;
    line[strcspn(line, "\n")] = 0;
    if (sscanf(line, "%lx-%lx %*s %lx %*s %*s %n", &start, &end, &offset, &at) < 3 || !at) continue;
    size_t have = strlen(line + at), want = strlen(name);
    if (have >= want && strcmp(line + at + have - want, name) == 0) each(start, end, offset, arg);
  }
  fclose(f);
}

static void list_pages(uint64_t start, uint64_t end, uint64_t offset, void *arg) {
  (void)offset;
  for (uint64_t at = start; at < end; at += 4096) {
    uint64_t entry;
    if (pread(*(int *)arg, &entry, 8, (off_t)(at / 4096 * 8)) != 8) fail("pagemap");
    if (entry >> 63) printf("%lx %lx\n", at, (entry & ((1ul << 55) - 1)) << 12);
  }
}

static void first_mapping(uint64_t start, uint64_t end, uint64_t offset, void *arg) {
  (void)end;
  uint64_t *base = arg;
  if (!*base && offset == 0) *base = start;
}

// The shim is built with its symbols.
static uint64_t symbol(const char *pid, const char *name) {
  uint64_t base = 0;
  mappings(pid, "libmfrshim.so", first_mapping, &base);
  if (!base) {
    errno = ESRCH;
    fail("no shim");
  }
  int fd = open("/bin/libmfrshim.so", O_RDONLY | O_CLOEXEC);
  struct stat st;
  if (fd < 0 || fstat(fd, &st) < 0) fail("libmfrshim.so");
  const char *image = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (image == MAP_FAILED) fail("mmap");
  const Elf64_Ehdr *header = (const void *)image;
  const Elf64_Shdr *sections = (const void *)(image + header->e_shoff);
  for (int i = 0; i < header->e_shnum; i++) {
    if (sections[i].sh_type != SHT_SYMTAB) continue;
    const Elf64_Sym *symbols = (const void *)(image + sections[i].sh_offset);
    const char *names = image + sections[sections[i].sh_link].sh_offset;
    for (uint64_t k = 0; k < sections[i].sh_size / sizeof *symbols; k++)
      if (strcmp(names + symbols[k].st_name, name) == 0) return base + symbols[k].st_value;
  }
  errno = ENOENT;
  fail(name);
  return 0;
}

// Any place but the shim's gate would bring the call back as SIGSYS.
static uint64_t call_site(const char *pid) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%s/mem", pid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  uint64_t at = symbol(pid, "mfr_gate_start");
  unsigned char text[64];
  if (fd < 0 || pread(fd, text, sizeof text, (off_t)at) != sizeof text) fail(path);
  close(fd);
  for (size_t i = 0; i + 1 < sizeof text; i++)
    if (text[i] == 0x0f && text[i + 1] == 0x05) return at + i;
  errno = ENOENT;
  fail("no system call in the gate");
  return 0;
}

static int await_stop(pid_t pid) {
  int status;
  if (waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status)) fail("the process does not stop");
  return WSTOPSIG(status);
}

static long call_inside(const char *text, char **args, int count) {
  pid_t pid = atoi(text);
  uint64_t a[7] = {0}, site = call_site(text);
  for (int i = 0; i < count && i < 7; i++) a[i] = strtoull(args[i], NULL, 0);
  struct user_regs_struct before, regs;
  if (ptrace(PTRACE_SEIZE, pid, 0, 0) < 0 || ptrace(PTRACE_INTERRUPT, pid, 0, 0) < 0) fail("ptrace");
  await_stop(pid);
  if (ptrace(PTRACE_GETREGS, pid, 0, &before) < 0) fail("registers");
  regs = before;
  regs.rip = site;
  regs.rax = a[0];
  regs.rdi = a[1], regs.rsi = a[2], regs.rdx = a[3], regs.r10 = a[4], regs.r8 = a[5], regs.r9 = a[6];
  regs.orig_rax = ~0ull; // the call that was interrupted is not to be restarted now
  if (ptrace(PTRACE_SETREGS, pid, 0, &regs) < 0 || ptrace(PTRACE_SINGLESTEP, pid, 0, 0) < 0) fail("step");
  // The call may have raised a signal, which comes before the end of the step and is to be there after it.
  siginfo_t raised;
  int signo = 0;
  while (await_stop(pid) != SIGTRAP) {
    if (ptrace(PTRACE_GETSIGINFO, pid, 0, &raised) < 0 || ptrace(PTRACE_CONT, pid, 0, 0) < 0) fail("signal");
    signo = raised.si_signo;
  }
  if (ptrace(PTRACE_GETREGS, pid, 0, &regs) < 0) fail("registers");
  // This is a stop for a signal: from here the kernel restarts the interrupted call by the registers.
  if (signo && ptrace(PTRACE_SETSIGINFO, pid, 0, &raised) < 0) fail("signal");
  if (ptrace(PTRACE_SETREGS, pid, 0, &before) < 0 || ptrace(PTRACE_DETACH, pid, 0, signo) < 0) fail("detach");
  return (long)regs.rax;
}

static void follow(const char *mark, const char *path) {
  int watch = inotify_init1(IN_CLOEXEC);
  int fd = open(path, O_RDONLY | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0 || watch < 0 || inotify_add_watch(watch, path, IN_MODIFY) < 0) fail(path);
  static char line[1 << 16], text[1 << 15];
  size_t used = 0;
  for (;;) {
    ssize_t n = read(fd, text, sizeof text);
    if (n < 0) fail(path);
    for (ssize_t i = 0; i < n; i++) {
      if (used == 0) used = (size_t)snprintf(line, sizeof line, "%s ", mark);
      if (used < sizeof line) line[used++] = text[i];
      if (text[i] != '\n') continue;
      if (write(1, line, used) != (ssize_t)used) fail("output");
      used = 0;
    }
    if (n == 0 && read(watch, text, sizeof text) <= 0) fail("inotify");
  }
}

static void serve(void) {
  static char line[1 << 14], text[1 << 16], out[1 << 17];
  while (fgets(line, sizeof line, stdin)) {
    char *command = strchr(line, ' ');
    int ends[2], status = 0;
    if (!command || pipe2(ends, O_CLOEXEC) < 0) fail("serve");
    *command++ = 0;
    pid_t pid = fork();
    if (pid < 0) fail("fork");
    if (pid == 0) {
      int null = open("/dev/null", O_RDONLY);
      dup2(null, 0), dup2(ends[1], 1), dup2(ends[1], 2);
      execl("/bin/sh", "sh", "-c", command, NULL);
      _exit(127);
    }
    close(ends[1]);
    size_t used = 0, length = 0;
    for (ssize_t n; (n = read(ends[0], text + used, sizeof text - 1 - used)) > 0;) used += (size_t)n;
    close(ends[0]);
    if (used && text[used - 1] != '\n') text[used++] = '\n';
    for (size_t i = 0; i < used; i++) {
      if (i == 0 || text[i - 1] == '\n') out[length++] = '=';
      out[length++] = text[i];
    }
    waitpid(pid, &status, 0);
    length += (size_t)sprintf(out + length, "@%s %d\n", line, WIFEXITED(status) ? WEXITSTATUS(status) : 255);
    for (size_t at = 0; at < length;) {
      ssize_t n = write(1, out + at, length - at);
      if (n <= 0) fail("output");
      at += (size_t)n;
    }
  }
}

int main(int argc, char **argv) {
  const char *what = argc > 2 ? argv[1] : "";
  if (strcmp(what, "pages") == 0 && argc == 4) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%s/pagemap", argv[2]);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) fail(path);
    mappings(argv[2], argv[3], list_pages, &fd);
  } else if (strcmp(what, "call") == 0 && argc >= 4) {
    printf("%ld\n", call_inside(argv[2], argv + 3, argc - 3));
  } else if (strcmp(what, "symbol") == 0 && argc == 4) {
    printf("%lx\n", symbol(argv[2], argv[3]));
  } else if (strcmp(what, "follow") == 0 && argc == 4) {
    follow(argv[2], argv[3]);
  } else if (argc == 2 && strcmp(argv[1], "serve") == 0) {
    serve();
  } else if (strcmp(what, "behind") == 0) {
    if (setpriority(PRIO_PROCESS, 0, 10) < 0) fail("setpriority");
    execvp(argv[2], argv + 2);
    fail(argv[2]);
  } else {
    fprintf(stderr, "inside: see the head of inside.c\n");
    return 64;
  }
  return 0;
}
