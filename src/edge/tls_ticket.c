/* SPDX-License-Identifier: Apache-2.0
 *
 * tls_ticket.c - sessions that go on. Nothing is kept of a client: its ticket (RFC 5077; RFC 8446,
 * 4.6.1) holds all, under keys that every worker has and that outlive a reload. What let a client
 * in must still hold when it comes back: the session id context is a digest of the authorities and
 * revocation lists, so a new list makes every client be verified again; and neither a certificate
 * that ended nor a list that did lets anybody go on.
 */
#include "edge/tls_own.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { NAME = 16, MAC = 32, SESSION_SECONDS = 7200 };

struct tickets {
    const struct nk_tls_tickets *keys;
    int64_t until_ms;
};

static void free_tickets(void *parent, void *p, CRYPTO_EX_DATA *ad, int index, long l, void *arg)
{
    (void)parent, (void)ad, (void)index, (void)l, (void)arg;
    free(p);
}

static int slot(void)
{
    static int index = -1;
    if (index < 0)
        index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_tickets);
    return index;
}

static int init(const unsigned char *key, const unsigned char *iv, EVP_CIPHER_CTX *cipher,
                EVP_MAC_CTX *mac, int encrypt)
{
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)(uintptr_t)(key + NAME), MAC),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end()};
    return EVP_MAC_CTX_set_params(mac, params) &&
           EVP_CipherInit_ex2(cipher, EVP_aes_256_cbc(), key + NAME + MAC, iv, encrypt, NULL);
}

/* 1: go on; 2: go on, and give a new ticket; 0: not one of ours; -1: an error. */
static int on_key(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                  EVP_MAC_CTX *mac, int encrypt)
{
    const struct tickets *t = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), slot());
    if (encrypt) {
        const unsigned char *key = t->keys->keys[0];
        if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1)
            return -1;
        memcpy(name, key, NAME);
        return init(key, iv, cipher, mac, 1) ? 1 : -1;
    }
    for (int i = 0; i < 2; i++)
        if (!memcmp(name, t->keys->keys[i], NAME))
            return init(t->keys->keys[i], iv, cipher, mac, 0) ? 1 + i : -1;
    return 0;
}

static bool may_go_on(const struct tickets *t, const SSL_SESSION *session)
{
    int64_t now_ms = (int64_t)time(NULL) * 1000;
    const X509 *client = SSL_SESSION_get0_peer((SSL_SESSION *)(uintptr_t)session);
    return now_ms < t->until_ms && (!client || now_ms < nk_tls_time_ms(X509_get0_notAfter(client)));
}

static SSL_TICKET_RETURN on_ticket(SSL *ssl, SSL_SESSION *session, const unsigned char *name,
                                   size_t name_n, SSL_TICKET_STATUS status, void *arg)
{
    const struct tickets *t = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), slot());
    (void)name, (void)name_n, (void)arg;
    bool read = status == SSL_TICKET_SUCCESS || status == SSL_TICKET_SUCCESS_RENEW;
    if (!read || !may_go_on(t, session))
        return SSL_TICKET_RETURN_IGNORE_RENEW;
    /* A ticket of 1.3 is used once, so that nobody can tell which connections are of one client
     * (RFC 8446, appendix C.4). */
    return status == SSL_TICKET_SUCCESS && SSL_version(ssl) < TLS1_3_VERSION
               ? SSL_TICKET_RETURN_USE
               : SSL_TICKET_RETURN_USE_RENEW;
}

static bool set_policy(SSL_CTX *c, const struct nk_str *policy, size_t parts)
{
    unsigned char id[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    EVP_MD_CTX *m = EVP_MD_CTX_new();
    bool ok = m && EVP_DigestInit_ex(m, EVP_sha256(), NULL);
    for (size_t i = 0; ok && i < parts; i++)
        ok = EVP_DigestUpdate(m, &policy[i].n, sizeof policy[i].n) &&
             (!policy[i].n || EVP_DigestUpdate(m, policy[i].p, policy[i].n));
    ok = ok && EVP_DigestFinal_ex(m, id, &n) && SSL_CTX_set_session_id_context(c, id, n);
    EVP_MD_CTX_free(m);
    return ok;
}

int nk_tls_use_tickets(SSL_CTX *c, const struct nk_tls_tickets *keys, int64_t until_ms,
                       const struct nk_str *policy, size_t parts)
{
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(c, 1);
    SSL_CTX_set_timeout(c, SESSION_SECONDS);
    struct tickets *t = slot() < 0 ? NULL : calloc(1, sizeof *t);
    if (!t)
        return NK_ENOMEM;
    *t = (struct tickets){keys, until_ms};
    if (!SSL_CTX_set_ex_data(c, slot(), t)) {
        free(t);
        return NK_ENOMEM;
    }
    if (!set_policy(c, policy, parts) || !SSL_CTX_set_session_ticket_cb(c, NULL, on_ticket, NULL))
        return NK_ENOMEM;
    if (keys && !SSL_CTX_set_tlsext_ticket_key_evp_cb(c, on_key))
        return NK_ENOMEM;
    return 0;
}
