/* SPDX-License-Identifier: Apache-2.0
 *
 * policy_explain.c - `nakoso policy explain`: why a request is decided as it is, for people (English
 * or Japanese) or as JSON. What "near" means is in cedar/explain.h.
 */
#include "cmd/policy.h"

#include <stdio.h>
#include "cedar/explain.h"
#include "cedar/value_write.h"
#include "cmd/audit_args.h"
#include "cmd/options.h"
#include "cmd/policy_input.h"
#include "cmd/policy_text.h"

enum { NEAR = 3, OUT_MAX = 64 << 20, VALUE_SHOWN = 160, NAMES_SHOWN = 12, INDENT = 2 };

enum say {
#define SAY(id, en, ja) SAY_##id,
#include "cmd/explain.def"
#undef SAY
};

static const char *const texts[][NK_LANGS] = {
#define SAY(id, en, ja) {en, ja},
#include "cmd/explain.def"
#undef SAY
};

struct print {
    struct nk_buf *out;
    enum nk_lang lang;
};

static struct nk_str say(const struct print *p, enum say id)
{
    return nk_str(texts[id][p->lang]);
}

static void put(const struct print *p, enum say id)
{
    nk_buf_add(p->out, say(p, id));
}

/* The text with `a` and `b` in place of its first and second '%'. */
static void put_with(const struct print *p, enum say id, struct nk_str a, struct nk_str b)
{
    struct nk_str rest = say(p, id), fills[] = {a, b};
    for (size_t i = 0; rest.p; i++) {
        nk_buf_add(p->out, nk_str_cut(&rest, '%'));
        if (rest.p)
            nk_audit_put_safe(p->out, i < NK_COUNT(fills) ? fills[i] : NK_STR("%"));
    }
}

static void put_number(const struct print *p, enum say id, size_t n)
{
    char digits[24];
    int used = snprintf(digits, sizeof digits, "%zu", n);
    put_with(p, id, (struct nk_str){digits, (size_t)used}, NK_STR(""));
}

/* Text ------------------------------------------------------------------------------------------ */

/* A value, cut where it becomes long. */
static void put_value(const struct print *p, const struct nk_cedar_value *value)
{
    struct nk_buf b;
    nk_buf_init(&b, OUT_MAX);
    nk_cedar_value_put(&b, value);
    struct nk_str text = nk_buf_str(&b);
    size_t n = text.n < VALUE_SHOWN ? text.n : VALUE_SHOWN;
    while (n > 0 && n < text.n && (text.p[n] & 0xC0) == 0x80)
        n--;
    nk_audit_put_safe(p->out, nk_str_sub(text, 0, n));
    nk_buf_add(p->out, n < text.n ? NK_STR(" …") : NK_STR(""));
    nk_buf_free(&b);
}

static void put_names(const struct print *p, const struct nk_cedar_part *part)
{
    if (part->name_count == 0)
        put(p, SAY_has_nothing);
    else
        put(p, SAY_has);
    for (size_t i = 0; i < part->name_count && i < NAMES_SHOWN; i++) {
        nk_buf_add(p->out, i ? NK_STR(", ") : NK_STR(""));
        nk_audit_put_safe(p->out, part->names[i]);
    }
    nk_buf_add(p->out, part->name_count > NAMES_SHOWN ? NK_STR(" …") : NK_STR(""));
}

static void put_within(const struct print *p, const struct nk_cedar_part *part)
{
    if (part->within_count == 0) {
        put(p, SAY_in_nothing);
        return;
    }
    put(p, SAY_in);
    for (size_t i = 0; i < part->within_count && i < NAMES_SHOWN; i++) {
        nk_buf_add(p->out, i ? NK_STR(", ") : NK_STR(""));
        nk_cedar_uid_put(p->out, part->within[i]);
    }
    nk_buf_add(p->out, part->within_count > NAMES_SHOWN ? NK_STR(" …") : NK_STR(""));
    put(p, SAY_in_end);
}

/* "principal.role is "receptionist"" */
static void put_operand(const struct print *p, const struct nk_cedar_part *part)
{
    if (part->names && part->value) { /* all of its value would be more than was asked for */
        nk_audit_put_safe(p->out, part->text);
        put_names(p, part);
        return;
    }
    nk_audit_put_safe(p->out, part->text);
    if (!part->value) {
        put(p, SAY_errs_with);
        nk_buf_add(p->out, nk_str(part->error));
        return;
    }
    put(p, SAY_is);
    put_value(p, part->value);
    if (part->unknown)
        put(p, SAY_unknown);
    else if (part->within)
        put_within(p, part);
}

static bool kid_errs(const struct nk_cedar_part *part)
{
    for (const struct nk_cedar_part *kid = part->first; kid; kid = kid->next)
        if (!kid->value)
            return true;
    return false;
}

/* All operands that are not constant, those of operands behind them. An error is told where it
 * arose. */
static void put_operands(const struct print *p, const struct nk_cedar_part *part, bool *any)
{
    for (const struct nk_cedar_part *kid = part->first; kid; kid = kid->next) {
        if (kid->constant)
            continue;
        if (kid->value || !kid_errs(kid)) {
            put(p, *any ? SAY_joint : SAY_because);
            *any = true;
            put_operand(p, kid);
        }
        if (!kid->path || !kid->value)
            put_operands(p, kid, any);
    }
}

/* The words of a condition and why it is as it is. */
static void put_condition(const struct print *p, const struct nk_cedar_part *part)
{
    bool any = false;
    if (!part->value && !kid_errs(part))
        nk_buf_printf(p->out, " (%s)", part->error);
    if (!part->path || !part->value)
        put_operands(p, part, &any);
    nk_buf_add_char(p->out, '\n');
}

static struct nk_str truth_of(const struct nk_cedar_part *part)
{
    bool yes;
    if (nk_cedar_part_truth(part, &yes))
        return yes ? NK_STR("true") : NK_STR("false");
    return NK_STR("error");
}

static void put_tree(const struct print *p, const struct nk_cedar_part *part, int depth)
{
    struct nk_str truth = truth_of(part);
    char word[16];
    snprintf(word, sizeof word, "%s%.*s%s", part->passed_over ? "(" : "", NK_FMT(truth),
             part->passed_over ? ")" : "");
    nk_buf_printf(p->out, "%s %-7s%*s", part->change ? ">" : " ", word, INDENT * depth, "");
    nk_audit_put_safe(p->out, part->text);
    if (!part->logic) {
        put_condition(p, part);
        return;
    }
    nk_buf_add_char(p->out, '\n');
    for (const struct nk_cedar_part *kid = part->first; kid; kid = kid->next)
        put_tree(p, kid, depth + 1);
}

static void put_clause(const struct print *p, const struct nk_cedar_clause *c)
{
    bool scope = c->kind != NK_CEDAR_CLAUSE_WHEN && c->kind != NK_CEDAR_CLAUSE_UNLESS;
    nk_buf_add(p->out, c->part->change ? NK_STR("> ") : NK_STR("  "));
    put(p, c->holds ? SAY_yes : SAY_no);
    if (!scope)
        nk_buf_add(p->out,
                   c->kind == NK_CEDAR_CLAUSE_WHEN ? NK_STR("when { ") : NK_STR("unless { "));
    nk_audit_put_safe(p->out, c->part->text);
    nk_buf_add(p->out, scope ? NK_STR("") : NK_STR(" }"));
    if (c->any || c->part->logic)
        nk_buf_add_char(p->out, '\n');
    else
        put_condition(p, c->part);
    for (const struct nk_cedar_part *kid = c->part->first; c->part->logic && kid; kid = kid->next)
        put_tree(p, kid, 1);
}

/* With --errors deny, a forbid that errs is among the reasons. */
static bool is_reason(const struct nk_cedar_answer *answer, struct nk_str id)
{
    for (size_t i = 0; i < answer->reason_count; i++)
        if (nk_str_eq(answer->reasons[i], id))
            return true;
    return false;
}

static void put_policy(const struct print *p, const struct nk_cedar_answer *answer,
                       const struct nk_cedar_why *why)
{
    enum say states[] = {SAY_matches, is_reason(answer, why->id) ? SAY_errs_denies : SAY_errs,
                         SAY_near};
    bool matched = why->state == NK_CEDAR_MATCHED;
    put_with(p, states[why->state], why->id, why->forbid ? NK_STR("forbid") : NK_STR("permit"));
    if (why->distance == NK_CEDAR_NEVER)
        put(p, matched ? SAY_always : SAY_never);
    else
        put_number(p, matched ? SAY_undo : SAY_change, why->distance);
    nk_buf_add_char(p->out, '\n');
    for (size_t i = 0; i < why->clause_count; i++)
        put_clause(p, &why->clauses[i]);
    nk_buf_add_char(p->out, '\n');
}

static void put_text(const struct print *p, const struct nk_cedar_explanation *x)
{
    const struct nk_cedar_answer *answer = &x->answer;
    put(p, answer->allow ? SAY_permitted_by : answer->reason_count ? SAY_forbidden_by : SAY_nobody);
    for (size_t i = 0; i < answer->reason_count; i++) {
        nk_buf_add(p->out, i ? NK_STR(", ") : NK_STR(""));
        nk_audit_put_safe(p->out, answer->reasons[i]);
    }
    nk_buf_add(p->out, NK_STR("\n\n"));
    for (size_t i = 0; i < x->count; i++)
        put_policy(p, answer, &x->policies[i]);
    if (x->left_out) {
        put_number(p, SAY_left_out, x->left_out);
        nk_buf_add_char(p->out, '\n');
    }
}

/* The command ------------------------------------------------------------------------------------
 */
static int usage(void)
{
    fputs("usage: nakoso policy explain --policies FILE|DIR [--entities FILE] [--schema FILE]\n"
          "           [--errors skip|deny] [--near N] [--json] [--lang en|ja] --principal ENTITY "
          "--action ENTITY "
          "--resource ENTITY\n"
          "           [--context FILE|JSON]\n"
          "Says which policies matched, which erred, and which nearly matched, the N (3) nearest "
          "first: with\nthe fewest conditions that would have to come out otherwise. Of each it "
          "shows the clauses and the\nvalue of every operand. With --errors deny a forbid that "
          "errs denies.\n",
          stderr);
    return 2;
}

struct job {
    const char *near, *lang;
    struct nk_input_files files;
    struct nk_input_options request;
    bool json;
    struct nk_arena arena;
    uint64_t near_count;
    enum nk_lang language;
};

static int explain(struct job *j, struct nk_cedar_explanation *out, struct nk_fault *f)
{
    struct nk_input input;
    struct nk_cedar_request request;
    int rc = nk_input_load(&j->files, &j->arena, &input, f);
    if (!rc)
        rc = nk_input_options(&j->request, input.schema, &j->arena, &request, f);
    if (rc)
        return rc;
    rc = nk_cedar_explain(input.policies, input.entities, &request, (size_t)j->near_count,
                          &j->arena, out);
    return rc ? nk_fault_set(f, rc, "request", 0, "%s",
                             rc == NK_EINVAL ? "the context is no record" : "out of memory")
              : 0;
}

static int run(struct job *j)
{
    struct nk_cedar_explanation x;
    struct nk_fault f = {.code = 0};
    struct nk_buf out;
    if (explain(j, &x, &f)) {
        fprintf(stderr, "nakoso policy explain: %s\n", f.message);
        return 1;
    }
    nk_buf_init(&out, OUT_MAX);
    if (j->json)
        nk_policy_put_explanation(&out, &x);
    else
        put_text(&(struct print){&out, j->language}, &x);
    bool ok = nk_audit_print(&out) && fflush(stdout) == 0;
    nk_buf_free(&out);
    return ok ? 0 : 1;
}

int nk_policy_explain(int argc, char **argv)
{
    static struct job j = {.near_count = NEAR};
    const struct nk_option own[] = {
        {"--near", &j.near, NULL}, {"--lang", &j.lang, NULL}, {"--json", NULL, &j.json}};
    struct nk_option options[NK_INPUT_ROWS + NK_COUNT(own)];
    int words;
    nk_input_rows(&j.files, &j.request, own, NK_COUNT(own), options);
    if (nk_options_read("policy explain", argc, argv, options, NK_COUNT(options), &words) ||
        words || !j.files.policies || nk_lang_of("policy explain", j.lang, &j.language) ||
        (j.near && (nk_str_to_u64(nk_str(j.near), &j.near_count) || j.near_count > UINT32_MAX)))
        return usage();
    nk_arena_init(&j.arena, NK_INPUT_ARENA);
    int status = run(&j);
    nk_arena_free(&j.arena);
    return status;
}
