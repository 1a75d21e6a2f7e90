/* SPDX-License-Identifier: Apache-2.0
 *
 * oauth.h - endpoints of MCP and A2A as OAuth 2.1 protected resources: tokens have to be issued for this endpoint (RFC 8707),
 * its metadata says where to get one (RFC 9728), and a refusal says so too (RFC 6750, section 3). Private to gate.
 */
#pragma once

#include "gate/door.h"
#include "gate/txn.h"
#include "ident/proof.h"

struct gate_oauth { /* of one endpoint, made once for a configuration */
    struct nk_ident_resource wants;
    struct nk_str path;     /* of the metadata: /.well-known/oauth-protected-resource/mcp */
    struct nk_str metadata; /* JSON */
    struct nk_str says;     /* resource_metadata="…", scope="…": parameters of a challenge */
};

/* NULL in *out when the endpoint has no `resource`. NK_ENOMEM. */
int gate_oauth_new(const struct gate_door *d, struct nk_arena *a,
                   const struct gate_oauth **out) NK_CHECKED;
/* What a token has to be for; NULL: what the issuer's entry says. */
const struct nk_ident_resource *gate_oauth_wants(const struct gate_oauth *o);
/* Is this GET for the metadata of an endpoint? Then dialect, endpoint and document are set. */
bool gate_oauth_match(struct nk_txn *t);
/* The value of WWW-Authenticate for this refusal; absent: there is nothing to say. */
struct nk_str gate_oauth_challenge(const struct nk_txn *t);
