/* SPDX-License-Identifier: Apache-2.0
 *
 * attributes.c - see attributes.h.
 */
#include "agent/attributes.h"

bool nk_agent_is_reserved(const struct nk_principal *p, struct nk_str name)
{
    static const char *const names[] = {"role", "username", "sub", "groups", "email", "tenant"};
    for (size_t i = 0; i < NK_COUNT(names); i++)
        if (nk_str_is_nocase(name, names[i]))
            return true;
    for (size_t i = 0; i < p->attr_count; i++)
        if (nk_str_eq_nocase(name, p->attrs[i].name))
            return true;
    return false;
}

int nk_agent_attributes_add(struct nk_agent_attributes *to, const struct nk_principal *p,
                            const struct nk_agent_pair *pairs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t at = 0;
        if (nk_agent_is_reserved(p, pairs[i].name))
            continue;
        while (at < to->n && !nk_str_eq(to->pairs[at].name, pairs[i].name))
            at++;
        if (at == NK_COUNT(to->pairs))
            return NK_ELIMIT;
        to->n += at == to->n;
        to->pairs[at] = pairs[i];
    }
    return 0;
}

/* A value as text; a list as the JSON of it. */
static void put_value(const struct nk_attr *attr, struct nk_buf *out)
{
    struct nk_buf text;
    nk_buf_init(&text, 64 << 10);
    switch (attr->type) {
    case NK_ATTR_STRING:
        nk_buf_add(&text, attr->string);
        break;
    case NK_ATTR_INT:
        nk_buf_add_i64(&text, attr->integer);
        break;
    case NK_ATTR_BOOL:
        nk_buf_add(&text, attr->integer ? NK_STR("true") : NK_STR("false"));
        break;
    case NK_ATTR_STRINGS:
        nk_buf_add_char(&text, '[');
        for (size_t i = 0; i < attr->string_count; i++) {
            if (i)
                nk_buf_add_char(&text, ',');
            nk_json_put_string(&text, attr->strings[i]);
        }
        nk_buf_add_char(&text, ']');
        break;
    }
    nk_json_put_string(out, nk_buf_str(&text));
    if (text.error)
        out->error = text.error;
    nk_buf_free(&text);
}

static void put_groups(const struct nk_principal *p, struct nk_buf *out)
{
    struct nk_buf text;
    nk_buf_init(&text, 64 << 10);
    for (size_t i = 0; i < p->group_count; i++) {
        if (i)
            nk_buf_add_char(&text, ',');
        nk_buf_add(&text, p->groups[i]);
    }
    nk_json_put_member(out, NK_STR("groups"), nk_buf_str(&text));
    if (text.error)
        out->error = text.error;
    nk_buf_free(&text);
}

/* Said by the proof's subject itself, and not to be said twice. */
static bool is_said(struct nk_str name)
{
    return nk_str_is_nocase(name, "username") || nk_str_is_nocase(name, "sub") ||
           nk_str_is_nocase(name, "groups");
}

void nk_agent_attributes_write(const struct nk_agent_attributes *of, const struct nk_principal *p,
                               struct nk_buf *out)
{
    nk_buf_add_char(out, '{');
    for (size_t i = 0; i < of->n; i++)
        if (!nk_agent_is_reserved(p, of->pairs[i].name))
            nk_json_put_member(out, of->pairs[i].name, of->pairs[i].value);
    nk_json_put_member(out, NK_STR("username"), p->id);
    nk_json_put_member(out, NK_STR("sub"), p->id);
    put_groups(p, out);
    for (size_t i = 0; i < p->attr_count; i++) {
        if (is_said(p->attrs[i].name))
            continue;
        nk_json_put_name(out, p->attrs[i].name);
        put_value(&p->attrs[i], out);
    }
    nk_buf_add_char(out, '}');
}
