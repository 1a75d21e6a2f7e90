/* SPDX-License-Identifier: Apache-2.0
 *
 * sock.c - reads and writes, plain by recv and sendmsg, TLS by OpenSSL; see tls.c for contexts.
 * SIGPIPE never comes: plain writes say MSG_NOSIGNAL, and so does the BIO of tls.c.
 */
#include "edge/sock.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>
#include <unistd.h>
#include "edge/tls_own.h"

enum { TLS_RECORD = 16384 };

int nk_sock_open(struct nk_sock *s, int fd, struct nk_tls *tls, const char *host)
{
    *s = (struct nk_sock){.fd = fd};
    if (!tls)
        return 0;
    s->ssl = nk_tls_start(tls, fd, host);
    return s->ssl ? 0 : NK_ENOMEM;
}

int nk_sock_secure(struct nk_sock *s, struct nk_tls *tls, const char *host)
{
    NK_MUST(!s->ssl);
    s->ssl = nk_tls_start(tls, s->fd, host);
    return s->ssl ? 0 : NK_ENOMEM;
}

bool nk_sock_is_shaking(const struct nk_sock *s)
{
    return s->ssl && !SSL_is_init_finished(s->ssl);
}

bool nk_sock_is_shaken(struct nk_sock *s)
{
    bool before = s->shaken;
    s->shaken = s->ssl && !nk_sock_is_shaking(s);
    return s->shaken && !before;
}

bool nk_sock_has_begun(const struct nk_sock *s)
{
    return s->ssl && !SSL_in_before(s->ssl);
}

bool nk_sock_is_resumed(const struct nk_sock *s)
{
    return s->ssl && SSL_session_reused(s->ssl);
}

static void end_tls(struct nk_sock *s)
{
    if (!s->ssl)
        return;
    ERR_clear_error();
    /* Says goodbye if that is possible at once; after an error OpenSSL does not allow it. */
    if (SSL_is_init_finished(s->ssl))
        (void)SSL_shutdown(s->ssl);
    SSL_free(s->ssl);
    ERR_clear_error();
    s->ssl = NULL;
}

void nk_sock_finish(struct nk_sock *s)
{
    end_tls(s);
    (void)shutdown(s->fd, SHUT_WR);
}

void nk_sock_close(struct nk_sock *s)
{
    end_tls(s);
    if (s->fd >= 0)
        close(s->fd);
    *s = (struct nk_sock){.fd = -1};
}

bool nk_sock_has_buffered(const struct nk_sock *s)
{
    return s->ssl && SSL_pending(s->ssl) > 0;
}

struct nk_str nk_sock_alpn(const struct nk_sock *s)
{
    const unsigned char *name = NULL;
    unsigned n = 0;
    if (s->ssl)
        SSL_get0_alpn_selected(s->ssl, &name, &n);
    return (struct nk_str){(const char *)name, n};
}

int nk_sock_offer_h2(struct nk_sock *s, bool alone)
{
    static const unsigned char names[] = "\2h2\10http/1.1";
    return SSL_set_alpn_protos(s->ssl, names, alone ? 3 : sizeof names - 1) ? NK_ENOMEM : 0;
}

static int plain_error(struct nk_sock *s, bool writing)
{
    if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
        return NK_EIO;
    s->want_write = writing;
    return NK_EAGAIN;
}

/* Why TLS failed for good; the strings are OpenSSL's own, or ours. */
static int tls_refusal(struct nk_sock *s, struct nk_fault *f)
{
    return nk_fault_set(f, NK_ECRYPTO, "tls", 0, "%s%s",
                        s->certificate_refused ? "certificate: " : "", s->reason);
}

/* What a failed call of OpenSSL means; 0 is the end of the stream. The first failure says why: those
 * that follow know it no more. */
static int tls_error(struct nk_sock *s, struct nk_fault *f)
{
    int why = SSL_get_error(s->ssl, 0);
    if (s->reason)
        return tls_refusal(s, f);
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) {
        s->want_write = why == SSL_ERROR_WANT_WRITE;
        return NK_EAGAIN;
    }
    if (why == SSL_ERROR_ZERO_RETURN)
        return 0;
    unsigned long e = ERR_peek_error();
    long verify = SSL_get_verify_result(s->ssl);
    s->certificate_refused = verify != X509_V_OK;
    if (verify == X509_V_ERR_APPLICATION_VERIFICATION)
        s->reason = "no key of its chain is pinned";
    else if (verify != X509_V_OK)
        s->reason = X509_verify_cert_error_string(verify);
    else if (why == SSL_ERROR_SYSCALL || ERR_GET_REASON(e) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
        return NK_EIO;
    else
        s->reason = ERR_reason_error_string(e);
    s->reason = s->reason ? s->reason : "handshake failed";
    return tls_refusal(s, f);
}

int nk_sock_handshake(struct nk_sock *s, struct nk_fault *f)
{
    s->want_write = false;
    ERR_clear_error();
    if (!s->ssl || SSL_do_handshake(s->ssl) == 1)
        return 0;
    int rc = tls_error(s, f);
    return rc ? rc : NK_EIO;
}

ssize_t nk_sock_read(struct nk_sock *s, void *to, size_t n, struct nk_fault *f)
{
    s->want_write = false;
    if (!s->ssl) {
        ssize_t got = recv(s->fd, to, n, 0);
        return got >= 0 ? got : plain_error(s, false);
    }
    size_t got = 0;
    ERR_clear_error();
    if (SSL_read_ex(s->ssl, to, n, &got))
        return (ssize_t)got;
    return tls_error(s, f);
}

/* OpenSSL makes a record of each write, so small pieces are put together first. */
static ssize_t tls_write(struct nk_sock *s, const struct iovec *iov, int count)
{
    char gather[TLS_RECORD];
    struct nk_str out = {iov[0].iov_base, iov[0].iov_len};
    if (count > 1 && out.n < sizeof gather) {
        size_t n = 0;
        for (int i = 0; i < count && n < sizeof gather; i++) {
            size_t part = iov[i].iov_len;
            part = part < sizeof gather - n ? part : sizeof gather - n;
            if (part)
                memcpy(gather + n, iov[i].iov_base, part);
            n += part;
        }
        out = (struct nk_str){gather, n};
    }
    size_t put = 0;
    ERR_clear_error();
    if (!out.n || SSL_write_ex(s->ssl, out.p, out.n, &put))
        return (ssize_t)put;
    struct nk_fault ignored = {0};
    int rc = tls_error(s, &ignored);
    return rc ? rc : NK_EIO;
}

ssize_t nk_sock_write(struct nk_sock *s, const struct iovec *iov, int count)
{
    s->want_write = false;
    if (count <= 0)
        return 0;
    if (s->ssl)
        return tls_write(s, iov, count);
    if (count == 1) {
        ssize_t sent = send(s->fd, iov->iov_base, iov->iov_len, MSG_NOSIGNAL);
        return sent >= 0 ? sent : plain_error(s, true);
    }
    /* sendmsg takes the array as const but does not say so. */
    struct msghdr m = {.msg_iov = (struct iovec *)(uintptr_t)iov,
                       .msg_iovlen = (size_t)(count < IOV_MAX ? count : IOV_MAX)};
    ssize_t put = sendmsg(s->fd, &m, MSG_NOSIGNAL);
    return put >= 0 ? put : plain_error(s, true);
}
