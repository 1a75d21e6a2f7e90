/* SPDX-License-Identifier: Apache-2.0
 *
 * tls.c - TLS contexts over OpenSSL 3 (RFC 9325): 1.2 and 1.3, forward-secret AEAD suites, no
 * renegotiation, no compression, the protocol by ALPN. All material comes as PEM text; the only file
 * that is ever opened is the system's list of authorities, when the context is made, so that a
 * confined role needs no file later.
 */
#include "edge/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct nk_tls {
    SSL_CTX *ctx;
    bool client;
};

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

static int fault(struct nk_fault *f, int code, const char *what)
{
    const char *why = ERR_reason_error_string(ERR_peek_error());
    int rc = nk_fault_set(f, code, "tls", 0, "%s%s%s", what, why ? ": " : "", why ? why : "");
    ERR_clear_error();
    return rc;
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

static struct nk_tls *context_new(bool client, struct nk_fault *f)
{
    ERR_clear_error();
    struct nk_tls *t = calloc(1, sizeof *t);
    SSL_CTX *c =
        t && bio_method() ? SSL_CTX_new(client ? TLS_client_method() : TLS_server_method()) : NULL;
    if (!c || !SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION) ||
        !SSL_CTX_set_cipher_list(c, "ECDHE+AESGCM:ECDHE+CHACHA20")) {
        (void)fault(f, NK_ENOMEM, "cannot make a context");
        SSL_CTX_free(c);
        free(t);
        return NULL;
    }
    SSL_CTX_set_security_level(c, 2);
    SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                               SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                            SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_default_passwd_cb(c, no_passphrase);
    *t = (struct nk_tls){c, client};
    return t;
}

void nk_tls_free(struct nk_tls *t)
{
    if (!t)
        return;
    SSL_CTX_free(t->ctx);
    free(t);
}

void nk_tls_session_free(struct nk_tls_session *s)
{
    SSL_SESSION_free(s->session);
    s->session = NULL;
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

static int use_chain(SSL_CTX *c, struct nk_str cert, struct nk_fault *f)
{
    BIO *in = text(cert);
    X509 *x = in ? PEM_read_bio_X509_AUX(in, NULL, no_passphrase, NULL) : NULL;
    bool ok = x && SSL_CTX_use_certificate(c, x) == 1;
    X509_free(x);
    while (ok && (x = PEM_read_bio_X509(in, NULL, no_passphrase, NULL)) != NULL) {
        ok = SSL_CTX_add0_chain_cert(c, x) == 1;
        if (!ok)
            X509_free(x);
    }
    ok = ok && at_end();
    BIO_free(in);
    return ok ? 0 : fault(f, NK_EINVAL, "the certificate is not a chain in PEM");
}

static int use_key(SSL_CTX *c, struct nk_str key, struct nk_fault *f)
{
    BIO *in = text(key);
    EVP_PKEY *k = in ? PEM_read_bio_PrivateKey(in, NULL, no_passphrase, NULL) : NULL;
    bool ok = k && SSL_CTX_use_PrivateKey(c, k) == 1;
    EVP_PKEY_free(k);
    BIO_free(in);
    if (!ok)
        return fault(f, NK_EINVAL,
                     "the key is not an unencrypted private key in PEM of this certificate");
    return SSL_CTX_check_private_key(c) == 1
               ? 0
               : fault(f, NK_EINVAL, "the key does not belong to the certificate");
}

struct nk_tls *nk_tls_server(struct nk_str cert, struct nk_str key, struct nk_fault *f)
{
    struct nk_tls *t = context_new(false, f);
    if (!t)
        return NULL;
    if (use_chain(t->ctx, cert, f) || use_key(t->ctx, key, f)) {
        nk_tls_free(t);
        return NULL;
    }
    /* Resumption by tickets alone: nothing of a client is kept. */
    SSL_CTX_set_session_cache_mode(t->ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(t->ctx, 1);
    SSL_CTX_set_alpn_select_cb(t->ctx, choose_alpn, (void *)(uintptr_t)alpn);
    return t;
}

void nk_tls_offer_h2(struct nk_tls *t)
{
    SSL_CTX_set_alpn_select_cb(t->ctx, choose_alpn, (void *)(uintptr_t)alpn_both);
}

static int trust_pem(SSL_CTX *c, struct nk_str ca, struct nk_fault *f)
{
    BIO *in = text(ca);
    size_t count = 0;
    bool ok = in != NULL;
    for (X509 *x; ok && (x = PEM_read_bio_X509_AUX(in, NULL, no_passphrase, NULL)) != NULL;
         count++) {
        ok = X509_STORE_add_cert(SSL_CTX_get_cert_store(c), x) == 1;
        X509_free(x);
    }
    ok = ok && at_end() && count;
    BIO_free(in);
    return ok ? 0 : fault(f, NK_EINVAL, "the authorities are not certificates in PEM");
}

static int trust_system(SSL_CTX *c, struct nk_fault *f)
{
    static const char *const files[] = {"/etc/ssl/certs/ca-certificates.crt",
                                        "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"};
    for (size_t i = 0; i < NK_COUNT(files); i++)
        if (!access(files[i], R_OK))
            return SSL_CTX_load_verify_file(c, files[i]) == 1
                       ? 0
                       : fault(f, NK_EIO, "cannot read the system's authorities");
    return nk_fault_set(f, NK_ENOTFOUND, "tls", 0,
                        "the system has no list of authorities: install ca-certificates, or name "
                        "a PEM file as the upstream's \"ca\"");
}

struct nk_tls *nk_tls_client(struct nk_str ca, struct nk_fault *f)
{
    struct nk_tls *t = context_new(true, f);
    if (!t)
        return NULL;
    if (ca.p ? trust_pem(t->ctx, ca, f) : trust_system(t->ctx, f)) {
        nk_tls_free(t);
        return NULL;
    }
    SSL_CTX_set_verify(t->ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_session_cache_mode(t->ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(t->ctx, keep_session);
    if (SSL_CTX_set_alpn_protos(t->ctx, alpn, ALPN)) {
        nk_tls_free(t);
        (void)fault(f, NK_ENOMEM, "cannot make a context");
        return NULL;
    }
    return t;
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

void nk_sock_resume(struct nk_sock *s, struct nk_tls_session *slot)
{
    if (!s->ssl)
        return;
    SSL_set_app_data(s->ssl, slot);
    if (slot->session)
        (void)SSL_set_session(s->ssl, slot->session);
}
