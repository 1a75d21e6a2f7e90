/* SPDX-License-Identifier: Apache-2.0
 *
 * run.c - `nakoso run -c FILE`: the gateway, in the foreground. SIGHUP reloads, SIGUSR2 upgrades to
 * the binary that now has this one's name, SIGTERM and SIGINT let requests in flight finish and then
 * stop; the second one does not wait. `--adopt FD` is what an upgrade adds when the new binary takes
 * over.
 */
#include <stdlib.h>
#include <string.h>
#include "cmd/cmd.h"
#include "role/warden.h"

int nk_cmd_run(int argc, char **argv)
{
    struct nk_warden_options options = {0};
    if (argc == 5 && strcmp(argv[1], "-c") == 0 && strcmp(argv[3], "--adopt") == 0)
        return nk_warden_adopt(argv[2], (int)strtol(argv[4], NULL, 10));
    const char *file = nk_cmd_only_config(argc, argv);
    return file ? nk_warden_run(file, &options) : 2;
}
