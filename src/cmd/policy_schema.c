/* SPDX-License-Identifier: Apache-2.0
 *
 * policy_schema.c - `nakoso policy schema`: what policies of a configuration may speak of. The checkpoint's own types
 * come from the file that policy.schema names, or else from the shipped one; the registered tools follow.
 */
#include "cmd/policy.h"

#include <stdio.h>
#include "cedar/schema.h"
#include "cmd/options.h"
#include "cmd/policy_input.h"
#include "role/bundle.h"
#include "tool/tool.h"

enum { OUT_MAX = 64 << 20, KEPT = 20 };

/* policy/nakoso.cedarschema as it was when this program was built. */
extern const char nk_shipped_schema[], nk_shipped_schema_end[];
__asm__(".pushsection .rodata\n.globl nk_shipped_schema, nk_shipped_schema_end\n"
        "nk_shipped_schema: .incbin \"policy/nakoso.cedarschema\"\n"
        "nk_shipped_schema_end: .byte 0\n.popsection\n");

static int usage(void)
{
    fputs("usage: nakoso policy schema [-c FILE] [--json]\n"
          "Prints the Cedar schema that policies are validated by: that of policy.schema, or the "
          "one that is shipped, "
          "and the\nactions of all tools that the configuration FILE registers. Without -c: the "
          "shipped one "
          "alone.\n",
          stderr);
    return 2;
}

/* A schema as text, whichever form it has. */
static int add_schema(struct nk_str text, struct nk_arena *a, struct nk_buf *out,
                      struct nk_fault *f)
{
    struct nk_cedar_diags *d = nk_cedar_diags_new(a, KEPT);
    const struct nk_cedar_schema *schema;
    struct nk_str begin = text;
    while (begin.n && (begin.p[0] == ' ' || (begin.p[0] >= '\t' && begin.p[0] <= '\r')))
        begin = nk_str_sub(begin, 1, begin.n);
    if (!begin.n || begin.p[0] != '{') {
        nk_buf_add(out, text);
        return 0;
    }
    int rc = d ? nk_cedar_schema_parse_json(text, a, d, &schema) : NK_ENOMEM;
    return rc ? nk_fault_set(f, rc, "schema", 0,
                             "policy.schema cannot be read: nakoso check says why")
              : nk_cedar_schema_write(schema, out, f);
}

/* The schema's text: what is in force for the configuration. */
static int write_text(const char *file, struct nk_arena *a, struct nk_buf *out, struct nk_fault *f)
{
    static const uint64_t seed[2] = {0, 0};
    struct nk_str base = {nk_shipped_schema, (size_t)(nk_shipped_schema_end - nk_shipped_schema)};
    struct nk_bundle bundle = {.count = 0};
    struct nk_config config;
    const struct nk_tools *tools = NULL;
    int rc = file ? nk_bundle_load(file, a, &bundle, f) : 0;
    if (!rc && file)
        rc = nk_config_parse(nk_bundle_get(&bundle, NK_STR("config")), a, &config, f);
    if (!rc && file)
        rc = nk_tools_new(&config, nk_bundle_get(&bundle, NK_STR("tools")), seed, a, &tools, f);
    struct nk_str own = nk_bundle_get(&bundle, NK_STR("schema"));
    if (!rc)
        rc = add_schema(own.p ? own : base, a, out, f);
    if (!rc && tools)
        nk_tools_put_schema(tools, out);
    nk_bundle_wipe(&bundle);
    return rc ? rc : out->error;
}

/* Reads it, so that nothing is printed that nobody could read; as JSON if asked. */
static int check(struct nk_buf *text, bool json, struct nk_arena *a, struct nk_fault *f)
{
    struct nk_cedar_diags *d = nk_cedar_diags_new(a, KEPT);
    const struct nk_cedar_schema *schema;
    struct nk_str copy = nk_arena_copy(a, nk_buf_str(text));
    if (!d || !copy.p)
        return nk_fault_set(f, NK_ENOMEM, "schema", 0, "out of memory");
    int rc = nk_cedar_schema_parse(copy, a, d, &schema);
    if (rc && d->first) {
        struct nk_buf shown;
        nk_buf_init(&shown, 1 << 16);
        nk_cedar_diag_print(d->first, NK_STR("schema"), false, &shown);
        fwrite(shown.p, 1, shown.n, stderr);
        nk_buf_free(&shown);
    }
    if (rc)
        return nk_fault_set(f, rc, "schema", 0, "the schema and the tools do not go together");
    if (!json)
        return 0;
    nk_buf_clear(text);
    nk_cedar_schema_write_json(schema, text);
    nk_buf_add_char(text, '\n');
    return text->error;
}

int nk_policy_schema(int argc, char **argv)
{
    const char *file = NULL;
    bool json = false;
    const struct nk_option options[] = {{"-c", &file, NULL}, {"--json", NULL, &json}};
    struct nk_arena a;
    struct nk_buf out;
    struct nk_fault f = {0};
    int files;
    if (nk_options_read("policy schema", argc, argv, options, NK_COUNT(options), &files) || files)
        return usage();
    nk_arena_init(&a, NK_INPUT_ARENA);
    nk_buf_init(&out, OUT_MAX);
    int rc = write_text(file, &a, &out, &f);
    if (!rc)
        rc = check(&out, json, &a, &f);
    if (rc)
        fprintf(stderr, "nakoso policy schema: %s\n", f.code ? f.message : nk_error_name(rc));
    else
        fwrite(out.p, 1, out.n, stdout);
    nk_buf_free(&out);
    nk_arena_free(&a);
    return rc || fflush(stdout) ? 1 : 0;
}
