/* SPDX-License-Identifier: Apache-2.0
 *
 * identity.h - keys and certificates for tests, made in memory.
 */
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include "base/buf.h"

struct identity {
    EVP_PKEY *key;
    X509 *cert;
    struct nk_buf cert_pem, key_pem;
};

static void to_pem(struct identity *id)
{
    BIO *b = BIO_new(BIO_s_mem());
    char *p;
    nk_buf_init(&id->cert_pem, 65536);
    nk_buf_init(&id->key_pem, 65536);
    PEM_write_bio_X509(b, id->cert);
    long n = BIO_get_mem_data(b, &p);
    nk_buf_add(&id->cert_pem, (struct nk_str){p, (size_t)n});
    (void)BIO_reset(b);
    PEM_write_bio_PrivateKey(b, id->key, NULL, NULL, 0, NULL, NULL);
    n = BIO_get_mem_data(b, &p);
    nk_buf_add(&id->key_pem, (struct nk_str){p, (size_t)n});
    BIO_free(b);
}

static void extend(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *x = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    X509_add_ext(cert, x, -1);
    X509_EXTENSION_free(x);
}

/* An identity signed by `ca`, or by itself, with a key of its own. */
static struct identity make_identity_of(EVP_PKEY *key, const char *name, const char *alt,
                                        struct identity *ca, long days)
{
    struct identity id = {.key = key, .cert = X509_new()};
    X509_set_version(id.cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(id.cert), days + 1000 + (long)strlen(name));
    X509_gmtime_adj(X509_getm_notBefore(id.cert), -86400 * 10);
    X509_gmtime_adj(X509_getm_notAfter(id.cert), 86400 * days);
    X509_NAME *subject = X509_get_subject_name(id.cert);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509 *issuer = ca ? ca->cert : id.cert;
    X509_set_issuer_name(id.cert, X509_get_subject_name(issuer));
    X509_set_pubkey(id.cert, id.key);
    extend(id.cert, issuer, NID_basic_constraints, ca ? "CA:FALSE" : "critical,CA:TRUE");
    if (alt)
        extend(id.cert, issuer, NID_subject_alt_name, alt);
    X509_sign(id.cert, ca ? ca->key : id.key, EVP_sha256());
    to_pem(&id);
    return id;
}

static struct identity make_identity(const char *name, const char *alt, struct identity *ca,
                                     long days)
{
    return make_identity_of(EVP_EC_gen("P-256"), name, alt, ca, days);
}

static void drop_identity(struct identity *id)
{
    EVP_PKEY_free(id->key);
    X509_free(id->cert);
    nk_buf_free(&id->cert_pem);
    nk_buf_free(&id->key_pem);
}
