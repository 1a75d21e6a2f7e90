/* SPDX-License-Identifier: Apache-2.0
 *
 * pattern.c - see pattern.h. The pattern is read into a tree (pattern_read.c), the tree is written out as
 * instructions, and the set of instructions that are alive moves over the text one character at a time.
 */
#include "json/pattern_own.h"

#include "base/utf8.h"

struct writer {
    struct pattern_op *ops;
    uint32_t n;
    bool full;
};

static uint32_t emit(struct writer *w, enum pattern_code code, uint32_t x, uint32_t y)
{
    if (w->n == NK_PATTERN_STATES) {
        w->full = true;
        return 0;
    }
    w->ops[w->n] = (struct pattern_op){.code = code, .x = x, .y = y};
    return w->n++;
}

static void write_node(struct writer *w, const struct pattern_node *n);

/* x*: the split leads into the body and behind it. */
static void write_star(struct writer *w, const struct pattern_node *body)
{
    uint32_t split = emit(w, PATTERN_SPLIT, 0, 0);
    write_node(w, body);
    emit(w, PATTERN_JUMP, split, 0);
    w->ops[split].x = split + 1;
    w->ops[split].y = w->n;
}

static void write_repeat(struct writer *w, const struct pattern_node *n)
{
    for (uint32_t i = 0; i < n->low && !w->full; i++) {
        uint32_t before = w->n;
        write_node(w, n->kids);
        if (w->n == before) /* nothing, however often */
            return;
    }
    if (n->high == PATTERN_ANY_COUNT) {
        write_star(w, n->kids);
        return;
    }
    for (uint32_t i = n->low; i < n->high && !w->full; i++) {
        uint32_t split = emit(w, PATTERN_SPLIT, 0, 0);
        write_node(w, n->kids);
        w->ops[split].x = split + 1;
        w->ops[split].y = w->n;
    }
}

static void write_choice(struct writer *w, const struct pattern_node *n)
{
    uint32_t last = UINT32_MAX; /* jumps to the end, chained by their targets */
    for (const struct pattern_node *kid = n->kids; kid; kid = kid->next) {
        if (!kid->next) {
            write_node(w, kid);
            break;
        }
        uint32_t split = emit(w, PATTERN_SPLIT, 0, 0);
        write_node(w, kid);
        last = emit(w, PATTERN_JUMP, last, 0);
        w->ops[split].x = split + 1;
        w->ops[split].y = w->n;
        if (w->full)
            return;
    }
    while (last != UINT32_MAX) {
        uint32_t before = w->ops[last].x;
        w->ops[last].x = w->n;
        last = before;
    }
}

/* Recursion ends: NK_PATTERN_DEPTH. */
static void write_node(struct writer *w, const struct pattern_node *n)
{
    switch (n->kind) {
    case PATTERN_SEQUENCE:
        for (const struct pattern_node *kid = n->kids; kid && !w->full; kid = kid->next)
            write_node(w, kid);
        break;
    case PATTERN_CHOICE:
        write_choice(w, n);
        break;
    case PATTERN_REPEAT:
        write_repeat(w, n);
        break;
    case PATTERN_SET: {
        uint32_t at = emit(w, n->negated ? PATTERN_NOT_IN : PATTERN_IN, 0, n->range_n);
        w->ops[at].ranges = n->ranges;
        break;
    }
    case PATTERN_PLACE:
        emit(w, n->place, 0, 0);
        break;
    }
}

int nk_pattern_new(struct nk_str text, struct nk_arena *a, const struct nk_pattern **out,
                   const char **why)
{
    const struct pattern_node *tree = NULL;
    struct nk_arena own; /* of the tree and of instructions whose number is not known yet */
    struct writer w = {.n = 0};
    struct nk_pattern *p = nk_arena_alloc(a, sizeof *p);
    *why = "takes too much memory";
    nk_arena_init(&own, 4 << 20);
    int rc = p ? pattern_read(text, &own, a, &tree, why) : NK_ENOMEM;
    if (!rc)
        w.ops = nk_arena_array(&own, NK_PATTERN_STATES, sizeof *w.ops);
    if (!rc && w.ops) {
        write_node(&w, tree);
        emit(&w, PATTERN_FOUND, 0, 0);
        *why = w.full ? "has too many states: repeat less" : *why;
        p->ops = w.full ? NULL : nk_arena_array(a, w.n, sizeof *p->ops);
        p->n = w.n;
        if (p->ops)
            memcpy(p->ops, w.ops, w.n * sizeof *p->ops);
    }
    nk_arena_free(&own);
    *out = p;
    return rc ? rc : w.full ? NK_ELIMIT : p->ops ? 0 : NK_ENOMEM;
}

/* Walking ------------------------------------------------------------------------------------- */

/* States that are alive at one place of the text, each once: state s is in when dense[sparse[s]] is s. */
struct alive {
    uint32_t *dense, *sparse;
    uint32_t n;
};

struct walk {
    const struct nk_pattern *p;
    struct nk_str text;
    size_t at;            /* behind the character that was read */
    int32_t before, next; /* characters around that place; -1: none */
    uint32_t *stack;
    int64_t steps;
};

static bool is_word(int32_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

static bool holds(const struct walk *w, enum pattern_code place)
{
    bool edge = is_word(w->before) != is_word(w->next);
    return place == PATTERN_BEGIN  ? w->before < 0
           : place == PATTERN_END  ? w->next < 0
           : place == PATTERN_EDGE ? edge
                                   : !edge;
}

static void put(struct alive *s, uint32_t state)
{
    s->sparse[state] = s->n;
    s->dense[s->n++] = state;
}

static bool has(const struct alive *s, uint32_t state)
{
    return s->sparse[state] < s->n && s->dense[s->sparse[state]] == state;
}

/* Adds a state and all that it leads to without a character. True: the pattern is found. */
static bool enter(struct walk *w, struct alive *s, uint32_t state)
{
    uint32_t top = 0;
    w->stack[top++] = state;
    while (top) {
        state = w->stack[--top];
        if (has(s, state))
            continue;
        const struct pattern_op *op = &w->p->ops[state];
        put(s, state);
        w->steps--;
        if (op->code == PATTERN_FOUND)
            return true;
        if (op->code == PATTERN_JUMP || op->code == PATTERN_SPLIT)
            w->stack[top++] = op->x;
        if (op->code == PATTERN_SPLIT)
            w->stack[top++] = op->y;
        if (op->code >= PATTERN_BEGIN && holds(w, op->code))
            w->stack[top++] = state + 1;
    }
    return false;
}

static bool in_ranges(const struct pattern_op *op, int32_t c)
{
    uint32_t low = 0, high = op->y; /* sorted, apart from each other */
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (c > op->ranges[middle].last)
            low = middle + 1;
        else
            high = middle;
    }
    return low < op->y && c >= op->ranges[low].first;
}

static bool takes(const struct pattern_op *op, int32_t c)
{
    return op->code == PATTERN_IN ? in_ranges(op, c)
                                  : op->code == PATTERN_NOT_IN && !in_ranges(op, c);
}

static int32_t peek(const struct walk *w)
{
    size_t at = w->at;
    return nk_utf8_next(w->text, &at);
}

static int walk(struct walk *w, struct alive *now, struct alive *then)
{
    w->before = -1;
    w->next = peek(w);
    for (;;) {
        if (enter(w, now, 0)) /* it may begin anywhere */
            return 1;
        if (w->next < 0)
            return 0;
        int32_t c = nk_utf8_next(w->text, &w->at);
        w->before = c;
        w->next = peek(w);
        for (uint32_t i = 0; i < now->n; i++)
            if (takes(&w->p->ops[now->dense[i]], c) && enter(w, then, now->dense[i] + 1))
                return 1;
        w->steps -= now->n;
        if (w->steps < 0)
            return NK_ELIMIT;
        struct alive spent = *now;
        *now = *then;
        *then = spent;
        then->n = 0;
    }
}

int nk_pattern_find(const struct nk_pattern *p, struct nk_str text, struct nk_arena *scratch,
                    int64_t *steps)
{
    /* Each state is put on the stack by two others at most. */
    uint32_t *room = nk_arena_array(scratch, 7 * (size_t)p->n + 1, sizeof *room);
    struct walk w = {.p = p, .text = text, .steps = *steps};
    if (!room)
        return NK_ENOMEM;
    struct alive now = {room, room + p->n, 0}, then = {room + 2 * p->n, room + 3 * p->n, 0};
    w.stack = room + 4 * p->n;
    int rc = walk(&w, &now, &then);
    *steps = w.steps;
    return rc;
}
