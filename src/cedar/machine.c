/* SPDX-License-Identifier: Apache-2.0
 *
 * machine.c - runs the code of conditions: one small function for each instruction, found in a
 * table; it returns the next instruction, or NULL when the run is over. See code.h.
 *
 * The lowest place of the stack is never used: `top` points there when the stack is empty. A place holds a pointer to a value. The result of arithmetic is the exception: it
 * stands in the place itself, so that numbers need no memory; only a set or a record that keeps one
 * makes a value of it.
 */
#include "cedar/code.h"

struct place {
    const struct nk_cedar_value *v; /* or &in_place */
    union {
        int64_t number;
        const struct nk_cedar_value **items; /* of a set under way */
        struct nk_cedar_member *members;     /* of a record under way */
    } as;
};

struct machine {
    struct cedar_eval *e;
    struct place *top; /* the uppermost value */
    bool holds;
};

static const struct nk_cedar_value in_place = {.kind = CEDAR_LONG};

/* The value of a place; a number in place is put into *room first. */
static const struct nk_cedar_value *view(const struct place *p, struct nk_cedar_value *room)
{
    if (p->v != &in_place)
        return p->v;
    *room = (struct nk_cedar_value){.kind = CEDAR_LONG, .as = {.number = p->as.number}};
    return room;
}

/* The same for a value that outlives the place; NULL: no memory. */
static const struct nk_cedar_value *keep(struct machine *m, const struct place *p)
{
    return p->v != &in_place ? p->v : cedar_call_number(&m->e->call, CEDAR_LONG, p->as.number);
}

/* Goes on with `v` on top; v == NULL is an error that was noted. */
static const struct cedar_op *set_top(struct machine *m, const struct nk_cedar_value *v,
                                      const struct cedar_op *op)
{
    m->top->v = v;
    return v ? op + 1 : NULL;
}

static const struct cedar_op *set_number(struct machine *m, int64_t v, const struct cedar_op *op)
{
    *m->top = (struct place){.v = &in_place, .as = {.number = v}};
    return op + 1;
}

static bool is_kind(struct machine *m, enum cedar_kind kind)
{
    return cedar_expect(m->e, m->top->v, kind);
}

/* Push ----------------------------------------------------------------------------------------- */

static const struct cedar_op *op_const(struct machine *m, const struct cedar_op *op)
{
    m->top++;
    return set_top(m, op->p, op);
}

static const struct cedar_op *op_var(struct machine *m, const struct cedar_op *op)
{
    m->top++;
    return set_top(m, m->e->vars[op->a], op);
}

static const struct cedar_op *op_var_attr(struct machine *m, const struct cedar_op *op)
{
    const struct nk_str *name = op->p;
    m->top++;
    return set_top(m, cedar_attr(m->e, m->e->vars[op->a], *name), op);
}

static const struct cedar_op *op_var_has(struct machine *m, const struct cedar_op *op)
{
    m->top++;
    return set_top(m, cedar_has(m->e, m->e->vars[op->a], op->p, op->n), op);
}

/* One value -------------------------------------------------------------------------------------
 * A number in place is a long for all who look at its kind alone. */

static const struct cedar_op *op_attr(struct machine *m, const struct cedar_op *op)
{
    const struct nk_str *name = op->p;
    return set_top(m, cedar_attr(m->e, m->top->v, *name), op);
}

static const struct cedar_op *op_has(struct machine *m, const struct cedar_op *op)
{
    return set_top(m, cedar_has(m->e, m->top->v, op->p, op->n), op);
}

static const struct cedar_op *op_like(struct machine *m, const struct cedar_op *op)
{
    if (!is_kind(m, CEDAR_STRING))
        return NULL;
    return set_top(m, cedar_truth(cedar_like(m->top->v->as.string, op->p, op->n)), op);
}

static const struct cedar_op *op_is(struct machine *m, const struct cedar_op *op)
{
    const struct nk_str *type = op->p;
    if (!is_kind(m, CEDAR_ENTITY))
        return NULL;
    return set_top(m, cedar_truth(nk_str_eq(m->top->v->as.entity.uid.type, *type)), op);
}

static const struct cedar_op *op_not(struct machine *m, const struct cedar_op *op)
{
    return is_kind(m, CEDAR_BOOL) ? set_top(m, cedar_truth(!m->top->v->as.truth), op) : NULL;
}

static bool number(struct machine *m, const struct place *p, int64_t *out)
{
    if (!cedar_expect(m->e, p->v, CEDAR_LONG))
        return false;
    *out = p->v == &in_place ? p->as.number : p->v->as.number;
    return true;
}

static const struct cedar_op *op_neg(struct machine *m, const struct cedar_op *op)
{
    int64_t v;
    if (!number(m, m->top, &v))
        return NULL;
    if (__builtin_sub_overflow(0, v, &v))
        return set_top(m, cedar_overflow(m->e), op);
    return set_number(m, v, op);
}

static const struct cedar_op *op_is_empty(struct machine *m, const struct cedar_op *op)
{
    return is_kind(m, CEDAR_SET) ? set_top(m, cedar_truth(m->top->v->n == 0), op) : NULL;
}

static const struct nk_cedar_value *equal(const struct nk_cedar_value *a,
                                          const struct nk_cedar_value *b, bool negated)
{
    return cedar_truth((cedar_value_cmp(a, b) == 0) != negated);
}

static const struct cedar_op *op_eq_const(struct machine *m, const struct cedar_op *op)
{
    struct nk_cedar_value room;
    return set_top(m, equal(view(m->top, &room), op->p, op->a), op);
}

static const struct cedar_op *op_eq_var(struct machine *m, const struct cedar_op *op)
{
    struct nk_cedar_value room;
    return set_top(m, equal(view(m->top, &room), m->e->vars[op->n], op->a), op);
}

static const struct cedar_op *op_less_const(struct machine *m, const struct cedar_op *op)
{
    struct nk_cedar_value room;
    enum cedar_order order = (enum cedar_order)op->a;
    return set_top(m, cedar_less(m->e, order, view(m->top, &room), op->p), op);
}

static const struct cedar_op *op_in_const(struct machine *m, const struct cedar_op *op)
{
    return set_top(m, cedar_in(m->e, m->top->v, op->p), op);
}

static const struct cedar_op *op_has_const(struct machine *m, const struct cedar_op *op)
{
    return is_kind(m, CEDAR_SET) ? set_top(m, cedar_truth(cedar_set_has(m->top->v, op->p)), op)
                                 : NULL;
}

static const struct cedar_op *op_expect(struct machine *m, const struct cedar_op *op)
{
    return is_kind(m, (enum cedar_kind)op->a) ? op + 1 : NULL;
}

/* Two values ----------------------------------------------------------------------------------- */

static const struct cedar_op *op_eq(struct machine *m, const struct cedar_op *op)
{
    struct nk_cedar_value one, two;
    m->top--;
    return set_top(m, equal(view(m->top, &one), view(m->top + 1, &two), op->a), op);
}

static const struct cedar_op *op_less(struct machine *m, const struct cedar_op *op)
{
    struct nk_cedar_value one, two;
    enum cedar_order order = (enum cedar_order)op->a;
    m->top--;
    return set_top(m, cedar_less(m->e, order, view(m->top, &one), view(m->top + 1, &two)), op);
}

static const struct cedar_op *op_in(struct machine *m, const struct cedar_op *op)
{
    m->top--;
    return set_top(m, cedar_in(m->e, m->top->v, m->top[1].v), op);
}

/* The left operand is a number already: the code has asked. */
static const struct cedar_op *op_arithmetic(struct machine *m, const struct cedar_op *op)
{
    int64_t a, b;
    bool over;
    if (!number(m, m->top, &b))
        return NULL;
    m->top--;
    if (!number(m, m->top, &a))
        return NULL;
    if (op->op == CEDAR_OP_ADD)
        over = __builtin_add_overflow(a, b, &a);
    else if (op->op == CEDAR_OP_SUB)
        over = __builtin_sub_overflow(a, b, &a);
    else
        over = __builtin_mul_overflow(a, b, &a);
    return over ? set_top(m, cedar_overflow(m->e), op) : set_number(m, a, op);
}

static const struct cedar_op *op_contains(struct machine *m, const struct cedar_op *op)
{
    struct nk_cedar_value room;
    m->top--;
    return set_top(m, cedar_truth(cedar_set_has(m->top->v, view(m->top + 1, &room))), op);
}

static const struct cedar_op *op_contains_many(struct machine *m, const struct cedar_op *op)
{
    if (!is_kind(m, CEDAR_SET))
        return NULL;
    m->top--;
    const struct nk_cedar_value *set = m->top->v, *of = m->top[1].v;
    return set_top(m,
                   cedar_truth(op->op == CEDAR_OP_CONTAINS_ALL ? cedar_set_has_all(set, of)
                                                               : cedar_set_has_any(set, of)),
                   op);
}

static const struct cedar_op *op_tag(struct machine *m, const struct cedar_op *op)
{
    if (!is_kind(m, CEDAR_STRING))
        return NULL;
    m->top--;
    const struct nk_cedar_value *of = m->top->v, *name = m->top[1].v;
    return set_top(m,
                   op->op == CEDAR_OP_HAS_TAG ? cedar_has_tag(m->e, of, name)
                                              : cedar_get_tag(m->e, of, name),
                   op);
}

/* Sets, records, calls ------------------------------------------------------------------------- */

static const struct cedar_op *op_list(struct machine *m, const struct cedar_op *op)
{
    void *room = nk_arena_array(m->e->call.arena, op->n,
                                op->a ? sizeof(struct nk_cedar_member) : sizeof(void *));
    m->top++;
    m->top->v = &cedar_empty_record; /* nobody looks at it */
    if (op->a)
        m->top->as.members = room;
    else
        m->top->as.items = room;
    return room ? op + 1 : set_top(m, cedar_no_room(m->e, NK_ENOMEM), op);
}

static const struct cedar_op *op_item(struct machine *m, const struct cedar_op *op)
{
    const struct nk_cedar_value *v = keep(m, m->top--);
    m->top->as.items[op->n] = v;
    return v ? op + 1 : NULL;
}

static const struct cedar_op *op_member(struct machine *m, const struct cedar_op *op)
{
    const struct nk_str *name = op->p;
    const struct nk_cedar_value *v = keep(m, m->top--);
    m->top->as.members[op->n] = (struct nk_cedar_member){*name, v};
    return v ? op + 1 : NULL;
}

static const struct cedar_op *op_collect(struct machine *m, const struct cedar_op *op)
{
    const struct nk_cedar_value *out = NULL;
    struct nk_arena *a = m->e->call.arena;
    int rc = op->op == CEDAR_OP_SET ? cedar_set_new(a, m->top->as.items, op->n, &out)
                                    : cedar_record_new(a, m->top->as.members, op->n, &out);
    return set_top(m, rc ? cedar_no_room(m->e, rc) : out, op);
}

static const struct cedar_op *op_call(struct machine *m, const struct cedar_op *op)
{
    const struct nk_cedar_value *args[CEDAR_EXT_ARGS];
    struct nk_cedar_value room[CEDAR_EXT_ARGS];
    m->top -= op->a;
    for (unsigned i = 0; i < op->a; i++)
        args[i] = view(m->top + 1 + i, &room[i]);
    m->top++;
    return set_top(m, cedar_ext_call(op->p, &m->e->call, args, op->n), op);
}

static const struct cedar_op *op_pop(struct machine *m, const struct cedar_op *op)
{
    m->top--;
    return op + 1;
}

/* Where to go on ------------------------------------------------------------------------------- */

static const struct cedar_op *op_and(struct machine *m, const struct cedar_op *op)
{
    if (!is_kind(m, CEDAR_BOOL))
        return NULL;
    if (m->top->v->as.truth == (op->op == CEDAR_OP_OR))
        return op + op->n;
    m->top--;
    return op + 1;
}

static const struct cedar_op *op_if(struct machine *m, const struct cedar_op *op)
{
    if (!is_kind(m, CEDAR_BOOL))
        return NULL;
    bool truth = m->top->v->as.truth;
    m->top--;
    return truth ? op + 1 : op + op->n;
}

static const struct cedar_op *op_jump(struct machine *m, const struct cedar_op *op)
{
    (void)m;
    return op + op->n;
}

/* a is T in b looks at b only when a is of that type. */
static const struct cedar_op *op_is_in(struct machine *m, const struct cedar_op *op)
{
    const struct nk_str *type = op->p;
    if (!is_kind(m, CEDAR_ENTITY))
        return NULL;
    if (nk_str_eq(m->top->v->as.entity.uid.type, *type))
        return op + 1;
    m->top->v = &cedar_false;
    return op + op->n;
}

static const struct cedar_op *op_test(struct machine *m, const struct cedar_op *op)
{
    if (!is_kind(m, CEDAR_BOOL))
        return NULL;
    bool truth = m->top->v->as.truth;
    m->top--;
    return truth == op->a ? op + 1 : NULL;
}

static const struct cedar_op *op_done(struct machine *m, const struct cedar_op *op)
{
    (void)op;
    m->holds = true;
    return NULL;
}

static const struct cedar_op *(*const table[CEDAR_OPCODES])(struct machine *,
                                                            const struct cedar_op *) = {
    [CEDAR_OP_CONST] = op_const,
    [CEDAR_OP_VAR] = op_var,
    [CEDAR_OP_VAR_ATTR] = op_var_attr,
    [CEDAR_OP_VAR_HAS] = op_var_has,
    [CEDAR_OP_ATTR] = op_attr,
    [CEDAR_OP_HAS] = op_has,
    [CEDAR_OP_LIKE] = op_like,
    [CEDAR_OP_IS] = op_is,
    [CEDAR_OP_NOT] = op_not,
    [CEDAR_OP_NEG] = op_neg,
    [CEDAR_OP_IS_EMPTY] = op_is_empty,
    [CEDAR_OP_EQ_CONST] = op_eq_const,
    [CEDAR_OP_EQ_VAR] = op_eq_var,
    [CEDAR_OP_LESS_CONST] = op_less_const,
    [CEDAR_OP_IN_CONST] = op_in_const,
    [CEDAR_OP_HAS_CONST] = op_has_const,
    [CEDAR_OP_EXPECT] = op_expect,
    [CEDAR_OP_EQ] = op_eq,
    [CEDAR_OP_LESS] = op_less,
    [CEDAR_OP_IN] = op_in,
    [CEDAR_OP_ADD] = op_arithmetic,
    [CEDAR_OP_SUB] = op_arithmetic,
    [CEDAR_OP_MUL] = op_arithmetic,
    [CEDAR_OP_CONTAINS] = op_contains,
    [CEDAR_OP_CONTAINS_ALL] = op_contains_many,
    [CEDAR_OP_CONTAINS_ANY] = op_contains_many,
    [CEDAR_OP_HAS_TAG] = op_tag,
    [CEDAR_OP_GET_TAG] = op_tag,
    [CEDAR_OP_LIST] = op_list,
    [CEDAR_OP_ITEM] = op_item,
    [CEDAR_OP_MEMBER] = op_member,
    [CEDAR_OP_SET] = op_collect,
    [CEDAR_OP_RECORD] = op_collect,
    [CEDAR_OP_CALL] = op_call,
    [CEDAR_OP_POP] = op_pop,
    [CEDAR_OP_AND] = op_and,
    [CEDAR_OP_OR] = op_and,
    [CEDAR_OP_IF] = op_if,
    [CEDAR_OP_JUMP] = op_jump,
    [CEDAR_OP_TEST] = op_test,
    [CEDAR_OP_IS_IN] = op_is_in,
    [CEDAR_OP_DONE] = op_done,
};

bool cedar_run(struct cedar_eval *e, const struct cedar_op *code, uint32_t places)
{
    struct place own[CEDAR_PLACES];
    struct place *stack = own;
    if (places > CEDAR_PLACES)
        stack = nk_arena_array(e->call.arena, places, sizeof *stack);
    struct machine m = {.e = e, .top = stack};
    if (!stack)
        (void)cedar_no_memory(&e->call);
    while (code && stack)
        code = table[code->op](&m, code);
    return m.holds;
}
