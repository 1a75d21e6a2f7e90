/* SPDX-License-Identifier: Apache-2.0
 *
 * courier_telemetry.c - the real courier between a gate and a collector that this program plays: what becomes of
 * records, of those that no gate writes, of a collector that breaks off; and the end.
 */
#include "courier_house.h"
#include "gate/counts.h"
#include "role/wire_telemetry.h"

static int collector, collector_port;
static char message[1 << 20];
static struct nk_stats stats;

/* The next message of the courier to the collector, answered with `answer`; "" when none comes. */
static const char *collect(const char *answer)
{
    size_t n = 0, want = 0;
    int fd = up_accept(collector, PATIENCE_MS);
    message[0] = 0;
    while (fd >= 0 && (want == 0 || n < want)) {
        ssize_t r = readable(fd, PATIENCE_MS) ? read(fd, message + n, sizeof message - 1 - n) : -1;
        if (r <= 0)
            break;
        n += (size_t)r;
        message[n] = 0;
        const char *end = strstr(message, "\r\n\r\n"),
                   *length = strstr(message, "Content-Length: ");
        if (end && length)
            want = (size_t)(end + 4 - message) + strtoul(length + 16, NULL, 10);
    }
    if (fd >= 0 && answer[0])
        up_write(fd, answer);
    if (fd >= 0)
        close(fd);
    return message;
}

static const char taken[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                            "Connection: close\r\nContent-Length: 2\r\n\r\n{}";

static bool says(const char *text)
{
    bool found = strstr(message, text) != NULL;
    if (!found)
        printf("# no %s in %s\n", text, message);
    return found;
}

static struct nk_wire_telemetry a_record(uint32_t stream)
{
    struct nk_wire_telemetry t;
    memset(&t, 0, sizeof t);
    memset(t.own.id, 0xab, sizeof t.own.id);
    memset(t.own.span, (int)stream, sizeof t.own.span);
    t.own.flags = NK_TRACE_SAMPLED;
    t.flags = NK_WIRE_TRACED | NK_WIRE_JUDGED | NK_WIRE_ALLOWED;
    t.call_stream = stream;
    t.call_generation = generation_of(stream);
    t.status = t.upstream_status = 200;
    t.end_unix = 1763800000000000;
    t.took = 900;
    t.judging = 20;
    t.judged = 30;
    t.first_byte = 800;
    t.input_tokens = t.output_tokens = -1;
    t.text[NK_WIRE_REQUEST] = NK_STR("0a1b2c3d-0000000001");
    t.text[NK_WIRE_METHOD] = NK_STR("POST");
    t.text[NK_WIRE_ROUTE] = NK_STR("/v1/x");
    t.text[NK_WIRE_GENAI] = NK_STR("chat");
    t.text[NK_WIRE_DIALECT] = NK_STR("openai");
    t.text[NK_WIRE_MODEL_SENT] = NK_STR("m");
    return t;
}

static void put_bytes(struct nk_str bytes, uint32_t generation)
{
    struct nk_ring_record r = {.type = NK_WIRE_TELEMETRY,
                               .generation = generation,
                               .head_size = (uint32_t)bytes.n,
                               .payload = bytes};
    NK_MUST(!nk_ring_put(calls, &r));
    nk_ring_publish(calls);
}

static void tell(const struct nk_wire_telemetry *t)
{
    char bytes[NK_WIRE_TELEMETRY_MAX];
    size_t n = nk_wire_put_telemetry(t, bytes);
    NK_MUST(n > 0);
    put_bytes((struct nk_str){bytes, n}, (uint32_t)config_generation);
}

static bool counts(enum nk_stat id, uint64_t least)
{
    int64_t until = now_ms() + PATIENCE_MS;
    while (nk_stats_total(&stats, id) < least && now_ms() < until)
        usleep(1000);
    return nk_stats_total(&stats, id) == least;
}

/* A call that was sent twice is told of as one that was. */
static void resend_cases(void)
{
    char port[40];
    int fd = keep_one(1);
    put_call(2, 0, "GET", "/v1/models", 0, "", NK_WIRE_END);
    TAP_CHECK(up_read(fd, 0));
    reset(fd);
    fd = up_accept(plain_listener, PATIENCE_MS);
    TAP_CHECK(up_read(fd, 0) && up_write(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na"));
    TAP_CHECK(is_whole(2, 200, "a"));
    close(fd);
    struct nk_wire_telemetry t = a_record(1);
    tell(&t);
    collect(taken);
    snprintf(port, sizeof port, "\"server.port\",\"value\":{\"intValue\":\"%d\"}", plain_port);
    TAP_CHECK(says("POST /prefix/v1/traces HTTP/1.1\r\n") && says("x-tenant: t-1\r\n"));
    tap_ok(says("\"name\":\"POST /v1/x\"") && says("\"name\":\"authorize\"") &&
               says("\"name\":\"chat m\"") && says(port) && says("nakoso.first_byte"),
           "a record becomes three spans");
    tap_ok(!strstr(message, "resend"), "the call was sent once");
    t = a_record(2);
    tell(&t);
    collect(taken);
    tap_ok(says("\"http.request.resend_count\",\"value\":{\"intValue\":\"1\"}") &&
               says("nakoso.resend"),
           "one that was sent again is told of as such");
    TAP_CHECK(counts(NK_STAT_TELEMETRY_SPANS, 6));
}

static void hostile_cases(void)
{
    char bytes[NK_WIRE_TELEMETRY_MAX + 64] = {0};
    struct nk_wire_telemetry t = a_record(3);
    uint64_t lost = 0;
    put_bytes((struct nk_str){bytes, 7}, (uint32_t)config_generation);
    put_bytes((struct nk_str){bytes, sizeof bytes}, (uint32_t)config_generation);
    size_t n = nk_wire_put_telemetry(&t, bytes);
    put_bytes((struct nk_str){bytes, n}, 99);
    put_bytes((struct nk_str){bytes, n - 1}, (uint32_t)config_generation);
    lost = 4;
    const struct nk_wire_telemetry good = t;
    t.text[NK_WIRE_ROUTE] = NK_STR("\xff");
    tell(&t), lost++;
    t = good;
    t.refusal = (uint32_t)nk_refusal_count();
    tell(&t), lost++;
    t = good;
    t.judged = t.took + 1;
    tell(&t), lost++;
    t = good;
    t.flags = NK_WIRE_FLAGS;
    tell(&t), lost++;
    t = good;
    t.end_unix = INT64_MAX;
    tell(&t), lost++;
    t = good;
    t.span = 3; /* of a part alone */
    tell(&t), lost++;
    t.flags |= NK_WIRE_PART;
    const struct nk_wire_telemetry part = t;
    t.span = 0;
    tell(&t), lost++;
    t.span = 256;
    tell(&t), lost++;
    t = part;
    t.judging = t.judged = -1; /* when did it begin? */
    tell(&t), lost++;
    tap_ok(counts(NK_STAT_TELEMETRY_DROPPED_REFUSED, lost), "what no gate writes is dropped");
    t = good;
    t.upstream = 99;
    tell(&t);
    collect(taken);
    tap_ok(says("authorize") && !strstr(message, "chat m"),
           "an upstream that there is not: no call");
    t = good;
    memset(t.text, 0, sizeof t.text);
    t.text[NK_WIRE_METHOD] = NK_STR("_OTHER");
    t.flags = NK_WIRE_TRACED;
    t.upstream = UINT32_MAX;
    t.refusal = 1;
    t.status = 400;
    t.judging = t.judged = t.first_byte = -1;
    tell(&t);
    bool span = false, log = false; /* each signal has its own time: either may come first */
    for (int i = 0; i < 2; i++) {
        collect(taken);
        span |= strstr(message, "POST /prefix/v1/traces") && strstr(message, "\"name\":\"HTTP\"");
        log |=
            strstr(message, "POST /prefix/v1/logs") && strstr(message, "\"severityText\":\"WARN\"");
    }
    tap_ok(span && log, "hardly anything is known: a span and a log record all the same");
}

/* One of several calls: one span, below that of the request. */
static void part_cases(void)
{
    struct nk_wire_telemetry t = a_record(5);
    t.flags = NK_WIRE_TRACED | NK_WIRE_PART;
    t.span = 7;
    t.upstream = 0;
    t.judged = t.first_byte = -1;
    t.text[NK_WIRE_ABOUT_METHOD] = NK_STR("tools/call");
    t.text[NK_WIRE_ABOUT_OPERATION] = NK_STR("execute_tool");
    t.text[NK_WIRE_ABOUT_NAME] = NK_STR("ehr___patient");
    tell(&t);
    collect(taken);
    tap_ok(says("\"name\":\"tools/call ehr___patient\"") &&
               says("\"spanId\":\"0505050505050502\"") &&
               says("\"parentSpanId\":\"0505050505050505\"") && !strstr(message, "authorize"),
           "a part is one span, with a number of its own below the request's");
    t.flags |= NK_WIRE_CUT;
    t.upstream_status = 0;
    t.text[NK_WIRE_ABOUT_METHOD] = (struct nk_str){NULL, 0};
    tell(&t);
    collect(taken);
    tap_ok(says("\"name\":\"execute_tool ehr___patient\"") && says("\"_OTHER\""),
           "one that failed says so");
    t = a_record(9);
    t.text[NK_WIRE_ABOUT_ERROR] = NK_STR("tool_error");
    tell(&t);
    collect(taken);
    tap_ok(says("\"tool_error\"") && says("\"code\":2"), "an answer that says that it failed");
    t.status = 404;
    t.text[NK_WIRE_ABOUT_ERROR] = NK_STR("-32601");
    tell(&t);
    collect(taken);
    tap_ok(says("{\"stringValue\":\"-32601\"}") && !says("{\"stringValue\":\"404\"}"),
           "… also where the status says so, too: the answer's word is the closer one");
    t.text[NK_WIRE_ABOUT_ERROR] = NK_STR("tool_error");
    t.refusal = 1;
    tell(&t);
    collect(taken);
    bool told = says("\"tool_error\"");
    collect(taken); /* spans, then its log record */
    tap_ok(!told && !says("\"tool_error\""), "… but what we refused is ours");
}

/* A collector that breaks off is asked again, with the same bytes. */
static void broken_cases(void)
{
    static char first[sizeof message];
    struct nk_wire_telemetry t = a_record(4);
    tell(&t);
    collect("");
    memcpy(first, message, sizeof first);
    tap_ok(says("authorize") && strcmp(collect(taken), first) == 0,
           "a message without an answer is sent again as it was");
    TAP_CHECK(counts(NK_STAT_TELEMETRY_RETRIES, 1));
    tell(&t);
    collect("HTTP/1.1 200 OK\r\nContent-Length: 61\r\nConnection: close\r\n\r\n"
            "{\"partialSuccess\":{\"rejectedSpans\":\"2\",\"errorMessage\":\"why\"}}");
    tap_ok(counts(NK_STAT_TELEMETRY_DROPPED_REFUSED, 13 + 2), "what it does not take is counted");
    tell(&t);
    collect("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    tap_ok(counts(NK_STAT_TELEMETRY_DROPPED_REFUSED, 13 + 2 + 3), "413: never again");
    tap_ok(up_accept(collector, 50) < 0, "and it is not");
}

int main(void)
{
    char config[600];
    collector = listen_here(&collector_port);
    snprintf(config, sizeof config,
             ",\"telemetry\":{\"otlp\":{\"endpoint\":\"http://127.0.0.1:%d/prefix\",\"protocol\":"
             "\"json\",\"metrics\":\"off\",\"interval\":100,\"headers\":[{\"name\":\"x-tenant\","
             "\"value\":\"file:/x\"}]}}",
             collector_port);
    snprintf(more_groups, sizeof more_groups, "%s", config);
    open_house();
    NK_MUST(!nk_stats_open(&stats, stats_fd, nk_stats_page(NK_ROLE_GATE, 1, 0)));
    resend_cases();
    hostile_cases();
    part_cases();
    broken_cases();
    for (uint32_t i = 10; i < 15; i++)
        close(keep_one(i));
    struct nk_wire_telemetry t = a_record(10);
    tell(&t);
    usleep(20000);
    say(NK_CONTROL_DRAIN, -1);
    collect(taken);
    tap_ok(says("authorize"), "what waits is sent before the end");
    close_house();
    nk_stats_close(&stats);
    return tap_done();
}
