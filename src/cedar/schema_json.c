/* SPDX-License-Identifier: Apache-2.0
 *
 * schema_json.c - schemas as JSON (docs.cedarpolicy.com, "JSON schema format"). Strict: a member that means
 * nothing where it stands is refused, as the reference does, because a word that is mistyped must not
 * silently widen what a schema allows.
 */
#include "cedar/schema_ast.h"

#include "cedar/lexer.h"

enum { JSON_DEPTH = 4 * CEDAR_SCHEMA_DEPTH, JSON_VALUES = (1 << 27) - 1 };

struct reader {
    struct cedar_schema_reading *r;
    struct nk_json doc;
    unsigned depth;
};

static int wrong(struct reader *j, uint32_t at, const char *why)
{
    struct nk_str args[NK_CEDAR_DIAG_ARGS] = {nk_str(why)};
    struct cedar_span span = {0, 0};
    if (at < j->doc.n)
        span = (struct cedar_span){j->doc.tape[at].start, j->doc.tape[at].end};
    return cedar_schema_wrong(j->r, NK_CEDAR_DIAG_FORM, span, args);
}

static int no_memory(struct reader *j)
{
    (void)cedar_schema_wrong(j->r, NK_CEDAR_DIAG_MEMORY, (struct cedar_span){0, 0}, NULL);
    return NK_ENOMEM;
}

static struct cedar_span span_of(const struct reader *j, uint32_t at)
{
    return (struct cedar_span){j->doc.tape[at].start, j->doc.tape[at].end};
}

static int text_of(struct reader *j, uint32_t at, struct nk_str *out)
{
    if (nk_json_type(&j->doc, at) != NK_JSON_STRING)
        return wrong(j, at, "a string must stand here");
    *out = nk_json_string(&j->doc, at, j->r->arena);
    return out->p ? 0 : no_memory(j);
}

static bool is_null(const struct reader *j, uint32_t at)
{
    return nk_json_type(&j->doc, at) == NK_JSON_NULL;
}

/* Only the members of `names` (NULL at the end) may be there. */
static int only(struct reader *j, uint32_t at, const char *const *names, const char *what)
{
    if (nk_json_type(&j->doc, at) != NK_JSON_OBJECT)
        return wrong(j, at, what);
    for (uint32_t name = nk_json_first(&j->doc, at); name != NK_JSON_NONE;
         name = nk_json_next(&j->doc, at, name)) {
        const char *const *known = names;
        while (*known && !nk_json_is(&j->doc, name, nk_str(*known)))
            known++;
        if (!*known)
            return wrong(j, name, "there is no such member here");
    }
    return 0;
}

static uint32_t get(const struct reader *j, uint32_t at, const char *name)
{
    return nk_json_get(&j->doc, at, nk_str(name));
}

static bool word_ok(struct nk_str word)
{
    struct cedar_lexer l = {.text = word};
    struct cedar_token token;
    return word.n > 0 && cedar_lex(&l, &token) && token.kind == CEDAR_IDENT &&
           token.text.n == word.n;
}

/* A declared name: one word, not reserved. */
static int declared(struct reader *j, uint32_t at, struct cedar_schema_head *head)
{
    int rc = text_of(j, at, &head->name);
    if (rc)
        return rc;
    head->span = span_of(j, at);
    if (!word_ok(head->name) || !cedar_name_free(head->name))
        return wrong(j, at, "this cannot be the name of a type");
    return 0;
}

static int path_of(struct reader *j, uint32_t at, struct nk_str *out)
{
    int rc = text_of(j, at, out);
    if (rc)
        return rc;
    return cedar_schema_path_ok(*out) ? 0 : wrong(j, at, "this cannot be the name of a type");
}

static int one_annotation(struct reader *j, uint32_t name, struct cedar_annotation **out)
{
    struct cedar_annotation *item = nk_arena_alloc(j->r->arena, sizeof *item);
    if (!item)
        return no_memory(j);
    *item = (struct cedar_annotation){.span = span_of(j, name), .value = NK_STR("")};
    *out = item;
    int rc = text_of(j, name, &item->name);
    if (rc)
        return rc;
    if (!word_ok(item->name))
        return wrong(j, name, "this cannot be the name of an annotation");
    item->has_value = !is_null(j, name + 1);
    return item->has_value ? text_of(j, name + 1, &item->value) : 0;
}

static int annotations(struct reader *j, uint32_t at, const struct cedar_annotation **out)
{
    struct cedar_annotation *first = NULL, **tail = &first;
    int rc = 0;
    *out = NULL;
    if (at == NK_JSON_NONE)
        return 0;
    if (nk_json_type(&j->doc, at) != NK_JSON_OBJECT || j->doc.tape[at].count > CEDAR_ANNOTATIONS)
        return wrong(j, at, "annotations are an object of at most 256 names");
    for (uint32_t name = nk_json_first(&j->doc, at); !rc && name != NK_JSON_NONE;
         name = nk_json_next(&j->doc, at, name)) {
        rc = one_annotation(j, name, tail);
        tail = rc ? tail : &(*tail)->next;
    }
    *out = first;
    return rc;
}

static int type(struct reader *j, uint32_t at, bool attribute, struct cedar_schema_type **out);

static int attribute(struct reader *j, uint32_t name, struct cedar_schema_attr *attr)
{
    uint32_t at = name + 1, required = get(j, at, "required");
    int rc = text_of(j, name, &attr->name);
    attr->span = span_of(j, name);
    if (!rc)
        rc = type(j, at, true, &attr->type);
    if (!rc)
        rc = annotations(j, get(j, at, "annotations"), &attr->annotations);
    if (rc || required == NK_JSON_NONE)
        return rc;
    enum nk_json_type kind = nk_json_type(&j->doc, required);
    attr->optional = kind == NK_JSON_FALSE;
    return kind == NK_JSON_FALSE || kind == NK_JSON_TRUE
               ? 0
               : wrong(j, required, "required is true or false");
}

static int record(struct reader *j, uint32_t at, struct cedar_schema_type *out)
{
    uint32_t attrs = get(j, at, "attributes"), more = get(j, at, "additionalAttributes");
    struct cedar_schema_attr **tail = &out->attrs;
    int rc = 0;
    out->form = CEDAR_FORM_RECORD;
    if (more != NK_JSON_NONE && nk_json_type(&j->doc, more) != NK_JSON_FALSE)
        return wrong(j, more, "records with further attributes are not part of the language");
    if (nk_json_type(&j->doc, attrs) != NK_JSON_OBJECT)
        return wrong(j, attrs == NK_JSON_NONE ? at : attrs,
                     "a record needs an object `attributes`");
    for (uint32_t name = nk_json_first(&j->doc, attrs); !rc && name != NK_JSON_NONE;
         name = nk_json_next(&j->doc, attrs, name)) {
        struct cedar_schema_attr *attr = nk_arena_alloc(j->r->arena, sizeof *attr);
        if (!attr)
            return no_memory(j);
        *tail = attr;
        tail = &attr->next;
        out->n++;
        rc = attribute(j, name, attr);
    }
    return rc;
}

static int set(struct reader *j, uint32_t at, struct cedar_schema_type *out)
{
    uint32_t element = get(j, at, "element");
    out->form = CEDAR_FORM_SET;
    if (element == NK_JSON_NONE)
        return wrong(j, at, "a set needs the type of its elements, `element`");
    return type(j, element, false, &out->element);
}

static int named(struct reader *j, uint32_t at, struct cedar_schema_type *out)
{
    uint32_t name = get(j, at, "name");
    if (name == NK_JSON_NONE)
        return wrong(j, at, "`name` is missing");
    int rc = path_of(j, name, &out->name);
    if (rc || out->form != CEDAR_FORM_EXTENSION)
        return rc;
    return word_ok(out->name) ? 0 : wrong(j, name, "there is no such extension type");
}

/* What a type may be called in `type`, and the members that belong to it. */
static const struct form {
    const char *name;
    enum cedar_form form;
    const char *members[3];
} forms[] = {
    {"String", CEDAR_FORM_STRING, {NULL}},
    {"Long", CEDAR_FORM_LONG, {NULL}},
    {"Boolean", CEDAR_FORM_BOOL, {NULL}},
    {"Set", CEDAR_FORM_SET, {"element"}},
    {"Record", CEDAR_FORM_RECORD, {"attributes", "additionalAttributes"}},
    {"Entity", CEDAR_FORM_ENTITY, {"name"}},
    {"EntityOrCommon", CEDAR_FORM_EITHER, {"name"}},
    {"Extension", CEDAR_FORM_EXTENSION, {"name"}},
};

static int type_body(struct reader *j, uint32_t at, const struct form *f,
                     struct cedar_schema_type *out)
{
    switch (f ? f->form : CEDAR_FORM_COMMON) {
    case CEDAR_FORM_SET:
        return set(j, at, out);
    case CEDAR_FORM_RECORD:
        return record(j, at, out);
    case CEDAR_FORM_COMMON:
        out->form = CEDAR_FORM_COMMON;
        return path_of(j, get(j, at, "type"), &out->name);
    case CEDAR_FORM_BOOL:
    case CEDAR_FORM_LONG:
    case CEDAR_FORM_STRING:
        out->form = (uint8_t)f->form;
        return 0;
    case CEDAR_FORM_ENTITY:
    case CEDAR_FORM_EITHER:
    case CEDAR_FORM_EXTENSION:
        break;
    }
    out->form = (uint8_t)f->form;
    return named(j, at, out);
}

/* `more`: what else may stand in the same object (`required`, `annotations`). */
static int type(struct reader *j, uint32_t at, bool attribute, struct cedar_schema_type **out)
{
    const char *names[6] = {"type", "annotations"};
    size_t n = 2, i = 0;
    uint32_t kind = get(j, at, "type");
    struct cedar_schema_type *own = nk_arena_alloc(j->r->arena, sizeof *own);
    if (!own)
        return no_memory(j);
    *out = own;
    if (nk_json_type(&j->doc, at) != NK_JSON_OBJECT || kind == NK_JSON_NONE ||
        nk_json_type(&j->doc, kind) != NK_JSON_STRING)
        return wrong(j, at, "a type is an object with `type`");
    if (j->depth == CEDAR_SCHEMA_DEPTH)
        return wrong(j, at, "this type is nested too deeply");
    own->span = span_of(j, at);
    while (i < NK_COUNT(forms) && !nk_json_is(&j->doc, kind, nk_str(forms[i].name)))
        i++;
    if (!attribute)
        names[--n] = NULL;
    else
        names[n++] = "required";
    for (size_t k = 0; i < NK_COUNT(forms) && forms[i].members[k]; k++)
        names[n++] = forms[i].members[k];
    int rc = only(j, at, names, "a type is an object");
    j->depth++;
    if (!rc)
        rc = type_body(j, at, i < NK_COUNT(forms) ? &forms[i] : NULL, own);
    j->depth--;
    return rc;
}

static int paths(struct reader *j, uint32_t at, struct cedar_schema_ref **out)
{
    int rc = 0;
    if (at == NK_JSON_NONE)
        return 0;
    if (nk_json_type(&j->doc, at) != NK_JSON_ARRAY)
        return wrong(j, at, "a list of types must stand here");
    for (uint32_t item = nk_json_first(&j->doc, at); !rc && item != NK_JSON_NONE;
         item = nk_json_next(&j->doc, at, item)) {
        struct cedar_schema_ref *ref = nk_arena_alloc(j->r->arena, sizeof *ref);
        if (!ref)
            return no_memory(j);
        ref->span = span_of(j, item);
        rc = path_of(j, item, &ref->name);
        *out = ref;
        out = &ref->next;
    }
    return rc;
}

static int choices(struct reader *j, uint32_t at, struct cedar_schema_ref **out)
{
    int rc = 0;
    if (nk_json_type(&j->doc, at) != NK_JSON_ARRAY || j->doc.tape[at].count == 0)
        return wrong(j, at, "`enum` is a list of at least one id");
    for (uint32_t item = nk_json_first(&j->doc, at); !rc && item != NK_JSON_NONE;
         item = nk_json_next(&j->doc, at, item)) {
        struct cedar_schema_ref *ref = nk_arena_alloc(j->r->arena, sizeof *ref);
        if (!ref)
            return no_memory(j);
        ref->span = span_of(j, item);
        rc = text_of(j, item, &ref->id);
        *out = ref;
        out = &ref->next;
    }
    return rc;
}

static int entity(struct reader *j, uint32_t name, struct cedar_schema_entity *e)
{
    static const char *const of_enum[] = {"enum", "annotations", NULL};
    static const char *const of_other[] = {"memberOfTypes", "shape", "tags", "annotations", NULL};
    uint32_t at = name + 1;
    uint32_t shape = get(j, at, "shape"), tags = get(j, at, "tags"), list = get(j, at, "enum");
    int rc = declared(j, name, &e->head);
    e->is_enum = list != NK_JSON_NONE;
    if (!rc)
        rc = only(j, at, e->is_enum ? of_enum : of_other, "an entity type is an object");
    if (!rc)
        rc = annotations(j, get(j, at, "annotations"), &e->head.annotations);
    if (!rc && e->is_enum)
        return choices(j, list, &e->choices);
    if (!rc)
        rc = paths(j, get(j, at, "memberOfTypes"), &e->parents);
    if (!rc && shape != NK_JSON_NONE)
        rc = type(j, shape, false, &e->shape);
    if (!rc && tags != NK_JSON_NONE)
        rc = type(j, tags, false, &e->tags);
    return rc;
}

static int group(struct reader *j, uint32_t at, struct cedar_schema_ref *ref)
{
    static const char *const members[] = {"id", "type", NULL};
    uint32_t id = get(j, at, "id"), name = get(j, at, "type");
    int rc = only(j, at, members, "a group is {\"id\": …} or {\"type\": …, \"id\": …}");
    ref->span = span_of(j, at);
    if (!rc && id == NK_JSON_NONE)
        return wrong(j, at, "`id` is missing");
    if (!rc)
        rc = text_of(j, id, &ref->id);
    return rc || name == NK_JSON_NONE || is_null(j, name) ? rc : path_of(j, name, &ref->name);
}

static int groups(struct reader *j, uint32_t at, struct cedar_schema_action *a)
{
    struct cedar_schema_ref **tail = &a->parents;
    int rc = 0;
    if (at == NK_JSON_NONE || is_null(j, at))
        return 0;
    a->has_parents = true;
    if (nk_json_type(&j->doc, at) != NK_JSON_ARRAY)
        return wrong(j, at, "`memberOf` is a list");
    for (uint32_t item = nk_json_first(&j->doc, at); !rc && item != NK_JSON_NONE;
         item = nk_json_next(&j->doc, at, item)) {
        struct cedar_schema_ref *ref = nk_arena_alloc(j->r->arena, sizeof *ref);
        if (!ref)
            return no_memory(j);
        rc = group(j, item, ref);
        *tail = ref;
        tail = &ref->next;
    }
    return rc;
}

static int applies(struct reader *j, uint32_t at, struct cedar_schema_action *a)
{
    static const char *const members[] = {"principalTypes", "resourceTypes", "context", NULL};
    if (at == NK_JSON_NONE || is_null(j, at))
        return 0;
    a->has_applies = true;
    uint32_t principals = get(j, at, "principalTypes"), resources = get(j, at, "resourceTypes");
    uint32_t context = get(j, at, "context");
    int rc = only(j, at, members, "`appliesTo` is an object");
    if (!rc && (principals == NK_JSON_NONE || resources == NK_JSON_NONE))
        return wrong(j, at, "`appliesTo` needs both principalTypes and resourceTypes");
    if (!rc)
        rc = paths(j, principals, &a->principals);
    if (!rc)
        rc = paths(j, resources, &a->resources);
    return rc || context == NK_JSON_NONE ? rc : type(j, context, false, &a->context);
}

static int action(struct reader *j, uint32_t name, struct cedar_schema_action *a)
{
    static const char *const members[] = {"attributes", "appliesTo", "memberOf", "annotations",
                                          NULL};
    uint32_t at = name + 1, attributes = get(j, at, "attributes");
    int rc = text_of(j, name, &a->head.name);
    a->head.span = span_of(j, name);
    if (!rc)
        rc = only(j, at, members, "an action is an object");
    if (!rc && attributes != NK_JSON_NONE && !is_null(j, attributes))
        return wrong(j, attributes, "actions have no attributes");
    if (!rc)
        rc = annotations(j, get(j, at, "annotations"), &a->head.annotations);
    if (!rc)
        rc = groups(j, get(j, at, "memberOf"), a);
    return rc ? rc : applies(j, get(j, at, "appliesTo"), a);
}

static int common(struct reader *j, uint32_t name, struct cedar_schema_common *c)
{
    int rc = declared(j, name, &c->head);
    if (!rc && !cedar_schema_common_ok(c->head.name))
        return wrong(j, name, "this name belongs to a type of the language");
    if (!rc)
        rc = annotations(j, get(j, name + 1, "annotations"), &c->head.annotations);
    if (rc)
        return rc;
    return type(j, name + 1, true, &c->type);
}

static int commons(struct reader *j, uint32_t at, struct cedar_schema_space *space)
{
    int rc = 0;
    if (at == NK_JSON_NONE)
        return 0;
    if (nk_json_type(&j->doc, at) != NK_JSON_OBJECT)
        return wrong(j, at, "`commonTypes` is an object");
    for (uint32_t name = nk_json_first(&j->doc, at); !rc && name != NK_JSON_NONE;
         name = nk_json_next(&j->doc, at, name)) {
        struct cedar_schema_common *c = nk_arena_alloc(j->r->arena, sizeof *c);
        if (!c)
            return no_memory(j);
        *space->commons_tail = c;
        space->commons_tail = &c->next;
        rc = common(j, name, c);
        if (!rc && get(j, name + 1, "required") != NK_JSON_NONE)
            rc = wrong(j, name + 1, "only an attribute has `required`");
    }
    return rc;
}

static int entities(struct reader *j, uint32_t at, struct cedar_schema_space *space)
{
    int rc = 0;
    if (nk_json_type(&j->doc, at) != NK_JSON_OBJECT)
        return wrong(j, at, "`entityTypes` is an object");
    for (uint32_t name = nk_json_first(&j->doc, at); !rc && name != NK_JSON_NONE;
         name = nk_json_next(&j->doc, at, name)) {
        struct cedar_schema_entity *e = nk_arena_alloc(j->r->arena, sizeof *e);
        if (!e)
            return no_memory(j);
        *space->entities_tail = e;
        space->entities_tail = &e->next;
        rc = entity(j, name, e);
    }
    return rc;
}

static int actions(struct reader *j, uint32_t at, struct cedar_schema_space *space)
{
    int rc = 0;
    if (nk_json_type(&j->doc, at) != NK_JSON_OBJECT)
        return wrong(j, at, "`actions` is an object");
    for (uint32_t name = nk_json_first(&j->doc, at); !rc && name != NK_JSON_NONE;
         name = nk_json_next(&j->doc, at, name)) {
        struct cedar_schema_action *a = nk_arena_alloc(j->r->arena, sizeof *a);
        if (!a)
            return no_memory(j);
        *space->actions_tail = a;
        space->actions_tail = &a->next;
        rc = action(j, name, a);
    }
    return rc;
}

static int space(struct reader *j, uint32_t name)
{
    static const char *const members[] = {"commonTypes", "entityTypes", "actions", "annotations",
                                          NULL};
    uint32_t at = name + 1, types = get(j, at, "entityTypes"), acts = get(j, at, "actions");
    struct nk_str text;
    int rc = text_of(j, name, &text);
    if (!rc && text.n > 0 && (!cedar_schema_path_ok(text) || cedar_schema_path_reserved(text)))
        return wrong(j, name, "this cannot be the name of a namespace");
    if (!rc)
        rc = only(j, at, members, "a namespace is an object");
    if (!rc && (types == NK_JSON_NONE || acts == NK_JSON_NONE))
        return wrong(j, at, "a namespace needs `entityTypes` and `actions`");
    struct cedar_schema_space *own = rc ? NULL : cedar_schema_space_new(j->r, text);
    if (!own)
        return rc ? rc : no_memory(j);
    own->head.span = span_of(j, name);
    rc = annotations(j, get(j, at, "annotations"), &own->head.annotations);
    if (!rc && own->head.annotations && text.n == 0)
        return wrong(j, name, "the empty namespace has no annotations");
    if (!rc)
        rc = commons(j, get(j, at, "commonTypes"), own);
    if (!rc)
        rc = entities(j, types, own);
    return rc ? rc : actions(j, acts, own);
}

int cedar_schema_read_json(struct cedar_schema_reading *r)
{
    static const struct nk_json_limits limits = {CEDAR_SCHEMA_TEXT, JSON_DEPTH, JSON_VALUES};
    struct reader j = {.r = r};
    struct nk_fault fault = {0};
    int rc = nk_json_parse_any_name(&limits, r->text, r->arena, &j.doc, &fault);
    if (rc) {
        nk_cedar_diags_syntax(r->diags, r->text, &fault);
        return rc;
    }
    if (nk_json_type(&j.doc, 0) != NK_JSON_OBJECT)
        return wrong(&j, 0, "a schema is an object of namespaces");
    for (uint32_t name = nk_json_first(&j.doc, 0); !rc && name != NK_JSON_NONE;
         name = nk_json_next(&j.doc, 0, name))
        rc = space(&j, name);
    return rc;
}
