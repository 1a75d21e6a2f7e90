/* SPDX-License-Identifier: Apache-2.0
 *
 * print.c - policies to policy text (convert.h): each construct as the grammar at the top of
 * parse_expr.c has it, in parentheses only where it stands in the place of one that binds tighter.
 * What is printed parses to the same policy; nk_cedar_format makes it look good.
 *
 * Characters that a reader cannot see, or that turn the direction of the text around them, are
 * written as escapes: what a reviewer reads is what is decided.
 */
#include "cedar/convert.h"
#include "cedar/parse.h"

#include "base/utf8.h"

/* How tightly a construct binds: the levels of the grammar. */
enum level { IF, OR, AND, RELATION, SUM, PRODUCT, UNARY, MEMBER, PRIMARY };

enum { SIGNS_MOST = 4 }; /* '!' or '-' in a row */

static void put_expr(struct nk_buf *out, const struct cedar_node *e, enum level least);

static void put(struct nk_buf *out, const char *text)
{
    nk_buf_add(out, nk_str(text));
}

/* Strings and names --------------------------------------------------------------------------- */

/* Invisible, or the direction of text, or the end of a line to some. */
static bool is_hidden(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad || (c >= 0x200b && c <= 0x200f) ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
           (c >= 0xe0000 && c <= 0xe0fff);
}

static const char *short_escape(uint32_t c)
{
    switch (c) {
    case 0:
        return "\\0";
    case '\n':
        return "\\n";
    case '\r':
        return "\\r";
    case '\t':
        return "\\t";
    case '"':
        return "\\\"";
    case '\\':
        return "\\\\";
    default:
        return NULL;
    }
}

/* The inside of a string; of a pattern when a star must be told from a wildcard. */
static void put_escaped(struct nk_buf *out, struct nk_str s, bool pattern)
{
    for (size_t at = 0, from; at < s.n;) {
        from = at;
        uint32_t c = (uint32_t)nk_utf8_next(s, &at);
        const char *escape = pattern && c == '*' ? "\\*" : short_escape(c);
        if (escape)
            put(out, escape);
        else if (is_hidden(c))
            nk_buf_printf(out, "\\u{%x}", c);
        else
            nk_buf_add(out, nk_str_sub(s, from, at));
    }
}

void cedar_string_put_text(struct nk_str s, struct nk_buf *out)
{
    nk_buf_add_char(out, '"');
    put_escaped(out, s, false);
    nk_buf_add_char(out, '"');
}

static void put_uid(struct nk_buf *out, const struct nk_cedar_uid *uid)
{
    nk_buf_add(out, uid->type);
    put(out, "::");
    cedar_string_put_text(uid->id, out);
}

/* Can it stand without quotes? */
static bool is_name(struct nk_str s)
{
    struct cedar_lexer lexer = {.text = s};
    struct cedar_token token;
    return cedar_lex(&lexer, &token) && token.kind == CEDAR_IDENT && token.text.n == s.n &&
           cedar_name_free(s);
}

static void put_name(struct nk_buf *out, struct nk_str s)
{
    if (is_name(s))
        nk_buf_add(out, s);
    else
        cedar_string_put_text(s, out);
}

/* .name or ["name"] */
static void put_access(struct nk_buf *out, struct nk_str s)
{
    if (is_name(s)) {
        nk_buf_add_char(out, '.');
        nk_buf_add(out, s);
    } else {
        nk_buf_add_char(out, '[');
        cedar_string_put_text(s, out);
        nk_buf_add_char(out, ']');
    }
}

/* Expressions --------------------------------------------------------------------------------- */

/* A path of `has` that text can say: one name of any kind, or several without quotes. */
static bool is_plain_path(const struct cedar_node *e)
{
    for (uint32_t i = 0; i < e->path_n; i++)
        if (e->path_n > 1 && !is_name(e->path[i]))
            return false;
    return true;
}

static bool is_negative(const struct cedar_node *e)
{
    return e->kind == CEDAR_NODE_CONST && e->constant->kind == CEDAR_LONG &&
           e->constant->as.number < 0;
}

static enum level level_of(const struct cedar_node *e)
{
    switch ((enum cedar_node_kind)e->kind) {
    case CEDAR_NODE_IF:
        return IF;
    case CEDAR_NODE_OR:
        return OR;
    case CEDAR_NODE_AND:
        return AND;
    case CEDAR_NODE_SUM:
        return SUM;
    case CEDAR_NODE_PRODUCT:
        return PRODUCT;
    case CEDAR_NODE_NOT:
    case CEDAR_NODE_NEG:
        return UNARY;
    case CEDAR_NODE_HAS:
        return is_plain_path(e) ? RELATION : AND;
    case CEDAR_NODE_EQ:
    case CEDAR_NODE_LESS:
    case CEDAR_NODE_IN:
    case CEDAR_NODE_LIKE:
    case CEDAR_NODE_IS:
        return RELATION;
    case CEDAR_NODE_CONST:
        return is_negative(e) ? UNARY : PRIMARY;
    case CEDAR_NODE_CALL:
        return e->ext->method ? MEMBER : PRIMARY;
    case CEDAR_NODE_VAR:
    case CEDAR_NODE_SET:
    case CEDAR_NODE_RECORD:
        return PRIMARY;
    default:
        return MEMBER;
    }
}

/* Sets, records and extension values are constants of their own nodes, never of this one. */
static void put_constant(struct nk_buf *out, const struct nk_cedar_value *v)
{
    NK_MUST(v->kind <= CEDAR_ENTITY);
    if (v->kind == CEDAR_BOOL)
        put(out, v->as.truth ? "true" : "false");
    else if (v->kind == CEDAR_LONG)
        nk_buf_add_i64(out, v->as.number);
    else if (v->kind == CEDAR_STRING)
        cedar_string_put_text(v->as.string, out);
    else
        put_uid(out, &v->as.entity.uid);
}

static void put_chain(struct nk_buf *out, const struct cedar_node *e)
{
    const char *name = cedar_op_name((enum cedar_node_kind)e->kind, 0);
    for (const struct cedar_node *kid = e->kid; kid; kid = kid->next) {
        if (kid != e->kid)
            nk_buf_printf(out, " %s ", kid->minus ? "-" : name);
        put_expr(out, kid, level_of(e) + 1);
    }
}

/* At most four signs of a kind in a row, then something that is no sign. A minus before digits
 * belongs to them: the negation of 1 is -(1), that of -1 is --1. */
static void put_signs(struct nk_buf *out, const struct cedar_node *e)
{
    const struct cedar_node *inner = e;
    unsigned n = 0;
    for (; inner->kind == e->kind && n < SIGNS_MOST; inner = inner->kid, n++)
        nk_buf_add_char(out, e->kind == CEDAR_NODE_NOT ? '!' : '-');
    bool minus = e->kind == CEDAR_NODE_NEG,
         number = inner->kind == CEDAR_NODE_CONST && inner->constant->kind == CEDAR_LONG;
    bool joins = minus && is_negative(inner) && n < SIGNS_MOST;
    if (minus && number && !joins) {
        nk_buf_add_char(out, '(');
        put_constant(out, inner->constant);
        nk_buf_add_char(out, ')');
    } else {
        put_expr(out, inner, joins ? UNARY : MEMBER);
    }
}

static void put_if(struct nk_buf *out, const struct cedar_node *e)
{
    put(out, "if ");
    put_expr(out, e->kid, IF);
    put(out, " then ");
    put_expr(out, e->kid->next, IF);
    put(out, " else ");
    put_expr(out, e->kid->next->next, IF);
}

/* What has a sign or word between two sides. */
static void put_relation(struct nk_buf *out, const struct cedar_node *e)
{
    put_expr(out, e->kid, SUM);
    nk_buf_printf(out, " %s ", cedar_op_name((enum cedar_node_kind)e->kind, e->op));
    put_expr(out, e->kid->next, SUM);
}

/* x has "a b" && x["a b"] has c: what x has ["a b", "c"] means (RFC 62 of Cedar). */
static void put_long_has(struct nk_buf *out, const struct cedar_node *e)
{
    for (uint32_t i = 0; i < e->path_n; i++) {
        put(out, i > 0 ? " && " : "");
        put_expr(out, e->kid, i > 0 ? MEMBER : SUM);
        for (uint32_t k = 0; k < i; k++)
            put_access(out, e->path[k]);
        put(out, " has ");
        put_name(out, e->path[i]);
    }
}

static void put_has(struct nk_buf *out, const struct cedar_node *e)
{
    if (!is_plain_path(e)) {
        put_long_has(out, e);
        return;
    }
    put_expr(out, e->kid, SUM);
    put(out, " has ");
    for (uint32_t i = 0; i < e->path_n; i++) {
        put(out, i > 0 ? "." : "");
        put_name(out, e->path[i]);
    }
}

static void put_like(struct nk_buf *out, const struct cedar_node *e)
{
    put_expr(out, e->kid, SUM);
    put(out, " like \"");
    for (uint32_t i = 0; i < e->path_n; i++) {
        put(out, i > 0 ? "*" : "");
        put_escaped(out, e->path[i], true);
    }
    nk_buf_add_char(out, '"');
}

static void put_is(struct nk_buf *out, const struct cedar_node *e)
{
    put_expr(out, e->kid, SUM);
    put(out, " is ");
    nk_buf_add(out, e->name);
    if (e->n > 1) {
        put(out, " in ");
        put_expr(out, e->kid->next, SUM);
    }
}

static void put_list(struct nk_buf *out, const struct cedar_node *first)
{
    for (const struct cedar_node *kid = first; kid; kid = kid->next) {
        put(out, kid == first ? "" : ", ");
        put_expr(out, kid, IF);
    }
}

static void put_record(struct nk_buf *out, const struct cedar_node *e)
{
    put(out, e->kid ? "{ " : "{");
    for (const struct cedar_node *kid = e->kid; kid; kid = kid->next) {
        put(out, kid == e->kid ? "" : ", ");
        put_name(out, kid->label);
        put(out, ": ");
        put_expr(out, kid, IF);
    }
    put(out, e->kid ? " }" : "}");
}

/* object.name(arguments) or name(arguments) */
static void put_call(struct nk_buf *out, const struct cedar_node *e)
{
    const struct cedar_node *arguments = e->kid;
    if (e->kind != CEDAR_NODE_CALL || e->ext->method) {
        put_expr(out, e->kid, MEMBER);
        nk_buf_add_char(out, '.');
        arguments = e->kid->next;
    }
    if (e->kind == CEDAR_NODE_CALL)
        nk_buf_add(out, e->ext->name);
    else
        put(out, cedar_op_name((enum cedar_node_kind)e->kind, 0));
    nk_buf_add_char(out, '(');
    put_list(out, arguments);
    nk_buf_add_char(out, ')');
}

static void put_node(struct nk_buf *out, const struct cedar_node *e)
{
    switch ((enum cedar_node_kind)e->kind) {
    case CEDAR_NODE_CONST:
        put_constant(out, e->constant);
        break;
    case CEDAR_NODE_VAR:
        nk_buf_add(out, cedar_var_names[e->op]);
        break;
    case CEDAR_NODE_AND:
    case CEDAR_NODE_OR:
    case CEDAR_NODE_SUM:
    case CEDAR_NODE_PRODUCT:
        put_chain(out, e);
        break;
    case CEDAR_NODE_NOT:
    case CEDAR_NODE_NEG:
        put_signs(out, e);
        break;
    case CEDAR_NODE_IF:
        put_if(out, e);
        break;
    case CEDAR_NODE_EQ:
    case CEDAR_NODE_LESS:
    case CEDAR_NODE_IN:
        put_relation(out, e);
        break;
    case CEDAR_NODE_ATTR:
        put_expr(out, e->kid, MEMBER);
        put_access(out, e->name);
        break;
    case CEDAR_NODE_HAS:
        put_has(out, e);
        break;
    case CEDAR_NODE_LIKE:
        put_like(out, e);
        break;
    case CEDAR_NODE_IS:
        put_is(out, e);
        break;
    case CEDAR_NODE_SET:
        nk_buf_add_char(out, '[');
        put_list(out, e->kid);
        nk_buf_add_char(out, ']');
        break;
    case CEDAR_NODE_RECORD:
        put_record(out, e);
        break;
    default:
        put_call(out, e);
    }
}

/* The expression where only what binds at least as `least` may stand. */
static void put_expr(struct nk_buf *out, const struct cedar_node *e, enum level least)
{
    bool loose = level_of(e) < least;
    if (out->error) /* a path of has, written out, may repeat itself beyond any size */
        return;
    put(out, loose ? "(" : "");
    put_node(out, e);
    put(out, loose ? ")" : "");
}

void cedar_expr_put_text(const struct cedar_node *e, struct nk_buf *out)
{
    put_expr(out, e, IF);
}

/* Policies ------------------------------------------------------------------------------------ */

/* The entity, the list of entities or the slot. */
static void put_target(struct nk_buf *out, const struct cedar_scope *s, unsigned var)
{
    if (s->slot && !s->uids) {
        nk_buf_add_char(out, '?');
        nk_buf_add(out, cedar_var_names[var]);
        return;
    }
    put(out, s->list ? "[" : "");
    for (uint32_t i = 0; i < s->n; i++) {
        put(out, i > 0 ? ", " : "");
        put_uid(out, &s->uids[i].uid);
    }
    put(out, s->list ? "]" : "");
}

void cedar_scope_put_text(const struct cedar_scope *s, unsigned var, struct nk_buf *out)
{
    nk_buf_add(out, cedar_var_names[var]);
    if (s->kind == CEDAR_SCOPE_IS || s->kind == CEDAR_SCOPE_IS_IN) {
        put(out, " is ");
        nk_buf_add(out, s->type);
    }
    if (s->kind == CEDAR_SCOPE_EQ)
        put(out, " == ");
    else if (s->kind == CEDAR_SCOPE_IN || s->kind == CEDAR_SCOPE_IS_IN)
        put(out, " in ");
    else
        return;
    put_target(out, s, var);
}

void cedar_policy_put_text(const struct cedar_policy *policy, struct nk_buf *out)
{
    for (const struct cedar_annotation *a = policy->annotations; a; a = a->next) {
        nk_buf_add_char(out, '@');
        nk_buf_add(out, a->name);
        if (a->has_value) {
            nk_buf_add_char(out, '(');
            cedar_string_put_text(a->value, out);
            nk_buf_add_char(out, ')');
        }
        nk_buf_add_char(out, '\n');
    }
    put(out, policy->forbid ? "forbid (" : "permit (");
    for (unsigned var = CEDAR_PRINCIPAL; var <= CEDAR_RESOURCE; var++) {
        put(out, var ? ", " : "");
        cedar_scope_put_text(&policy->scope[var], var, out);
    }
    nk_buf_add_char(out, ')');
    for (const struct cedar_condition *c = policy->conditions; c; c = c->next) {
        put(out, c->unless ? "\nunless { " : "\nwhen { ");
        cedar_expr_put_text(c->body, out);
        put(out, " }");
    }
    put(out, ";\n");
}

int nk_cedar_policy_put_text(const struct nk_cedar_policies *p, struct nk_str id,
                             struct nk_buf *out)
{
    const struct cedar_policy *policy = cedar_policies_find(p, id);
    if (!policy)
        return NK_ENOTFOUND;
    cedar_policy_put_text(policy, out);
    return out->error;
}

int nk_cedar_policies_put_text(const struct nk_cedar_policies *p, struct nk_buf *out)
{
    for (size_t i = 0; i < p->n; i++) {
        put(out, i > 0 ? "\n" : "");
        cedar_policy_put_text(p->items[i], out);
    }
    for (size_t i = 0; i < p->template_n; i++) {
        put(out, i > 0 || p->n > 0 ? "\n" : "");
        cedar_policy_put_text(p->templates[i], out);
    }
    return out->error;
}
