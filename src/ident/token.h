/* SPDX-License-Identifier: Apache-2.0
 *
 * token.h - the identity that tools get: a short-lived token (JWT, RFC 7519) that says for whom a tool is called
 * (`sub`), who acts for that person (`act`, RFC 8693, section 4.1), and for which upstream alone it is good (`aud`).
 * It comes from the proof that the gateway verified; nothing that a model or client says is in it.
 *
 * The gate writes the claims about who asks. The courier has the key, and nobody else: it adds issuer, audience and
 * times, and signs (EdDSA, RFC 8037). So whoever takes over a gate can neither keep the key nor have a token made
 * for an upstream that the configuration gives none. The public keys are in the key set that is served at
 * /.well-known/jwks.json.
 */
#pragma once

#include "crypt/crypt.h"
#include "ident/ident.h"

enum {
    NK_TOKEN_CLAIMS = 16 << 10, /* bytes of the claims, at most */
    NK_TOKEN_KEYS = 2,          /* one that signs, and the next one or the one before */
    NK_TOKEN_ACTORS = 9,
};

/* The header of a call by which the gate gives the claims to the courier, as base64url. */
extern const char nk_token_header[];

/* About whom a token is. */
struct nk_token_about {
    const struct nk_principal *principal;
    const struct nk_str *actors; /* who acts for the principal now, then those before; ids */
    size_t actor_count;          /* NK_TOKEN_ACTORS at most */
    struct nk_str tool;          /* full name of what is called; absent: not told */
    struct nk_str id;            /* of this call, unique: `jti` */
    const struct nk_config_text *attributes; /* of the principal that are told, by name */
    size_t attribute_count;
};

/* Appends the claims about who asks, as a JSON object: sub, principal_type, groups, the attributes under "attributes",
 * act, tool, jti. NK_ELIMIT when they are too large. */
int nk_token_claims(const struct nk_token_about *about, struct nk_buf *out) NK_CHECKED;

struct nk_token_key {
    unsigned char seed[32], public_key[32];
    struct nk_str kid; /* thumbprint (RFC 7638) as base64url */
};
/* Reads a key: 64 hexadecimal digits, perhaps a line end. NK_EINVAL, NK_ECRYPTO, NK_ENOMEM. */
int nk_token_key_read(struct nk_str text, struct nk_arena *a, struct nk_token_key *out) NK_CHECKED;
/* Appends {"keys":[…]} with the public parts. */
void nk_token_jwks(const struct nk_token_key *keys, size_t n, struct nk_buf *out);

/* What the courier adds. */
struct nk_token_frame {
    struct nk_str issuer, audience;
    struct nk_str more;          /* put behind `jti`; may be empty */
    int64_t now_ms, lifetime_ms; /* Unix; 5 minutes at most */
};
/* Appends the token: `claims` (as nk_token_claims wrote them) with iss, aud, iat, nbf and exp, signed. NK_EINVAL: they are
 * not such an object, or say what is not theirs to say; NK_ECRYPTO, NK_ELIMIT, NK_ENOMEM. */
int nk_token_sign(const struct nk_token_key *key, const struct nk_token_frame *frame,
                  struct nk_str claims, struct nk_arena *scratch, struct nk_buf *out) NK_CHECKED;
