/* SPDX-License-Identifier: Apache-2.0
 *
 * ident.h - from proofs to one trusted principal. A proof is an API key or a JWT (RFC 7519) that
 * the client sends beside the prompt; what the model says proves nothing. The table of keys and
 * issuers is built once per configuration and never changes; verified proofs are cached by digest.
 */
#pragma once

#include "config/config.h"
#include "crypt/crypt.h"
#include "json/json.h"

enum nk_attr_type { NK_ATTR_STRING, NK_ATTR_INT, NK_ATTR_BOOL, NK_ATTR_STRINGS };

struct nk_attr {
    struct nk_str name;
    enum nk_attr_type type;
    struct nk_str string;
    int64_t integer; /* NK_ATTR_INT; 0 or 1 for NK_ATTR_BOOL */
    const struct nk_str *strings;
    size_t string_count;
};

/* Who asks. Built by this module alone. */
struct nk_principal {
    struct nk_str type; /* Cedar entity type: "User" or "Agent" */
    struct nk_str id;
    const struct nk_str *groups; /* ids of type Group */
    size_t group_count;
    const struct nk_attr *attrs;
    size_t attr_count;
    const char *proof;    /* "key" or "jwt" */
    struct nk_str source; /* the key's id, or the issuer's name */
    int64_t expires_ms;   /* Unix milliseconds; INT64_MAX when it does not expire */
};

struct nk_ident; /* keys, issuers, their key sets and the cache of verified proofs */

/* `keys` is the text of the API key file ("" when there is none), `jwks[i]` the key set of issuer i
 * of the configuration (absent when it has yet to be fetched). `seed` keys the hash tables. Errors
 * name the file and what is wrong. */
int nk_ident_new(const struct nk_config *cfg, struct nk_str keys, const struct nk_str *jwks,
                 const uint64_t seed[2], struct nk_arena *a, struct nk_ident **out,
                 struct nk_fault *f) NK_CHECKED;
/* Frees what the arena does not own (EVP keys). */
void nk_ident_free(struct nk_ident *id);
/* Puts a newly fetched key set in place of issuer i's; on an error the old one stays. The cache of
 * that issuer's tokens is emptied. */
int nk_ident_set_jwks(struct nk_ident *id, size_t issuer, struct nk_str jwks,
                      struct nk_fault *f) NK_CHECKED;

/* Proves who sends `credential` (the value behind "Bearer ", or of x-api-key) at time now_ms. The
 * principal and its slices live in the cache or in the table: copy what must outlive the
 * transaction's configuration. NK_EDENIED (unknown key, bad signature, wrong audience, revoked …),
 * NK_EEXPIRED, NK_EINVAL (malformed), NK_EAGAIN (the issuer's keys have not been fetched yet); the
 * message says why for the operator's log, never for the client. */
int nk_ident_verify(struct nk_ident *id, struct nk_str credential, int64_t now_ms,
                    const struct nk_principal **out, struct nk_fault *f) NK_CHECKED;
