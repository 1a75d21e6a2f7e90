/* SPDX-License-Identifier: Apache-2.0
 *
 * door.c - see door.h.
 */
#include "gate/door.h"

/* The name in "name", "name:port", "[::1]:port". */
static struct nk_str without_port(struct nk_str host)
{
    if (host.n && host.p[0] == '[') {
        ptrdiff_t end = nk_str_find(host, ']');
        return end < 0 ? (struct nk_str){"", 0} : nk_str_sub(host, 0, (size_t)end + 1);
    }
    ptrdiff_t colon = nk_str_find(host, ':');
    return colon < 0 ? host : nk_str_sub(host, 0, (size_t)colon);
}

static bool is_in(const struct nk_config_text *list, size_t n, struct nk_str name)
{
    for (size_t i = 0; i < n; i++)
        if (nk_str_eq_nocase(list[i].text, name))
            return true;
    return false;
}

static bool host_ok(const struct gate_door *d, struct nk_str name)
{
    static const struct nk_config_text own[] = {
        {{"localhost", 9}}, {{"127.0.0.1", 9}}, {{"[::1]", 5}}};
    return d->host_count ? is_in(d->hosts, d->host_count, name) : is_in(own, NK_COUNT(own), name);
}

/* http://name:port, https://name; anything else ("null", other schemes) is nobody's. */
static bool origin_ok(const struct gate_door *d, struct nk_str origin)
{
    struct nk_str name;
    if (nk_str_starts(origin, NK_STR("http://")))
        name = nk_str_sub(origin, 7, origin.n);
    else if (nk_str_starts(origin, NK_STR("https://")))
        name = nk_str_sub(origin, 8, origin.n);
    else
        return false;
    name = without_port(name);
    return host_ok(d, name) || is_in(d->origins, d->origin_count, name);
}

bool gate_door_knows(const struct gate_door *d, const struct nk_http_head *h)
{
    for (size_t i = 0; i < h->header_count; i++) {
        struct nk_str name = h->headers[i].name, value = h->headers[i].value;
        if (nk_str_is_nocase(name, "origin") && !origin_ok(d, value))
            return false;
        if (nk_str_is_nocase(name, "host") && !host_ok(d, without_port(value)))
            return false;
    }
    return true;
}
