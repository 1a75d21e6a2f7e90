/* SPDX-License-Identifier: Apache-2.0
 *
 * load.c - a bundle from the configuration file and all that it names. Only the warden does this,
 * before it seals what it read. Every message begins with the key that named the file.
 */
#include "role/bundle.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include "chain/chain.h"
#include "edge/file.h"
#include "ident/token.h"

enum {
    POLICY_FILES = 4096,
    POLICY_BYTES = 4 << 20,
    ENTITY_BYTES = 64 << 20,
    SCHEMA_BYTES = 16 << 20,
    TOOLS_BYTES = 16 << 20,
    KEY_BYTES = 32 << 20,
    PEM_BYTES = 4 << 20,
    CRL_BYTES = 32 << 20,
    SECRET_BYTES = 16384,
    HOSTS_BYTES = 1 << 20,
    SESSION_SECRET = 64,
    JWKS_TEXT = 4096,
    WHERE = 96,
};

struct load {
    struct nk_arena *arena;
    const struct nk_config *config;
    struct nk_bundle *bundle;
    struct nk_fault *fault;
};

static const char stage[] = "config";

static int say(struct load *l, int code, const char *key, const struct nk_fault *inner)
{
    return nk_fault_set(l->fault, code, stage, 0, "%s: %s", key, inner->message);
}

static int add(struct load *l, struct nk_str name, struct nk_str bytes, const char *key)
{
    int rc = name.p ? nk_bundle_add(l->bundle, l->arena, name, bytes) : NK_ENOMEM;
    if (rc)
        return nk_fault_set(l->fault, rc, stage, 0, "%s: cannot be kept (%s)", key,
                            nk_error_name(rc));
    return 0;
}

/* Reads a file as blob `name`; `must` (or NULL) has to occur in it. */
static int add_file(struct load *l, struct nk_str name, struct nk_str path, size_t max,
                    enum nk_file_care care, const char *must, const char *key)
{
    struct nk_fault inner = {0};
    struct nk_str bytes;
    int rc = nk_file_read(path.p, max, care, l->arena, &bytes, &inner);
    if (rc)
        return say(l, rc, key, &inner);
    if (must && nk_str_search(bytes, nk_str(must)) < 0)
        return nk_fault_set(l->fault, NK_EINVAL, stage, 0, "%s: %s holds no \"%s\"", key, path.p,
                            must);
    return add(l, name, bytes, key);
}

static int by_name(const void *a, const void *b)
{
    return nk_str_cmp(*(const struct nk_str *)a, *(const struct nk_str *)b);
}

/* Names of the *.cedar files, sorted; hidden files are left out (editors leave drafts behind). */
static int list_policies(struct load *l, DIR *dir, struct nk_str path, const char *key,
                         struct nk_str **names, size_t *count)
{
    struct nk_str *list = nk_arena_array(l->arena, POLICY_FILES, sizeof *list);
    size_t n = 0;
    if (!list)
        return nk_fault_set(l->fault, NK_ENOMEM, stage, 0, "%s: out of memory", key);
    for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
        struct nk_str name = nk_str(e->d_name);
        if (name.p[0] == '.' || !nk_str_ends(name, NK_STR(".cedar")))
            continue;
        if (n == POLICY_FILES)
            return nk_fault_set(l->fault, NK_ELIMIT, stage, 0, "%s: more than %d files in %s", key,
                                POLICY_FILES, path.p);
        list[n++] = nk_arena_copy(l->arena, name);
    }
    qsort(list, n, sizeof *list, by_name);
    *names = list;
    *count = n;
    return 0;
}

/* The policies of a directory as blobs "<prefix><file>". */
static int load_directory(struct load *l, struct nk_str dir, const char *prefix, const char *key)
{
    struct nk_str *names;
    size_t n = 0;
    DIR *d = opendir(dir.p);
    if (!d)
        return nk_fault_set(l->fault, NK_EIO, stage, 0,
                            "%s: %s: %s; create it, or name another directory (an "
                            "empty one refuses every request)",
                            key, dir.p, strerror(errno));
    int rc = list_policies(l, d, dir, key, &names, &n);
    closedir(d);
    for (size_t i = 0; i < n && !rc; i++) {
        struct nk_str name = nk_arena_printf(l->arena, "%s%.*s", prefix, NK_FMT(names[i]));
        struct nk_str path = nk_arena_printf(l->arena, "%.*s/%.*s", NK_FMT(dir), NK_FMT(names[i]));
        if (!path.p)
            return nk_fault_set(l->fault, NK_ENOMEM, stage, 0, "%s: out of memory", key);
        rc = add_file(l, name, path, POLICY_BYTES, NK_FILE_PUBLIC, NULL, key);
    }
    return rc;
}

static int load_policies(struct load *l)
{
    return load_directory(l, l->config->policy, "policy/", "policy.directory");
}

/* When the newest of its files was changed: what clients are told as the store's date. */
static int load_store_time(struct load *l, size_t i)
{
    const struct nk_config_store *c = &l->config->stores[i];
    const char *paths[] = {c->directory.p, c->links.p, c->entities.p, c->schema.p};
    int64_t newest = 0;
    for (size_t k = 0; k < NK_COUNT(paths); k++) {
        struct stat st;
        if (paths[k] && stat(paths[k], &st) == 0 && st.st_mtim.tv_sec > newest)
            newest = st.st_mtim.tv_sec;
    }
    return add(l, nk_arena_printf(l->arena, "store/%zu/time", i),
               nk_arena_printf(l->arena, "%lld", (long long)newest * 1000), "policy_stores");
}

static int load_store(struct load *l, size_t i)
{
    const struct nk_config_store *c = &l->config->stores[i];
    const struct {
        const char *name;
        struct nk_str path;
    } files[] = {{"links", c->links}, {"entities", c->entities}, {"schema", c->schema}};
    char key[WHERE], prefix[WHERE];
    snprintf(key, sizeof key, "policy_stores[%zu].directory", i);
    snprintf(prefix, sizeof prefix, "store/%zu/policy/", i);
    int rc = load_directory(l, c->directory, prefix, key);
    for (size_t k = 0; k < NK_COUNT(files) && !rc; k++) {
        snprintf(key, sizeof key, "policy_stores[%zu].%s", i, files[k].name);
        if (files[k].path.p)
            rc = add_file(l, nk_arena_printf(l->arena, "store/%zu/%s", i, files[k].name),
                          files[k].path, ENTITY_BYTES, NK_FILE_PUBLIC, NULL, key);
    }
    return rc ? rc : load_store_time(l, i);
}

static int load_stores(struct load *l)
{
    int rc = 0;
    for (size_t i = 0; i < l->config->store_count && !rc; i++)
        rc = load_store(l, i);
    return rc;
}

static int load_identity(struct load *l)
{
    const struct nk_config *c = l->config;
    int rc = 0;
    if (c->entities.p)
        rc = add_file(l, NK_STR("entities"), c->entities, ENTITY_BYTES, NK_FILE_PUBLIC, NULL,
                      "policy.entities");
    if (!rc && c->schema.p)
        rc = add_file(l, NK_STR("schema"), c->schema, SCHEMA_BYTES, NK_FILE_PUBLIC, NULL,
                      "policy.schema");
    if (!rc && c->tools.file.p)
        rc = add_file(l, NK_STR("tools"), c->tools.file, TOOLS_BYTES, NK_FILE_PUBLIC, NULL,
                      "tools.file");
    if (!rc && c->keys.p)
        rc = add_file(l, NK_STR("keys"), c->keys, KEY_BYTES, NK_FILE_PUBLIC, NULL, "identity.keys");
    for (size_t i = 0; i < c->issuer_count && !rc; i++) {
        struct nk_str jwks = c->issuers[i].jwks;
        char key[WHERE];
        snprintf(key, sizeof key, "identity.issuers[%zu].jwks", i);
        if (nk_str_starts(jwks, NK_STR("file:")))
            rc = add_file(l, nk_arena_printf(l->arena, "jwks/%zu", i), nk_str_sub(jwks, 5, jwks.n),
                          PEM_BYTES, NK_FILE_PUBLIC, NULL, key);
    }
    return rc;
}

static const char certificate_mark[] = "-----BEGIN CERTIFICATE-----";
static const char key_mark[] = "PRIVATE KEY-----";

static int load_certificate(struct load *l, size_t i, size_t j)
{
    const struct nk_config_listen *at = &l->config->listen[i];
    const struct nk_config_certificate in_short = {at->tls_certificate, at->tls_key, {NULL, 0}};
    const struct nk_config_certificate *c =
        at->certificate_count ? &at->certificates[j] : &in_short;
    char where[WHERE], key[2 * WHERE];
    if (at->certificate_count)
        snprintf(where, sizeof where, "listen[%zu].certificates[%zu].", i, j);
    else
        snprintf(where, sizeof where, "listen[%zu].tls_", i);
    snprintf(key, sizeof key, "%scertificate", where);
    int rc = add_file(l, nk_arena_printf(l->arena, "tls/%zu/%zu/cert", i, j), c->certificate,
                      PEM_BYTES, NK_FILE_PUBLIC, certificate_mark, key);
    snprintf(key, sizeof key, "%skey", where);
    if (!rc)
        rc = add_file(l, nk_arena_printf(l->arena, "tls/%zu/%zu/key", i, j), c->key, PEM_BYTES,
                      NK_FILE_SECRET, key_mark, key);
    snprintf(key, sizeof key, "%socsp", where);
    if (!rc && c->ocsp.p)
        rc = add_file(l, nk_arena_printf(l->arena, "tls/%zu/%zu/ocsp", i, j), c->ocsp, PEM_BYTES,
                      NK_FILE_PUBLIC, NULL, key);
    return rc;
}

static int load_tls(struct load *l)
{
    int rc = 0;
    for (size_t i = 0; i < l->config->listen_count && !rc; i++) {
        const struct nk_config_listen *at = &l->config->listen[i];
        size_t count = at->certificate_count ? at->certificate_count : at->tls_key.p != NULL;
        char key[WHERE];
        for (size_t j = 0; j < count && !rc; j++)
            rc = load_certificate(l, i, j);
        snprintf(key, sizeof key, "listen[%zu].client_ca", i);
        if (!rc && at->client_ca.p)
            rc = add_file(l, nk_arena_printf(l->arena, "tls/%zu/ca", i), at->client_ca, PEM_BYTES,
                          NK_FILE_PUBLIC, certificate_mark, key);
        snprintf(key, sizeof key, "listen[%zu].client_crl", i);
        if (!rc && at->client_crl.p)
            rc = add_file(l, nk_arena_printf(l->arena, "tls/%zu/crl", i), at->client_crl, CRL_BYTES,
                          NK_FILE_PUBLIC, "-----BEGIN X509 CRL-----", key);
    }
    return rc;
}

/* The text of a secret: one line of visible ASCII, so that it can stand in a header. */
static int check_secret(struct load *l, struct nk_str *s, const char *key)
{
    while (s->n && (s->p[s->n - 1] == '\n' || s->p[s->n - 1] == '\r'))
        s->n--;
    for (size_t i = 0; i < s->n; i++)
        if (s->p[i] <= ' ' || s->p[i] > '~')
            return nk_fault_set(l->fault, NK_EINVAL, stage, i,
                                "%s: the secret has a space, line break or special character at "
                                "byte %zu",
                                key, i);
    if (s->n == 0)
        return nk_fault_set(l->fault, NK_EINVAL, stage, 0, "%s: the secret is empty", key);
    return 0;
}

static int read_secret(struct load *l, struct nk_str reference, const char *key, struct nk_str *out)
{
    struct nk_fault inner = {0};
    int rc;
    if (nk_str_starts(reference, NK_STR("env:"))) {
        const char *value = getenv(reference.p + 4);
        if (!value)
            return nk_fault_set(l->fault, NK_ENOTFOUND, stage, 0,
                                "%s: the environment variable %.100s is not set", key,
                                reference.p + 4);
        *out = nk_arena_copy(l->arena, nk_str(value));
        rc = out->p ? 0 : NK_ENOMEM;
    } else {
        rc = nk_file_read(reference.p + 5, SECRET_BYTES, NK_FILE_SECRET, l->arena, out, &inner);
    }
    return rc ? say(l, rc, key, &inner) : check_secret(l, out, key);
}

static int load_secret(struct load *l, struct nk_str name, struct nk_str reference, const char *key)
{
    struct nk_str secret;
    int rc = read_secret(l, reference, key, &secret);
    return rc ? rc : add(l, name, secret, key);
}

/* What is shown on the way to an upstream: to the upstream itself, and to its proxy. */
static int load_way(struct load *l, size_t i)
{
    const struct nk_config_upstream *u = &l->config->upstreams[i];
    char key[WHERE];
    int rc = 0;
    snprintf(key, sizeof key, "upstreams[%zu].proxy_credential", i);
    if (u->proxy_credential.p)
        rc = load_secret(l, nk_arena_printf(l->arena, "proxy/%zu", i), u->proxy_credential, key);
    snprintf(key, sizeof key, "upstreams[%zu].oauth.client_secret", i);
    if (!rc && u->oauth.client_secret.p)
        rc = load_secret(l, nk_arena_printf(l->arena, "oauth/%zu", i), u->oauth.client_secret, key);
    if (rc || !u->client_key.p)
        return rc;
    snprintf(key, sizeof key, "upstreams[%zu].client_certificate", i);
    rc = add_file(l, nk_arena_printf(l->arena, "client/%zu/cert", i), u->client_certificate,
                  PEM_BYTES, NK_FILE_PUBLIC, certificate_mark, key);
    snprintf(key, sizeof key, "upstreams[%zu].client_key", i);
    return rc ? rc
              : add_file(l, nk_arena_printf(l->arena, "client/%zu/key", i), u->client_key,
                         PEM_BYTES, NK_FILE_SECRET, key_mark, key);
}

/* The secret and the authorities of an upstream (`id` "0") or of one of its endpoints ("0/1"). */
static int load_endpoint(struct load *l, const char *id, const char *who, struct nk_str credential,
                         struct nk_str ca)
{
    char key[WHERE];
    int rc = 0;
    snprintf(key, sizeof key, "%s.credential", who);
    if (credential.p)
        rc = load_secret(l, nk_arena_printf(l->arena, "credential/%s", id), credential, key);
    snprintf(key, sizeof key, "%s.ca", who);
    if (!rc && ca.p)
        rc = add_file(l, nk_arena_printf(l->arena, "ca/%s", id), ca, PEM_BYTES, NK_FILE_PUBLIC,
                      certificate_mark, key);
    return rc;
}

/* What an MCP server that is started here needs of the file system. */
static int check_path(struct load *l, struct nk_str path, int mode, const char *key)
{
    struct nk_str name = nk_arena_copy(l->arena, path);
    struct stat st;
    if (!name.p)
        return nk_fault_set(l->fault, NK_ENOMEM, stage, 0, "%s: out of memory", key);
    if (access(name.p, mode) || stat(name.p, &st))
        return nk_fault_set(l->fault, NK_ENOTFOUND, stage, 0, "%s: %s: %s", key, name.p,
                            strerror(errno));
    return mode != X_OK || S_ISREG(st.st_mode)
               ? 0
               : nk_fault_set(l->fault, NK_EINVAL, stage, 0, "%s: %s is no program", key, name.p);
}

static int check_paths(struct load *l, const struct nk_config_text *list, size_t n,
                       const char *name, size_t i)
{
    char key[WHERE];
    int rc = 0;
    for (size_t j = 0; j < n && !rc; j++) {
        snprintf(key, sizeof key, "upstreams[%zu].process.%s[%zu]", i, name, j);
        rc = check_path(l, list[j].text, F_OK, key);
    }
    return rc;
}

static int load_process(struct load *l, size_t i)
{
    const struct nk_config_upstream *u = &l->config->upstreams[i];
    const struct nk_config_process *p = &u->process;
    char key[WHERE];
    snprintf(key, sizeof key, "upstreams[%zu].command", i);
    int rc = check_path(l, u->command[0].text, X_OK, key);
    if (!rc)
        rc = check_paths(l, p->read, p->read_count, "read", i);
    if (!rc)
        rc = check_paths(l, p->write, p->write_count, "write", i);
    for (size_t j = 0; j < p->environment_count && !rc; j++) {
        snprintf(key, sizeof key, "upstreams[%zu].process.environment[%zu].secret", i, j);
        if (p->environment[j].secret.p)
            rc = load_secret(l, nk_arena_printf(l->arena, "variable/%zu/%zu", i, j),
                             p->environment[j].secret, key);
    }
    return rc;
}

static int load_upstreams(struct load *l)
{
    char id[WHERE / 2], who[WHERE - 16];
    int rc = 0;
    if (l->config->proxy_credential.p)
        rc = load_secret(l, NK_STR("proxy"), l->config->proxy_credential, "proxy_credential");
    for (size_t i = 0; i < l->config->upstream_count && !rc; i++) {
        const struct nk_config_upstream *u = &l->config->upstreams[i];
        snprintf(id, sizeof id, "%zu", i);
        snprintf(who, sizeof who, "upstreams[%zu]", i);
        rc = load_endpoint(l, id, who, u->credential, u->ca);
        for (size_t j = 0; j < u->endpoint_count && !rc; j++) {
            snprintf(id, sizeof id, "%zu/%zu", i, j);
            snprintf(who, sizeof who, "upstreams[%zu].endpoints[%zu]", i, j);
            rc = load_endpoint(l, id, who, u->endpoints[j].credential, u->endpoints[j].ca);
        }
        if (!rc)
            rc = nk_config_is_started(u) ? load_process(l, i) : load_way(l, i);
    }
    return rc;
}

/* What the secrets of signing keys are derived from; the gate alone sees it. */
static int load_signing(struct load *l)
{
    struct nk_str from = l->config->sigv4_secret;
    return from.p ? load_secret(l, NK_STR("sigv4"), from, "identity.sigv4_secret") : 0;
}

/* What sessions of MCP clients are sealed with: one secret as long as this process lives, so that sessions outlive
 * a reload. */
static int load_sessions(struct load *l)
{
    static char secret[SESSION_SECRET];
    static bool made;
    struct nk_str from = l->config->session_secret;
    if (!l->config->mcp_count && !l->config->a2a_count)
        return 0;
    if (from.p)
        return load_secret(l, NK_STR("sessions"), from, "session_secret");
    if (!made && getrandom(secret, sizeof secret, 0) != (ssize_t)sizeof secret)
        return nk_fault_set(l->fault, NK_EIO, stage, 0, "no random numbers for session_secret");
    made = true;
    struct nk_str own = nk_arena_copy(l->arena, (struct nk_str){secret, sizeof secret});
    return add(l, NK_STR("sessions"), own, "session_secret");
}

/* The keys of the tokens that tools get. What is published of them is made here: the gate never sees a key, and nobody
 * the one that does not sign. */
static int load_tokens(struct load *l)
{
    const struct nk_config_token *t = &l->config->token;
    const struct nk_str from[NK_TOKEN_KEYS] = {t->key, t->other_key};
    static const char *const names[NK_TOKEN_KEYS] = {"identity.tool_tokens.key",
                                                     "identity.tool_tokens.other_key"};
    struct nk_token_key keys[NK_TOKEN_KEYS];
    struct nk_buf jwks;
    size_t n = 0;
    int rc = 0;
    for (size_t i = 0; !rc && i < NK_TOKEN_KEYS && from[i].p; i++) {
        struct nk_str text;
        rc = read_secret(l, from[i], names[i], &text);
        if (rc)
            break;
        if (nk_token_key_read(text, l->arena, &keys[n++]))
            rc = nk_fault_set(l->fault, NK_EINVAL, stage, 0,
                              "%s: not 64 hexadecimal digits; `openssl rand -hex 32` makes them",
                              names[i]);
        else if (i == 0)
            rc = add(l, NK_STR("token/key"), text, names[i]);
        if (rc || i)
            nk_secret_wipe((char *)text.p, text.n);
    }
    nk_buf_init(&jwks, JWKS_TEXT);
    nk_token_jwks(keys, n, &jwks);
    nk_secret_wipe(keys, sizeof keys);
    if (!rc && n)
        rc = add(l, NK_STR("token/jwks"), nk_arena_copy(l->arena, nk_buf_str(&jwks)),
                 "identity.tool_tokens");
    nk_buf_free(&jwks);
    return rc;
}

static int load_telemetry(struct load *l)
{
    const struct nk_config_telemetry *t = &l->config->telemetry;
    int rc = 0;
    if (t->ca.p)
        rc = add_file(l, NK_STR("telemetry/ca"), t->ca, PEM_BYTES, NK_FILE_PUBLIC,
                      "-----BEGIN CERTIFICATE-----", "telemetry.otlp.ca");
    for (size_t i = 0; i < t->header_count && !rc; i++) {
        char key[WHERE];
        snprintf(key, sizeof key, "telemetry.otlp.headers[%zu].value", i);
        rc =
            load_secret(l, nk_arena_printf(l->arena, "telemetry/%zu", i), t->headers[i].value, key);
    }
    return rc;
}

static struct nk_str next_word(struct nk_str *line)
{
    size_t from = 0, to;
    while (from < line->n && (line->p[from] == ' ' || line->p[from] == '\t'))
        from++;
    for (to = from; to < line->n && line->p[to] != ' ' && line->p[to] != '\t'; to++)
        ;
    struct nk_str word = nk_str_sub(*line, from, to);
    *line = nk_str_sub(*line, to, line->n);
    return word;
}

struct nk_str nk_bundle_hosts(struct nk_str text, struct nk_arena *a)
{
    struct nk_buf out;
    nk_buf_init(&out, HOSTS_BYTES * 4);
    while (text.p) {
        struct nk_str all = nk_str_cut(&text, '\n'), line = nk_str_cut(&all, '#');
        if (line.n && line.p[line.n - 1] == '\r')
            line.n--;
        struct nk_str address = next_word(&line);
        for (struct nk_str name = next_word(&line); name.n; name = next_word(&line))
            nk_buf_printf(&out, "%.*s %.*s\n", NK_FMT(name), NK_FMT(address));
    }
    struct nk_str copy = out.error ? (struct nk_str){NULL, 0} : nk_arena_copy(a, nk_buf_str(&out));
    nk_buf_free(&out);
    return copy;
}

/* A machine without /etc/hosts is one with an empty one. */
static int load_hosts(struct load *l)
{
    struct nk_fault inner = {0};
    struct nk_str text, lines;
    if (access("/etc/hosts", F_OK))
        return 0;
    int rc = nk_file_read("/etc/hosts", HOSTS_BYTES, NK_FILE_PUBLIC, l->arena, &text, &inner);
    if (rc)
        return say(l, rc, "hosts", &inner);
    lines = nk_bundle_hosts(text, l->arena);
    return lines.p ? add(l, NK_STR("hosts"), lines, "hosts")
                   : nk_fault_set(l->fault, NK_ENOMEM, stage, 0, "hosts: out of memory");
}

static int make_directory(struct load *l, struct nk_str dir)
{
    struct stat st;
    if (mkdir(dir.p, 0700) && errno != EEXIST)
        return nk_fault_set(l->fault, NK_EIO, stage, 0, "audit.directory: %s: %s", dir.p,
                            strerror(errno));
    if (stat(dir.p, &st) || !S_ISDIR(st.st_mode))
        return nk_fault_set(l->fault, NK_EINVAL, stage, 0, "audit.directory: %s: not a directory",
                            dir.p);
    if (st.st_mode & 022)
        return nk_fault_set(l->fault, NK_EDENIED, stage, 0,
                            "audit.directory: others may write to %s; run: chmod go-w %s", dir.p,
                            dir.p);
    return 0;
}

/* A new seed, 64 hexadecimal digits. Another process may be first: then its key is the key. */
static int make_key(const char *path, struct nk_fault *f)
{
    unsigned char seed[NK_ED25519_KEY_SIZE];
    struct nk_buf text;
    nk_buf_init(&text, 128);
    if (getrandom(seed, sizeof seed, 0) != (ssize_t)sizeof seed)
        return nk_fault_set(f, NK_EIO, stage, 0, "no random bytes: %s", strerror(errno));
    nk_buf_add_hex(&text, seed, sizeof seed);
    nk_buf_add_char(&text, '\n');
    int rc = text.error ? text.error : nk_file_create(path, 0600, nk_buf_str(&text), f);
    nk_secret_wipe(seed, sizeof seed);
    if (text.p)
        nk_secret_wipe(text.p, text.n);
    nk_buf_free(&text);
    if (rc == NK_ECONFLICT)
        *f = (struct nk_fault){0};
    return rc == NK_ECONFLICT ? 0 : rc;
}

/* The public part is what `nakoso audit verify` trusts; it is written once and compared after. */
static int keep_public(struct load *l, const unsigned char *seed, struct nk_str path)
{
    unsigned char public_key[NK_ED25519_KEY_SIZE];
    struct nk_fault inner = {0};
    struct nk_buf text;
    struct nk_str have;
    int rc = nk_ed25519_public(seed, public_key);
    if (rc)
        return nk_fault_set(l->fault, rc, stage, 0, "audit.directory: the key is not usable");
    nk_buf_init(&text, 1024);
    nk_checkpoint_key(l->config->audit_origin, public_key, &text);
    nk_buf_add_char(&text, '\n');
    rc = text.error ? text.error : nk_file_create(path.p, 0644, nk_buf_str(&text), &inner);
    if (rc == NK_ECONFLICT) {
        inner = (struct nk_fault){0};
        rc = nk_file_read(path.p, 4096, NK_FILE_PUBLIC, l->arena, &have, &inner);
        if (!rc && !nk_str_eq(have, nk_buf_str(&text)))
            rc = nk_fault_set(&inner, NK_ECONFLICT, stage, 0,
                              "%s is of another key or audit.origin; a log keeps both for life: "
                              "name another directory for a new log",
                              path.p);
    }
    nk_buf_free(&text);
    return rc ? say(l, rc, "audit.directory", &inner) : 0;
}

static int load_audit(struct load *l)
{
    struct nk_str dir = l->config->audit, text;
    struct nk_fault inner = {0};
    int rc = make_directory(l, dir);
    struct nk_str path = nk_arena_printf(l->arena, "%.*s/key", NK_FMT(dir));
    struct nk_str public_path = nk_arena_printf(l->arena, "%.*s/key.pub", NK_FMT(dir));
    char *seed = nk_arena_alloc(l->arena, NK_ED25519_KEY_SIZE);
    if (rc)
        return rc;
    if (!path.p || !public_path.p || !seed)
        return nk_fault_set(l->fault, NK_ENOMEM, stage, 0, "audit.directory: out of memory");
    if (access(path.p, F_OK))
        rc = make_key(path.p, &inner);
    if (!rc)
        rc = nk_file_read(path.p, 128, NK_FILE_SECRET, l->arena, &text, &inner);
    if (rc)
        return say(l, rc, "audit.directory", &inner);
    rc = text.n == 2 * NK_ED25519_KEY_SIZE + 1
             ? nk_hex_decode(nk_str_sub(text, 0, text.n - 1), seed, NK_ED25519_KEY_SIZE)
             : NK_EINVAL;
    nk_secret_wipe((char *)(uintptr_t)text.p, text.n);
    if (rc)
        return nk_fault_set(l->fault, rc, stage, 0,
                            "audit.directory: %s is not a key (64 hexadecimal digits and a line "
                            "end); restore it from a backup",
                            path.p);
    rc = keep_public(l, (unsigned char *)seed, public_path);
    return rc ? rc
              : add(l, NK_STR("audit/key"), (struct nk_str){seed, NK_ED25519_KEY_SIZE},
                    "audit.directory");
}

static int load_config(struct load *l)
{
    struct nk_buf json;
    nk_buf_init(&json, (size_t)8 << 20);
    nk_config_write(l->config, &json);
    struct nk_str copy =
        json.error ? (struct nk_str){NULL, 0} : nk_arena_copy(l->arena, nk_buf_str(&json));
    nk_buf_free(&json);
    return add(l, copy.p ? NK_STR("config") : copy, copy, "config");
}

int nk_bundle_load(const char *file, struct nk_arena *a, struct nk_bundle *out, struct nk_fault *f)
{
    static int (*const steps[])(struct load *) = {
        load_config,   load_policies, load_stores,    load_identity,  load_signing, load_tokens,
        load_sessions, load_tls,      load_upstreams, load_telemetry, load_hosts,   load_audit};
    struct nk_config config;
    struct nk_fault inner = {0};
    *out = (struct nk_bundle){.count = 0};
    int rc = nk_config_load(file, a, &config, f);
    if (rc)
        return rc;
    struct load l = {a, &config, out, &inner};
    for (size_t i = 0; i < NK_COUNT(steps) && !rc; i++)
        rc = steps[i](&l);
    if (!rc)
        return 0;
    nk_bundle_wipe(out);
    *out = (struct nk_bundle){.count = 0};
    return nk_fault_set(f, rc, stage, 0, "%s: %s", file, inner.message);
}
