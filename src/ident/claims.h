/* SPDX-License-Identifier: Apache-2.0
 *
 * claims.h - from the claims of a token (RFC 7519) to a principal, by the issuer's mapping table in
 * the configuration. What a policy cannot rely on is refused, not left out: a policy that forbids
 * something to a group must never miss because a claim had a shape that nobody thought of.
 *
 *   exp         required; exp, nbf, iat are whole seconds from 0 to the year 9999
 *   aud         a string or a list of strings, one of them ours
 *   cnf         refused: the token is bound to a key that we have no proof of (RFC 7800)
 *   principal   a string of 1 to 256 bytes without control characters
 *   groups      a string or a list of such strings; missing or null: none
 *   attributes  string, integer, true/false or a list of strings; missing or null: no attribute
 *   act         who acts for the principal: an object with sub, perhaps iss, perhaps act; 8 at most
 *
 * A claim's name in the table is a member of the token, or, if there is none of that very name, a
 * path with dots (realm_access.roles). A claim that the token says is kept elsewhere
 * (`_claim_names`, OpenID Connect Core 5.6.2; some issuers do this with long group lists) counts as
 * unreadable, not as missing. Private to this module.
 */
#pragma once

#include "ident/ident.h"

struct nk_claims {
    struct nk_principal principal; /* slices live in the arena, the configuration or the token */
    int64_t from_ms, until_ms;     /* good from <= now < until, clock skew included */
};

/* Reads the claims of object 0 of `doc`. Looks at no clock. NK_EINVAL, NK_EDENIED (audience, cnf),
 * NK_ELIMIT, NK_ENOMEM. */
int nk_claims_read(const struct nk_json *doc, const struct nk_config_issuer *issuer,
                   struct nk_arena *a, struct nk_claims *out, struct nk_fault *f) NK_CHECKED;
/* The part of it that is no mapping: times (into *out), one of the n audiences, no cnf. */
int nk_claims_check(const struct nk_json *doc, const struct nk_config_issuer *issuer,
                    const struct nk_str *audiences, size_t n, struct nk_arena *a,
                    struct nk_claims *out, struct nk_fault *f) NK_CHECKED;
