// static - a program without libc and loader; `cc -static -nostdlib`. Writes a line, ends with status 7.
static long call(long number, long a, const void *b, long c) {
  long result;
  __asm__ volatile("syscall" : "=a"(result) : "0"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
  return result;
}

void _start(void) {
  call(1, 1, "static\n", 7);
  for (;;) call(231, 7, 0, 0);
}
