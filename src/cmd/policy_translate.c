/* SPDX-License-Identifier: Apache-2.0
 *
 * policy_translate.c - `nakoso policy translate`: policies, or a schema, as text to Cedar's JSON and
 * back.
 */
#include "cmd/policy.h"

#include <stdio.h>
#include "cedar/convert.h"
#include "cmd/audit_args.h"
#include "cmd/options.h"
#include "cmd/policy_input.h"

static int usage(void)
{
    fputs("usage: nakoso policy translate --to json|cedar [--schema] FILE|-\n"
          "Writes policies in the other form to standard output. To json: FILE is policy text, and "
          "its policies are\ncalled policy0, policy1 …; to cedar: FILE is a policy set in JSON, or "
          "one policy. With --schema, or\nwhen its name ends in .cedarschema or .cedarschema.json, "
          "FILE is a schema.\n",
          stderr);
    return 2;
}

/* One policy has an effect, a set has none. */
static int add_json(struct nk_cedar_policies *p, struct nk_str text, struct nk_arena *a,
                    struct nk_fault *f)
{
    struct nk_json doc;
    int rc = nk_json_parse_any_name(&nk_input_limits, text, a, &doc, f);
    if (rc)
        return rc;
    if (nk_json_get(&doc, 0, NK_STR("effect")) == NK_JSON_NONE)
        return nk_cedar_policies_add_json(p, text, f);
    return nk_cedar_policy_add_json(p, text, NK_STR("policy0"), f);
}

static int translate_schema(const char *path, bool to_json, struct nk_arena *a, struct nk_buf *out,
                            struct nk_fault *f)
{
    const struct nk_cedar_schema *schema;
    struct nk_fault inner = {.code = 0};
    int rc = nk_input_schema(path, a, &schema, f);
    if (rc)
        return rc;
    if (to_json)
        nk_cedar_schema_write_json(schema, out);
    else
        rc = nk_cedar_schema_write(schema, out, &inner);
    rc = rc ? rc : out->error;
    return rc ? nk_fault_set(f, rc, "schema", inner.offset, "%s: %s", path,
                             inner.code ? inner.message : nk_error_name(rc))
              : 0;
}

static bool is_schema(const char *path)
{
    struct nk_str s = nk_str(path);
    return nk_str_ends(s, NK_STR(".cedarschema")) || nk_str_ends(s, NK_STR(".cedarschema.json"));
}

static int translate(const char *path, bool to_json, struct nk_arena *a, struct nk_buf *out,
                     struct nk_fault *f)
{
    struct nk_fault inner = {.code = 0};
    struct nk_str text;
    struct nk_cedar_policies *p = nk_cedar_policies_new(a);
    int rc = nk_input_read(path, a, &text, f);
    if (rc)
        return rc;
    if (!p)
        rc = NK_ENOMEM;
    else if (to_json)
        rc = nk_cedar_policies_add(p, text, NK_STR("policy"), false, &inner);
    else
        rc = add_json(p, text, a, &inner);
    if (!rc)
        rc = to_json ? nk_cedar_policies_put_json(p, out) : nk_cedar_policies_put_text(p, out);
    return rc ? nk_fault_set(f, rc, "policy", inner.offset, "%s: %s", path,
                             inner.code ? inner.message : nk_error_name(rc))
              : 0;
}

int nk_policy_translate(int argc, char **argv)
{
    const char *to = NULL;
    bool schema = false;
    const struct nk_option options[] = {{"--to", &to, NULL}, {"--schema", NULL, &schema}};
    struct nk_arena arena;
    struct nk_buf out;
    struct nk_fault f = {.code = 0};
    int words;
    if (nk_options_read("policy translate", argc, argv, options, NK_COUNT(options), &words) ||
        words != 1 || !to || (strcmp(to, "json") != 0 && strcmp(to, "cedar") != 0))
        return usage();
    bool to_json = strcmp(to, "json") == 0;
    nk_arena_init(&arena, NK_INPUT_ARENA);
    nk_buf_init(&out, NK_INPUT_MAX);
    int rc = schema || is_schema(argv[1]) ? translate_schema(argv[1], to_json, &arena, &out, &f)
                                          : translate(argv[1], to_json, &arena, &out, &f);
    if (rc)
        fprintf(stderr, "nakoso policy translate: %s\n", f.message);
    else if (to_json)
        nk_buf_add_char(&out, '\n');
    int status = !rc && nk_audit_print(&out) && fflush(stdout) == 0 ? 0 : 1;
    nk_buf_free(&out);
    nk_arena_free(&arena);
    return status;
}
