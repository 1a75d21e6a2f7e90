/* SPDX-License-Identifier: Apache-2.0
 *
 * a2a_card.c - by what an agent card is told apart from another: the digest of its canonical form. Signatures are over a
 * form of their own, and a card that is signed anew is the same card; so they are left out.
 */
#include "json/canonical.h"
#include "proto/a2a.h"

static int put_unsigned(const struct nk_json *doc, uint32_t card, struct nk_arena *a,
                        struct nk_buf *out)
{
    nk_buf_add_char(out, '{');
    for (uint32_t i = nk_json_first(doc, card); i != NK_JSON_NONE; i = nk_json_next(doc, card, i)) {
        struct nk_str name = nk_json_string(doc, i, a);
        if (!name.p)
            return NK_ENOMEM;
        if (nk_str_eq(name, NK_STR("signatures")))
            continue;
        nk_json_put_name(out, name);
        nk_buf_add(out, nk_json_span(doc, i + 1));
    }
    nk_buf_add_char(out, '}');
    return out->error;
}

static int digest_of(const struct nk_json_limits *limits, struct nk_str text, struct nk_arena *a,
                     struct nk_digest *out, struct nk_fault *f)
{
    struct nk_json doc;
    struct nk_buf canonical;
    nk_buf_init(&canonical, NK_A2A_CARD_MAX);
    int rc = nk_json_parse(limits, text, a, &doc, f);
    if (!rc)
        rc = nk_json_canonical(&doc, 0, NK_CANONICAL_JCS, &canonical, f);
    *out = nk_sha256(nk_buf_str(&canonical));
    nk_buf_free(&canonical);
    return rc;
}

int nk_a2a_card_digest(const struct nk_json_limits *limits, const struct nk_json *doc,
                       uint32_t card, struct nk_arena *a, struct nk_digest *out, struct nk_fault *f)
{
    struct nk_buf text;
    if (nk_json_type(doc, card) != NK_JSON_OBJECT)
        return nk_fault_set(f, NK_EINVAL, "a2a", 0, "a card is an object");
    nk_buf_init(&text, NK_A2A_CARD_MAX);
    int rc = put_unsigned(doc, card, a, &text);
    if (!rc)
        rc = digest_of(limits, nk_buf_str(&text), a, out, f);
    nk_buf_free(&text);
    return rc;
}
