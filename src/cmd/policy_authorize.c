/* SPDX-License-Identifier: Apache-2.0
 *
 * policy_authorize.c - `nakoso policy authorize`: one request from options, or a batch, a line of
 * JSON for each. The exit status of one request is the decision, so that a script may ask.
 */
#include "cmd/policy.h"

#include <stdio.h>
#include "cmd/audit_args.h"
#include "cmd/lines.h"
#include "cmd/options.h"
#include "cmd/policy_input.h"
#include "cmd/policy_text.h"

enum { ALLOW = 0, FAILED = 1, DENY = 2, SCRATCH_MAX = 512 << 20, OUT_MAX = 64 << 20 };

struct job {
    const char *batch;
    struct nk_input_files files;
    struct nk_input_options request;
    bool json;
    struct nk_arena arena, scratch; /* of all, of one request */
    struct nk_input input;
    struct nk_buf out;
    struct nk_fault fault;
};

static int usage(void)
{
    fputs(
        "usage: nakoso policy authorize --policies FILE|DIR [--entities FILE] [--schema FILE]\n"
        "           [--errors skip|deny] [--json] --principal ENTITY --action ENTITY\n"
        "           --resource ENTITY [--context FILE|JSON]\n"
        "       nakoso policy authorize --policies … --batch FILE|-\n"
        "ENTITY is written as in a policy: 'User::\"alice\"'. With a schema, entities and requests "
        "have to keep\nto it; with --errors deny, a forbid that errs denies. Exit status of one "
        "request: 0 allow, 2 deny, 1 an\nerror. Each line of a batch is a request in JSON:\n"
        "  {\"principal\":…,\"action\":…,\"resource\":…,\"context\":{…},"
        "\"entities\":[…],\"id\":…}\n"
        "where an entity is {\"type\":\"User\",\"id\":\"alice\"} or "
        "\"User::\\\"alice\\\"\"; the entities are\nadded to those of the file for this "
        "request, and the id comes back. Its answer is a line:\n"
        "  {\"id\":…,\"decision\":\"allow\",\"reasons\":[\"…\"],\"errors\":"
        "[{\"policy\":\"…\",\"error\":\"…\"}]}\n"
        "or {\"id\":…,\"error\":\"…\"} when the line cannot be decided; then the exit status is "
        "1, else 0.\n",
        stderr);
    return FAILED;
}

static void put_text(struct nk_buf *out, const struct nk_cedar_answer *answer)
{
    nk_buf_add(out, answer->allow ? NK_STR("allow\n") : NK_STR("deny\n"));
    for (size_t i = 0; i < answer->reason_count; i++) {
        nk_buf_add(out, answer->allow ? NK_STR("  permitted by ") : NK_STR("  forbidden by "));
        nk_audit_put_safe(out, answer->reasons[i]);
        nk_buf_add_char(out, '\n');
    }
    if (answer->reason_count == 0)
        nk_buf_add(out, NK_STR("  no policy permits it\n"));
    for (size_t i = 0; i < answer->error_count; i++) {
        nk_buf_add(out, NK_STR("  error in "));
        nk_audit_put_safe(out, answer->errors[i].policy);
        nk_buf_printf(out, ": %s\n", answer->errors[i].what);
    }
}

static int say(const struct nk_fault *f)
{
    fprintf(stderr, "nakoso policy authorize: %s\n", f->message);
    return FAILED;
}

static int decide(struct job *j, const struct nk_cedar_entities *entities,
                  const struct nk_cedar_request *request, struct nk_cedar_answer *answer,
                  struct nk_fault *f)
{
    int rc = nk_cedar_authorize(j->input.policies, entities, request, &j->scratch, answer);
    return rc ? nk_fault_set(f, rc, "request", 0,
                             rc == NK_EINVAL ? "the context is no record" : "out of memory")
              : 0;
}

static int one(struct job *j)
{
    struct nk_cedar_request request;
    struct nk_cedar_answer answer;
    if (nk_input_options(&j->request, j->input.schema, &j->arena, &request, &j->fault) ||
        decide(j, j->input.entities, &request, &answer, &j->fault))
        return say(&j->fault);
    if (j->json) {
        nk_buf_add_char(&j->out, '{');
        nk_policy_put_answer(&j->out, &answer);
        nk_buf_add(&j->out, NK_STR("}\n"));
    } else {
        put_text(&j->out, &answer);
    }
    if (!nk_audit_print(&j->out) || fflush(stdout))
        return FAILED;
    return answer.allow ? ALLOW : DENY;
}

/* The entities of this request over those of all. */
static int own_entities(struct job *j, const struct nk_json *doc,
                        const struct nk_cedar_entities **out, struct nk_fault *f)
{
    uint32_t at = nk_json_get(doc, 0, NK_STR("entities"));
    *out = j->input.entities;
    if (at == NK_JSON_NONE)
        return 0;
    struct nk_cedar_entities *own;
    int rc = nk_input_entities(nk_json_span(doc, at), j->input.schema, j->input.entities,
                               &j->scratch, &own, f);
    *out = own;
    return rc;
}

static int one_line(struct job *j, struct nk_str line)
{
    struct nk_fault f = {.code = 0};
    struct nk_json doc;
    struct nk_cedar_request request;
    struct nk_cedar_answer answer;
    const struct nk_cedar_entities *entities;
    int rc = nk_json_parse_any_name(&nk_input_limits, line, &j->scratch, &doc, &f);
    uint32_t id = rc ? NK_JSON_NONE : nk_json_get(&doc, 0, NK_STR("id"));
    if (!rc)
        rc = nk_input_request(&doc, 0, j->input.schema, &j->scratch, &request, &f);
    if (!rc)
        rc = nk_input_valid(j->input.schema, &request, &j->scratch, &f);
    if (!rc)
        rc = own_entities(j, &doc, &entities, &f);
    if (!rc)
        rc = decide(j, entities, &request, &answer, &f);
    nk_buf_add_char(&j->out, '{');
    if (id != NK_JSON_NONE) {
        nk_json_put_name(&j->out, NK_STR("id"));
        nk_buf_add(&j->out, nk_json_span(&doc, id));
    }
    if (rc)
        nk_json_put_member(&j->out, NK_STR("error"), nk_str(f.message));
    else
        nk_policy_put_answer(&j->out, &answer);
    nk_buf_add(&j->out, NK_STR("}\n"));
    nk_arena_reset(&j->scratch);
    return rc;
}

static int batch(struct job *j)
{
    struct nk_lines lines;
    struct nk_str line;
    int rc = nk_lines_open(&lines, j->batch, &j->fault);
    bool failed = false;
    if (rc)
        return say(&j->fault);
    while (!(rc = nk_lines_next(&lines, &line, &j->fault))) {
        failed |= one_line(j, line) != 0;
        if (!nk_audit_print(&j->out))
            break;
        /* Nobody waits for an answer whose line has more behind it. */
        if (lines.at == lines.b.n && fflush(stdout))
            break;
    }
    nk_lines_close(&lines);
    if (rc && rc != NK_ENOTFOUND)
        return say(&j->fault);
    return rc && !failed && !fflush(stdout) ? 0 : FAILED;
}

int nk_policy_authorize(int argc, char **argv)
{
    static struct job j;
    const struct nk_option own[] = {{"--batch", &j.batch, NULL}, {"--json", NULL, &j.json}};
    struct nk_option options[NK_INPUT_ROWS + NK_COUNT(own)];
    int words;
    nk_input_rows(&j.files, &j.request, own, NK_COUNT(own), options);
    if (nk_options_read("policy authorize", argc, argv, options, NK_COUNT(options), &words) ||
        words || !j.files.policies)
        return usage();
    if (j.batch &&
        (j.request.principal || j.request.action || j.request.resource || j.request.context))
        return usage();
    nk_arena_init(&j.arena, NK_INPUT_ARENA);
    nk_arena_init_sized(&j.scratch, SCRATCH_MAX, 1 << 16);
    nk_buf_init(&j.out, OUT_MAX);
    int status;
    if (nk_input_load(&j.files, &j.arena, &j.input, &j.fault))
        status = say(&j.fault);
    else
        status = j.batch ? batch(&j) : one(&j);
    nk_buf_free(&j.out);
    nk_arena_free(&j.scratch);
    nk_arena_free(&j.arena);
    return status;
}
