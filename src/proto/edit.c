/* SPDX-License-Identifier: Apache-2.0
 *
 * edit.c - what the editors of all dialects share. See edit.h.
 */
#include "proto/edit.h"

void nk_edit_comma(struct nk_buf *out)
{
    if (out->n && out->p[out->n - 1] != '{' && out->p[out->n - 1] != '[')
        nk_buf_add_char(out, ',');
}

void nk_edit_keep_item(const struct nk_json *doc, uint32_t i, struct nk_buf *out)
{
    nk_edit_comma(out);
    nk_buf_add(out, nk_json_span(doc, i));
}

void nk_edit_keep(const struct nk_json *doc, uint32_t name, struct nk_buf *out)
{
    nk_edit_keep_item(doc, name, out);
    nk_buf_add_char(out, ':');
    nk_buf_add(out, nk_json_span(doc, name + 1));
}

void nk_edit_object(const struct nk_json *doc, uint32_t obj, nk_edit_member *member, void *ctx,
                    struct nk_buf *out)
{
    nk_buf_add_char(out, '{');
    for (uint32_t i = nk_json_first(doc, obj); i != NK_JSON_NONE; i = nk_json_next(doc, obj, i))
        if (!member(ctx, doc, i, out))
            nk_edit_keep(doc, i, out);
    nk_buf_add_char(out, '}');
}

size_t nk_edit_refused(const struct nk_assembly *s, int64_t choice)
{
    size_t n = 0;
    for (size_t i = 0; i < s->count; i++)
        n += s->calls[i].choice == choice && s->calls[i].refusal.p;
    return n;
}

size_t nk_edit_left(const struct nk_assembly *s, int64_t choice)
{
    size_t n = 0;
    for (size_t i = 0; i < s->count; i++)
        n += s->calls[i].choice == choice && !s->calls[i].refusal.p && !s->calls[i].use.ran;
    return n;
}

void nk_edit_put_text(const struct nk_assembly *s, int64_t choice, struct nk_str before,
                      struct nk_buf *out)
{
    struct nk_buf text;
    nk_buf_init(&text, before.n + (size_t)NK_ASSEMBLY_CALLS * (NK_ASSEMBLY_REFUSAL + 2));
    nk_buf_add(&text, before);
    for (size_t i = 0; i < s->count; i++) {
        if (s->calls[i].choice != choice || !s->calls[i].refusal.p)
            continue;
        if (text.n)
            nk_buf_add(&text, text.p[text.n - 1] == '\n' ? NK_STR("\n") : NK_STR("\n\n"));
        nk_buf_add(&text, s->calls[i].refusal);
    }
    nk_json_put_string(out, nk_buf_str(&text));
    if (text.error)
        out->error = text.error;
    nk_buf_free(&text);
}

size_t nk_edit_event(struct nk_str name, struct nk_buf *out)
{
    if (name.p)
        nk_buf_printf(out, "event: %.*s\n", NK_FMT(name));
    nk_buf_add(out, NK_STR("data: "));
    return out->n;
}

void nk_edit_event_end(size_t from, struct nk_buf *out)
{
    for (size_t i = from; i < out->n; i++)
        if (out->p[i] == '\n' || out->p[i] == '\r')
            out->p[i] = ' ';
    nk_buf_add(out, NK_STR("\n\n"));
}
