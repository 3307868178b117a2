/* A plain TCP client: what the specs speak raw protocols with, and probes of the command line. */
#ifndef PL_DRIVERS_TCP_H
#define PL_DRIVERS_TCP_H

#include "base/buf.h"
#include "loop/loop.h"

struct pl_tcp;

/* Reading ends at the first of: `most` bytes, the text `until`, the peer's end, the deadline. What
 * was read by then is in pl_tcp_input; an op that ended by the peer's end has the code "closed". */
struct pl_tcp *pl_tcp_new(struct pl_loop *loop);
void pl_tcp_close(
    struct pl_tcp *tcp); /* ends pending ops with "closed", frees when they are gone */

/* Each starts an op; one connect or read and any number of writes may be pending. `host` is
 * numeric. NULL with `err` when it cannot begin. */
struct pl_op *pl_tcp_connect(struct pl_tcp *tcp, const char *host, int port, struct pl_owner *owner,
                             uint64_t deadline_ns, struct pl_err *err);
struct pl_op *pl_tcp_write(struct pl_tcp *tcp, const char *data, size_t len, struct pl_owner *owner,
                           uint64_t deadline_ns, struct pl_err *err);
struct pl_op *pl_tcp_read(struct pl_tcp *tcp, size_t most, const char *until,
                          struct pl_owner *owner, uint64_t deadline_ns, struct pl_err *err);

/* Everything read and not yet consumed; how much the last read was for. */
struct pl_buf *pl_tcp_input(struct pl_tcp *tcp);
size_t pl_tcp_found(const struct pl_tcp *tcp);

/* The client of an op that one of the above has started. */
struct pl_tcp *pl_tcp_of(struct pl_op *op);

#endif
