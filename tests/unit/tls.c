/* SPDX-License-Identifier: Apache-2.0
 *
 * tls - contexts in full: certificates by name, clients' certificates and their names, revocation,
 * tickets in several workers, pins, stapling. Both ends are socks over a socket pair; everything
 * that is signed is made here, in memory.
 */
#include "identity.h"
#include "tap.h"
#include <openssl/ocsp.h>
#include <openssl/ssl.h>
#include <unistd.h>
#include "edge/tls.h"

enum { MANY = 6 };

static struct identity ca, other;

/* Two ends -------------------------------------------------------------------------------------- */

struct ends {
    struct nk_sock client, server;
    struct nk_fault client_fault, server_fault;
};

static bool begin(struct ends *e, struct nk_tls *ct, struct nk_tls *st, const char *host)
{
    int fd[2];
    *e = (struct ends){.client.fd = -1, .server.fd = -1};
    return !socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd) &&
           !nk_sock_open(&e->client, fd[0], ct, host) && !nk_sock_open(&e->server, fd[1], st, NULL);
}

static int give(struct nk_sock *from, struct nk_sock *to, struct nk_fault *from_fault,
                struct nk_fault *to_fault)
{
    char byte = 'x';
    struct iovec iov = {&byte, 1};
    bool sent = false;
    for (int i = 0; i < 200; i++) {
        ssize_t w = sent ? NK_EAGAIN : nk_sock_write(from, &iov, 1);
        sent |= w == 1;
        ssize_t r = nk_sock_read(to, &byte, 1, to_fault);
        if (r == 1)
            return 0;
        ssize_t back = nk_sock_read(from, &byte, 1, from_fault);
        if ((w < 0 && w != NK_EAGAIN) || (r != NK_EAGAIN) || (back != NK_EAGAIN))
            return to_fault->code ? to_fault->code : from_fault->code ? from_fault->code : NK_EIO;
    }
    return NK_EAGAIN;
}

/* A byte each way: 0 when both are content. Then tickets have come, too. */
static int talk(struct ends *e)
{
    int rc = give(&e->client, &e->server, &e->client_fault, &e->server_fault);
    return rc ? rc : give(&e->server, &e->client, &e->server_fault, &e->client_fault);
}

static void end(struct ends *e)
{
    nk_sock_close(&e->client);
    nk_sock_close(&e->server);
}

static struct nk_tls_certificate pair_of(const struct identity *id)
{
    return (struct nk_tls_certificate){.chain = nk_buf_str(&id->cert_pem),
                                       .key = nk_buf_str(&id->key_pem)};
}

/* Certificates by name --------------------------------------------------------------------------- */

static const char *shown_to(struct nk_tls *st, const char *host, const char *sigalgs, int version)
{
    static char name[64];
    struct nk_fault f = {0};
    struct nk_tls *ct = nk_tls_client(nk_buf_str(&ca.cert_pem), &f);
    struct ends e;
    name[0] = 0;
    if (ct && begin(&e, ct, st, host)) {
        SSL_set_verify(e.client.ssl, SSL_VERIFY_NONE, NULL);
        if (sigalgs)
            SSL_set1_sigalgs_list(e.client.ssl, sigalgs);
        SSL_set_max_proto_version(e.client.ssl, version);
        X509 *x = talk(&e) ? NULL : SSL_get0_peer_certificate(e.client.ssl);
        if (x)
            X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName, name, sizeof name);
        end(&e);
    }
    nk_tls_free(ct);
    return name;
}

static void name_cases(void)
{
    static const struct {
        const char *name, *alt;
        bool rsa;
    } made[MANY] = {{"first", "DNS:first.example", false},
                    {"first-rsa", "DNS:first.example", true},
                    {"wild", "DNS:*.wild.example,IP:127.0.0.9", false},
                    {"exact", "DNS:a.wild.example,DNS:later.example", false},
                    {"late", "DNS:later.example", false},
                    {"nameless", NULL, false}};
    static const struct {
        const char *host, *sigalgs, *shown;
    } cases[] = {{"first.example", "ECDSA+SHA256:RSA-PSS+SHA256", "first"},
                 {"first.example", "RSA-PSS+SHA256", "first-rsa"},
                 {"FIRST.example", NULL, "first"},
                 {"b.wild.example", NULL, "wild"},
                 {"a.wild.example", NULL, "exact"},
                 {"A.WILD.EXAMPLE", NULL, "exact"},
                 {"a.b.wild.example", NULL, "first"},
                 {"wild.example", NULL, "first"},
                 {"later.example", NULL, "exact"},
                 {"127.0.0.9", NULL, "first"}, /* an address is no name to ask for */
                 {"unknown.example", NULL, "first"},
                 {"unknown.example", "RSA-PSS+SHA256", "first-rsa"}};
    struct identity ids[MANY];
    struct nk_tls_certificate certificates[MANY];
    struct nk_fault f = {0};
    for (size_t i = 0; i < MANY; i++) {
        EVP_PKEY *key = made[i].rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
        ids[i] = make_identity_of(key, made[i].name, made[i].alt, &ca, 90);
        certificates[i] = pair_of(&ids[i]);
    }
    struct nk_tls_listen l = {.certificates = certificates, .certificate_count = MANY};
    struct nk_tls *st = nk_tls_listen(&l, &f);
    tap_ok(st && nk_tls_count(st) == MANY, "a listener with %d certificates %s", MANY, f.message);
    for (size_t i = 0; st && i < NK_COUNT(cases); i++)
        for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
            if (cases[i].sigalgs && version == TLS1_2_VERSION)
                continue; /* there the suites have a say, too */
            const char *shown = shown_to(st, cases[i].host, cases[i].sigalgs, version);
            tap_ok(!strcmp(shown, cases[i].shown), "%s %s %s is shown %s", cases[i].host,
                   cases[i].sigalgs ? cases[i].sigalgs : "",
                   version == TLS1_2_VERSION ? "TLS 1.2" : "TLS 1.3", shown);
        }
    nk_tls_free(st);
    certificates[2].key = certificates[0].key;
    tap_ok(!nk_tls_listen(&l, &f) && strstr(f.message, "certificates[2]"), "%s", f.message);
    for (size_t i = 0; i < MANY; i++)
        drop_identity(&ids[i]);
}

static void warning_cases(void)
{
    static const struct {
        const char *alt;
        long days;
        const char *says;
    } cases[] = {{"DNS:a.example", 90, NULL},
                 {"DNS:a.example", 29, "a.example expires in 28 days"},
                 {"DNS:a.example", -1, "a.example has expired: it will be refused"},
                 {"IP:127.0.0.1", 10, "127.0.0.1 expires in 9 days"},
                 {"IP:::1", -1, "::1 has expired: it will be refused"},
                 {NULL, 5, "leaf expires in 4 days"}};
    char text[128];
    int64_t now_ms = (int64_t)time(NULL) * 1000 + 60000;
    for (size_t i = 0; i < NK_COUNT(cases); i++) {
        struct nk_fault f = {0};
        struct nk_tls_facts facts = {0};
        struct identity id = make_identity("leaf", cases[i].alt, &ca, cases[i].days);
        struct nk_tls *t = nk_tls_server(nk_buf_str(&id.cert_pem), nk_buf_str(&id.key_pem), &f);
        if (t)
            nk_tls_facts(t, 0, &facts);
        const char *says = nk_tls_warning(&facts, now_ms, text);
        tap_ok(t && (cases[i].says ? says && !strcmp(says, cases[i].says) : !says),
               "%s, %ld days: %s", cases[i].alt ? cases[i].alt : "no name", cases[i].days,
               says ? says : "no warning");
        nk_tls_free(t);
        drop_identity(&id);
    }
    struct nk_tls_facts facts = {"a.example", now_ms + 1, now_ms + (int64_t)90 * 86400000};
    tap_ok(strstr(nk_tls_warning(&facts, now_ms, text), "not valid yet"), "%s", text);
    facts = (struct nk_tls_facts){"", 0, now_ms + (int64_t)90 * 86400000};
    tap_ok(strstr(nk_tls_warning(&facts, now_ms, text), "no name"), "%s", text);
}

/* Clients' certificates --------------------------------------------------------------------------- */

static struct nk_tls *client_with(const struct identity *id, bool only_13)
{
    struct nk_fault f = {0};
    struct nk_tls_reach r = {.ca = nk_buf_str(&ca.cert_pem), .only_13 = only_13};
    if (id) {
        r.certificate = nk_buf_str(&id->cert_pem);
        r.key = nk_buf_str(&id->key_pem);
    }
    struct nk_tls *t = nk_tls_reach(&r, &f);
    if (!t)
        printf("# %s\n", f.message);
    return t;
}

/* A revocation list of `by`, good for so many days, with the serial number of `revoked`. */
static struct nk_buf make_crl(const struct identity *by, const struct identity *revoked, long days)
{
    struct nk_buf pem;
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *t = ASN1_TIME_new();
    X509_CRL_set_version(crl, 1);
    X509_CRL_set_issuer_name(crl, X509_get_subject_name(by->cert));
    X509_CRL_set1_lastUpdate(crl, X509_gmtime_adj(t, -86400 * 3));
    X509_CRL_set1_nextUpdate(crl, X509_gmtime_adj(t, 86400 * days));
    if (revoked) {
        X509_REVOKED *r = X509_REVOKED_new();
        X509_REVOKED_set_serialNumber(r, X509_get_serialNumber(revoked->cert));
        X509_REVOKED_set_revocationDate(r, X509_gmtime_adj(t, -86400));
        X509_CRL_add0_revoked(crl, r);
    }
    X509_CRL_sort(crl);
    X509_CRL_sign(crl, by->key, EVP_sha256());
    BIO *b = BIO_new(BIO_s_mem());
    char *p;
    PEM_write_bio_X509_CRL(b, crl);
    long n = BIO_get_mem_data(b, &p);
    nk_buf_init(&pem, 65536);
    nk_buf_add(&pem, (struct nk_str){p, (size_t)n});
    BIO_free(b);
    ASN1_TIME_free(t);
    X509_CRL_free(crl);
    return pem;
}

static void peer_cases(struct nk_tls_listen l)
{
    static const struct {
        const char *cn, *alt, *kind, *name;
    } cases[] = {
        {"agent", "URI:spiffe://prod/agent", "uri", "spiffe://prod/agent"},
        {"agent", "DNS:x.example,URI:spiffe://prod/agent", "uri", "spiffe://prod/agent"},
        {"agent", "URI:urn:a,URI:urn:b", "uri", "urn:a"},
        {"agent", "URI:spiffe://prod/a,URI:spiffe://prod/b", NULL, NULL},
        {"agent", "URI:urn:a,URI:spiffe://prod/b,DNS:x.example", NULL, NULL},
        {"agent", "DNS:x.example,DNS:y.example", "dns", "x.example"},
        {"agent", "IP:10.0.0.1,email:a@b.example", "cn", "agent"},
        {"agent", NULL, "cn", "agent"},
        {"\xe5\x8b\xbf\xe6\x9d\xa5", NULL, "cn", "\xe5\x8b\xbf\xe6\x9d\xa5"},
        {"", NULL, NULL, NULL},
        {"two\nlines", NULL, NULL, NULL},
        {"agent", "DNS:x\ny.example", NULL, NULL},
    };
    struct nk_fault f = {0};
    struct nk_tls *st = nk_tls_listen(&l, &f);
    for (size_t i = 0; st && i < NK_COUNT(cases); i++) {
        struct identity id = make_identity_of(EVP_EC_gen("P-256"), "", cases[i].alt, &ca, 30);
        X509_NAME *subject = X509_get_subject_name(id.cert);
        X509_NAME_ENTRY_free(X509_NAME_delete_entry(subject, 0));
        if (cases[i].cn[0])
            X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                                       (const unsigned char *)cases[i].cn, -1, -1, 0);
        X509_sign(id.cert, ca.key, EVP_sha256());
        nk_buf_free(&id.cert_pem);
        nk_buf_free(&id.key_pem);
        to_pem(&id);
        struct nk_tls *ct = client_with(&id, false);
        struct ends e;
        int rc = ct && begin(&e, ct, st, "api.example") ? talk(&e) : NK_EIO;
        const struct nk_tls_peer *p = rc ? NULL : nk_sock_peer(&e.server);
        bool right = cases[i].kind ? p && !strcmp(p->kind, cases[i].kind) &&
                                         nk_str_eq(p->name, nk_str(cases[i].name)) &&
                                         p == nk_sock_peer(&e.server)
                                   : !p;
        tap_ok(rc == 0 && right, "%zu: %s: %s %.*s %s", i, cases[i].alt ? cases[i].alt : "(none)",
               p ? p->kind : "no name", p ? (int)p->name.n : 0, p ? p->name.p : "",
               e.server_fault.message);
        tap_ok(rc || !nk_sock_peer(&e.client), "the client's side has no such peer");
        end(&e);
        nk_tls_free(ct);
        drop_identity(&id);
    }
    nk_tls_free(st);
}

static void refusal_cases(struct nk_tls_listen l)
{
    struct identity good = make_identity("good", "DNS:good.example", &ca, 30),
                    bad = make_identity("bad one", "DNS:bad.example", &ca, 30),
                    old = make_identity("old", "DNS:old.example", &ca, -1),
                    foreign = make_identity("foreign", "DNS:good.example", &other, 30);
    struct nk_buf crl = make_crl(&ca, &bad, 2), stale = make_crl(&ca, &bad, -1),
                  others = make_crl(&other, NULL, 2);
    const struct {
        const char *what;
        const struct identity *id;
        const struct nk_buf *crl;
        bool optional;
        const char *why; /* NULL: accepted */
    } cases[] = {
        {"with a certificate", &good, NULL, false, NULL},
        {"without one", NULL, NULL, false, "peer did not return a certificate"},
        {"without one where it may", NULL, NULL, true, NULL},
        {"of another authority", &foreign, NULL, false, "unable to get local issuer certificate"},
        {"of another authority where none would do", &foreign, NULL, true,
         "unable to get local issuer certificate"},
        {"expired", &old, NULL, false, "certificate has expired"},
        {"not revoked", &good, &crl, false, NULL},
        {"revoked", &bad, &crl, false, "certificate revoked"},
        {"revoked where none would do", &bad, &crl, true, "certificate revoked"},
        {"under a list out of date", &good, &stale, false, "CRL has expired"},
        {"without a list of the authority", &good, &others, false, "unable to get certificate CRL"},
    };
    for (size_t i = 0; i < 2 * NK_COUNT(cases); i++) {
        size_t k = i / 2;
        struct nk_fault f = {0};
        l.client_crl = cases[k].crl ? nk_buf_str(cases[k].crl) : (struct nk_str){NULL, 0};
        l.client_optional = cases[k].optional;
        struct nk_tls *st = nk_tls_listen(&l, &f), *ct = client_with(cases[k].id, false);
        struct ends e;
        bool up = st && ct && begin(&e, ct, st, "api.example");
        if (up && i % 2)
            SSL_set_max_proto_version(e.client.ssl, TLS1_2_VERSION);
        int rc = up ? talk(&e) : NK_EIO;
        bool right = cases[k].why ? rc && strstr(e.server_fault.message, cases[k].why) : rc == 0;
        tap_ok(right, "TLS 1.%d client %s: %s", i % 2 ? 2 : 3, cases[k].what,
               rc ? e.server_fault.message : "accepted");
        end(&e);
        nk_tls_free(st);
        nk_tls_free(ct);
    }
    nk_buf_free(&crl);
    nk_buf_free(&stale);
    nk_buf_free(&others);
    drop_identity(&good);
    drop_identity(&bad);
    drop_identity(&old);
    drop_identity(&foreign);
}

/* Tickets ---------------------------------------------------------------------------------------- */

/* Is the session in `slot` (or a new one) taken by this listener? */
static bool resumes(struct nk_tls *ct, struct nk_tls *st, struct nk_tls_session *slot, int version)
{
    struct ends e;
    if (!begin(&e, ct, st, "api.example"))
        return false;
    SSL_set_max_proto_version(e.client.ssl, version);
    nk_sock_resume(&e.client, slot);
    bool shaking = nk_sock_is_shaking(&e.server);
    bool ok = !talk(&e) && shaking && !nk_sock_is_shaking(&e.server) &&
              nk_sock_is_resumed(&e.server) && nk_sock_is_resumed(&e.client);
    end(&e);
    return ok;
}

static void turn(struct nk_tls_tickets *t)
{
    memcpy(t->keys[1], t->keys[0], sizeof t->keys[0]);
    for (size_t i = 0; i < sizeof t->keys[0]; i++)
        t->keys[0][i]++;
}

static void ticket_cases(struct nk_tls_listen l, int version)
{
    struct nk_tls_tickets keys = {{{1}, {2}}}, strange = {{{1, 1}, {2, 2}}};
    struct nk_fault f = {0};
    struct identity id = make_identity("good", "DNS:good.example", &ca, 30);
    struct nk_buf crl = make_crl(&ca, NULL, 2);
    struct nk_tls_session slot = {0};
    l.tickets = &keys;
    struct nk_tls *one = nk_tls_listen(&l, &f), *two = nk_tls_listen(&l, &f);
    l.tickets = &strange;
    struct nk_tls *third = nk_tls_listen(&l, &f);
    l.tickets = &keys;
    l.client_crl = nk_buf_str(&crl);
    struct nk_tls *listed = nk_tls_listen(&l, &f);
    struct nk_tls *ct = client_with(&id, false);
    int v = version == TLS1_2_VERSION ? 2 : 3;
    tap_ok(one && two && third && listed && ct, "workers %s", f.message);
    tap_ok(!resumes(ct, one, &slot, version) && slot.session, "1.%d: a first handshake is full", v);
    tap_ok(resumes(ct, one, &slot, version), "1.%d: the second is not", v);
    tap_ok(resumes(ct, two, &slot, version), "1.%d: nor one with another worker", v);
    turn(&keys);
    tap_ok(resumes(ct, two, &slot, version), "1.%d: nor one after new keys", v);
    turn(&keys);
    /* OpenSSL's client tells of a new ticket in 1.3 alone. */
    tap_ok(resumes(ct, one, &slot, version) || v == 2, "1.%d: which gave a new ticket", v);
    turn(&keys);
    turn(&keys);
    tap_ok(!resumes(ct, one, &slot, version), "1.%d: keys before the last are forgotten", v);
    tap_ok(resumes(ct, one, &slot, version), "1.%d: from there it goes on", v);
    tap_ok(!resumes(ct, third, &slot, version), "1.%d: a stranger's keys are others", v);
    nk_tls_session_free(&slot);
    (void)resumes(ct, one, &slot, version);
    tap_ok(!resumes(ct, listed, &slot, version), "1.%d: a new revocation list asks again", v);
    tap_ok(resumes(ct, listed, &slot, version), "1.%d: and then goes on", v);
    nk_tls_session_free(&slot);
    nk_tls_free(one);
    nk_tls_free(two);
    nk_tls_free(third);
    nk_tls_free(listed);
    nk_tls_free(ct);
    nk_buf_free(&crl);
    drop_identity(&id);
}

/* Towards upstreams ------------------------------------------------------------------------------- */

static void pin_of(const struct identity *id, struct nk_digest *out)
{
    unsigned char *der = NULL;
    int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(id->cert), &der);
    TAP_CHECK(n > 0 && EVP_Digest(der, (size_t)n, out->b, NULL, EVP_sha256(), NULL));
    OPENSSL_free(der);
}

static void pin_cases(void)
{
    struct identity leaf = make_identity("leaf", "DNS:api.example", &ca, 30);
    struct nk_buf chain; /* with one that proves nothing */
    nk_buf_init(&chain, 65536);
    nk_buf_add(&chain, nk_buf_str(&leaf.cert_pem));
    nk_buf_add(&chain, nk_buf_str(&other.cert_pem));
    struct nk_fault f = {0};
    struct nk_tls *st = nk_tls_server(nk_buf_str(&chain), nk_buf_str(&leaf.key_pem), &f);
    struct nk_digest pins[4] = {{{0}}};
    pin_of(&leaf, &pins[0]);
    pin_of(&ca, &pins[1]);
    pin_of(&other, &pins[2]);
    const struct {
        const char *what;
        size_t from, count;
        int rc;
    } cases[] = {{"the server's key", 0, 1, 0},
                 {"the authority's key", 1, 1, 0},
                 {"a key that was only sent along", 2, 1, NK_ECRYPTO},
                 {"a key of nobody", 3, 1, NK_ECRYPTO},
                 {"one of several", 1, 3, 0}};
    for (size_t i = 0; i < NK_COUNT(cases); i++) {
        struct nk_tls_reach r = {.ca = nk_buf_str(&ca.cert_pem),
                                 .pins = &pins[cases[i].from],
                                 .pin_count = cases[i].count};
        struct nk_tls *ct = nk_tls_reach(&r, &f);
        struct ends e;
        int rc = ct && st && begin(&e, ct, st, "api.example") ? talk(&e) : NK_EIO;
        tap_ok(rc == cases[i].rc && (!rc || strstr(e.client_fault.message, "pinned")),
               "pinned to %s: %s", cases[i].what, rc ? e.client_fault.message : "accepted");
        end(&e);
        /* A pin is no substitute for verification. */
        rc = ct && begin(&e, ct, st, "b.example") ? talk(&e) : NK_EIO;
        tap_ok(rc == NK_ECRYPTO, "another name: %s", e.client_fault.message);
        end(&e);
        /* Authorities can be shared, pins are not. */
        r = (struct nk_tls_reach){.trust = ct};
        struct nk_tls *shared = nk_tls_reach(&r, &f);
        rc = shared && begin(&e, shared, st, "api.example") ? talk(&e) : NK_EIO;
        tap_ok(rc == 0, "the authorities alone are shared %s", e.client_fault.message);
        end(&e);
        nk_tls_free(shared);
        nk_tls_free(ct);
    }
    nk_tls_free(st);
    nk_buf_free(&chain);
    drop_identity(&leaf);
}

static void version_cases(struct nk_tls_listen l)
{
    struct nk_fault f = {0};
    l.client_ca = (struct nk_str){NULL, 0};
    for (int i = 0; i < 4; i++) {
        l.only_13 = i & 1;
        struct nk_tls *st = nk_tls_listen(&l, &f), *ct = client_with(NULL, i & 2);
        struct ends e;
        TAP_CHECK(st && ct && begin(&e, ct, st, "api.example"));
        if (i & 1)
            SSL_set_max_proto_version(e.client.ssl, TLS1_2_VERSION);
        if (i & 2)
            SSL_set_max_proto_version(e.server.ssl, TLS1_2_VERSION);
        int rc = talk(&e);
        tap_ok(i ? rc == NK_ECRYPTO : rc == 0, "at least 1.3 for %s%s: %s", i & 1 ? "server " : "",
               i & 2 ? "client" : "", rc ? e.server_fault.message : "accepted");
        end(&e);
        nk_tls_free(st);
        nk_tls_free(ct);
    }
}

/* Stapling --------------------------------------------------------------------------------------- */

static struct nk_buf make_ocsp(const struct identity *id, int status, long days)
{
    struct nk_buf der;
    unsigned char *p = NULL;
    ASN1_TIME *from = X509_gmtime_adj(NULL, -86400 * 3),
              *until = X509_gmtime_adj(NULL, 86400 * days);
    OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
    OCSP_CERTID *cid = OCSP_cert_to_id(EVP_sha1(), id->cert, ca.cert);
    OCSP_basic_add1_status(basic, cid, status, 0, status ? from : NULL, from, until);
    OCSP_basic_sign(basic, ca.cert, ca.key, EVP_sha256(), NULL, 0);
    OCSP_RESPONSE *r = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
    int n = i2d_OCSP_RESPONSE(r, &p);
    nk_buf_init(&der, 65536);
    nk_buf_add(&der, (struct nk_str){(char *)p, n > 0 ? (size_t)n : 0});
    OPENSSL_free(p);
    OCSP_RESPONSE_free(r);
    OCSP_CERTID_free(cid);
    OCSP_BASICRESP_free(basic);
    ASN1_TIME_free(from);
    ASN1_TIME_free(until);
    return der;
}

static void ocsp_cases(void)
{
    struct identity leaf = make_identity("leaf", "DNS:api.example", &ca, 90);
    struct nk_buf good = make_ocsp(&leaf, V_OCSP_CERTSTATUS_GOOD, 2),
                  stale = make_ocsp(&leaf, V_OCSP_CERTSTATUS_GOOD, -1),
                  revoked = make_ocsp(&leaf, V_OCSP_CERTSTATUS_REVOKED, 2);
    const struct {
        const char *what;
        struct nk_str der;
        bool made, stapled;
    } cases[] = {{"good", nk_buf_str(&good), true, true},
                 {"stale", nk_buf_str(&stale), true, false},
                 {"revoked", nk_buf_str(&revoked), false, false},
                 {"garbage", NK_STR("garbage"), false, false},
                 {"empty", NK_STR(""), false, false},
                 {"none", {NULL, 0}, true, false}};
    for (size_t i = 0; i < NK_COUNT(cases); i++) {
        struct nk_fault f = {0};
        struct nk_tls_certificate c = pair_of(&leaf);
        c.ocsp = cases[i].der;
        struct nk_tls *st =
            nk_tls_listen(&(struct nk_tls_listen){.certificates = &c, .certificate_count = 1}, &f);
        tap_ok((st != NULL) == cases[i].made, "OCSP answer, %s: %s", cases[i].what, f.message);
        struct nk_tls *ct = st ? client_with(NULL, false) : NULL;
        struct ends e;
        if (ct && begin(&e, ct, st, "api.example")) {
            const unsigned char *got;
            SSL_set_tlsext_status_type(e.client.ssl, TLSEXT_STATUSTYPE_ocsp);
            int rc = talk(&e);
            long n = SSL_get_tlsext_status_ocsp_resp(e.client.ssl, &got);
            tap_ok(rc == 0 && (n > 0) == cases[i].stapled, "%ld bytes are stapled", n);
            end(&e);
        }
        nk_tls_free(st);
        nk_tls_free(ct);
    }
    nk_buf_free(&good);
    nk_buf_free(&stale);
    nk_buf_free(&revoked);
    drop_identity(&leaf);
}

static void material_cases(struct nk_tls_listen l)
{
    struct nk_fault f = {0};
    struct nk_tls_listen bad = l;
    bad.client_ca = NK_STR("none");
    tap_ok(!nk_tls_listen(&bad, &f) && strstr(f.message, "client_ca"), "%s", f.message);
    f = (struct nk_fault){0};
    bad = l;
    bad.client_crl = l.client_ca;
    tap_ok(!nk_tls_listen(&bad, &f) && strstr(f.message, "client_crl"), "%s", f.message);
    f = (struct nk_fault){0};
    struct nk_tls_reach r = {
        .ca = l.client_ca, .certificate = l.certificates->chain, .key = nk_buf_str(&other.key_pem)};
    tap_ok(!nk_tls_reach(&r, &f) && strstr(f.message, "does not belong"), "%s", f.message);
}

int main(void)
{
    ca = make_identity("Test CA", NULL, NULL, 90);
    other = make_identity("Other CA", NULL, NULL, 90);
    struct identity leaf = make_identity("leaf", "DNS:api.example", &ca, 90);
    struct nk_tls_certificate c = pair_of(&leaf);
    struct nk_tls_listen l = {
        .certificates = &c, .certificate_count = 1, .client_ca = nk_buf_str(&ca.cert_pem)};
    name_cases();
    warning_cases();
    peer_cases(l);
    refusal_cases(l);
    ticket_cases(l, TLS1_2_VERSION);
    ticket_cases(l, TLS1_3_VERSION);
    pin_cases();
    version_cases(l);
    ocsp_cases();
    material_cases(l);
    drop_identity(&leaf);
    drop_identity(&ca);
    drop_identity(&other);
    return tap_done();
}
