/* SPDX-License-Identifier: Apache-2.0
 *
 * json.c - how fast the JSON parser reads chat requests of 0.6 to 100 KB with all its checks, the
 * tape's memory included. The messages are what people send: English with line breaks and
 * quotation marks, Japanese, some code; the last one is Japanese alone. Prints MB/s (10^6 bytes), the best of several rounds.
 * `build/bench/json --print 10000` writes the request of that size, for other parsers to read;
 * `build/bench/json -` measures the text that comes in at standard input.
 */
#include "json/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *const texts[] = {
    "Please look at the patient's record and tell me, in two or three sentences, what changed "
    "since "
    "the last visit.\nKeep to what the record says; where it says nothing, say \"not recorded\".",
    "患者1234の直近の検査結果を要約してください。数値の変化と、次回の受診までに確認すべき点を箇条書"
    "きで"
    "示してください。わからないことは「記録なし」と書いてください。",
    "Here is the function:\n\n```c\nint main(void)\n{\n\tputs(\"hello\");\n\treturn 0;\n}\n```\n\n"
    "It prints \"hello\" and a line feed. Why does the review ask for a check of the result of "
    "puts?",
    "The meeting is at 10:30 on Thursday. Alice, Bob and Carol will come; 田中さん joins by video. "
    "The agenda is: 1. budget, 2. schedule, 3. any other business.",
};

/* Messages from texts[first] on, every `step`-th. */
static void build_request(struct nk_buf *out, size_t size, size_t first, size_t step)
{
    nk_buf_add(out, NK_STR("{\"model\":\"gpt-4o-mini\",\"temperature\":0.2,\"max_tokens\":1024,"
                           "\"stream\":true,\"user\":\"u-10293\",\"tools\":[{\"type\":\"function\","
                           "\"function\":{\"name\":\"lookup\",\"description\":\"Finds a patient\","
                           "\"parameters\":{\"type\":\"object\",\"properties\":{\"id\":{\"type\":"
                           "\"integer\"}},\"required\":[\"id\"]}}}],\"messages\":["));
    for (size_t i = 0; out->n + 120 < size; i++) {
        struct nk_str text = nk_str(texts[(first + i * step) % NK_COUNT(texts)]);
        if (text.n > size - out->n)
            text = NK_STR("Thank you.");
        nk_buf_add(out, i ? NK_STR(",{") : NK_STR("{"));
        nk_json_put_member(out, NK_STR("role"), i % 2 ? NK_STR("assistant") : NK_STR("user"));
        nk_json_put_member(out, NK_STR("content"), text);
        nk_buf_add_char(out, '}');
    }
    nk_buf_add(out, NK_STR("]}"));
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void run(struct nk_str text)
{
    static const struct nk_json_limits limits = {1 << 22, 64, 1 << 20};
    double best = 1e9;
    size_t times = 40000000 / text.n;
    struct nk_arena arena;
    struct nk_json doc = {0};
    nk_arena_init(&arena, 64 << 20);
    for (int round = 0; round < 7; round++) {
        double start = seconds();
        for (size_t i = 0; i < times; i++) {
            if (nk_json_parse(&limits, text, &arena, &doc, NULL))
                abort();
            nk_arena_reset(&arena);
        }
        double took = (seconds() - start) / (double)times;
        best = took < best ? took : best;
    }
    nk_arena_free(&arena);
    printf("json parse %zu bytes, %u values: %.0f MB/s (%.2f us)\n", text.n, doc.n,
           (double)text.n / best / 1e6, best * 1e6);
}

int main(int argc, char **argv)
{
    static const size_t sizes[] = {600, 1000, 1300, 10000, 100000};
    struct nk_buf text;
    nk_buf_init(&text, 1 << 22);
    if (argc == 3 && strcmp(argv[1], "--print") == 0) {
        build_request(&text, strtoul(argv[2], NULL, 10), 0, 1);
        fwrite(text.p, 1, text.n, stdout);
    } else if (argc == 2 && strcmp(argv[1], "-") == 0) {
        char *to = nk_buf_reserve(&text, 1 << 22);
        text.n = to ? fread(to, 1, 1 << 22, stdin) : 0;
        run(nk_buf_str(&text));
    } else {
        for (size_t i = 0; i < NK_COUNT(sizes); i++) {
            nk_buf_clear(&text);
            build_request(&text, sizes[i], 0, 1);
            run(nk_buf_str(&text));
        }
        nk_buf_clear(&text);
        build_request(&text, 10000, 1, NK_COUNT(texts));
        run(nk_buf_str(&text));
    }
    nk_buf_free(&text);
    return 0;
}
