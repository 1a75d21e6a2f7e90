/* SPDX-License-Identifier: Apache-2.0
 *
 * clock.c - a wall clock that a test can move, linked into a nakoso of its own (--wrap=clock_gettime). What
 * libfaketime does needs files and variables that roles may not see; this one maps its file before main, so before
 * the role is confined: the file "clock" beside the program holds one int64_t, milliseconds to add. Without it time
 * is what it is. The monotonic clock stays as it is: that is the point.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

int __real_clock_gettime(clockid_t id, struct timespec *t);
int __wrap_clock_gettime(clockid_t id, struct timespec *t);

static const volatile int64_t *shift_ms;

__attribute__((constructor)) static void map_clock(void)
{
    char program[PATH_MAX], file[PATH_MAX + 8];
    ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    if (n <= 0)
        return;
    program[n] = 0;
    *strrchr(program, '/') = 0;
    snprintf(file, sizeof file, "%s/clock", program);
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    void *p = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof *shift_ms, PROT_READ, MAP_SHARED, fd, 0);
    shift_ms = p == MAP_FAILED ? NULL : p;
    if (fd >= 0)
        close(fd);
}

int __wrap_clock_gettime(clockid_t id, struct timespec *t)
{
    int rc = __real_clock_gettime(id, t);
    if (!rc && id == CLOCK_REALTIME && shift_ms)
        t->tv_sec += *shift_ms / 1000;
    return rc;
}
