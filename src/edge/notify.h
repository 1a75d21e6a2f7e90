/* SPDX-License-Identifier: Apache-2.0
 *
 * notify.h - tells a service manager what this process is doing: sd_notify(3) as a datagram to
 * $NOTIFY_SOCKET, e.g. "READY=1". Does nothing when there is no such variable.
 */
#pragma once

void nk_notify(const char *state);
