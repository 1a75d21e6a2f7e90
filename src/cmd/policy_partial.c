/* SPDX-License-Identifier: Apache-2.0
 *
 * policy_partial.c - `nakoso policy partial`: decides a request of which a part is not known. What is
 * left of the policies is printed as policies: the answer as a whole is policy text, what is said
 * besides stands in comments.
 */
#include "cmd/policy.h"

#include <stdio.h>
#include "cedar/partial.h"
#include "cmd/audit_args.h"
#include "cmd/options.h"
#include "cmd/policy_input.h"
#include "cmd/policy_unknown.h"

enum { ALLOW = 0, FAILED = 1, DENY = 2, UNDECIDED = 3, OUT_MAX = 64 << 20 };

struct job {
    struct nk_input_files files;
    struct nk_input_options request;
    const char *unknown;
    bool json;
    struct nk_arena arena;
    struct nk_buf out;
    struct nk_fault fault;
};

static int usage(void)
{
    fputs("usage: nakoso policy partial --policies FILE|DIR [--entities FILE] [--schema FILE]\n"
          "           [--errors skip|deny] [--json] --principal ENTITY|TYPE::? --action ENTITY\n"
          "           --resource ENTITY|TYPE::? [--context FILE|JSON] [--unknown LIST]\n"
          "Decides as far as the request is known. Of 'User::?' only the type is known. LIST says "
          "what else is\nnot, divided by commas:\n"
          "  context                   its attributes beside those of --context\n"
          "  context.name              one of them: it may be absent, or have any value\n"
          "  User::\"alice\"             all of an entity, also whether it exists\n"
          "  User::\"alice\".name        one of its attributes\n"
          "  User::\"alice\" tags        … ancestors: the groups that it is in\n"
          "  principal.name …          the same of the request's principal or resource\n"
          "When the decision depends on what is not known, the policies that are left are printed. "
          "They decide\nas the given ones do, whatever the rest turns out to be. Exit status: 0 "
          "allow, 2 deny, 3 undecided, 1 an\nerror.\n",
          stderr);
    return FAILED;
}

static const char *const decisions[] = {"undecided", "allow", "deny"};

static struct nk_str effect(const struct nk_cedar_residual *r)
{
    return r->forbid ? NK_STR("forbid") : NK_STR("permit");
}

/* Does the decision still depend on it, or rest on it? */
static bool is_left(const struct nk_cedar_partial *x, const struct nk_cedar_residual *r)
{
    return x->decision == NK_CEDAR_UNDECIDED &&
           (r->outcome == NK_CEDAR_RESIDUAL || r->outcome == NK_CEDAR_SATISFIED);
}

static void put_text(struct nk_buf *out, const struct nk_cedar_partial *x)
{
    nk_buf_printf(out, "// %s\n", decisions[x->decision]);
    for (size_t i = 0; x->decision != NK_CEDAR_UNDECIDED && i < x->reason_count; i++) {
        nk_buf_add(out, x->decision == NK_CEDAR_ALLOW ? NK_STR("// permitted by ")
                                                      : NK_STR("// forbidden by "));
        nk_audit_put_safe(out, x->reasons[i]);
        nk_buf_add_char(out, '\n');
    }
    for (size_t i = 0; i < x->policy_count; i++)
        if (x->policies[i].outcome == NK_CEDAR_ERRS) {
            nk_buf_add(out, NK_STR("// error in "));
            nk_audit_put_safe(out, x->policies[i].id);
            nk_buf_printf(out, ": %s\n", x->policies[i].what);
        }
    for (size_t i = 0; i < x->policy_count; i++) {
        const struct nk_cedar_residual *r = &x->policies[i];
        if (!is_left(x, r))
            continue;
        nk_buf_add(out, NK_STR("\n// "));
        nk_audit_put_safe(out, r->id);
        nk_buf_add(out, r->outcome == NK_CEDAR_SATISFIED ? NK_STR(": satisfied")
                        : r->never                       ? NK_STR(": never satisfied")
                                                         : NK_STR(": depends"));
        nk_buf_add(out, r->may_err ? NK_STR(", may err") : NK_STR(""));
        nk_buf_add_char(out, '\n');
        nk_cedar_residual_put_text(r, out);
    }
}

static void put_residual(struct nk_buf *out, const struct nk_cedar_residual *r,
                         struct nk_buf *scratch)
{
    nk_buf_add_char(out, '{');
    nk_json_put_member(out, NK_STR("policy"), r->id);
    nk_json_put_member(out, NK_STR("effect"), effect(r));
    nk_json_put_name(out, NK_STR("satisfied"));
    nk_buf_add(out, r->outcome == NK_CEDAR_SATISFIED ? NK_STR("true") : NK_STR("false"));
    nk_json_put_name(out, NK_STR("mayErr"));
    nk_buf_add(out, r->may_err ? NK_STR("true") : NK_STR("false"));
    nk_json_put_name(out, NK_STR("never"));
    nk_buf_add(out, r->never ? NK_STR("true") : NK_STR("false"));
    nk_buf_clear(scratch);
    nk_cedar_residual_put_text(r, scratch);
    nk_json_put_member(out, NK_STR("text"), nk_buf_str(scratch));
    nk_json_put_name(out, NK_STR("json"));
    nk_cedar_residual_put_json(r, out);
    nk_buf_add_char(out, '}');
}

static void put_lists(struct nk_buf *out, const struct nk_cedar_partial *x, struct nk_buf *scratch)
{
    bool any = false;
    nk_json_put_name(out, NK_STR("errors"));
    nk_buf_add_char(out, '[');
    for (size_t i = 0; i < x->policy_count; i++) {
        if (x->policies[i].outcome != NK_CEDAR_ERRS)
            continue;
        nk_buf_add(out, any ? NK_STR(",{") : NK_STR("{"));
        nk_json_put_member(out, NK_STR("policy"), x->policies[i].id);
        nk_json_put_member(out, NK_STR("error"), nk_str(x->policies[i].what));
        nk_buf_add_char(out, '}');
        any = true;
    }
    nk_buf_add_char(out, ']');
    nk_json_put_name(out, NK_STR("left"));
    nk_buf_add_char(out, '[');
    any = false;
    for (size_t i = 0; i < x->policy_count; i++)
        if (is_left(x, &x->policies[i])) {
            nk_buf_add(out, any ? NK_STR(",") : NK_STR(""));
            put_residual(out, &x->policies[i], scratch);
            any = true;
        }
    nk_buf_add_char(out, ']');
}

static void put_json(struct nk_buf *out, const struct nk_cedar_partial *x)
{
    struct nk_buf scratch;
    nk_buf_init(&scratch, OUT_MAX);
    nk_buf_add_char(out, '{');
    nk_json_put_member(out, NK_STR("decision"), nk_str(decisions[x->decision]));
    nk_json_put_name(out, NK_STR("reasons"));
    nk_buf_add_char(out, '[');
    for (size_t i = 0; i < x->reason_count; i++) {
        nk_buf_add(out, i ? NK_STR(",") : NK_STR(""));
        nk_json_put_string(out, x->reasons[i]);
    }
    nk_buf_add_char(out, ']');
    put_lists(out, x, &scratch);
    nk_buf_add(out, NK_STR("}\n"));
    out->error = out->error ? out->error : scratch.error;
    nk_buf_free(&scratch);
}

/* The request as far as it is known. */
static int read_request(struct job *j, const struct nk_cedar_schema *schema,
                        struct nk_cedar_partial_request *req)
{
    const struct nk_input_options *o = &j->request;
    struct nk_cedar_request whole = {.context = NULL};
    if (!o->principal || !o->action || !o->resource)
        return nk_fault_set(&j->fault, NK_EINVAL, "request", 0,
                            "a request needs --principal, --action and --resource; 'User::?' is "
                            "an entity of which only the type is known");
    int rc = nk_unknown_uid(nk_str(o->principal), &j->arena, &whole.principal, &j->fault);
    if (!rc)
        rc = nk_input_uid(nk_str(o->action), &j->arena, &whole.action, &j->fault);
    if (!rc)
        rc = nk_unknown_uid(nk_str(o->resource), &j->arena, &whole.resource, &j->fault);
    if (!rc && o->context)
        rc = nk_input_context(o->context, schema, &j->arena, &whole, &j->fault);
    *req = (struct nk_cedar_partial_request){.principal = whole.principal,
                                             .action = whole.action,
                                             .resource = whole.resource,
                                             .context = whole.context,
                                             .schema = schema};
    if (!rc && j->unknown)
        rc = nk_unknown_read(nk_str(j->unknown), &j->arena, req, &j->fault);
    return rc ? rc : nk_cedar_partial_check(req, &j->fault);
}

static int run(struct job *j)
{
    struct nk_input input;
    struct nk_cedar_partial_request req;
    struct nk_cedar_partial x;
    int rc = nk_input_load(&j->files, &j->arena, &input, &j->fault);
    if (!rc)
        rc = read_request(j, input.schema, &req);
    if (!rc && (rc = nk_cedar_partial(input.policies, input.entities, &req, &j->arena, &x)) != 0)
        rc = nk_fault_set(&j->fault, rc, "request", 0,
                          rc == NK_EINVAL ? "the context is no record" : "out of memory");
    if (rc) {
        fprintf(stderr, "nakoso policy partial: %s\n", j->fault.message);
        return FAILED;
    }
    if (j->json)
        put_json(&j->out, &x);
    else
        put_text(&j->out, &x);
    if (!nk_audit_print(&j->out) || fflush(stdout))
        return FAILED;
    return (int[]){UNDECIDED, ALLOW, DENY}[x.decision];
}

int nk_policy_partial(int argc, char **argv)
{
    static struct job j;
    const struct nk_option own[] = {{"--unknown", &j.unknown, NULL}, {"--json", NULL, &j.json}};
    struct nk_option options[NK_INPUT_ROWS + NK_COUNT(own)];
    int words;
    nk_input_rows(&j.files, &j.request, own, NK_COUNT(own), options);
    if (nk_options_read("policy partial", argc, argv, options, NK_COUNT(options), &words) ||
        words || !j.files.policies)
        return usage();
    nk_arena_init(&j.arena, NK_INPUT_ARENA);
    nk_buf_init(&j.out, OUT_MAX);
    int status = run(&j);
    nk_buf_free(&j.out);
    nk_arena_free(&j.arena);
    return status;
}
