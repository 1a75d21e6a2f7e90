/* SPDX-License-Identifier: Apache-2.0
 *
 * tls_own.h - private to edge: what sock.c and the parts of TLS need of each other.
 *
 *     tls.c         contexts, texts in PEM, ALPN, and the BIO under each connection
 *     tls_server.c  certificates by name, clients' certificates
 *     tls_ticket.c  sessions that go on after a reload or in another worker
 *     tls_client.c  authorities, pins
 *     tls_names.c   the names in a certificate
 */
#pragma once

#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include "edge/tls.h"

struct nk_tls {
    SSL_CTX *ctx;
    bool client;
};

/* tls.c */
/* An SSL * on `fd`, ready for the handshake: as a client when the context is one (then `host` is
 * required), otherwise as a server. NULL when out of memory. */
void *nk_tls_start(struct nk_tls *t, int fd, const char *host) NK_CHECKED;
struct nk_tls *nk_tls_new(bool client, bool only_13, struct nk_fault *f) NK_CHECKED;
/* Records `what` with OpenSSL's own reason behind it. Returns `code`. */
int nk_tls_fault(struct nk_fault *f, int code, const char *what);
/* A chain and the key of its first certificate. On success all three are the caller's. */
int nk_tls_pem_pair(struct nk_str chain_pem, struct nk_str key_pem, X509 **leaf,
                    STACK_OF(X509) * *chain, EVP_PKEY **key, struct nk_fault *f) NK_CHECKED;
/* Adds the certificates of `pem` to a store (and, `names` not NULL, their subjects to a list). */
int nk_tls_pem_trust(struct nk_str pem, X509_STORE *store, SSL_CTX *names,
                     struct nk_fault *f) NK_CHECKED;
/* Adds revocation lists; *until_ms is when the first of them ends. */
int nk_tls_pem_crl(struct nk_str pem, X509_STORE *store, int64_t *until_ms,
                   struct nk_fault *f) NK_CHECKED;
int64_t nk_tls_time_ms(const ASN1_TIME *t); /* Unix; INT64_MAX for one that cannot be read */

/* tls_ticket.c */
/* `policy` is what a session was allowed by (authorities, lists): one that was made under another
 * does not go on here. `until_ms`: none goes on later; INT64_MAX: never mind. */
int nk_tls_use_tickets(SSL_CTX *c, const struct nk_tls_tickets *keys, int64_t until_ms,
                       const struct nk_str *policy, size_t parts) NK_CHECKED;

/* tls_names.c */
/* Does `host` stand among the DNS names, letter by letter or (wildcard) with "*" for one label
 * (RFC 9525, 6.3)? An address stands among the IP addresses. */
bool nk_tls_names_have(const GENERAL_NAMES *names, struct nk_str host, bool wildcard);
/* The first name of a certificate for operators, "" when it has none. */
void nk_tls_first_name(const X509 *x, const GENERAL_NAMES *names, char out[NK_TLS_NAME_MAX + 1]);
