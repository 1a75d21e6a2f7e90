/* SPDX-License-Identifier: Apache-2.0
 *
 * tls_names.c - names in certificates: which of our own is for the name that a client asks for, and
 * which name a client has proven. A name with a NUL or another control character in it is no name:
 * what one program reads to its end another would read half.
 */
#include "edge/tls_own.h"

#include <arpa/inet.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include "base/utf8.h"

static struct nk_str bytes_of(const ASN1_STRING *s)
{
    return (struct nk_str){(const char *)ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s)};
}

static bool is_usable(struct nk_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
            return false;
    return s.n > 0 && s.n <= NK_TLS_NAME_MAX && nk_utf8_check(s) == s.n;
}

static bool dns_matches(struct nk_str pattern, struct nk_str host, bool wildcard)
{
    if (!wildcard)
        return nk_str_eq_nocase(pattern, host);
    if (!nk_str_starts(pattern, NK_STR("*.")))
        return false;
    ptrdiff_t dot = nk_str_find(host, '.');
    return dot > 0 && nk_str_eq_nocase(nk_str_sub(pattern, 1, pattern.n),
                                       nk_str_sub(host, (size_t)dot, host.n));
}

/* The bytes of an address in text form; 0 when it is none. */
static size_t address_of(struct nk_str host, unsigned char out[16])
{
    char text[64];
    if (host.n >= sizeof text)
        return 0;
    memcpy(text, host.p, host.n);
    text[host.n] = 0;
    if (inet_pton(AF_INET, text, out) == 1)
        return 4;
    return inet_pton(AF_INET6, text, out) == 1 ? 16 : 0;
}

bool nk_tls_names_have(const GENERAL_NAMES *names, struct nk_str host, bool wildcard)
{
    unsigned char address[16];
    size_t n = address_of(host, address);
    for (int i = 0; names && i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *g = sk_GENERAL_NAME_value(names, i);
        if (n ? !wildcard && g->type == GEN_IPADD &&
                    nk_str_eq(bytes_of(g->d.iPAddress), (struct nk_str){(char *)address, n})
              : g->type == GEN_DNS && dns_matches(bytes_of(g->d.dNSName), host, wildcard))
            return true;
    }
    return false;
}

/* The only common name, as UTF-8 that the caller frees; NULL when there is none or several. */
static unsigned char *common_name(const X509 *x, int *n)
{
    X509_NAME *subject = X509_get_subject_name(x);
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    unsigned char *text = NULL;
    if (at < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0)
        return NULL;
    *n = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    return *n >= 0 ? text : NULL;
}

static struct nk_str first_of(const GENERAL_NAMES *names, int type, int *count)
{
    struct nk_str first = {NULL, 0};
    *count = 0;
    for (int i = 0; names && i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *g = sk_GENERAL_NAME_value(names, i);
        if (g->type == type && (*count)++ == 0)
            first = bytes_of(type == GEN_URI ? g->d.uniformResourceIdentifier : g->d.dNSName);
    }
    return first;
}

void nk_tls_first_name(const X509 *x, const GENERAL_NAMES *names, char out[NK_TLS_NAME_MAX + 1])
{
    int count, n = 0;
    unsigned char *cn = NULL;
    struct nk_str name = first_of(names, GEN_DNS, &count);
    if (!count && sk_GENERAL_NAME_num(names) > 0 &&
        sk_GENERAL_NAME_value(names, 0)->type == GEN_IPADD) {
        struct nk_str ip = bytes_of(sk_GENERAL_NAME_value(names, 0)->d.iPAddress);
        int family = ip.n == 4 ? AF_INET : AF_INET6;
        if ((ip.n == 4 || ip.n == 16) && inet_ntop(family, ip.p, out, NK_TLS_NAME_MAX))
            return;
    }
    if (!count && (cn = common_name(x, &n)) != NULL)
        name = (struct nk_str){(char *)cn, (size_t)n};
    out[0] = 0;
    if (is_usable(name)) {
        memcpy(out, name.p, name.n);
        out[name.n] = 0;
    }
    OPENSSL_free(cn);
}

/* What a client's certificate proves, with its name behind it in the same piece of memory. */
static struct nk_tls_peer *peer_new(struct nk_str name, const char *kind, X509 *x)
{
    struct nk_tls_peer *p = is_usable(name) ? malloc(sizeof *p + name.n) : NULL;
    if (!p)
        return NULL;
    memcpy(p + 1, name.p, name.n);
    *p = (struct nk_tls_peer){.name = {(char *)(p + 1), name.n},
                              .kind = kind,
                              .until_ms = nk_tls_time_ms(X509_get0_notAfter(x))};
    if (X509_digest(x, EVP_sha256(), p->sha256, NULL))
        return p;
    free(p);
    return NULL;
}

static struct nk_tls_peer *peer_of(X509 *x)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
    int uris, dns, n = 0;
    struct nk_tls_peer *p = NULL;
    struct nk_str uri = first_of(names, GEN_URI, &uris), host = first_of(names, GEN_DNS, &dns);
    bool spiffe = false;
    for (int i = 0; names && i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *g = sk_GENERAL_NAME_value(names, i);
        spiffe |= g->type == GEN_URI &&
                  nk_str_starts(bytes_of(g->d.uniformResourceIdentifier), NK_STR("spiffe://"));
    }
    if (uris) {
        p = spiffe && uris > 1 ? NULL : peer_new(uri, "uri", x);
    } else if (dns) {
        p = peer_new(host, "dns", x);
    } else {
        unsigned char *cn = common_name(x, &n);
        p = cn ? peer_new((struct nk_str){(char *)cn, (size_t)n}, "cn", x) : NULL;
        OPENSSL_free(cn);
    }
    GENERAL_NAMES_free(names);
    return p;
}

static void free_peer(void *parent, void *p, CRYPTO_EX_DATA *ad, int index, long l, void *arg)
{
    (void)parent, (void)ad, (void)index, (void)l, (void)arg;
    free(p);
}

const struct nk_tls_peer *nk_sock_peer(struct nk_sock *s)
{
    static int index = -1;
    if (index < 0)
        index = SSL_get_ex_new_index(0, NULL, NULL, NULL, free_peer);
    if (!s->ssl || index < 0 || !SSL_is_server(s->ssl) || !SSL_is_init_finished(s->ssl))
        return NULL;
    struct nk_tls_peer *p = SSL_get_ex_data(s->ssl, index);
    X509 *x = SSL_get0_peer_certificate(s->ssl);
    if (p || !x || SSL_get_verify_result(s->ssl) != X509_V_OK)
        return p;
    p = peer_of(x);
    if (p && !SSL_set_ex_data(s->ssl, index, p)) {
        free(p);
        p = NULL;
    }
    return p;
}
