/* SPDX-License-Identifier: Apache-2.0
 *
 * layout.h - lines of limited width out of pieces of text, groups and places where a line may end:
 * the way of Oppen and Wadler. A group stands on one line where it fits; otherwise all of its places
 * end a line, and the groups inside it are asked again.
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"

enum cedar_layout_kind {
    CEDAR_LAYOUT_TEXT,
    CEDAR_LAYOUT_SPACE, /* a space, or the end of the line */
    CEDAR_LAYOUT_CUT,   /* nothing, or the end of the line */
    CEDAR_LAYOUT_BREAK, /* the end of the line: no group around it fits on one */
    CEDAR_LAYOUT_OPEN,  /* a group begins */
    CEDAR_LAYOUT_CLOSE, /* … and ends */
};

struct cedar_layout_item {
    uint8_t kind;
    uint16_t indent; /* SPACE, CUT, BREAK: of the line behind it, in levels */
    uint32_t width;  /* TEXT: characters; over any line's width when it has a line feed */
    struct nk_str text;
};

struct cedar_layout {
    struct nk_buf items; /* struct cedar_layout_item each */
    struct nk_buf *out;
    unsigned width, indent; /* of a line, of a level */
    uint16_t level;         /* of the places to come */
    bool wait;              /* a comment was the last text: the line must end first */
};

/* Pieces in their order. Errors (no room) stick to `items`. */
void cedar_layout_text(struct cedar_layout *l, struct nk_str text);
void cedar_layout_place(struct cedar_layout *l, enum cedar_layout_kind kind);
/* Text up to the end of its line: on the line at hand, or on one of its own. */
void cedar_layout_comment(struct cedar_layout *l, struct nk_str text, bool own_line);
/* The group's item, for cedar_layout_deepen. */
size_t cedar_layout_open(struct cedar_layout *l);
void cedar_layout_close(struct cedar_layout *l);
/* The places from item `from` to the last are one level deeper. */
void cedar_layout_deepen(struct cedar_layout *l, size_t from);
size_t cedar_layout_count(const struct cedar_layout *l);
/* Writes all pieces to `out`, a line feed behind the last, and forgets them. */
void cedar_layout_flush(struct cedar_layout *l);
