/* SPDX-License-Identifier: Apache-2.0
 *
 * schema_print.c - a schema as text. Declarations keep their order within their kind: common types, entity
 * types, actions. JSON can say two things that text cannot, and they are refused: a shape that is the name of
 * a common type, and an entity type where a common type of the same name would be found first.
 */
#include "cedar/schema.h"

#include "base/utf8.h"
#include "cedar/lexer.h"
#include "cedar/schema_model.h"

struct print {
    const struct nk_cedar_schema *s;
    struct nk_buf *out;
    struct nk_str space; /* the namespace at hand */
    unsigned indent;
    int code;
    struct nk_fault *fault;
};

static void add(struct print *p, const char *text)
{
    nk_buf_add(p->out, nk_str(text));
}

static void new_line(struct print *p)
{
    nk_buf_add_char(p->out, '\n');
    for (unsigned i = 0; i < p->indent; i++)
        add(p, "  ");
}

static void refuse(struct print *p, struct nk_str name, const char *why)
{
    if (!p->code)
        p->code =
            nk_fault_set(p->fault, NK_EUNSUPPORTED, "cedar", 0, "%.*s: %s", NK_FMT(name), why);
}

static void quoted(struct print *p, struct nk_str s)
{
    nk_buf_add_char(p->out, '"');
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '"' || c == '\\')
            nk_buf_add_char(p->out, '\\');
        if (c < ' ' || c == 0x7f)
            nk_buf_printf(p->out, "\\u{%x}", c);
        else
            nk_buf_add_char(p->out, s.p[i]);
    }
    nk_buf_add_char(p->out, '"');
}

static bool is_word(struct nk_str name)
{
    struct cedar_lexer l = {.text = name};
    struct cedar_token token;
    return name.n > 0 && cedar_lex(&l, &token) && token.kind == CEDAR_IDENT &&
           token.text.n == name.n && cedar_name_free(name);
}

static void name_or_string(struct print *p, struct nk_str name)
{
    if (is_word(name))
        nk_buf_add(p->out, name);
    else
        quoted(p, name);
}

static void annotations(struct print *p, const struct cedar_annotation *a)
{
    for (; a; a = a->next) {
        nk_buf_add_char(p->out, '@');
        nk_buf_add(p->out, a->name);
        if (a->value.n > 0) {
            nk_buf_add_char(p->out, '(');
            quoted(p, a->value);
            nk_buf_add_char(p->out, ')');
        }
        new_line(p);
    }
}

static bool has_common(const struct cedar_schema_space *s, struct nk_str name)
{
    for (const struct cedar_schema_common *c = s->commons; c; c = c->next)
        if (nk_str_eq(c->head.name, name))
            return true;
    return false;
}

/* Would text find a common type where JSON says that an entity type is meant? */
static bool hidden(const struct print *p, struct nk_str name)
{
    for (const struct cedar_schema_space *s = p->s->spaces; s; s = s->next) {
        struct nk_str space = s->head.name;
        bool visible = space.n == 0 || nk_str_eq(space, p->space);
        if (visible && has_common(s, name))
            return true;
        if (space.n > 0 && nk_str_starts(name, space) && name.n > space.n + 2 &&
            has_common(s, nk_str_sub(name, space.n + 2, name.n)))
            return true;
    }
    return false;
}

static void type(struct print *p, const struct cedar_schema_type *t);

static void record(struct print *p, const struct cedar_schema_type *t)
{
    nk_buf_add_char(p->out, '{');
    p->indent++;
    for (const struct cedar_schema_attr *a = t->attrs; a; a = a->next) {
        new_line(p);
        annotations(p, a->annotations);
        name_or_string(p, a->name);
        add(p, a->optional ? "?: " : ": ");
        type(p, a->type);
        if (a->next)
            nk_buf_add_char(p->out, ',');
    }
    p->indent--;
    if (t->attrs)
        new_line(p);
    nk_buf_add_char(p->out, '}');
}

static void type(struct print *p, const struct cedar_schema_type *t)
{
    switch ((enum cedar_form)t->form) {
    case CEDAR_FORM_BOOL:
        add(p, "__cedar::Bool");
        return;
    case CEDAR_FORM_LONG:
        add(p, "__cedar::Long");
        return;
    case CEDAR_FORM_STRING:
        add(p, "__cedar::String");
        return;
    case CEDAR_FORM_SET:
        add(p, "Set<");
        type(p, t->element);
        nk_buf_add_char(p->out, '>');
        return;
    case CEDAR_FORM_RECORD:
        record(p, t);
        return;
    case CEDAR_FORM_EXTENSION:
        add(p, "__cedar::");
        break;
    case CEDAR_FORM_ENTITY:
        if (hidden(p, t->name))
            refuse(p, t->name, "as text this would mean the common type of the same name");
        break;
    case CEDAR_FORM_EITHER:
    case CEDAR_FORM_COMMON:
        break;
    }
    nk_buf_add(p->out, t->name);
}

static void refs(struct print *p, const struct cedar_schema_ref *list)
{
    nk_buf_add_char(p->out, '[');
    for (const struct cedar_schema_ref *ref = list; ref; ref = ref->next) {
        nk_buf_add(p->out, ref->name);
        if (ref->next)
            add(p, ", ");
    }
    nk_buf_add_char(p->out, ']');
}

static void ids(struct print *p, const struct cedar_schema_ref *list)
{
    nk_buf_add_char(p->out, '[');
    for (const struct cedar_schema_ref *ref = list; ref; ref = ref->next) {
        if (ref->name.p) {
            nk_buf_add(p->out, ref->name);
            add(p, "::");
        }
        quoted(p, ref->id);
        if (ref->next)
            add(p, ", ");
    }
    nk_buf_add_char(p->out, ']');
}

static void entity(struct print *p, const struct cedar_schema_entity *e)
{
    annotations(p, e->head.annotations);
    add(p, "entity ");
    nk_buf_add(p->out, e->head.name);
    if (e->is_enum) {
        add(p, " enum ");
        ids(p, e->choices);
    }
    if (e->parents) {
        add(p, " in ");
        refs(p, e->parents);
    }
    if (e->shape && e->shape->form != CEDAR_FORM_RECORD) {
        refuse(p, e->head.name, "as text the shape of an entity type cannot be a common type");
    } else if (e->shape && e->shape->n > 0) {
        add(p, " = ");
        record(p, e->shape);
    }
    if (e->tags) {
        add(p, " tags ");
        type(p, e->tags);
    }
    nk_buf_add_char(p->out, ';');
}

static void context(struct print *p, const struct cedar_schema_type *t)
{
    if (t->form != CEDAR_FORM_RECORD && t->form != CEDAR_FORM_EITHER &&
        t->form != CEDAR_FORM_COMMON)
        refuse(p, t->name, "as text a context is a record or a common type");
    type(p, t);
}

static void action(struct print *p, const struct cedar_schema_action *a)
{
    annotations(p, a->head.annotations);
    add(p, "action ");
    name_or_string(p, a->head.name);
    if (a->parents) {
        add(p, " in ");
        ids(p, a->parents);
    }
    if (a->principals && a->resources) {
        add(p, " appliesTo {");
        p->indent++;
        new_line(p);
        add(p, "principal: ");
        refs(p, a->principals);
        nk_buf_add_char(p->out, ',');
        new_line(p);
        add(p, "resource: ");
        refs(p, a->resources);
        if (a->context && (a->context->form != CEDAR_FORM_RECORD || a->context->n > 0)) {
            nk_buf_add_char(p->out, ',');
            new_line(p);
            add(p, "context: ");
            context(p, a->context);
        }
        p->indent--;
        new_line(p);
        nk_buf_add_char(p->out, '}');
    }
    nk_buf_add_char(p->out, ';');
}

static void declarations(struct print *p, const struct cedar_schema_space *s, bool first)
{
    for (const struct cedar_schema_common *c = s->commons; c; c = c->next, first = false) {
        if (!first)
            nk_buf_add_char(p->out, '\n');
        new_line(p);
        annotations(p, c->head.annotations);
        add(p, "type ");
        nk_buf_add(p->out, c->head.name);
        add(p, " = ");
        type(p, c->type);
        nk_buf_add_char(p->out, ';');
    }
    for (const struct cedar_schema_entity *e = s->entities; e; e = e->next, first = false) {
        if (!first)
            nk_buf_add_char(p->out, '\n');
        new_line(p);
        entity(p, e);
    }
    for (const struct cedar_schema_action *a = s->actions; a; a = a->next, first = false) {
        if (!first)
            nk_buf_add_char(p->out, '\n');
        new_line(p);
        action(p, a);
    }
}

int nk_cedar_schema_write(const struct nk_cedar_schema *s, struct nk_buf *out, struct nk_fault *f)
{
    struct print p = {.s = s, .out = out, .fault = f};
    bool first = true;
    for (const struct cedar_schema_space *space = s->spaces; space; space = space->next) {
        p.space = space->head.name;
        if (!first)
            new_line(&p);
        first = false;
        if (p.space.n == 0) {
            declarations(&p, space, true);
            continue;
        }
        annotations(&p, space->head.annotations);
        add(&p, "namespace ");
        nk_buf_add(out, p.space);
        add(&p, " {");
        p.indent++;
        declarations(&p, space, true);
        p.indent--;
        new_line(&p);
        nk_buf_add_char(out, '}');
    }
    nk_buf_add_char(out, '\n');
    return p.code;
}
