/* SPDX-License-Identifier: Apache-2.0
 *
 * proof.h - proofs that do not end in a principal of ours by one call of nk_ident_verify: requests that the
 * client signed, and tokens that a client shows for somebody else, whose claims a policy store maps itself.
 */
#pragma once

#include "ident/ident.h"
#include "ident/sigv4.h"

/* Gives the secret from which the secrets of signing keys are derived (sigv4.h); absent: there is none. It
 * must outlive `id`. NK_EINVAL when it is too short, NK_ECONFLICT when a key of the key file was made with
 * another one, or when there are such keys and no secret; the message says what to do. */
int nk_ident_set_sigv4(struct nk_ident *id, struct nk_str secret, struct nk_fault *f) NK_CHECKED;

/* What a protected resource wants of a token (RFC 9728), beside all that nk_ident_verify looks at. */
struct nk_ident_resource {
    struct nk_str
        audience; /* that it was issued for (RFC 8707), in place of the issuer's `audience` */
    const struct nk_str *issuers; /* one of them issued it */
    size_t issuer_count;
    const struct nk_str *scopes; /* it has each of them (`scope`, RFC 8693, 4.2; or `scp`) */
    size_t scope_count;
};
/* As nk_ident_verify, for that resource (NULL: none). API keys are ours for all of it, and have no scopes. NK_ECONFLICT: the
 * token is good, and lacks a scope. */
int nk_ident_verify_for(struct nk_ident *id, const struct nk_ident_resource *resource,
                        struct nk_str credential, int64_t now_ms, struct nk_arena *a,
                        const struct nk_principal **out, struct nk_fault *f) NK_CHECKED;

/* Proves who signed the request for `service` at time now_ms; `payload` is the digest of its body in
 * hexadecimal, what the header says of it, or absent when the body has yet to come: then all is looked at but
 * the signature, and *out is NULL. As nk_ident_verify otherwise. */
int nk_ident_verify_sigv4(struct nk_ident *id, const struct nk_http_head *h, struct nk_str service,
                          struct nk_str payload, int64_t now_ms, struct nk_arena *a,
                          const struct nk_principal **out, struct nk_fault *f) NK_CHECKED;

/* The claims of a token that issuer i of the configuration signed for one of the audiences, as an object in
 * `a`: signature, issuer, audience and times hold, and it is bound to no key. Signatures that held are
 * remembered in the cache of verified tokens. Errors as of nk_ident_verify. */
int nk_ident_claims(struct nk_ident *id, size_t issuer, const struct nk_str *audiences, size_t n,
                    struct nk_str token, int64_t now_ms, struct nk_arena *a, struct nk_json *out,
                    struct nk_fault *f) NK_CHECKED;
/* The place of a claim, by name or by a path with dots; NK_JSON_NONE when it is missing or null. NK_EINVAL: it
 * is kept elsewhere (claims.h). */
int nk_claims_find(const struct nk_json *doc, struct nk_str claim, struct nk_arena *a,
                   uint32_t *out, struct nk_fault *f) NK_CHECKED;
/* The names that a claim at `at` lists: one string, or a list of them. */
int nk_claims_names(const struct nk_json *doc, uint32_t at, struct nk_str claim, struct nk_arena *a,
                    const struct nk_str **list, size_t *count, struct nk_fault *f) NK_CHECKED;
