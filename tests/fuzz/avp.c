/* SPDX-License-Identifier: Apache-2.0
 *
 * avp.c - any bytes as a request of Verified Permissions. Input that begins with 'S' is a signed request: lines of
 * headers. All else: the first byte chooses the operation, the rest is the body.
 *
 * What must hold: nothing is read outside its memory; no signature holds that was not made with the secret; one that
 * is made with it holds, and no longer once a byte of what was signed is another one; an operation that was read
 * stays inside its limits, and each of its questions can be asked.
 */
#include "ident/sigv4.h"
#include "proto/avp.h"

#include <stdlib.h>

enum { HEADERS = 32 };

static const struct nk_json_limits limits = {1 << 20, 64, 1 << 16};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool cond)
{
    if (!cond)
        abort();
}

static void read_head(struct nk_str in, struct nk_http_head *h, struct nk_http_header *headers)
{
    *h = (struct nk_http_head){.method = NK_STR("POST"), .target = NK_STR("/"), .headers = headers};
    while (in.p && h->header_count < HEADERS) {
        struct nk_str line = nk_str_cut(&in, '\n');
        headers[h->header_count].name = nk_str_cut(&line, ':');
        headers[h->header_count++].value = nk_str_trim(line.p ? line : NK_STR(""));
    }
}

static void signature(struct nk_str in)
{
    static const char digest[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    struct nk_http_header headers[HEADERS];
    struct nk_http_head h;
    struct nk_sigv4 s;
    struct nk_buf b;
    char hex[2 * NK_SHA256_SIZE];
    struct nk_buf made = {.p = hex, .cap = sizeof hex, .max = sizeof hex};
    read_head(in, &h, headers);
    if (nk_sigv4_read(&h, &s, NULL))
        return;
    must(s.header_count >= 1 && s.header_count <= NK_SIGV4_SIGNED_MAX);
    (void)!nk_sigv4_check(&h, &s, s.service, s.signed_ms, NULL);
    must(nk_sigv4_verify(&h, &s, nk_str(digest), NK_STR("a secret that nobody signed with"),
                         NULL) != 0);
    nk_buf_init(&b, 1 << 20);
    nk_sigv4_canonical(&h, &s, nk_str(digest), &b);
    struct nk_digest d = nk_sigv4_sign(&s, nk_buf_str(&b), NK_STR("secret"));
    nk_buf_add_hex(&made, d.b, sizeof d.b);
    nk_buf_free(&b);
    s.signature = nk_buf_str(&made);
    must(nk_sigv4_verify(&h, &s, nk_str(digest), NK_STR("secret"), NULL) == 0);
    must(nk_sigv4_verify(&h, &s, NK_STR("0"), NK_STR("secret"), NULL) != 0);
    hex[0] = hex[0] == '0' ? '1' : '0';
    must(nk_sigv4_verify(&h, &s, nk_str(digest), NK_STR("secret"), NULL) != 0);
}

/* Asks an empty set of policies: nothing may permit. */
static void ask(const struct nk_call *call, struct nk_arena *a)
{
    static const struct nk_str closed = {"Closed", 6};
    const struct nk_avp_call *c = nk_avp_call(call);
    struct nk_cedar_policies *p = nk_cedar_policies_new(a);
    struct nk_cedar_entities *e = nk_cedar_entities_new(a, NULL);
    if (!p || !e || nk_avp_entities(call, &closed, 1, a, e, NULL) ||
        nk_cedar_entities_seal(e, NULL))
        return;
    for (size_t i = 0; i < c->ask_count; i++) {
        struct nk_cedar_answer answer;
        struct nk_cedar_request r = {.principal = c->asks[i].principal,
                                     .action = c->asks[i].action,
                                     .resource = c->asks[i].resource};
        r.context = nk_cedar_record(a, c->asks[i].context, c->asks[i].context_count);
        must(!r.context || nk_cedar_authorize(p, e, &r, a, &answer) != 0 || !answer.allow);
        must(c->asks[i].at < call->body.n);
    }
}

static void operation(uint8_t which, struct nk_str body)
{
    const struct nk_dialect *d = nk_dialect_by_name(NK_STR("avp"));
    struct nk_call call = {.dialect = d,
                           .endpoint = &d->endpoints[which % NK_AVP_CREATE_IDENTITY_SOURCE]};
    struct nk_arena a;
    nk_arena_init(&a, 16 << 20);
    if (nk_json_parse(&limits, body, &a, &call.body, NULL) == 0 &&
        d->parse_call(&call, &a, NULL) == 0) {
        const struct nk_avp_call *c = nk_avp_call(&call);
        must(c->ask_count <= NK_AVP_BATCH_MAX && c->ref_count <= NK_AVP_POLICIES_MAX);
        must(c->max_results >= 0 && c->max_results <= NK_AVP_PAGE_MAX);
        ask(&call, &a);
    }
    nk_arena_free(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct nk_str rest = {(const char *)data + 1, size - 1};
    if (data[0] == 'S')
        signature(rest);
    else
        operation(data[0], rest);
    return 0;
}
