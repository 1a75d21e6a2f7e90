/* SPDX-License-Identifier: Apache-2.0
 *
 * tls.h - TLS contexts as the configuration describes them: certificates chosen by name, clients
 * that show theirs, tickets that work in every worker; authorities, pins and a certificate to show
 * towards upstreams. All material is PEM text unless said otherwise, and is copied: nothing that is
 * passed in need outlive the call. RFC 9325 is what the defaults follow.
 */
#pragma once

#include "crypt/crypt.h"
#include "edge/sock.h"

enum {
    NK_TLS_CERTIFICATES_MAX = 32, /* of one listener */
    NK_TLS_TICKET_KEY = 80,       /* bytes: name 16, HMAC-SHA-256 32, AES-256 32 */
    NK_TLS_SOON_DAYS = 30,        /* a certificate that ends within them is worth a warning */
    NK_TLS_NAME_MAX = 256,
};

/* Keys of session tickets (RFC 5077, 4): new tickets are made with keys[0], and keys[1] is still
 * taken. Whoever has them can read TLS 1.2 sessions, so they change often and are wiped. */
struct nk_tls_tickets {
    unsigned char keys[2][NK_TLS_TICKET_KEY];
};

struct nk_tls_certificate {
    struct nk_str chain, key;
    struct nk_str ocsp; /* DER, stapled while it is good (RFC 6066, 8); absent: none */
};

struct nk_tls_listen {
    const struct nk_tls_certificate *certificates; /* the first is for names that none has */
    size_t certificate_count;
    bool only_13;
    struct nk_str client_ca;  /* absent: clients show no certificate */
    struct nk_str client_crl; /* absent: revocation is not looked at */
    bool client_optional;
    /* Read at each handshake; outlives the context and its socks. NULL: the context's own keys. */
    const struct nk_tls_tickets *tickets;
};

/* NK_EINVAL (the fault names the certificate by number where there are several) or NK_ENOMEM. */
struct nk_tls *nk_tls_listen(const struct nk_tls_listen *l, struct nk_fault *f) NK_CHECKED;

struct nk_tls_reach {
    struct nk_str ca;               /* absent: the authorities of `trust`, or the system's */
    const struct nk_tls *trust;     /* a client context */
    struct nk_str certificate, key; /* absent: none is shown */
    /* SHA-256 of SubjectPublicKeyInfo (RFC 7469, 2.4); one must be of the verified chain. */
    const struct nk_digest *pins;
    size_t pin_count; /* 0: any key will do */
    bool only_13;
};

struct nk_tls *nk_tls_reach(const struct nk_tls_reach *r, struct nk_fault *f) NK_CHECKED;

/* What operators want to know about a certificate that is shown. */
struct nk_tls_facts {
    char name[NK_TLS_NAME_MAX + 1]; /* the first that it has; "": none */
    int64_t from_ms, until_ms;      /* Unix */
};

/* Certificates that a context shows; their facts, by number. */
size_t nk_tls_count(const struct nk_tls *t);
void nk_tls_facts(const struct nk_tls *t, size_t i, struct nk_tls_facts *out);
/* Why the certificate is worth a warning at that time, written to `text`; NULL when it is not. */
const char *nk_tls_warning(const struct nk_tls_facts *c, int64_t now_ms, char text[128]);

/* Who the other side is, by a certificate that was verified. */
struct nk_tls_peer {
    struct nk_str name;       /* UTF-8 without control characters, at most NK_TLS_NAME_MAX bytes */
    const char *kind;         /* where it stands: "uri", "dns" or "cn" */
    int64_t until_ms;         /* Unix: the certificate is good before */
    unsigned char sha256[32]; /* of the certificate */
};

/* Server: the client's name: the first URI among its subjectAltName, else the first DNS name, else
 * the common name (RFC 5280, 4.2.1.6). NULL when it showed no certificate or the handshake is not
 * over; also when that name cannot be used (two common names, two URIs of which one is of SPIFFE
 * (X509-SVID, 2), control characters): then nothing further down is taken in its place. Lives as
 * long as the sock. */
const struct nk_tls_peer *nk_sock_peer(struct nk_sock *s);
/* Is a handshake still to be done? Was it short, by a session of before? False on plain socks. */
bool nk_sock_is_shaking(const struct nk_sock *s);
bool nk_sock_has_begun(const struct nk_sock *s); /* has anything of one been done? */
bool nk_sock_is_resumed(const struct nk_sock *s);
/* True once: when the handshake is over. */
bool nk_sock_is_shaken(struct nk_sock *s);
