/* SPDX-License-Identifier: Apache-2.0
 *
 * engine.c - the installed header (include/nakoso.h) over the cedar module: texts are copied, limits are the
 * arenas' ceilings, and the codes are those of base/error.h under their public names.
 */
#include "nakoso.h"

#include <stdlib.h>
#include <string.h>
#include "cedar/schema.h"
#include "cedar/template.h"

enum { JSON_DEPTH = 256, JSON_VALUES = 1 << 22, DIAGS_MAX = 16 };

_Static_assert((int)NK_ENGINE_INVALID == (int)NK_EINVAL && (int)NK_ENGINE_LIMIT == (int)NK_ELIMIT &&
                   (int)NK_ENGINE_MEMORY == (int)NK_ENOMEM &&
                   (int)NK_ENGINE_MISSING == (int)NK_ENOTFOUND &&
                   (int)NK_ENGINE_CONFLICT == (int)NK_ECONFLICT,
               "the codes that the header names are those of the library");

struct nk_engine {
    struct nk_arena arena;
    struct nk_engine_limits limits;
    struct nk_cedar_policies *policies;
    struct nk_cedar_entities *entities;
    const struct nk_cedar_schema *schema; /* or NULL */
    struct nk_cedar_diags *diags;
    bool is_ready, has_entities;
};

struct nk_engine_answer {
    struct nk_arena arena; /* holds the answer itself */
    struct nk_cedar_answer found;
    const char **reasons; /* with a NUL behind each */
    const char **erring;
};

int nk_engine_api(void)
{
    return NK_ENGINE_API;
}

static struct nk_str str(struct nk_text t)
{
    return (struct nk_str){t.p, t.p ? t.n : 0};
}

static struct nk_cedar_uid uid(struct nk_entity e)
{
    return (struct nk_cedar_uid){str(e.type), str(e.id)};
}

/* The inner fault in the caller's structure; `rc` alone where nothing was said. */
static int tell(struct nk_engine_fault *f, int rc, const struct nk_fault *inner)
{
    const char *message = inner->code ? inner->message : "out of memory";
    if (rc == NK_EUNSUPPORTED || rc == NK_EFULL)
        rc = NK_EINVAL;
    if (!rc || !f || f->code)
        return rc;
    f->code = rc;
    f->offset = inner->offset;
    memcpy(f->message, message, strlen(message) + 1);
    return rc;
}

static int refuse(struct nk_engine_fault *f, int rc, const char *message)
{
    struct nk_fault inner = {.code = 0};
    return tell(f, nk_fault_set(&inner, rc, "engine", 0, "%s", message), &inner);
}

struct nk_engine *nk_engine_new(const struct nk_engine_limits *limits)
{
    static const struct nk_engine_limits ordinary = {(size_t)1 << 30, 64 << 20, 64 << 20};
    struct nk_engine *e = calloc(1, sizeof *e);
    if (!e)
        return NULL;
    e->limits = limits ? *limits : ordinary;
    nk_arena_init(&e->arena, e->limits.engine_bytes ? e->limits.engine_bytes : 1);
    e->policies = nk_cedar_policies_new(&e->arena);
    e->entities = nk_cedar_entities_new(&e->arena, NULL);
    if (e->policies && e->entities)
        return e;
    nk_engine_free(e);
    return NULL;
}

void nk_engine_free(struct nk_engine *e)
{
    if (!e)
        return;
    nk_arena_free(&e->arena);
    free(e);
}

/* A text of the caller, kept as long as the arena. */
static int keep(const struct nk_engine *e, struct nk_arena *a, struct nk_text text,
                struct nk_str *out, struct nk_engine_fault *f)
{
    if (text.n > e->limits.text_bytes && text.p)
        return refuse(f, NK_ELIMIT, "the text is longer than the limit");
    *out = nk_arena_copy(a, text.p ? str(text) : NK_STR(""));
    return out->p ? 0 : refuse(f, NK_ENOMEM, "out of memory");
}

static int check_loading(const struct nk_engine *e, struct nk_engine_fault *f)
{
    return e->is_ready ? refuse(f, NK_EINVAL, "the engine is ready: nothing is added any more") : 0;
}

int nk_engine_add_policies(struct nk_engine *e, struct nk_text policies, struct nk_text prefix,
                           struct nk_engine_fault *f)
{
    struct nk_fault inner = {.code = 0};
    struct nk_str text, before;
    int rc = check_loading(e, f);
    if (!rc)
        rc = keep(e, &e->arena, policies, &text, f);
    if (!rc)
        rc = keep(e, &e->arena, prefix, &before, f);
    return rc ? rc
              : tell(f, nk_cedar_policies_add(e->policies, text, before, true, &inner), &inner);
}

static int keep_uid(struct nk_engine *e, struct nk_entity from, struct nk_cedar_uid *out,
                    struct nk_engine_fault *f)
{
    int rc = keep(e, &e->arena, from.type, &out->type, f);
    return rc ? rc : keep(e, &e->arena, from.id, &out->id, f);
}

int nk_engine_link(struct nk_engine *e, struct nk_text template_id, struct nk_text id,
                   struct nk_entity principal, struct nk_entity resource, struct nk_engine_fault *f)
{
    struct nk_cedar_slot_value values[2];
    struct nk_fault inner = {.code = 0};
    struct nk_str own;
    size_t n = 0;
    int rc = check_loading(e, f);
    if (!rc)
        rc = keep(e, &e->arena, id, &own, f);
    if (!rc && principal.type.p) {
        values[n].slot = NK_STR("?principal");
        rc = keep_uid(e, principal, &values[n++].uid, f);
    }
    if (!rc && resource.type.p) {
        values[n].slot = NK_STR("?resource");
        rc = keep_uid(e, resource, &values[n++].uid, f);
    }
    return rc ? rc
              : tell(f,
                     nk_cedar_policies_link(e->policies, str(template_id), own, values, n, &inner),
                     &inner);
}

static bool is_json(struct nk_str text)
{
    size_t i = 0;
    while (i < text.n && (unsigned char)text.p[i] <= ' ')
        i++;
    return i < text.n && text.p[i] == '{';
}

/* The first diagnostic in place of a bare code. */
static int tell_diags(const struct nk_engine *e, struct nk_engine_fault *f, int rc)
{
    struct nk_fault inner = {.code = 0};
    if (rc)
        (void)!nk_cedar_diags_fault(e->diags, &inner);
    return tell(f, rc, &inner);
}

int nk_engine_set_schema(struct nk_engine *e, struct nk_text schema, struct nk_engine_fault *f)
{
    struct nk_str text;
    int rc = check_loading(e, f);
    if (!rc && (e->schema || e->has_entities))
        rc = refuse(f, NK_EINVAL, "the schema is set once, and before the entities");
    if (!rc)
        rc = keep(e, &e->arena, schema, &text, f);
    if (rc)
        return rc;
    e->diags = nk_cedar_diags_new(&e->arena, DIAGS_MAX);
    if (!e->diags)
        return refuse(f, NK_ENOMEM, "out of memory");
    rc = is_json(text) ? nk_cedar_schema_parse_json(text, &e->arena, e->diags, &e->schema)
                       : nk_cedar_schema_parse(text, &e->arena, e->diags, &e->schema);
    return tell_diags(e, f, rc);
}

int nk_engine_add_entities(struct nk_engine *e, struct nk_text json, struct nk_engine_fault *f)
{
    struct nk_fault inner = {.code = 0};
    struct nk_arena scratch;
    struct nk_str text;
    int rc = check_loading(e, f);
    if (!rc)
        rc = keep(e, &e->arena, json, &text, f);
    if (!rc && e->schema) {
        nk_arena_init(&scratch, e->limits.engine_bytes);
        rc = tell_diags(e, f, nk_cedar_validate_entities(e->schema, text, &scratch, e->diags));
        nk_arena_free(&scratch);
    }
    e->has_entities = true;
    return rc ? rc : tell(f, nk_cedar_entities_parse(e->entities, text, &inner), &inner);
}

/* Policies keep to the schema, and `action in` knows its groups. */
static int apply_schema(struct nk_engine *e, struct nk_engine_fault *f)
{
    const struct nk_cedar_validation strict = {.level = 0};
    struct nk_fault inner = {.code = 0};
    struct nk_arena scratch;
    if (!e->schema)
        return 0;
    nk_arena_init(&scratch, e->limits.engine_bytes);
    int rc = tell_diags(
        e, f, nk_cedar_validate(e->schema, e->policies, &strict, &scratch, e->diags, NULL));
    nk_arena_free(&scratch);
    struct nk_cedar_entities *top = rc ? NULL : nk_cedar_entities_new(&e->arena, e->entities);
    if (!rc)
        rc = top ? nk_cedar_entities_add_actions(top, e->schema, &e->arena) : NK_ENOMEM;
    if (!rc)
        rc = nk_cedar_entities_seal(top, &inner);
    if (!rc)
        e->entities = top;
    return tell(f, rc, &inner);
}

int nk_engine_ready(struct nk_engine *e, struct nk_engine_fault *f)
{
    struct nk_fault inner = {.code = 0};
    int rc = check_loading(e, f);
    if (!rc)
        rc = tell(f, nk_cedar_entities_seal(e->entities, &inner), &inner);
    if (!rc)
        rc = apply_schema(e, f);
    if (!rc)
        rc = tell(f, nk_cedar_policies_seal(e->policies, &inner), &inner);
    if (!rc)
        rc = tell(f, nk_cedar_bind(e->policies, e->entities, &inner), &inner);
    e->is_ready = !rc;
    return rc;
}

static int read_context(const struct nk_engine *e, struct nk_arena *a, struct nk_text context,
                        const struct nk_cedar_value **out, struct nk_engine_fault *f)
{
    const struct nk_json_limits lim = {(uint32_t)context.n, JSON_DEPTH, JSON_VALUES};
    struct nk_fault inner = {.code = 0};
    struct nk_json doc;
    struct nk_str text;
    if (!context.p)
        return 0;
    int rc = keep(e, a, context, &text, f);
    if (rc)
        return rc;
    rc = nk_json_parse_any_name(&lim, text, a, &doc, &inner);
    if (!rc)
        rc = nk_cedar_value_parse(&doc, 0, a, out, &inner);
    return tell(f, rc, &inner);
}

static int read_entities(const struct nk_engine *e, struct nk_arena *a, struct nk_text json,
                         const struct nk_cedar_entities **out, struct nk_engine_fault *f)
{
    struct nk_fault inner = {.code = 0};
    struct nk_str text;
    *out = e->entities;
    if (!json.p)
        return 0;
    struct nk_cedar_entities *own = nk_cedar_entities_new(a, e->entities);
    int rc = own ? keep(e, a, json, &text, f) : refuse(f, NK_ENOMEM, "out of memory");
    if (rc)
        return rc;
    rc = nk_cedar_entities_parse(own, text, &inner);
    if (!rc)
        rc = nk_cedar_entities_seal(own, &inner);
    *out = own;
    return tell(f, rc, &inner);
}

/* Ids as C strings. */
static int name_policies(struct nk_engine_answer *a)
{
    const struct nk_cedar_answer *found = &a->found;
    a->reasons = nk_arena_array(&a->arena, found->reason_count + 1, sizeof *a->reasons);
    a->erring = nk_arena_array(&a->arena, found->error_count + 1, sizeof *a->erring);
    if (!a->reasons || !a->erring)
        return NK_ENOMEM;
    for (size_t i = 0; i < found->reason_count; i++)
        if (!(a->reasons[i] = nk_arena_copy(&a->arena, found->reasons[i]).p))
            return NK_ENOMEM;
    for (size_t i = 0; i < found->error_count; i++)
        if (!(a->erring[i] = nk_arena_copy(&a->arena, found->errors[i].policy).p))
            return NK_ENOMEM;
    return 0;
}

static int decide(const struct nk_engine *e, const struct nk_engine_question *q,
                  struct nk_engine_answer *a, struct nk_engine_fault *f)
{
    struct nk_cedar_request r = {uid(q->principal), uid(q->action), uid(q->resource), NULL};
    const struct nk_cedar_entities *entities = NULL;
    bool named = nk_cedar_type_ok(r.principal.type) && nk_cedar_type_ok(r.action.type) &&
                 nk_cedar_type_ok(r.resource.type);
    if (!e->is_ready || !named)
        return refuse(f, NK_EINVAL,
                      named ? "the engine is not ready"
                            : "principal, action and resource each need the name of a type");
    int rc = read_context(e, &a->arena, q->context, &r.context, f);
    if (!rc)
        rc = read_entities(e, &a->arena, q->entities, &entities, f);
    if (rc)
        return rc;
    rc = nk_cedar_authorize(e->policies, entities, &r, &a->arena, &a->found);
    if (!rc)
        rc = name_policies(a);
    return rc ? refuse(f, rc, rc == NK_EINVAL ? "the context is no record" : "out of memory") : 0;
}

int nk_engine_decide(const struct nk_engine *e, const struct nk_engine_question *q,
                     struct nk_engine_answer **out, struct nk_engine_fault *f)
{
    struct nk_engine_answer *a = calloc(1, sizeof *a);
    *out = NULL;
    if (!a)
        return refuse(f, NK_ENOMEM, "out of memory");
    nk_arena_init(&a->arena, e->limits.answer_bytes ? e->limits.answer_bytes : 1);
    int rc = decide(e, q, a, f);
    if (rc)
        nk_engine_answer_free(a);
    else
        *out = a;
    return rc;
}

bool nk_engine_allows(const struct nk_engine_answer *a)
{
    return a && a->found.allow;
}

size_t nk_engine_reason_count(const struct nk_engine_answer *a)
{
    return a->found.reason_count;
}

const char *nk_engine_reason(const struct nk_engine_answer *a, size_t i)
{
    return i < a->found.reason_count ? a->reasons[i] : NULL;
}

size_t nk_engine_error_count(const struct nk_engine_answer *a)
{
    return a->found.error_count;
}

const char *nk_engine_error_policy(const struct nk_engine_answer *a, size_t i)
{
    return i < a->found.error_count ? a->erring[i] : NULL;
}

const char *nk_engine_error_text(const struct nk_engine_answer *a, size_t i)
{
    return i < a->found.error_count ? a->found.errors[i].what : NULL;
}

void nk_engine_answer_free(struct nk_engine_answer *a)
{
    if (!a)
        return;
    nk_arena_free(&a->arena);
    free(a);
}
