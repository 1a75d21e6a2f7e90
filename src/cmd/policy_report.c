/* SPDX-License-Identifier: Apache-2.0
 *
 * policy_report.c - see policy_report.h. Lines and columns count from 1, columns in characters; what
 * is about no place of a text has none.
 */
#include "cmd/policy_report.h"

#include "cmd/audit_args.h"

enum { MESSAGE_MAX = 1 << 20 };

/* The file whose text the diagnostic is about, or NULL. */
static const struct nk_report_file *file_of(const struct nk_report *r,
                                            const struct nk_cedar_diag *d)
{
    for (size_t i = 0; d->text.p && i < r->file_count; i++)
        if (r->files[i].text.p == d->text.p)
            return &r->files[i];
    return NULL;
}

/* A member whose value is written by `say`. */
static void put_said(struct nk_buf *out, struct nk_str name, const struct nk_cedar_diag *d, bool ja,
                     void (*say)(const struct nk_cedar_diag *, bool, struct nk_buf *))
{
    struct nk_buf b;
    nk_buf_init(&b, MESSAGE_MAX);
    say(d, ja, &b);
    if (b.n)
        nk_json_put_member(out, name, nk_buf_str(&b));
    nk_buf_free(&b);
}

static void put_number(struct nk_buf *out, struct nk_str name, unsigned long long v)
{
    nk_json_put_name(out, name);
    nk_buf_add_u64(out, v);
}

/* "startLine", "startColumn", "endLine", "endColumn" behind the prefix "start": names of both forms. */
static void put_place(struct nk_buf *out, const struct nk_cedar_diag *d, bool sarif)
{
    unsigned line, column;
    nk_cedar_place(d->text, d->offset, &line, &column);
    put_number(out, sarif ? NK_STR("startLine") : NK_STR("line"), line);
    put_number(out, sarif ? NK_STR("startColumn") : NK_STR("column"), column);
    nk_cedar_place(d->text, d->end > d->offset ? d->end : d->offset, &line, &column);
    put_number(out, NK_STR("endLine"), line);
    put_number(out, NK_STR("endColumn"), column);
}

static struct nk_str severity(const struct nk_cedar_diag *d)
{
    return nk_cedar_diag_severity(d->code) == NK_CEDAR_ERROR ? NK_STR("error") : NK_STR("warning");
}

/* Text ------------------------------------------------------------------------------------------ */
void nk_report_text(const struct nk_report *r, struct nk_buf *out)
{
    struct nk_buf b;
    nk_buf_init(&b, MESSAGE_MAX);
    for (const struct nk_cedar_diag *d = r->diags->first; d; d = d->next) {
        const struct nk_report_file *file = file_of(r, d);
        nk_buf_clear(&b);
        nk_cedar_diag_print(d, file ? file->name : NK_STR(""), r->lang == NK_LANG_JA, &b);
        for (struct nk_str rest = nk_buf_str(&b); rest.n;) { /* a line feed is no harm */
            nk_audit_put_safe(out, nk_str_cut(&rest, '\n'));
            nk_buf_add_char(out, '\n');
        }
    }
    nk_buf_free(&b);
    if (r->diags->kept < r->diags->errors + r->diags->warnings)
        nk_buf_printf(out, "… %zu more\n", r->diags->errors + r->diags->warnings - r->diags->kept);
}

/* JSON ------------------------------------------------------------------------------------------ */
void nk_report_json(const struct nk_report *r, struct nk_buf *out)
{
    bool ja = r->lang == NK_LANG_JA;
    nk_buf_add(out, NK_STR("{\"diagnostics\":["));
    for (const struct nk_cedar_diag *d = r->diags->first; d; d = d->next) {
        const struct nk_report_file *file = file_of(r, d);
        nk_buf_add(out, d == r->diags->first ? NK_STR("{") : NK_STR(",{"));
        nk_json_put_member(out, NK_STR("id"), nk_str(nk_cedar_diag_id(d->code)));
        nk_json_put_member(out, NK_STR("severity"), severity(d));
        if (file) {
            nk_json_put_member(out, NK_STR("file"), file->name);
            put_place(out, d, false);
        }
        if (d->policy.p)
            nk_json_put_member(out, NK_STR("policy"), d->policy);
        put_said(out, NK_STR("message"), d, ja, nk_cedar_diag_message);
        put_said(out, NK_STR("help"), d, ja, nk_cedar_diag_help);
        nk_buf_add_char(out, '}');
    }
    nk_buf_printf(out, "],\"errors\":%zu,\"warnings\":%zu}\n", r->diags->errors,
                  r->diags->warnings);
}

/* SARIF (OASIS, Static Analysis Results Interchange Format 2.1.0) -----------------------------
 */
static bool is_first_of_code(const struct nk_report *r, const struct nk_cedar_diag *d)
{
    const struct nk_cedar_diag *other = r->diags->first;
    while (other->code != d->code)
        other = other->next;
    return other == d;
}

static void put_rules(const struct nk_report *r, struct nk_buf *out)
{
    bool any = false;
    nk_buf_add(out, NK_STR("\"rules\":["));
    for (const struct nk_cedar_diag *d = r->diags->first; d; d = d->next) {
        if (!is_first_of_code(r, d))
            continue;
        nk_buf_add(out, any ? NK_STR(",{") : NK_STR("{"));
        nk_json_put_member(out, NK_STR("id"), nk_str(nk_cedar_diag_id(d->code)));
        nk_buf_add(out, NK_STR(",\"defaultConfiguration\":{"));
        nk_json_put_member(out, NK_STR("level"), severity(d));
        nk_buf_add(out, NK_STR("}}"));
        any = true;
    }
    nk_buf_add_char(out, ']');
}

/* A file name as a relative URI reference (RFC 3986). */
static void put_uri(struct nk_buf *out, struct nk_str name)
{
    struct nk_buf b;
    nk_buf_init(&b, MESSAGE_MAX);
    for (size_t i = 0; i < name.n; i++) {
        unsigned char c = (unsigned char)name.p[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                     (c && strchr("-._~/", c));
        if (plain)
            nk_buf_add_char(&b, (char)c);
        else
            nk_buf_printf(&b, "%%%02X", c);
    }
    nk_json_put_member(out, NK_STR("uri"), nk_buf_str(&b));
    nk_buf_free(&b);
}

static void put_message(const struct nk_report *r, const struct nk_cedar_diag *d,
                        struct nk_buf *out)
{
    struct nk_buf b;
    nk_buf_init(&b, MESSAGE_MAX);
    nk_cedar_diag_message(d, r->lang == NK_LANG_JA, &b);
    size_t n = b.n;
    nk_buf_add(&b, NK_STR(": "));
    nk_cedar_diag_help(d, r->lang == NK_LANG_JA, &b);
    if (b.n == n + 2)
        b.n = n;
    nk_buf_add(out, NK_STR(",\"message\":{"));
    nk_json_put_member(out, NK_STR("text"), nk_buf_str(&b));
    nk_buf_add_char(out, '}');
    nk_buf_free(&b);
}

static void put_result(const struct nk_report *r, const struct nk_cedar_diag *d, struct nk_buf *out)
{
    const struct nk_report_file *file = file_of(r, d);
    nk_buf_add(out, d == r->diags->first ? NK_STR("{") : NK_STR(",{"));
    nk_json_put_member(out, NK_STR("ruleId"), nk_str(nk_cedar_diag_id(d->code)));
    nk_json_put_member(out, NK_STR("level"), severity(d));
    put_message(r, d, out);
    if (file) {
        nk_buf_add(out, NK_STR(",\"locations\":[{\"physicalLocation\":{\"artifactLocation\":{"));
        put_uri(out, file->name);
        nk_buf_add(out, NK_STR("},\"region\":{"));
        put_place(out, d, true);
        nk_buf_add(out, NK_STR("}}}]"));
    }
    if (d->policy.p) {
        nk_buf_add(out, NK_STR(",\"properties\":{"));
        nk_json_put_member(out, NK_STR("policy"), d->policy);
        nk_buf_add_char(out, '}');
    }
    nk_buf_add_char(out, '}');
}

void nk_report_sarif(const struct nk_report *r, struct nk_buf *out)
{
    nk_buf_add(out, NK_STR("{\"$schema\":\"https://json.schemastore.org/sarif-2.1.0.json\","
                           "\"version\":\"2.1.0\",\"runs\":[{\"tool\":{\"driver\":{"
                           "\"name\":\"nakoso\",\"version\":\"" NK_VERSION "\","));
    put_rules(r, out);
    nk_buf_add(out, NK_STR("}},\"columnKind\":\"unicodeCodePoints\",\"results\":["));
    for (const struct nk_cedar_diag *d = r->diags->first; d; d = d->next)
        put_result(r, d, out);
    nk_buf_add(out, NK_STR("]}]}\n"));
}
