/* SPDX-License-Identifier: Apache-2.0
 *
 * yaml.c - libyaml's events, one after the other, written as JSON. The open containers are a stack
 * of fixed depth; each mapping keeps its keys until it ends, so that a key given twice is found
 * with both places. See yaml.h.
 */
#include "edge/yaml.h"

#include <string.h>
#include <yaml.h>
#include "json/json.h"

enum { DEPTH_MAX = 64 };

struct key {
    struct nk_str name;
    uint32_t line;
    struct key *next;
};

struct level {
    bool mapping;
    bool value;  /* mapping: a key was read, its value follows */
    bool filled; /* something stands in it already: a comma is due */
    struct key *keys;
};

struct reading {
    const struct nk_yaml_limits *lim;
    struct nk_arena *arena;
    struct nk_buf json;
    struct nk_yaml_mark *marks;
    size_t count, room;
    struct level levels[DEPTH_MAX];
    uint32_t depth, nodes;
    bool document, done;
    struct nk_yaml_mark *where;
    struct nk_fault *fault;
};

static const char stage[] = "yaml";

static int refuse(struct reading *r, int code, yaml_mark_t at, const char *why)
{
    *r->where = (struct nk_yaml_mark){0, (uint32_t)at.line + 1, (uint32_t)at.column + 1};
    return nk_fault_set(r->fault, code, stage, at.index, "%s", why);
}

static int add_mark(struct reading *r, yaml_mark_t at)
{
    if (r->nodes++ >= r->lim->max_nodes)
        return refuse(r, NK_ELIMIT, at, "too many values in this file");
    if (r->count == r->room) {
        size_t room = r->room ? r->room * 2 : 64;
        struct nk_yaml_mark *more = nk_arena_array(r->arena, room, sizeof *more);
        if (!more)
            return refuse(r, NK_ENOMEM, at, "out of memory");
        if (r->count)
            memcpy(more, r->marks, r->count * sizeof *more);
        r->marks = more;
        r->room = room;
    }
    r->marks[r->count++] =
        (struct nk_yaml_mark){r->json.n, (uint32_t)at.line + 1, (uint32_t)at.column + 1};
    return 0;
}

static int add_key(struct reading *r, struct level *l, struct nk_str name, yaml_mark_t at)
{
    for (struct key *k = l->keys; k; k = k->next) {
        if (!nk_str_eq(k->name, name))
            continue;
        refuse(r, NK_ECONFLICT, at, "");
        r->fault->code = 0; /* said again, with both places */
        return nk_fault_set(r->fault, NK_ECONFLICT, stage, at.index,
                            "key \"%.*s\" is given twice, first in line %u; remove one",
                            (int)(name.n < 60 ? name.n : 60), name.p, k->line);
    }
    struct key *k = nk_arena_alloc(r->arena, sizeof *k);
    struct nk_str copy = nk_arena_copy(r->arena, name);
    if (!k || !copy.p)
        return refuse(r, NK_ENOMEM, at, "out of memory");
    *k = (struct key){copy, (uint32_t)at.line + 1, l->keys};
    l->keys = k;
    return 0;
}

/* What stands before any node: a comma where one is due, and the place. */
static int before_node(struct reading *r, bool is_key, yaml_mark_t at)
{
    struct level *l = r->depth ? &r->levels[r->depth - 1] : NULL;
    if (l && l->filled && (is_key || !l->mapping))
        nk_buf_add_char(&r->json, ',');
    if (l)
        l->filled = true;
    return add_mark(r, at);
}

/* After a value the next scalar of a mapping is a key again. */
static void after_value(struct reading *r)
{
    if (r->depth)
        r->levels[r->depth - 1].value = false;
    else
        r->done = true;
}

static size_t digits(struct nk_str s, size_t from)
{
    size_t i = from;
    while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9')
        i++;
    return i - from;
}

/* A word or number as JSON has it (RFC 8259, sections 3 and 6). */
static bool is_json(struct nk_str s)
{
    static const char *const words[] = {"null", "true", "false"};
    size_t i = nk_str_starts(s, NK_STR("-")), n = digits(s, i);
    for (size_t k = 0; k < NK_COUNT(words); k++)
        if (nk_str_eq(s, nk_str(words[k])))
            return true;
    if (n == 0 || (n > 1 && s.p[i] == '0'))
        return false;
    i += n;
    if (i < s.n && s.p[i] == '.') {
        n = digits(s, ++i);
        if (n == 0)
            return false;
        i += n;
    }
    if (i < s.n && (s.p[i] | 0x20) == 'e') {
        i++;
        i += i < s.n && (s.p[i] == '+' || s.p[i] == '-');
        n = digits(s, i);
        if (n == 0)
            return false;
        i += n;
    }
    return i == s.n;
}

static int on_scalar(struct reading *r, const yaml_event_t *e)
{
    struct level *l = r->depth ? &r->levels[r->depth - 1] : NULL;
    bool is_key = l && l->mapping && !l->value;
    bool plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    struct nk_str text = {(const char *)e->data.scalar.value, e->data.scalar.length};
    int rc = before_node(r, is_key, e->start_mark);
    if (rc)
        return rc;
    if (!is_key) {
        if (plain && text.n == 0)
            nk_buf_add(&r->json, NK_STR("null"));
        else if (plain && r->lim->typed && is_json(text))
            nk_buf_add(&r->json, text);
        else
            nk_json_put_string(&r->json, text);
        after_value(r);
        return 0;
    }
    if (plain && nk_str_eq(text, NK_STR("<<")))
        return refuse(r, NK_EUNSUPPORTED, e->start_mark,
                      "merge keys (<<) are not supported; write the keys out");
    rc = add_key(r, l, text, e->start_mark);
    nk_json_put_string(&r->json, text);
    nk_buf_add_char(&r->json, ':');
    l->value = true;
    return rc;
}

static int on_open(struct reading *r, bool mapping, yaml_mark_t at)
{
    struct level *l = r->depth ? &r->levels[r->depth - 1] : NULL;
    if (l && l->mapping && !l->value)
        return refuse(r, NK_EUNSUPPORTED, at, "a key must be a single word or text");
    int rc = before_node(r, false, at);
    if (rc)
        return rc;
    if (r->depth >= r->lim->max_depth || r->depth >= DEPTH_MAX)
        return refuse(r, NK_ELIMIT, at, "lists and keys are nested too deeply");
    nk_buf_add_char(&r->json, mapping ? '{' : '[');
    r->levels[r->depth++] = (struct level){.mapping = mapping};
    return 0;
}

static int on_close(struct reading *r)
{
    NK_MUST(r->depth > 0);
    nk_buf_add_char(&r->json, r->levels[--r->depth].mapping ? '}' : ']');
    after_value(r);
    return 0;
}

static int on_document(struct reading *r, const yaml_event_t *e)
{
    const yaml_tag_directive_t *tags = e->data.document_start.tag_directives.start;
    if (r->document)
        return refuse(r, NK_EUNSUPPORTED, e->start_mark,
                      "a second document (---) begins here; one file holds one");
    if (tags != e->data.document_start.tag_directives.end)
        return refuse(r, NK_EUNSUPPORTED, e->start_mark, "tag directives are not supported");
    r->document = true;
    return 0;
}

/* Anchors and tags, wherever they may stand. */
static int check_plain(struct reading *r, const yaml_event_t *e)
{
    const yaml_char_t *anchor = NULL, *tag = NULL;
    if (e->type == YAML_SCALAR_EVENT) {
        anchor = e->data.scalar.anchor;
        tag = e->data.scalar.tag;
    } else if (e->type == YAML_MAPPING_START_EVENT) {
        anchor = e->data.mapping_start.anchor;
        tag = e->data.mapping_start.tag;
    } else if (e->type == YAML_SEQUENCE_START_EVENT) {
        anchor = e->data.sequence_start.anchor;
        tag = e->data.sequence_start.tag;
    }
    if (anchor || e->type == YAML_ALIAS_EVENT)
        return refuse(
            r, NK_EUNSUPPORTED, e->start_mark,
            "anchors (&) and aliases (*) are not supported; write the value out, or put it "
            "in quotes");
    if (tag)
        return refuse(r, NK_EUNSUPPORTED, e->start_mark,
                      "tags (!) are not supported; leave it out, or put the value in quotes");
    return 0;
}

static int on_event(struct reading *r, const yaml_event_t *e)
{
    int rc = check_plain(r, e);
    if (rc)
        return rc;
    switch (e->type) {
    case YAML_DOCUMENT_START_EVENT:
        return on_document(r, e);
    case YAML_SCALAR_EVENT:
        return on_scalar(r, e);
    case YAML_MAPPING_START_EVENT:
        return on_open(r, true, e->start_mark);
    case YAML_SEQUENCE_START_EVENT:
        return on_open(r, false, e->start_mark);
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
        return on_close(r);
    default:
        return 0;
    }
}

/* libyaml's own words are about its productions; the place is what helps. */
static int syntax_error(struct reading *r, const yaml_parser_t *p)
{
    yaml_mark_t at = p->problem_mark;
    const char *what = p->problem ? p->problem : "not readable as YAML";
    if (p->error == YAML_MEMORY_ERROR)
        return refuse(r, NK_ENOMEM, at, "out of memory");
    if (p->error == YAML_READER_ERROR) {
        *r->where = (struct nk_yaml_mark){0, 0, 0};
        return nk_fault_set(r->fault, NK_EINVAL, stage, p->problem_offset,
                            "not readable as UTF-8 text at byte %zu: %s", p->problem_offset, what);
    }
    *r->where = (struct nk_yaml_mark){0, (uint32_t)at.line + 1, (uint32_t)at.column + 1};
    return nk_fault_set(r->fault, NK_EINVAL, stage, at.index,
                        "this is not YAML: %s (look at indentation, colons and quotes here and in "
                        "the line above)",
                        what);
}

static int read_events(struct reading *r, yaml_parser_t *p)
{
    for (bool end = false; !end;) {
        yaml_event_t e;
        if (!yaml_parser_parse(p, &e))
            return syntax_error(r, p);
        int rc = on_event(r, &e);
        end = e.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&e);
        if (rc)
            return rc;
    }
    if (!r->done)
        return nk_fault_set(r->fault, NK_EINVAL, stage, 0, "there is nothing in this file");
    return 0;
}

int nk_yaml_read(const struct nk_yaml_limits *lim, struct nk_str text, struct nk_arena *a,
                 struct nk_yaml *out, struct nk_yaml_mark *where, struct nk_fault *f)
{
    struct nk_fault own = {0};
    struct reading r = {.lim = lim, .arena = a, .where = where, .fault = f ? f : &own};
    yaml_parser_t p;
    *where = (struct nk_yaml_mark){0, 0, 0};
    *out = (struct nk_yaml){.count = 0};
    if (text.n > lim->max_bytes)
        return nk_fault_set(r.fault, NK_ELIMIT, stage, lim->max_bytes,
                            "%zu bytes; at most %zu are read", text.n, lim->max_bytes);
    if (!yaml_parser_initialize(&p))
        return nk_fault_set(r.fault, NK_ENOMEM, stage, 0, "out of memory");
    yaml_parser_set_encoding(&p, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&p, (const unsigned char *)(text.p ? text.p : ""), text.n);
    nk_buf_init(&r.json, 8 * lim->max_bytes + 64);
    int rc = read_events(&r, &p);
    yaml_parser_delete(&p);
    if (!rc && r.json.error)
        rc = nk_fault_set(r.fault, r.json.error, stage, 0, "too large");
    if (!rc) {
        struct nk_str json = nk_arena_copy(a, nk_buf_str(&r.json));
        *out = (struct nk_yaml){json, r.marks, r.count};
        if (!json.p)
            rc = nk_fault_set(r.fault, NK_ENOMEM, stage, 0, "out of memory");
    }
    nk_buf_free(&r.json);
    return rc;
}

struct nk_yaml_mark nk_yaml_where(const struct nk_yaml *y, size_t at)
{
    struct nk_yaml_mark best = {0, 1, 1};
    for (size_t i = 0; i < y->count && y->marks[i].at <= at; i++)
        best = y->marks[i];
    return best;
}
