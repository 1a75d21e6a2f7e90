/* SPDX-License-Identifier: Apache-2.0
 *
 * tools_show.c - how definitions and findings look on a terminal. Everything that a server wrote goes through
 * nk_trust_put_seen: a definition must not be able to draw on the screen of the person who judges it.
 */
#include "cmd/tools.h"

#include "json/canonical.h"

enum { VALUE_MAX = 400 }; /* bytes of a changed value that are shown */

const char *nk_level_name(enum nk_trust_level level, enum nk_lang lang)
{
    static const char *const names[NK_LANGS][3] = {{"error", "warning", "note"},
                                                   {"エラー", "警告", "注記"}};
    return names[lang][level];
}

size_t nk_findings_of(const struct nk_trust_findings *findings, enum nk_trust_level level)
{
    size_t n = 0;
    for (size_t i = 0; i < findings->n; i++)
        n += nk_trust_rule_level(findings->list[i].rule) == level;
    return n;
}

void nk_finding_put(const struct nk_trust_finding *finding, enum nk_lang lang, struct nk_buf *out)
{
    nk_buf_printf(out, "  %s: %s ", nk_level_name(nk_trust_rule_level(finding->rule), lang),
                  nk_trust_rule_id(finding->rule));
    nk_trust_put_seen(out, finding->where);
    nk_buf_printf(out, ": %s\n      ", nk_trust_rule_text(finding->rule, lang == NK_LANG_JA));
    nk_trust_put_seen(out, finding->excerpt);
    nk_buf_add_char(out, '\n');
}

/* A value in one line, cut where it is too long to read. */
static void put_value(const struct nk_json *doc, uint32_t at, const char *sign, struct nk_buf *out)
{
    struct nk_buf b;
    nk_buf_init(&b, NK_TRUST_FILE_MAX);
    if (at == NK_JSON_NONE || nk_json_canonical(doc, at, NK_CANONICAL_EXACT, &b, NULL))
        nk_buf_clear(&b);
    size_t n = b.n < VALUE_MAX ? b.n : VALUE_MAX;
    while (n > 0 && n < b.n && ((unsigned char)b.p[n] & 0xc0) == 0x80)
        n--;
    nk_buf_printf(out, "    %s ", sign);
    nk_trust_put_seen(out, nk_str_sub(nk_buf_str(&b), 0, n));
    nk_buf_add(out, n < b.n ? NK_STR(" …\n") : NK_STR("\n"));
    nk_buf_free(&b);
}

static void put_changes(const struct nk_offer *offer, const struct nk_trust_tool *t,
                        const struct nk_approvals *approvals, struct nk_buf *out)
{
    for (int m = 0; m < NK_TOOL_MEMBERS; m++) {
        struct nk_str name = nk_tool_member_name((enum nk_tool_member)m);
        if (!(t->changed & 1u << m))
            continue;
        nk_buf_printf(out, "  %.*s:\n", NK_FMT(name));
        put_value(&approvals->doc, nk_json_get(&approvals->doc, t->approval->at, name), "-", out);
        put_value(&offer->doc, nk_json_get(&offer->doc, t->at, name), "+", out);
    }
}

static void put_like(const struct nk_trust_tool *t, enum nk_lang lang, struct nk_buf *out)
{
    static const char *const texts[NK_LANGS][4] = {
        {"", "its name is nearly that of", "its name is also that of", "its name looks like"},
        {"", "名前がほぼ同じツール:", "同じ名前のツール:", "名前の見た目が同じツール:"}};
    if (!t->likeness)
        return;
    nk_buf_printf(out, "  %s: %s ",
                  nk_level_name(t->likeness == NK_TRUST_LOOKALIKE  ? NK_TRUST_ERROR
                                : t->likeness == NK_TRUST_NAMESAKE ? NK_TRUST_NOTE
                                                                   : NK_TRUST_WARNING,
                                lang),
                  texts[lang][t->likeness]);
    nk_trust_put_seen(out, t->like->server);
    nk_buf_add(out, NK_STR("___"));
    nk_trust_put_seen(out, t->like->name);
    nk_buf_add_char(out, '\n');
}

static void put_state(const struct nk_trust_tool *t, enum nk_lang lang, struct nk_buf *out)
{
    static const char *const names[NK_LANGS][NK_TRUST_MALFORMED + 1] = {
        {"approved", "new", "changed", "renamed", "twice", "malformed"},
        {"承認済み", "新規", "変更", "改名", "重複", "不正"}};
    static const char signs[] = "=+!!xx";
    nk_buf_printf(out, "%c %s ", signs[t->state], names[lang][t->state]);
    nk_trust_put_seen(out, t->name.n ? t->name : NK_STR("?"));
    if (t->state != NK_TRUST_MALFORMED) {
        nk_buf_add_char(out, '@');
        nk_buf_add_hex(out, t->digest.b, 8);
    }
    if (t->state == NK_TRUST_RENAMED) {
        nk_buf_add(out, lang == NK_LANG_JA ? NK_STR(" 以前の名前: ") : NK_STR(", before: "));
        nk_trust_put_seen(out, t->approval->name);
    }
    nk_buf_add_char(out, '\n');
}

int nk_offer_put_tool(const struct nk_offer *offer, const struct nk_trust_tool *t,
                      const struct nk_approvals *approvals, struct nk_str server, enum nk_lang lang,
                      struct nk_arena *a, struct nk_trust_findings *findings, struct nk_buf *out,
                      struct nk_fault *f)
{
    int rc = nk_trust_inspect(&offer->doc, t->at, approvals, server, a, findings, f);
    if (rc)
        return rc;
    put_state(t, lang, out);
    if (t->state == NK_TRUST_APPROVED) /* somebody has looked at it */
        return 0;
    if (t->state == NK_TRUST_CHANGED)
        put_changes(offer, t, approvals, out);
    put_like(t, lang, out);
    for (size_t i = 0; i < findings->n; i++)
        nk_finding_put(&findings->list[i], lang, out);
    if (findings->total > findings->n)
        nk_buf_printf(out, "  … %zu more\n", findings->total - findings->n);
    return 0;
}
