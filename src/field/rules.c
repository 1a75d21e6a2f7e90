/* SPDX-License-Identifier: Apache-2.0
 *
 * rules.c - a tool's rules made ready: paths -> states, replacements -> JSON, the output schema -> what it
 * declares. See field.h.
 */
#include "field/rules.h"

#include "json/schema.h"

/* Paths as a source of states: the place "rule r, k steps done" is r << 6 | k. */
struct paths {
    struct field_source source;
    const struct field_path *at;
};

enum { PLACE_SHIFT = 6, PLACE_STEPS = (1 << PLACE_SHIFT) - 1 };

static const struct field_path *path_of(const struct field_source *source, uint32_t place)
{
    return &NK_OF(source, const struct paths, source)->at[place >> PLACE_SHIFT];
}

/* The step that leads on from a place; NULL at the end of a path. */
static const struct field_step *step_of(const struct field_source *source, uint32_t place)
{
    const struct field_path *p = path_of(source, place);
    uint32_t k = place & PLACE_STEPS;
    return k < p->n ? &p->steps[k] : NULL;
}

static int path_symbols(const struct field_source *source, const struct field_set *set,
                        struct field_symbols *out)
{
    int rc = 0;
    for (uint32_t i = 0; i < set->n && !rc; i++) {
        const struct field_step *step = step_of(source, set->at[i]);
        if (!step || step->kind == FIELD_ANY)
            continue;
        struct field_symbol name = {.name = step->name, .index = FIELD_NO_INDEX};
        struct field_symbol item = {.index = step->index, .item = true};
        if (step->kind != FIELD_INDEX)
            rc = field_symbols_add(out, &name);
        if (!rc && step->index != FIELD_NO_INDEX)
            rc = field_symbols_add(out, &item);
    }
    return rc;
}

static bool step_takes(const struct field_step *step, const struct field_symbol *s)
{
    if (step->kind == FIELD_ANY)
        return true;
    if (s->item)
        return step->kind != FIELD_NAME && s->index != FIELD_NO_INDEX && s->index == step->index;
    return step->kind != FIELD_INDEX && s->name.p && nk_str_eq(s->name, step->name);
}

static int path_step(const struct field_source *source, const struct field_set *set,
                     const struct field_symbol *s, struct nk_arena *a, struct field_set *out)
{
    int rc = 0;
    for (uint32_t i = 0; i < set->n && !rc; i++) {
        const struct field_step *step = step_of(source, set->at[i]);
        if (step && step->deep)
            rc = field_set_add(out, set->at[i], a);
        if (!rc && step && step_takes(step, s))
            rc = field_set_add(out, set->at[i] + 1, a);
    }
    return rc;
}

static int path_action(const struct field_source *source, uint32_t place)
{
    return step_of(source, place) ? -1 : (int)(place >> PLACE_SHIFT);
}

int field_states_of_paths(const struct field_path *paths, const struct field_action *actions,
                          size_t n, struct nk_arena *a, struct field_states *out,
                          struct nk_fault *f)
{
    struct paths from = {.source = {.actions = actions,
                                    .symbols = path_symbols,
                                    .step = path_step,
                                    .action = path_action},
                         .at = paths};
    struct nk_arena scratch;
    int rc = 0;
    nk_arena_init(&scratch, 64 << 10);
    for (size_t i = 0; i < n && !rc; i++)
        rc = field_set_add(&from.source.start, (uint32_t)i << PLACE_SHIFT, &scratch);
    rc = rc ? nk_fault_set(f, rc, "field", 0, "out of memory")
            : field_states_build(&from.source, a, out, f);
    nk_arena_free(&scratch);
    return rc;
}

int nk_field_hide_named(struct nk_str name, enum nk_field_hide *out)
{
    static const char *const names[] = {"drop", "replace", "mask", "mask_type", "mask_length"};
    for (size_t i = 0; i < NK_COUNT(names); i++)
        if (nk_str_eq(name, nk_str(names[i]))) {
            *out = (enum nk_field_hide)i;
            return 0;
        }
    return NK_ENOTFOUND;
}

/* The JSON that replaces a value: `with` when it is JSON, otherwise a string of it. */
static int read_with(struct nk_str with, struct nk_arena *a, struct nk_str *out)
{
    static const struct nk_json_limits limits = {64 << 10, 32, 4096};
    struct nk_json doc;
    struct nk_arena scratch;
    struct nk_buf text;
    nk_arena_init(&scratch, 1 << 20);
    nk_buf_init(&text, 1 << 20);
    int rc = nk_json_parse(&limits, with, &scratch, &doc, NULL);
    if (!with.p)
        nk_buf_add(&text, NK_STR("null"));
    else if (rc == 0)
        nk_buf_add(&text, nk_json_span(&doc, 0));
    else
        nk_json_put_string(&text, with);
    *out = nk_arena_copy(a, nk_buf_str(&text));
    rc = text.error ? text.error : out->p ? 0 : NK_ENOMEM;
    nk_buf_free(&text);
    nk_arena_free(&scratch);
    return rc;
}

static int read_rules(const struct nk_field_setup *in, struct nk_arena *a, struct nk_arena *scratch,
                      struct nk_field_rules *r, struct nk_fault *f)
{
    struct field_path *paths = nk_arena_array(scratch, in->rule_count, sizeof *paths);
    struct field_action *actions = nk_arena_array(a, in->rule_count, sizeof *actions);
    if (!paths || !actions)
        return nk_fault_set(f, NK_ENOMEM, "field", 0, "out of memory");
    for (size_t i = 0; i < in->rule_count; i++) {
        const struct nk_field_rule *rule = &in->rules[i];
        NK_MUST(rule->class_number < NK_FIELD_CLASSES_MAX);
        int rc = field_path_parse(rule->path, scratch, &paths[i], f);
        if (rc)
            return rc;
        actions[i] = (struct field_action){rule->hide, (uint8_t)rule->class_number, {NULL, 0}};
        rc = rule->hide == NK_FIELD_REPLACE ? read_with(rule->with, a, &actions[i].with) : 0;
        if (rc)
            return nk_fault_set(f, rc, "field", 0, "path \"%.*s\": its replacement is too long",
                                NK_FMT(nk_str_sub(rule->path, 0, 80)));
        r->classes |= (uint64_t)1 << rule->class_number;
    }
    return field_states_of_paths(paths, actions, in->rule_count, a, &r->paths, f);
}

int nk_field_rules_new(const struct nk_field_setup *in, struct nk_arena *a,
                       const struct nk_field_rules **out, struct nk_fault *f)
{
    struct nk_field_rules *r = nk_arena_alloc(a, sizeof *r);
    struct nk_arena scratch;
    *out = NULL;
    if (!r)
        return nk_fault_set(f, NK_ENOMEM, "field", 0, "out of memory");
    if (in->rule_count > NK_FIELD_RULES_MAX)
        return nk_fault_set(f, NK_ELIMIT, "field", 0, "more than %d fields", NK_FIELD_RULES_MAX);
    r->output = in->output;
    r->shape = in->output ? in->shape : NK_FIELD_PASS;
    nk_arena_init(&scratch, 16 << 20);
    int rc = read_rules(in, a, &scratch, r, f);
    nk_arena_free(&scratch);
    if (rc == 0 && r->shape == NK_FIELD_STRIP)
        rc = field_states_of_schema(nk_schema_document(in->output), a, &r->declared, f);
    *out = rc ? NULL : r;
    return rc;
}

uint64_t nk_field_classes(const struct nk_field_rules *rules)
{
    return rules ? rules->classes : 0;
}
