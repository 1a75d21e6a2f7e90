/* SPDX-License-Identifier: Apache-2.0
 *
 * field.h - what of a tool's result its reader may see. A tool's rules give fields of its results a data
 * class each, by JSON path; the judge says for each class whether this principal may read it; what may
 * not be read is gone before a model or a client sees the result, whatever dialect the result is
 * written in. All that is not taken out stays as it was written, byte for byte.
 *
 *   paths      $  .name  ['name']  [n]  .*  [*]  ..name  ..*  ..['name']  ..[n]  (RFC 9535, 2.3 and 2.5; no slices,
 *              filters, unions or negative indices: they are refused). Names are compared exactly, after unescaping.
 *   below      what a path names is gone with all that stands in it
 *   in texts   a string that is the JSON text of an object or array is looked into, as if the value stood
 *              there: so {"body":"{\"ssn\":1}"} has $.body.ssn and $..ssn. Where a path may go on, text that
 *              looks like that but is no strict JSON, or is nested too deep, is gone
 *   root       a path or pointer that names the whole result leaves null of a value, and nothing of an answer
 *
 * A result is filtered when a class that its tool has is denied, when there are pointers, or when it is
 * stripped to its declared shape. Then only what can be looked into passes: one JSON value, and its
 * text twins, which are written anew from what is left of it. Prose, images, audio, files, links,
 * resources, annotations and _meta are left out, and a text says so. A result that is not filtered
 * passes as it is.
 */
#pragma once

#include "json/json.h"

enum {
    NK_FIELD_RULES_MAX = 256,   /* of one tool */
    NK_FIELD_CLASSES_MAX = 64,  /* of one tool */
    NK_FIELD_PATH_MAX = 1024,   /* bytes of a path, and of a pointer */
    NK_FIELD_STEPS_MAX = 32,    /* of a path */
    NK_FIELD_STATES_MAX = 2048, /* that all paths, or all of a schema, come to */
    NK_FIELD_TEXTS_MAX = 4,     /* texts inside one another */
    NK_FIELD_DEPTH_MAX = 256,   /* open arrays and objects, all texts together; NK_ELIMIT beyond */
};

/* What stands in the place of a value that may not be read, from what shows least to what shows most: where
 * several denied rules name one value, the first of this list counts, of two replacements the rule that
 * stands first. */
enum nk_field_hide {
    NK_FIELD_DROP,      /* "drop": nothing; the member or element is not there */
    NK_FIELD_REPLACE,   /* "replace": always the same value, chosen in the rule */
    NK_FIELD_MASK,      /* "mask": "***", whatever the value is, null too */
    NK_FIELD_MASK_TYPE, /* "mask_type": "***" 0 false null [] {}: its type, and nothing else */
    NK_FIELD_MASK_LENGTH, /* "mask_length": the same, but '*' for each character (Unicode scalar value) of a
                             string and null for each element of an array */
};

struct nk_field_rule {
    struct nk_str path;
    unsigned class_number; /* 0 to 63; the names are the caller's */
    enum nk_field_hide hide;
    struct nk_str
        with; /* NK_FIELD_REPLACE: JSON, or else text that becomes a string; absent: null */
};
/* By its name in the list above; NK_ENOTFOUND. */
int nk_field_hide_named(struct nk_str name, enum nk_field_hide *out) NK_CHECKED;

/* What becomes of a result that is not as its tool's output schema has it. The result is the JSON value; results
 * that say of themselves that they are errors have no declared shape: where shapes are looked at, their texts
 * pass when nothing is denied, and nothing of them passes when something is. */
enum nk_field_shape {
    NK_FIELD_PASS,   /* the schema is not looked at */
    NK_FIELD_REFUSE, /* NK_EDENIED, also when there is no value */
    NK_FIELD_STRIP, /* members and items that the schema does not speak of are dropped; then as REFUSE */
};

struct nk_schema; /* json/schema.h */

/* All that is said of one tool's results. */
struct nk_field_setup {
    const struct nk_field_rule *rules;
    size_t rule_count;
    const struct nk_schema *output; /* NULL: not declared; then `shape` is PASS */
    enum nk_field_shape shape;
};

struct nk_field_rules; /* the same ready to use; immutable */

/* Texts are copied; all lives in `a`. NK_EINVAL (stage "field": the path as it was written, the place in it as the
 * offset), NK_ELIMIT, NK_EUNSUPPORTED (NK_FIELD_STRIP with a schema whose declared members cannot be told:
 * patternProperties, $dynamicRef, references to elsewhere), NK_ENOMEM. `output` must outlive the rules. */
int nk_field_rules_new(const struct nk_field_setup *in, struct nk_arena *a,
                       const struct nk_field_rules **out, struct nk_fault *f) NK_CHECKED;
/* Which classes have a rule: others need not be asked about. 0 for NULL. */
uint64_t nk_field_classes(const struct nk_field_rules *rules);

/* One result for one principal. */
struct nk_field_ask {
    const struct nk_field_rules *rules; /* NULL: there are none */
    uint64_t denied;                    /* bit i: class i may not be read */
    const struct nk_str
        *pointers; /* JSON Pointers (RFC 6901) into the result's value: dropped. One that
                                           names nothing there does nothing; one that is none is NK_EINVAL */
    size_t pointer_count;
    bool error; /* the transport says that the result is an error (an HTTP status of 400 or more) */
    bool japanese; /* language of the text that says that something was left out */
};
/* Will any result be filtered? If not, it need not be held back; and if so, the tool should be listed without its
 * outputSchema: what is left may lack members that the schema requires, and clients check. */
bool nk_field_applies(const struct nk_field_ask *ask);

/* What entry `at` of the document is. A member or kind of part that is not named here does not pass a filter. */
enum nk_field_form {
    NK_FIELD_VALUE, /* the JSON value itself */
    NK_FIELD_MCP, /* CallToolResult: structuredContent, else its one text; isError, resultType pass */
    NK_FIELD_OPENAI, /* message of role tool, or function_call_output and custom_tool_call_output: content
                           or output, a string or parts */
    NK_FIELD_ANTHROPIC, /* tool_result block: content, a string or blocks */
    NK_FIELD_BEDROCK,   /* ToolResultBlock: content of json, else its one text */
    NK_FIELD_LAMBDA, /* what an action group's function answers: the text bodies in response.responseBody or
                           response.functionResponse.responseBody; session attributes do not pass */
    NK_FIELD_ACTION, /* an apiResult or functionResult: the text bodies in responseBody */
};

struct nk_field_report {
    uint32_t hidden;   /* fields that were dropped, replaced or masked by rules and pointers */
    uint32_t stripped; /* members and items that the schema does not speak of */
    uint32_t left_out; /* texts, images, files … that cannot be looked into */
    uint64_t classes;  /* bit i: something of class i was there, and is hidden */
    bool changed;      /* the output is not the input, byte for byte */
};

/* Writes entry `at` without what may not be read to `out`; needs memory of `a` meanwhile. 0; NK_EDENIED: it does not
 * keep to its declared shape, and the fault (stage "field") says where; NK_EINVAL: it is not of that form, or a
 * pointer is none; NK_ELIMIT; NK_ENOMEM. After an error nothing of `out` may be used. */
int nk_field_filter(const struct nk_field_ask *ask, enum nk_field_form form,
                    const struct nk_json *doc, uint32_t at, struct nk_arena *a, struct nk_buf *out,
                    struct nk_field_report *report, struct nk_fault *f) NK_CHECKED;
/* The same for a text that should be the JSON of the value: the body of an HTTP answer. Text that is not JSON is
 * left out when a filter applies, and passes otherwise. */
int nk_field_filter_text(const struct nk_field_ask *ask, struct nk_str text, struct nk_arena *a,
                         struct nk_buf *out, struct nk_field_report *report,
                         struct nk_fault *f) NK_CHECKED;
