/* SPDX-License-Identifier: Apache-2.0
 *
 * schema.h - JSON Schema, draft 2020-12 (json-schema.org/draft/2020-12): does a value keep to a schema?
 * Schemas come from servers that nobody trusts, so both halves are bounded: what would take more than stated
 * below is refused when the schema is loaded, or by NK_ELIMIT when a value is checked.
 *
 *   taken      all assertions and applicators of the core, applicator, unevaluated and validation
 *              vocabularies; $ref, $dynamicRef, $anchor, $id and $defs inside the document
 *   compared   numbers exactly, as decimals: 9007199254740993 is not 9007199254740992, and 1.0 is 1
 *   notes      `format` and contentMediaType assert nothing, and unknown keywords say nothing, as the
 *              specification has it
 *   refused    references to other documents, $vocabulary and dialects other than 2020-12 (draft-07 is
 *              read as 2020-12 when it uses nothing that the two read differently), patterns that no
 *              finite automaton decides (look-around, back references)
 *   pattern    runs in time that grows with text × pattern (pattern.h): there is nothing to blow up
 */
#pragma once

#include "json/json.h"

enum {
    NK_SCHEMA_BYTES = 1 << 20,  /* of a schema's text */
    NK_SCHEMA_NODES = 16 << 10, /* subschemas */
    NK_SCHEMA_DEPTH = 512,      /* of references and subschemas that are open at once */
    NK_SCHEMA_STEPS = 8 << 20, /* subschemas × values looked at, and items compared, in one check */
};

struct nk_schema; /* immutable */

/* Reads a schema; everything, also a copy of the text, lives in `a`. NK_EINVAL, NK_ELIMIT, NK_EUNSUPPORTED,
 * NK_ENOMEM with the byte offset and the keyword's JSON Pointer in *f (stage "schema"). */
int nk_schema_new(struct nk_str text, struct nk_arena *a, const struct nk_schema **out,
                  struct nk_fault *f) NK_CHECKED;
/* The document that it was read from; the schema is entry 0. */
const struct nk_json *nk_schema_document(const struct nk_schema *s);

/* Does entry `at` of `doc` keep to it? 0; NK_EINVAL: it does not, and the message begins with the JSON Pointer
 * of the place in the value ("/patients/0/id: is a string, must be an integer") and repeats nothing of the
 * value but member names; NK_ELIMIT: it takes too many steps; NK_ENOMEM. `scratch` is for what is needed
 * meanwhile. */
int nk_schema_check(const struct nk_schema *s, const struct nk_json *doc, uint32_t at,
                    struct nk_arena *scratch, struct nk_fault *f) NK_CHECKED;
/* The same, and says which parts of the value the schema describes: bit i % 8 of byte i / 8 of *declared (in `a`)
 * for entry i of the tape. A member is described when `properties`, `patternProperties` or a schema (not true)
 * in `additionalProperties` that applies to its object speaks of it, an item when `prefixItems`, `items` or
 * `contains` does; so is all that stands in a value whose schema says nothing about members or items. What
 * stands in a part that is not described is not either. Names are described like their values. For those who
 * strip an answer to its declared shape. */
int nk_schema_check_declared(const struct nk_schema *s, const struct nk_json *doc, uint32_t at,
                             struct nk_arena *a, const unsigned char **declared,
                             struct nk_fault *f) NK_CHECKED;
