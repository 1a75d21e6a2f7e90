/* SPDX-License-Identifier: Apache-2.0
 *
 * gate.c - nanoseconds of the core for one request: head and body of a 1 KB chat request, identified by an
 * API key, judged by four policies, answered by 600 bytes, both records written; no socket, no ring.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "gate/gate.h"
#include "ident/keyfile.h"

enum { ROUNDS = 200000, TEXT = 8192 };

static const char config[] =
    "{\"listen\":[{\"address\":\"127.0.0.1:1\"}],\"upstreams\":[{\"name\":\"mock\",\"dialect\":"
    "\"openai\","
    "\"url\":\"http://"
    "127.0.0.1:2\"}],\"models\":[{\"name\":\"gpt-4o-mini\",\"upstream\":\"mock\"}],"
    "\"identity\":{\"keys\":\"keys.jsonl\"},\"policy\":{\"directory\":\"policies\"}}";
static const char policy[] =
    "@id(\"staff\") permit (principal in Group::\"staff\", action in [Action::\"InvokeModel\", "
    "Action::\"Embed\"], resource in Upstream::\"mock\");\n"
    "@id(\"no-hosted-tools\") forbid (principal, action, resource) when { "
    "!context.hostedTools.isEmpty() };\n"
    "@id(\"auditors\") permit (principal in Group::\"auditors\", action == Action::\"ListModels\", "
    "resource);\n"
    "@id(\"small\") forbid (principal, action == Action::\"InvokeModel\", resource) when { "
    "context.bodyBytes > 1000000 };\n";
static const char key[] = "bench-key-0123456789abcdef";

static char request[TEXT], answer[TEXT];

static struct nk_setup *setup(void)
{
    struct nk_fault f = {0};
    struct nk_str group = NK_STR("staff");
    struct nk_keyfile_entry e = {.id = NK_STR("benchbench00"),
                                 .digest = nk_sha256(nk_str(key)),
                                 .type = NK_STR("User"),
                                 .principal = NK_STR("bench"),
                                 .groups = &group,
                                 .group_count = 1,
                                 .created_ms = 1700000000000,
                                 .expires_ms = INT64_MAX,
                                 .revoked_ms = INT64_MAX};
    struct nk_buf keys;
    struct nk_set_policy set = {NK_STR("bench.cedar"), nk_str(policy)};
    nk_buf_init(&keys, TEXT);
    nk_keyfile_put(&e, &keys);
    struct nk_setup_input in = {.config = nk_str(config),
                                .policies = &set,
                                .policy_count = 1,
                                .keys = nk_buf_str(&keys),
                                .seed = {1, 2}};
    struct nk_setup *s = nk_setup_new(&in, &f);
    if (!s)
        fprintf(stderr, "%s\n", f.message);
    return s;
}

static void texts(void)
{
    char words[700], body[1024], said[400];
    for (size_t i = 0; i < sizeof words - 1; i++)
        words[i] = "the quarterly report "[i % 21];
    words[sizeof words - 1] = 0;
    for (size_t i = 0; i < sizeof said - 1; i++)
        said[i] = "revenue rose, cost stayed "[i % 26];
    said[sizeof said - 1] = 0;
    snprintf(
        body, sizeof body,
        "{\"model\":\"gpt-4o-mini\",\"messages\":[{\"role\":\"system\",\"content\":\"Be brief.\"},"
        "{\"role\":\"user\",\"content\":\"%s\"}],\"temperature\":0.2,\"max_tokens\":256}",
        words);
    snprintf(request, sizeof request,
             "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nContent-Type: "
             "application/json\r\nAuthorization: Bearer %s\r\nContent-Length: %zu\r\n\r\n%s",
             key, strlen(body), body);
    snprintf(
        answer, sizeof answer,
        "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"created\":1763800000,\"model\":"
        "\"gpt-4o-mini\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":"
        "\"%s\"},\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":212,"
        "\"completion_tokens\":58,\"total_tokens\":270}}",
        said);
}

static struct nk_arena scratch; /* of one step */

static unsigned step(struct nk_txn *t, enum nk_event_type type, const struct nk_http_head *head,
                     struct nk_str bytes)
{
    struct nk_event e = {.type = type, .unix_ms = 1763800000000, .head = head, .bytes = bytes};
    return nk_gate_step(t, &e);
}

static bool once(struct nk_arena *a, struct nk_setup *s, uint64_t number)
{
    static const struct nk_http_limits lim = {16 << 10, 100, 1 << 20};
    static struct nk_http_header type = {{"content-type", 12}, {"application/json", 16}};
    const struct nk_http_head reply = {
        .status = 200, .headers = &type, .header_count = 1, .content_length = -1};
    struct nk_gate_env env = {.instance = 7, .number = number, .scratch = &scratch};
    struct nk_http_parser *p = nk_http_parser_new(a, true, &lim);
    struct nk_txn *t = nk_txn_new(a, s, &env);
    struct nk_str in = nk_str(request);
    struct nk_fault f = {0};
    unsigned fx = 0;
    for (enum nk_http_event event = NK_HTTP_HEAD; p && t && !(fx & NK_FX_CALL);) {
        if (nk_http_parse(p, &in, &event, &f) || event == NK_HTTP_MORE)
            break;
        if (event == NK_HTTP_HEAD)
            fx = step(t, NK_EV_REQUEST, nk_http_parser_head(p), NK_STR(""));
        else if (event == NK_HTTP_BODY)
            fx = step(t, NK_EV_BODY, NULL, nk_http_parser_body(p));
        else
            fx = step(t, NK_EV_REQUEST_END, NULL, NK_STR(""));
    }
    if (!(fx & NK_FX_CALL))
        return false;
    (void)step(t, NK_EV_ANSWER, &reply, NK_STR(""));
    (void)step(t, NK_EV_ANSWER_DATA, NULL, nk_str(answer));
    fx = step(t, NK_EV_ANSWER_END, NULL, NK_STR(""));
    nk_txn_free(t);
    return fx & NK_FX_END;
}

int main(int argc, char **argv)
{
    struct nk_setup *s = setup();
    struct nk_arena a;
    struct timespec from, to;
    uint64_t rounds = argc > 1 ? strtoull(argv[1], NULL, 10) : ROUNDS;
    if (!s)
        return 1;
    texts();
    nk_arena_init_sized(&a, 8 << 20, 16 << 10);
    nk_arena_init_sized(&scratch, 8 << 20, 16 << 10);
    clock_gettime(CLOCK_MONOTONIC, &from);
    for (uint64_t i = 0; i < rounds; i++) {
        if (!once(&a, s, i)) {
            fputs("the request was refused\n", stderr);
            return 1;
        }
        nk_arena_reset(&a);
    }
    clock_gettime(CLOCK_MONOTONIC, &to);
    double ns = (double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec);
    printf("gate: %.0f ns a request (%zu bytes in, %zu out)\n", ns / (double)rounds,
           strlen(request), strlen(answer));
    nk_arena_free(&a);
    nk_arena_free(&scratch);
    nk_setup_release(s);
    return 0;
}
