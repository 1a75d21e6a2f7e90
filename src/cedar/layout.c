/* SPDX-License-Identifier: Apache-2.0
 *
 * layout.c - see layout.h. Whether a group fits is asked by looking ahead, at most as far as a line
 * is wide; the answer for the groups around is known by then, as they all end their lines.
 */
#include "cedar/layout.h"

enum { TOO_WIDE = 1 << 20 };

size_t cedar_layout_count(const struct cedar_layout *l)
{
    return l->items.n / sizeof(struct cedar_layout_item);
}

static struct cedar_layout_item *item_at(const struct cedar_layout *l, size_t i)
{
    return (struct cedar_layout_item *)(void *)l->items.p + i;
}

static void add(struct cedar_layout *l, struct cedar_layout_item item)
{
    nk_buf_add(&l->items, (struct nk_str){(const char *)&item, sizeof item});
}

static uint32_t width_of(struct nk_str s)
{
    uint32_t n = 0;
    if (nk_str_find(s, '\n') >= 0 || s.n > TOO_WIDE)
        return TOO_WIDE;
    for (size_t i = 0; i < s.n; i++)
        n += (s.p[i] & 0xC0) != 0x80;
    return n;
}

static bool is_place(const struct cedar_layout_item *item)
{
    return item->kind == CEDAR_LAYOUT_SPACE || item->kind == CEDAR_LAYOUT_CUT ||
           item->kind == CEDAR_LAYOUT_BREAK;
}

void cedar_layout_place(struct cedar_layout *l, enum cedar_layout_kind kind)
{
    if (l->wait)
        kind = CEDAR_LAYOUT_BREAK;
    l->wait = false;
    add(l, (struct cedar_layout_item){.kind = (uint8_t)kind, .indent = l->level});
}

void cedar_layout_text(struct cedar_layout *l, struct nk_str text)
{
    if (l->wait)
        cedar_layout_place(l, CEDAR_LAYOUT_BREAK);
    add(l, (struct cedar_layout_item){
               .kind = CEDAR_LAYOUT_TEXT, .width = width_of(text), .text = text});
}

/* It counts for no width: whether a group fits is a matter of what is in it. */
static void add_comment(struct cedar_layout *l, struct nk_str text)
{
    add(l, (struct cedar_layout_item){.kind = CEDAR_LAYOUT_TEXT, .text = text});
}

void cedar_layout_comment(struct cedar_layout *l, struct nk_str text, bool own_line)
{
    size_t n = cedar_layout_count(l);
    struct cedar_layout_item *last = n && !l->items.error ? item_at(l, n - 1) : NULL;
    if (last && is_place(last) && !l->wait)
        last->kind = CEDAR_LAYOUT_BREAK;
    else if (last && (own_line || l->wait))
        cedar_layout_place(l, CEDAR_LAYOUT_BREAK);
    else if (last)
        add_comment(l, NK_STR(" "));
    add_comment(l, text);
    l->wait = true;
}

size_t cedar_layout_open(struct cedar_layout *l)
{
    if (l->wait)
        cedar_layout_place(l, CEDAR_LAYOUT_BREAK);
    add(l, (struct cedar_layout_item){.kind = CEDAR_LAYOUT_OPEN});
    return cedar_layout_count(l) - 1;
}

void cedar_layout_close(struct cedar_layout *l)
{
    add(l, (struct cedar_layout_item){.kind = CEDAR_LAYOUT_CLOSE});
}

void cedar_layout_deepen(struct cedar_layout *l, size_t from)
{
    for (size_t i = from; i < cedar_layout_count(l) && !l->items.error; i++)
        if (is_place(item_at(l, i)))
            item_at(l, i)->indent++;
}

/* Does the group that opens at item i fit into `room`, together with what stands behind it up to the
 * next place where the line may end? */
static bool fits(const struct cedar_layout *l, size_t i, size_t n, size_t room)
{
    size_t inside = 0;
    bool own = true; /* in that group still */
    for (; i < n; i++) {
        const struct cedar_layout_item *item = item_at(l, i);
        if (item->kind == CEDAR_LAYOUT_BREAK || (!own && is_place(item)))
            return !own;
        inside += item->kind == CEDAR_LAYOUT_OPEN;
        inside -= item->kind == CEDAR_LAYOUT_CLOSE && inside > 0;
        own = own && inside > 0;
        size_t width = item->kind == CEDAR_LAYOUT_SPACE ? 1 : item->width;
        if (width > room)
            return false;
        room -= width;
    }
    return true;
}

static size_t end_line(struct cedar_layout *l, unsigned levels)
{
    nk_buf_add_char(l->out, '\n');
    for (size_t i = (size_t)levels * l->indent; i > 0; i--)
        nk_buf_add_char(l->out, ' ');
    return (size_t)levels * l->indent;
}

/* Where the line stands behind a text. */
static size_t behind(size_t column, const struct cedar_layout_item *item)
{
    if (item->width < TOO_WIDE)
        return column + item->width;
    struct nk_str rest = item->text, last = rest;
    while (rest.p)
        last = nk_str_cut(&rest, '\n');
    return last.n == item->text.n ? column + last.n : last.n;
}

/* Goes through the pieces; `flat` counts the groups around that stand on one line. */
static void write_all(struct cedar_layout *l, size_t n)
{
    size_t column = 0, flat = 0;
    for (size_t i = 0; i < n; i++) {
        const struct cedar_layout_item *item = item_at(l, i);
        switch ((enum cedar_layout_kind)item->kind) {
        case CEDAR_LAYOUT_TEXT:
            nk_buf_add(l->out, item->text);
            column = behind(column, item);
            break;
        case CEDAR_LAYOUT_OPEN:
            if (flat > 0 || fits(l, i, n, l->width > column ? l->width - column : 0))
                flat++;
            break;
        case CEDAR_LAYOUT_CLOSE:
            flat -= flat > 0;
            break;
        default:
            if (flat == 0) {
                column = end_line(l, item->indent);
            } else if (item->kind == CEDAR_LAYOUT_SPACE) {
                nk_buf_add_char(l->out, ' ');
                column++;
            }
        }
    }
}

void cedar_layout_flush(struct cedar_layout *l)
{
    if (!l->items.error && l->items.n > 0) {
        write_all(l, cedar_layout_count(l));
        nk_buf_add_char(l->out, '\n');
    }
    l->items.n = 0;
    l->level = 0;
    l->wait = false;
}
