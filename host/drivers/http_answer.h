/* Writing the head of an HTTP answer. */
#ifndef PL_DRIVERS_HTTP_ANSWER_H
#define PL_DRIVERS_HTTP_ANSWER_H

#include "base/buf.h"

#include <stdbool.h>

/* Appends the status line and the headers that the server owns (Date, and Connection when the
 * connection ends or an HTTP/1.0 client asked to keep it). */
void pl_http_put_head(struct pl_buf *out, int status, bool close, bool keep_alive_10);

/* Appends a complete answer with a problem document (RFC 9457) for a request that was refused
 * before anybody saw it; the connection is to be closed after it. */
void pl_http_put_problem(struct pl_buf *out, int status, const char *detail);

#endif
