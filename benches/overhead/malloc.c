// Allocates and frees blocks of many sizes over a steady set of live ones, so that the heap stops
// growing at once. Prints the CPU time of the loop.
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { LIVE = 1024 };
static void *live[LIVE];

static long long cpu(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

int main(int argc, char **argv) {
    long count = argc > 1 ? atol(argv[1]) : 10000000;
    unsigned long random = 88172645463325252UL;
    long long start = cpu();
    for (long i = 0; i < count; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        void **slot = &live[random % LIVE];
        free(*slot);
        *slot = malloc(16 + (random >> 32) % 1024);
        if (!*slot)
            return 1;
        *(volatile char *)*slot = 1;
    }
    printf("cpu_ns %lld operations %ld\n", cpu() - start, count);
    return 0;
}
