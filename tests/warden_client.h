/* SPDX-License-Identifier: Apache-2.0
 *
 * warden_client.h - clients of the warden's tests: of the gates, and of the warden itself.
 */
#pragma once

#include <sys/un.h>
#include "warden_house.h"

static inline const char *status(void)
{
    static char text[4096];
    struct nk_buf out;
    struct nk_fault f = {0};
    nk_buf_init(&out, 65536);
    text[0] = 0;
    if (nk_warden_ask(at("control.sock"), "status", &out, &f) == 0)
        snprintf(text, sizeof text, "%.*s", NK_FMT(nk_buf_str(&out)));
    nk_buf_free(&out);
    return text;
}

static inline unsigned count(const char *text, const char *word)
{
    unsigned n = 0;
    for (; (text = strstr(text, word)); text += strlen(word))
        n++;
    return n;
}

static inline bool all_ready(void)
{
    for (int ms = 0; ms < WAIT_MS; ms += 5) {
        if (count(status(), " ready ") == 5)
            return true;
        pause_ms(5);
    }
    return false;
}

/* Process of a role, 0 when it is down. */
static inline int pid_of(const char *role)
{
    const char *line = strstr(status(), role), *p = line ? strstr(line, "process ") : NULL;
    return p ? (int)strtol(p + 8, NULL, 10) : 0;
}

static inline int open_client(const char *listen, const char *line)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    snprintf(to.sun_path, sizeof to.sun_path, "%s", at(listen));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval patience = {WAIT_MS / 1000, 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(fd, (void *)&to, sizeof to) || send(fd, line, strlen(line), MSG_NOSIGNAL) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static inline const char *ask_on(const char *listen, const char *line)
{
    static char text[64];
    int fd = open_client(listen, line);
    ssize_t n = recv(fd, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = 0;
    close(fd);
    return text;
}

static inline const char *answer_of(int fd)
{
    static char text[512];
    size_t n = 0;
    ssize_t got;
    while (n < sizeof text - 1 && (got = recv(fd, text + n, sizeof text - 1 - n, 0)) > 0)
        n += (size_t)got;
    text[n] = 0;
    text[strcspn(text, "\n")] = 0;
    close(fd);
    return text;
}

/* A word to the warden, and what it answers. */
static inline const char *tell(const char *word)
{
    char line[32];
    snprintf(line, sizeof line, "%s\n", word);
    return answer_of(open_client("control.sock", line));
}
