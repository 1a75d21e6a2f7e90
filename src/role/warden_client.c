/* SPDX-License-Identifier: Apache-2.0
 *
 * warden_client.c - the Unix socket of the operator: one line in ("reload", "status", "upgrade"), one
 * answer out, the first word of which is "ok" or "error"; then the end. Only the owner may connect (mode
 * 0600, and the peer's user is asked of the kernel).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "role/warden_own.h"

enum { ANSWER_MAX = 32768 };

static void drop(struct warden_client *c)
{
    if (c->watch.fd < 0)
        return;
    int rc = c->watch.events ? nk_loop_watch(c->warden->loop, &c->watch, 0) : 0;
    (void)rc; /* taking out does not fail */
    close(c->watch.fd);
    c->watch.fd = -1;
    c->waits = WARDEN_WAITS_NOT;
    c->size = 0;
}

/* The answer is short and the socket's buffer is not; who does not read it loses it. */
static void answer(struct warden_client *c, struct nk_str text)
{
    ssize_t n = send(c->watch.fd, text.p, text.n, MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)n;
    drop(c);
}

void warden_client_answer(struct warden *w, enum warden_wait what, const char *text)
{
    for (size_t i = 0; i < WARDEN_CLIENTS_MAX; i++)
        if (w->clients[i].watch.fd >= 0 && w->clients[i].waits == what)
            answer(&w->clients[i], nk_str(text));
}

void warden_client_refuse(struct warden_client *c, const char *why)
{
    char text[256];
    snprintf(text, sizeof text, "error: %s\n", why);
    answer(c, nk_str(text));
}

static void status(struct warden_client *client)
{
    static const char *const states[] = {"down", "starting", "ready", "leaving"};
    struct warden *w = client->warden;
    struct warden_child *c;
    struct nk_buf out;
    nk_buf_init(&out, ANSWER_MAX);
    nk_buf_printf(&out, "ok: configuration %u, nakoso %s%s\n", w->setup->generation, NK_VERSION,
                  warden_upgrade_runs(w) ? ", upgrade under way" : "");
    for (size_t i = 0; (c = warden_child_at(w, i)); i++)
        if (c->state != WARDEN_DOWN || !c->is_outgoing)
            nk_buf_printf(&out, "%s %u %s process %d instance %08x crashes %u version %s\n",
                          nk_role_name(c->role), c->slot, states[c->state],
                          c->state == WARDEN_DOWN ? 0 : c->pid, c->instance, c->crashes,
                          c->version[0] ? c->version : NK_VERSION);
    answer(client, nk_buf_str(&out));
    nk_buf_free(&out);
}

static void obey(struct warden_client *c)
{
    if (strcmp(c->line, "reload") == 0)
        warden_reload(c->warden, c);
    else if (strcmp(c->line, "status") == 0)
        status(c);
    else if (strcmp(c->line, "upgrade") == 0)
        warden_upgrade(c->warden, c);
    else
        answer(c, NK_STR("error: commands are: reload, status, upgrade\n"));
}

static void heard(struct nk_watch *watch, uint32_t events)
{
    struct warden_client *c = NK_OF(watch, struct warden_client, watch);
    (void)events;
    if (c->watch.fd < 0)
        return;
    ssize_t n = recv(c->watch.fd, c->line + c->size, sizeof c->line - 1 - c->size, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0 || c->waits) {
        drop(c); /* what was asked for goes on without who asked */
        return;
    }
    c->size += (size_t)n;
    c->line[c->size] = 0;
    char *end = strchr(c->line, '\n');
    if (end) {
        *end = 0;
        obey(c);
    } else if (c->size == sizeof c->line - 1) {
        drop(c);
    }
}

static bool is_owner(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
           (peer.uid == geteuid() || peer.uid == 0);
}

static void came(struct nk_watch *watch, uint32_t events)
{
    struct warden *w = NK_OF(watch, struct warden, client_listener);
    struct warden_client *place = NULL;
    (void)events;
    int fd = accept4(watch->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    for (size_t i = 0; i < WARDEN_CLIENTS_MAX && !place; i++)
        if (w->clients[i].watch.fd < 0)
            place = &w->clients[i];
    /* Full of silent ones: the first that waits for nothing gives way. */
    for (size_t i = 0; i < WARDEN_CLIENTS_MAX && !place; i++)
        if (!w->clients[i].waits)
            place = &w->clients[i];
    if (!place || !is_owner(fd)) {
        close(fd);
        return;
    }
    drop(place);
    place->watch.fd = fd;
    if (nk_loop_watch(w->loop, &place->watch, EPOLLIN))
        drop(place);
}

static int fill_address(struct sockaddr_un *at, const char *path)
{
    size_t n = strlen(path);
    *at = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (n >= sizeof at->sun_path)
        return NK_ELIMIT;
    memcpy(at->sun_path, path, n + 1);
    return 0;
}

/* A socket file that nobody answers on is a dead warden's. Looked at before any listener is opened,
 * because opening a Unix listener takes its path from whoever has it. */
int warden_client_check(const char *path, struct nk_fault *f)
{
    struct sockaddr_un at;
    if (fill_address(&at, path))
        return nk_fault_set(f, NK_ELIMIT, "start", 0, "control: %s: the path is too long", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_answered = fd >= 0 && connect(fd, (const void *)&at, sizeof at) == 0;
    if (fd >= 0)
        close(fd);
    return is_answered
               ? nk_fault_set(f, NK_ECONFLICT, "start", 0,
                              "control: %s: another nakoso runs on this configuration", path)
               : 0;
}

void warden_client_init(struct warden *w)
{
    w->client_listener = (struct nk_watch){.fd = -1, .ready = came};
    for (size_t i = 0; i < WARDEN_CLIENTS_MAX; i++)
        w->clients[i] = (struct warden_client){.warden = w, .watch = {.fd = -1, .ready = heard}};
}

int warden_client_begin(struct warden *w, struct nk_fault *f)
{
    struct sockaddr_un at;
    const char *path = w->setup->config.control.p;
    if (fill_address(&at, path))
        return nk_fault_set(f, NK_ELIMIT, "start", 0, "control: %s: the path is too long", path);
    unlink(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    mode_t before = umask(0177);
    int rc = fd < 0 || bind(fd, (void *)&at, sizeof at) || listen(fd, 8);
    umask(before);
    w->client_listener.fd = fd;
    if (rc)
        return nk_fault_set(f, NK_EIO, "start", 0, "control: %s: %s", path, strerror(errno));
    memcpy(w->client_path, at.sun_path, sizeof at.sun_path);
    return warden_client_adopt(w);
}

int warden_client_adopt(struct warden *w)
{
    int rc = nk_loop_watch(w->loop, &w->client_listener, EPOLLIN);
    for (size_t i = 0; i < WARDEN_CLIENTS_MAX && !rc; i++)
        if (w->clients[i].watch.fd >= 0)
            rc = nk_loop_watch(w->loop, &w->clients[i].watch, EPOLLIN);
    return rc;
}

void warden_client_end(struct warden *w)
{
    for (size_t i = 0; i < WARDEN_CLIENTS_MAX; i++)
        drop(&w->clients[i]);
    if (w->client_listener.fd >= 0)
        close(w->client_listener.fd);
    if (w->client_path[0])
        unlink(w->client_path);
}

int nk_warden_ask(const char *path, const char *command, struct nk_buf *out, struct nk_fault *f)
{
    struct sockaddr_un at;
    char line[32];
    if (fill_address(&at, path))
        return nk_fault_set(f, NK_ELIMIT, "control", 0, "%s: the path is too long", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int n = snprintf(line, sizeof line, "%s\n", command);
    int rc = fd < 0 || connect(fd, (void *)&at, sizeof at) ||
             send(fd, line, (size_t)n, MSG_NOSIGNAL) != n;
    while (!rc) {
        char *to = nk_buf_reserve(out, 4096);
        ssize_t got = to ? recv(fd, to, 4096, 0) : -1;
        if (got <= 0) {
            rc = got < 0 || out->n == 0;
            break;
        }
        out->n += (size_t)got;
    }
    if (rc)
        nk_fault_set(f, NK_EIO, "control", 0, "%s: nobody answers (%s); does nakoso run?", path,
                     strerror(errno));
    if (fd >= 0)
        close(fd);
    return rc ? NK_EIO : 0;
}
