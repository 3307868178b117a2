/* PostgreSQL with group commit, over libpq's pipeline mode.
 *
 * A few writers and readers, each a connection of its own. Transactions that arrive while the
 * writers are busy are gathered; a writer that is free sends all of them as one transaction in one
 * flight, looks at every result, and commits: one fsync serves all. When one of a group fails, the
 * group is rolled back, the others go again without it, and it goes again alone: only what fails
 * alone is failed. A request is finished only when the server has confirmed the commit. Reads are
 * pipelined, each a transaction of its own.
 *
 * Connections are made in threads (names are resolved there) and made again when they are lost,
 * 50 to 500 ms after each failure. While no connection can take a request it is refused at once
 * with "unavailable", and so it is while the server has not said a word for `stall_ms` to what it
 * was asked. A commit whose answer was lost fails with "unavailable" too: whether it has
 * happened is not known, and whoever tries again must do so under the same keys. */
#ifndef PL_DRIVERS_POSTGRES_H
#define PL_DRIVERS_POSTGRES_H

#include "drivers/sql.h"

struct pl_postgres_config {
    const char *url;     /* a URI or key=value string of libpq, with all of its TLS options */
    int writers;         /* 1 to 16 */
    int readers;         /* 1 to 16 */
    uint32_t queue_max;  /* waiting transactions, and waiting reads; more are refused, "busy" */
    uint32_t group_max;  /* transactions in one commit */
    uint32_t stall_ms;   /* silence after which the server counts as away */
    bool unsafe_allowed; /* take a server that may lose what it has confirmed (fsync off) */
};

#define PL_POSTGRES_CONFIG_DEFAULT                                                                 \
    {                                                                                              \
        .writers = 2, .readers = 2, .queue_max = 4096, .group_max = 128, .stall_ms = 1000          \
    }

/* Starts to connect. Never fails: pl_postgres_wait tells how it went. */
struct pl_sql *pl_postgres_open(struct pl_loop *loop, const struct pl_postgres_config *config);

/* Starts an op that ends when the database can be used, or with why the first attempt failed:
 * "unavailable" (retryable), "permission", "not_found" (no such database), "unsafe" (fsync,
 * full_page_writes off), "invalid" (the URL). */
struct pl_op *pl_postgres_wait(struct pl_sql *db, struct pl_owner *owner, uint64_t deadline_ns);

#endif
