// Sends back what it is sent, to as many as connect at once. The socket that it listens on is its descriptor 3:
// `teff run --tcp-listen 127.0.0.1:7000 echo-server.wasm`.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LISTENER = 3, CONNECTIONS = 512, BUFFER = 16384 };

// A connection, and what it has not been sent back yet.
struct connection {
    char *buffer;
    size_t start, end;
    int ended; // It sends nothing any more.
};

// The first is the listener; poll and connections stand at the same place.
static struct pollfd polls[CONNECTIONS + 1];
static struct connection connections[CONNECTIONS + 1];
static nfds_t count = 1;

static void accept_one(void) {
    int fd = accept(LISTENER, NULL, NULL);
    if (fd < 0) {
        // Who wanted to connect may have gone again.
        if (errno != EAGAIN && errno != ECONNABORTED) perror("accept");
        return;
    }
    char *buffer = malloc(BUFFER);
    if (buffer == NULL || fcntl(fd, F_SETFL, O_NONBLOCK) != 0) {
        perror("a new connection");
        free(buffer);
        close(fd);
        return;
    }
    polls[count] = (struct pollfd){.fd = fd, .events = POLLRDNORM};
    connections[count] = (struct connection){.buffer = buffer};
    count++;
}

// The last one takes its place.
static void drop(nfds_t i) {
    close(polls[i].fd);
    free(connections[i].buffer);
    count--;
    polls[i] = polls[count];
    connections[i] = connections[count];
}

// Receives if there is nothing to be sent, then sends. Is the connection still there?
static int serve(nfds_t i) {
    struct connection *c = &connections[i];
    int fd = polls[i].fd;
    if (c->start == c->end && !c->ended) {
        ssize_t n = recv(fd, c->buffer, BUFFER, 0);
        if (n < 0) return errno == EAGAIN;
        c->ended = n == 0;
        c->start = 0;
        c->end = (size_t)n;
    }
    while (c->start < c->end) {
        ssize_t n = send(fd, c->buffer + c->start, c->end - c->start, 0);
        if (n < 0) {
            if (errno != EAGAIN) return 0;
            break;
        }
        c->start += (size_t)n;
    }
    polls[i].events = c->start < c->end ? POLLWRNORM : POLLRDNORM;
    return !(c->ended && c->start == c->end);
}

int main(void) {
    if (fcntl(LISTENER, F_SETFL, O_NONBLOCK) != 0) {
        fprintf(stderr, "no socket to listen on as descriptor 3 (teff run --tcp-listen ADDRESS:PORT): %s\n",
                strerror(errno));
        return 1;
    }
    for (;;) {
        // With no place for one more, nobody is accepted until somebody goes.
        polls[0] = (struct pollfd){.fd = count > CONNECTIONS ? -1 : LISTENER, .events = POLLRDNORM};
        nfds_t from = polls[0].fd < 0 ? 1 : 0;
        if (poll(polls + from, count - from, -1) < 0) {
            perror("poll");
            return 1;
        }
        // From the end, so that what takes another's place has been served.
        for (nfds_t i = count - 1; i > 0; i--)
            if (polls[i].revents != 0 && !serve(i)) drop(i);
        if (from == 0 && polls[0].revents != 0) accept_one();
    }
}
