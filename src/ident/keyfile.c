/* SPDX-License-Identifier: Apache-2.0
 *
 * keyfile.c - reads and writes lines of the key file. See keyfile.h.
 */
#include "ident/keyfile.h"

#include "base/map.h"
#include "base/utf8.h"
#include "ident/apikey.h"
#include "json/json.h"

#include <string.h>

static const char stage[] = "keys";
static const char digest_prefix[] = "sha256:";

/* A line being read. */
struct line {
    struct nk_json doc;
    struct nk_arena *a, *scratch; /* what stays, and what is forgotten with the line */
    struct nk_fault *f;
    const char *file;
    size_t number, offset;
};

static int wrong(const struct line *l, int code, const char *what)
{
    return nk_fault_set(l->f, code, stage, l->offset, "%.100s, line %zu: %s", l->file, l->number,
                        what);
}

int nk_keyfile_time(struct nk_str text, int64_t *unix_ms)
{
    static const char shape[] = "dddd-dd-ddTdd:dd:dd.dddZ";
    char full[sizeof shape] = {0};
    int v[7] = {0};
    size_t field = 0;
    if (text.n == 20 && text.p[19] == 'Z') {
        memcpy(full, text.p, 19);
        memcpy(full + 19, ".000Z", 5);
    } else if (text.n == sizeof shape - 1) {
        memcpy(full, text.p, text.n);
    } else {
        return NK_EINVAL;
    }
    for (size_t i = 0; shape[i]; i++) {
        bool is_digit = full[i] >= '0' && full[i] <= '9';
        if (shape[i] == 'd' ? !is_digit : shape[i] != full[i])
            return NK_EINVAL;
        if (is_digit)
            v[field] = v[field] * 10 + (full[i] - '0');
        else
            field++;
    }
    /* Days since 1970 of the civil date; then the way back tells whether there is such a date. */
    int64_t year = v[1] <= 2 ? v[0] - 1 : v[0], era = (year >= 0 ? year : year - 399) / 400;
    int64_t of_era = year - era * 400, month = v[1] > 2 ? v[1] - 3 : v[1] + 9;
    int64_t days = era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + (153 * month + 2) / 5 +
                   v[2] - 1 - 719468;
    *unix_ms = ((days * 24 + v[3]) * 60 + v[4]) * 60000 + v[5] * 1000 + v[6];
    struct nk_buf back;
    nk_buf_init(&back, 64);
    nk_time_format(*unix_ms, &back);
    bool ok = nk_str_eq(nk_buf_str(&back), nk_str(full));
    nk_buf_free(&back);
    return ok ? 0 : NK_EINVAL;
}

static bool is_printable(struct nk_str s, bool may_be_empty)
{
    if (s.n > NK_KEYFILE_MAX_NAME || (s.n == 0 && !may_be_empty) || nk_utf8_check(s) != s.n)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
            return false;
    return true;
}

static bool is_id(struct nk_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!((s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= '0' && s.p[i] <= '9')))
            return false;
    return s.n == NK_APIKEY_ID_SIZE;
}

/* A Cedar entity type: identifiers joined by "::". */
static bool is_type(struct nk_str s)
{
    bool start = true;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (start ? letter : letter || (c >= '0' && c <= '9'))
            start = false;
        else if (!start && c == ':' && i + 1 < s.n && s.p[i + 1] == ':')
            start = true, i++;
        else
            return false;
    }
    return s.n > 0 && s.n <= NK_KEYFILE_MAX_NAME && !start;
}

int nk_keyfile_check(const struct nk_keyfile_entry *e, struct nk_fault *f)
{
    const char *why = NULL;
    if (!is_id(e->id))
        why = "`id` is not 12 lower-case letters and digits";
    else if (!is_type(e->type))
        why = "`type` is not an entity type such as User";
    else if (!is_printable(e->principal, false))
        why = "`principal` is not 1 to 256 bytes of printable text";
    else if (!is_printable(e->note, true))
        why = "`note` is not at most 256 bytes of printable text";
    else if (e->group_count > NK_KEYFILE_MAX_GROUPS)
        why = "more than 64 groups";
    for (size_t i = 0; i < e->group_count && !why; i++)
        if (!is_printable(e->groups[i], false))
            why = "a group is not 1 to 256 bytes of printable text";
    return why ? nk_fault_set(f, NK_EINVAL, stage, 0, "%s", why) : 0;
}

static int read_time(const struct line *l, uint32_t at, int64_t *out)
{
    struct nk_str text = nk_json_string(&l->doc, at, l->scratch);
    return text.p && nk_keyfile_time(text, out) == 0
               ? 0
               : wrong(l, NK_EINVAL, "a time is not written as 2026-11-22T02:35:00Z");
}

static int read_text(const struct line *l, uint32_t at, struct nk_str *out)
{
    struct nk_str text = nk_json_string(&l->doc, at, l->scratch);
    *out = text.p ? nk_arena_copy(l->a, text) : text;
    return out->p ? 0 : wrong(l, NK_EINVAL, "a member is not a string");
}

static int read_digest(const struct line *l, uint32_t at, struct nk_digest *out)
{
    struct nk_str text = nk_json_string(&l->doc, at, l->scratch);
    size_t prefix = sizeof digest_prefix - 1;
    if (!text.p || !nk_str_starts(text, nk_str(digest_prefix)) ||
        nk_hex_decode(nk_str_sub(text, prefix, text.n), out->b, sizeof out->b))
        return wrong(l, NK_EINVAL, "`digest` is not sha256: and 64 lower-case hex digits");
    return 0;
}

static int read_groups(const struct line *l, uint32_t at, struct nk_keyfile_entry *e)
{
    if (nk_json_type(&l->doc, at) != NK_JSON_ARRAY)
        return wrong(l, NK_EINVAL, "`groups` is not a list");
    size_t count = l->doc.tape[at].count;
    if (count > NK_KEYFILE_MAX_GROUPS)
        return wrong(l, NK_ELIMIT, "more than 64 groups");
    struct nk_str *list = nk_arena_array(l->a, count + 1, sizeof *list);
    if (!list)
        return wrong(l, NK_ENOMEM, "out of memory");
    e->groups = list;
    for (uint32_t i = nk_json_first(&l->doc, at); i != NK_JSON_NONE;
         i = nk_json_next(&l->doc, at, i)) {
        int rc = read_text(l, i, &list[e->group_count++]);
        if (rc)
            return rc;
    }
    return 0;
}

static int read_member(const struct line *l, uint32_t name, struct nk_keyfile_entry *e)
{
    static const char *const known[] = {"id",      "type",    "principal", "note",   "digest",
                                        "created", "expires", "revoked",   "groups", "kind"};
    uint32_t value = name + 1;
    size_t i = 0;
    while (i < NK_COUNT(known) && !nk_json_is(&l->doc, name, nk_str(known[i])))
        i++;
    switch (i) {
    case 0:
        return read_text(l, value, &e->id);
    case 1:
        return read_text(l, value, &e->type);
    case 2:
        return read_text(l, value, &e->principal);
    case 3:
        return read_text(l, value, &e->note);
    case 4:
        return read_digest(l, value, &e->digest);
    case 5:
        return read_time(l, value, &e->created_ms);
    case 6:
        return read_time(l, value, &e->expires_ms);
    case 7:
        return read_time(l, value, &e->revoked_ms);
    case 8:
        return read_groups(l, value, e);
    case 9:
        e->signs = nk_json_is(&l->doc, value, NK_STR("sigv4"));
        return e->signs ? 0 : wrong(l, NK_EINVAL, "`kind` is not sigv4");
    default:
        return wrong(l, NK_EINVAL, "a member that is not known here");
    }
}

static int read_line(struct line *l, struct nk_str text, struct nk_keyfile_entry *e)
{
    static const char *const required[] = {"id", "digest", "type", "principal", "created"};
    const struct nk_json_limits lim = {NK_KEYFILE_MAX_LINE, 2, 256};
    struct nk_fault inner = {0};
    *e = (struct nk_keyfile_entry){.expires_ms = INT64_MAX, .revoked_ms = INT64_MAX};
    int rc = nk_json_parse(&lim, text, l->scratch, &l->doc, &inner);
    if (rc)
        return wrong(l, rc, inner.message);
    if (nk_json_type(&l->doc, 0) != NK_JSON_OBJECT)
        return wrong(l, NK_EINVAL, "not an object");
    for (size_t i = 0; i < NK_COUNT(required); i++)
        if (nk_json_get(&l->doc, 0, nk_str(required[i])) == NK_JSON_NONE)
            return wrong(l, NK_EINVAL, "id, digest, type, principal or created is missing");
    for (uint32_t i = nk_json_first(&l->doc, 0); i != NK_JSON_NONE;
         i = nk_json_next(&l->doc, 0, i)) {
        rc = read_member(l, i, e);
        if (rc)
            return rc;
    }
    rc = nk_keyfile_check(e, &inner);
    return rc ? wrong(l, rc, inner.message) : 0;
}

/* Notes that the entry's id and digest are taken; NK_ECONFLICT when they were. */
static int claim_names(const struct line *l, struct nk_map *ids, struct nk_keyfile_entry *e)
{
    int rc = nk_map_put(ids, e->id, e);
    if (rc == 0)
        rc = nk_map_put(ids, (struct nk_str){(const char *)e->digest.b, sizeof e->digest.b}, e);
    if (rc == 0)
        return 0;
    return wrong(l, rc,
                 rc == NK_ECONFLICT ? "its id or digest is on an earlier line" : "out of memory");
}

static int read_lines(struct line *l, struct nk_str text, const uint64_t seed[2],
                      struct nk_keyfile_entry *entries, size_t count)
{
    struct nk_map ids;
    nk_map_init(&ids, l->a, seed);
    while (l->number < count) {
        struct nk_str rest = nk_str_sub(text, l->offset, text.n);
        struct nk_str line = nk_str_cut(&rest, '\n');
        struct nk_keyfile_entry *e = &entries[l->number++];
        int rc = read_line(l, line, e);
        if (rc == 0)
            rc = claim_names(l, &ids, e);
        if (rc)
            return rc;
        l->offset += line.n + 1;
        nk_arena_reset(l->scratch);
    }
    return 0;
}

int nk_keyfile_parse(struct nk_str text, const char *name, const uint64_t seed[2],
                     struct nk_arena *a, struct nk_keyfile *out, struct nk_fault *f)
{
    struct nk_arena scratch;
    struct line l = {.a = a, .scratch = &scratch, .f = f, .file = name};
    size_t lines = 0;
    *out = (struct nk_keyfile){NULL, 0};
    if (text.n > NK_KEYFILE_MAX_BYTES)
        return nk_fault_set(f, NK_ELIMIT, stage, 0, "%.100s is larger than 32 MiB", name);
    for (size_t i = 0; i < text.n; i++)
        lines += text.p[i] == '\n';
    if (lines > NK_KEYFILE_MAX_KEYS)
        return nk_fault_set(f, NK_ELIMIT, stage, 0, "%.100s has more than 100,000 keys", name);
    if (text.n && text.p[text.n - 1] != '\n')
        return nk_fault_set(f, NK_EINVAL, stage, text.n,
                            "%.100s: the last line has no end, the file was cut short", name);
    struct nk_keyfile_entry *entries = nk_arena_array(a, lines + 1, sizeof *entries);
    if (!entries)
        return nk_fault_set(f, NK_ENOMEM, stage, 0, "out of memory");
    nk_arena_init(&scratch, 16 * (size_t)NK_KEYFILE_MAX_LINE);
    int rc = read_lines(&l, text, seed, entries, lines);
    nk_arena_free(&scratch);
    if (rc == 0)
        *out = (struct nk_keyfile){entries, lines};
    return rc;
}

static void put_time(struct nk_buf *out, const char *name, int64_t ms)
{
    if (ms == INT64_MAX)
        return;
    nk_json_put_name(out, nk_str(name));
    nk_buf_add_char(out, '"');
    nk_time_format(ms, out);
    nk_buf_add_char(out, '"');
}

void nk_keyfile_put(const struct nk_keyfile_entry *e, struct nk_buf *out)
{
    nk_buf_add_char(out, '{');
    nk_json_put_member(out, NK_STR("id"), e->id);
    nk_buf_add(out, NK_STR(",\"digest\":\"sha256:"));
    nk_buf_add_hex(out, e->digest.b, sizeof e->digest.b);
    nk_buf_add_char(out, '"');
    nk_json_put_member(out, NK_STR("type"), e->type);
    nk_json_put_member(out, NK_STR("principal"), e->principal);
    if (e->group_count) {
        nk_json_put_name(out, NK_STR("groups"));
        nk_buf_add_char(out, '[');
        for (size_t i = 0; i < e->group_count; i++) {
            if (i)
                nk_buf_add_char(out, ',');
            nk_json_put_string(out, e->groups[i]);
        }
        nk_buf_add_char(out, ']');
    }
    put_time(out, "created", e->created_ms);
    put_time(out, "expires", e->expires_ms);
    put_time(out, "revoked", e->revoked_ms);
    if (e->note.n)
        nk_json_put_member(out, NK_STR("note"), e->note);
    if (e->signs)
        nk_json_put_member(out, NK_STR("kind"), NK_STR("sigv4"));
    nk_buf_add(out, NK_STR("}\n"));
}
