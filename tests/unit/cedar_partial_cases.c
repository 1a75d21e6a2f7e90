/* SPDX-License-Identifier: Apache-2.0
 *
 * cedar_partial_cases.c - what partial evaluation leaves of policies, as text: tests/cases/cedar/
 * partial.cases says how a case is written. What is unknown is said as for `nakoso policy partial`.
 */
#include "cases.h"
#include "cedar/convert.h"
#include "cedar/partial.h"
#include "cmd/policy_unknown.h"
#include "tap.h"

enum { BIG = 16 << 20, TEXT = 1 << 16 };

static const char schema_text[] =
    "entity Org; entity Team in [Org];"
    "entity User in [Team] { dept: String, level: Long, boss?: User } tags String;"
    "entity Doc in [Org] { owner: User, labels: Set<String>, public?: Bool };"
    "action read appliesTo { principal: User, resource: Doc,"
    "  context: { mfa: Bool, n: Long, ip?: ipaddr, device?: { kind: String, os?: String } } };";

static const char entities_json[] =
    "[{\"uid\":{\"type\":\"User\",\"id\":\"alice\"},\"attrs\":{\"dept\":\"hr\",\"level\":3},"
    "\"parents\":[{\"type\":\"Team\",\"id\":\"a\"}],\"tags\":{\"t\":\"x\"}},"
    "{\"uid\":{\"type\":\"Team\",\"id\":\"a\"},\"attrs\":{},"
    "\"parents\":[{\"type\":\"Org\",\"id\":\"o\"}]},"
    "{\"uid\":{\"type\":\"Doc\",\"id\":\"d\"},\"attrs\":{\"labels\":[\"x\",\"y\"],"
    "\"owner\":{\"__entity\":{\"type\":\"User\",\"id\":\"alice\"}}},\"parents\":[]}]";

struct fixture {
    struct nk_arena arena;
    const struct nk_cedar_schema *schema;
    struct nk_cedar_entities *entities;
};

static bool has_flag(struct nk_str flags, char flag)
{
    return flags.n && memchr(flags.p, flag, flags.n);
}

static struct nk_cedar_partial_request request_of(struct fixture *x, struct nk_str flags)
{
    struct nk_arena *a = &x->arena;
    const struct nk_cedar_member members[] = {{NK_STR("mfa"), nk_cedar_bool(a, true)},
                                              {NK_STR("n"), nk_cedar_long(a, 5)}};
    struct nk_cedar_partial_request r = {.principal = {NK_STR("User"), NK_STR("alice")},
                                         .action = {NK_STR("Action"), NK_STR("read")},
                                         .resource = {NK_STR("Doc"), NK_STR("d")},
                                         .context = nk_cedar_record(a, members, 2)};
    if (has_flag(flags, 'p'))
        r.principal.id = (struct nk_str){NULL, 0};
    if (has_flag(flags, 'r'))
        r.resource.id = (struct nk_str){NULL, 0};
    if (has_flag(flags, 'c'))
        r.context = NULL;
    r.schema = has_flag(flags, 't') ? x->schema : NULL;
    return r;
}

/* What is left, in one line; a bar would end what is expected. */
static void put_left(struct nk_buf *out, const struct nk_cedar_partial *x)
{
    static const char *const decisions[] = {"undecided", "allow", "deny"};
    nk_buf_add(out, nk_str(decisions[x->decision]));
    for (size_t i = 0; i < x->policy_count; i++) {
        const struct nk_cedar_residual *r = &x->policies[i];
        if (r->outcome == NK_CEDAR_ERRS)
            nk_buf_printf(out, "; error: %s", r->what);
        if (r->outcome != NK_CEDAR_RESIDUAL &&
            (r->outcome != NK_CEDAR_SATISFIED || x->decision != NK_CEDAR_UNDECIDED))
            continue;
        nk_buf_add(out, r->never ? NK_STR("; never") : NK_STR(""));
        nk_buf_add(out, r->may_err ? NK_STR("; may err: ") : NK_STR("; "));
        nk_cedar_residual_put_text(r, out);
        out->n -= 2; /* the last ";" and the end of its line */
    }
    for (size_t i = 0; i < out->n; i++)
        out->p[i] = out->p[i] == '\n' ? ' ' : out->p[i] == '|' ? '/' : out->p[i];
}

static int run(struct fixture *x, const struct case_line *c, struct nk_buf *out, struct nk_fault *f)
{
    struct nk_str policies = nk_arena_copy(&x->arena, (struct nk_str){c->input, c->n});
    struct nk_str unknown = nk_str_cut(&policies, '#'), flags = nk_str_cut(&unknown, ':');
    struct nk_cedar_partial_request r = request_of(x, flags);
    struct nk_cedar_policies *p = nk_cedar_policies_new(&x->arena);
    struct nk_cedar_partial left;
    int rc = nk_cedar_policies_add(p, policies, NK_STR("p"), false, f);
    nk_cedar_policies_strict(p, has_flag(flags, 's'));
    if (!rc && nk_str_trim(unknown).n)
        rc = nk_unknown_read(nk_str_trim(unknown), &x->arena, &r, f);
    if (!rc)
        rc = nk_cedar_partial_check(&r, f);
    if (!rc)
        rc = nk_cedar_partial(p, x->entities, &r, &x->arena, &left);
    if (!rc)
        put_left(out, &left);
    else
        nk_buf_printf(out, "refused: %s", f->message);
    return rc;
}

static void one(const struct case_line *c, void *ctx)
{
    struct fixture *x = ctx;
    struct nk_fault f = {0};
    struct nk_buf out;
    nk_buf_init(&out, TEXT);
    (void)run(x, c, &out, &f);
    struct nk_str got = nk_buf_str(&out);
    bool same = nk_str_eq(got, nk_str(c->expect));
    tap_ok(same, "%s:%d %.*s", c->file, c->line, (int)c->n, c->input);
    if (!same)
        printf("# expected: %s\n#      got: %.*s\n", c->expect, NK_FMT(got));
    nk_buf_free(&out);
}

int main(void)
{
    struct fixture x = {.schema = NULL};
    nk_arena_init(&x.arena, BIG);
    struct nk_cedar_diags *d = nk_cedar_diags_new(&x.arena, 1);
    x.entities = nk_cedar_entities_new(&x.arena, NULL);
    TAP_CHECK(nk_cedar_schema_parse(NK_STR(schema_text), &x.arena, d, &x.schema) == 0);
    TAP_CHECK(nk_cedar_entities_parse(x.entities, NK_STR(entities_json), NULL) == 0);
    TAP_CHECK(nk_cedar_entities_seal(x.entities, NULL) == 0);
    TAP_CHECK(cases_read("tests/cases/cedar/partial.cases", one, &x) > 0);
    nk_arena_free(&x.arena);
    return tap_done();
}
