/* SPDX-License-Identifier: Apache-2.0
 *
 * resolve.c - c-ares tells which of its sockets to watch; the loop tells c-ares when they are
 * ready. Addresses of both families take turns, IPv6 first (RFC 8305, section 4), so that one
 * family that leads nowhere costs no more than its share of the time.
 */
#include "role/resolve.h"

#include <ares.h>
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "role/origin.h"

enum { SOCKETS = 16, QUERY_MS = 2000, TRIES = 3, SERVERS_MAX = 512 };
static const int64_t ttl_max_us = (int64_t)7 * 86400 * 1000000;

struct dns_socket {
    struct nk_watch watch; /* fd -1: free */
    struct nk_resolver *r;
};

struct nk_resolver {
    struct nk_loop *loop;
    ares_channel channel;
    struct dns_socket sockets[SOCKETS];
    struct nk_timer timer;
    size_t open;              /* questions */
    char system[SERVERS_MAX]; /* the name servers of the system */
    char wanted[SERVERS_MAX];
    bool want; /* `wanted` is to be used: c-ares changes servers only while nothing is open */
};

struct query {
    struct nk_resolver *r;
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

/* "192.0.2.1:53,[2001:db8::1]:53": as ares_set_servers_ports_csv reads it. */
static void servers_of(ares_channel channel, char *to, size_t size)
{
    struct ares_addr_port_node *all = NULL;
    size_t n = 0;
    to[0] = 0;
    if (ares_get_servers_ports(channel, &all))
        return;
    for (struct ares_addr_port_node *s = all; s && n < size; s = s->next) {
        char host[INET6_ADDRSTRLEN];
        bool v6 = s->family == AF_INET6;
        if (!inet_ntop(s->family, &s->addr, host, sizeof host))
            continue;
        n += (size_t)snprintf(to + n, size - n, v6 ? "%s[%s]:%d" : "%s%s:%d", n ? "," : "", host,
                              s->udp_port ? s->udp_port : 53);
    }
    ares_free_data(all);
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
    if (!rc) {
        servers_of(r->channel, r->system, sizeof r->system);
        return r;
    }
    free(r);
    (void)nk_fault_set(f, NK_EIO, "resolve", 0, "c-ares: %s", ares_strerror(rc));
    return NULL;
no_memory:
    (void)nk_fault_set(f, NK_ENOMEM, "resolve", 0, "no memory for the resolver");
    return NULL;
}

static void apply(struct nk_resolver *r)
{
    if (r->want && !r->open)
        r->want = ares_set_servers_ports_csv(r->channel, r->wanted) != ARES_SUCCESS;
}

int nk_resolver_use(struct nk_resolver *r, const char *servers)
{
    struct nk_str text = nk_str(servers[0] ? servers : r->system);
    if (text.n >= sizeof r->wanted)
        return NK_ELIMIT;
    memcpy(r->wanted, text.p, text.n + 1);
    r->want = true;
    apply(r);
    return r->want && !r->open ? NK_EINVAL : 0;
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

static int64_t shorter(int64_t us, int seconds)
{
    return us < (int64_t)seconds * 1000000 ? us : (int64_t)seconds * 1000000;
}

/* The next address of a family behind `n`, or NULL. */
static const struct ares_addrinfo_node *next_of(const struct ares_addrinfo_node *n, int family)
{
    while (n && (n->ai_family != family || n->ai_addrlen > sizeof(struct sockaddr_in6)))
        n = n->ai_next;
    return n;
}

static void take(const struct ares_addrinfo_node *n, uint16_t port, struct nk_addresses *found)
{
    struct nk_address *to = &found->at[found->count++];
    memcpy(&to->u, n->ai_addr, n->ai_addrlen);
    to->size = (socklen_t)n->ai_addrlen;
    if (n->ai_family == AF_INET6)
        to->u.in6.sin6_port = htons(port);
    else
        to->u.in.sin_port = htons(port);
    found->ttl_us = shorter(found->ttl_us, n->ai_ttl);
}

static void take_all(const struct ares_addrinfo *info, uint16_t port, struct nk_addresses *found)
{
    const struct ares_addrinfo_node *v6 = next_of(info->nodes, AF_INET6);
    const struct ares_addrinfo_node *v4 = next_of(info->nodes, AF_INET);
    for (bool six = true; found->count < NK_RESOLVE_MAX && (v6 || v4); six = !six) {
        const struct ares_addrinfo_node **from = (six && v6) || !v4 ? &v6 : &v4;
        take(*from, port, found);
        *from = next_of((*from)->ai_next, from == &v6 ? AF_INET6 : AF_INET);
    }
    for (const struct ares_addrinfo_cname *c = info->cnames; c; c = c->next)
        found->ttl_us = shorter(found->ttl_us, c->ttl);
}

static void on_answer(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
    struct query *q = arg;
    struct nk_addresses found = {.ttl_us = ttl_max_us};
    (void)timeouts;
    if (info)
        take_all(info, q->port, &found);
    found.no_name = !found.count &&
                    (status == ARES_SUCCESS || status == ARES_ENODATA || status == ARES_ENOTFOUND);
    q->r->open--;
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
    apply(r);
    r->open++;
    *q = (struct query){r, port, owner, done};
    struct ares_addrinfo_hints hints = {
        .ai_flags = ARES_AI_NOSORT, .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    ares_getaddrinfo(r->channel, name, NULL, &hints, on_answer, q);
    arm(r);
}
