/* SPDX-License-Identifier: Apache-2.0
 *
 * write.c - messages written anew, and what is never passed on. Whatever a head holds has come from
 * elsewhere (a peer, another role, a configuration), so each byte is checked again here: this is
 * where an injected header would become real.
 */
#include "http/grammar.h"

static const struct {
    int status;
    const char *reason;
} reasons[] = {
    {100, "Continue"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {424, "Failed Dependency"},
    {425, "Too Early"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {451, "Unavailable For Legal Reasons"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {507, "Insufficient Storage"},
    {529, "Site Is Overloaded"},
};

const char *nk_http_reason(int status)
{
    for (size_t i = 0; i < NK_COUNT(reasons); i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "Other";
}

struct nk_str nk_http_get(const struct nk_http_head *h, struct nk_str name)
{
    for (size_t i = 0; i < h->header_count; i++)
        if (nk_str_eq_nocase(h->headers[i].name, name))
            return h->headers[i].value;
    return (struct nk_str){NULL, 0};
}

struct nk_str nk_http_path(const struct nk_http_head *h)
{
    struct nk_str rest = h->target;
    return nk_str_cut(&rest, '?');
}

/* By length, so that most names cost no comparison. */
static bool is_connection_field(struct nk_str name)
{
    switch (name.n) {
    case 2:
        return nk_str_eq_nocase(name, NK_STR("TE"));
    case 7:
        return nk_str_eq_nocase(name, NK_STR("Trailer")) ||
               nk_str_eq_nocase(name, NK_STR("Upgrade"));
    case 10:
        return nk_str_eq_nocase(name, NK_STR("Connection")) ||
               nk_str_eq_nocase(name, NK_STR("Keep-Alive"));
    case 14:
        return nk_str_eq_nocase(name, NK_STR("Content-Length")) ||
               nk_str_eq_nocase(name, NK_STR("HTTP2-Settings"));
    case 16:
        return nk_str_eq_nocase(name, NK_STR("Proxy-Connection"));
    case 17:
        return nk_str_eq_nocase(name, NK_STR("Transfer-Encoding"));
    case 18:
        return nk_str_eq_nocase(name, NK_STR("Proxy-Authenticate"));
    case 19:
        return nk_str_eq_nocase(name, NK_STR("Proxy-Authorization"));
    default:
        return false;
    }
}

bool nk_http_is_hop_by_hop(struct nk_str name, struct nk_str connection)
{
    if (is_connection_field(name))
        return true;
    while (connection.p)
        if (nk_str_eq_nocase(name, nk_str_trim(nk_str_cut(&connection, ','))))
            return true;
    return false;
}

static bool is_framing(struct nk_str name)
{
    return nk_str_eq_nocase(name, NK_STR("Content-Length")) ||
           nk_str_eq_nocase(name, NK_STR("Transfer-Encoding")) ||
           nk_str_eq_nocase(name, NK_STR("Connection"));
}

/* A field line, for which room is asked once. */
static void put_field(struct nk_str name, struct nk_str value, struct nk_buf *out)
{
    char *to = nk_buf_reserve(out, name.n + value.n + 4);
    if (!to)
        return;
    memcpy(to, name.p, name.n);
    to += name.n;
    memcpy(to, ": ", 2);
    if (value.n)
        memcpy(to + 2, value.p, value.n);
    memcpy(to + 2 + value.n, "\r\n", 2);
    out->n += name.n + value.n + 4;
}

/* Field lines without the framing fields, which the caller adds; counts Host where
 * that has a meaning (`hosts` not NULL). */
static int put_fields(const struct nk_http_head *h, size_t *hosts, struct nk_buf *out)
{
    for (size_t i = 0; i < h->header_count; i++) {
        const struct nk_http_header *x = &h->headers[i];
        if (!nk_http_token_ok(x->name) || !nk_http_value_ok(x->value))
            return NK_EINVAL;
        if (is_framing(x->name))
            continue;
        if (hosts && nk_str_eq_nocase(x->name, NK_STR("Host"))) {
            if (!nk_http_host_ok(x->value))
                return NK_EINVAL;
            ++*hosts;
        }
        put_field(x->name, nk_str_trim(x->value), out);
    }
    return 0;
}

static void put_framing(const struct nk_http_head *h, bool close, struct nk_buf *out)
{
    if (h->chunked) {
        nk_buf_add(out, NK_STR("Transfer-Encoding: chunked\r\n"));
    } else if (h->content_length >= 0) {
        nk_buf_add(out, NK_STR("Content-Length: "));
        nk_buf_add_i64(out, h->content_length);
        nk_buf_add(out, NK_STR("\r\n"));
    }
    if (close)
        nk_buf_add(out, NK_STR("Connection: close\r\n"));
    nk_buf_add(out, NK_STR("\r\n"));
}

/* All or nothing. */
static int settle(struct nk_buf *out, size_t mark, int rc)
{
    if (!rc)
        rc = out->error;
    if (rc)
        out->n = mark;
    return rc;
}

int nk_http_write_request(const struct nk_http_head *h, struct nk_buf *out)
{
    size_t mark = out->n, hosts = 0;
    if (!nk_http_token_ok(h->method) || !nk_http_target_ok(h->target) ||
        (h->chunked && h->content_length >= 0))
        return NK_EINVAL;
    nk_buf_add(out, h->method);
    nk_buf_add(out, NK_STR(" "));
    nk_buf_add(out, h->target);
    nk_buf_add(out, NK_STR(" HTTP/1.1\r\n"));
    int rc = put_fields(h, &hosts, out);
    if (!rc && hosts != 1)
        rc = NK_EINVAL;
    put_framing(h, !h->keep_alive, out);
    return settle(out, mark, rc);
}

int nk_http_write_response(const struct nk_http_head *h, struct nk_buf *out)
{
    size_t mark = out->n;
    bool body = nk_http_has_body(h->status);
    if (h->status < 100 || h->status > 599 || h->status == 101 ||
        (h->chunked && (h->content_length >= 0 || !body)) ||
        (h->content_length >= 0 && !body && h->status != 304))
        return NK_EINVAL;
    nk_buf_add(out, NK_STR("HTTP/1.1 "));
    nk_buf_add_i64(out, h->status);
    nk_buf_add(out, NK_STR(" "));
    nk_buf_add(out, nk_str(nk_http_reason(h->status)));
    nk_buf_add(out, NK_STR("\r\n"));
    int rc = put_fields(h, NULL, out);
    /* A body that nothing else ends is ended by closing. */
    bool until_close = body && !h->chunked && h->content_length < 0;
    put_framing(h, h->status >= 200 && (!h->keep_alive || until_close), out);
    return settle(out, mark, rc);
}

void nk_http_write_chunk(struct nk_str piece, struct nk_buf *out)
{
    if (!piece.n)
        return;
    static const char digit[] = "0123456789abcdef";
    char line[18];
    size_t at = sizeof line;
    line[--at] = '\n';
    line[--at] = '\r';
    for (size_t n = piece.n; n; n >>= 4)
        line[--at] = digit[n & 15];
    if (!nk_buf_reserve(out, sizeof line - at + piece.n + 2))
        return;
    nk_buf_add(out, (struct nk_str){line + at, sizeof line - at});
    nk_buf_add(out, piece);
    nk_buf_add(out, NK_STR("\r\n"));
}

void nk_http_write_last_chunk(struct nk_buf *out)
{
    nk_buf_add(out, NK_STR("0\r\n\r\n"));
}
