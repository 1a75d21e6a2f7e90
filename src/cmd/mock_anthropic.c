/* SPDX-License-Identifier: Apache-2.0
 *
 * mock_anthropic.c - messages as api.anthropic.com writes them.
 */
#include "cmd/mock.h"

static struct nk_str stop_of(const struct nk_mock_answer *ans)
{
    if (ans->plan.finish.p)
        return ans->plan.finish;
    return ans->plan.call_count ? NK_STR("tool_use") : NK_STR("end_turn");
}

static void put_usage(const struct nk_mock_answer *ans, int64_t output, struct nk_buf *out)
{
    nk_buf_printf(out,
                  ",\"usage\":{\"input_tokens\":%lld,\"cache_creation_input_tokens\":0,"
                  "\"cache_read_input_tokens\":0,\"output_tokens\":%lld}",
                  (long long)ans->input_tokens, (long long)output);
}

static void put_text(struct nk_str text, struct nk_buf *out)
{
    nk_buf_add(out, NK_STR("{\"type\":\"text\""));
    nk_json_put_member(out, NK_STR("text"), text);
    nk_buf_add_char(out, '}');
}

static void put_tool(const struct nk_mock_answer *ans, size_t i, struct nk_str input,
                     struct nk_buf *out)
{
    nk_buf_printf(out, "{\"type\":\"tool_use\",\"id\":\"toolu_mock%llu_%zu\"",
                  (unsigned long long)ans->number, i);
    nk_json_put_member(out, NK_STR("name"), ans->plan.calls[i].name);
    nk_buf_add(out, NK_STR(",\"input\":"));
    nk_buf_add(out, input);
    nk_buf_add_char(out, '}');
}

static void put_content(const struct nk_mock_answer *ans, struct nk_buf *out)
{
    if (ans->plan.say.p)
        put_text(ans->plan.say, out);
    for (size_t i = 0; i < ans->plan.call_count; i++) {
        if (i || ans->plan.say.p)
            nk_buf_add_char(out, ',');
        put_tool(ans, i, ans->plan.calls[i].arguments, out);
    }
}

static void put_message(const struct nk_mock_answer *ans, bool whole, struct nk_buf *out)
{
    nk_buf_printf(out, "{\"id\":\"msg_mock%llu\",\"type\":\"message\",\"role\":\"assistant\"",
                  (unsigned long long)ans->number);
    nk_json_put_member(out, NK_STR("model"), ans->model);
    nk_buf_add(out, NK_STR(",\"content\":["));
    if (whole)
        put_content(ans, out);
    nk_buf_add(out, NK_STR("],\"stop_reason\":"));
    if (whole)
        nk_json_put_string(out, stop_of(ans));
    else
        nk_buf_add(out, NK_STR("null"));
    nk_buf_add(out, NK_STR(",\"stop_sequence\":null"));
    put_usage(ans, whole ? ans->output_tokens : 1, out);
    nk_buf_add_char(out, '}');
}

static void begin_block(struct nk_mock_answer *ans, size_t place)
{
    nk_buf_printf(&ans->piece,
                  "{\"type\":\"content_block_start\",\"index\":%zu,\"content_block\":", place);
}

static void end_block(struct nk_mock_answer *ans, size_t place)
{
    nk_buf_printf(&ans->piece, "{\"type\":\"content_block_stop\",\"index\":%zu}", place);
    nk_mock_event(ans, "content_block_stop");
}

static void stream_pieces(struct nk_mock_answer *ans, size_t place, const char *type,
                          const char *member, struct nk_str text)
{
    struct nk_str part;
    size_t at = 0;
    while ((part = nk_mock_piece(ans, text, &at)).p) {
        nk_buf_printf(&ans->piece,
                      "{\"type\":\"content_block_delta\",\"index\":%zu,\"delta\":{\"type\":\"%s\"",
                      place, type);
        nk_json_put_member(&ans->piece, nk_str(member), part);
        nk_buf_add(&ans->piece, NK_STR("}}"));
        nk_mock_event(ans, "content_block_delta");
    }
}

static void stream_tool(struct nk_mock_answer *ans, size_t i, size_t place)
{
    begin_block(ans, place);
    put_tool(ans, i, NK_STR("{}"), &ans->piece);
    nk_buf_add_char(&ans->piece, '}');
    nk_mock_event(ans, "content_block_start");
    stream_pieces(ans, place, "input_json_delta", "partial_json", ans->plan.calls[i].arguments);
    end_block(ans, place);
}

void nk_mock_anthropic(const struct nk_mock_ask *ask, struct nk_mock_answer *ans,
                       struct nk_buf *body)
{
    (void)ask;
    if (body) {
        put_message(ans, true, body);
        return;
    }
    nk_buf_add(&ans->piece, NK_STR("{\"type\":\"message_start\",\"message\":"));
    put_message(ans, false, &ans->piece);
    nk_buf_add_char(&ans->piece, '}');
    nk_mock_event(ans, "message_start");
    nk_buf_add(&ans->piece, NK_STR("{\"type\":\"ping\"}"));
    nk_mock_event(ans, "ping");
    if (ans->plan.say.p) {
        begin_block(ans, 0);
        put_text(NK_STR(""), &ans->piece);
        nk_buf_add_char(&ans->piece, '}');
        nk_mock_event(ans, "content_block_start");
        stream_pieces(ans, 0, "text_delta", "text", ans->plan.say);
        end_block(ans, 0);
    }
    for (size_t i = 0; i < ans->plan.call_count; i++)
        stream_tool(ans, i, i + (ans->plan.say.p ? 1 : 0));
    nk_buf_add(&ans->piece, NK_STR("{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":"));
    nk_json_put_string(&ans->piece, stop_of(ans));
    nk_buf_add(&ans->piece, NK_STR(",\"stop_sequence\":null}"));
    nk_buf_printf(&ans->piece, ",\"usage\":{\"output_tokens\":%lld}}",
                  (long long)ans->output_tokens);
    nk_mock_event(ans, "message_delta");
    nk_buf_add(&ans->piece, NK_STR("{\"type\":\"message_stop\"}"));
    nk_mock_event(ans, "message_stop");
}
