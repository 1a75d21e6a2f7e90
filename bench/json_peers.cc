/* SPDX-License-Identifier: Apache-2.0
 *
 * json_peers.cc - the yardstick for bench/json.c: simdjson's DOM (vector instructions of the newest
 * kind, chosen at run time; no check of duplicate names) and jansson (duplicates refused) on the
 * text that comes in at standard input: build/bench/json --print 10000 | build/bench/json_peers
 */
#include <simdjson.h>

#include <jansson.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <iostream>
#include <string>

template <typename Parse> static void run(const char *name, const std::string &text, Parse parse)
{
    double best = 1e9;
    size_t times = 20000000 / text.size() + 1;
    for (int round = 0; round < 5; round++) {
        auto start = std::chrono::steady_clock::now();
        for (size_t i = 0; i < times; i++)
            if (!parse())
                abort();
        std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
        best = std::min(best, took.count() / (double)times);
    }
    printf("%s %zu bytes: %.0f MB/s (%.2f us)\n", name, text.size(),
           (double)text.size() / best / 1e6, best * 1e6);
}

int main()
{
    std::string text((std::istreambuf_iterator<char>(std::cin)), std::istreambuf_iterator<char>());
    simdjson::padded_string padded(text);
    simdjson::dom::parser parser;
    printf("simdjson uses: %s\n", simdjson::get_active_implementation()->name().c_str());
    run("simdjson", text, [&] { return parser.parse(padded).error() == simdjson::SUCCESS; });
    const simdjson::implementation *plain = simdjson::get_available_implementations()["westmere"];
    if (plain && plain->supported_by_runtime_system()) {
        simdjson::get_active_implementation() = plain;
        run("simdjson westmere", text,
            [&] { return parser.parse(padded).error() == simdjson::SUCCESS; });
    }
    run("jansson", text, [&] {
        json_t *j = json_loadb(text.data(), text.size(), JSON_REJECT_DUPLICATES, nullptr);
        json_decref(j);
        return j != nullptr;
    });
    return 0;
}
