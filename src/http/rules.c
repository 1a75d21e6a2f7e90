/* SPDX-License-Identifier: Apache-2.0
 *
 * rules.c - what the header fields say together: where the body ends (RFC 9112, section 6), whom
 * the request is for (section 3.2), and whether the connection goes on (section 9.3). A message
 * that two readers could take in two ways is refused, also where the RFC lets one guess.
 */
#include "http/grammar.h"

/* Fields seen so far that may come once only. */
struct seen {
    struct nk_str host;
    size_t te;
    bool close, keep_alive;
};

static int refuse(struct nk_fault *f, int code, const char *why)
{
    return nk_fault_set(f, code, "http", 0, "%s", why);
}

static int take_content_length(struct nk_http_head *h, struct nk_str v, struct nk_fault *f)
{
    if (h->content_length >= 0)
        return refuse(f, NK_EINVAL, "Content-Length comes twice");
    if (!v.n || v.p[0] == '-' || nk_str_to_i64(v, &h->content_length))
        return refuse(f, NK_EINVAL, "Content-Length is not one plain number");
    return 0;
}

static void take_connection(struct seen *s, struct nk_str list)
{
    while (list.p) {
        struct nk_str option = nk_str_trim(nk_str_cut(&list, ','));
        s->close |= nk_str_eq_nocase(option, NK_STR("close"));
        s->keep_alive |= nk_str_eq_nocase(option, NK_STR("keep-alive"));
    }
}

static int take_transfer_encoding(struct nk_http_head *h, struct seen *s, struct nk_str v,
                                  struct nk_fault *f)
{
    s->te++;
    h->chunked = nk_str_eq_nocase(v, NK_STR("chunked"));
    if (s->te > 1 || !h->chunked)
        return refuse(f, NK_EINVAL, "Transfer-Encoding is not exactly \"chunked\"");
    return 0;
}

static int take_host(struct seen *s, struct nk_str v, struct nk_fault *f)
{
    if (s->host.p)
        return refuse(f, NK_EINVAL, "Host comes twice");
    if (!nk_http_host_ok(v))
        return refuse(f, NK_EINVAL, "Host is not a host name or address");
    s->host = v;
    return 0;
}

/* Some clients offer h2c with every first request and do not mind being ignored (RFC 9110, section
 * 7.8); any other upgrade means that the client wants to speak something else. */
static int take_upgrade(struct nk_str v, struct nk_fault *f)
{
    return nk_str_eq_nocase(v, NK_STR("h2c"))
               ? 0
               : refuse(f, NK_EUNSUPPORTED, "protocol upgrades are not supported");
}

static int take_expect(struct nk_http_head *h, struct nk_str v, struct nk_fault *f)
{
    if (!nk_str_eq_nocase(v, NK_STR("100-continue")))
        return refuse(f, NK_EUNSUPPORTED, "an expectation other than 100-continue");
    h->expect_continue = true;
    return 0;
}

/* Names of different lengths, so that a field costs one comparison at most. */
static int take_field(struct nk_http_head *h, struct seen *s, const struct nk_http_header *x,
                      bool request, struct nk_fault *f)
{
    struct nk_str n = x->name;
    switch (n.n) {
    case 4:
        return request && nk_str_eq_nocase(n, NK_STR("Host")) ? take_host(s, x->value, f) : 0;
    case 6:
        return request && nk_str_eq_nocase(n, NK_STR("Expect")) ? take_expect(h, x->value, f) : 0;
    case 7:
        return request && nk_str_eq_nocase(n, NK_STR("Upgrade")) ? take_upgrade(x->value, f) : 0;
    case 10:
        if (nk_str_eq_nocase(n, NK_STR("Connection")))
            take_connection(s, x->value);
        return 0;
    case 14:
        return nk_str_eq_nocase(n, NK_STR("Content-Length")) ? take_content_length(h, x->value, f)
                                                             : 0;
    case 17:
        return nk_str_eq_nocase(n, NK_STR("Transfer-Encoding"))
                   ? take_transfer_encoding(h, s, x->value, f)
                   : 0;
    default:
        return 0;
    }
}

/* Absolute-form (RFC 9112, section 3.2.2) becomes origin-form when it names the same host. */
static int settle_target(struct nk_http_head *h, struct nk_str host, struct nk_fault *f)
{
    struct nk_str t = h->target;
    size_t scheme = nk_str_starts(t, NK_STR("http://"))    ? 7
                    : nk_str_starts(t, NK_STR("https://")) ? 8
                                                           : 0;
    if (scheme) {
        struct nk_str rest = nk_str_sub(t, scheme, t.n);
        ptrdiff_t slash = nk_str_find(rest, '/');
        struct nk_str authority = nk_str_sub(rest, 0, slash < 0 ? rest.n : (size_t)slash);
        if (!host.p || !nk_str_eq_nocase(authority, host))
            return refuse(f, NK_EINVAL, "the target names another host than Host");
        h->target = slash < 0 ? NK_STR("/") : nk_str_sub(rest, (size_t)slash, rest.n);
    }
    if (!nk_http_target_ok(h->target))
        return refuse(f, NK_EINVAL, "the request target is not a clean path and query");
    return 0;
}

static int request_rules(struct nk_http_head *h, const struct seen *s, int minor,
                         struct nk_fault *f)
{
    if (!s->host.p && minor == 1)
        return refuse(f, NK_EINVAL, "Host is missing");
    if (minor == 0)
        h->expect_continue = false;
    return settle_target(h, s->host, f);
}

static int response_rules(struct nk_http_head *h, struct nk_fault *f)
{
    if (h->status == 101)
        return refuse(f, NK_EUNSUPPORTED, "the server changes the protocol");
    if ((h->status < 200 || h->status == 204) && (h->content_length > 0 || h->chunked))
        return refuse(f, NK_EINVAL, "a body where the status allows none");
    return 0;
}

int nk_http_rules(struct nk_http_head *h, bool request, int minor, struct nk_fault *f)
{
    struct seen s = {0};
    h->content_length = -1;
    for (size_t i = 0; i < h->header_count; i++) {
        int rc = take_field(h, &s, &h->headers[i], request, f);
        if (rc)
            return rc;
    }
    if (h->chunked && h->content_length >= 0)
        return refuse(f, NK_EINVAL, "both Content-Length and Transfer-Encoding");
    if (h->chunked && minor == 0)
        return refuse(f, NK_EINVAL, "Transfer-Encoding in HTTP/1.0");
    h->keep_alive = !s.close && (minor == 1 || s.keep_alive);
    return request ? request_rules(h, &s, minor, f) : response_rules(h, f);
}

bool nk_http_has_body(int status)
{
    return status >= 200 && status != 204 && status != 304;
}
