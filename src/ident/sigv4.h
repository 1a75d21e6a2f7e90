/* SPDX-License-Identifier: Apache-2.0
 *
 * sigv4.h - requests that AWS's clients sign (AWS Signature Version 4: docs.aws.amazon.com, "Create a signed
 * AWS API request"). The client sends the name of its key and an HMAC over the request, never the secret.
 *
 * A secret that signs cannot be kept as a digest: whoever checks a signature needs it. So none is kept at
 * all: each key's secret is derived from one secret of the configuration (identity.sigv4_secret) and the
 * key's id. The key file stays free of secrets, and one file is to be guarded.
 *
 * What is asked of a request beside the signature: exactly one Authorization header and no other credential;
 * `host` (in HTTP/2 also as `:authority`) and every x-amz-… header signed, `x-amz-date` among them and within
 * 15 minutes of now; the digest of the body in `x-amz-content-sha256`, or none there, and then the body's own
 * digest counts. UNSIGNED-PAYLOAD and streamed payloads prove nothing about the body and are refused.
 * A request that somebody recorded is good again for those 15 minutes; it asks the same once more.
 */
#pragma once

#include "crypt/crypt.h"
#include "http/http.h"

enum {
    NK_SIGV4_KEY_SIZE = 16,    /* "NKSV" and the key's id in capitals */
    NK_SIGV4_SECRET_SIZE = 43, /* base64url of 32 bytes */
    NK_SIGV4_MASTER_MIN = 32,  /* bytes of the configuration's secret */
    NK_SIGV4_SKEW_MS = 15 * 60 * 1000,
    NK_SIGV4_SIGNED_MAX = 64, /* headers */
};

/* What the headers say; views of them. Nothing is proven yet. */
struct nk_sigv4 {
    struct nk_str key;                          /* the access key id */
    struct nk_str scope;                        /* "20150830/us-east-1/service/aws4_request" */
    struct nk_str date, region, service;        /* its first three parts */
    struct nk_str time;                         /* x-amz-date */
    struct nk_str headers[NK_SIGV4_SIGNED_MAX]; /* names, as signed */
    size_t header_count;
    struct nk_str signed_headers; /* the list as written */
    struct nk_str signature;      /* 64 hexadecimal digits */
    struct nk_str payload;        /* x-amz-content-sha256; absent: the body's own digest counts */
    int64_t signed_ms;            /* Unix */
};

/* Does this value of Authorization begin like one of these? */
bool nk_sigv4_is(struct nk_str authorization);
/* Takes the headers apart. NK_EINVAL with the reason. */
int nk_sigv4_read(const struct nk_http_head *h, struct nk_sigv4 *out,
                  struct nk_fault *f) NK_CHECKED;
/* The rules above but for the signature, at time now_ms, for a service of this name. NK_EDENIED, NK_EEXPIRED. */
int nk_sigv4_check(const struct nk_http_head *h, const struct nk_sigv4 *s, struct nk_str service,
                   int64_t now_ms, struct nk_fault *f) NK_CHECKED;
/* Appends the canonical request. `payload` is the digest of the body in hexadecimal. */
void nk_sigv4_canonical(const struct nk_http_head *h, const struct nk_sigv4 *s,
                        struct nk_str payload, struct nk_buf *out);
/* The signature of a canonical request under `secret`. */
struct nk_digest nk_sigv4_sign(const struct nk_sigv4 *s, struct nk_str canonical,
                               struct nk_str secret);
/* 0, NK_ECRYPTO (it is another one), NK_ENOMEM, NK_ELIMIT. */
int nk_sigv4_verify(const struct nk_http_head *h, const struct nk_sigv4 *s, struct nk_str payload,
                    struct nk_str secret, struct nk_fault *f) NK_CHECKED;

/* The access key id of the key with this id (apikey.h), and back; false when it is none of ours. */
void nk_sigv4_key(struct nk_str id, char out[NK_SIGV4_KEY_SIZE + 1]);
bool nk_sigv4_key_id(struct nk_str key, char id[NK_SIGV4_KEY_SIZE]);
/* The secret of a key, NUL-terminated. */
void nk_sigv4_secret(struct nk_str master, struct nk_str id, char out[NK_SIGV4_SECRET_SIZE + 1]);
