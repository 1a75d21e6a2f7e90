/* SPDX-License-Identifier: Apache-2.0
 *
 * telemetry.h - the configuration of what is told to an OpenTelemetry collector.
 */
#pragma once

#include "base/str.h"

struct nk_config_header;

struct nk_config_telemetry {
    struct nk_str principal; /* none, id, hash */
    struct nk_str propagate; /* own, client, none */
    struct nk_str endpoint;  /* "http://127.0.0.1:4318"; absent: nothing is sent */
    struct nk_str ca;        /* PEM file of trusted authorities; absent: the system's */
    const struct nk_config_header *headers;
    size_t header_count;
    struct nk_str protocol; /* protobuf, json */
    bool no_traces, no_metrics, no_logs;
    int64_t sample;                            /* one trace in so many */
    int64_t interval, metrics_interval, queue; /* queue: bytes, for each of traces and logs */
};
