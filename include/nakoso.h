/* SPDX-License-Identifier: Apache-2.0
 *
 * nakoso.h - the Cedar engine of Nakoso for other C programs, and the only header that is installed. What a
 * program may rely on from release to release is declared here and nowhere else.
 *
 * An engine is filled from memory (policies, links of templates, entities), made ready once, and asked from
 * then on. It opens nothing, knows no clock and keeps no state outside of itself; an engine that is ready never
 * changes, so any number of threads may ask it at once. Every text is UTF-8, with its length; it is copied, so
 * the caller may free it at once. Nothing takes more memory than the caller allows.
 *
 * Language: Cedar 4.5 (docs.cedarpolicy.com). Default deny; `forbid` overrides `permit`; a policy whose
 * evaluation errs is skipped and reported.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* The version of the library, as "0.1.0"; static memory. */
const char *nk_version(void);

enum {
    NK_ENGINE_API = 1, /* grows with each addition; nothing is taken away within a number */

    NK_ENGINE_OK = 0,
    NK_ENGINE_INVALID = -1,  /* a text breaks its format */
    NK_ENGINE_LIMIT = -2,    /* larger or deeper than a limit */
    NK_ENGINE_MEMORY = -3,   /* memory, or what was allowed of it, is used up */
    NK_ENGINE_MISSING = -6,  /* a link names no template */
    NK_ENGINE_CONFLICT = -11 /* an id or entity is there already */
};

/* NK_ENGINE_API of the library, for programs that were built with another header. */
int nk_engine_api(void);

struct nk_engine;
struct nk_engine_answer;

struct nk_text {
    const char *p; /* NULL: not given */
    size_t n;      /* bytes */
};

struct nk_entity {
    struct nk_text type; /* "User", "Shop::Order" */
    struct nk_text id;   /* without quotes and escapes */
};

struct nk_engine_limits {
    size_t engine_bytes; /* memory of all that is loaded */
    size_t answer_bytes; /* memory of one question with its answer */
    size_t text_bytes;   /* longest text of policies, entities or context */
};

/* Why something was refused. Zero it before; it may be NULL. */
struct nk_engine_fault {
    int code;
    size_t offset; /* in the text */
    char message[232];
};

/* NULL when memory is out. Without limits (NULL): 1 GiB, 64 MiB, 64 MiB. */
struct nk_engine *nk_engine_new(const struct nk_engine_limits *limits);
void nk_engine_free(struct nk_engine *e); /* NULL is no engine */

/* Adds policies and templates in Cedar's text form. The id of each is its @id, otherwise "<prefix><index in this
 * text>". On an error nothing of the text is added. */
int nk_engine_add_policies(struct nk_engine *e, struct nk_text policies, struct nk_text prefix,
                           struct nk_engine_fault *f);
/* Adds the policy `id`: the template with ?principal and ?resource replaced; one that the template has not is
 * not given (p == NULL in its type). */
int nk_engine_link(struct nk_engine *e, struct nk_text template_id, struct nk_text id,
                   struct nk_entity principal, struct nk_entity resource,
                   struct nk_engine_fault *f);
/* Adds entities in Cedar's JSON form: [{"uid","attrs","parents","tags"?}]. */
int nk_engine_add_entities(struct nk_engine *e, struct nk_text json, struct nk_engine_fault *f);
/* The schema, as text or in its JSON form; once, before entities are added. From then on entities are held to it, and
 * by nk_engine_ready the policies (strict validation). Questions are not. */
int nk_engine_set_schema(struct nk_engine *e, struct nk_text schema, struct nk_engine_fault *f);
/* Ends the loading; must be called once before the first question. Refuses entities that are their own ancestors. */
int nk_engine_ready(struct nk_engine *e, struct nk_engine_fault *f);

struct nk_engine_question {
    struct nk_entity principal, action, resource;
    struct nk_text context; /* a record in Cedar's JSON form; not given: {} */
    struct nk_text
        entities; /* in Cedar's JSON form, over those of the engine for this question alone; or not given */
};

/* Decides. On success the caller owes nk_engine_answer_free; otherwise *out is NULL: treat that as a no. */
int nk_engine_decide(const struct nk_engine *e, const struct nk_engine_question *q,
                     struct nk_engine_answer **out, struct nk_engine_fault *f);
bool nk_engine_allows(const struct nk_engine_answer *a); /* false for NULL */
/* Ids of the policies that determined the answer, in order of loading; i < count. Each ends with a NUL. */
size_t nk_engine_reason_count(const struct nk_engine_answer *a);
const char *nk_engine_reason(const struct nk_engine_answer *a, size_t i);
/* Policies that erred meanwhile, and how. */
size_t nk_engine_error_count(const struct nk_engine_answer *a);
const char *nk_engine_error_policy(const struct nk_engine_answer *a, size_t i);
const char *nk_engine_error_text(const struct nk_engine_answer *a, size_t i);
void nk_engine_answer_free(struct nk_engine_answer *a);
