/* SPDX-License-Identifier: Apache-2.0
 *
 * address.c - addresses, and sockets that listen or connect.
 */
#include "edge/sock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BACKLOG = 4096, SOCKET_MODE = 0660 };

static int unix_address(struct nk_str path, struct nk_address *out, struct nk_fault *f)
{
    struct sockaddr_un *un = &out->u.un;
    if (!path.n || path.p[0] != '/' || path.n >= sizeof un->sun_path || nk_str_find(path, 0) >= 0)
        return nk_fault_set(f, NK_EINVAL, "address", 0,
                            "\"unix:\" needs an absolute path of at most %zu bytes",
                            sizeof un->sun_path - 1);
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, path.p, path.n);
    out->size = sizeof *un;
    return 0;
}

static int ip_address(struct nk_str host, uint16_t port, struct nk_address *out)
{
    char text[64];
    if (host.n >= sizeof text || nk_str_find(host, 0) >= 0)
        return NK_EINVAL;
    memcpy(text, host.p, host.n);
    text[host.n] = 0;
    if (text[0] == '[' && host.n > 2 && text[host.n - 1] == ']') {
        text[host.n - 1] = 0;
        out->u.in6.sin6_family = AF_INET6;
        out->u.in6.sin6_port = htons(port);
        out->size = sizeof out->u.in6;
        return inet_pton(AF_INET6, text + 1, &out->u.in6.sin6_addr) == 1 ? 0 : NK_EINVAL;
    }
    out->u.in.sin_family = AF_INET;
    out->u.in.sin_port = htons(port);
    out->size = sizeof out->u.in;
    return inet_pton(AF_INET, text, &out->u.in.sin_addr) == 1 ? 0 : NK_EINVAL;
}

int nk_address_parse(struct nk_str text, struct nk_address *out, struct nk_fault *f)
{
    memset(out, 0, sizeof *out);
    if (nk_str_starts(text, NK_STR("unix:")))
        return unix_address(nk_str_sub(text, 5, text.n), out, f);
    size_t colon = text.n;
    while (colon && text.p[colon - 1] != ':')
        colon--;
    uint64_t port;
    if (!colon || nk_str_to_u64(nk_str_sub(text, colon, text.n), &port) || port > 65535 ||
        ip_address(nk_str_sub(text, 0, colon - 1), (uint16_t)port, out))
        return nk_fault_set(f, NK_EINVAL, "address", 0,
                            "\"%.*s\" is not like 127.0.0.1:8080, [::1]:8080 or unix:/path",
                            text.n > 80 ? 80 : (int)text.n, text.p ? text.p : "");
    return 0;
}

int nk_connect(const struct nk_address *to)
{
    int fd = socket(to->u.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return NK_EIO;
    int on = 1;
    if (to->u.sa.sa_family != AF_UNIX)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd, &to->u.sa, to->size) && errno != EINPROGRESS) {
        int why = errno;
        close(fd);
        errno = why;
        return NK_EIO;
    }
    return fd;
}

/* A socket file that nobody listens on is left over from a process that died. */
static bool is_stale(const struct nk_address *at)
{
    struct stat st;
    if (lstat(at->u.un.sun_path, &st) || !S_ISSOCK(st.st_mode))
        return false;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    bool stale = connect(fd, &at->u.sa, at->size) && errno == ECONNREFUSED;
    close(fd);
    return stale;
}

static int bind_to(int fd, const struct nk_address *at, bool shared)
{
    int on = 1;
    if (at->u.sa.sa_family == AF_UNIX) {
        if (is_stale(at))
            unlink(at->u.un.sun_path);
        mode_t old = umask(0777 & ~SOCKET_MODE);
        int rc = bind(fd, &at->u.sa, at->size);
        umask(old);
        return rc;
    }
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) ||
        (shared && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on)))
        return -1;
    return bind(fd, &at->u.sa, at->size);
}

int nk_listen(const struct nk_address *at, bool shared, struct nk_fault *f)
{
    int fd = socket(at->u.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return nk_fault_set(f, NK_EIO, "listen", 0, "socket: %s", strerror(errno));
    if (bind_to(fd, at, shared) || listen(fd, BACKLOG)) {
        int why = errno;
        close(fd);
        errno = why;
        return nk_fault_set(f, NK_EIO, "listen", 0, "bind: %s", strerror(why));
    }
    return fd;
}

bool nk_address_eq(const struct nk_address *a, const struct nk_address *b)
{
    if (a->u.sa.sa_family != b->u.sa.sa_family)
        return false;
    if (a->u.sa.sa_family == AF_INET)
        return a->u.in.sin_port == b->u.in.sin_port &&
               a->u.in.sin_addr.s_addr == b->u.in.sin_addr.s_addr;
    if (a->u.sa.sa_family == AF_INET6)
        return a->u.in6.sin6_port == b->u.in6.sin6_port &&
               !memcmp(&a->u.in6.sin6_addr, &b->u.in6.sin6_addr, sizeof a->u.in6.sin6_addr);
    return a->size == b->size && !strcmp(a->u.un.sun_path, b->u.un.sun_path);
}
