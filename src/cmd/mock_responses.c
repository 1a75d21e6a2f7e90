/* SPDX-License-Identifier: Apache-2.0
 *
 * mock_responses.c - the responses API: output is a list of items, one message and one item for
 * each call; a stream tells each item as it begins, grows and ends, and everything again at its
 * end.
 */
#include "cmd/mock.h"

enum { CREATED = 1700000000 };

static void put_message(const struct nk_mock_answer *ans, bool done, struct nk_buf *out)
{
    nk_buf_printf(out,
                  "{\"id\":\"msg_mock%llu\",\"type\":\"message\",\"status\":\"%s\","
                  "\"role\":\"assistant\",\"content\":[",
                  (unsigned long long)ans->number, done ? "completed" : "in_progress");
    if (done) {
        nk_buf_add(out, NK_STR("{\"type\":\"output_text\",\"annotations\":[],\"logprobs\":[]"));
        nk_json_put_member(out, NK_STR("text"), ans->plan.say);
        nk_buf_add_char(out, '}');
    }
    nk_buf_add(out, NK_STR("]}"));
}

static void put_call(const struct nk_mock_answer *ans, size_t i, bool done, struct nk_buf *out)
{
    unsigned long long n = ans->number;
    nk_buf_printf(out,
                  "{\"id\":\"fc_mock%llu_%zu\",\"type\":\"function_call\",\"status\":\"%s\","
                  "\"call_id\":\"call_mock%llu_%zu\"",
                  n, i, done ? "completed" : "in_progress", n, i);
    nk_json_put_member(out, NK_STR("name"), ans->plan.calls[i].name);
    nk_json_put_member(out, NK_STR("arguments"), done ? ans->plan.calls[i].arguments : NK_STR(""));
    nk_buf_add_char(out, '}');
}

static void put_output(const struct nk_mock_answer *ans, struct nk_buf *out)
{
    nk_buf_add(out, NK_STR(",\"output\":["));
    if (ans->plan.say.p)
        put_message(ans, true, out);
    for (size_t i = 0; i < ans->plan.call_count; i++) {
        if (i || ans->plan.say.p)
            nk_buf_add_char(out, ',');
        put_call(ans, i, true, out);
    }
    nk_buf_printf(out,
                  "],\"usage\":{\"input_tokens\":%lld,"
                  "\"input_tokens_details\":{\"cached_tokens\":0},\"output_tokens\":%lld,"
                  "\"output_tokens_details\":{\"reasoning_tokens\":0},\"total_tokens\":%lld}",
                  (long long)ans->input_tokens, (long long)ans->output_tokens,
                  (long long)(ans->input_tokens + ans->output_tokens));
}

static void put_response(const struct nk_mock_answer *ans, bool done, struct nk_buf *out)
{
    nk_buf_printf(out,
                  "{\"id\":\"resp_mock%llu\",\"object\":\"response\",\"created_at\":%d,"
                  "\"status\":\"%s\",\"error\":null,\"incomplete_details\":null,"
                  "\"instructions\":null,\"metadata\":{},\"parallel_tool_calls\":true,"
                  "\"temperature\":1,\"top_p\":1,\"tool_choice\":\"auto\",\"tools\":[]",
                  (unsigned long long)ans->number, CREATED, done ? "completed" : "in_progress");
    nk_json_put_member(out, NK_STR("model"), ans->model);
    if (done)
        put_output(ans, out);
    else
        nk_buf_add(out, NK_STR(",\"output\":[],\"usage\":null"));
    nk_buf_add_char(out, '}');
}

/* Begins an event's data: type and sequence number. */
static struct nk_buf *begin(struct nk_mock_answer *ans, const char *type)
{
    nk_buf_printf(&ans->piece, "{\"type\":\"%s\",\"sequence_number\":%lld", type,
                  (long long)ans->sequence++);
    return &ans->piece;
}

static void end(struct nk_mock_answer *ans, const char *type)
{
    nk_buf_add_char(&ans->piece, '}');
    nk_mock_event(ans, type);
}

static void tell_response(struct nk_mock_answer *ans, const char *type, bool done)
{
    nk_buf_add(begin(ans, type), NK_STR(",\"response\":"));
    put_response(ans, done, &ans->piece);
    end(ans, type);
}

static void tell_item(struct nk_mock_answer *ans, size_t place, ptrdiff_t call, bool done)
{
    const char *type = done ? "response.output_item.done" : "response.output_item.added";
    nk_buf_printf(begin(ans, type), ",\"output_index\":%zu,\"item\":", place);
    if (call < 0)
        put_message(ans, done, &ans->piece);
    else
        put_call(ans, (size_t)call, done, &ans->piece);
    end(ans, type);
}

static struct nk_buf *begin_text(struct nk_mock_answer *ans, const char *type)
{
    nk_buf_printf(begin(ans, type),
                  ",\"item_id\":\"msg_mock%llu\",\"output_index\":0,\"content_index\":0",
                  (unsigned long long)ans->number);
    return &ans->piece;
}

static void tell_part(struct nk_mock_answer *ans, const char *type, struct nk_str text)
{
    nk_buf_add(begin_text(ans, type), NK_STR(",\"part\":{\"type\":\"output_text\","
                                             "\"annotations\":[],\"logprobs\":[]"));
    nk_json_put_member(&ans->piece, NK_STR("text"), text);
    nk_buf_add_char(&ans->piece, '}');
    end(ans, type);
}

static void stream_message(struct nk_mock_answer *ans)
{
    struct nk_str part;
    size_t at = 0;
    tell_item(ans, 0, -1, false);
    tell_part(ans, "response.content_part.added", NK_STR(""));
    while ((part = nk_mock_piece(ans, ans->plan.say, &at)).p) {
        nk_json_put_member(begin_text(ans, "response.output_text.delta"), NK_STR("delta"), part);
        nk_buf_add(&ans->piece, NK_STR(",\"logprobs\":[]"));
        end(ans, "response.output_text.delta");
    }
    nk_json_put_member(begin_text(ans, "response.output_text.done"), NK_STR("text"), ans->plan.say);
    nk_buf_add(&ans->piece, NK_STR(",\"logprobs\":[]"));
    end(ans, "response.output_text.done");
    tell_part(ans, "response.content_part.done", ans->plan.say);
    tell_item(ans, 0, -1, true);
}

static void stream_call(struct nk_mock_answer *ans, size_t i, size_t place)
{
    static const char delta[] = "response.function_call_arguments.delta";
    static const char done[] = "response.function_call_arguments.done";
    struct nk_str part, arguments = ans->plan.calls[i].arguments;
    size_t at = 0;
    unsigned long long n = ans->number;
    tell_item(ans, place, (ptrdiff_t)i, false);
    while ((part = nk_mock_piece(ans, arguments, &at)).p) {
        nk_buf_printf(begin(ans, delta), ",\"item_id\":\"fc_mock%llu_%zu\",\"output_index\":%zu", n,
                      i, place);
        nk_json_put_member(&ans->piece, NK_STR("delta"), part);
        end(ans, delta);
    }
    nk_buf_printf(begin(ans, done), ",\"item_id\":\"fc_mock%llu_%zu\",\"output_index\":%zu", n, i,
                  place);
    nk_json_put_member(&ans->piece, NK_STR("name"), ans->plan.calls[i].name);
    nk_json_put_member(&ans->piece, NK_STR("arguments"), arguments);
    end(ans, done);
    tell_item(ans, place, (ptrdiff_t)i, true);
}

void nk_mock_responses(const struct nk_mock_ask *ask, struct nk_mock_answer *ans,
                       struct nk_buf *body)
{
    (void)ask;
    if (body) {
        put_response(ans, true, body);
        return;
    }
    tell_response(ans, "response.created", false);
    tell_response(ans, "response.in_progress", false);
    if (ans->plan.say.p)
        stream_message(ans);
    for (size_t i = 0; i < ans->plan.call_count; i++)
        stream_call(ans, i, i + (ans->plan.say.p ? 1 : 0));
    tell_response(ans, "response.completed", true);
}
