/* SPDX-License-Identifier: Apache-2.0
 *
 * sigv4.c - see sigv4.h. What is signed of a path is encoded once more than it was sent. No operation that is signed
 * has a query, so a request with one is refused, and the rules for those never come into play.
 */
#include "ident/sigv4.h"

#include <string.h>
#include "ident/apikey.h"
#include "ident/keyfile.h"

enum { PREFIX = 4, CANONICAL_MAX = 256 << 10, TIME_SIZE = 16, SCOPE_MAX = 128, TEXT_MAX = 512 };

static const char stage[] = "signature";
static const char algorithm[] = "AWS4-HMAC-SHA256";

static int bad(struct nk_fault *f, int code, const char *what)
{
    return nk_fault_set(f, code, stage, 0, "%s", what);
}

bool nk_sigv4_is(struct nk_str authorization)
{
    size_t n = sizeof algorithm - 1;
    return nk_str_starts(authorization, nk_str(algorithm)) &&
           (authorization.n == n || authorization.p[n] == ' ');
}

static bool is_hex(struct nk_str s)
{
    unsigned char bytes[NK_SHA256_SIZE];
    return nk_hex_decode(s, bytes, sizeof bytes) == 0;
}

/* KEY/DATE/REGION/SERVICE/aws4_request */
static int read_credential(struct nk_str value, struct nk_sigv4 *s)
{
    struct nk_str rest = value;
    s->key = nk_str_cut(&rest, '/');
    s->scope = rest;
    s->date = nk_str_cut(&rest, '/');
    s->region = nk_str_cut(&rest, '/');
    s->service = nk_str_cut(&rest, '/');
    bool whole = nk_str_eq(rest, NK_STR("aws4_request"));
    bool fits = s->key.n <= SCOPE_MAX && s->scope.n <= SCOPE_MAX;
    return whole && fits && s->key.n && s->date.n == 8 && s->region.n && s->service.n ? 0
                                                                                      : NK_EINVAL;
}

/* Lower-case names in rising order, so that a list has one spelling and no name twice. */
static int read_names(struct nk_str value, struct nk_sigv4 *s)
{
    s->signed_headers = value;
    for (struct nk_str rest = value; rest.p;) {
        struct nk_str name = nk_str_cut(&rest, ';');
        bool falls = s->header_count && nk_str_cmp(s->headers[s->header_count - 1], name) >= 0;
        if (name.n == 0 || falls || s->header_count == NK_SIGV4_SIGNED_MAX)
            return NK_EINVAL;
        for (size_t i = 0; i < name.n; i++)
            if (name.p[i] >= 'A' && name.p[i] <= 'Z')
                return NK_EINVAL;
        s->headers[s->header_count++] = name;
    }
    return s->header_count ? 0 : NK_EINVAL;
}

static int read_part(struct nk_str part, struct nk_sigv4 *s)
{
    struct nk_str value = part, name = nk_str_cut(&value, '=');
    if (nk_str_eq(name, NK_STR("Credential")) && !s->key.p)
        return read_credential(value, s);
    if (nk_str_eq(name, NK_STR("SignedHeaders")) && !s->header_count)
        return read_names(value, s);
    if (!nk_str_eq(name, NK_STR("Signature")) || s->signature.p || !is_hex(value))
        return NK_EINVAL;
    s->signature = value;
    return 0;
}

/* "20150830T123600Z" as in RFC 3339. */
static int read_time(struct nk_str t, int64_t *unix_ms)
{
    char full[] = "dddd-dd-ddTdd:dd:ddZ";
    size_t at = 0;
    if (t.n != TIME_SIZE)
        return NK_EINVAL;
    for (size_t i = 0; full[i]; i++)
        if (full[i] != '-' && full[i] != ':')
            full[i] = t.p[at++];
    return nk_keyfile_time(nk_str(full), unix_ms);
}

int nk_sigv4_read(const struct nk_http_head *h, struct nk_sigv4 *out, struct nk_fault *f)
{
    struct nk_str rest = nk_http_get(h, NK_STR("authorization"));
    int parts = 0;
    *out = (struct nk_sigv4){.time = nk_http_get(h, NK_STR("x-amz-date")),
                             .payload = nk_http_get(h, NK_STR("x-amz-content-sha256"))};
    if (!nk_sigv4_is(rest))
        return bad(f, NK_EINVAL, "not an AWS4-HMAC-SHA256 signature");
    rest = nk_str_sub(rest, sizeof algorithm - 1, rest.n);
    for (; rest.p; parts++)
        if (read_part(nk_str_trim(nk_str_cut(&rest, ',')), out))
            return bad(f, NK_EINVAL, "the Authorization header is not a whole signature");
    if (parts != 3 || !out->key.p || !out->signature.p || !out->header_count)
        return bad(f, NK_EINVAL, "the Authorization header is not a whole signature");
    if (read_time(out->time, &out->signed_ms))
        return bad(f, NK_EINVAL, "x-amz-date is missing or not a time");
    return nk_str_starts(out->time, out->date)
               ? 0
               : bad(f, NK_EINVAL, "x-amz-date is of another day than the credential");
}

static bool is_signed(const struct nk_sigv4 *s, struct nk_str name)
{
    for (size_t i = 0; i < s->header_count; i++)
        if (nk_str_eq_nocase(s->headers[i], name))
            return true;
    return false;
}

/* In HTTP/2 clients sign the pseudo-header, whose value our framing keeps as Host. */
static struct nk_str name_here(struct nk_str name)
{
    return nk_str_eq(name, NK_STR(":authority")) ? NK_STR("host") : name;
}

static int check_headers(const struct nk_http_head *h, const struct nk_sigv4 *s, struct nk_fault *f)
{
    size_t credentials = 0;
    for (size_t i = 0; i < h->header_count; i++) {
        struct nk_str name = h->headers[i].name;
        credentials += nk_str_eq_nocase(name, NK_STR("authorization")) ||
                       nk_str_eq_nocase(name, NK_STR("x-api-key"));
        if (nk_str_eq_nocase(nk_str_sub(name, 0, 6), NK_STR("x-amz-")) && !is_signed(s, name))
            return bad(f, NK_EDENIED, "a header x-amz-… is not signed");
    }
    if (credentials != 1)
        return bad(f, NK_EDENIED, "another credential stands beside the signature");
    for (size_t i = 0; i < s->header_count; i++)
        if (!nk_http_get(h, name_here(s->headers[i])).p)
            return bad(f, NK_EDENIED, "a header that is signed is not there");
    return is_signed(s, NK_STR("host")) || is_signed(s, NK_STR(":authority"))
               ? 0
               : bad(f, NK_EDENIED, "the host is not signed");
}

int nk_sigv4_check(const struct nk_http_head *h, const struct nk_sigv4 *s, struct nk_str service,
                   int64_t now_ms, struct nk_fault *f)
{
    int64_t off = s->signed_ms > now_ms ? s->signed_ms - now_ms : now_ms - s->signed_ms;
    if (!nk_str_eq(s->service, service))
        return bad(f, NK_EDENIED, "signed for another service");
    if (s->payload.p && !is_hex(s->payload))
        return bad(f, NK_EDENIED, "x-amz-content-sha256 is no digest of the body");
    if (nk_str_find(h->target, '?') >= 0)
        return bad(f, NK_EDENIED, "a signed request has no query");
    if (off > NK_SIGV4_SKEW_MS)
        return nk_fault_set(f, NK_EEXPIRED, stage, 0, "signed %lld seconds %s",
                            (long long)(off / 1000), s->signed_ms > now_ms ? "ahead" : "ago");
    return check_headers(h, s, f);
}

/* Without spaces at its ends, and one space for each run of them. */
static void put_value(struct nk_str value, struct nk_buf *out)
{
    bool space = false;
    value = nk_str_trim(value);
    for (size_t i = 0; i < value.n; i++) {
        bool is_space = value.p[i] == ' ';
        if (!is_space || !space)
            nk_buf_add_char(out, value.p[i]);
        space = is_space;
    }
}

/* All values of a name, in the order in which they came. */
static void put_header(const struct nk_http_head *h, struct nk_str name, struct nk_buf *out)
{
    bool first = true;
    nk_buf_add(out, name);
    for (size_t i = 0; i < h->header_count; i++) {
        if (!nk_str_eq_nocase(h->headers[i].name, name_here(name)))
            continue;
        nk_buf_add_char(out, first ? ':' : ',');
        put_value(h->headers[i].value, out);
        first = false;
    }
    nk_buf_add_char(out, '\n');
}

/* All but what RFC 3986 calls unreserved, and the slashes between segments. */
static void put_path(struct nk_str path, struct nk_buf *out)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < path.n; i++) {
        unsigned char c = (unsigned char)path.p[i], low = (unsigned char)(c | 0x20);
        if ((low >= 'a' && low <= 'z') || (c >= '0' && c <= '9') || (c && strchr("-_.~/", c))) {
            nk_buf_add_char(out, (char)c);
            continue;
        }
        const char coded[] = {'%', digits[c >> 4], digits[c & 15]};
        nk_buf_add(out, (struct nk_str){coded, sizeof coded});
    }
}

void nk_sigv4_canonical(const struct nk_http_head *h, const struct nk_sigv4 *s,
                        struct nk_str payload, struct nk_buf *out)
{
    nk_buf_add(out, h->method);
    nk_buf_add_char(out, '\n');
    put_path(h->target, out);
    nk_buf_add(out, NK_STR("\n\n"));
    for (size_t i = 0; i < s->header_count; i++)
        put_header(h, s->headers[i], out);
    nk_buf_add_char(out, '\n');
    nk_buf_add(out, s->signed_headers);
    nk_buf_add_char(out, '\n');
    nk_buf_add(out, payload);
}

static struct nk_str bytes_of(const struct nk_digest *d)
{
    return (struct nk_str){(const char *)d->b, sizeof d->b};
}

struct nk_digest nk_sigv4_sign(const struct nk_sigv4 *s, struct nk_str canonical,
                               struct nk_str secret)
{
    char first[PREFIX + SCOPE_MAX], text[TEXT_MAX];
    struct nk_buf key = {.p = first, .cap = sizeof first, .max = sizeof first};
    struct nk_buf b = {.p = text, .cap = sizeof text, .max = sizeof text};
    struct nk_digest digest = nk_sha256(canonical), d;
    nk_buf_add(&key, NK_STR("AWS4"));
    nk_buf_add(&key, nk_str_sub(secret, 0, SCOPE_MAX));
    d = nk_hmac_sha256(nk_buf_str(&key), s->date);
    nk_secret_wipe(first, sizeof first);
    d = nk_hmac_sha256(bytes_of(&d), s->region);
    d = nk_hmac_sha256(bytes_of(&d), s->service);
    d = nk_hmac_sha256(bytes_of(&d), NK_STR("aws4_request"));
    nk_buf_add(&b, nk_str(algorithm));
    nk_buf_add_char(&b, '\n');
    nk_buf_add(&b, s->time);
    nk_buf_add_char(&b, '\n');
    nk_buf_add(&b, s->scope);
    nk_buf_add_char(&b, '\n');
    nk_buf_add_hex(&b, digest.b, sizeof digest.b);
    NK_MUST(!b.error); /* its parts were measured when they were read */
    return nk_hmac_sha256(bytes_of(&d), nk_buf_str(&b));
}

int nk_sigv4_verify(const struct nk_http_head *h, const struct nk_sigv4 *s, struct nk_str payload,
                    struct nk_str secret, struct nk_fault *f)
{
    struct nk_digest given, wanted;
    struct nk_buf b;
    nk_buf_init(&b, CANONICAL_MAX);
    nk_sigv4_canonical(h, s, payload, &b);
    int rc = b.error;
    wanted = nk_sigv4_sign(s, nk_buf_str(&b), secret);
    nk_buf_free(&b);
    if (!rc)
        rc = nk_hex_decode(s->signature, given.b, sizeof given.b);
    if (rc)
        return bad(f, rc, "the request is too large to be checked");
    return nk_digest_eq(given, wanted)
               ? 0
               : nk_fault_set(f, NK_ECRYPTO, stage, 0, "the signature of key %.*s does not hold",
                              NK_FMT(nk_str_sub(s->key, 0, 64)));
}

void nk_sigv4_key(struct nk_str id, char out[NK_SIGV4_KEY_SIZE + 1])
{
    memcpy(out, "NKSV", PREFIX);
    for (size_t i = 0; i < NK_APIKEY_ID_SIZE; i++) {
        char c = i < id.n ? id.p[i] : 'a';
        out[PREFIX + i] = (char)(c >= 'a' && c <= 'z' ? c - 32 : c);
    }
    out[NK_SIGV4_KEY_SIZE] = 0;
}

bool nk_sigv4_key_id(struct nk_str key, char id[NK_SIGV4_KEY_SIZE])
{
    if (key.n != NK_SIGV4_KEY_SIZE || !nk_str_starts(key, NK_STR("NKSV")))
        return false;
    for (size_t i = PREFIX; i < key.n; i++) {
        char c = key.p[i];
        if (!(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9'))
            return false;
        id[i - PREFIX] = (char)(c >= 'A' ? c + 32 : c);
    }
    id[NK_APIKEY_ID_SIZE] = 0;
    return true;
}

void nk_sigv4_secret(struct nk_str master, struct nk_str id, char out[NK_SIGV4_SECRET_SIZE + 1])
{
    char text[64];
    struct nk_buf b = {.p = text, .cap = sizeof text, .max = sizeof text};
    struct nk_buf secret = {
        .p = out, .cap = NK_SIGV4_SECRET_SIZE + 1, .max = NK_SIGV4_SECRET_SIZE + 1};
    nk_buf_add(&b, NK_STR("nakoso sigv4 1:"));
    nk_buf_add(&b, id);
    struct nk_digest d = nk_hmac_sha256(master, nk_buf_str(&b));
    nk_base64url_encode(bytes_of(&d), &secret);
    out[NK_SIGV4_SECRET_SIZE] = 0;
    nk_secret_wipe(&d, sizeof d);
}
