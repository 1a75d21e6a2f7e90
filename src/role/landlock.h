/* SPDX-License-Identifier: Apache-2.0
 *
 * landlock.h - private to confine: what a process may open and reach, by Landlock.
 */
#pragma once

#include "role/confine.h"

/* Numbers of its system calls, the same on every machine; the C library has none of them. */
enum {
    NK_LANDLOCK_CREATE = 444,
    NK_LANDLOCK_ADD_RULE = 445,
    NK_LANDLOCK_RESTRICT = 446,
    NK_LANDLOCK_VERSION = 1,
};

/* What stays possible over TCP (ABI 4). */
struct nk_landlock_net {
    bool bind, connect;
};

/* Only these paths can be opened from here on, for good. 0 also where the kernel has no Landlock,
 * which is logged. */
int nk_landlock_enter(const struct nk_landlock_net *net, const struct nk_confine_path *paths,
                      size_t count, struct nk_fault *f) NK_CHECKED;
