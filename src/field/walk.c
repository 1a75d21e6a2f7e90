/* SPDX-License-Identifier: Apache-2.0
 *
 * walk.c - one walk over the tape. It carries a state for each layer; where none leads to something that is denied,
 * the walk goes past the value whatever its size. What stays is copied in the longest pieces there are, from
 * one edit to the next, so it stays as it was written.
 *
 * A comma belongs to a dropped member or element: the one behind it when something stays behind it, otherwise
 * the one in front of it.
 */
#include "field/walk.h"

#include "base/utf8.h"

/* Where the walk is: a state for each layer. */
struct place {
    uint32_t at[FIELD_LAYERS];
};

/* One text: the outermost, or one inside a string. */
struct text {
    struct field_walk *walk;
    const struct nk_json *doc;
    struct nk_buf *out;
    uint32_t copied;       /* bytes of the text that `out` has, or leaves out */
    bool changed;          /* an edit was made */
    unsigned depth, inner; /* open arrays and objects; texts around this one */
};

/* What becomes of one value. */
struct verdict {
    const struct field_action *action; /* NULL: it stays, or `gone` */
    bool gone;
    struct nk_str anew; /* present: a string that has changed inside, as JSON */
};

static int out_of_memory(const struct field_walk *w)
{
    return nk_fault_set(w->fault, NK_ENOMEM, "field", 0, "out of memory");
}

/* Edits ----------------------------------------------------------------------------------------- */

static void copy_until(struct text *t, uint32_t end)
{
    nk_buf_add(t->out, nk_str_sub(t->doc->text, t->copied, end));
    t->copied = end;
}

/* Leaves out [from, to). */
static void leave_out(struct text *t, uint32_t from, uint32_t to)
{
    copy_until(t, from);
    t->copied = to;
    t->changed = true;
}

static void put_stars(struct nk_buf *out, const struct nk_json *doc, uint32_t at,
                      struct nk_arena *a)
{
    struct nk_str s = nk_json_string(doc, at, a);
    nk_buf_add_char(out, '"');
    for (size_t i = 0; i < s.n; i++)
        if (((unsigned char)s.p[i] & 0xC0) != 0x80)
            nk_buf_add_char(out, '*');
    nk_buf_add_char(out, '"');
    if (!s.p)
        out->error = out->error ? out->error : NK_ENOMEM;
}

static void put_nulls(struct nk_buf *out, uint32_t count)
{
    nk_buf_add_char(out, '[');
    for (uint32_t i = 0; i < count; i++)
        nk_buf_add(out, i ? NK_STR(",null") : NK_STR("null"));
    nk_buf_add_char(out, ']');
}

static void put_masked(struct nk_buf *out, const struct nk_json *doc, uint32_t at, bool length,
                       struct nk_arena *a)
{
    switch (nk_json_type(doc, at)) {
    case NK_JSON_NULL:
        nk_buf_add(out, NK_STR("null"));
        return;
    case NK_JSON_FALSE:
    case NK_JSON_TRUE:
        nk_buf_add(out, NK_STR("false"));
        return;
    case NK_JSON_INT:
    case NK_JSON_NUMBER:
        nk_buf_add_char(out, '0');
        return;
    case NK_JSON_STRING:
        if (length)
            put_stars(out, doc, at, a);
        else
            nk_buf_add(out, NK_STR("\"***\""));
        return;
    case NK_JSON_ARRAY:
        put_nulls(out, length ? doc->tape[at].count : 0);
        return;
    case NK_JSON_OBJECT:
        nk_buf_add(out, NK_STR("{}"));
        return;
    }
}

/* What stands for entry `at`; never for NK_FIELD_DROP. */
static void put_instead(struct nk_buf *out, const struct field_action *action,
                        const struct nk_json *doc, uint32_t at, struct nk_arena *a)
{
    if (action->hide == NK_FIELD_REPLACE)
        nk_buf_add(out, action->with);
    else if (action->hide == NK_FIELD_MASK)
        nk_buf_add(out, NK_STR("\"***\""));
    else
        put_masked(out, doc, at, action->hide == NK_FIELD_MASK_LENGTH, a);
}

/* Judging one value ----------------------------------------------------------------------------- */

static bool nowhere(const struct place *p)
{
    return p->at[0] == FIELD_NOWHERE && p->at[1] == FIELD_NOWHERE;
}

/* What is done here, if anything; the classes of all that is denied here are noted. */
static const struct field_action *action_at(struct field_walk *w, const struct place *p)
{
    const struct field_action *found = NULL;
    for (size_t k = 0; k < FIELD_LAYERS; k++) {
        if (p->at[k] == FIELD_NOWHERE)
            continue;
        const struct field_states *m = w->layers[k].states;
        const struct field_state *s = &m->at[p->at[k]];
        for (uint32_t i = 0; i < s->action_count; i++) {
            const struct field_action *action = &m->actions[s->actions[i]];
            uint64_t bit = (uint64_t)1 << action->class_number;
            if (!(w->layers[k].denied & bit))
                continue;
            if (k == 0)
                w->classes |= bit;
            if (!found || action->hide < found->hide)
                found = action;
        }
    }
    return found;
}

/* A state from which nothing that is denied is reached is nowhere. */
static uint32_t if_denied(const struct field_layer *layer, uint32_t state)
{
    const struct field_state *s = &layer->states->at[state];
    return (s->classes | s->below) & layer->denied ? state : FIELD_NOWHERE;
}

static struct place step_member(const struct field_walk *w, const struct place *p,
                                const struct nk_json *doc, uint32_t name)
{
    struct place next = {{0}};
    for (size_t k = 0; k < FIELD_LAYERS; k++) {
        const struct field_layer *layer = &w->layers[k];
        if (p->at[k] != FIELD_NOWHERE)
            next.at[k] = if_denied(layer, field_states_member(layer->states, p->at[k], doc, name));
    }
    return next;
}

static struct place step_element(const struct field_walk *w, const struct place *p, uint32_t index)
{
    struct place next = {{0}};
    for (size_t k = 0; k < FIELD_LAYERS; k++) {
        const struct field_layer *layer = &w->layers[k];
        if (p->at[k] != FIELD_NOWHERE)
            next.at[k] = if_denied(layer, field_states_element(layer->states, p->at[k], index));
    }
    return next;
}

/* May something below be denied? */
static bool goes_on(const struct field_walk *w, const struct place *p)
{
    uint64_t found = 0;
    for (size_t k = 0; k < FIELD_LAYERS; k++)
        if (p->at[k] != FIELD_NOWHERE)
            found |= w->layers[k].states->at[p->at[k]].below & w->layers[k].denied;
    return found != 0;
}

static int walk_parts(struct text *t, uint32_t at, const struct place *p);

/* Texts inside strings -------------------------------------------------------------------------- */

/* Without blanks, and a byte-order mark, in front. */
static struct nk_str skip_blanks(struct nk_str s)
{
    size_t i = nk_str_starts(s, NK_STR("\xEF\xBB\xBF")) ? 3 : 0;
    while (i < s.n && (s.p[i] == ' ' || (s.p[i] >= '\t' && s.p[i] <= '\r')))
        i++;
    return nk_str_sub(s, i, s.n);
}

bool field_text_suspect(struct nk_str text)
{
    struct nk_str s = skip_blanks(text);
    if (s.n == 0 || (s.p[0] != '{' && s.p[0] != '['))
        return false;
    ptrdiff_t brace = nk_str_find(s, '{');
    return brace >= 0 && nk_str_find(nk_str_sub(s, (size_t)brace, s.n), ':') >= 0;
}

static int parse_text(struct nk_str text, struct nk_arena *a, struct nk_json *doc)
{
    struct nk_json_limits limits = {
        .max_bytes = UINT32_MAX - 1, .max_depth = NK_FIELD_DEPTH_MAX, .max_values = (1u << 27) - 1};
    return nk_json_parse(&limits, text, a, doc, NULL);
}

/* Could it be a text that is looked into? Most strings end here. */
static bool begins_json(struct nk_str text)
{
    struct nk_str s = skip_blanks(text);
    return s.n > 1 && (s.p[0] == '{' || s.p[0] == '[' || s.p[0] == '"');
}

/* The same of a string that is still escaped. */
static bool may_begin_json(struct nk_str raw)
{
    struct nk_str s = skip_blanks(raw);
    return s.n > 1 && (s.p[0] == '{' || s.p[0] == '[' || s.p[0] == '\\');
}

int field_text_parse(struct nk_str text, struct nk_arena *a, struct nk_json *doc)
{
    for (int i = 0; i <= NK_FIELD_TEXTS_MAX; i++) {
        int rc = begins_json(text) ? parse_text(text, a, doc) : NK_EINVAL;
        if (rc)
            return rc == NK_ENOMEM ? rc : NK_EINVAL;
        if (nk_json_type(doc, 0) != NK_JSON_STRING)
            return 0;
        text = nk_json_string(doc, 0, a);
        if (!text.p)
            return NK_ENOMEM;
    }
    return NK_EINVAL;
}

/* The parsed text inside a string, at the place of the string. */
static int walk_inner(struct text *t, const struct nk_json *doc, const struct place *p,
                      struct verdict *v);

/* Looks into string `at`: v->gone when nobody can say what it holds. */
static int look_into(struct text *t, uint32_t at, const struct place *p, struct verdict *v)
{
    struct nk_arena *a = t->walk->arena;
    struct nk_json doc;
    struct nk_str raw =
        nk_str_sub(t->doc->text, t->doc->tape[at].start + 1, t->doc->tape[at].end - 1);
    if (!may_begin_json(raw))
        return 0;
    struct nk_str text = nk_json_string(t->doc, at, a);
    if (!text.p)
        return out_of_memory(t->walk);
    if (!begins_json(text))
        return 0;
    if (t->inner == NK_FIELD_TEXTS_MAX) {
        v->gone = field_text_suspect(text) || skip_blanks(text).p[0] == '"';
        return 0;
    }
    int rc = parse_text(text, a, &doc);
    if (rc == NK_ENOMEM)
        return out_of_memory(t->walk);
    if (rc) {
        v->gone = field_text_suspect(text);
        return 0;
    }
    return walk_inner(t, &doc, p, v);
}

static int walk_inner(struct text *t, const struct nk_json *doc, const struct place *p,
                      struct verdict *v)
{
    struct nk_buf inside, quoted;
    struct text inner = {
        .walk = t->walk, .doc = doc, .out = &inside, .depth = t->depth, .inner = t->inner + 1};
    struct verdict deeper = {0};
    int rc = 0;
    nk_buf_init(&inside, t->out->max);
    nk_buf_init(&quoted, t->out->max);
    if (nk_json_type(doc, 0) == NK_JSON_STRING)
        rc = look_into(&inner, 0, p, &deeper);
    else
        rc = walk_parts(&inner, 0, p);
    if (deeper.anew.p) {
        leave_out(&inner, doc->tape[0].start, doc->tape[0].end);
        nk_buf_add(&inside, deeper.anew);
    }
    v->gone = deeper.gone;
    if (!rc && inner.changed) {
        copy_until(&inner, (uint32_t)doc->text.n);
        nk_json_put_string(&quoted, nk_buf_str(&inside));
        rc = inside.error ? inside.error : quoted.error;
        v->anew = rc ? v->anew : nk_arena_copy(t->walk->arena, nk_buf_str(&quoted));
        if (!rc && !v->anew.p)
            rc = NK_ENOMEM;
        if (rc)
            nk_fault_set(t->walk->fault, rc, "field", 0, "the result is too large");
    }
    nk_buf_free(&inside);
    nk_buf_free(&quoted);
    return rc;
}

static int judge(struct text *t, uint32_t at, const struct place *p, struct verdict *v)
{
    *v = (struct verdict){0};
    if (nowhere(p))
        return 0;
    v->action = action_at(t->walk, p);
    v->gone = v->action && v->action->hide == NK_FIELD_DROP;
    if (v->action || nk_json_type(t->doc, at) != NK_JSON_STRING || !t->walk->look_into_texts)
        return 0;
    return goes_on(t->walk, p) ? look_into(t, at, p, v) : 0;
}

/* Arrays and objects ---------------------------------------------------------------------------- */

/* What of an array or object has been seen: where the last part that stays ends, and the parts to be left out behind
 * it. */
struct run {
    uint32_t kept_end; /* 0: nothing stays so far */
    uint32_t from, to; /* to 0: none */
};

static void part_stays(struct text *t, struct run *run, uint32_t start, uint32_t end)
{
    if (run->to)
        leave_out(t, run->from, start);
    *run = (struct run){.kept_end = end};
}

static void part_goes(struct run *run, uint32_t start, uint32_t end)
{
    run->from = run->to ? run->from : start;
    run->to = end;
}

static void end_parts(struct text *t, const struct run *run)
{
    if (run->to)
        leave_out(t, run->kept_end ? run->kept_end : run->from, run->to);
}

/* One part: its first byte (a member's is its name's), its value, its place. */
static int walk_part(struct text *t, struct run *run, uint32_t start, uint32_t value,
                     const struct place *p)
{
    const struct nk_json_value *entry = &t->doc->tape[value];
    struct verdict v;
    int rc = judge(t, value, p, &v);
    if (rc)
        return rc;
    t->walk->hidden += v.action || v.gone;
    if (v.gone) {
        part_goes(run, start, entry->end);
        return 0;
    }
    part_stays(t, run, start, entry->end);
    if (!v.action && !v.anew.p)
        return walk_parts(t, value, p);
    leave_out(t, entry->start, entry->end);
    if (v.action)
        put_instead(t->out, v.action, t->doc, value, t->walk->arena);
    else
        nk_buf_add(t->out, v.anew);
    return 0;
}

/* What stands in entry `at`, which stays itself. */
static int walk_parts(struct text *t, uint32_t at, const struct place *p)
{
    const struct nk_json *doc = t->doc;
    bool object = nk_json_type(doc, at) == NK_JSON_OBJECT;
    struct run run = {0};
    uint32_t index = 0;
    int rc = 0;
    if (nowhere(p) || (!object && nk_json_type(doc, at) != NK_JSON_ARRAY))
        return 0;
    if (t->depth == NK_FIELD_DEPTH_MAX)
        return nk_fault_set(t->walk->fault, NK_ELIMIT, "field", doc->tape[at].start,
                            "more than %d levels of nesting", NK_FIELD_DEPTH_MAX);
    t->depth++;
    for (uint32_t k = nk_json_first(doc, at); k != NK_JSON_NONE && !rc;
         k = nk_json_next(doc, at, k), index++) {
        struct place next =
            object ? step_member(t->walk, p, doc, k) : step_element(t->walk, p, index);
        rc = walk_part(t, &run, doc->tape[k].start, object ? k + 1 : k, &next);
    }
    t->depth--;
    end_parts(t, &run);
    return rc;
}

int field_walk_value(struct field_walk *w, const struct nk_json *doc, uint32_t at,
                     struct nk_buf *out, enum field_end *end)
{
    struct text t = {.walk = w, .doc = doc, .out = out, .copied = doc->tape[at].start};
    struct place root = {{0}};
    struct verdict v;
    for (size_t k = 0; k < FIELD_LAYERS; k++)
        if (w->layers[k].states && w->layers[k].states->n > FIELD_ROOT)
            root.at[k] = if_denied(&w->layers[k], FIELD_ROOT);
    int rc = judge(&t, at, &root, &v);
    if (rc)
        return rc;
    w->hidden += v.action || v.gone;
    *end = FIELD_GONE;
    if (v.gone)
        return 0;
    *end = FIELD_CHANGED;
    if (v.action) {
        put_instead(out, v.action, doc, at, w->arena);
    } else if (v.anew.p) {
        nk_buf_add(out, v.anew);
    } else {
        rc = walk_parts(&t, at, &root);
        if (!t.changed)
            *end = FIELD_AS_IT_WAS;
        else
            copy_until(&t, doc->tape[at].end);
    }
    if (!rc && out->error)
        rc = nk_fault_set(w->fault, out->error, "field", 0, "the result is too large");
    return rc;
}
