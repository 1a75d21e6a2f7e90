/* SPDX-License-Identifier: Apache-2.0
 *
 * schema_text.c - schemas as text (docs.cedarpolicy.com, "Human-readable schema format"), read with the
 * tokens and helpers of the policy parser:
 *
 *   schema    = {annotations ("namespace" path "{" {annotations decl} "}" | decl)}
 *   decl      = "entity" names ["in" types] [["="] "{" attrs "}"] ["tags" type] ";"
 *             | "entity" names "enum" "[" strings "]" ";"
 *             | "action" actions ["in" groups] ["appliesTo" "{" applies "}"] ["attributes" "{" "}"] ";"
 *             | "type" name "=" type ";"
 *   type      = path | "Set" "<" type ">" | "{" attrs "}"
 *   attr      = annotations (name | string) ["?"] ":" type
 *
 * A comma may stand behind the last attribute and the last part of `appliesTo`, nowhere else. Keywords are
 * words like all others where a name is expected. Namespaces cannot be opened twice.
 */
#include "cedar/parse.h"
#include "cedar/schema_ast.h"

#include "base/utf8.h"

struct text {
    struct cedar_parser p;
    struct cedar_schema_reading *r;
};

static void *new_item(struct text *t, size_t size)
{
    void *item = t->p.code ? NULL : nk_arena_alloc(t->p.arena, size);
    return item || t->p.code
               ? item
               : cedar_parse_fail(&t->p, NK_ENOMEM, t->p.token.offset, "out of memory");
}

/* Is the word free for a name? __cedar is, as a part of a path and as an attribute. */
static bool word_free(struct nk_str word)
{
    return cedar_name_free(word) || nk_str_eq(word, NK_STR("__cedar"));
}

static bool take_word(struct text *t, struct nk_str *out, const char *expected)
{
    *out = t->p.token.text;
    if (cedar_at(&t->p, CEDAR_IDENT) && !word_free(*out))
        return cedar_parse_unexpected(&t->p, "this word is reserved and cannot be a name");
    return cedar_need(&t->p, CEDAR_IDENT, expected);
}

/* The name of something that is declared here: no part of it may be __cedar. */
static bool take_declared(struct text *t, struct cedar_schema_head *head)
{
    head->span = cedar_token_span(&t->p);
    if (cedar_at_word(&t->p, NK_STR("__cedar")))
        return cedar_parse_unexpected(&t->p, "this word is reserved and cannot be a name");
    return take_word(t, &head->name, "expected a name");
}

/* A word, or a string. */
static bool take_name(struct text *t, struct nk_str *out, struct cedar_span *span)
{
    *span = cedar_token_span(&t->p);
    if (cedar_at(&t->p, CEDAR_QUOTED))
        return cedar_take_string(&t->p, out);
    return take_word(t, out, "expected a name, or a string in double quotes");
}

static bool join_path(struct text *t, struct nk_str *path, struct nk_str part)
{
    *path = nk_arena_join(t->p.arena, (struct nk_str[]){*path, NK_STR("::"), part}, 3);
    return path->p || cedar_parse_fail(&t->p, NK_ENOMEM, t->p.token.offset, "out of memory");
}

/* A::B; a string behind "::" is left at hand (*string is then set, if the caller takes one). */
static bool take_path(struct text *t, struct nk_str *out, struct cedar_span *span, bool *string)
{
    struct nk_str part;
    *span = cedar_token_span(&t->p);
    if (!take_word(t, out, "expected the name of a type"))
        return false;
    while (cedar_take(&t->p, CEDAR_PATH_SEP)) {
        if (string && cedar_at(&t->p, CEDAR_QUOTED)) {
            *string = true;
            return true;
        }
        span->end = cedar_token_span(&t->p).end;
        if (!take_word(t, &part, "expected a name behind '::'") || !join_path(t, out, part))
            return false;
        if (out->n > CEDAR_NAME)
            return cedar_parse_fail(&t->p, NK_ELIMIT, span->offset, "this name is too long");
    }
    return !t->p.code;
}

static bool annotations(struct text *t, const struct cedar_annotation **out)
{
    struct cedar_annotation *first = NULL, **tail = &first;
    for (unsigned n = 0; cedar_at(&t->p, '@'); n++) {
        struct cedar_annotation *item = new_item(t, sizeof *item);
        struct cedar_span at = cedar_token_span(&t->p);
        cedar_next(&t->p);
        if (!item || n == CEDAR_ANNOTATIONS)
            return cedar_parse_fail(&t->p, NK_ELIMIT, at.offset, "too many annotations");
        *item = (struct cedar_annotation){.name = t->p.token.text, .value = NK_STR("")};
        for (const struct cedar_annotation *other = first; other; other = other->next)
            if (nk_str_eq(other->name, item->name))
                return cedar_parse_fail(&t->p, NK_EINVAL, at.offset,
                                        "this annotation is there already");
        if (!cedar_need(&t->p, CEDAR_IDENT, "expected an annotation's name"))
            return false;
        item->has_value = cedar_take(&t->p, '(');
        if (item->has_value &&
            (!cedar_take_string(&t->p, &item->value) || !cedar_need(&t->p, ')', "expected ')'")))
            return false;
        item->span = (struct cedar_span){at.offset, (uint32_t)t->p.token.offset};
        *tail = item;
        tail = &item->next;
    }
    *out = first;
    return !t->p.code;
}

/* The mark '?' behind an attribute's name, which is the token at hand; policies have no such sign, and
 * their lexer does not read it. */
static bool skip_mark(struct text *t)
{
    struct cedar_lexer ahead = t->p.lexer;
    struct cedar_token token;
    if (cedar_lex(&ahead, &token) || ahead.at >= ahead.text.n || ahead.text.p[ahead.at] != '?')
        return false;
    t->p.lexer.at = ahead.at + 1;
    return true;
}

static struct cedar_schema_type *type(struct text *t);

static bool attribute(struct text *t, struct cedar_schema_attr *attr)
{
    if (!annotations(t, &attr->annotations))
        return false;
    if (cedar_at(&t->p, CEDAR_IDENT) || cedar_at(&t->p, CEDAR_QUOTED)) {
        struct cedar_span span = cedar_token_span(&t->p);
        attr->optional = skip_mark(t);
        if (!take_name(t, &attr->name, &attr->span))
            return false;
        attr->span = span;
    } else {
        return cedar_parse_unexpected(&t->p, "expected an attribute's name or '}'");
    }
    if (!cedar_need(&t->p, ':', "expected ':' and a type"))
        return false;
    attr->type = type(t);
    return attr->type != NULL;
}

/* Attributes up to the brace; the opening one is taken. */
static bool record(struct text *t, struct cedar_schema_type *out)
{
    struct cedar_schema_attr **tail = &out->attrs;
    out->form = CEDAR_FORM_RECORD;
    if (!cedar_at(&t->p, '}'))
        do {
            struct cedar_schema_attr *attr = new_item(t, sizeof *attr);
            if (!attr || !attribute(t, attr))
                return false;
            *tail = attr;
            tail = &attr->next;
            out->n++;
        } while (cedar_take(&t->p, ',') && !cedar_at(&t->p, '}'));
    out->span.end = (uint32_t)t->p.lexer.at;
    return cedar_need(&t->p, '}', "expected ',' or '}'");
}

static bool set(struct text *t, struct cedar_schema_type *out)
{
    out->form = CEDAR_FORM_SET;
    out->element = type(t);
    out->span.end = (uint32_t)t->p.lexer.at;
    return out->element && cedar_need(&t->p, '>', "expected '>'");
}

static bool type_body(struct text *t, struct cedar_schema_type *out)
{
    struct cedar_parser before = t->p;
    if (cedar_take(&t->p, '{'))
        return record(t, out);
    if (cedar_take_word(&t->p, NK_STR("Set"))) {
        if (cedar_take(&t->p, '<'))
            return set(t, out);
        if (t->p.code)
            return false;
        t->p = before;
    }
    out->form = CEDAR_FORM_EITHER;
    return take_path(t, &out->name, &out->span, NULL);
}

static struct cedar_schema_type *type(struct text *t)
{
    struct cedar_schema_type *out = new_item(t, sizeof *out);
    if (!out)
        return NULL;
    if (t->p.depth == CEDAR_SCHEMA_DEPTH)
        return cedar_parse_fail(&t->p, NK_ELIMIT, t->p.token.offset,
                                "this type is nested too deeply");
    out->span = cedar_token_span(&t->p);
    t->p.depth++;
    bool good = type_body(t, out);
    t->p.depth--;
    return good ? out : NULL;
}

static struct cedar_schema_ref *add_ref(struct text *t, struct cedar_schema_ref ***tail)
{
    struct cedar_schema_ref *ref = new_item(t, sizeof *ref);
    if (ref) {
        **tail = ref;
        *tail = &ref->next;
    }
    return ref;
}

/* A type, or [types]; the list may be empty. */
static bool types(struct text *t, struct cedar_schema_ref **out)
{
    bool list = cedar_take(&t->p, '[');
    if (list && cedar_take(&t->p, ']'))
        return true;
    do {
        struct cedar_schema_ref *ref = add_ref(t, &out);
        if (!ref || !take_path(t, &ref->name, &ref->span, NULL))
            return false;
    } while (list && cedar_take(&t->p, ','));
    return !list || cedar_need(&t->p, ']', "expected ',' or ']'");
}

static bool choices(struct text *t, struct cedar_schema_ref **out)
{
    if (!cedar_need(&t->p, '[', "expected '[' and the ids"))
        return false;
    do {
        struct cedar_schema_ref *ref = add_ref(t, &out);
        if (!ref)
            return false;
        ref->span = cedar_token_span(&t->p);
        if (!cedar_take_string(&t->p, &ref->id))
            return false;
    } while (cedar_take(&t->p, ','));
    return cedar_need(&t->p, ']', "expected ',' or ']'");
}

static bool entity_body(struct text *t, struct cedar_schema_entity *e)
{
    if (cedar_take_word(&t->p, NK_STR("enum"))) {
        e->is_enum = true;
        return choices(t, &e->choices) && cedar_need(&t->p, ';', "expected ';'");
    }
    if (cedar_take_word(&t->p, NK_STR("in")) && !types(t, &e->parents))
        return false;
    bool equals = cedar_take(&t->p, '=');
    if (equals || cedar_at(&t->p, '{')) {
        struct cedar_span span = cedar_token_span(&t->p);
        e->shape = new_item(t, sizeof *e->shape);
        if (!e->shape || !cedar_need(&t->p, '{', "expected '{'"))
            return false;
        e->shape->span = span;
        if (!record(t, e->shape))
            return false;
    }
    if (cedar_take_word(&t->p, NK_STR("tags")) && !(e->tags = type(t)))
        return false;
    return cedar_need(&t->p, ';', "expected 'in', '{', 'tags', 'enum' or ';'");
}

/* entity A, B …: every name gets a declaration of its own, and they share what follows. */
static bool entities(struct text *t, struct cedar_schema_space *space,
                     const struct cedar_annotation *notes)
{
    struct cedar_schema_entity *first = NULL, body = {0};
    do {
        struct cedar_schema_entity *e = new_item(t, sizeof *e);
        if (!e || !take_declared(t, &e->head))
            return false;
        e->head.annotations = notes;
        *space->entities_tail = e;
        space->entities_tail = &e->next;
        first = first ? first : e;
    } while (cedar_take(&t->p, ','));
    if (t->p.code || !entity_body(t, &body))
        return false;
    for (struct cedar_schema_entity *e = first; e; e = e->next) {
        body.head = e->head;
        body.next = e->next;
        *e = body;
    }
    return true;
}

/* name, "name", or Type::"name" */
static bool group(struct text *t, struct cedar_schema_ref *ref)
{
    bool string = false;
    if (cedar_at(&t->p, CEDAR_QUOTED))
        return take_name(t, &ref->id, &ref->span);
    if (!take_path(t, &ref->name, &ref->span, &string))
        return false;
    if (string) {
        ref->span.end = (uint32_t)t->p.lexer.at;
        return cedar_take_string(&t->p, &ref->id);
    }
    if (nk_str_search(ref->name, NK_STR("::")) >= 0)
        return cedar_parse_unexpected(&t->p, "expected '::' and the action's name in quotes");
    ref->id = ref->name;
    ref->name = (struct nk_str){NULL, 0};
    return true;
}

static bool groups(struct text *t, struct cedar_schema_action *a)
{
    struct cedar_schema_ref **tail = &a->parents;
    bool list = cedar_take(&t->p, '[');
    a->has_parents = true;
    do {
        struct cedar_schema_ref *ref = add_ref(t, &tail);
        if (!ref || !group(t, ref))
            return false;
    } while (list && cedar_take(&t->p, ','));
    return !list || cedar_need(&t->p, ']', "expected ',' or ']'");
}

static bool applies_to_types(struct text *t, struct cedar_schema_ref **out)
{
    struct cedar_span span = cedar_token_span(&t->p);
    if (*out)
        return cedar_parse_unexpected(&t->p, "this is said twice");
    cedar_next(&t->p);
    if (!cedar_need(&t->p, ':', "expected ':'") || !types(t, out))
        return false;
    return *out || cedar_parse_fail(&t->p, NK_EINVAL, span.offset,
                                    "at least one type must stand here; an action that applies to "
                                    "nothing has no appliesTo");
}

static bool context(struct text *t, struct cedar_schema_action *a)
{
    if (a->context)
        return cedar_parse_unexpected(&t->p, "this is said twice");
    cedar_next(&t->p);
    if (!cedar_need(&t->p, ':', "expected ':'"))
        return false;
    a->context = new_item(t, sizeof *a->context);
    if (!a->context)
        return false;
    a->context->span = cedar_token_span(&t->p);
    if (cedar_take(&t->p, '{'))
        return record(t, a->context);
    a->context->form = CEDAR_FORM_COMMON;
    return take_path(t, &a->context->name, &a->context->span, NULL);
}

static bool applies(struct text *t, struct cedar_schema_action *a)
{
    struct cedar_span span = cedar_token_span(&t->p);
    a->has_applies = true;
    if (!cedar_need(&t->p, '{', "expected '{'"))
        return false;
    do {
        bool good = cedar_at_word(&t->p, NK_STR("principal"))  ? applies_to_types(t, &a->principals)
                    : cedar_at_word(&t->p, NK_STR("resource")) ? applies_to_types(t, &a->resources)
                    : cedar_at_word(&t->p, NK_STR("context"))
                        ? context(t, a)
                        : cedar_parse_unexpected(
                              &t->p, "expected 'principal', 'resource' or 'context'") != NULL;
        if (!good)
            return false;
    } while (cedar_take(&t->p, ',') && !cedar_at(&t->p, '}'));
    if (!cedar_need(&t->p, '}', "expected ',' or '}'"))
        return false;
    return (a->principals && a->resources) ||
           cedar_parse_fail(&t->p, NK_EINVAL, span.offset,
                            "appliesTo needs both principal and resource");
}

static bool action_body(struct text *t, struct cedar_schema_action *a)
{
    if (cedar_take_word(&t->p, NK_STR("in")) && !groups(t, a))
        return false;
    if (cedar_take_word(&t->p, NK_STR("appliesTo")) && !applies(t, a))
        return false;
    if (cedar_take_word(&t->p, NK_STR("attributes")) &&
        (!cedar_need(&t->p, '{', "expected '{'") ||
         !cedar_need(&t->p, '}', "actions have no attributes: expected '}'")))
        return false;
    return cedar_need(&t->p, ';', "expected 'in', 'appliesTo' or ';'");
}

static bool actions(struct text *t, struct cedar_schema_space *space,
                    const struct cedar_annotation *notes)
{
    struct cedar_schema_action *first = NULL, body = {0};
    do {
        struct cedar_schema_action *a = new_item(t, sizeof *a);
        if (!a || !take_name(t, &a->head.name, &a->head.span))
            return false;
        a->head.annotations = notes;
        *space->actions_tail = a;
        space->actions_tail = &a->next;
        first = first ? first : a;
    } while (cedar_take(&t->p, ','));
    if (t->p.code || !action_body(t, &body))
        return false;
    body.has_applies = true; /* JSON says it always: to nothing, if nothing is written */
    for (struct cedar_schema_action *a = first; a; a = a->next) {
        body.head = a->head;
        body.next = a->next;
        *a = body;
    }
    return true;
}

static bool common(struct text *t, struct cedar_schema_space *space,
                   const struct cedar_annotation *notes)
{
    struct cedar_schema_common *c = new_item(t, sizeof *c);
    if (!c || !take_declared(t, &c->head))
        return false;
    if (!cedar_schema_common_ok(c->head.name))
        return cedar_parse_fail(&t->p, NK_EINVAL, c->head.span.offset,
                                "this name belongs to a type of the language");
    c->head.annotations = notes;
    if (!cedar_need(&t->p, '=', "expected '='"))
        return false;
    c->type = type(t);
    if (!c->type)
        return false;
    *space->commons_tail = c;
    space->commons_tail = &c->next;
    return cedar_need(&t->p, ';', "expected ';'");
}

static bool declaration(struct text *t, struct cedar_schema_space *space,
                        const struct cedar_annotation *notes)
{
    if (cedar_take_word(&t->p, NK_STR("entity")))
        return entities(t, space, notes);
    if (cedar_take_word(&t->p, NK_STR("action")))
        return actions(t, space, notes);
    if (cedar_take_word(&t->p, NK_STR("type")))
        return common(t, space, notes);
    return cedar_parse_unexpected(&t->p, "expected 'entity', 'action' or 'type'");
}

static bool namespace(struct text *t, const struct cedar_annotation *notes)
{
    struct cedar_schema_head head = {.annotations = notes};
    const struct cedar_annotation *inner;
    if (!take_path(t, &head.name, &head.span, NULL))
        return false;
    if (cedar_schema_path_reserved(head.name))
        return cedar_parse_fail(&t->p, NK_EINVAL, head.span.offset, "this name is reserved");
    struct cedar_schema_space *space = cedar_schema_space_new(t->r, head.name);
    if (!space)
        return cedar_parse_fail(&t->p, NK_ENOMEM, head.span.offset, "out of memory");
    space->head = head;
    if (!cedar_need(&t->p, '{', "expected '{'"))
        return false;
    while (!t->p.code && !cedar_take(&t->p, '}'))
        if (!annotations(t, &inner) || !declaration(t, space, inner))
            return false;
    return !t->p.code;
}

/* Declarations outside of a namespace make one, the empty one, wherever they stand. */
static struct cedar_schema_space *outside(struct text *t)
{
    for (struct cedar_schema_space *s = t->r->spaces; s; s = s->next)
        if (s->head.name.n == 0)
            return s;
    struct cedar_schema_space *space = cedar_schema_space_new(t->r, NK_STR(""));
    return space ? space : cedar_parse_fail(&t->p, NK_ENOMEM, t->p.token.offset, "out of memory");
}

static void schema(struct text *t)
{
    const struct cedar_annotation *notes;
    struct cedar_schema_space *empty = NULL;
    cedar_next(&t->p);
    while (!t->p.code && !cedar_at(&t->p, CEDAR_END)) {
        if (!annotations(t, &notes))
            return;
        if (cedar_take_word(&t->p, NK_STR("namespace"))) {
            if (!namespace(t, notes))
                return;
            continue;
        }
        empty = empty ? empty : outside(t);
        if (!empty || !declaration(t, empty, notes))
            return;
    }
}

int cedar_schema_read_text(struct cedar_schema_reading *r)
{
    struct nk_fault fault = {0};
    struct text t = {.p = {.lexer = {.text = r->text}, .arena = r->arena, .fault = &fault}, .r = r};
    size_t valid = nk_utf8_check(r->text);
    if (valid < r->text.n)
        cedar_parse_fail(&t.p, NK_EINVAL, valid, "the text is not UTF-8 here");
    schema(&t);
    if (t.p.code)
        nk_cedar_diags_syntax(r->diags, r->text, &fault);
    return t.p.code;
}
