/* SQLite with group commit.
 *
 * One writer thread owns the writing connection. Transactions that arrive while it is busy are
 * gathered and committed together: each in a savepoint of its own, so that one that fails takes
 * nobody with it, and one COMMIT, so that one fsync serves all. A transaction is finished only when
 * its data is on disk (WAL, synchronous=FULL), but for a scratch database. Readers are threads with
 * connections of their own.
 */
#ifndef PL_DRIVERS_SQLITE_H
#define PL_DRIVERS_SQLITE_H

#include "drivers/sql.h"

struct pl_sqlite_config {
    const char *path;
    int readers;        /* 1 to 16 */
    uint32_t queue_max; /* waiting transactions; more are refused with "busy" */
    uint32_t group_max; /* transactions in one commit */
    int busy_ms;        /* how long another process may hold the write lock */
    bool create;        /* make the file when it is missing */
    bool scratch;       /* it goes with the process: nothing waits for the disk */
    uint32_t pages_max; /* cap of the file in pages of 4 KiB; 0: none. For tests of a full disk */
};

#define PL_SQLITE_CONFIG_DEFAULT                                                                   \
    {                                                                                              \
        .readers = 2, .queue_max = 4096, .group_max = 512, .busy_ms = 5000, .create = true         \
    }

/* Opens (and checks) the database; blocks for the file system. Codes: io, corrupt, permission,
 * busy. Closing it blocks until the writer has finished what is queued. */
struct pl_sql *pl_sqlite_open(struct pl_loop *loop, const struct pl_sqlite_config *config,
                              struct pl_err *err);

#endif
