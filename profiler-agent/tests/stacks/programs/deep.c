// A stack of known functions, without frame pointers. What it ends in is the first argument.
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline, noclone))

static volatile int sink;
static const char *mode = "pause";

static void NOINLINE rest(void) {
  for (;;) {
    pause();
    sink++;
  }
}

static void handler(int signal) {
  sink = signal;
  rest();
  sink++;
}

static inline __attribute__((always_inline)) void inlined(int depth) {
  char bytes[64];
  memset(bytes, depth, sizeof bytes);
  sink += bytes[depth & 63];
  if (!strcmp(mode, "signal")) {
    raise(SIGUSR1);
  } else if (!strcmp(mode, "clock")) {
    struct timespec now;
    for (;;) {
      clock_gettime(CLOCK_MONOTONIC, &now);
      sink += (int)now.tv_nsec;
    }
  } else {
    rest();
  }
  sink++;
}

static int NOINLINE gamma_(int depth) {
  inlined(depth);
  return sink + 1;
}

static int NOINLINE beta(int depth) {
  if (depth > 0) {
    // Not a call that the compiler could turn into a loop.
    sink += beta(depth - 1);
    return sink;
  }
  char *room = alloca(depth + 100 + (sink & 15));
  memset(room, 1, 100);
  return gamma_(depth) + room[3];
}

static int NOINLINE alpha(int depth) {
  uint64_t many[40];
  for (int i = 0; i < 40; i++) many[i] = (uint64_t)depth * i;
  int result = beta(depth);
  for (int i = 0; i < 40; i++) result += (int)many[i];
  return result;
}

static void *thread(void *argument) {
  sink += alpha(*(int *)argument);
  return NULL;
}

int main(int count, char **arguments) {
  static int depth;
  if (count > 1) mode = arguments[1];
  if (count > 2) depth = atoi(arguments[2]);
  struct sigaction action = {.sa_handler = handler};
  sigaction(SIGUSR1, &action, NULL);
  if (!strcmp(mode, "thread")) {
    pthread_t id;
    pthread_create(&id, NULL, thread, &depth);
    pthread_join(id, NULL);
  }
  return alpha(depth) & 1;
}
