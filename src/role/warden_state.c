/* SPDX-License-Identifier: Apache-2.0
 *
 * warden_state.c - all that a warden holds, as one JSON object in a sealed memory file, for the
 * binary that takes its place in the same process: numbers of descriptors (which live through exec),
 * processes, counters. No secret is in it: the configuration is read again, and the sealed bundles,
 * which go along as descriptors, serve the way back alone.
 *
 * JSON, because the two binaries are of different versions: a member that the reader does not know
 * is passed over. What an older reader could not do without is a new NK_WARDEN_PROTOCOL.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "json/json.h"
#include "role/warden_own.h"

enum { STATE_MAX = 4 << 20, SEALS = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE };

/* Descriptors ------------------------------------------------------------------------------------
 */

static int share(int fd, bool shared)
{
    return fd < 0 || fcntl(fd, F_SETFD, shared ? 0 : FD_CLOEXEC) == 0 ? 0 : NK_EIO;
}

static int share_many(const int *fds, size_t n, bool shared)
{
    int rc = 0;
    for (size_t i = 0; i < n; i++)
        rc |= share(fds[i], shared);
    return rc;
}

static int share_ring(const struct nk_role_ring *r, bool shared)
{
    int fds[] = {r->memfd, r->eventfd, r->backfd};
    return share_many(fds, NK_COUNT(fds), shared);
}

static int share_setup(const struct warden_setup *s, bool shared)
{
    int rc = share_many(s->sealed, NK_COUNT(s->sealed), shared);
    for (size_t i = 0; i < s->listener_count; i++)
        rc |= share_many(s->listeners[i].fds, NK_ROLE_PAIRS_MAX, shared);
    rc |= share_many(s->admin.fds, NK_ROLE_PAIRS_MAX, shared);
    return rc | share_many(s->servers.fds, NK_ROLE_PAIRS_MAX, shared);
}

int warden_state_share(struct warden *w, struct warden_pair *pairs, bool shared)
{
    int fds[] = {w->null_fd,      w->state_dir,      w->stats_fd,      w->client_listener.fd,
                 w->upgrade.self, w->scribe.control, w->runner.control};
    int rc = share_many(fds, NK_COUNT(fds), shared) | share_setup(w->setup, shared);
    for (uint32_t i = 0; i < w->workers; i++)
        rc |= share_ring(&pairs[i].calls, shared) | share_ring(&pairs[i].answers, shared) |
              share(pairs[i].gate.control, shared) | share(pairs[i].courier.control, shared);
    for (uint32_t i = 0; i < w->audit_count; i++)
        rc |= share_ring(&w->audits[i].ring, shared);
    for (size_t i = 0; i < WARDEN_CLIENTS_MAX; i++)
        if (w->clients[i].waits)
            rc |= share(w->clients[i].watch.fd, shared);
    return rc ? NK_EIO : 0;
}

/* Text -------------------------------------------------------------------------------------------
 */

static void put_number(struct nk_buf *b, const char *name, int64_t v)
{
    nk_json_put_name(b, nk_str(name));
    nk_buf_add_i64(b, v);
}

static void put_text(struct nk_buf *b, const char *name, const char *text)
{
    nk_json_put_member(b, nk_str(name), nk_str(text));
}

static void put_fds(struct nk_buf *b, const char *name, const int *fds, size_t n)
{
    nk_json_put_name(b, nk_str(name));
    for (size_t i = 0; i < n; i++)
        nk_buf_printf(b, "%c%d", i ? ',' : '[', fds[i]);
    nk_buf_add(b, n ? NK_STR("]") : NK_STR("[]"));
}

static void put_ring(struct nk_buf *b, const char *name, const struct nk_role_ring *r)
{
    int fds[] = {r->memfd, r->eventfd, r->backfd};
    put_fds(b, name, fds, NK_COUNT(fds));
}

static void put_child(struct nk_buf *b, const char *name, const struct warden_child *c)
{
    nk_json_put_name(b, nk_str(name));
    nk_buf_add_char(b, '{');
    put_number(b, "instance", c->instance);
    put_number(b, "pid", c->state == WARDEN_DOWN ? 0 : c->pid);
    put_number(b, "control", c->control);
    put_number(b, "ready", c->state == WARDEN_READY);
    put_number(b, "page", c->page);
    put_text(b, "version", c->version[0] ? c->version : NK_VERSION);
    nk_buf_add_char(b, '}');
}

static void put_listener(struct nk_buf *b, const struct warden_listener *l)
{
    nk_buf_add(b, b->p[b->n - 1] == '[' ? NK_STR("{") : NK_STR(",{"));
    put_text(b, "address", l->address);
    put_number(b, "shared", l->is_shared);
    put_fds(b, "fds", l->fds, NK_ROLE_PAIRS_MAX);
    nk_buf_add_char(b, '}');
}

static void put_setup(struct nk_buf *b, const struct warden_setup *s)
{
    put_number(b, "generation", s->generation);
    put_number(b, "workers", s->config.workers);
    put_number(b, "configGrace", s->config.grace);
    nk_json_put_member(b, NK_STR("audit"), s->config.audit);
    nk_json_put_member(b, NK_STR("control"), s->config.control);
    put_fds(b, "sealed", s->sealed, WARDEN_SEALED_FIRST);
    put_number(b, "sealedRunner", s->sealed[NK_ROLE_RUNNER]);
    nk_json_put_name(b, NK_STR("listeners"));
    nk_buf_add_char(b, '[');
    for (size_t i = 0; i < s->listener_count; i++)
        put_listener(b, &s->listeners[i]);
    nk_buf_add_char(b, ']');
    nk_json_put_name(b, NK_STR("admin"));
    nk_buf_add_char(b, '[');
    if (s->admin.address[0])
        put_listener(b, &s->admin);
    nk_buf_add_char(b, ']');
    nk_json_put_name(b, NK_STR("servers"));
    nk_buf_add_char(b, '[');
    if (s->servers.address[0])
        put_listener(b, &s->servers);
    nk_buf_add_char(b, ']');
}

static void put_children(struct nk_buf *b, const struct warden *w, const struct warden_pair *pairs)
{
    put_child(b, "scribe", &w->scribe);
    put_child(b, "runner", &w->runner);
    nk_json_put_name(b, NK_STR("pairs"));
    for (uint32_t i = 0; i < w->workers; i++) {
        nk_buf_add(b, i ? NK_STR(",{") : NK_STR("[{"));
        put_ring(b, "calls", &pairs[i].calls);
        put_ring(b, "answers", &pairs[i].answers);
        put_child(b, "gate", &pairs[i].gate);
        put_child(b, "courier", &pairs[i].courier);
        nk_buf_add_char(b, '}');
    }
    nk_buf_add_char(b, ']');
    nk_json_put_name(b, NK_STR("audits"));
    nk_buf_add_char(b, '[');
    for (uint32_t i = 0; i < w->audit_count; i++) {
        nk_buf_add(b, i ? NK_STR(",{") : NK_STR("{"));
        put_number(b, "slot", w->audits[i].slot);
        put_number(b, "instance", w->audits[i].instance);
        put_number(b, "ended", w->audits[i].ended);
        put_ring(b, "ring", &w->audits[i].ring);
        nk_buf_add_char(b, '}');
    }
    nk_buf_add_char(b, ']');
}

static void put_clients(struct nk_buf *b, const struct warden *w)
{
    nk_json_put_name(b, NK_STR("clients"));
    nk_buf_add_char(b, '[');
    for (size_t i = 0; i < WARDEN_CLIENTS_MAX; i++)
        if (w->clients[i].waits)
            nk_buf_printf(b, "%s{\"fd\":%d,\"waits\":%d}", b->p[b->n - 1] == '[' ? "" : ",",
                          w->clients[i].watch.fd, (int)w->clients[i].waits);
    nk_buf_add_char(b, ']');
}

static void put_all(struct nk_buf *b, const struct warden *w, const struct warden_pair *pairs)
{
    nk_buf_add_char(b, '{');
    put_text(b, "version", NK_VERSION);
    put_text(b, "path", w->upgrade.path);
    put_text(b, "why", w->upgrade.why);
    put_number(b, "undone", w->upgrade.is_undone);
    put_number(b, "self", w->upgrade.self);
    put_number(b, "grace", w->options.grace_ms);
    put_number(b, "settle", w->options.settle_ms);
    put_number(b, "patience", w->options.patience_ms);
    put_number(b, "started", w->upgrade.started);
    put_number(b, "turn", w->turn);
    put_number(b, "layout", (int64_t)nk_stats_layout());
    put_number(b, "generations", w->generations);
    put_number(b, "reload", w->is_reload_wanted);
    put_number(b, "null", w->null_fd);
    put_number(b, "stateDir", w->state_dir);
    put_number(b, "stats", w->stats_fd);
    put_number(b, "client", w->client_listener.fd);
    put_setup(b, w->setup);
    put_children(b, w, pairs);
    put_clients(b, w);
    nk_buf_add_char(b, '}');
}

int warden_state_write(struct warden *w, struct warden_pair *pairs)
{
    struct nk_buf b;
    nk_buf_init(&b, STATE_MAX);
    nk_buf_reserve(&b, 65536);
    put_all(&b, w, pairs);
    int fd = b.error ? b.error : memfd_create("nakoso-state", MFD_ALLOW_SEALING | MFD_CLOEXEC);
    if (fd == -1 ||
        (fd >= 0 && (write(fd, b.p, b.n) != (ssize_t)b.n || fcntl(fd, F_ADD_SEALS, SEALS)))) {
        if (fd >= 0)
            close(fd);
        fd = NK_EIO;
    }
    nk_buf_free(&b);
    return fd;
}
