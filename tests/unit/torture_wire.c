/* SPDX-License-Identifier: Apache-2.0
 *
 * torture_wire - every message between the courier and the gate fails in turn. A real gate serves
 * many clients at once; this program plays the courier and gives each one an answer in which one
 * record is lost, doubled, cut, garbled, sent to another's stream, too late, or comes after the
 * end. Whatever happens, a client gets its own answer whole, a clear refusal or a cut connection, in
 * time, and not before the record of it.
 */
#include "torture/client.h"

enum shape { WHOLE, PIECES, STREAM, FAILURE, SHAPES };
enum pain {
    NONE,
    LOST,
    TWICE,
    HALF,        /* the payload is cut in the middle */
    EMPTY,       /* nothing of it is left */
    TYPE,        /* `detail` is the wrong type */
    FLAGS,       /* `detail` is flipped in the flags */
    HEAD_SIZE,   /* `detail` is the wrong size of the head */
    HEAD_BYTE,   /* byte `at` of the head is flipped by `detail` */
    OTHER,       /* the stream of somebody else */
    NOBODY,      /* a stream that is not there: `detail` */
    GENERATION,  /* `detail` is added to it */
    LATE,        /* by `detail` ms */
    AFTER_END,   /* comes once more when all is said */
    SWAPPED,     /* comes after the next one */
    THEN_FAILED, /* the courier gives up after it */
};
static const char *const pains[] = {"nothing wrong",
                                    "lost",
                                    "sent twice",
                                    "cut in the middle",
                                    "empty",
                                    "a wrong type",
                                    "flags",
                                    "head size",
                                    "a byte of the head",
                                    "somebody else's stream",
                                    "no stream",
                                    "a wrong generation",
                                    "late",
                                    "again after the end",
                                    "swapped with the next",
                                    "then a failure"};

struct trial {
    enum shape shape;
    enum pain pain;
    size_t message, at;
    uint32_t detail;
};

enum { MESSAGES_MAX = 8, STEP_MS = 15, TRIALS_MAX = CLIENTS_MAX };

struct message {
    struct nk_ring_record rec;
    size_t n;
    char bytes[1024];
    int64_t due;
    bool is_sent;
};

static struct trial trials[TRIALS_MAX];
static size_t trial_count;
static struct answer {
    struct message m[MESSAGES_MAX];
    size_t n;
} scripts[TRIALS_MAX];
static uint32_t other_stream; /* of the call before */

/* Answers -------------------------------------------------------------------------------------- */

static struct message *add(struct answer *a, uint32_t type, struct nk_str head, const char *body)
{
    struct message *m = &a->m[a->n++];
    memcpy(m->bytes, head.p, head.n);
    memcpy(m->bytes + head.n, body, strlen(body));
    m->n = head.n + strlen(body);
    m->rec = (struct nk_ring_record){.type = type, .head_size = (uint32_t)head.n};
    return m;
}

static void add_head(struct answer *a, const char *type, const char *body)
{
    struct nk_http_header h[] = {{NK_STR("content-type"), nk_str(type)},
                                 {NK_STR("retry-after"), NK_STR("1")}};
    struct nk_http_head head = {
        .status = 200, .headers = h, .header_count = 2, .content_length = -1};
    struct nk_buf b;
    nk_buf_init(&b, 1024);
    nk_wire_put_answer(&head, NULL, &b);
    add(a, NK_WIRE_HEAD, nk_buf_str(&b), body);
    nk_buf_free(&b);
}

static void add_whole(struct answer *a, size_t i, size_t pieces)
{
    char body[600], piece[600];
    int n = snprintf(body, sizeof body,
                     "{\"id\":\"c\",\"object\":\"chat.completion\",\"model\":\"m\",\"choices\":[{"
                     "\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"secret of "
                     "case-%zu\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":5,"
                     "\"completion_tokens\":2,\"total_tokens\":7}}",
                     i);
    size_t step = (size_t)n / pieces + 1;
    for (size_t k = 0; k < pieces; k++) {
        snprintf(piece, sizeof piece, "%.*s", (int)step, body + k * step);
        if (k == 0)
            add_head(a, "application/json", piece);
        else
            add(a, NK_WIRE_DATA, NK_STR(""), piece);
    }
    strcpy(clients[i].want, body);
}

static void add_stream(struct answer *a, size_t i)
{
    static const char event[] = "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\","
                                "\"choices\":[{\"index\":0,\"delta\":{\"content\":\"secret %d of "
                                "case-%zu\"},\"finish_reason\":null}]}\n\n";
    char text[600];
    clients[i].want[0] = 0;
    for (int k = 0; k < 3; k++) { /* one piece is one event: the hardest to miss */
        snprintf(text, sizeof text, event, k, i);
        strcat(clients[i].want, text);
        if (k == 0)
            add_head(a, "text/event-stream", text);
        else
            add(a, NK_WIRE_DATA, NK_STR(""), text);
    }
    snprintf(text, sizeof text,
             "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,"
             "\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n");
    strcat(clients[i].want, text);
    add(a, NK_WIRE_DATA, NK_STR(""), text);
}

static void script(size_t i)
{
    struct answer *a = &scripts[i];
    a->n = 0;
    switch (trials[i].shape) {
    case WHOLE:
        add_whole(a, i, 1);
        break;
    case PIECES:
        add_whole(a, i, 3);
        break;
    case STREAM:
        add_stream(a, i);
        break;
    default:
        add(a, NK_WIRE_FAIL, NK_STR(""), "\1\0\0\0");
        memcpy(a->m[0].bytes, "\1\0\0\0no way", a->m[0].n = 10);
    }
    uint64_t before = 0;
    for (size_t k = 0; k < a->n; k++) {
        a->m[k].rec.flags = nk_wire_flags(before, k == a->n - 1);
        before += a->m[k].n - a->m[k].rec.head_size;
    }
}

/* What goes wrong ------------------------------------------------------------------------------ */

static void repeat(struct answer *a, size_t from, size_t to)
{
    memmove(&a->m[to + 1], &a->m[to], (a->n - to) * sizeof a->m[0]);
    a->n++;
    a->m[to] = a->m[from];
}

static void harm_record(struct message *m, const struct trial *t)
{
    struct nk_ring_record *r = &m->rec;
    switch (t->pain) {
    case HALF:
        m->n /= 2;
        break;
    case EMPTY:
        m->n = 0;
        break;
    case TYPE:
        r->type = t->detail;
        break;
    case FLAGS:
        r->flags ^= t->detail;
        break;
    case HEAD_SIZE:
        r->head_size = t->detail;
        break;
    case HEAD_BYTE:
        m->bytes[t->at] ^= (char)t->detail;
        break;
    case OTHER:
        r->stream = other_stream;
        break;
    case NOBODY:
        r->stream = t->detail;
        break;
    case GENERATION:
        r->generation += t->detail;
        break;
    default:
        break;
    }
    r->head_size = r->head_size < m->n ? r->head_size : (uint32_t)m->n;
}

static void harm(struct answer *a, const struct trial *t)
{
    struct message *m = &a->m[t->message];
    harm_record(m, t);
    if (t->pain == LOST) {
        memmove(m, m + 1, (--a->n - t->message) * sizeof *m);
    } else if (t->pain == TWICE) {
        repeat(a, t->message, t->message);
    } else if (t->pain == AFTER_END) {
        repeat(a, t->message, a->n);
    } else if (t->pain == SWAPPED) {
        struct message first = *m;
        *m = m[1];
        m[1] = first;
    } else if (t->pain == THEN_FAILED) {
        repeat(a, t->message, t->message + 1);
        m[1].rec.type = NK_WIRE_FAIL;
        m[1].rec.head_size = 0;
        memcpy(m[1].bytes, "\4\0\0\0late", m[1].n = 8);
    }
}

static void on_call(const struct nk_ring_record *r)
{
    if (r->type != NK_WIRE_CALL)
        return;
    struct nk_str body = nk_str_sub(r->payload, r->head_size, r->payload.n);
    ptrdiff_t at = nk_str_search(body, NK_STR("case-"));
    NK_MUST(at >= 0 && r->flags & NK_WIRE_END);
    size_t i = strtoul(body.p + at + 5, NULL, 10);
    struct answer *a = &scripts[i];
    script(i);
    for (size_t k = 0; k < a->n; k++) {
        a->m[k].rec.stream = r->stream;
        a->m[k].rec.generation = r->generation;
    }
    harm(a, &trials[i]);
    bool late = false;
    for (size_t k = 0; k < a->n; k++) {
        late |= trials[i].pain == LATE && k == trials[i].message;
        a->m[k].due = now_ms() + STEP_MS * (int64_t)(k + 3) + (late ? trials[i].detail : 0);
        a->m[k].is_sent = false;
    }
    other_stream = r->stream;
}

static void send_due(void)
{
    int64_t now = now_ms();
    for (size_t i = 0; i < trial_count; i++)
        for (size_t k = 0; k < scripts[i].n; k++) {
            struct message *m = &scripts[i].m[k];
            if (m->is_sent || m->due > now)
                continue;
            m->rec.payload = (struct nk_str){m->bytes, m->n};
            m->is_sent = nk_ring_put(bed.answers, &m->rec) == 0;
        }
    nk_ring_publish(bed.answers);
}

/* Trials --------------------------------------------------------------------------------------- */

static void try(enum shape shape, enum pain pain, size_t message, size_t at, uint32_t detail)
{
    NK_MUST(trial_count < TRIALS_MAX);
    trials[trial_count++] = (struct trial){shape, pain, message, at, detail};
}

static void try_all_of(enum shape shape, size_t message, size_t last)
{
    static const uint32_t types[] = {0, 1, 2, 3, 16, 17, 18, 19, 20, 32, 77};
    static const uint32_t flags[] = {1, 2, 1 << 8, 1 << 9, 1u << 31};
    static const uint32_t sizes[] = {0, 1, 7, 40, 200, 1 << 16};
    static const enum pain plain[] = {NONE,  LOST,  TWICE,     HALF,
                                      EMPTY, OTHER, AFTER_END, THEN_FAILED};
    for (size_t i = 0; i < NK_COUNT(plain); i++)
        try(shape, plain[i], message, 0, 0);
    for (size_t i = 0; i < NK_COUNT(types); i++)
        try(shape, TYPE, message, 0, types[i]);
    for (size_t i = 0; i < NK_COUNT(flags); i++)
        try(shape, FLAGS, message, 0, flags[i]);
    for (size_t i = 0; i < NK_COUNT(sizes); i++)
        try(shape, HEAD_SIZE, message, 0, sizes[i]);
    try(shape, NOBODY, message, 0, 3999);
    try(shape, NOBODY, message, 0, UINT32_MAX);
    try(shape, GENERATION, message, 0, 1);
    try(shape, GENERATION, message, 0, UINT32_MAX);
    try(shape, LATE, message, 0, CALL_MS + SILENCE_MS - 400);
    try(shape, LATE, message, 0, CALL_MS + SILENCE_MS + 1000);
    if (message < last)
        try(shape, SWAPPED, message, 0, 0);
}

static bool is_prefix(const struct client *c)
{
    return c->n <= strlen(c->want) && memcmp(c->body, c->want, c->n) == 0;
}

/* A stream that was cut ends at an event, perhaps with one that says so. */
static bool is_cut_stream(struct client *c)
{
    const char *end = strstr(c->body, "event: error\n");
    if (end && !strstr(end, "secret"))
        c->n = (size_t)(end - c->body);
    return is_prefix(c) && (c->n == 0 || memcmp(c->body + c->n - 2, "\n\n", 2) == 0);
}

enum verdict { WAITS, RIGHT, REFUSED, CUT, WRONG };

static enum verdict judge(struct client *c, const struct trial *t)
{
    c->body[c->n] = 0;
    if (c->broken)
        return WRONG;
    if (!c->complete && !c->closed)
        return WAITS;
    if (!c->complete)
        return !c->head || (c->stream ? is_cut_stream(c) : is_prefix(c)) ? CUT : WRONG;
    int status = c->head->status;
    if (strcmp(c->body, c->want) == 0)
        return status == 200 || t->pain == HEAD_BYTE ? RIGHT : WRONG;
    bool refused = status >= 502 && status <= 504 && !strstr(c->body, "secret") &&
                   strstr(c->body, "\"error\"");
    return refused ? REFUSED : WRONG;
}

static void turn(void)
{
    static struct pollfd p[CLIENTS_MAX];
    bed_courier();
    send_due();
    for (size_t i = 0; i < client_count; i++)
        p[i] = (struct pollfd){clients[i].ended ? -1 : clients[i].fd, POLLIN, 0};
    if (poll(p, client_count, 1) > 0)
        for (size_t i = 0; i < client_count; i++)
            if (p[i].revents)
                client_turn(&clients[i]);
    bed_scribe();
}

static bool all_ended(void)
{
    for (size_t i = 0; i < client_count; i++)
        if (!clients[i].ended)
            return false;
    return true;
}

static void drop_clients(void)
{
    for (size_t i = 0; i < client_count; i++) {
        close(clients[i].fd);
        nk_arena_free(&clients[i].arena);
    }
    client_count = 0;
}

/* Nothing may stay taken when all are gone. */
static void check_accounts(const char *what)
{
    int64_t until = now_ms() + GRACE_MS;
    while (now_ms() < until && (nk_stats_total(&counters, NK_STAT_REQUESTS_IN_FLIGHT) ||
                                nk_stats_total(&counters, NK_STAT_CONNECTIONS)))
        turn();
    unsigned long long requests = nk_stats_total(&counters, NK_STAT_REQUESTS_IN_FLIGHT),
                       connections = nk_stats_total(&counters, NK_STAT_CONNECTIONS);
    tap_ok(requests == 0 && connections == 0, "%s: %llu requests and %llu connections remain", what,
           requests, connections);
}

/* Several at a time come one after the other, so that no one waits for the listener. */
static void run(const char *what)
{
    static const char *const shapes[] = {"a whole answer", "an answer in pieces", "a stream",
                                         "a failure"};
    size_t counts[WRONG + 1] = {0}, bad = 0;
    int64_t until = now_ms() + CALL_MS + SILENCE_MS + WRITE_MS + GRACE_MS + PATIENCE_MS;
    memset(scripts, 0, sizeof scripts);
    bed.call = on_call;
    for (size_t i = 0; i < trial_count; i++) {
        client_ask(i, trials[i].shape == STREAM, 0);
        if (i % 32 == 31)
            turn();
    }
    while (!all_ended() && now_ms() < until)
        turn();
    for (size_t i = 0; i < trial_count; i++) {
        struct client *c = &clients[i];
        const struct trial *t = &trials[i];
        enum verdict v = judge(c, t);
        counts[v]++;
        bool late = c->ended - c->began > CALL_MS + SILENCE_MS + WRITE_MS + GRACE_MS;
        bool ok = (v == RIGHT || v == REFUSED || v == CUT) && !c->unrecorded && !late;
        ok = ok && (t->pain != NONE || v == (t->shape == FAILURE ? REFUSED : RIGHT));
        if (ok || bad++ > 20)
            continue;
        printf("# %s, message %zu: %s (at %zu, detail %u): verdict %d, status %d,%s%s\n# %s\n",
               shapes[t->shape], t->message, pains[t->pain], t->at, t->detail, v,
               c->head ? c->head->status : 0, c->unrecorded ? " unrecorded" : "",
               late ? " late" : "", c->body);
    }
    tap_ok(bad == 0, "%s: %zu cases, %zu right, %zu refused, %zu cut; %zu bad", what, trial_count,
           counts[RIGHT], counts[REFUSED], counts[CUT], bad);
    drop_clients();
    check_accounts(what);
    trial_count = 0;
}

static void one_good(const char *what)
{
    for (enum shape s = WHOLE; s <= STREAM; s++)
        try(s, NONE, 0, 0, 0);
    run(what);
}

static void records(void)
{
    static const size_t messages[] = {1, 3, 4, 1};
    for (enum shape s = WHOLE; s < SHAPES; s++)
        for (size_t k = 0; k < messages[s]; k++)
            try_all_of(s, k, messages[s] - 1);
    run("one record of an answer is harmed");
    one_good("after harmed records");
}

static void head_bytes(void)
{
    static const uint32_t flips[] = {0x01, 0x80, 0x0d};
    struct answer *a = &scripts[0];
    for (enum shape s = WHOLE; s <= STREAM; s += STREAM - WHOLE) {
        trials[0].shape = s;
        script(0);
        for (size_t at = 0; at < a->m[0].rec.head_size; at++)
            for (size_t i = 0; i < NK_COUNT(flips); i++)
                try(s, HEAD_BYTE, 0, at, flips[i]);
    }
    run("one byte of an answer's head is flipped");
    one_good("after flipped bytes");
}

int main(void)
{
    struct rlimit files;
    signal(SIGPIPE, SIG_IGN);
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max < 4096 ? files.rlim_max : 4096;
    setrlimit(RLIMIT_NOFILE, &files);
    nk_arena_init(&arena, 64 << 20);
    for (int strict = 0; strict < 2; strict++) {
        bed.strict = strict;
        bed.audit_bytes = AUDIT_RING;
        bed_start();
        one_good("before all");
        records();
        head_bytes();
        bed_stop(strict ? "strict" : "group");
    }
    nk_arena_free(&arena);
    return tap_done();
}
