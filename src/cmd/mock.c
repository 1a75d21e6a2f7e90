/* SPDX-License-Identifier: Apache-2.0
 *
 * mock.c - `nakoso mock`: options, files, and the loop. See mock_script.h for the script.
 */
#include "cmd/mock.h"

#include <arpa/inet.h>
#include <string.h>
#include <unistd.h>
#include "cmd/mock_server.h"
#include "edge/file.h"
#include "edge/sock.h"

enum { SCRIPT_MAX = 4 << 20, SCRIPT_ARENA = 64 << 20 };

static int usage(void)
{
    fputs("usage: nakoso mock [--listen ADDRESS] [--script SCRIPT] [--log FILE]\n"
          "       nakoso mock --check SCRIPT\n"
          "\n"
          "Plays an OpenAI and Anthropic API. ADDRESS is \"127.0.0.1:9000\" (port 0: any) or\n"
          "\"unix:/path\"; the first line of output says where it listens. Without a script it\n"
          "echoes. The log gets one JSON object for each request, headers and body included.\n",
          stderr);
    return 2;
}

struct options {
    const char *address, *script, *log;
    bool check;
};

static bool options_read(int argc, char **argv, struct options *o)
{
    *o = (struct options){.address = "127.0.0.1:9000"};
    for (int i = 1; i < argc; i += 2) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (!value)
            return false;
        bool check = strcmp(argv[i], "--check") == 0;
        if (strcmp(argv[i], "--listen") == 0) {
            o->address = value;
        } else if (check || strcmp(argv[i], "--script") == 0) {
            o->check |= check;
            o->script = value;
        } else if (strcmp(argv[i], "--log") == 0) {
            o->log = value;
        } else {
            return false;
        }
    }
    return true;
}

static int script_load(const char *file, struct nk_arena *a, struct nk_mock_script *script)
{
    struct nk_str text = {NULL, 0};
    struct nk_fault f = {0};
    int r = file ? nk_file_read(file, SCRIPT_MAX, NK_FILE_PUBLIC, a, &text, &f) : 0;
    if (r) {
        fprintf(stderr, "nakoso mock: %s\n", f.message);
        return r;
    }
    r = nk_mock_script_parse(text, a, script, &f);
    if (r)
        fprintf(stderr, "%s:%zu: %s\n", file, f.offset, f.message);
    return r;
}

/* "127.0.0.1:40001": with port 0, the caller learns here which one it became. */
static void say_where(int fd, const char *address)
{
    struct sockaddr_in in;
    socklen_t size = sizeof in;
    char host[INET_ADDRSTRLEN];
    if (getsockname(fd, (struct sockaddr *)&in, &size) == 0 && in.sin_family == AF_INET &&
        inet_ntop(AF_INET, &in.sin_addr, host, sizeof host))
        printf("nakoso mock: listening on %s:%u\n", host, (unsigned)ntohs(in.sin_port));
    else
        printf("nakoso mock: listening on %s\n", address);
    fflush(stdout);
}

static int serve(const struct options *o, struct nk_mock_script *script)
{
    struct nk_fault f = {0};
    struct nk_address at;
    struct nk_mock_server s = {.script = script};
    if (nk_address_parse(nk_str(o->address), &at, &f) ||
        (s.listener.fd = nk_listen(&at, false, &f)) < 0) {
        fprintf(stderr, "nakoso mock: %s\n", f.message);
        return 1;
    }
    if (o->log && !(s.log = fopen(o->log, "a"))) {
        fprintf(stderr, "nakoso mock: %s cannot be written\n", o->log);
        close(s.listener.fd);
        return 1;
    }
    s.loop = nk_loop_new(NULL);
    int r = NK_ENOMEM;
    if (s.loop) {
        say_where(s.listener.fd, o->address);
        r = nk_mock_serve(&s);
    }
    nk_loop_free(s.loop);
    close(s.listener.fd);
    if (s.log)
        fclose(s.log);
    return r ? 1 : 0;
}

int nk_cmd_mock(int argc, char **argv)
{
    struct options o;
    struct nk_arena arena;
    struct nk_mock_script script;
    if (!options_read(argc, argv, &o))
        return usage();
    nk_arena_init(&arena, SCRIPT_ARENA);
    int status = script_load(o.script, &arena, &script) ? 1 : 0;
    if (!status && !o.check)
        status = serve(&o, &script);
    nk_arena_free(&arena);
    return status;
}
