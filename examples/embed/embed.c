/* SPDX-License-Identifier: Apache-2.0
 *
 * embed.c - Cedar inside another program: who may read which document? Build it with
 *     cc embed.c $(pkg-config --cflags --libs nakoso) -o embed
 */
#include <nakoso.h>
#include <stdio.h>
#include <string.h>

#define TEXT(s) ((struct nk_text){(s), strlen(s)})

static const char policies[] =
    "@id(\"own\") permit (principal, action == Action::\"read\", resource)"
    " when { resource.owner == principal };"
    "@id(\"night\") forbid (principal, action, resource) when { context.hour < 6 };";
static const char entities[] =
    "[{\"uid\":{\"type\":\"Doc\",\"id\":\"plan\"},\"parents\":[],"
    "\"attrs\":{\"owner\":{\"__entity\":{\"type\":\"User\",\"id\":\"alice\"}}}}]";

int main(int argc, char **argv)
{
    struct nk_engine_fault fault = {0};
    struct nk_engine_answer *answer = NULL;
    struct nk_engine *engine = nk_engine_new(NULL);
    const struct nk_engine_question question = {
        .principal = {TEXT("User"), TEXT(argc > 1 ? argv[1] : "alice")},
        .action = {TEXT("Action"), TEXT("read")},
        .resource = {TEXT("Doc"), TEXT("plan")},
        .context = TEXT(argc > 2 ? argv[2] : "{\"hour\":12}")};
    if (!engine || nk_engine_add_policies(engine, TEXT(policies), TEXT("p"), &fault) ||
        nk_engine_add_entities(engine, TEXT(entities), &fault) || nk_engine_ready(engine, &fault) ||
        nk_engine_decide(engine, &question, &answer, &fault)) {
        fprintf(stderr, "%s\n", engine ? fault.message : "out of memory");
        return 2;
    }
    printf("%s", nk_engine_allows(answer) ? "allow" : "deny");
    for (size_t i = 0; i < nk_engine_reason_count(answer); i++)
        printf(" by %s", nk_engine_reason(answer, i));
    puts("");
    nk_engine_answer_free(answer);
    nk_engine_free(engine);
    return 0;
}
