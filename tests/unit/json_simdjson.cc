/* SPDX-License-Identifier: Apache-2.0
 *
 * json_simdjson.cc - the JSON parser beside simdjson (C++), on the texts of json_texts.h: who
 * accepts what. simdjson may accept what we refuse for two reasons: a name twice in an object, and
 * NUL in a name. We may accept what it refuses for one: a number that fits neither 64 bits nor a
 * double, which we keep as text.
 */
/* C++ knows the word for functions that do not return by its own name alone. */
#define _Noreturn [[noreturn]]
extern "C" {
#include "json/json.h"
}

#include "json_texts.h"
#include "tap.h"

#include <simdjson.h>

struct tally {
    int both, neither, stricter, range, wrong;
};

static bool is_stricter(const nk_fault &f)
{
    return strcmp(f.message, "duplicate member name") == 0 ||
           strcmp(f.message, "NUL in a member name") == 0;
}

static void compare(const texts &in, nk_arena *a, simdjson::dom::parser &parser, tally &t)
{
    static const nk_json_limits limits = {1 << 20, 512, 1 << 20};
    nk_json d;
    nk_fault f = {};
    struct nk_str text = {in.text, in.n};
    int rc = nk_json_parse(&limits, text, a, &d, &f);
    simdjson::error_code e = parser.parse(simdjson::padded_string(in.text, in.n)).error();
    bool number = e == simdjson::NUMBER_ERROR;
    if (!rc && !e) {
        t.both++;
    } else if (rc && e) {
        t.neither++;
    } else if (rc && is_stricter(f)) {
        t.stricter++;
    } else if (!rc && number) {
        t.range++;
    } else if (++t.wrong <= 10) {
        tap_ok(false, "we say %s, simdjson says %s: %.*s", rc ? f.message : "yes",
               simdjson::error_message(e), (int)in.n, in.text);
    }
    nk_arena_reset(a);
}

int main()
{
    tally t = {};
    texts in;
    nk_arena a;
    simdjson::dom::parser parser;
    nk_arena_init(&a, 16 << 20);
    for (uint32_t i = 0; i < TEXT_COUNT; i++) {
        texts_next(&in, i);
        compare(in, &a, parser, t);
    }
    nk_arena_free(&a);
    tap_ok(
        t.wrong == 0,
        "%d texts: %d read by both, %d refused by both, %d names refused by us alone, %d numbers "
        "refused by simdjson alone",
        TEXT_COUNT, t.both, t.neither, t.stricter, t.range);
    tap_ok(t.both > TEXT_COUNT / 5 && t.neither > TEXT_COUNT / 5 && t.stricter > 0 && t.range > 0,
           "the texts are of all kinds");
    return tap_done();
}
