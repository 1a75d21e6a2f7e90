/* SPDX-License-Identifier: Apache-2.0
 *
 * eventstream.h - AWS event-stream framing (application/vnd.amazon.eventstream; smithy.io/2.0/aws/
 * amazon-eventstream.html): messages of typed headers and a payload, each with the CRC-32 of its prelude and of
 * itself. Written whole, and read from pieces of any size, strictly and under limits.
 *
 *   u32 total length | u32 length of headers | u32 CRC of these 8 bytes | headers | payload | u32 CRC of all before
 *   header: u8 length of name | name | u8 type | value (bytes and strings behind a u16 length); big-endian
 */
#pragma once

#include "base/buf.h"

enum {
    NK_EVENTSTREAM_HEADERS = 32,             /* headers of one message */
    NK_EVENTSTREAM_HEADER_BYTES = 128 << 10, /* all headers of one message */
    NK_EVENTSTREAM_VALUE = 32767,            /* bytes of a header's value */
    NK_EVENTSTREAM_OVERHEAD = 16, /* bytes of a message that has neither headers nor payload */
    NK_EVENTSTREAM_PAYLOAD = (24 << 20) - 16, /* bytes of a payload */
};

/* Types of header values, by their number on the wire. */
enum nk_eventstream_type {
    NK_EVENTSTREAM_TRUE,
    NK_EVENTSTREAM_FALSE,
    NK_EVENTSTREAM_BYTE,
    NK_EVENTSTREAM_SHORT,
    NK_EVENTSTREAM_INT,
    NK_EVENTSTREAM_LONG,
    NK_EVENTSTREAM_BYTES,
    NK_EVENTSTREAM_STRING,
    NK_EVENTSTREAM_TIMESTAMP, /* milliseconds since 1970 */
    NK_EVENTSTREAM_UUID,      /* 16 bytes */
};

struct nk_eventstream_header {
    struct nk_str name; /* 1 to 255 bytes, UTF-8 */
    enum nk_eventstream_type type;
    int64_t number;      /* BYTE to LONG, TIMESTAMP */
    struct nk_str value; /* BYTES, STRING, UUID */
};

struct nk_eventstream_message {
    const struct nk_eventstream_header *headers;
    size_t header_count;
    struct nk_str payload;
};

/* Appends one message. NK_EINVAL: a name or value that the format cannot hold, or two headers of one name;
 * NK_ELIMIT: over the limits above; or the buffer's error. Nothing is appended then. */
int nk_eventstream_put(const struct nk_eventstream_message *m, struct nk_buf *out) NK_CHECKED;
/* Appends an event of a service: `:message-type` event, `:event-type`, `:content-type` application/json. What does not
 * fit is an error of the buffer. */
void nk_eventstream_put_event(struct nk_str type, struct nk_str json, struct nk_buf *out);
/* The same for a modelled exception ("validationException"), which ends a stream that has begun. */
void nk_eventstream_put_exception(struct nk_str type, struct nk_str json, struct nk_buf *out);

struct nk_eventstream {
    struct nk_buf pending; /* bytes fed; those before `consumed` are done with */
    size_t consumed;
    size_t max_message;
    struct nk_eventstream_header headers[NK_EVENTSTREAM_HEADERS]; /* of the last message */
};

/* max_message: the largest message in bytes, 16 or more. */
void nk_eventstream_init(struct nk_eventstream *s, size_t max_message);
void nk_eventstream_free(struct nk_eventstream *s);
/* Appends bytes of the stream, at most max_message at once; take all messages out before feeding more. NK_ELIMIT,
 * NK_ENOMEM. */
int nk_eventstream_feed(struct nk_eventstream *s, struct nk_str bytes,
                        struct nk_fault *f) NK_CHECKED;
/* The next whole message: 0; NK_EAGAIN when more bytes are needed; NK_ELIMIT (longer than max_message: said as soon
 * as its prelude is there); NK_EINVAL (stage "eventstream": a checksum, a length, an unknown type, a name that comes
 * twice, text that is not UTF-8); the stream is lost then. Views are valid until the next call on `s`. */
int nk_eventstream_next(struct nk_eventstream *s, struct nk_eventstream_message *out,
                        struct nk_fault *f) NK_CHECKED;
/* Bytes that are not yet a whole message. */
size_t nk_eventstream_pending(const struct nk_eventstream *s);
/* The text of a header of type STRING, or absent. */
struct nk_str nk_eventstream_text(const struct nk_eventstream_message *m, struct nk_str name);
