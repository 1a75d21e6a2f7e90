/* SPDX-License-Identifier: Apache-2.0
 *
 * courier_upstream.h - the test as an upstream: plain sockets, served by hand.
 */
#pragma once

#include "courier_role.h"

static bool readable(int fd, int ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, ms) == 1;
}

/* A connection of the courier; -1 when none comes within `ms`. */
static int up_accept(int listener, int ms)
{
    return readable(listener, ms) ? accept4(listener, NULL, NULL, SOCK_CLOEXEC) : -1;
}

static char request[200000];

/* Reads until the head and `body` bytes are there. */
static bool up_read(int fd, size_t body)
{
    size_t n = 0;
    request[0] = 0;
    for (;;) {
        const char *end = strstr(request, "\r\n\r\n");
        if (end && n >= (size_t)(end + 4 - request) + body)
            return true;
        ssize_t r = n < sizeof request - 1 && readable(fd, PATIENCE_MS)
                        ? read(fd, request + n, sizeof request - 1 - n)
                        : -1;
        if (r <= 0)
            return false;
        n += (size_t)r;
        request[n] = 0;
    }
}

static bool up_write(int fd, const char *text)
{
    size_t n = strlen(text);
    return write(fd, text, n) == (ssize_t)n;
}

/* The courier closes it; what it may have sent before is thrown away. */
__attribute__((unused)) static bool up_closed(int fd, int ms)
{
    char bytes[4096];
    while (readable(fd, ms))
        if (read(fd, bytes, sizeof bytes) <= 0)
            return true;
    return false;
}

__attribute__((unused)) static void reset(int fd)
{
    struct linger l = {1, 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof l);
    close(fd);
}
