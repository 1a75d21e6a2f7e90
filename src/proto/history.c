/* SPDX-License-Identifier: Apache-2.0
 *
 * history.c - see history.h. Calls are mostly answered soon, so few are open at a time.
 */
#include "proto/history.h"

#include <string.h>

static int grow(struct nk_arena *a, void **list, size_t n, size_t *cap, size_t size, size_t max,
                struct nk_fault *f)
{
    if (n < *cap)
        return 0;
    if (n == max)
        return nk_fault_set(f, NK_ELIMIT, "proto", 0, "too many tool calls in the conversation");
    size_t room = *cap ? *cap * 2 : 8;
    void *more = nk_arena_array(a, room, size);
    if (!more)
        return nk_fault_set(f, NK_ENOMEM, "proto", 0, "out of memory at tool calls");
    if (n)
        memcpy(more, *list, n * size);
    *list = more;
    *cap = room;
    return 0;
}

static struct nk_history_call *find(struct nk_history *h, struct nk_str id, struct nk_str name)
{
    for (size_t i = 0; i < h->open_count; i++) {
        struct nk_history_call *c = &h->open[i];
        if (id.p ? nk_str_eq(c->id, id) : !c->id.p && nk_str_eq(c->name, name))
            return c;
    }
    return NULL;
}

int nk_history_call(struct nk_history *h, const struct nk_history_call *call, struct nk_fault *f)
{
    struct nk_history_call *same = find(h, call->id, call->name);
    if (same && same->message == h->message)
        return nk_fault_set(f, NK_EINVAL, "proto", 0,
                            "two tool calls of one message have the id \"%.*s\"",
                            NK_FMT(nk_str_sub(call->id, 0, 128)));
    if (!same) {
        void *list = h->open;
        int r =
            grow(h->arena, &list, h->open_count, &h->open_cap, sizeof *call, NK_HISTORY_OPEN, f);
        if (r)
            return r;
        h->open = list;
        same = &h->open[h->open_count++];
    }
    if (h->last != h->message)
        h->in_answer = 0;
    h->last = h->message;
    *same = *call;
    same->message = h->message;
    same->turn = h->turn;
    same->calls = (int64_t)h->result_count + h->in_answer++;
    return 0;
}

int nk_history_result(struct nk_history *h, struct nk_str id, struct nk_str name, uint32_t at,
                      struct nk_fault *f)
{
    struct nk_history_call *call = find(h, id, name);
    void *list = h->results;
    if (!call && !h->elsewhere)
        return nk_fault_set(f, NK_EINVAL, "proto", 0,
                            "the tool result for \"%.*s\" answers no call, or one that has its "
                            "result already",
                            NK_FMT(nk_str_sub(id.p ? id : name, 0, 128)));
    int r = grow(h->arena, &list, h->result_count, &h->result_cap, sizeof *h->results,
                 NK_HISTORY_RESULTS, f);
    if (r)
        return r;
    h->results = list;
    struct nk_tool_result *out = &h->results[h->result_count++];
    *out = (struct nk_tool_result){.id = id, .at = at};
    if (!call)
        return 0;
    out->name = call->name;
    out->arguments = call->arguments;
    out->turn = call->turn;
    out->calls = call->calls;
    *call = h->open[--h->open_count];
    return 0;
}
