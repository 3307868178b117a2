/* One HTTP/1.x request as it was read: strict framing (RFC 9112) over llhttp.
 *
 * The parser takes the head only when it is complete, checks its lines itself (length, number, bare
 * CR or LF, folding) and lets llhttp take it apart; the body is fed as it comes. Whatever two
 * implementations could read differently is refused, because a proxy in front may be the other one:
 * two lengths, a length with chunked, other transfer codings, two hosts. */
#ifndef PL_DRIVERS_HTTP_REQUEST_H
#define PL_DRIVERS_HTTP_REQUEST_H

#include "base/buf.h"

#include <llhttp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pl_http_limits {
    uint32_t line_bytes; /* request line */
    uint32_t head_bytes; /* request line and headers */
    uint32_t head_lines; /* headers */
    uint64_t body_bytes;
};

#define PL_HTTP_LIMITS_DEFAULT                                                                     \
    {                                                                                              \
        .line_bytes = 8192, .head_bytes = 16384, .head_lines = 100, .body_bytes = 1 << 20          \
    }

struct pl_http_field {
    uint32_t name, name_len, value, value_len; /* in `head` */
};

enum pl_http_progress {
    PL_HTTP_NEED_MORE,
    PL_HTTP_HEAD_DONE, /* the head was accepted; a body follows */
    PL_HTTP_COMPLETE,
    PL_HTTP_REFUSED, /* status and detail say why; nothing more may be parsed on this connection */
};

struct pl_http_request_data {
    llhttp_t parser;
    const struct pl_http_limits *limits;
    struct pl_buf head; /* request line and headers as they came */
    struct pl_http_field fields[100];
    uint32_t fields_len;
    uint32_t target, target_len; /* in `head` */
    struct pl_buf body;
    bool head_done, complete;
    bool keep_alive;
    bool expects_continue;
    uint8_t minor; /* HTTP/1.minor */
    int status;    /* when refused */
    const char *detail;
};

void pl_http_request_init(struct pl_http_request_data *r, const struct pl_http_limits *limits);
void pl_http_request_reset(struct pl_http_request_data *r); /* for the next one, keeps memory */
void pl_http_request_free(struct pl_http_request_data *r);

/* Takes from `data`; *used says how many bytes belong to this request. While the head is incomplete
 * nothing is taken (0) and the caller keeps the bytes. */
enum pl_http_progress pl_http_request_feed(struct pl_http_request_data *r, const char *data,
                                           size_t len, size_t *used);

const char *pl_http_request_method(const struct pl_http_request_data *r);

/* The first field of this name (case is ignored); NULL when there is none. */
const struct pl_http_field *pl_http_request_field(const struct pl_http_request_data *r,
                                                  const char *name, size_t len);

/* How many fields have this name (case is ignored). */
uint32_t pl_http_request_count(const struct pl_http_request_data *r, const char *name, size_t len);

#endif
