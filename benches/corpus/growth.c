// Memory of the C library that leaks, or is taken once.
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void pause_ms(long milliseconds) {
    struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    nanosleep(&time, NULL);
}

// Half of what is taken is given back, in pieces of many sizes.
static void leak(void) {
    for (unsigned round = 0;; round++) {
        for (int i = 0; i < 20; i++) {
            size_t size = 64 + (round * 37u + (unsigned)i * 101u) % 2000;
            char *lost = malloc(size);
            char *given_back = malloc(size);
            if (!lost || !given_back) abort();
            memset(lost, 1, size);
            memset(given_back, 1, size);
            free(given_back);
        }
        pause_ms(50);
    }
}

// A table is loaded a minute after the start.
static void step(void) {
    size_t size = 24u << 20;
    pause_ms(60000);
    char *table = malloc(size);
    if (!table) abort();
    memset(table, 1, size);
    for (;;) pause_ms(1000);
}

int main(int argc, char **argv) {
    if (argc == 2 && !strcmp(argv[1], "leak")) leak();
    if (argc == 2 && !strcmp(argv[1], "step")) step();
    return 2;
}
