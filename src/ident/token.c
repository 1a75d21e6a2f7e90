/* SPDX-License-Identifier: Apache-2.0
 *
 * token.c - see token.h. The courier does not trust the gate's text: it reads it as strict JSON, takes over the members
 * that are about who asks, and writes the rest itself.
 */
#include "ident/token.h"

enum { THUMBPRINT = 128, LIFETIME_MAX_MS = 5 * 60 * 1000, KEY_TEXT = 64 };

const char nk_token_header[] = "nakoso-identity";

static void put_strings(struct nk_buf *out, const struct nk_str *list, size_t n)
{
    nk_buf_add_char(out, '[');
    for (size_t i = 0; i < n; i++) {
        if (i)
            nk_buf_add_char(out, ',');
        nk_json_put_string(out, list[i]);
    }
    nk_buf_add_char(out, ']');
}

static void put_attribute(struct nk_buf *out, const struct nk_attr *a)
{
    nk_json_put_name(out, a->name);
    if (a->type == NK_ATTR_STRING)
        nk_json_put_string(out, a->string);
    else if (a->type == NK_ATTR_INT)
        nk_buf_add_i64(out, a->integer);
    else if (a->type == NK_ATTR_BOOL)
        nk_buf_add(out, a->integer ? NK_STR("true") : NK_STR("false"));
    else
        put_strings(out, a->strings, a->string_count);
}

static bool is_told(const struct nk_token_about *about, struct nk_str name)
{
    for (size_t i = 0; i < about->attribute_count; i++)
        if (nk_str_eq(about->attributes[i].text, name))
            return true;
    return false;
}

/* {"sub":"who acts now","act":{"sub":"who acted before"}} */
static void put_actors(struct nk_buf *out, const struct nk_token_about *about)
{
    for (size_t i = 0; i < about->actor_count; i++) {
        nk_json_put_name(out, NK_STR("act"));
        nk_buf_add_char(out, '{');
        nk_json_put_member(out, NK_STR("sub"), about->actors[i]);
    }
    for (size_t i = 0; i < about->actor_count; i++)
        nk_buf_add_char(out, '}');
}

int nk_token_claims(const struct nk_token_about *about, struct nk_buf *out)
{
    const struct nk_principal *p = about->principal;
    size_t from = out->n;
    bool any = false;
    if (about->actor_count > NK_TOKEN_ACTORS)
        return NK_ELIMIT;
    nk_buf_add_char(out, '{');
    nk_json_put_member(out, NK_STR("sub"), p->id);
    nk_json_put_member(out, NK_STR("principal_type"), p->type);
    nk_json_put_name(out, NK_STR("groups"));
    put_strings(out, p->groups, p->group_count);
    for (size_t i = 0; i < p->attr_count; i++) {
        if (!is_told(about, p->attrs[i].name))
            continue;
        if (!any)
            nk_buf_add(out, NK_STR(",\"attributes\":{"));
        any = true;
        put_attribute(out, &p->attrs[i]);
    }
    if (any)
        nk_buf_add_char(out, '}');
    put_actors(out, about);
    if (about->tool.p)
        nk_json_put_member(out, NK_STR("tool"), about->tool);
    nk_json_put_member(out, NK_STR("jti"), about->id);
    nk_buf_add_char(out, '}');
    return out->error ? out->error : out->n - from > NK_TOKEN_CLAIMS ? NK_ELIMIT : 0;
}

static struct nk_str bytes_of(const void *p, size_t n)
{
    return (struct nk_str){p, n};
}

/* RFC 7638, section 3.2: the required members in the order of their names, without white space. */
static struct nk_str thumbprint(const unsigned char public_key[32], struct nk_arena *a)
{
    char text[THUMBPRINT], coded[THUMBPRINT];
    struct nk_buf b = {.p = text, .cap = sizeof text, .max = sizeof text};
    struct nk_buf out = {.p = coded, .cap = sizeof coded, .max = sizeof coded};
    nk_buf_add(&b, NK_STR("{\"crv\":\"Ed25519\",\"kty\":\"OKP\",\"x\":\""));
    nk_base64url_encode(bytes_of(public_key, 32), &b);
    nk_buf_add(&b, NK_STR("\"}"));
    struct nk_digest d = nk_sha256(nk_buf_str(&b));
    nk_base64url_encode(bytes_of(d.b, sizeof d.b), &out);
    return nk_arena_copy(a, nk_buf_str(&out));
}

int nk_token_key_read(struct nk_str text, struct nk_arena *a, struct nk_token_key *out)
{
    if (text.n && text.p[text.n - 1] == '\n')
        text.n--;
    int rc = text.n == KEY_TEXT ? nk_hex_decode(text, out->seed, sizeof out->seed) : NK_EINVAL;
    if (!rc)
        rc = nk_ed25519_public(out->seed, out->public_key);
    if (rc)
        return rc;
    out->kid = thumbprint(out->public_key, a);
    return out->kid.p ? 0 : NK_ENOMEM;
}

void nk_token_jwks(const struct nk_token_key *keys, size_t n, struct nk_buf *out)
{
    nk_buf_add(out, NK_STR("{\"keys\":["));
    for (size_t i = 0; i < n; i++) {
        nk_buf_add(out, i ? NK_STR(",{") : NK_STR("{"));
        nk_json_put_member(out, NK_STR("kty"), NK_STR("OKP"));
        nk_json_put_member(out, NK_STR("crv"), NK_STR("Ed25519"));
        nk_json_put_member(out, NK_STR("alg"), NK_STR("EdDSA"));
        nk_json_put_member(out, NK_STR("use"), NK_STR("sig"));
        nk_json_put_member(out, NK_STR("kid"), keys[i].kid);
        nk_json_put_name(out, NK_STR("x"));
        nk_buf_add_char(out, '"');
        nk_base64url_encode(bytes_of(keys[i].public_key, 32), out);
        nk_buf_add(out, NK_STR("\"}"));
    }
    nk_buf_add(out, NK_STR("]}"));
}

/* Members that are about who asks; no other comes from the gate. */
static int put_claims(struct nk_str claims, struct nk_str more, struct nk_arena *scratch,
                      struct nk_buf *out)
{
    static const char *const names[] = {"sub", "principal_type", "groups", "attributes",
                                        "act", "tool",           "jti"};
    static const struct nk_json_limits lim = {NK_TOKEN_CLAIMS, 32, 8192};
    struct nk_json doc;
    int rc = nk_json_parse(&lim, claims, scratch, &doc, NULL);
    if (rc)
        return rc == NK_ENOMEM ? rc : NK_EINVAL;
    if (nk_json_type(&doc, 0) != NK_JSON_OBJECT ||
        nk_json_type(&doc, nk_json_get(&doc, 0, NK_STR("sub"))) != NK_JSON_STRING)
        return NK_EINVAL;
    for (uint32_t i = nk_json_first(&doc, 0); i != NK_JSON_NONE; i = nk_json_next(&doc, 0, i)) {
        size_t k = 0;
        while (k < NK_COUNT(names) && !nk_json_is(&doc, i, nk_str(names[k])))
            k++;
        if (k == NK_COUNT(names))
            return NK_EINVAL;
        nk_json_put_name(out, nk_str(names[k]));
        struct nk_str value = nk_json_span(&doc, i + 1);
        bool id = nk_str_eq(nk_str(names[k]), NK_STR("jti"));
        if (id && nk_json_type(&doc, i + 1) != NK_JSON_STRING)
            return NK_EINVAL;
        nk_buf_add(out, id ? nk_str_sub(value, 0, value.n - 1) : value);
        nk_buf_add(out, id ? more : NK_STR(""));
        nk_buf_add(out, id ? NK_STR("\"") : NK_STR(""));
    }
    return 0;
}

static void put_seconds(struct nk_buf *out, const char *name, int64_t ms)
{
    nk_json_put_name(out, nk_str(name));
    nk_buf_add_i64(out, ms / 1000);
}

static int put_payload(const struct nk_token_frame *frame, struct nk_str claims,
                       struct nk_arena *scratch, struct nk_buf *out)
{
    nk_buf_add_char(out, '{');
    nk_json_put_member(out, NK_STR("iss"), frame->issuer);
    nk_json_put_member(out, NK_STR("aud"), frame->audience);
    int rc = put_claims(claims, frame->more, scratch, out);
    put_seconds(out, "iat", frame->now_ms);
    put_seconds(out, "nbf", frame->now_ms);
    put_seconds(out, "exp", frame->now_ms + frame->lifetime_ms);
    nk_buf_add_char(out, '}');
    return rc ? rc : out->error;
}

int nk_token_sign(const struct nk_token_key *key, const struct nk_token_frame *frame,
                  struct nk_str claims, struct nk_arena *scratch, struct nk_buf *out)
{
    unsigned char signature[NK_ED25519_SIG_SIZE];
    size_t from = out->n;
    struct nk_buf b;
    NK_MUST(frame->lifetime_ms > 0 && frame->lifetime_ms <= LIFETIME_MAX_MS);
    nk_buf_init(&b, (size_t)2 * NK_TOKEN_CLAIMS);
    nk_buf_add(&b, NK_STR("{\"alg\":\"EdDSA\",\"typ\":\"JWT\""));
    nk_json_put_member(&b, NK_STR("kid"), key->kid);
    nk_buf_add_char(&b, '}');
    nk_base64url_encode(nk_buf_str(&b), out);
    nk_buf_clear(&b);
    int rc = put_payload(frame, claims, scratch, &b);
    nk_buf_add_char(out, '.');
    nk_base64url_encode(nk_buf_str(&b), out);
    nk_buf_free(&b);
    if (!rc)
        rc = out->error;
    if (!rc)
        rc = nk_ed25519_sign(key->seed, nk_str_sub(nk_buf_str(out), from, out->n), signature);
    if (rc)
        return rc;
    nk_buf_add_char(out, '.');
    nk_base64url_encode(bytes_of(signature, sizeof signature), out);
    return out->error;
}
