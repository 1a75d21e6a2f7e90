/* SPDX-License-Identifier: Apache-2.0
 *
 * route.h - which endpoint of its upstream a call went to, and which it had gone to before in vain:
 * facts of the outcome.
 */
#pragma once

#include "base/str.h"

enum {
    NK_ROUTE_MAX = 24,            /* attempts that are told of */
    NK_ROUTE_NOWHERE = INT32_MAX, /* no endpoint was tried */
};

struct nk_route_failed {
    uint32_t endpoint; /* number in the configuration */
    struct nk_str why;
};

struct nk_route {
    uint32_t endpoint; /* the last one that was tried */
    const struct nk_route_failed *failed;
    size_t failed_count;
};
