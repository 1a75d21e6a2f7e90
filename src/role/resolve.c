/* SPDX-License-Identifier: Apache-2.0
 *
 * resolve.c - c-ares tells which of its sockets to watch; the loop tells c-ares when they are
 * ready. Answers are kept as long as their time to live says, within bounds.
 */
#include "role/resolve.h"

#include <ares.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include "role/origin.h"

enum { SOCKETS = 16, QUERY_MS = 2000, TRIES = 3 };
static const int64_t ttl_min_us = 5000000, ttl_max_us = 300000000;

struct dns_socket {
    struct nk_watch watch; /* fd -1: free */
    struct nk_resolver *r;
};

struct nk_resolver {
    struct nk_loop *loop;
    ares_channel channel;
    struct dns_socket sockets[SOCKETS];
    struct nk_timer timer;
};

struct query {
    uint16_t port;
    void *owner;
    void (*done)(void *owner, const struct nk_addresses *found, const char *why);
};

static void arm(struct nk_resolver *r)
{
    struct timeval left;
    if (!ares_timeout(r->channel, NULL, &left)) {
        nk_loop_disarm(r->loop, &r->timer);
        return;
    }
    /* Without memory for a timer the query still ends with the connection's own time limit. */
    (void)!nk_loop_arm(r->loop, &r->timer, (int64_t)left.tv_sec * 1000000 + left.tv_usec);
}

static void on_timer(struct nk_timer *t)
{
    struct nk_resolver *r = NK_OF(t, struct nk_resolver, timer);
    ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    arm(r);
}

static void on_socket(struct nk_watch *w, uint32_t events)
{
    struct nk_resolver *r = NK_OF(w, struct dns_socket, watch)->r;
    bool in = events & (EPOLLIN | EPOLLERR | EPOLLHUP);
    ares_process_fd(r->channel, in ? w->fd : ARES_SOCKET_BAD,
                    events & EPOLLOUT ? w->fd : ARES_SOCKET_BAD);
    arm(r);
}

static void on_state(void *arg, ares_socket_t fd, int readable, int writable)
{
    struct nk_resolver *r = arg;
    struct dns_socket *s = NULL;
    for (size_t i = 0; i < SOCKETS; i++)
        if (r->sockets[i].watch.fd == fd || (!s && r->sockets[i].watch.fd < 0))
            s = &r->sockets[i];
    if (!s)
        return;
    s->watch.fd = fd;
    uint32_t events = (readable ? (uint32_t)EPOLLIN : 0) | (writable ? (uint32_t)EPOLLOUT : 0);
    /* A socket that cannot be watched is one whose query runs into its time limit. */
    (void)!nk_loop_watch(r->loop, &s->watch, events);
    if (!events)
        s->watch.fd = -1;
}

struct nk_resolver *nk_resolver_new(struct nk_loop *loop, struct nk_fault *f)
{
    struct nk_resolver *r = calloc(1, sizeof *r);
    if (!r)
        goto no_memory;
    r->loop = loop;
    r->timer.fire = on_timer;
    for (size_t i = 0; i < SOCKETS; i++)
        r->sockets[i] = (struct dns_socket){{.fd = -1, .ready = on_socket}, r};
    char lookups[] = "b"; /* name servers alone: files are read by the warden */
    struct ares_options o = {.timeout = QUERY_MS,
                             .tries = TRIES,
                             .lookups = lookups,
                             .sock_state_cb = on_state,
                             .sock_state_cb_data = r};
    int rc = ares_library_init(ARES_LIB_INIT_ALL);
    if (!rc)
        rc = ares_init_options(&r->channel, &o,
                               ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS |
                                   ARES_OPT_SOCK_STATE_CB);
    if (!rc)
        return r;
    free(r);
    (void)nk_fault_set(f, NK_EIO, "resolve", 0, "c-ares: %s", ares_strerror(rc));
    return NULL;
no_memory:
    (void)nk_fault_set(f, NK_ENOMEM, "resolve", 0, "no memory for the resolver");
    return NULL;
}

int nk_resolver_use(struct nk_resolver *r, const char *servers)
{
    return ares_set_servers_ports_csv(r->channel, servers) ? NK_EINVAL : 0;
}

void nk_resolver_free(struct nk_resolver *r)
{
    if (!r)
        return;
    ares_destroy(r->channel);
    nk_loop_disarm(r->loop, &r->timer);
    ares_library_cleanup();
    free(r);
}

int nk_hosts_find(struct nk_str hosts, const char *name, uint16_t port, struct nk_addresses *out)
{
    *out = (struct nk_addresses){.ttl_us = ttl_max_us};
    while (hosts.p && out->count < NK_RESOLVE_MAX) {
        struct nk_str address = nk_str_cut(&hosts, '\n'), host = nk_str_cut(&address, ' ');
        char text[64];
        if (!nk_str_eq_nocase(host, nk_str(name)) || !address.n || address.n >= sizeof text)
            continue;
        memcpy(text, address.p, address.n);
        text[address.n] = 0;
        if (!nk_origin_literal(text, port, &out->at[out->count]))
            out->count++;
    }
    return out->count ? 0 : NK_ENOTFOUND;
}

static void on_answer(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
    struct query *q = arg;
    struct nk_addresses found = {.ttl_us = ttl_max_us};
    (void)timeouts;
    for (struct ares_addrinfo_node *n = info ? info->nodes : NULL; n; n = n->ai_next) {
        struct nk_address *to = &found.at[found.count];
        if (found.count == NK_RESOLVE_MAX || (size_t)n->ai_addrlen > sizeof to->u)
            break;
        memcpy(&to->u, n->ai_addr, n->ai_addrlen);
        to->size = (socklen_t)n->ai_addrlen;
        if (to->u.sa.sa_family == AF_INET6)
            to->u.in6.sin6_port = htons(q->port);
        else
            to->u.in.sin_port = htons(q->port);
        int64_t ttl = (int64_t)n->ai_ttl * 1000000;
        found.ttl_us = ttl < found.ttl_us ? ttl : found.ttl_us;
        found.count++;
    }
    found.ttl_us = found.ttl_us > ttl_min_us ? found.ttl_us : ttl_min_us;
    q->done(q->owner, &found,
            found.count              ? NULL
            : status == ARES_SUCCESS ? "the name has no address"
                                     : ares_strerror(status));
    if (info)
        ares_freeaddrinfo(info);
    free(q);
}

void nk_resolve(struct nk_resolver *r, const char *name, uint16_t port, void *owner,
                void (*done)(void *owner, const struct nk_addresses *found, const char *why))
{
    struct query *q = malloc(sizeof *q);
    if (!q) {
        done(owner, &(struct nk_addresses){0}, "out of memory");
        return;
    }
    *q = (struct query){port, owner, done};
    struct ares_addrinfo_hints hints = {
        .ai_flags = ARES_AI_NOSORT, .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    ares_getaddrinfo(r->channel, name, NULL, &hints, on_answer, q);
    arm(r);
}
