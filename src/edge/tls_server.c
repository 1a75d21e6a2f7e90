/* SPDX-License-Identifier: Apache-2.0
 *
 * tls_server.c - the listening side: certificates chosen by the name that the client asks for
 * (RFC 6066, 3), and clients' own certificates (RFC 8446, 4.3.2).
 *
 * The context holds the first certificate alone. For each full handshake a callback gathers those
 * that have the name, letter by letter before wildcards, and of each kind of key the one that
 * stands first in the configuration; which kind is shown is settled by what the client can verify.
 */
#include "edge/tls_own.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <arpa/inet.h>
#include <time.h>

enum { DEPTH = 8, DAY_MS = 86400000 };

struct shown {
    X509 *leaf;
    STACK_OF(X509) * chain;
    EVP_PKEY *key;
    GENERAL_NAMES *names;
    unsigned char *ocsp;
    int ocsp_n;
    int64_t ocsp_until_ms;
};

struct shelf {
    size_t count;
    struct shown at[NK_TLS_CERTIFICATES_MAX];
};

static void shelf_free(struct shelf *s)
{
    for (size_t i = 0; s && i < s->count; i++) {
        struct shown *c = &s->at[i];
        X509_free(c->leaf);
        sk_X509_pop_free(c->chain, X509_free);
        EVP_PKEY_free(c->key);
        GENERAL_NAMES_free(c->names);
        OPENSSL_free(c->ocsp);
    }
    free(s);
}

static void free_with_context(void *parent, void *p, CRYPTO_EX_DATA *ad, int index, long l,
                              void *arg)
{
    (void)parent, (void)ad, (void)index, (void)l, (void)arg;
    shelf_free(p);
}

static int slot(void)
{
    static int index = -1;
    if (index < 0)
        index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_with_context);
    return index;
}

static const struct shelf *shelf_of(const SSL_CTX *c)
{
    return SSL_CTX_get_ex_data(c, slot());
}

/* The name that the client asks for; without one the address that it came to. */
static struct nk_str asked_name(SSL *ssl, char room[INET6_ADDRSTRLEN])
{
    const char *sni = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    struct nk_address at = {.size = sizeof at.u};
    if (sni)
        return nk_str(sni);
    if (getsockname((int)(intptr_t)BIO_get_data(SSL_get_rbio(ssl)), &at.u.sa, &at.size))
        return (struct nk_str){NULL, 0};
    int family = at.u.sa.sa_family;
    const void *ip = family == AF_INET ? (const void *)&at.u.in.sin_addr : &at.u.in6.sin6_addr;
    bool is_ip = family == AF_INET || family == AF_INET6;
    return nk_str(is_ip ? inet_ntop(family, ip, room, INET6_ADDRSTRLEN) : NULL);
}

/* Puts the certificates that have the name into the connection; 0: none has it, -1: an error. */
static int put_matching(SSL *ssl, const struct shelf *s, struct nk_str host, bool wildcard)
{
    int found = 0;
    /* The last first: one of the same kind takes its place. */
    for (size_t i = s->count; i-- > 0;) {
        const struct shown *c = &s->at[i];
        if (!nk_tls_names_have(c->names, host, wildcard))
            continue;
        if (!found)
            SSL_certs_clear(ssl);
        found = 1;
        if (SSL_use_cert_and_key(ssl, c->leaf, c->key, c->chain, 1) != 1)
            return -1;
    }
    return found;
}

static int choose_certificate(SSL *ssl, void *arg)
{
    char room[INET6_ADDRSTRLEN];
    const struct shelf *s = shelf_of(SSL_get_SSL_CTX(ssl));
    struct nk_str host = asked_name(ssl, room);
    (void)arg;
    if (s->count == 1)
        return 1;
    int found = host.p ? put_matching(ssl, s, host, false) : 0;
    if (!found && host.p)
        found = put_matching(ssl, s, host, true);
    if (!found) { /* the first, and those beside it for its own name */
        char first[NK_TLS_NAME_MAX + 1];
        nk_tls_first_name(s->at[0].leaf, s->at[0].names, first);
        found = first[0] ? put_matching(ssl, s, nk_str(first), false) : 0;
    }
    return found >= 0;
}

static int staple(SSL *ssl, void *arg)
{
    const struct shelf *s = shelf_of(SSL_get_SSL_CTX(ssl));
    const X509 *shown = SSL_get_certificate(ssl);
    (void)arg;
    for (size_t i = 0; i < s->count; i++) {
        const struct shown *c = &s->at[i];
        if (c->leaf != shown || !c->ocsp || (int64_t)time(NULL) * 1000 >= c->ocsp_until_ms)
            continue;
        unsigned char *copy = OPENSSL_memdup(c->ocsp, (size_t)c->ocsp_n);
        if (!copy)
            return SSL_TLSEXT_ERR_NOACK;
        SSL_set_tlsext_status_ocsp_resp(ssl, copy, c->ocsp_n);
        return SSL_TLSEXT_ERR_OK;
    }
    return SSL_TLSEXT_ERR_NOACK;
}

/* Keeps an OCSP answer that says "good"; one that does not is a mistake to be told of. */
static int take_ocsp(struct shown *c, struct nk_str der, struct nk_fault *f)
{
    const unsigned char *p = (const unsigned char *)der.p;
    OCSP_RESPONSE *r = der.n < INT32_MAX ? d2i_OCSP_RESPONSE(NULL, &p, (long)der.n) : NULL;
    OCSP_BASICRESP *basic = r ? OCSP_response_get1_basic(r) : NULL;
    OCSP_SINGLERESP *one = basic ? OCSP_resp_get0(basic, 0) : NULL;
    ASN1_GENERALIZEDTIME *until = NULL;
    int status = one ? OCSP_single_get0_status(one, NULL, NULL, NULL, &until) : -1;
    c->ocsp_until_ms = until ? nk_tls_time_ms(until) : INT64_MAX;
    c->ocsp = status == V_OCSP_CERTSTATUS_GOOD ? OPENSSL_memdup(der.p, der.n) : NULL;
    c->ocsp_n = (int)der.n;
    OCSP_BASICRESP_free(basic);
    OCSP_RESPONSE_free(r);
    return c->ocsp
               ? 0
               : nk_tls_fault(f, NK_EINVAL, "the OCSP file is not an answer in DER that says good");
}

static int take_certificate(struct shelf *s, const struct nk_tls_certificate *from,
                            struct nk_fault *f)
{
    struct shown *c = &s->at[s->count];
    int rc = nk_tls_pem_pair(from->chain, from->key, &c->leaf, &c->chain, &c->key, f);
    if (rc)
        return rc;
    s->count++;
    c->names = X509_get_ext_d2i(c->leaf, NID_subject_alt_name, NULL, NULL);
    return from->ocsp.p ? take_ocsp(c, from->ocsp, f) : 0;
}

static struct shelf *shelf_new(const struct nk_tls_listen *l, struct nk_fault *f)
{
    struct shelf *s = calloc(1, sizeof *s);
    struct nk_fault why = {0};
    NK_MUST(l->certificate_count && l->certificate_count <= NK_TLS_CERTIFICATES_MAX);
    int rc = s ? 0 : NK_ENOMEM;
    for (size_t i = 0; !rc && i < l->certificate_count; i++) {
        rc = take_certificate(s, &l->certificates[i], &why);
        if (rc && l->certificate_count > 1)
            (void)nk_fault_set(f, rc, "tls", 0, "certificates[%zu]: %s", i, why.message);
    }
    if (!rc)
        return s;
    (void)nk_fault_set(f, rc, "tls", 0, "%s", why.code ? why.message : "out of memory");
    shelf_free(s);
    return NULL;
}

static int ask_clients(SSL_CTX *c, const struct nk_tls_listen *l, int64_t *until_ms,
                       struct nk_fault *f)
{
    X509_STORE *store = SSL_CTX_get_cert_store(c);
    struct nk_fault why = {0};
    int mode = SSL_VERIFY_PEER | (l->client_optional ? 0 : SSL_VERIFY_FAIL_IF_NO_PEER_CERT);
    int rc = nk_tls_pem_trust(l->client_ca, store, c, &why);
    if (rc)
        return nk_fault_set(f, rc, "tls", 0, "client_ca: %s", why.message);
    if (l->client_crl.p)
        rc = nk_tls_pem_crl(l->client_crl, store, until_ms, &why);
    if (rc)
        return nk_fault_set(f, rc, "tls", 0, "client_crl: %s", why.message);
    SSL_CTX_set_verify(c, mode, NULL);
    SSL_CTX_set_verify_depth(c, DEPTH);
    return 0;
}

static int set_up(SSL_CTX *c, const struct nk_tls_listen *l, struct nk_fault *f)
{
    int64_t until_ms = INT64_MAX;
    int rc = l->client_ca.p ? ask_clients(c, l, &until_ms, f) : 0;
    const struct nk_str policy[] = {l->client_ca, l->client_crl,
                                    l->client_optional ? NK_STR("optional") : NK_STR("required")};
    if (!rc && nk_tls_use_tickets(c, l->tickets, until_ms, policy, NK_COUNT(policy)))
        rc = nk_tls_fault(f, NK_ENOMEM, "cannot prepare tickets");
    return rc;
}

struct nk_tls *nk_tls_listen(const struct nk_tls_listen *l, struct nk_fault *f)
{
    struct nk_tls *t = nk_tls_new(false, l->only_13, f);
    struct shelf *s = t ? shelf_new(l, f) : NULL;
    if (!s || slot() < 0 || !SSL_CTX_set_ex_data(t->ctx, slot(), s)) {
        shelf_free(s);
        nk_tls_free(t);
        return NULL;
    }
    const struct shown *first = &s->at[0];
    if (SSL_CTX_use_cert_and_key(t->ctx, first->leaf, first->key, first->chain, 1) != 1) {
        (void)nk_tls_fault(f, NK_EINVAL, "the certificate cannot be used");
    } else if (!set_up(t->ctx, l, f)) {
        SSL_CTX_set_cert_cb(t->ctx, choose_certificate, NULL);
        SSL_CTX_set_tlsext_status_cb(t->ctx, staple);
        return t;
    }
    nk_tls_free(t);
    return NULL;
}

struct nk_tls *nk_tls_server(struct nk_str cert, struct nk_str key, struct nk_fault *f)
{
    const struct nk_tls_certificate one = {.chain = cert, .key = key};
    return nk_tls_listen(&(struct nk_tls_listen){.certificates = &one, .certificate_count = 1}, f);
}

size_t nk_tls_count(const struct nk_tls *t)
{
    return t->client ? SSL_CTX_get0_certificate(t->ctx) != NULL : shelf_of(t->ctx)->count;
}

void nk_tls_facts(const struct nk_tls *t, size_t i, struct nk_tls_facts *out)
{
    NK_MUST(i < nk_tls_count(t));
    const X509 *x = t->client ? SSL_CTX_get0_certificate(t->ctx) : shelf_of(t->ctx)->at[i].leaf;
    GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
    nk_tls_first_name(x, names, out->name);
    out->from_ms = nk_tls_time_ms(X509_get0_notBefore(x));
    out->until_ms = nk_tls_time_ms(X509_get0_notAfter(x));
    GENERAL_NAMES_free(names);
}

const char *nk_tls_warning(const struct nk_tls_facts *c, int64_t now_ms, char text[128])
{
    int64_t left = (c->until_ms - now_ms) / DAY_MS;
    const char *name = c->name[0] ? c->name : "a certificate";
    if (now_ms >= c->until_ms)
        snprintf(text, 128, "%.60s has expired: it will be refused", name);
    else if (now_ms < c->from_ms)
        snprintf(text, 128, "%.60s is not valid yet: it will be refused", name);
    else if (left < NK_TLS_SOON_DAYS)
        snprintf(text, 128, "%.60s expires in %lld days", name, (long long)left);
    else if (!c->name[0])
        snprintf(text, 128, "a certificate has no name that could be looked for");
    else
        return NULL;
    return text;
}
