// Code in anonymous memory that calls back into C: with a frame pointer, without a table.
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static volatile int sink;

static void __attribute__((noinline)) rest(void) {
  pause();
  sink++;
}

int main(void) {
  // push rbp; mov rbp, rsp; call rdi; pop rbp; ret
  static const unsigned char code[] = {0x55, 0x48, 0x89, 0xe5, 0xff, 0xd7, 0x5d, 0xc3};
  unsigned char *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memcpy(memory + 256, code, sizeof code);
  char name[64];
  snprintf(name, sizeof name, "/tmp/perf-%d.map", getpid());
  FILE *map = fopen(name, "w");
  fprintf(map, "garbage\n%lx %x JS:compiled app.js:7\n", (unsigned long)memory + 256, 8);
  fclose(map);
  ((void (*)(void (*)(void)))(memory + 256))(rest);
  sink++;
  unlink(name);
  return 0;
}
