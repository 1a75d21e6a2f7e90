/* SPDX-License-Identifier: Apache-2.0
 *
 * ident.h - from proofs to one trusted principal. A proof is an API key or a JWT (RFC 7519) that
 * the client sends beside the prompt; what the model says proves nothing. The table of keys and
 * issuers is built once per configuration and never changes; verified proofs are cached by digest.
 */
#pragma once

#include "config/config.h"
#include "crypt/crypt.h"
#include "crypt/jwk.h"
#include "http/http.h"
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

/* A client's certificate, verified by whoever ended its TLS. Who holds its key is proven for the
 * connection, and so for each request on it. */
struct nk_ident_certificate {
    struct nk_str name;      /* UTF-8 without control characters, 1 to 256 bytes */
    const char *kind;        /* where in the certificate it stands: "uri", "dns" or "cn" */
    int64_t until_ms;        /* Unix: good before */
    struct nk_digest sha256; /* of the certificate */
};

/* Who acts for a principal: the actor claim of its token (RFC 8693, section 4.1). */
struct nk_actor {
    struct nk_str id;     /* sub */
    struct nk_str issuer; /* iss, or absent */
};

/* Who asks. Built by this module alone. */
struct nk_principal {
    struct nk_str type; /* Cedar entity type: "User" or "Agent" */
    struct nk_str id;
    const struct nk_str *groups; /* ids of type Group */
    size_t group_count;
    const struct nk_attr *attrs;
    size_t attr_count;
    const struct nk_actor
        *actors; /* who acts for it now, then those who did before; never who asks */
    size_t actor_count;
    const char *proof;    /* "key", "sigv4", "jwt" or "certificate" */
    struct nk_str source; /* the key's id, the issuer's name, or "sha256:" and 64 digits */
    int64_t expires_ms;   /* Unix milliseconds; INT64_MAX when it does not expire */
    /* In one configuration the same for the same proof, and another for each other one, so that what
     * was made of a principal can be found again; 0: not told. */
    uint64_t serial;
};

/* A copy with all its slices, in one piece of `a`. NK_ENOMEM. */
int nk_principal_copy(const struct nk_principal *p, struct nk_arena *a,
                      const struct nk_principal **out) NK_CHECKED;

/* Who it is, and who acts for it: two that differ in either have another one. What is kept for somebody is found by it, because
 * who acts for a person must not get what that person has. */
struct nk_digest nk_principal_digest(const struct nk_principal *p);

struct nk_ident; /* keys, issuers, their key sets and the cache of verified proofs */

enum {
    NK_IDENT_MAX_CREDENTIAL = 16 << 10,
    NK_IDENT_MAX_GROUPS = 1024,      /* of one principal */
    NK_IDENT_MAX_ACTORS = 8,         /* of one token */
    NK_IDENT_MAX_ISSUERS = 64,       /* of one configuration */
    NK_IDENT_CACHE_ENTRIES = 4096,   /* the cache never holds more … */
    NK_IDENT_CACHE_BYTES = 2 << 20,  /* … or takes more for principals */
    NK_IDENT_VERIFY_BUDGET = 250000, /* default of nk_ident_set_budget */
};

/* `keys` is the text of the API key file ("" when there is none), `jwks[i]` the key set of issuer i
 * of the configuration (absent when it has yet to be fetched). `seed` keys the hash tables. All
 * memory but libcrypto's and the key sets' is taken from `a` here (some 3 MiB when there are
 * issuers, and 400 bytes a key); nothing of `keys` and `jwks` need outlive the call, `cfg` must.
 * Errors name the file and what is wrong. */
int nk_ident_new(const struct nk_config *cfg, struct nk_str keys, const struct nk_str *jwks,
                 const uint64_t seed[2], struct nk_arena *a, struct nk_ident **out,
                 struct nk_fault *f) NK_CHECKED;
/* Frees what the arena does not own (EVP keys). */
void nk_ident_free(struct nk_ident *id);
/* Puts a newly fetched key set in place of issuer i's; on an error the old one stays. The cache of
 * that issuer's tokens is emptied, unless the set is byte for byte the old one. */
int nk_ident_set_jwks(struct nk_ident *id, size_t issuer, struct nk_str jwks,
                      struct nk_fault *f) NK_CHECKED;
/* The set in use, for the log: how many keys it has, how many were left out and why. */
const struct nk_jwks *nk_ident_jwks(const struct nk_ident *id, size_t issuer);
/* Has a token been seen since the last call that names a key which its issuer's set does not have
 * (or an issuer without a set)? Then *issuer is which, and it is worth fetching that set anew. The
 * caller says how often: anybody can send tokens with made-up key names. */
bool nk_ident_wants_jwks(struct nk_ident *id, size_t *issuer);
/* Microseconds of signature checking that one second may hold (estimates by algorithm; cached
 * proofs and API keys are free). 0: no limit. One bad ES384 token costs as much as a thousand
 * cached ones, so a flood of them must not take the gate's time from everybody else. */
void nk_ident_set_budget(struct nk_ident *id, int64_t us_per_second);

/* Proves who sends `credential` (the value behind "Bearer ", or of x-api-key) at time now_ms. The
 * principal and all its slices live in `a`, the transaction's arena: the cache and the tables may
 * change under a transaction, who it acts for may not. NK_EDENIED (unknown key, bad signature,
 * wrong audience, revoked …), NK_EEXPIRED, NK_EINVAL (malformed), NK_ELIMIT, NK_EAGAIN (the
 * issuer's keys have not been fetched yet), NK_EFULL (the budget of signature checks is used up:
 * later), NK_ENOMEM; the message says why for the operator's log, never for the client. */
int nk_ident_verify(struct nk_ident *id, struct nk_str credential, int64_t now_ms,
                    struct nk_arena *a, const struct nk_principal **out,
                    struct nk_fault *f) NK_CHECKED;
/* The principal that a certificate names by itself: of type identity.certificates.principal_type,
 * its name as id, without groups; the attributes `name` and `nameType` repeat it, since a policy can
 * compare parts of a text, but not of an id. NK_ENOTFOUND when the configuration takes no names
 * from certificates, NK_EEXPIRED, NK_ENOMEM. */
int nk_ident_by_certificate(const struct nk_ident *id, const struct nk_ident_certificate *c,
                            int64_t now_ms, struct nk_arena *a, const struct nk_principal **out,
                            struct nk_fault *f) NK_CHECKED;
