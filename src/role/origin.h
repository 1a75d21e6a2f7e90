/* SPDX-License-Identifier: Apache-2.0
 *
 * origin.h - where a URL of the configuration leads to: "https://api.openai.com",
 * "http://127.0.0.1:9000/keys", "unix:/run/model.sock".
 */
#pragma once

#include "edge/sock.h"

enum { NK_ORIGIN_HOST_MAX = 255 };

struct nk_origin {
    bool tls;
    bool literal; /* `address` says it all; otherwise `host` is a name to be looked up */
    uint16_t port;
    char host[NK_ORIGIN_HOST_MAX + 1]; /* without brackets; what a certificate must name */
    struct nk_str host_header;         /* with the port where it is not the scheme's */
    struct nk_str target;              /* path and query, "/" when there is none */
    struct nk_address address;
};

/* NK_EINVAL with what is wrong. Texts are kept in `a`. */
int nk_origin_parse(struct nk_str url, struct nk_arena *a, struct nk_origin *out,
                    struct nk_fault *f) NK_CHECKED;
/* The address of a literal with the port put in: 0, or NK_EINVAL when `host` is a name. */
int nk_origin_literal(const char *host, uint16_t port, struct nk_address *out) NK_CHECKED;
/* Loopback, link-local (where clouds keep their metadata service), unspecified or multicast: a name
 * in the public name system has no business there. Private networks are where an organisation's own
 * identity provider stands, so they are not among these. */
bool nk_origin_is_suspect(const struct nk_address *a);
