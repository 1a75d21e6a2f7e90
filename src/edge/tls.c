/* SPDX-License-Identifier: Apache-2.0
 *
 * tls.c - what both sides of TLS have in common, over OpenSSL 3 (RFC 9325): 1.2 and 1.3,
 * forward-secret AEAD suites, no renegotiation, no compression, the protocol by ALPN. All material
 * comes as PEM text; the only file that is ever opened is the system's list of authorities, when
 * the context is made, so that a confined role needs no file later.
 */
#include "edge/tls_own.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <time.h>

/* What ALPN offers (RFC 7301, section 3.1), best first; HTTP/1.1 is the end of it. */
static const unsigned char alpn_both[] = {2, 'h', '2', 8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
static const unsigned char *const alpn = alpn_both + 3;
enum { ALPN_BOTH = sizeof alpn_both, ALPN = ALPN_BOTH - 3 };

/* A BIO over a socket that OpenSSL's own does not offer: MSG_NOSIGNAL, and no other system call
 * than plain socks use. */
static int bio_write(BIO *b, const char *p, int n)
{
    BIO_clear_retry_flags(b);
    ssize_t put = send((int)(intptr_t)BIO_get_data(b), p, (size_t)n, MSG_NOSIGNAL);
    if (put < 0 && (errno == EAGAIN || errno == EINTR))
        BIO_set_retry_write(b);
    return (int)put;
}

static int bio_read(BIO *b, char *p, int n)
{
    BIO_clear_retry_flags(b);
    ssize_t got = recv((int)(intptr_t)BIO_get_data(b), p, (size_t)n, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        BIO_set_retry_read(b);
    if (got == 0)
        BIO_set_flags(b, BIO_FLAGS_IN_EOF);
    return (int)got;
}

static long bio_ctrl(BIO *b, int cmd, long num, void *ptr)
{
    (void)num, (void)ptr;
    if (cmd == BIO_CTRL_EOF)
        return BIO_test_flags(b, BIO_FLAGS_IN_EOF) != 0;
    return cmd == BIO_CTRL_FLUSH || cmd == BIO_CTRL_DUP;
}

/* Made once and kept: a sock may outlive the context that it came from. */
static BIO_METHOD *bio_method(void)
{
    static BIO_METHOD *method;
    if (!method) {
        method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK | BIO_TYPE_DESCRIPTOR,
                              "nakoso");
        if (!method)
            return NULL;
        BIO_meth_set_write(method, bio_write);
        BIO_meth_set_read(method, bio_read);
        BIO_meth_set_ctrl(method, bio_ctrl);
    }
    return method;
}

int nk_tls_fault(struct nk_fault *f, int code, const char *what)
{
    const char *why = ERR_reason_error_string(ERR_peek_error());
    int rc = nk_fault_set(f, code, "tls", 0, "%s%s%s", what, why ? ": " : "", why ? why : "");
    ERR_clear_error();
    return rc;
}

static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_n,
                       const unsigned char *in, unsigned in_n, void *arg)
{
    const unsigned char *ours = arg;
    unsigned char *chosen;
    (void)ssl;
    if (SSL_select_next_proto(&chosen, out_n, ours, ours == alpn ? ALPN : ALPN_BOTH, in, in_n) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

/* A key with a passphrase is refused, not asked for. */
static int no_passphrase(char *buf, int size, int rw, void *arg)
{
    (void)buf, (void)size, (void)rw, (void)arg;
    return -1;
}

struct nk_tls *nk_tls_new(bool client, bool only_13, struct nk_fault *f)
{
    ERR_clear_error();
    struct nk_tls *t = calloc(1, sizeof *t);
    SSL_CTX *c =
        t && bio_method() ? SSL_CTX_new(client ? TLS_client_method() : TLS_server_method()) : NULL;
    if (!c || !SSL_CTX_set_min_proto_version(c, only_13 ? TLS1_3_VERSION : TLS1_2_VERSION) ||
        !SSL_CTX_set_cipher_list(c, "ECDHE+AESGCM:ECDHE+CHACHA20") ||
        (client && SSL_CTX_set_alpn_protos(c, alpn, ALPN))) {
        (void)nk_tls_fault(f, NK_ENOMEM, "cannot make a context");
        SSL_CTX_free(c);
        free(t);
        return NULL;
    }
    SSL_CTX_set_security_level(c, 2);
    SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                               SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                            SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (!client)
        SSL_CTX_set_alpn_select_cb(c, choose_alpn, (void *)(uintptr_t)alpn);
    *t = (struct nk_tls){c, client};
    return t;
}

void nk_tls_offer_h2(struct nk_tls *t)
{
    SSL_CTX_set_alpn_select_cb(t->ctx, choose_alpn, (void *)(uintptr_t)alpn_both);
}

void nk_tls_free(struct nk_tls *t)
{
    if (!t)
        return;
    SSL_CTX_free(t->ctx);
    free(t);
}

static BIO *text(struct nk_str pem)
{
    return pem.n && pem.n < INT32_MAX ? BIO_new_mem_buf(pem.p, (int)pem.n) : NULL;
}

/* After the last certificate a reader ends with "no start line"; anything else is an error. */
static bool at_end(void)
{
    unsigned long e = ERR_peek_last_error();
    bool end = ERR_GET_LIB(e) == ERR_LIB_PEM && ERR_GET_REASON(e) == PEM_R_NO_START_LINE;
    if (end)
        ERR_clear_error();
    return end;
}

static int read_chain(struct nk_str pem, X509 **leaf, STACK_OF(X509) * *chain, struct nk_fault *f)
{
    BIO *in = text(pem);
    *leaf = in ? PEM_read_bio_X509_AUX(in, NULL, no_passphrase, NULL) : NULL;
    *chain = *leaf ? sk_X509_new_null() : NULL;
    bool ok = *chain != NULL;
    for (X509 *x; ok && (x = PEM_read_bio_X509(in, NULL, no_passphrase, NULL)) != NULL;) {
        ok = sk_X509_push(*chain, x) > 0;
        if (!ok)
            X509_free(x);
    }
    ok = ok && at_end();
    BIO_free(in);
    return ok ? 0 : nk_tls_fault(f, NK_EINVAL, "the certificate is not a chain in PEM");
}

static int read_key(struct nk_str pem, X509 *leaf, EVP_PKEY **key, struct nk_fault *f)
{
    BIO *in = text(pem);
    *key = in ? PEM_read_bio_PrivateKey(in, NULL, no_passphrase, NULL) : NULL;
    BIO_free(in);
    if (!*key)
        return nk_tls_fault(f, NK_EINVAL, "the key is not an unencrypted private key in PEM");
    return X509_check_private_key(leaf, *key) == 1
               ? 0
               : nk_tls_fault(f, NK_EINVAL, "the key does not belong to the certificate");
}

int nk_tls_pem_pair(struct nk_str chain_pem, struct nk_str key_pem, X509 **leaf,
                    STACK_OF(X509) * *chain, EVP_PKEY **key, struct nk_fault *f)
{
    *key = NULL;
    int rc = read_chain(chain_pem, leaf, chain, f);
    if (!rc)
        rc = read_key(key_pem, *leaf, key, f);
    if (!rc)
        return 0;
    X509_free(*leaf);
    sk_X509_pop_free(*chain, X509_free);
    EVP_PKEY_free(*key);
    *leaf = NULL;
    *chain = NULL;
    *key = NULL;
    return rc;
}

int nk_tls_pem_trust(struct nk_str pem, X509_STORE *store, SSL_CTX *names, struct nk_fault *f)
{
    BIO *in = text(pem);
    size_t count = 0;
    bool ok = in != NULL;
    for (X509 *x; ok && (x = PEM_read_bio_X509_AUX(in, NULL, no_passphrase, NULL)) != NULL;
         count++) {
        ok = X509_STORE_add_cert(store, x) == 1 && (!names || SSL_CTX_add_client_CA(names, x) == 1);
        X509_free(x);
    }
    ok = ok && at_end() && count;
    BIO_free(in);
    return ok ? 0 : nk_tls_fault(f, NK_EINVAL, "the authorities are not certificates in PEM");
}

int nk_tls_pem_crl(struct nk_str pem, X509_STORE *store, int64_t *until_ms, struct nk_fault *f)
{
    BIO *in = text(pem);
    size_t count = 0;
    bool ok = in != NULL;
    for (X509_CRL *x; ok && (x = PEM_read_bio_X509_CRL(in, NULL, no_passphrase, NULL)) != NULL;
         count++) {
        const ASN1_TIME *next = X509_CRL_get0_nextUpdate(x);
        int64_t until = next ? nk_tls_time_ms(next) : INT64_MAX;
        *until_ms = until < *until_ms ? until : *until_ms;
        ok = X509_STORE_add_crl(store, x) == 1;
        X509_CRL_free(x);
    }
    ok = ok && at_end() && count &&
         X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL) == 1;
    BIO_free(in);
    return ok ? 0 : nk_tls_fault(f, NK_EINVAL, "the revocation lists are not in PEM");
}

int64_t nk_tls_time_ms(const ASN1_TIME *t)
{
    struct tm at = {0};
    return ASN1_TIME_to_tm(t, &at) == 1 ? (int64_t)timegm(&at) * 1000 : INT64_MAX;
}

static bool is_ip(const char *host)
{
    unsigned char to[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, host, to) == 1 || inet_pton(AF_INET6, host, to) == 1;
}

static bool expect_host(SSL *ssl, const char *host)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (is_ip(host))
        return X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1;
    return SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
}

void *nk_tls_start(struct nk_tls *t, int fd, const char *host)
{
    NK_MUST(!t->client || host);
    SSL *ssl = SSL_new(t->ctx);
    BIO *bio = ssl ? BIO_new(bio_method()) : NULL;
    if (!bio || (t->client && !expect_host(ssl, host))) {
        BIO_free(bio);
        SSL_free(ssl);
        return NULL;
    }
    BIO_set_data(bio, (void *)(intptr_t)fd);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
    if (t->client)
        SSL_set_connect_state(ssl);
    else
        SSL_set_accept_state(ssl);
    return ssl;
}
