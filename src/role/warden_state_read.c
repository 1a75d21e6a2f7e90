/* SPDX-License-Identifier: Apache-2.0
 *
 * warden_state_read.c - from the memory file of warden_state.c back to a struct warden. Numbers are
 * taken as they are said, within their ranges; no descriptor is touched, so that the file can be
 * read before the one that it is meant for is there (nk_warden_may_adopt).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include "json/json.h"
#include "role/warden_own.h"

enum { STATE_MAX = 4 << 20, VALUES_MAX = 1 << 18, ARENA_MAX = 64 << 20 };
enum { SEALS = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE };

struct state {
    struct nk_json doc;
    struct nk_arena arena;
    const char *bad; /* the first member that is not there, or not what it should be */
};

static void spoil(struct state *s, const char *name)
{
    if (!s->bad)
        s->bad = name;
}

static int64_t number(struct state *s, uint32_t at, const char *name, int64_t min, int64_t max)
{
    int64_t v = 0;
    uint32_t i = nk_json_get(&s->doc, at, nk_str(name));
    if (i == NK_JSON_NONE || nk_json_i64(&s->doc, i, &v) || v < min || v > max) {
        spoil(s, name);
        return min;
    }
    return v;
}

static uint32_t u32(struct state *s, uint32_t at, const char *name)
{
    return (uint32_t)number(s, at, name, 0, UINT32_MAX);
}

/* -1, or a descriptor beyond the standard ones. */
static int descriptor(struct state *s, uint32_t at, const char *name)
{
    int fd = (int)number(s, at, name, -1, INT32_MAX);
    if (fd >= 0 && fd <= 2)
        spoil(s, name);
    return fd > 2 ? fd : -1;
}

static struct nk_str text(struct state *s, uint32_t at, const char *name, size_t max)
{
    struct nk_str t = nk_json_string(&s->doc, nk_json_get(&s->doc, at, nk_str(name)), &s->arena);
    if (!t.p || t.n > max)
        spoil(s, name);
    return t.p && t.n <= max ? t : NK_STR("");
}

static void copy_text(struct state *s, uint32_t at, const char *name, char *to, size_t size)
{
    snprintf(to, size, "%.*s", NK_FMT(text(s, at, name, size - 1)));
}

/* Exactly n descriptors. */
static void descriptors(struct state *s, uint32_t at, const char *name, int *fds, size_t n)
{
    uint32_t list = nk_json_get(&s->doc, at, nk_str(name));
    size_t have = 0;
    for (size_t i = 0; i < n; i++)
        fds[i] = -1;
    for (uint32_t i = nk_json_first(&s->doc, list); i != NK_JSON_NONE;
         i = nk_json_next(&s->doc, list, i), have++) {
        int64_t v = -1;
        if (have >= n || nk_json_i64(&s->doc, i, &v) || v > INT32_MAX || (v >= 0 && v <= 2))
            spoil(s, name);
        else
            fds[have] = v < 0 ? -1 : (int)v;
    }
    if (have != n)
        spoil(s, name);
}

static void ring(struct state *s, uint32_t at, const char *name, struct nk_role_ring *out)
{
    int fds[3];
    descriptors(s, at, name, fds, NK_COUNT(fds));
    *out = (struct nk_role_ring){fds[0], fds[1], fds[2]};
}

static void child(struct state *s, uint32_t at, const char *name, struct warden_child *c)
{
    uint32_t i = nk_json_get(&s->doc, at, nk_str(name));
    c->instance = u32(s, i, "instance");
    c->pid = (int)number(s, i, "pid", 0, INT32_MAX);
    c->control = descriptor(s, i, "control");
    bool is_ready = number(s, i, "ready", 0, 1);
    c->page = u32(s, i, "page");
    copy_text(s, i, "version", c->version, sizeof c->version);
    c->is_outgoing = true;
    if (c->pid && c->control >= 0)
        c->state = is_ready ? WARDEN_READY : WARDEN_STARTING;
}

static void listener(struct state *s, uint32_t at, struct warden_listener *l)
{
    copy_text(s, at, "address", l->address, sizeof l->address);
    l->is_shared = number(s, at, "shared", 0, 1);
    descriptors(s, at, "fds", l->fds, NK_ROLE_PAIRS_MAX);
    if (l->fds[0] < 0)
        spoil(s, "fds");
}

/* What the configuration was in all that must stay; the rest of it is read from its file. */
static int setup(struct state *s, struct warden_setup *out)
{
    out->generation = u32(s, 0, "generation");
    out->config.workers = number(s, 0, "workers", 1, NK_ROLE_PAIRS_MAX);
    out->config.grace = number(s, 0, "configGrace", 0, UINT32_MAX);
    out->config.audit = nk_arena_copy(&out->arena, text(s, 0, "audit", STATE_MAX));
    out->config.control = nk_arena_copy(&out->arena, text(s, 0, "control", STATE_MAX));
    descriptors(s, 0, "sealed", out->sealed, WARDEN_SEALED_FIRST);
    if (nk_json_get(&s->doc, 0, NK_STR("sealedRunner")) != NK_JSON_NONE)
        out->sealed[NK_ROLE_RUNNER] = descriptor(s, 0, "sealedRunner");
    uint32_t list = nk_json_get(&s->doc, 0, NK_STR("listeners"));
    for (uint32_t i = nk_json_first(&s->doc, list); i != NK_JSON_NONE;
         i = nk_json_next(&s->doc, list, i)) {
        if (out->listener_count == NK_ROLE_LISTENERS_MAX) {
            spoil(s, "listeners");
            break;
        }
        listener(s, i, &out->listeners[out->listener_count++]);
    }
    uint32_t admin = nk_json_first(&s->doc, nk_json_get(&s->doc, 0, NK_STR("admin")));
    if (admin != NK_JSON_NONE)
        listener(s, admin, &out->admin);
    uint32_t servers = nk_json_first(&s->doc, nk_json_get(&s->doc, 0, NK_STR("servers")));
    if (servers != NK_JSON_NONE)
        listener(s, servers, &out->servers);
    return out->config.audit.p && out->config.control.p ? 0 : NK_ENOMEM;
}

static struct warden_pair *pairs(struct state *s, struct warden *w)
{
    struct warden_pair *all = calloc(w->workers, sizeof *all);
    uint32_t list = nk_json_get(&s->doc, 0, NK_STR("pairs")), n = 0;
    for (uint32_t i = nk_json_first(&s->doc, list); all && i != NK_JSON_NONE && n < w->workers;
         i = nk_json_next(&s->doc, list, i), n++) {
        warden_child_init(&all[n].gate, w, NK_ROLE_GATE, n);
        warden_child_init(&all[n].courier, w, NK_ROLE_COURIER, n);
        ring(s, i, "calls", &all[n].calls);
        ring(s, i, "answers", &all[n].answers);
        child(s, i, "gate", &all[n].gate);
        child(s, i, "courier", &all[n].courier);
    }
    if (n != w->workers)
        spoil(s, "pairs");
    return all;
}

static void audits(struct state *s, struct warden *w)
{
    uint32_t list = nk_json_get(&s->doc, 0, NK_STR("audits"));
    for (uint32_t i = nk_json_first(&s->doc, list); i != NK_JSON_NONE;
         i = nk_json_next(&s->doc, list, i)) {
        struct nk_role_audit a = {.slot = (uint32_t)number(s, i, "slot", 0, w->workers - 1),
                                  .instance = u32(s, i, "instance"),
                                  .ended = number(s, i, "ended", 0, 1)};
        ring(s, i, "ring", &a.ring);
        if (w->audit_count == NK_ROLE_AUDITS_MAX)
            spoil(s, "audits");
        else
            w->audits[w->audit_count++] = a;
    }
}

static void clients(struct state *s, struct warden *w)
{
    uint32_t list = nk_json_get(&s->doc, 0, NK_STR("clients"));
    size_t n = 0;
    for (uint32_t i = nk_json_first(&s->doc, list); i != NK_JSON_NONE && n < WARDEN_CLIENTS_MAX;
         i = nk_json_next(&s->doc, list, i), n++) {
        w->clients[n].watch.fd = descriptor(s, i, "fd");
        w->clients[n].waits =
            (enum warden_wait)number(s, i, "waits", WARDEN_WAITS_NOT, WARDEN_WAITS_UPGRADE);
    }
}

static int read_all(struct state *s, struct warden *w)
{
    struct warden_upgrade *u = &w->upgrade;
    copy_text(s, 0, "version", u->version, sizeof u->version);
    copy_text(s, 0, "path", u->path, sizeof u->path);
    copy_text(s, 0, "why", u->why, sizeof u->why);
    u->is_undone = number(s, 0, "undone", 0, 1);
    u->binary = descriptor(s, 0, "self");
    w->options.grace_ms = number(s, 0, "grace", 0, UINT32_MAX);
    w->options.settle_ms = number(s, 0, "settle", 0, UINT32_MAX);
    w->options.patience_ms = number(s, 0, "patience", 1, UINT32_MAX);
    u->started = number(s, 0, "started", 0, INT64_MAX);
    w->turn = (unsigned)number(s, 0, "turn", 0, 1);
    u->layout = (uint64_t)number(s, 0, "layout", INT64_MIN, INT64_MAX);
    w->generations = u32(s, 0, "generations");
    w->is_reload_wanted = number(s, 0, "reload", 0, 1);
    w->null_fd = descriptor(s, 0, "null");
    w->state_dir = descriptor(s, 0, "stateDir");
    w->stats_fd = descriptor(s, 0, "stats");
    w->client_listener.fd = descriptor(s, 0, "client");
    w->setup = warden_setup_new();
    if (!w->setup || setup(s, w->setup))
        return NK_ENOMEM;
    w->workers = (uint32_t)w->setup->config.workers;
    snprintf(w->client_path, sizeof w->client_path, "%.*s", NK_FMT(w->setup->config.control));
    child(s, 0, "scribe", &w->scribe);
    if (nk_json_get(&s->doc, 0, NK_STR("runner")) != NK_JSON_NONE) /* older versions have none */
        child(s, 0, "runner", &w->runner);
    w->outgoing = pairs(s, w);
    audits(s, w);
    clients(s, w);
    return w->outgoing ? 0 : NK_ENOMEM;
}

int warden_state_read(struct warden *w, int fd, struct nk_fault *f)
{
    static const struct nk_json_limits limits = {STATE_MAX, 16, VALUES_MAX};
    struct state s = {.bad = NULL};
    struct stat st;
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || (seals & SEALS) != SEALS || fstat(fd, &st) || st.st_size <= 0 ||
        st.st_size > STATE_MAX)
        return nk_fault_set(f, NK_EDENIED, "upgrade", 0, "descriptor %d is not a warden's state",
                            fd);
    size_t n = (size_t)st.st_size;
    void *map = mmap(NULL, n, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED)
        return nk_fault_set(f, NK_EIO, "upgrade", 0, "the state cannot be mapped: %s",
                            strerror(errno));
    nk_arena_init(&s.arena, ARENA_MAX);
    int rc = nk_json_parse(&limits, (struct nk_str){map, n}, &s.arena, &s.doc, f);
    if (!rc && (rc = read_all(&s, w)))
        nk_fault_set(f, rc, "upgrade", 0, "out of memory");
    if (!rc && s.bad)
        rc = nk_fault_set(f, NK_EINVAL, "upgrade", 0, "the state's \"%s\" makes no sense", s.bad);
    nk_arena_free(&s.arena);
    munmap(map, n);
    return rc;
}

int nk_warden_may_adopt(int state, const struct nk_config *config, struct nk_fault *f)
{
    struct warden *w = calloc(1, sizeof *w);
    if (!w)
        return nk_fault_set(f, NK_ENOMEM, "upgrade", 0, "out of memory");
    warden_child_init(&w->scribe, w, NK_ROLE_SCRIBE, 0);
    warden_child_init(&w->runner, w, NK_ROLE_RUNNER, 0);
    int rc = warden_state_read(w, state, f);
    if (!rc)
        rc = warden_setup_check(&w->setup->config, config, f);
    if (w->setup)
        nk_arena_free(&w->setup->arena); /* its descriptors are another process's */
    free(w->setup);
    free(w->outgoing);
    free(w);
    return rc;
}
