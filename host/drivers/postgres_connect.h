/* One attempt to connect, in a thread of its own: names are resolved and TLS is negotiated there,
 * and the session is set up, so that the loop never waits. */
#ifndef PL_DRIVERS_POSTGRES_CONNECT_H
#define PL_DRIVERS_POSTGRES_CONNECT_H

#include "base/err.h"

#include <libpq-fe.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <uv.h>

struct pl_pg_attempt {
    /* set before the start */
    const char *url;
    bool unsafe_allowed;
    bool read_only;         /* refuse to write, in every transaction */
    uv_async_t *done_async; /* is sent when the attempt is over */
    /* results, once `done` is seen */
    PGconn *pg; /* NULL when it failed; then `err` says why */
    struct pl_err err;
    atomic_bool done;

    atomic_bool stop;
    uv_thread_t thread;
};

/* Makes the attempt in the caller's thread, and blocks it. -1 with a->err. */
int pl_pg_attempt_run(struct pl_pg_attempt *a);

/* -1 when no thread could be started. */
int pl_pg_attempt_start(struct pl_pg_attempt *a, struct pl_err *err);

/* Joins the thread. With `stop` the attempt is given up soon, and its connection is closed. */
void pl_pg_attempt_end(struct pl_pg_attempt *a, bool stop);

#endif
