/* SPDX-License-Identifier: Apache-2.0
 *
 * grammar.c - one line of a head at a time, byte by byte: RFC 9112, sections 3 to 5, and RFC 3986,
 * section 3.3, with every "MAY accept" of theirs answered by no. llhttp is content with more (bare
 * LF, names with spaces, two spaces in a request line, any byte in a target); whatever differs
 * between two parsers is what request smuggling is made of, so it ends here.
 */
#include "http/grammar.h"

#include "base/scan.h"

/* Letters, digits and !#$%&'*+-.^_`|~ */
static const struct nk_http_set token_set = {{0x03ff6cfa00000000, 0x57ffffffc7fffffe, 0, 0}};
/* Letters, digits and -._~!$&'()*+,;=:@/% */
static const struct nk_http_set path_set = {{0x2ffffff200000000, 0x47fffffe87ffffff, 0, 0}};
/* The same without % and . */
static const struct nk_http_set plain_set = {{0x2fffbfd200000000, 0x47fffffe87ffffff, 0, 0}};
/* The same as the path and ?[] */
static const struct nk_http_set query_set = {{0xaffffff200000000, 0x47fffffeafffffff, 0, 0}};
/* Letters, digits and -._~ */
static const struct nk_http_set host_set = {{0x03ff600000000000, 0x47fffffe87fffffe, 0, 0}};
/* Hexadecimal digits, : and . */
static const struct nk_http_set ip6_set = {{0x07ff400000000000, 0x0000007e0000007e, 0, 0}};
static const struct nk_http_set digit_set = {{0x03ff000000000000, 0, 0, 0}};

static bool all_in(const struct nk_http_set *set, struct nk_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!nk_http_in(set, s.p[i]))
            return false;
    return true;
}

/* The same for a set with all letters, digits and '-' in it, which most bytes are. */
static const char *words_end(const struct nk_http_set *set, const char *p, const char *end)
{
    for (;;) {
        p = nk_scan_word(p, end);
        if (p == end || !nk_http_in(set, *p))
            return p;
        p++;
    }
}

static bool all_words(const struct nk_http_set *set, struct nk_str s)
{
    return s.n == 0 || words_end(set, s.p, s.p + s.n) == s.p + s.n;
}

bool nk_http_token_ok(struct nk_str s)
{
    return s.n && all_words(&token_set, s);
}

bool nk_http_value_ok(struct nk_str s)
{
    return s.n == 0 || nk_scan_text(s.p, s.p + s.n) == s.p + s.n;
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Each "%" has two digits and does not hide a control character. */
static bool escapes_ok(struct nk_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        ptrdiff_t next = nk_str_find(nk_str_sub(s, i, s.n), '%');
        if (next < 0)
            break;
        i += (size_t)next;
        if (s.n - i < 3 || hex(s.p[i + 1]) < 0 || hex(s.p[i + 2]) < 0)
            return false;
        int byte = hex(s.p[i + 1]) * 16 + hex(s.p[i + 2]);
        if (byte < 0x20 || byte == 0x7f)
            return false;
        i += 2;
    }
    return true;
}

/* "." or "..", with dots in the clear or as %2e. */
static bool is_dot_segment(struct nk_str s)
{
    size_t dots = 0;
    for (size_t i = 0; i < s.n; dots++) {
        if (s.p[i] == '.')
            i++;
        else if (s.n - i >= 3 && s.p[i] == '%' && s.p[i + 1] == '2' && (s.p[i + 2] | 0x20) == 'e')
            i += 3;
        else
            return false;
    }
    return dots == 1 || dots == 2;
}

bool nk_http_target_ok(struct nk_str s)
{
    if (!s.n || s.p[0] != '/')
        return false;
    if (all_in(&plain_set, s)) /* as most are: nothing is escaped, asked or a dot */
        return true;
    if (!escapes_ok(s))
        return false;
    struct nk_str query = s, path = nk_str_cut(&query, '?');
    if (!all_words(&path_set, path) || !all_words(&query_set, query))
        return false;
    if (nk_str_find(path, '.') < 0 && nk_str_find(path, '%') < 0)
        return true;
    while (path.p)
        if (is_dot_segment(nk_str_cut(&path, '/')))
            return false;
    return true;
}

bool nk_http_host_ok(struct nk_str s)
{
    struct nk_str port = {NULL, 0};
    if (s.n && s.p[0] == '[') {
        ptrdiff_t end = nk_str_find(s, ']');
        if (end < 3 || !all_in(&ip6_set, nk_str_sub(s, 1, (size_t)end)))
            return false;
        port = nk_str_sub(s, (size_t)end + 1, s.n);
    } else {
        ptrdiff_t colon = nk_str_find(s, ':');
        size_t name = colon < 0 ? s.n : (size_t)colon;
        if (!name || !all_in(&host_set, nk_str_sub(s, 0, name)))
            return false;
        port = nk_str_sub(s, name, s.n);
    }
    return !port.n ||
           (port.p[0] == ':' && port.n <= 6 && all_in(&digit_set, nk_str_sub(port, 1, port.n)));
}

/* "HTTP/1.0" or "HTTP/1.1"; other well-formed versions are somebody's, but not ours. */
static int version(struct nk_str s, size_t at, int *minor, struct nk_fault *f)
{
    if (s.n != 8 || !nk_str_starts(s, NK_STR("HTTP/")) || !nk_http_in(&digit_set, s.p[5]) ||
        s.p[6] != '.' || !nk_http_in(&digit_set, s.p[7]))
        return nk_fault_set(f, NK_EINVAL, "http", at, "malformed HTTP version");
    *minor = s.p[7] - '0';
    if (s.p[5] != '1' || *minor > 1)
        return nk_fault_set(f, NK_EUNSUPPORTED, "http", at, "HTTP/%c.%c is not supported", s.p[5],
                            s.p[7]);
    return 0;
}

int nk_http_request_line(struct nk_str line, struct nk_http_head *h, int *minor, struct nk_fault *f)
{
    struct nk_str rest = line;
    h->method = nk_str_cut(&rest, ' ');
    if (!nk_http_token_ok(h->method))
        return nk_fault_set(f, NK_EINVAL, "http", 0, "the method is not a token");
    h->target = nk_str_cut(&rest, ' ');
    size_t at = h->method.n + 1;
    if (h->target.n == 0)
        return nk_fault_set(f, NK_EINVAL, "http", at, "no request target");
    if (!rest.p)
        return nk_fault_set(f, NK_EUNSUPPORTED, "http", at, "HTTP/0.9 is not supported");
    int rc = version(rest, at + h->target.n + 1, minor, f);
    if (rc)
        return rc;
    if (nk_str_eq(h->method, NK_STR("CONNECT")) || nk_str_eq(h->target, NK_STR("*")))
        return nk_fault_set(f, NK_EUNSUPPORTED, "http", 0, "CONNECT and \"*\" are not supported");
    return 0;
}

int nk_http_status_line(struct nk_str line, struct nk_http_head *h, int *minor, struct nk_fault *f)
{
    struct nk_str rest = line;
    int rc = version(nk_str_cut(&rest, ' '), 0, minor, f);
    if (rc)
        return rc;
    struct nk_str code = nk_str_cut(&rest, ' ');
    if (code.n != 3 || !all_in(&digit_set, code) || code.p[0] < '1' || code.p[0] > '5')
        return nk_fault_set(f, NK_EINVAL, "http", 9, "the status is not 100 to 599");
    if (!nk_http_value_ok(rest))
        return nk_fault_set(f, NK_EINVAL, "http", 13, "control character in the reason phrase");
    h->status = (code.p[0] - '0') * 100 + (code.p[1] - '0') * 10 + (code.p[2] - '0');
    return 0;
}

const char *nk_http_field(const char *p, const char *end, struct nk_http_header *out)
{
    const char *colon = words_end(&token_set, p, end);
    if (colon == p || colon == end || *colon != ':')
        return NULL;
    const char *eol = nk_scan_text(colon + 1, end);
    if (end - eol < 2 || eol[0] != '\r' || eol[1] != '\n')
        return NULL;
    out->name = (struct nk_str){p, (size_t)(colon - p)};
    out->value = nk_str_trim((struct nk_str){colon + 1, (size_t)(eol - colon - 1)});
    bool is_usual =
        (size_t)(eol - colon - 1) - out->value.n < 2 && colon[1] != '\t' && eol[-1] != '\t';
    return is_usual ? eol + 2 : NULL;
}

/* A tab beside a length is white space (RFC 9112, section 5.1), but other parsers, llhttp among them, take it for part
 * of the number. */
static bool has_tab_by_length(const struct nk_http_header *h, struct nk_str raw)
{
    return nk_str_eq_nocase(h->name, NK_STR("Content-Length")) && nk_str_find(raw, '\t') >= 0;
}

int nk_http_field_line(struct nk_str line, size_t at, struct nk_http_header *out,
                       struct nk_fault *f)
{
    if (line.n && (line.p[0] == ' ' || line.p[0] == '\t'))
        return nk_fault_set(f, NK_EINVAL, "http", at, "a folded header line");
    ptrdiff_t colon = nk_str_find(line, ':');
    if (colon < 0)
        return nk_fault_set(f, NK_EINVAL, "http", at, "a header line without a colon");
    *out = (struct nk_http_header){nk_str_sub(line, 0, (size_t)colon),
                                   nk_str_trim(nk_str_sub(line, (size_t)colon + 1, line.n))};
    if (!nk_http_token_ok(out->name))
        return nk_fault_set(f, NK_EINVAL, "http", at, "a header name is not a token");
    if (!nk_http_value_ok(out->value) || has_tab_by_length(out, line))
        return nk_fault_set(f, NK_EINVAL, "http", at + out->name.n + 1,
                            "control character in the header %.*s", NK_FMT(out->name));
    return 0;
}
