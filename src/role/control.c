/* SPDX-License-Identifier: Apache-2.0
 *
 * control.c - messages between the warden and a role: struct nk_control as it is, with each
 * descriptor replaced by its place in the SCM_RIGHTS array. A packet socket keeps a message and its
 * descriptors together, so there is no framing to get wrong; its size is the version of the struct.
 */
#include "role/control.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FDS_MAX = 15 + NK_ROLE_LISTENERS_MAX };
/* The struct of upgrade protocol 1: this line stays when members are added behind it. */
enum { SIZE_LEAST = offsetof(struct nk_control, tickets) + sizeof(struct nk_tls_tickets) };

union cmsg_space {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(FDS_MAX * sizeof(int))];
};

/* Where the descriptors of a message are; new ones come at the end. */
static size_t fd_places(struct nk_control *m, int *places[FDS_MAX])
{
    size_t n = 0;
    struct nk_role_ring *rings[] = {&m->calls, &m->answers, &m->audit};
    for (size_t i = 0; i < NK_COUNT(rings); i++) {
        places[n++] = &rings[i]->memfd;
        places[n++] = &rings[i]->eventfd;
        places[n++] = &rings[i]->backfd;
    }
    for (size_t i = 0; i < m->listener_count && i < NK_ROLE_LISTENERS_MAX; i++)
        places[n++] = &m->listeners[i];
    places[n++] = &m->bundle;
    places[n++] = &m->admin;
    places[n++] = &m->stats;
    places[n++] = &m->state_dir;
    places[n++] = &m->mail;
    return n;
}

void nk_control_init(struct nk_control *m, enum nk_control_kind kind)
{
    int *places[FDS_MAX];
    memset(m, 0, sizeof *m); /* padding, too: it is sent */
    m->kind = kind;
    memset(m->listeners, 0xFF, sizeof m->listeners);
    for (size_t n = fd_places(m, places); n > 0; n--)
        *places[n - 1] = -1;
}

void nk_control_close(struct nk_control *m)
{
    int *places[FDS_MAX];
    for (size_t n = fd_places(m, places); n > 0; n--) {
        if (*places[n - 1] >= 0)
            close(*places[n - 1]);
        *places[n - 1] = -1;
    }
}

int nk_control_send(int fd, const struct nk_control *m)
{
    struct nk_control copy = *m;
    int *places[FDS_MAX], fds[FDS_MAX];
    size_t count = fd_places(&copy, places), n = 0;
    for (size_t i = 0; i < count; i++)
        if (*places[i] >= 0) {
            fds[n] = *places[i];
            *places[i] = (int)n++;
        }
    union cmsg_space space = {0};
    struct iovec iov = {&copy, sizeof copy};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    if (n) {
        msg.msg_control = space.bytes;
        msg.msg_controllen = CMSG_SPACE(n * sizeof(int));
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(n * sizeof(int));
        memcpy(CMSG_DATA(c), fds, n * sizeof(int));
    }
    ssize_t sent;
    do
        sent = sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    nk_secret_wipe(&copy.tickets, sizeof copy.tickets);
    if (sent == (ssize_t)sizeof copy)
        return 0;
    return sent < 0 && (errno == EAGAIN || errno == ENOBUFS) ? NK_EAGAIN : NK_EIO;
}

static size_t take_fds(struct msghdr *msg, int fds[FDS_MAX])
{
    size_t n = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t here = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < here && n < FDS_MAX; i++)
            memcpy(&fds[n++], CMSG_DATA(c) + i * sizeof(int), sizeof(int));
    }
    return n;
}

static bool is_sane(const struct nk_control *m)
{
    return m->kind >= NK_CONTROL_START && m->role >= 0 && m->role < NK_ROLE_COUNT &&
           m->listener_count <= NK_ROLE_LISTENERS_MAX && m->slot < NK_ROLE_PAIRS_MAX &&
           m->audit_count <= NK_ROLE_AUDITS_MAX && m->mail_count <= NK_ROLE_PAIRS_MAX;
}

/* Gives each place its descriptor; every one must be used, and once. Those of a later version's
 * members are left over, and closed. */
static bool place_fds(struct nk_control *m, const int *fds, size_t n, bool is_longer)
{
    int *places[FDS_MAX];
    size_t count = fd_places(m, places), used = 0;
    for (size_t i = 0; i < count; i++) {
        if (*places[i] == -1)
            continue;
        if (*places[i] != (int)used || used == n)
            return false;
        *places[i] = fds[used++];
    }
    for (size_t i = used; is_longer && i < n; i++)
        close(fds[i]);
    return is_longer || used == n;
}

int nk_control_recv(int fd, struct nk_control *out)
{
    union cmsg_space space = {0};
    struct iovec iov = {out, sizeof *out};
    nk_control_init(out, NK_CONTROL_KINDS);
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = space.bytes,
                         .msg_controllen = sizeof space.bytes};
    ssize_t got;
    do
        got = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    while (got < 0 && errno == EINTR);
    if (got <= 0)
        return got < 0 && errno == EAGAIN ? NK_EAGAIN : NK_EIO;
    int fds[FDS_MAX];
    size_t n = take_fds(&msg, fds);
    if (got < (ssize_t)SIZE_LEAST || msg.msg_flags & MSG_CTRUNC || !is_sane(out) ||
        !place_fds(out, fds, n, msg.msg_flags & MSG_TRUNC)) {
        while (n > 0)
            close(fds[--n]);
        nk_control_init(out, NK_CONTROL_ABANDON);
        return NK_EINVAL;
    }
    out->text[sizeof out->text - 1] = 0;
    if (out->kind != NK_CONTROL_PING && out->kind < NK_CONTROL_KINDS)
        return 0;
    nk_control_close(out);
    if (out->kind != NK_CONTROL_PING)
        return NK_EAGAIN; /* of a later version */
    nk_control_init(out, NK_CONTROL_PONG);
    int rc = nk_control_send(fd, out);
    return rc == NK_EIO ? rc : NK_EAGAIN;
}
