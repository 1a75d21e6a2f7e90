/* SPDX-License-Identifier: Apache-2.0
 *
 * grammar.h - private to http: which bytes may stand where in a head, and the rules over its
 * fields. These checks run on the raw bytes, before llhttp sees those of a chunked message.
 */
#pragma once

#include "http/http.h"

/* A set of bytes, one bit each. */
struct nk_http_set {
    uint64_t bits[4];
};

static inline bool nk_http_in(const struct nk_http_set *set, char c)
{
    unsigned char b = (unsigned char)c;
    return set->bits[b >> 6] >> (b & 63) & 1;
}
bool nk_http_token_ok(struct nk_str s); /* RFC 9110, section 5.6.2; one byte or more */
bool nk_http_value_ok(struct nk_str s); /* a field value or reason phrase */
/* One of the methods that llhttp knows: the others are refused, whatever framing they come in. */
bool nk_http_method_known(struct nk_str method);
/* Origin-form: "/path?query", whole percent-encodings, no dot segment, no encoded control. */
bool nk_http_target_ok(struct nk_str s);
/* uri-host [":" port], not empty (RFC 9110, section 7.2). */
bool nk_http_host_ok(struct nk_str s);

/* The start line without its CRLF. Faults have offsets in that line. */
int nk_http_request_line(struct nk_str line, struct nk_http_head *h, int *minor,
                         struct nk_fault *f) NK_CHECKED;
int nk_http_status_line(struct nk_str line, struct nk_http_head *h, int *minor,
                        struct nk_fault *f) NK_CHECKED;
/* A field line with its CRLF at p in a text that ends at `end`: reads it in one go and returns the place
 * behind it, or NULL when something is wrong with it, which nk_http_field_line then says. */
const char *nk_http_field(const char *p, const char *end, struct nk_http_header *out);
/* One field line without its CRLF; `at` is its offset, for faults. */
int nk_http_field_line(struct nk_str line, size_t at, struct nk_http_header *out,
                       struct nk_fault *f) NK_CHECKED;
/* The rules over all fields together: framing, Host, Connection, Expect, Upgrade. Fills the rest of
 * *h; an absolute target becomes origin-form. */
int nk_http_rules(struct nk_http_head *h, bool request, int minor, struct nk_fault *f) NK_CHECKED;
/* Can an answer of that status have a body (RFC 9112, section 6.3)? */
bool nk_http_has_body(int status);
