/* SPDX-License-Identifier: Apache-2.0
 *
 * sock.h - a non-blocking stream socket, plain or TLS 1.2/1.3 (OpenSSL 3), behind one set of calls;
 * and addresses as the configuration writes them. Nothing here blocks.
 */
#pragma once

#include <sys/socket.h>
#include <sys/uio.h>
#include <netinet/in.h>
#include <sys/un.h>
#include "base/arena.h"

struct nk_tls; /* a context: certificates or authorities; may be freed while socks use it */

/* Client: the newest session with one host, offered to it at the next handshake. Zeroed: none. */
struct nk_tls_session {
    void *session;
};

struct nk_sock {
    int fd;
    void *ssl;                /* SSL *, or NULL for plain */
    const char *reason;       /* why TLS failed for good, or NULL */
    bool certificate_refused; /* it is about a certificate */
    bool shaken;              /* nk_sock_is_shaken has said so */
    bool want_write;          /* the last call stopped because TLS or the kernel wants to write */
};

struct nk_address {
    union {
        struct sockaddr sa;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct sockaddr_un un;
    } u;
    socklen_t size;
};

/* "127.0.0.1:8080", "[::1]:8080", "unix:/path" (no names: the courier resolves those). */
int nk_address_parse(struct nk_str text, struct nk_address *out, struct nk_fault *f) NK_CHECKED;
/* The same place? */
bool nk_address_eq(const struct nk_address *a, const struct nk_address *b);
/* A listening, non-blocking, close-on-exec socket (SO_REUSEADDR; SO_REUSEPORT when `shared`; Unix
 * sockets: a stale file is replaced, mode 0660). The descriptor or NK_EIO with the reason. */
int nk_listen(const struct nk_address *at, bool shared, struct nk_fault *f) NK_CHECKED;
/* Starts to connect: the descriptor (connected when it becomes writable) or NK_EIO. TCP_NODELAY is
 * set. */
int nk_connect(const struct nk_address *to) NK_CHECKED;

/* Server context from PEM texts (chain and key), client context from PEM authorities (absent: the
 * system's). TLS 1.2 and 1.3 only, ALPN "http/1.1". NULL with a fault that names what is wrong.
 * All that contexts can do is in tls.h. */
struct nk_tls *nk_tls_server(struct nk_str cert, struct nk_str key, struct nk_fault *f) NK_CHECKED;
struct nk_tls *nk_tls_client(struct nk_str ca, struct nk_fault *f) NK_CHECKED;
/* Server: offers "h2" before "http/1.1" from here on. */
void nk_tls_offer_h2(struct nk_tls *t);
void nk_tls_free(struct nk_tls *t);
void nk_tls_session_free(struct nk_tls_session *s);

/* Wraps a connected or accepted descriptor; the sock owns it from here on. `tls` NULL: plain. For
 * clients, `host` is verified against the certificate (name or IP address) and sent as SNI. */
int nk_sock_open(struct nk_sock *s, int fd, struct nk_tls *tls, const char *host) NK_CHECKED;
/* Begins TLS on a plain sock on which nothing is under way: behind a proxy's tunnel. */
int nk_sock_secure(struct nk_sock *s, struct nk_tls *tls, const char *host) NK_CHECKED;
/* Client, right after nk_sock_open: resumes the session in `slot`, and keeps a new one there as
 * soon as the server gives it. `slot` must outlive the sock. Harmless on a plain sock. */
void nk_sock_resume(struct nk_sock *s, struct nk_tls_session *slot);
/* Client, before the handshake: offers HTTP/2, alone or before HTTP/1.1 (RFC 7301). */
int nk_sock_offer_h2(struct nk_sock *s, bool alone) NK_CHECKED;
/* Client: the handshake alone. 0: it is over (or there is none), NK_EAGAIN, NK_EIO or NK_ECRYPTO. */
int nk_sock_handshake(struct nk_sock *s, struct nk_fault *f) NK_CHECKED;
/* The protocol that ALPN agreed on (RFC 7301), "h2" or "http/1.1"; absent: plain, none, or not yet. */
struct nk_str nk_sock_alpn(const struct nk_sock *s);
/* Bytes read (> 0), 0 at the end of the stream, NK_EAGAIN, NK_EIO, or NK_ECRYPTO (TLS refused; *f
 * says why). Handshakes happen inside reads and writes. */
ssize_t nk_sock_read(struct nk_sock *s, void *to, size_t n, struct nk_fault *f) NK_CHECKED;
/* Bytes written (maybe fewer), NK_EAGAIN, NK_EIO or NK_ECRYPTO. After NK_EAGAIN the next call must
 * begin with the same bytes. */
ssize_t nk_sock_write(struct nk_sock *s, const struct iovec *iov, int count) NK_CHECKED;
/* Bytes that TLS has decrypted but not handed out yet (epoll does not know of them). */
bool nk_sock_has_buffered(const struct nk_sock *s);
/* Nothing more is sent: says so, in TLS and below it. What still comes can be read, to be thrown away
 * (of TLS as it is on the wire): closing on it would make the kernel throw away what was sent last. */
void nk_sock_finish(struct nk_sock *s);
void nk_sock_close(struct nk_sock *s);
