/* SPDX-License-Identifier: Apache-2.0
 *
 * door.h - rules that endpoints for clients of MCP and of A2A share. Private to config.
 */
#pragma once

#include "config/table.h"

/* Whose tokens an endpoint takes. */
struct nk_config_door {
    const char *who; /* "mcp[0]" */
    const struct nk_config_text *issuers;
    size_t issuer_count;
    const struct nk_config_text *scopes;
    size_t scope_count;
};

/* Is the path one that something else than MCP and A2A is asked at? */
bool nk_config_path_taken(const struct nk_config *c, struct nk_str path);
/* An absolute http or https URL without query and fragment, of characters that need no quoting in a header. */
bool nk_config_is_resource(struct nk_str url);
/* NK_ENOTFOUND: an issuer that nobody declares; NK_EINVAL: a scope that is none. `at`: the place for the fault. */
int nk_config_check_door(const struct nk_config *c, const struct nk_config_door *d, size_t at,
                         struct nk_fault *f) NK_CHECKED;
/* The rules of A2A endpoints. */
int nk_config_check_a2a(const struct nk_config *c, const struct nk_json *doc,
                        struct nk_fault *f) NK_CHECKED;
