/* SPDX-License-Identifier: Apache-2.0
 *
 * trust.c - one list of a server against what is approved.
 *
 *   the digest is that of the approval of this name     approved
 *   something else is approved under this name          changed, and which members
 *   nothing is, but the rest is that of another name    renamed
 *   nothing is                                          new
 *
 * Resemblance compares names as the eye has them (fold.c). It never makes a tool trusted or less so: it
 * tells the person who approves that there is a name that this one may be taken for.
 */
#include "tool/trust.h"

#include <stdlib.h>

#include "tool/approvals.h"
#include "tool/text.h"

enum {
    NAME_MAX_SEEN = 128, /* bytes of a name that are compared */
    NEAR_LEAST = 5,      /* letters of a name of which one may differ */
    NEAR_LONG = 12,      /* of which two may */
};

const char *nk_trust_state_name(enum nk_trust_state state)
{
    static const char *const names[] = {"approved", "new",   "changed",
                                        "renamed",  "twice", "malformed"};
    return names[state];
}

/* Resemblance ---------------------------------------------------------------------------------------
 *
 * Edits that turn one text into the other, of which the exchange of two neighbours is one (optimal string
 * alignment); anything over 2 is 3. */
static size_t edits(struct nk_str a, struct nk_str b)
{
    uint8_t rows[3][NAME_MAX_SEEN + 1];
    if (a.n > b.n + 2 || b.n > a.n + 2)
        return 3;
    for (size_t j = 0; j <= b.n; j++)
        rows[0][j] = (uint8_t)j;
    for (size_t i = 1; i <= a.n; i++) {
        uint8_t *now = rows[i % 3];
        const uint8_t *last = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];
        now[0] = (uint8_t)i;
        for (size_t j = 1; j <= b.n; j++) {
            unsigned least = last[j - 1] + (a.p[i - 1] != b.p[j - 1]);
            least = last[j] + 1u < least ? last[j] + 1u : least;
            least = now[j - 1] + 1u < least ? now[j - 1] + 1u : least;
            if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] && a.p[i - 2] == b.p[j - 1] &&
                before[j - 2] + 1u < least)
                least = before[j - 2] + 1u;
            now[j] = (uint8_t)least;
        }
    }
    return rows[a.n % 3][b.n] > 2 ? 3 : rows[a.n % 3][b.n];
}

/* "file" and "files", "add2" and "add3": names that one server has side by side and means so. */
static bool is_sibling(struct nk_str a, struct nk_str b)
{
    struct nk_str longer = a.n > b.n ? a : b, shorter = a.n > b.n ? b : a;
    if (longer.n == shorter.n + 1 && longer.p[longer.n - 1] == 's' &&
        nk_str_starts(longer, shorter))
        return true;
    for (size_t i = 0; i < a.n && a.n == b.n; i++)
        if (a.p[i] != b.p[i] && (a.p[i] < '0' || a.p[i] > '9' || b.p[i] < '0' || b.p[i] > '9'))
            return false;
    return a.n == b.n;
}

static enum nk_trust_likeness likeness(struct nk_str server, struct nk_str name,
                                       struct nk_str skeleton, const struct nk_approval *a)
{
    char room[NAME_MAX_SEEN];
    bool same_server = nk_str_eq(a->server, server);
    if (nk_str_eq(a->name, name))
        return same_server ? NK_TRUST_UNLIKE : NK_TRUST_NAMESAKE;
    struct nk_str other = tool_skeleton(a->name, room, sizeof room);
    if (nk_str_eq(skeleton, other))
        return NK_TRUST_LOOKALIKE;
    size_t shorter = skeleton.n < other.n ? skeleton.n : other.n;
    if (shorter < NEAR_LEAST || (same_server && is_sibling(name, a->name)))
        return NK_TRUST_UNLIKE;
    return edits(skeleton, other) <= (shorter >= NEAR_LONG ? 2 : 1) ? NK_TRUST_NEAR
                                                                    : NK_TRUST_UNLIKE;
}

static void find_like(const struct nk_approvals *approvals, struct nk_str server,
                      struct nk_trust_tool *t)
{
    char room[NAME_MAX_SEEN];
    struct nk_str skeleton = tool_skeleton(t->name, room, sizeof room);
    for (size_t i = 0; i < approvals->n; i++) {
        enum nk_trust_likeness l = likeness(server, t->name, skeleton, &approvals->list[i]);
        if (l <= t->likeness)
            continue;
        t->likeness = l;
        t->like = &approvals->list[i];
    }
}

/* States ------------------------------------------------------------------------------------------
 */
static void judge_changed(const struct nk_approvals *approvals, const struct nk_json *doc,
                          struct nk_trust_tool *t)
{
    t->state = NK_TRUST_CHANGED;
    for (int m = 0; m < NK_TOOL_MEMBERS; m++)
        if (!tool_member_same(doc, t->at, &approvals->doc, t->approval->at, (enum nk_tool_member)m))
            t->changed |= 1u << m;
}

static void judge_new(const struct nk_approvals *approvals, struct nk_str server,
                      struct nk_digest nameless, struct nk_trust_tool *t)
{
    t->state = NK_TRUST_NEW;
    for (size_t i = 0; i < approvals->n; i++) {
        const struct nk_approval *a = &approvals->list[i];
        if (nk_str_eq(a->server, server) && nk_digest_eq(a->nameless, nameless)) {
            t->state = NK_TRUST_RENAMED;
            t->approval = a;
            break;
        }
    }
    find_like(approvals, server, t);
}

static int judge_one(const struct nk_approvals *approvals, struct nk_str server,
                     const struct nk_json *doc, struct nk_trust_tool *t, struct nk_arena *a,
                     struct nk_fault *f)
{
    struct nk_digest nameless;
    t->state = NK_TRUST_MALFORMED;
    struct nk_str name = nk_json_string(doc, nk_json_get(doc, t->at, NK_STR("name")), a);
    if (!name.n)
        return 0;
    t->name = name;
    int rc = tool_digests(doc, t->at, &t->digest, &nameless);
    if (rc == NK_ENOMEM)
        return nk_fault_set(f, rc, "tools", 0, "no memory to judge a list of tools");
    if (rc) /* a number that has no canonical form, or more than may be approved */
        return 0;
    t->approval = nk_approvals_find(approvals, server, name);
    if (!t->approval)
        judge_new(approvals, server, nameless, t);
    else if (nk_digest_eq(t->approval->digest, t->digest))
        t->state = NK_TRUST_APPROVED;
    else
        judge_changed(approvals, doc, t);
    return 0;
}

static int by_name(const void *x, const void *y)
{
    const struct nk_trust_tool *const *a = x, *const *b = y;
    return nk_str_cmp((*a)->name, (*b)->name);
}

/* Of tools with one name, none is trusted: client and gate could mean different ones. */
static int mark_twice(struct nk_trust_tool *list, size_t n, struct nk_arena *a)
{
    struct nk_trust_tool **sorted = nk_arena_array(a, n ? n : 1, sizeof(struct nk_trust_tool *));
    if (!sorted)
        return NK_ENOMEM;
    for (size_t i = 0; i < n; i++)
        sorted[i] = &list[i];
    qsort(sorted, n, sizeof(struct nk_trust_tool *), by_name);
    for (size_t i = 1; i < n; i++)
        if (sorted[i]->name.n && nk_str_eq(sorted[i]->name, sorted[i - 1]->name))
            sorted[i]->state = sorted[i - 1]->state = NK_TRUST_TWICE;
    return 0;
}

int nk_trust_judge(const struct nk_approvals *approvals, struct nk_str server,
                   const struct nk_json *doc, uint32_t tools, struct nk_arena *a,
                   struct nk_trust_tool **out, size_t *n, struct nk_fault *f)
{
    *out = NULL;
    *n = 0;
    if (nk_json_type(doc, tools) != NK_JSON_ARRAY)
        return nk_fault_set(f, NK_EINVAL, "tools", 0, "the list of tools is no array");
    size_t count = doc->tape[tools].count, done = 0;
    if (count > NK_TRUST_TOOLS_MAX)
        return nk_fault_set(f, NK_ELIMIT, "tools", 0, "%zu tools in one list, at most %d", count,
                            NK_TRUST_TOOLS_MAX);
    struct nk_trust_tool *list = nk_arena_array(a, count ? count : 1, sizeof *list);
    if (!list)
        return nk_fault_set(f, NK_ENOMEM, "tools", 0, "no memory to judge a list of tools");
    for (uint32_t i = nk_json_first(doc, tools); i != NK_JSON_NONE;
         i = nk_json_next(doc, tools, i)) {
        list[done].at = i;
        int rc = judge_one(approvals, server, doc, &list[done++], a, f);
        if (rc)
            return rc;
    }
    if (mark_twice(list, count, a))
        return nk_fault_set(f, NK_ENOMEM, "tools", 0, "no memory to judge a list of tools");
    *out = list;
    *n = count;
    return 0;
}
