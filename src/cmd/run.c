/* SPDX-License-Identifier: Apache-2.0
 *
 * run.c - `nakoso run -c FILE`: the gateway, in the foreground. SIGHUP reloads, SIGTERM and SIGINT
 * let requests in flight finish and then stop; the second one does not wait.
 */
#include "cmd/cmd.h"
#include "role/warden.h"

int nk_cmd_run(int argc, char **argv)
{
    struct nk_warden_options options = {0};
    const char *file = nk_cmd_only_config(argc, argv);
    return file ? nk_warden_run(file, &options) : 2;
}
