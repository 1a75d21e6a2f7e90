/* SPDX-License-Identifier: Apache-2.0
 *
 * door.h - who gets as far as an endpoint for clients of MCP or A2A. A page in a browser can make the browser send requests to
 * any address, and can have a name of its own lead to ours (DNS rebinding). So Host and Origin have to be names
 * that the operator knows, and they are looked at here: the server behind us sees only the name under which we call it.
 * Private to gate.
 */
#pragma once

#include "config/config.h"
#include "http/http.h"

struct gate_door {                      /* of an endpoint of the configuration */
    const struct nk_config_text *hosts; /* none: this machine's own names */
    size_t host_count;
    const struct nk_config_text *origins; /* beside hosts */
    size_t origin_count;
    struct nk_str resource; /* its URL, as an OAuth resource; absent: it is none */
    const struct nk_config_text *issuers;
    size_t issuer_count;
    const struct nk_config_text *scopes;
    size_t scope_count;
};

/* Are all Host and Origin headers known ones? */
bool gate_door_knows(const struct gate_door *d, const struct nk_http_head *h);
