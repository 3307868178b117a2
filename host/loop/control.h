/* One request to a control socket (loop/supervisor_control.c), for the command line. */
#ifndef PL_LOOP_CONTROL_H
#define PL_LOOP_CONTROL_H

#include "base/buf.h"
#include "loop/loop.h"

/* Connects to the unix socket at `path`, sends `json` (copied; one line) and waits for one line.
 * Returns an op of `owner`, NULL with `err` when the path is too long. Ends with "not_found" or
 * "connect" when nobody listens, "closed" when the host went before it answered. */
struct pl_op *pl_control_request(struct pl_loop *loop, struct pl_owner *owner, const char *path,
                                 const char *json, size_t len, uint64_t deadline_ns,
                                 struct pl_err *err);

/* The reply of an op that ended without error. */
const struct pl_buf *pl_control_reply(struct pl_op *op);

#endif
