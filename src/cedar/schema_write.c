/* SPDX-License-Identifier: Apache-2.0
 *
 * schema_write.c - a schema as JSON, as the reference writes it: what is empty is left out, `appliesTo` of an
 * action that was text is not.
 */
#include "cedar/schema.h"
#include "cedar/schema_model.h"

static void open_object(struct nk_buf *b, const char *name)
{
    nk_json_put_name(b, nk_str(name));
    nk_buf_add_char(b, '{');
}

static void write_annotations(struct nk_buf *b, const struct cedar_annotation *a)
{
    if (!a)
        return;
    open_object(b, "annotations");
    for (; a; a = a->next)
        nk_json_put_member(b, a->name, a->value);
    nk_buf_add_char(b, '}');
}

static void write_members(struct nk_buf *b, const struct cedar_schema_type *t);

/* { … } of a type alone. */
static void write_type(struct nk_buf *b, const struct cedar_schema_type *t)
{
    nk_buf_add_char(b, '{');
    write_members(b, t);
    nk_buf_add_char(b, '}');
}

static void write_record(struct nk_buf *b, const struct cedar_schema_type *t)
{
    nk_json_put_member(b, NK_STR("type"), NK_STR("Record"));
    open_object(b, "attributes");
    for (const struct cedar_schema_attr *a = t->attrs; a; a = a->next) {
        nk_json_put_name(b, a->name);
        nk_buf_add_char(b, '{');
        write_members(b, a->type);
        write_annotations(b, a->annotations);
        if (a->optional) {
            nk_json_put_name(b, NK_STR("required"));
            nk_buf_add(b, NK_STR("false"));
        }
        nk_buf_add_char(b, '}');
    }
    nk_buf_add_char(b, '}');
}

static void write_members(struct nk_buf *b, const struct cedar_schema_type *t)
{
    static const char *const names[] = {
        [CEDAR_FORM_BOOL] = "Boolean",       [CEDAR_FORM_LONG] = "Long",
        [CEDAR_FORM_STRING] = "String",      [CEDAR_FORM_SET] = "Set",
        [CEDAR_FORM_ENTITY] = "Entity",      [CEDAR_FORM_EITHER] = "EntityOrCommon",
        [CEDAR_FORM_EXTENSION] = "Extension"};
    if (t->form == CEDAR_FORM_RECORD) {
        write_record(b, t);
        return;
    }
    if (t->form == CEDAR_FORM_COMMON) {
        nk_json_put_member(b, NK_STR("type"), t->name);
        return;
    }
    nk_json_put_member(b, NK_STR("type"), nk_str(names[t->form]));
    if (t->form == CEDAR_FORM_SET) {
        nk_json_put_name(b, NK_STR("element"));
        write_type(b, t->element);
    } else if (t->name.p) {
        nk_json_put_member(b, NK_STR("name"), t->name);
    }
}

static void write_list(struct nk_buf *b, const char *name, const struct cedar_schema_ref *refs,
                       bool ids)
{
    nk_json_put_name(b, nk_str(name));
    nk_buf_add_char(b, '[');
    for (const struct cedar_schema_ref *ref = refs; ref; ref = ref->next) {
        if (ref != refs)
            nk_buf_add_char(b, ',');
        nk_json_put_string(b, ids ? ref->id : ref->name);
    }
    nk_buf_add_char(b, ']');
}

static bool empty_record(const struct cedar_schema_type *t)
{
    return !t || (t->form == CEDAR_FORM_RECORD && t->n == 0);
}

static void write_entity(struct nk_buf *b, const struct cedar_schema_entity *e)
{
    nk_json_put_name(b, e->head.name);
    nk_buf_add_char(b, '{');
    if (e->is_enum)
        write_list(b, "enum", e->choices, true);
    if (e->parents)
        write_list(b, "memberOfTypes", e->parents, false);
    if (!empty_record(e->shape)) {
        nk_json_put_name(b, NK_STR("shape"));
        write_type(b, e->shape);
    }
    if (e->tags) {
        nk_json_put_name(b, NK_STR("tags"));
        write_type(b, e->tags);
    }
    write_annotations(b, e->head.annotations);
    nk_buf_add_char(b, '}');
}

static void write_groups(struct nk_buf *b, const struct cedar_schema_ref *refs)
{
    nk_json_put_name(b, NK_STR("memberOf"));
    nk_buf_add_char(b, '[');
    for (const struct cedar_schema_ref *ref = refs; ref; ref = ref->next) {
        nk_buf_add(b, ref == refs ? NK_STR("{") : NK_STR(",{"));
        nk_json_put_member(b, NK_STR("id"), ref->id);
        if (ref->name.p)
            nk_json_put_member(b, NK_STR("type"), ref->name);
        nk_buf_add_char(b, '}');
    }
    nk_buf_add_char(b, ']');
}

static void write_action(struct nk_buf *b, const struct cedar_schema_action *a)
{
    nk_json_put_name(b, a->head.name);
    nk_buf_add_char(b, '{');
    if (a->has_applies) {
        open_object(b, "appliesTo");
        write_list(b, "resourceTypes", a->resources, false);
        write_list(b, "principalTypes", a->principals, false);
        if (!empty_record(a->context)) {
            nk_json_put_name(b, NK_STR("context"));
            write_type(b, a->context);
        }
        nk_buf_add_char(b, '}');
    }
    if (a->has_parents)
        write_groups(b, a->parents);
    write_annotations(b, a->head.annotations);
    nk_buf_add_char(b, '}');
}

static void write_space(struct nk_buf *b, const struct cedar_schema_space *s)
{
    nk_json_put_name(b, s->head.name);
    nk_buf_add_char(b, '{');
    if (s->commons) {
        open_object(b, "commonTypes");
        for (const struct cedar_schema_common *c = s->commons; c; c = c->next) {
            nk_json_put_name(b, c->head.name);
            nk_buf_add_char(b, '{');
            write_members(b, c->type);
            write_annotations(b, c->head.annotations);
            nk_buf_add_char(b, '}');
        }
        nk_buf_add_char(b, '}');
    }
    open_object(b, "entityTypes");
    for (const struct cedar_schema_entity *e = s->entities; e; e = e->next)
        write_entity(b, e);
    nk_buf_add_char(b, '}');
    open_object(b, "actions");
    for (const struct cedar_schema_action *a = s->actions; a; a = a->next)
        write_action(b, a);
    nk_buf_add_char(b, '}');
    write_annotations(b, s->head.annotations);
    nk_buf_add_char(b, '}');
}

void nk_cedar_schema_write_json(const struct nk_cedar_schema *s, struct nk_buf *out)
{
    nk_buf_add_char(out, '{');
    for (const struct cedar_schema_space *space = s->spaces; space; space = space->next)
        write_space(out, space);
    nk_buf_add_char(out, '}');
}
