/* SPDX-License-Identifier: Apache-2.0
 *
 * chain.c - the input as a line of a log, and as the facts of a record: what is accepted as facts must
 * come back from the checker, as one line with the numbers that it was given.
 */
#include "chain/chain.h"
#include "chain/replay.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void as_line(struct nk_str line, struct nk_arena *a)
{
    static const struct nk_json_limits limits = {NK_CHAIN_LINE_MAX, 64, 65536};
    struct nk_chain c, before;
    struct nk_chain_line said = {.n = 0};
    struct nk_json doc;
    struct nk_replay replay;
    struct nk_cedar_policies *policies = nk_cedar_policies_new(a);
    nk_chain_init(&c);
    if (nk_chain_line_read(line, &said) == 0) { /* the chain that this line would fit */
        c.tree.size = said.n;
        c.last = said.prev;
    }
    before = c;
    if (said.n == UINT64_MAX)
        return;
    if (nk_chain_check(&c, line, a, &doc, NULL) != 0)
        NK_MUST(memcmp(&c, &before, sizeof c) == 0);
    else
        NK_MUST(c.tree.size == before.tree.size + 1 && !memchr(line.p, '\n', line.n));
    if (policies && nk_json_parse(&limits, line, a, &doc, NULL) == 0)
        (void)!nk_replay_record(&doc, policies, NULL, a, &replay, NULL);
}

static void as_facts(struct nk_str facts, struct nk_arena *a)
{
    struct nk_chain c, check;
    struct nk_chain_line said;
    struct nk_json doc;
    struct nk_buf out;
    nk_chain_init(&c);
    nk_buf_init(&out, 1 << 20);
    NK_MUST(nk_chain_append(&c, 3, 0, NK_STR("\"a\":1"), a, &out, NULL) == 0);
    size_t first = out.n;
    check = c;
    if (nk_chain_append(&c, 3, 1, facts, a, &out, NULL) == 0) {
        struct nk_str line = nk_str_sub(nk_buf_str(&out), first, out.n - 1);
        NK_MUST(out.p[out.n - 1] == '\n' && !memchr(line.p, '\n', line.n));
        NK_MUST(nk_chain_check(&check, line, a, &doc, NULL) == 0);
        NK_MUST(nk_chain_line_read(line, &said) == 0 && said.n == 1 && said.gate == 3 &&
                said.seq == 1);
        NK_MUST(memcmp(&c, &check, sizeof c) == 0);
    } else {
        NK_MUST(out.n == first && memcmp(&c, &check, sizeof c) == 0);
    }
    nk_buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nk_arena a;
    struct nk_str in = {(const char *)data, size};
    nk_arena_init(&a, 32 << 20);
    as_line(in, &a);
    nk_arena_reset(&a);
    as_facts(in, &a);
    nk_arena_free(&a);
    return 0;
}
