/* SPDX-License-Identifier: Apache-2.0
 *
 * bundle.h - all that a role needs to know, in one sealed memory file: the warden reads the files,
 * the roles open none. A bundle is a list of named blobs; each role is given one with only the
 * blobs that it may see (the gate never gets an upstream credential, the courier never an API key
 * digest).
 *
 *   name              content                                          for
 *   config            canonical JSON of the configuration              all
 *   policy/<file>     text of one *.cedar file, in order of name       gate, scribe
 *   entities          Cedar entity JSON                                gate, scribe
 *   tools             approved definitions of tools (tools.json)       gate, scribe
 *   store/<i>/…       policy store i: policy/<file>, links, entities,  gate
 *                     schema, time (Unix milliseconds, decimal)
 *   schema            Cedar schema: text, or JSON if it begins with {  gate
 *   keys              API key file                                     gate
 *   sigv4             what the secrets of signing keys are derived of  gate
 *   sessions          what MCP sessions are sealed with                gate
 *   token/key         key that signs the tokens which tools get        courier
 *   token/jwks        its public part, and the other key's             gate
 *   jwks/<i>          key set of issuer i, when it comes from a file   gate
 *   tls/<i>/<j>/…     cert, key (PEM), ocsp (DER): certificate j of i  gate
 *   tls/<i>/ca|crl    PEM: who signs clients' certificates, revoked    gate
 *   credential/<i>    credential of upstream i                         courier
 *   oauth/<i>         client secret of upstream i                      courier
 *   ca/<i>            PEM authorities of upstream i                    courier
 *   …/<i>/<j>         both, of its endpoint j alone                    courier
 *   client/<i>/…      cert, key: PEM, what upstream i is shown         courier
 *   proxy, proxy/<i>  USER:PASSWORD of the proxy, of upstream i's own  courier
 *   telemetry/ca      PEM authorities of the collector                 courier
 *   telemetry/<i>     value of header i for the collector              courier
 *   hosts             lines "name address" of /etc/hosts               courier
 *   variable/<i>/<j>  secret variable j of the server of upstream i    runner
 *   audit/key         Ed25519 seed, 32 bytes                           scribe
 *
 * On disk the audit key is AUDIT/key (64 hexadecimal digits, mode 0600), made at the first start
 * together with AUDIT/key.pub, the verifier key as nk_checkpoint_key writes it.
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"

struct nk_bundle_blob {
    struct nk_str name, bytes;
};

struct nk_bundle {
    struct nk_bundle_blob *blobs;
    size_t count;
    void *map; /* of nk_bundle_open */
    size_t map_bytes;
};

enum {
    NK_BUNDLE_GATE = 1,
    NK_BUNDLE_COURIER = 2,
    NK_BUNDLE_SCRIBE = 4,
    NK_BUNDLE_RUNNER = 8,
    NK_BUNDLE_ALL = 15,
};

/* The blob of that name, or absent. */
struct nk_str nk_bundle_get(const struct nk_bundle *b, struct nk_str name);
/* Adds a blob; bytes are not copied. NK_ECONFLICT when the name is there already, NK_EINVAL when no
 * role may see one of that name. */
int nk_bundle_add(struct nk_bundle *b, struct nk_arena *a, struct nk_str name,
                  struct nk_str bytes) NK_CHECKED;
/* Reads `file` (YAML) and all that it names. On an error nothing is returned and *f says file, line
 * and what to write instead. */
int nk_bundle_load(const char *file, struct nk_arena *a, struct nk_bundle *out,
                   struct nk_fault *f) NK_CHECKED;
/* Overwrites the secrets (credentials, private keys, the audit key) of a bundle that
 * nk_bundle_load made; to be called when it is sealed for all roles. */
void nk_bundle_wipe(struct nk_bundle *b);
/* The lines "name address" of the text of /etc/hosts; absent when out of memory. */
struct nk_str nk_bundle_hosts(struct nk_str text, struct nk_arena *a);
/* The part that roles `for_roles` (NK_BUNDLE_…) may see, as a sealed memfd; the descriptor or
 * NK_E…. */
int nk_bundle_seal(const struct nk_bundle *b, unsigned for_roles) NK_CHECKED;
/* Maps a sealed memfd and reads its index; slices point into the mapping, which stays for the
 * role's life or until nk_bundle_unmap. */
int nk_bundle_open(int fd, struct nk_arena *a, struct nk_bundle *out,
                   struct nk_fault *f) NK_CHECKED;
void nk_bundle_unmap(struct nk_bundle *b);
