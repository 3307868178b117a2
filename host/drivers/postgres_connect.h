/* One attempt to connect, in a thread of its own: names are resolved and TLS is negotiated there,
 * and the session is set up, so that the loop never waits. */
#ifndef PL_DRIVERS_POSTGRES_CONNECT_H
#define PL_DRIVERS_POSTGRES_CONNECT_H

#include "base/err.h"

#include <libpq-fe.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <uv.h>

struct pl_pg_target {
    const char *url;
    bool unsafe_allowed;
    bool read_only; /* refuse to write, in every transaction */
    bool by_index;  /* plans that find rows by an index, one after the other, whatever they cost */
};

struct pl_pg_attempt {
    struct pl_pg_target target;
    PGconn *pg; /* NULL when it failed; then `err` says why */
    struct pl_err err;
    /* of one in a thread of its own */
    uv_async_t *done_async;
    uv_thread_t thread;
    atomic_int state;
    atomic_bool stop;
};

/* Makes the attempt in the caller's thread, and blocks it. -1 with a->err. */
int pl_pg_attempt_run(struct pl_pg_attempt *a);

/* Starts an attempt, with a copy of the target; `done` is sent when it is over. It belongs to the
 * caller, who ends it by take or by abandon. NULL when no thread could be started. */
struct pl_pg_attempt *pl_pg_attempt_start(const struct pl_pg_target *target, uv_async_t *done,
                                          struct pl_err *err);

bool pl_pg_attempt_over(struct pl_pg_attempt *a);

/* The connection of an attempt that is over, or NULL with `err`; frees the attempt. */
PGconn *pl_pg_attempt_take(struct pl_pg_attempt *a, struct pl_err *err);

/* Gives the attempt up without waiting for it: a thread that hangs in the resolver ends by itself,
 * and closes what it has got. Afterwards `done` is not sent any more. */
void pl_pg_attempt_abandon(struct pl_pg_attempt *a);

#endif
