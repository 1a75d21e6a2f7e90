/* SPDX-License-Identifier: Apache-2.0
 *
 * tools_check.c - `nakoso tools check`: what is strange in definitions, whoever approved them. For a person,
 * for a program (JSON), and for code review (SARIF 2.1.0), because tools.json is a file under review.
 */
#include "cmd/tools.h"

#include <stdio.h>
#include <string.h>
#include "cedar/diag.h"
#include "cmd/audit_args.h"
#include "cmd/options.h"

enum { OUT_MAX = 64 << 20 };

struct job {
    const char *format, *lang_name, *approved;
    bool strict;
    enum nk_lang lang;
    struct nk_arena arena;
    struct nk_offer offer;
    struct nk_approved_file file;
    struct nk_buf out;
    size_t tools, counts[3]; /* by level */
    bool any;                /* a finding was written */
};

static int usage(void)
{
    fputs(
        "usage: nakoso tools check [--format text|json|sarif] [--strict] [--lang en|ja] "
        "[--approved "
        "FILE] FILE|URL\n"
        "Looks at definitions of tools (an answer of tools/list, a list, or tools.json) for hidden "
        "characters\nand for texts that instruct the model. With --approved, also for names of "
        "other "
        "servers' tools.\nExit status 1: there is an error or, with --strict, a warning. That "
        "nothing is found proves nothing.\n",
        stderr);
    return 2;
}

static void put_text(struct job *j, struct nk_str name, const struct nk_trust_findings *found)
{
    if (!found->n)
        return;
    nk_trust_put_seen(&j->out, name.n ? name : NK_STR("?"));
    nk_buf_add_char(&j->out, '\n');
    for (size_t i = 0; i < found->n; i++)
        nk_finding_put(&found->list[i], j->lang, &j->out);
}

static void put_common(struct job *j, struct nk_str name, const struct nk_trust_finding *one)
{
    nk_json_put_member(&j->out, NK_STR("tool"), name);
    nk_json_put_member(&j->out, NK_STR("where"), one->where);
    nk_json_put_member(&j->out, NK_STR("excerpt"), one->excerpt);
}

static void put_place(struct job *j, const struct nk_trust_finding *one, const char *line_name,
                      const char *column_name)
{
    unsigned line, column;
    nk_cedar_place(j->offer.text, j->offer.doc.tape[one->at].start, &line, &column);
    nk_json_put_name(&j->out, nk_str(line_name));
    nk_buf_add_u64(&j->out, line);
    nk_json_put_name(&j->out, nk_str(column_name));
    nk_buf_add_u64(&j->out, column);
}

static void put_json(struct job *j, struct nk_str name, const struct nk_trust_findings *found)
{
    for (size_t i = 0; i < found->n; i++) {
        const struct nk_trust_finding *one = &found->list[i];
        nk_buf_add(&j->out, j->any ? NK_STR(",\n{") : NK_STR("\n{"));
        j->any = true;
        nk_json_put_member(&j->out, NK_STR("id"), nk_str(nk_trust_rule_id(one->rule)));
        nk_json_put_member(&j->out, NK_STR("severity"),
                           nk_str(nk_level_name(nk_trust_rule_level(one->rule), NK_LANG_EN)));
        put_common(j, name, one);
        put_place(j, one, "line", "column");
        nk_json_put_member(&j->out, NK_STR("message"),
                           nk_str(nk_trust_rule_text(one->rule, j->lang == NK_LANG_JA)));
        nk_buf_add_char(&j->out, '}');
    }
}

static void put_sarif(struct job *j, struct nk_str name, const struct nk_trust_findings *found)
{
    for (size_t i = 0; i < found->n; i++) {
        const struct nk_trust_finding *one = &found->list[i];
        nk_buf_add(&j->out, j->any ? NK_STR(",\n{") : NK_STR("\n{"));
        j->any = true;
        nk_json_put_member(&j->out, NK_STR("ruleId"), nk_str(nk_trust_rule_id(one->rule)));
        nk_json_put_member(&j->out, NK_STR("level"),
                           nk_str(nk_level_name(nk_trust_rule_level(one->rule), NK_LANG_EN)));
        nk_buf_add(&j->out, NK_STR(",\"message\":{"));
        nk_json_put_member(&j->out, NK_STR("text"),
                           nk_str(nk_trust_rule_text(one->rule, j->lang == NK_LANG_JA)));
        nk_buf_add(&j->out,
                   NK_STR("},\"locations\":[{\"physicalLocation\":{\"artifactLocation\":{"));
        nk_json_put_member(&j->out, NK_STR("uri"), nk_str(j->offer.name));
        nk_buf_add(&j->out, NK_STR("},\"region\":{"));
        put_place(j, one, "startLine", "startColumn");
        nk_buf_add(&j->out, NK_STR("}}}],\"properties\":{"));
        put_common(j, name, one);
        nk_buf_add(&j->out, NK_STR("}}"));
    }
}

static void put_sarif_rules(struct job *j)
{
    nk_buf_add(&j->out, NK_STR("{\"$schema\":\"https://json.schemastore.org/sarif-2.1.0.json\","
                               "\"version\":\"2.1.0\",\"runs\":[{\"tool\":{\"driver\":{"
                               "\"name\":\"nakoso\",\"version\":\"" NK_VERSION "\",\"rules\":["));
    for (int i = 0; i < NK_TRUST_RULES; i++) {
        enum nk_trust_rule rule = (enum nk_trust_rule)i;
        nk_buf_add(&j->out, i ? NK_STR(",\n{") : NK_STR("\n{"));
        nk_json_put_member(&j->out, NK_STR("id"), nk_str(nk_trust_rule_id(rule)));
        nk_buf_add(&j->out, NK_STR(",\"shortDescription\":{"));
        nk_json_put_member(&j->out, NK_STR("text"),
                           nk_str(nk_trust_rule_text(rule, j->lang == NK_LANG_JA)));
        nk_buf_add(&j->out, NK_STR("},\"defaultConfiguration\":{"));
        nk_json_put_member(&j->out, NK_STR("level"),
                           nk_str(nk_level_name(nk_trust_rule_level(rule), NK_LANG_EN)));
        nk_buf_add(&j->out, NK_STR("}}"));
    }
    nk_buf_add(&j->out, NK_STR("]}},\"columnKind\":\"unicodeCodePoints\",\"results\":["));
}

static bool is_format(const struct job *j, const char *name)
{
    return strcmp(j->format ? j->format : "text", name) == 0;
}

static int look(struct job *j, uint32_t at, struct nk_fault *f)
{
    static struct nk_trust_findings found;
    struct nk_str name =
        nk_json_string(&j->offer.doc, nk_json_get(&j->offer.doc, at, NK_STR("name")), &j->arena);
    struct nk_str server =
        nk_json_string(&j->offer.doc, nk_json_get(&j->offer.doc, at, NK_STR("server")), &j->arena);
    int rc = nk_trust_inspect(&j->offer.doc, at, &j->file.approvals, server, &j->arena, &found, f);
    if (rc)
        return rc;
    j->tools++;
    for (int level = 0; level < 3; level++)
        j->counts[level] += nk_findings_of(&found, (enum nk_trust_level)level);
    struct nk_str shown = name.p ? name : NK_STR("");
    if (is_format(j, "text"))
        put_text(j, shown, &found);
    else if (is_format(j, "json"))
        put_json(j, shown, &found);
    else
        put_sarif(j, shown, &found);
    return 0;
}

static void put_end(struct job *j)
{
    if (is_format(j, "sarif"))
        nk_buf_add(&j->out, NK_STR("]}]}\n"));
    else if (is_format(j, "json"))
        nk_buf_printf(&j->out, "],\"tools\":%zu,\"errors\":%zu,\"warnings\":%zu,\"notes\":%zu}\n",
                      j->tools, j->counts[0], j->counts[1], j->counts[2]);
    else if (j->lang == NK_LANG_JA)
        nk_buf_printf(&j->out, "ツール %zu 件: エラー %zu 件、警告 %zu 件、注記 %zu 件\n", j->tools,
                      j->counts[0], j->counts[1], j->counts[2]);
    else
        nk_buf_printf(&j->out, "tools: %zu, errors: %zu, warnings: %zu, notes: %zu\n", j->tools,
                      j->counts[0], j->counts[1], j->counts[2]);
}

static int check(struct job *j, const char *from)
{
    struct nk_fault f = {0};
    int rc = j->approved ? nk_approved_open(&j->file, j->approved, false, &j->arena, &f) : 0;
    if (rc == 0)
        rc = nk_offer_read(from, NULL, &j->arena, &j->offer, &f);
    if (rc == 0 && is_format(j, "sarif"))
        put_sarif_rules(j);
    if (rc == 0 && is_format(j, "json"))
        nk_buf_add(&j->out, NK_STR("{\"findings\":["));
    const struct nk_json *doc = &j->offer.doc;
    for (uint32_t i = rc ? NK_JSON_NONE : nk_json_first(doc, j->offer.tools);
         i != NK_JSON_NONE && rc == 0; i = nk_json_next(doc, j->offer.tools, i))
        rc = look(j, i, &f);
    if (rc) {
        fprintf(stderr, "nakoso tools check: %s\n", f.message);
        return 1;
    }
    put_end(j);
    return nk_audit_print(&j->out) && !j->counts[0] && !(j->strict && j->counts[1]) ? 0 : 1;
}

int nk_cmd_tools_check(int argc, char **argv)
{
    static struct job j;
    bool help = false;
    const struct nk_option options[] = {{"--format", &j.format, NULL},
                                        {"--lang", &j.lang_name, NULL},
                                        {"--approved", &j.approved, NULL},
                                        {"--strict", NULL, &j.strict},
                                        {"--help", NULL, &help}};
    int words;
    if (nk_options_read("tools check", argc, argv, options, NK_COUNT(options), &words) ||
        words != 1 || help || nk_lang_of("tools check", j.lang_name, &j.lang) ||
        !(is_format(&j, "text") || is_format(&j, "json") || is_format(&j, "sarif")))
        return usage();
    nk_arena_init(&j.arena, NK_TOOLS_ARENA);
    nk_buf_init(&j.out, OUT_MAX);
    int status = check(&j, argv[1]);
    nk_buf_free(&j.out);
    nk_arena_free(&j.arena);
    return status;
}
