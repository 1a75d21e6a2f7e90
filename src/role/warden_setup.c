/* SPDX-License-Identifier: Apache-2.0
 *
 * warden_setup.c - one configuration as the warden holds it: a sealed bundle for each role, and
 * listeners. A new one takes over the listeners that stay, by address, so that no queue of
 * connections is lost by a reload.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "edge/sock.h"
#include "role/warden_own.h"

enum { LOAD_MAX = 512 << 20, SETUP_MAX = 64 << 20 };

static const char stage[] = "reload";

static bool is_unix(const struct warden_listener *l)
{
    return strncmp(l->address, "unix:", 5) == 0;
}

static void listener_close(struct warden_listener *l)
{
    for (size_t i = 0; i < NK_ROLE_PAIRS_MAX; i++) {
        if (l->fds[i] >= 0)
            close(l->fds[i]);
        l->fds[i] = -1;
    }
    if (is_unix(l))
        unlink(l->address + 5);
    l->address[0] = 0;
}

/* TCP listeners of several gates share a port, which would also let a second warden in unseen: so
 * the port is first opened alone. */
static int listener_open(struct warden_listener *l, uint32_t count, struct nk_fault *f)
{
    struct nk_address at;
    int rc = nk_address_parse(nk_str(l->address), &at, f);
    if (rc)
        return rc;
    int alone = nk_listen(&at, false, f);
    if (alone < 0)
        return alone;
    if (l->is_shared || count == 1) {
        l->fds[0] = alone;
        return 0;
    }
    close(alone);
    for (uint32_t i = 0; i < count && !rc; i++) {
        l->fds[i] = nk_listen(&at, true, f);
        if (l->fds[i] < 0) {
            rc = l->fds[i];
            l->fds[i] = -1;
        }
    }
    return rc;
}

static const struct warden_listener *find(const struct warden_setup *s, const char *address)
{
    if (!s)
        return NULL;
    for (size_t i = 0; i < s->listener_count; i++)
        if (strcmp(s->listeners[i].address, address) == 0)
            return &s->listeners[i];
    const struct warden_listener *others[] = {&s->admin, &s->servers};
    for (size_t i = 0; i < NK_COUNT(others); i++)
        if (others[i]->address[0] && strcmp(others[i]->address, address) == 0)
            return others[i];
    return NULL;
}

/* Takes the listener of that address over from `old`, or opens it. */
static int listener_take(struct warden_listener *l, struct nk_str address, uint32_t count,
                         bool is_for_one, const struct warden_setup *old, struct nk_fault *f)
{
    memset(l->fds, 0xFF, sizeof l->fds);
    snprintf(l->address, sizeof l->address, "%.*s", NK_FMT(address));
    l->is_shared = is_for_one || is_unix(l);
    const struct warden_listener *have = find(old, l->address);
    if (have && have->is_shared == l->is_shared) {
        *l = *have;
        return 0;
    }
    return listener_open(l, count, f);
}

/* Where couriers reach the runner; for nobody else. */
static int take_servers(struct warden_setup *s, const struct warden_setup *old, struct nk_fault *f)
{
    struct nk_str address = nk_config_served_at(&s->config, &s->arena);
    if (!address.p)
        return nk_fault_set(f, NK_ENOMEM, stage, 0, "out of memory");
    int rc = listener_take(&s->servers, address, 1, true, old, f);
    if (!rc && chmod(s->servers.address + 5, 0600))
        rc = nk_fault_set(f, NK_EIO, stage, 0, "%s: %s", s->servers.address, strerror(errno));
    return rc;
}

static int take_listeners(struct warden *w, struct warden_setup *s, const struct warden_setup *old,
                          struct nk_fault *f)
{
    int rc = 0;
    if (s->config.listen_count > NK_ROLE_LISTENERS_MAX)
        return nk_fault_set(f, NK_ELIMIT, stage, 0, "listen: at most %d addresses",
                            NK_ROLE_LISTENERS_MAX);
    for (size_t i = 0; i < s->config.listen_count && !rc; i++) {
        s->listener_count = i + 1;
        rc =
            listener_take(&s->listeners[i], s->config.listen[i].address, w->workers, false, old, f);
    }
    if (s->config.admin.p && !rc)
        rc = listener_take(&s->admin, s->config.admin, 1, true, old, f);
    if (nk_config_starts_any(&s->config) && !rc)
        rc = take_servers(s, old, f);
    return rc;
}

int warden_setup_check(const struct nk_config *a, const struct nk_config *b, struct nk_fault *f)
{
    const char *key = NULL;
    if (a->workers != b->workers)
        key = "workers";
    else if (!nk_str_eq(a->audit, b->audit))
        key = "audit.directory";
    else if (!nk_str_eq(a->control, b->control))
        key = "control";
    return key ? nk_fault_set(f, NK_EUNSUPPORTED, stage, 0,
                              "%s: cannot change while nakoso runs; restart it", key)
               : 0;
}

static int seal(struct warden_setup *s, const struct nk_bundle *b, struct nk_fault *f)
{
    static const struct {
        enum nk_role role;
        unsigned mask;
    } parts[] = {{NK_ROLE_GATE, NK_BUNDLE_GATE},
                 {NK_ROLE_COURIER, NK_BUNDLE_COURIER},
                 {NK_ROLE_SCRIBE, NK_BUNDLE_SCRIBE},
                 {NK_ROLE_RUNNER, NK_BUNDLE_RUNNER}};
    for (size_t i = 0; i < NK_COUNT(parts); i++) {
        int fd = nk_bundle_seal(b, parts[i].mask);
        if (fd < 0)
            return nk_fault_set(f, fd, stage, 0, "no memory for what the %s is to know",
                                nk_role_name(parts[i].role));
        s->sealed[parts[i].role] = fd;
    }
    return 0;
}

/* From the canonical JSON. */
static int take_config(struct warden_setup *s, struct nk_str canonical, struct nk_fault *f)
{
    struct nk_str json = nk_arena_copy(&s->arena, canonical);
    int rc = json.p ? nk_config_parse(json, &s->arena, &s->config, f)
                    : nk_fault_set(f, NK_ENOMEM, stage, 0, "out of memory");
    if (rc)
        return rc;
    /* These are handed to the system, as strings that end with NUL. */
    s->config.audit = nk_arena_copy(&s->arena, s->config.audit);
    s->config.control = nk_arena_copy(&s->arena, s->config.control);
    return s->config.audit.p && s->config.control.p
               ? 0
               : nk_fault_set(f, NK_ENOMEM, stage, 0, "out of memory");
}

/* What was read lives as long as it takes to seal it; the setup keeps the configuration alone. */
static int load(struct warden *w, struct warden_setup *s, struct nk_fault *f)
{
    struct nk_arena arena;
    struct nk_bundle bundle = {0};
    nk_arena_init(&arena, LOAD_MAX);
    int rc = nk_bundle_load(w->config_file, &arena, &bundle, f);
    if (!rc) {
        rc = take_config(s, nk_bundle_get(&bundle, NK_STR("config")), f);
        if (!rc)
            rc = seal(s, &bundle, f);
        nk_bundle_wipe(&bundle);
    }
    nk_arena_free(&arena);
    return rc;
}

int warden_setup_unseal(struct warden_setup *s, struct nk_fault *f)
{
    struct nk_arena arena;
    struct nk_bundle bundle = {0};
    nk_arena_init(&arena, LOAD_MAX);
    int rc = nk_bundle_open(s->sealed[NK_ROLE_GATE], &arena, &bundle, f);
    if (!rc)
        rc = take_config(s, nk_bundle_get(&bundle, NK_STR("config")), f);
    nk_bundle_unmap(&bundle);
    nk_arena_free(&arena);
    return rc;
}

struct warden_setup *warden_setup_new(void)
{
    struct warden_setup *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    nk_arena_init(&s->arena, SETUP_MAX);
    memset(s->sealed, 0xFF, sizeof s->sealed);
    memset(s->admin.fds, 0xFF, sizeof s->admin.fds);
    memset(s->servers.fds, 0xFF, sizeof s->servers.fds);
    return s;
}

struct warden_setup *warden_setup_load(struct warden *w, const struct warden_setup *old,
                                       struct nk_fault *f)
{
    struct warden_setup *s = warden_setup_new();
    if (!s) {
        int rc = nk_fault_set(f, NK_ENOMEM, stage, 0, "out of memory");
        return rc ? NULL : NULL;
    }
    s->generation = ++w->generations;
    int rc = load(w, s, f);
    if (!rc && old)
        rc = warden_setup_check(&s->config, &old->config, f);
    if (!rc && !old) {
        w->workers = (uint32_t)s->config.workers;
        rc = warden_client_check(s->config.control.p, f);
    }
    if (!rc)
        rc = take_listeners(w, s, old, f);
    if (rc) {
        warden_setup_free(s, old);
        return NULL;
    }
    return s;
}

void warden_setup_deaf(struct warden_setup *s)
{
    for (size_t i = 0; i < s->listener_count; i++)
        listener_close(&s->listeners[i]);
    s->listener_count = 0;
    if (s->admin.address[0])
        listener_close(&s->admin);
}

void warden_setup_free(struct warden_setup *s, const struct warden_setup *other)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->listener_count; i++) {
        const struct warden_listener *kept = find(other, s->listeners[i].address);
        if (!kept || kept->fds[0] != s->listeners[i].fds[0])
            listener_close(&s->listeners[i]);
    }
    if (s->admin.address[0] && !find(other, s->admin.address))
        listener_close(&s->admin);
    if (s->servers.address[0] && !find(other, s->servers.address))
        listener_close(&s->servers);
    for (size_t i = 0; i < NK_ROLE_COUNT; i++)
        if (s->sealed[i] >= 0)
            close(s->sealed[i]);
    nk_arena_free(&s->arena);
    free(s);
}

void warden_setup_fill(const struct warden_setup *s, const struct warden_child *c,
                       struct nk_control *m)
{
    m->generation = s->generation;
    m->bundle = s->sealed[c->role];
    if (c->role == NK_ROLE_RUNNER && s->servers.address[0]) {
        m->listeners[0] = s->servers.fds[0];
        m->listener_count = 1;
    }
    if (c->role != NK_ROLE_GATE)
        return;
    for (size_t i = 0; i < s->listener_count; i++) {
        const struct warden_listener *l = &s->listeners[i];
        m->listeners[i] = l->is_shared ? l->fds[0] : l->fds[c->slot];
    }
    m->listener_count = (uint32_t)s->listener_count;
    m->admin = s->admin.address[0] ? s->admin.fds[0] : -1;
}
