/* SPDX-License-Identifier: Apache-2.0
 *
 * reach.h - how an upstream is reached, as far as it can be said without a courier: so that
 * `nakoso check` builds what the courier would.
 */
#pragma once

#include "config/config.h"
#include "edge/tls.h"
#include "role/bundle.h"

/* The URL of the proxy on the way to `url`, absent when there is none. `own` is the upstream's key
 * (absent: none of its own; issuers have none). What is on this machine is reached directly unless
 * it has a proxy of its own. */
struct nk_str reach_proxy(const struct nk_config *c, struct nk_str url, struct nk_str own);
/* What belongs to endpoint j of upstream i alone, or else to the upstream; absent: neither. */
struct nk_str reach_blob(const struct nk_bundle *b, const char *kind, size_t i, size_t j);
/* The context for endpoint j of upstream i: `system` (which may be NULL) when nothing is said about
 * it, otherwise one of its own, which trusts what `system` does unless it has authorities of its
 * own. */
int reach_tls(const struct nk_bundle *b, const struct nk_config *c, size_t i, size_t j,
              struct nk_tls *system, struct nk_tls **out, struct nk_fault *f) NK_CHECKED;
/* The same for the collector of telemetry. */
int reach_collector(const struct nk_bundle *b, struct nk_tls *system, struct nk_tls **out,
                    struct nk_fault *f) NK_CHECKED;
