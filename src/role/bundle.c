/* SPDX-License-Identifier: Apache-2.0
 *
 * bundle.c - the sealed memory file and its reader. Its form:
 *
 *     "NKBUNDL1"  u32 count  { u32 n, name, u32 n, bytes } × count      (little-endian)
 *
 * Sealed against writing and resizing before anybody else sees it; a reader accepts no other, so
 * the pages under its slices cannot change. See bundle.h; load.c fills a bundle from files.
 */
#include "role/bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/reader.h"

enum {
    BLOBS_MAX = 8192,
    NAME_MAX_BYTES = 512,
    SEALS = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE,
};

static const size_t bytes_max = (size_t)256 << 20;
static const char stage[] = "bundle";

/* Who may see what: the first line whose text is the blob's name, or its beginning where the text
 * ends with a slash. What stands nowhere is for nobody. */
static const struct {
    const char *name;
    unsigned roles;
    bool secret;
} rules[] = {
    {"config", NK_BUNDLE_ALL, false},
    {"policy/", NK_BUNDLE_GATE | NK_BUNDLE_SCRIBE, false},
    {"entities", NK_BUNDLE_GATE | NK_BUNDLE_SCRIBE, false},
    {"tools", NK_BUNDLE_GATE | NK_BUNDLE_SCRIBE, false},
    {"store/", NK_BUNDLE_GATE, false},
    {"schema", NK_BUNDLE_GATE, false},
    {"keys", NK_BUNDLE_GATE, false},
    {"sigv4", NK_BUNDLE_GATE, true},
    {"sessions", NK_BUNDLE_GATE, true},
    {"token/key", NK_BUNDLE_COURIER, true},
    {"token/jwks", NK_BUNDLE_GATE, false},
    {"jwks/", NK_BUNDLE_GATE, false},
    {"tls/", NK_BUNDLE_GATE, true},
    {"credential/", NK_BUNDLE_COURIER, true},
    {"oauth/", NK_BUNDLE_COURIER, true},
    {"ca/", NK_BUNDLE_COURIER, false},
    {"client/", NK_BUNDLE_COURIER, true},
    {"proxy", NK_BUNDLE_COURIER, true},
    {"proxy/", NK_BUNDLE_COURIER, true},
    {"telemetry/", NK_BUNDLE_COURIER, true},
    {"hosts", NK_BUNDLE_COURIER, false},
    {"variable/", NK_BUNDLE_RUNNER, true},
    {"audit/key", NK_BUNDLE_SCRIBE, true},
};

static unsigned roles_of(struct nk_str name, bool *secret)
{
    for (size_t i = 0; i < NK_COUNT(rules); i++) {
        struct nk_str rule = nk_str(rules[i].name);
        bool prefix = nk_str_ends(rule, NK_STR("/"));
        if (prefix ? nk_str_starts(name, rule) : nk_str_eq(name, rule)) {
            *secret = rules[i].secret;
            return rules[i].roles;
        }
    }
    *secret = true;
    return 0;
}

static bool name_ok(struct nk_str name)
{
    for (size_t i = 0; i < name.n; i++)
        if ((unsigned char)name.p[i] < 0x20 || name.p[i] == 0x7f)
            return false;
    return name.n > 0 && name.n <= NAME_MAX_BYTES;
}

struct nk_str nk_bundle_get(const struct nk_bundle *b, struct nk_str name)
{
    for (size_t i = 0; i < b->count; i++)
        if (nk_str_eq(b->blobs[i].name, name))
            return b->blobs[i].bytes;
    return (struct nk_str){NULL, 0};
}

int nk_bundle_add(struct nk_bundle *b, struct nk_arena *a, struct nk_str name, struct nk_str bytes)
{
    bool secret;
    if (!name_ok(name) || roles_of(name, &secret) == 0)
        return NK_EINVAL;
    if (b->count >= BLOBS_MAX)
        return NK_ELIMIT;
    if (nk_bundle_get(b, name).p)
        return NK_ECONFLICT;
    if ((b->count & (b->count - 1)) == 0) { /* full at each power of two */
        size_t room = b->count ? b->count * 2 : 1;
        struct nk_bundle_blob *more = nk_arena_array(a, room, sizeof *more);
        if (!more)
            return NK_ENOMEM;
        if (b->count)
            memcpy(more, b->blobs, b->count * sizeof *more);
        b->blobs = more;
    }
    if (!bytes.p)
        bytes = NK_STR("");
    b->blobs[b->count++] = (struct nk_bundle_blob){name, bytes};
    return 0;
}

void nk_bundle_wipe(struct nk_bundle *b)
{
    for (size_t i = 0; i < b->count; i++) {
        bool secret;
        (void)roles_of(b->blobs[i].name, &secret);
        if (!secret || b->map || b->blobs[i].bytes.n == 0)
            continue;
        nk_secret_wipe((char *)(uintptr_t)b->blobs[i].bytes.p, b->blobs[i].bytes.n);
        b->blobs[i].bytes = NK_STR("");
    }
}

static int write_all(int fd, const void *p, size_t n)
{
    for (size_t at = 0; at < n;) {
        ssize_t w = write(fd, (const char *)p + at, n - at);
        if (w < 0 && errno == EINTR)
            continue;
        if (w <= 0)
            return NK_EIO;
        at += (size_t)w;
    }
    return 0;
}

static int write_u32(int fd, size_t v)
{
    unsigned char b[4] = {(unsigned char)v, (unsigned char)(v >> 8), (unsigned char)(v >> 16),
                          (unsigned char)(v >> 24)};
    return v > UINT32_MAX ? NK_ELIMIT : write_all(fd, b, sizeof b);
}

static int write_str(int fd, struct nk_str s)
{
    int rc = write_u32(fd, s.n);
    return rc ? rc : write_all(fd, s.p, s.n);
}

static int write_blobs(int fd, const struct nk_bundle *b, unsigned for_roles)
{
    size_t count = 0, total = 0;
    bool secret;
    for (size_t i = 0; i < b->count; i++) {
        count += (roles_of(b->blobs[i].name, &secret) & for_roles) != 0;
        total += b->blobs[i].name.n + b->blobs[i].bytes.n + 8;
    }
    if (total > bytes_max - 12)
        return NK_ELIMIT;
    int rc = write_all(fd, "NKBUNDL1", 8);
    if (!rc)
        rc = write_u32(fd, count);
    for (size_t i = 0; i < b->count && !rc; i++) {
        if (!(roles_of(b->blobs[i].name, &secret) & for_roles))
            continue;
        rc = write_str(fd, b->blobs[i].name);
        if (!rc)
            rc = write_str(fd, b->blobs[i].bytes);
    }
    return rc;
}

int nk_bundle_seal(const struct nk_bundle *b, unsigned for_roles)
{
    int fd = memfd_create("nakoso-bundle", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return NK_EIO;
    int rc = write_blobs(fd, b, for_roles);
    if (!rc && (fchmod(fd, 0400) || fcntl(fd, F_ADD_SEALS, SEALS)))
        rc = NK_EIO;
    if (rc) {
        close(fd);
        return rc;
    }
    return fd;
}

static int read_blobs(struct nk_str in, struct nk_arena *a, struct nk_bundle *out,
                      struct nk_fault *f)
{
    struct nk_reader r = nk_reader(in);
    if (!nk_str_eq(nk_read_bytes(&r, 8), NK_STR("NKBUNDL1")))
        return nk_fault_set(f, NK_EINVAL, stage, 0, "not a bundle");
    uint32_t count = nk_read_u32le(&r);
    if (count > BLOBS_MAX)
        return nk_fault_set(f, NK_ELIMIT, stage, 8, "%u blobs; at most %d", count, BLOBS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        size_t at = r.at;
        struct nk_str name = nk_read_str32(&r), bytes = nk_read_str32(&r);
        if (r.error)
            return nk_fault_set(f, NK_EINVAL, stage, at, "blob %u goes past the end", i);
        int rc = nk_bundle_add(out, a, name, bytes);
        if (rc)
            return nk_fault_set(f, rc, stage, at, "blob %u: %s", i,
                                rc == NK_ECONFLICT ? "its name is there twice"
                                : rc == NK_EINVAL  ? "not a name that a bundle may have"
                                                   : "out of memory");
    }
    if (nk_read_left(&r))
        return nk_fault_set(f, NK_EINVAL, stage, r.at, "%zu bytes behind the last blob",
                            nk_read_left(&r));
    return 0;
}

int nk_bundle_open(int fd, struct nk_arena *a, struct nk_bundle *out, struct nk_fault *f)
{
    struct stat st;
    *out = (struct nk_bundle){.count = 0};
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || (seals & SEALS) != SEALS)
        return nk_fault_set(f, NK_EDENIED, stage, 0, "descriptor %d is not a sealed bundle", fd);
    if (fstat(fd, &st))
        return nk_fault_set(f, NK_EIO, stage, 0, "fstat: %s", strerror(errno));
    if (st.st_size < 12 || (uint64_t)st.st_size > bytes_max)
        return nk_fault_set(f, NK_ELIMIT, stage, 0, "a bundle of %lld bytes",
                            (long long)st.st_size);
    size_t n = (size_t)st.st_size;
    void *map = mmap(NULL, n, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED)
        return nk_fault_set(f, NK_EIO, stage, 0, "mmap: %s", strerror(errno));
    (void)madvise(map, n, MADV_DONTDUMP);
    out->map = map;
    out->map_bytes = n;
    int rc = read_blobs((struct nk_str){map, n}, a, out, f);
    if (rc)
        nk_bundle_unmap(out);
    return rc;
}

void nk_bundle_unmap(struct nk_bundle *b)
{
    if (b->map)
        munmap(b->map, b->map_bytes);
    *b = (struct nk_bundle){.count = 0};
}
