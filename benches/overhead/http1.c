// An HTTP/1.1 server on one thread: small answers, connections that stay. Says on which port it
// listens.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 64, REQUEST = 4096 };

static const char ANSWER[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                             "Content-Length: 14\r\n\r\nHello, world!\n";

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static int listener(void) {
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 128) ||
        getsockname(fd, (struct sockaddr *)&address, &length))
        fail("listen");
    printf("port %d\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

static void watch(int epoll, int fd) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
        fail("epoll_ctl");
}

// One request for each readable event: the load sends the next when it has the answer, in one
// segment.
static void serve(int fd) {
    char request[REQUEST];
    ssize_t got = recv(fd, request, sizeof request, 0);
    if (got <= 0) {
        close(fd);
        return;
    }
    if (got < 4 || memcmp(request + got - 4, "\r\n\r\n", 4)) {
        fprintf(stderr, "not one whole request\n");
        exit(1);
    }
    if (send(fd, ANSWER, sizeof ANSWER - 1, MSG_NOSIGNAL) != sizeof ANSWER - 1)
        fail("send");
}

int main(void) {
    int listening = listener();
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0)
        fail("epoll_create1");
    watch(epoll, listening);
    for (;;) {
        struct epoll_event events[EVENTS];
        int ready = epoll_wait(epoll, events, EVENTS, -1);
        if (ready < 0 && errno != EINTR)
            fail("epoll_wait");
        for (int i = 0; i < ready; i++) {
            int fd = events[i].data.fd;
            if (fd != listening) {
                serve(fd);
                continue;
            }
            int accepted = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
            if (accepted < 0)
                fail("accept4");
            watch(epoll, accepted);
        }
    }
}
