/* SPDX-License-Identifier: Apache-2.0
 *
 * tls_client.c - towards upstreams: whom to believe, which keys, and what to show. A pin is looked
 * for in the chain that was verified, never in what the server merely sent along (RFC 7469, 2.6).
 */
#include "edge/tls_own.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct pins {
    size_t count;
    struct nk_digest at[];
};

static void free_pins(void *parent, void *p, CRYPTO_EX_DATA *ad, int index, long l, void *arg)
{
    (void)parent, (void)ad, (void)index, (void)l, (void)arg;
    free(p);
}

static int slot(void)
{
    static int index = -1;
    if (index < 0)
        index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_pins);
    return index;
}

static bool is_pinned(const struct pins *pins, X509 *x)
{
    unsigned char digest[EVP_MAX_MD_SIZE], *der = NULL;
    unsigned n = 0;
    int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &der);
    bool ok = size > 0 && EVP_Digest(der, (size_t)size, digest, &n, EVP_sha256(), NULL) == 1;
    bool found = false;
    for (size_t i = 0; ok && i < pins->count; i++)
        found |= !memcmp(digest, &pins->at[i], sizeof pins->at[i]);
    OPENSSL_free(der);
    return found;
}

static int verify_pinned(X509_STORE_CTX *x, void *arg)
{
    const struct pins *pins = arg;
    if (X509_verify_cert(x) != 1)
        return 0;
    const STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(x);
    for (int i = 0; i < sk_X509_num(chain); i++)
        if (is_pinned(pins, sk_X509_value(chain, i)))
            return 1;
    X509_STORE_CTX_set_error(x, X509_V_ERR_APPLICATION_VERIFICATION); /* sock.c says it in words */
    return 0;
}

static int use_pins(SSL_CTX *c, const struct nk_digest *at, size_t count)
{
    struct pins *pins = slot() < 0 ? NULL : malloc(sizeof *pins + count * sizeof *at);
    if (!pins || !SSL_CTX_set_ex_data(c, slot(), pins)) {
        free(pins);
        return NK_ENOMEM;
    }
    pins->count = count;
    memcpy(pins->at, at, count * sizeof *at);
    SSL_CTX_set_cert_verify_callback(c, verify_pinned, pins);
    return 0;
}

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    struct nk_tls_session *slot = SSL_get_app_data(ssl);
    if (!slot)
        return 0;
    SSL_SESSION_free(slot->session);
    slot->session = session;
    return 1;
}

static int trust_system(SSL_CTX *c, struct nk_fault *f)
{
    static const char *const files[] = {"/etc/ssl/certs/ca-certificates.crt",
                                        "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"};
    for (size_t i = 0; i < NK_COUNT(files); i++)
        if (!access(files[i], R_OK))
            return SSL_CTX_load_verify_file(c, files[i]) == 1
                       ? 0
                       : nk_tls_fault(f, NK_EIO, "cannot read the system's authorities");
    return nk_fault_set(f, NK_ENOTFOUND, "tls", 0,
                        "the system has no list of authorities: install ca-certificates, or name "
                        "a PEM file as the upstream's \"ca\"");
}

static int trust(SSL_CTX *c, const struct nk_tls_reach *r, struct nk_fault *f)
{
    if (r->ca.p)
        return nk_tls_pem_trust(r->ca, SSL_CTX_get_cert_store(c), NULL, f);
    if (!r->trust)
        return trust_system(c, f);
    SSL_CTX_set1_cert_store(c, SSL_CTX_get_cert_store(r->trust->ctx));
    return 0;
}

static int show(SSL_CTX *c, const struct nk_tls_reach *r, struct nk_fault *f)
{
    X509 *leaf = NULL;
    STACK_OF(X509) *chain = NULL;
    EVP_PKEY *key = NULL;
    int rc = nk_tls_pem_pair(r->certificate, r->key, &leaf, &chain, &key, f);
    if (rc)
        return rc;
    if (SSL_CTX_use_cert_and_key(c, leaf, key, chain, 1) != 1)
        rc = nk_tls_fault(f, NK_EINVAL, "the client certificate cannot be used");
    X509_free(leaf);
    sk_X509_pop_free(chain, X509_free);
    EVP_PKEY_free(key);
    return rc;
}

struct nk_tls *nk_tls_reach(const struct nk_tls_reach *r, struct nk_fault *f)
{
    struct nk_tls *t = nk_tls_new(true, r->only_13, f);
    if (!t)
        return NULL;
    int rc = trust(t->ctx, r, f);
    if (!rc && r->certificate.p)
        rc = show(t->ctx, r, f);
    if (!rc && r->pin_count && use_pins(t->ctx, r->pins, r->pin_count))
        rc = nk_tls_fault(f, NK_ENOMEM, "no memory for pins");
    if (rc) {
        nk_tls_free(t);
        return NULL;
    }
    SSL_CTX_set_verify(t->ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_session_cache_mode(t->ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(t->ctx, keep_session);
    return t;
}

struct nk_tls *nk_tls_client(struct nk_str ca, struct nk_fault *f)
{
    return nk_tls_reach(&(struct nk_tls_reach){.ca = ca}, f);
}

void nk_tls_session_free(struct nk_tls_session *s)
{
    SSL_SESSION_free(s->session);
    s->session = NULL;
}

void nk_sock_resume(struct nk_sock *s, struct nk_tls_session *slot)
{
    if (!s->ssl)
        return;
    SSL_set_app_data(s->ssl, slot);
    if (slot->session)
        (void)SSL_set_session(s->ssl, slot->session);
}
