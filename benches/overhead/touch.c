// Touches new pages as fast as it can, and gives them back. Prints the CPU time of the loop.
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#define PAGE 4096L
#define PAGES 16384L

static long long cpu(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

int main(int argc, char **argv) {
    long count = argc > 1 ? atol(argv[1]) : 100000;
    char *p = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    // One fault a page, whatever the host is set to.
    if (p == MAP_FAILED || madvise(p, PAGES * PAGE, MADV_NOHUGEPAGE) != 0)
        return 1;
    long long start = cpu();
    for (long i = 0; i < count; i++) {
        if (i % PAGES == 0 && madvise(p, PAGES * PAGE, MADV_DONTNEED) != 0)
            return 1;
        ((volatile char *)p)[i % PAGES * PAGE] = 1;
    }
    printf("cpu_ns %lld operations %ld\n", cpu() - start, count);
    return 0;
}
