/* SPDX-License-Identifier: Apache-2.0
 *
 * reach.c - see reach.h.
 */
#include "role/reach.h"

#include <stdio.h>
#include <string.h>

enum { PINS_MAX = 16 };

static struct nk_str blob(const struct nk_bundle *b, const char *kind, size_t i, const char *rest)
{
    char name[64];
    snprintf(name, sizeof name, "%s/%zu%s", kind, i, rest);
    return nk_bundle_get(b, nk_str(name));
}

struct nk_str reach_blob(const struct nk_bundle *b, const char *kind, size_t i, size_t j)
{
    char rest[24];
    snprintf(rest, sizeof rest, "/%zu", j);
    struct nk_str own = blob(b, kind, i, rest);
    return own.p ? own : blob(b, kind, i, "");
}

struct nk_str reach_proxy(const struct nk_config *c, struct nk_str url, struct nk_str own)
{
    struct nk_str none = {NULL, 0}, direct = NK_STR("direct");
    if (own.p)
        return nk_str_eq(own, direct) ? none : own;
    return nk_config_is_local(url) || nk_str_eq(c->proxy, direct) ? none : c->proxy;
}

static int read_pins(const struct nk_config_upstream *u, struct nk_digest pins[PINS_MAX])
{
    NK_MUST(u->pin_count <= PINS_MAX);
    for (size_t i = 0; i < u->pin_count; i++) {
        char room[NK_SHA256_SIZE];
        struct nk_buf bytes = {.p = room, .cap = sizeof room, .max = sizeof room};
        int rc = nk_base64_decode(u->pins[i].text, &bytes);
        if (rc || bytes.error || bytes.n != sizeof pins[i].b)
            return NK_EINVAL;
        memcpy(pins[i].b, room, sizeof pins[i].b);
    }
    return 0;
}

int reach_tls(const struct nk_bundle *b, const struct nk_config *c, size_t i, size_t j,
              struct nk_tls *system, struct nk_tls **out, struct nk_fault *f)
{
    const struct nk_config_upstream *u = &c->upstreams[i];
    struct nk_digest pins[PINS_MAX];
    struct nk_fault why = {0};
    struct nk_tls_reach r = {.ca = reach_blob(b, "ca", i, j),
                             .trust = system,
                             .certificate = blob(b, "client", i, "/cert"),
                             .key = blob(b, "client", i, "/key"),
                             .pins = pins,
                             .pin_count = u->pin_count,
                             .only_13 = u->tls_only_13};
    *out = system;
    if (!r.ca.p && !r.certificate.p && !r.pin_count && !r.only_13)
        return 0;
    if (read_pins(u, pins))
        return nk_fault_set(f, NK_EINVAL, "tls", 0, "upstreams[%zu].pins: not SHA-256 digests", i);
    *out = nk_tls_reach(&r, &why);
    return *out ? 0 : nk_fault_set(f, why.code, "tls", 0, "upstreams[%zu]: %s", i, why.message);
}

int reach_collector(const struct nk_bundle *b, struct nk_tls *system, struct nk_tls **out,
                    struct nk_fault *f)
{
    struct nk_fault why = {0};
    struct nk_tls_reach r = {.ca = nk_bundle_get(b, NK_STR("telemetry/ca"))};
    *out = r.ca.p ? nk_tls_reach(&r, &why) : system;
    return *out || !r.ca.p
               ? 0
               : nk_fault_set(f, why.code, "tls", 0, "telemetry.otlp.ca: %s", why.message);
}
