/* SPDX-License-Identifier: Apache-2.0
 *
 * bundle.c - a configuration with all its files is read, sealed and opened again; each role sees
 * its part and nothing else; open modes, missing files and damaged bundles are refused.
 */
#include "tap.h"

#include <fcntl.h>
#include <ftw.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "role/bundle.h"

static struct nk_arena arena;
static char dir[64];

static const char *at(const char *name)
{
    static char path[4][256];
    static int turn;
    char *p = path[turn++ % 4];
    snprintf(p, sizeof path[0], "%s/%s", dir, name);
    return p;
}

static void put(const char *name, const char *text, mode_t mode)
{
    FILE *f = fopen(at(name), "w");
    NK_MUST(f && fputs(text, f) >= 0 && !fclose(f) && !chmod(at(name), mode));
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *w)
{
    (void)st, (void)type, (void)w;
    return remove(path);
}

static const char yaml[] =
    "listen:\n"
    "  - {address: 127.0.0.1:8443, tls_certificate: cert.pem, tls_key: key.pem}\n"
    "  - address: 127.0.0.1:8444\n"
    "    certificates: [{certificate: cert.pem, key: key.pem},\n"
    "                   {certificate: cert.pem, key: other.pem, ocsp: ocsp.der}]\n"
    "    client_ca: ca.pem\n"
    "    client_crl: crl.pem\n"
    "upstreams:\n"
    "  - {name: a, dialect: openai, url: https://a.example, credential: file:a.key, ca: ca.pem}\n"
    "  - {name: b, dialect: openai, url: https://b.example, credential: env:NAKOSO_TEST_KEY,\n"
    "     client_certificate: cert.pem, client_key: mine.pem, proxy_credential: file:b.proxy}\n"
    "proxy: http://127.0.0.1:3128\n"
    "proxy_credential: file:proxy\n"
    "models:\n"
    "  - {name: m, upstream: a}\n"
    "identity:\n"
    "  keys: keys.txt\n"
    "  issuers:\n"
    "    - {issuer: far, audience: x, jwks: https://far.example/jwks}\n"
    "    - {issuer: near, audience: x, jwks: file:jwks.json}\n"
    "policy: {entities: entities.json}\n";

static void make_files(void)
{
    put("nakoso.yaml", yaml, 0644);
    put("cert.pem", "-----BEGIN CERTIFICATE-----\n", 0644);
    put("key.pem", "-----BEGIN PRIVATE KEY-----\n", 0600);
    put("other.pem", "-----BEGIN PRIVATE KEY-----\nother\n", 0600);
    put("mine.pem", "-----BEGIN PRIVATE KEY-----\nmine\n", 0600);
    put("ocsp.der", "der", 0644);
    put("crl.pem", "-----BEGIN X509 CRL-----\n", 0644);
    put("proxy", "me:secret-of-proxy\n", 0600);
    put("b.proxy", "b:secret-of-b-proxy\n", 0600);
    put("ca.pem", "-----BEGIN CERTIFICATE-----\n", 0644);
    put("a.key", "secret-of-a\n", 0600);
    put("keys.txt", "digest\n", 0644);
    put("jwks.json", "{\"keys\":[]}", 0644);
    put("entities.json", "[]", 0644);
    if (mkdir(at("policy"), 0755) == 0) {
        put("policy/b.cedar", "// b", 0644);
        put("policy/a.cedar", "// a", 0644);
        put("policy/.draft.cedar", "// hidden", 0644);
        put("policy/readme.md", "no policy", 0644);
    }
    setenv("NAKOSO_TEST_KEY", "secret-of-b", 1);
}

static bool has(const struct nk_bundle *b, const char *name, const char *text)
{
    struct nk_str got = nk_bundle_get(b, nk_str(name));
    return got.p && nk_str_eq(got, nk_str(text));
}

static bool is_absent(const struct nk_bundle *b, const char *name)
{
    return nk_bundle_get(b, nk_str(name)).p == NULL;
}

static bool has_audit_key(const struct nk_bundle *b)
{
    return nk_bundle_get(b, NK_STR("audit/key")).n == 32;
}

static void check_load(struct nk_bundle *b)
{
    struct nk_fault f = {0};
    struct stat st;
    int rc = nk_bundle_load(at("nakoso.yaml"), &arena, b, &f);
    tap_ok(rc == 0, "a configuration and all its files are read %s", f.message);
    TAP_CHECK(has(b, "policy/a.cedar", "// a") && has(b, "policy/b.cedar", "// b"));
    TAP_CHECK(is_absent(b, "policy/.draft.cedar") && is_absent(b, "policy/readme.md"));
    TAP_CHECK(has(b, "entities", "[]") && has(b, "keys", "digest\n"));
    TAP_CHECK(has(b, "jwks/1", "{\"keys\":[]}") && is_absent(b, "jwks/0"));
    TAP_CHECK(has(b, "tls/0/0/key", "-----BEGIN PRIVATE KEY-----\n") && is_absent(b, "tls/0/ca"));
    TAP_CHECK(has(b, "tls/1/1/key", "-----BEGIN PRIVATE KEY-----\nother\n") &&
              has(b, "tls/1/1/ocsp", "der") && is_absent(b, "tls/1/0/ocsp"));
    TAP_CHECK(has(b, "tls/1/crl", "-----BEGIN X509 CRL-----\n") && !is_absent(b, "tls/1/ca"));
    TAP_CHECK(has(b, "client/1/key", "-----BEGIN PRIVATE KEY-----\nmine\n") &&
              !is_absent(b, "client/1/cert") && is_absent(b, "client/0/key"));
    TAP_CHECK(has(b, "proxy", "me:secret-of-proxy") && has(b, "proxy/1", "b:secret-of-b-proxy"));
    TAP_CHECK(has(b, "credential/0", "secret-of-a") && has(b, "credential/1", "secret-of-b"));
    TAP_CHECK(has(b, "ca/0", "-----BEGIN CERTIFICATE-----\n") && is_absent(b, "ca/1"));
    TAP_CHECK(nk_str_starts(nk_bundle_get(b, NK_STR("config")), NK_STR("{\"listen\":[{")));
    TAP_CHECK(has_audit_key(b));
    TAP_CHECK(stat(at("audit/key"), &st) == 0 && (st.st_mode & 0777) == 0600 && st.st_size == 65);
    TAP_CHECK(stat(at("audit/key.pub"), &st) == 0 && (st.st_mode & 0777) == 0644);
    TAP_CHECK(stat(at("audit"), &st) == 0 && (st.st_mode & 0777) == 0700);
}

static void check_same_key(const struct nk_bundle *first)
{
    struct nk_bundle again;
    struct nk_fault f = {0};
    int rc = nk_bundle_load(at("nakoso.yaml"), &arena, &again, &f);
    TAP_CHECK(rc == 0 && nk_str_eq(nk_bundle_get(first, NK_STR("audit/key")),
                                   nk_bundle_get(&again, NK_STR("audit/key"))));
    TAP_CHECK(
        nk_str_eq(nk_bundle_get(first, NK_STR("config")), nk_bundle_get(&again, NK_STR("config"))));
}

static bool opens(const struct nk_bundle *b, unsigned roles, struct nk_bundle *out)
{
    struct nk_fault f = {0};
    int fd = nk_bundle_seal(b, roles);
    if (fd < 0)
        return false;
    int rc = nk_bundle_open(fd, &arena, out, &f);
    bool sealed = write(fd, "x", 1) < 0 && ftruncate(fd, 0) < 0;
    close(fd);
    return rc == 0 && sealed;
}

/* Does that text stand anywhere in the part? */
static bool holds(const struct nk_bundle *part, const char *text)
{
    for (size_t i = 0; i < part->count; i++)
        if (nk_str_search(part->blobs[i].bytes, nk_str(text)) >= 0)
            return true;
    return false;
}

/* Each secret is in the part of one role: this one's. */
static void check_secrets(const struct nk_bundle *b)
{
    static const struct {
        const char *text;
        unsigned role;
    } secrets[] = {{"-----BEGIN PRIVATE KEY-----\nother", NK_BUNDLE_GATE},
                   {"-----BEGIN PRIVATE KEY-----\nmine", NK_BUNDLE_COURIER},
                   {"secret-of-a", NK_BUNDLE_COURIER},
                   {"secret-of-proxy", NK_BUNDLE_COURIER},
                   {"secret-of-b-proxy", NK_BUNDLE_COURIER}};
    static const unsigned roles[] = {NK_BUNDLE_GATE, NK_BUNDLE_COURIER, NK_BUNDLE_SCRIBE};
    for (size_t r = 0; r < NK_COUNT(roles); r++) {
        struct nk_bundle part;
        if (!TAP_CHECK(opens(b, roles[r], &part)))
            continue;
        for (size_t i = 0; i < NK_COUNT(secrets); i++)
            tap_ok(holds(&part, secrets[i].text) == (secrets[i].role == roles[r]),
                   "role %u and secret %zu", roles[r], i);
        TAP_CHECK(holds(&part, "PRIVATE KEY") == (roles[r] != NK_BUNDLE_SCRIBE));
        nk_bundle_unmap(&part);
    }
}

static void check_parts(const struct nk_bundle *b)
{
    struct nk_bundle part;
    if (TAP_CHECK(opens(b, NK_BUNDLE_GATE, &part))) {
        TAP_CHECK(part.count == 15);
        TAP_CHECK(has(&part, "policy/b.cedar", "// b") && has(&part, "keys", "digest\n"));
        TAP_CHECK(is_absent(&part, "credential/0") && is_absent(&part, "audit/key"));
        nk_bundle_unmap(&part);
    }
    if (TAP_CHECK(opens(b, NK_BUNDLE_COURIER, &part))) {
        TAP_CHECK(has(&part, "credential/1", "secret-of-b") && !is_absent(&part, "ca/0"));
        TAP_CHECK(is_absent(&part, "keys") && is_absent(&part, "tls/0/0/key"));
        TAP_CHECK(is_absent(&part, "policy/a.cedar") && is_absent(&part, "audit/key"));
        nk_bundle_unmap(&part);
    }
    if (TAP_CHECK(opens(b, NK_BUNDLE_SCRIBE, &part))) {
        TAP_CHECK(has_audit_key(&part) && has(&part, "policy/a.cedar", "// a"));
        TAP_CHECK(is_absent(&part, "keys") && is_absent(&part, "credential/0"));
        nk_bundle_unmap(&part);
    }
}

static void check_wipe(struct nk_bundle *b)
{
    const char *secret = nk_bundle_get(b, NK_STR("credential/0")).p;
    static const char zero[11];
    nk_bundle_wipe(b);
    TAP_CHECK(secret && memcmp(secret, zero, sizeof zero) == 0);
    TAP_CHECK(nk_bundle_get(b, NK_STR("credential/0")).n == 0);
    TAP_CHECK(has(b, "policy/a.cedar", "// a"));
}

/* The message of a load that must fail, with `name` replaced by that text and mode. */
static void refused(const char *name, const char *text, mode_t mode, const char *message)
{
    struct nk_bundle b;
    struct nk_fault f = {0};
    make_files();
    if (text)
        put(name, text, mode);
    else
        unlink(at(name));
    int rc = nk_bundle_load(at("nakoso.yaml"), &arena, &b, &f);
    bool good = rc < 0 && b.count == 0 && strstr(f.message, message);
    tap_ok(good, "%s %s: refused with \"%s\"", name, text ? "changed" : "missing", message);
    if (!good)
        printf("# found %s\n", f.message);
}

static void check_refusals(void)
{
    refused("a.key", "secret\n", 0640, "upstreams[0].credential: ");
    refused("a.key", "secret\n", 0640, "run: chmod 600 ");
    refused("a.key", "two words\n", 0600, "a space, line break or special character at byte 3");
    refused("a.key", "\n", 0600, "upstreams[0].credential: the secret is empty");
    refused("a.key", NULL, 0, "No such file or directory");
    refused("key.pem", "-----BEGIN PRIVATE KEY-----\n", 0604, "listen[0].tls_key: ");
    refused("key.pem", "nothing\n", 0600, "holds no \"PRIVATE KEY-----\"");
    refused("cert.pem", "nothing\n", 0644, "listen[0].tls_certificate: ");
    refused("other.pem", "nothing\n", 0600, "listen[1].certificates[1].key: ");
    refused("ocsp.der", NULL, 0, "listen[1].certificates[1].ocsp: ");
    refused("crl.pem", "nothing\n", 0644, "listen[1].client_crl: ");
    refused("mine.pem", "-----BEGIN PRIVATE KEY-----\n", 0640, "upstreams[1].client_key: ");
    refused("proxy", "a b\n", 0600, "proxy_credential: ");
    refused("b.proxy", NULL, 0, "upstreams[1].proxy_credential: ");
    refused("keys.txt", "digest\n", 0666, "identity.keys: ");
    refused("keys.txt", "digest\n", 0666, "run: chmod o-w ");
    refused("policy/a.cedar", "// a", 0666, "policy.directory: ");
    put("policy/a.cedar", "// a", 0644);
    refused("jwks.json", NULL, 0, "identity.issuers[1].jwks: ");
    refused("entities.json", NULL, 0, "policy.entities: ");
    refused("nakoso.yaml", "listen: [", 0644, "nakoso.yaml:2:1: this is not YAML");
    refused("nakoso.yaml", yaml, 0666, "anybody may change this file");
    refused("audit/key", "short\n", 0600, "is not a key (64 hexadecimal digits and a line end)");
    refused("audit/key", "00000000000000000000000000000000000000000000000000000000000000aa\n", 0600,
            "is of another key or audit.origin");
    unlink(at("audit/key"));
    unlink(at("audit/key.pub"));
    chmod(at("audit"), 0777);
    refused("audit/key", NULL, 0, "others may write to ");
    chmod(at("audit"), 0700);
    unsetenv("NAKOSO_TEST_KEY");
    struct nk_bundle b;
    struct nk_fault f = {0};
    TAP_CHECK(nk_bundle_load(at("nakoso.yaml"), &arena, &b, &f) == NK_ENOTFOUND);
    TAP_CHECK(strstr(f.message, "the environment variable NAKOSO_TEST_KEY is not set"));
}

/* Opens `n` bytes as a bundle; `seal` as a role would want it. */
static int open_bytes(const void *p, size_t n, bool seal, struct nk_bundle *out)
{
    int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    NK_MUST(fd >= 0 && write(fd, p, n) == (ssize_t)n);
    if (seal)
        NK_MUST(!fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE));
    int rc = nk_bundle_open(fd, &arena, out, NULL);
    close(fd);
    return rc;
}

static void check_damage(void)
{
    static const char good[] = "NKBUNDL1\2\0\0\0"
                               "\4\0\0\0keys\1\0\0\0k"
                               "\5\0\0\0hosts\0\0\0\0";
    struct nk_bundle b;
    size_t n = sizeof good - 1, short_ones = 0;
    TAP_CHECK(open_bytes(good, n, true, &b) == 0 && has(&b, "keys", "k") && has(&b, "hosts", ""));
    nk_bundle_unmap(&b);
    TAP_CHECK(open_bytes(good, n, false, &b) == NK_EDENIED);
    for (size_t i = 0; i < n; i++)
        short_ones += open_bytes(good, i, true, &b) < 0 && b.count == 0 && !b.map;
    tap_ok(short_ones == n, "a bundle cut off anywhere is refused");
    TAP_CHECK(open_bytes(good, n + 1, true, &b) == NK_EINVAL);
    TAP_CHECK(open_bytes("NKBUNDL1\1\0\0\0\4\0\0\0kexs\0\0\0\0", 24, true, &b) == NK_EINVAL);
    TAP_CHECK(open_bytes("NKBUNDL1\2\0\0\0\4\0\0\0keys\0\0\0\0\4\0\0\0keys\0\0\0\0", 36, true,
                         &b) == NK_ECONFLICT);
    TAP_CHECK(open_bytes("NKBUNDL1\xff\xff\xff\xff\4\0\0\0keys\0\0\0\0", 24, true, &b) ==
              NK_ELIMIT);
    int pipes[2];
    NK_MUST(!pipe(pipes));
    TAP_CHECK(nk_bundle_open(pipes[0], &arena, &b, NULL) == NK_EDENIED);
    close(pipes[0]);
    close(pipes[1]);
}

static void check_hosts(void)
{
    struct nk_str got = nk_bundle_hosts(NK_STR("# names\n127.0.0.1\tlocalhost a # b\n\n"
                                               "::1 localhost\r\n10.0.0.1\n  10.0.0.2   vllm  "),
                                        &arena);
    TAP_CHECK(nk_str_eq(got, NK_STR("localhost 127.0.0.1\na 127.0.0.1\nlocalhost ::1\n"
                                    "vllm 10.0.0.2\n")));
}

int main(void)
{
    struct nk_bundle b;
    const char *tmp = getenv("TMPDIR");
    snprintf(dir, sizeof dir, "%s/nakoso-bundle-XXXXXX", tmp && strlen(tmp) < 30 ? tmp : "/tmp");
    NK_MUST(mkdtemp(dir));
    nk_arena_init(&arena, (size_t)64 << 20);
    make_files();
    check_load(&b);
    check_same_key(&b);
    check_secrets(&b);
    check_parts(&b);
    check_wipe(&b);
    check_refusals();
    check_damage();
    check_hosts();
    nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    nk_arena_free(&arena);
    return tap_done();
}
