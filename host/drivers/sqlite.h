/* SQLite with group commit.
 *
 * One writer thread owns the writing connection. Transactions that arrive while it is busy are
 * gathered and committed together: each in a savepoint of its own, so that one that fails takes
 * nobody with it, and one COMMIT, so that one fsync serves all. A transaction is finished only when
 * its data is on disk (WAL, synchronous=FULL). Readers are threads with connections of their own.
 *
 * Statements number their parameters $1..$n, the way PostgreSQL does. */
#ifndef PL_DRIVERS_SQLITE_H
#define PL_DRIVERS_SQLITE_H

#include "base/buf.h"
#include "loop/loop.h"

#include <stddef.h>
#include <stdint.h>

struct pl_sqlite;

struct pl_sqlite_config {
    const char *path;
    int readers;        /* 1 to 16 */
    uint32_t queue_max; /* waiting transactions; more are refused with "busy" */
    uint32_t group_max; /* transactions in one commit */
    int busy_ms;        /* how long another process may hold the write lock */
    bool create;        /* make the file when it is missing */
    uint32_t pages_max; /* cap of the file in pages of 4 KiB; 0: none. For tests of a full disk */
};

#define PL_SQLITE_CONFIG_DEFAULT                                                                   \
    {                                                                                              \
        .readers = 2, .queue_max = 4096, .group_max = 512, .busy_ms = 5000, .create = true         \
    }

enum pl_sql_type { PL_SQL_NULL, PL_SQL_INTEGER, PL_SQL_REAL, PL_SQL_TEXT };

struct pl_sql_value {
    enum pl_sql_type type;
    int64_t integer;
    double real;
    uint32_t offset, len; /* of the text, in the request's `bytes` */
};

struct pl_sql_statement {
    uint32_t sql, sql_len; /* in the request's `bytes` */
    uint32_t first, count; /* parameters, in `params` */
    int64_t expect;        /* changed rows that must come out, else "conflict"; -1: any */
    /* results */
    int64_t changes;
    uint32_t columns, rows;
    uint32_t names; /* where the NUL-terminated column names begin in `out` */
    uint32_t cells; /* where the cells begin in `out`, row by row (pl_sqlite_cell) */
};

/* A transaction, or one read. Made with pl_sqlite_request, filled with pl_sqlite_add and
 * pl_sqlite_param_*, then submitted; the driver owns it from then on. */
struct pl_sqlite_request {
    struct pl_op op;
    struct pl_list link;
    struct pl_sqlite *db;
    struct pl_buf bytes; /* SQL and text parameters, copied */
    struct pl_sql_value *params;
    uint32_t params_len, params_cap;
    struct pl_sql_statement *statements;
    uint32_t statements_len, statements_cap;
    struct pl_buf out;    /* results */
    struct pl_err err;    /* the worker's; code NULL on success */
    int failed_statement; /* index from 0, -1: none in particular */
    bool script;          /* statements_len is 1: run as a script, alone, exclusively */
};

struct pl_sqlite_stats {
    uint64_t groups, transactions, failed, reads;
    uint64_t commit_ns, commit_max_ns;
    uint32_t queued, reads_queued;
};

/* Opens (and checks) the database; blocks for the file system. Codes: io, corrupt, permission,
 * busy. */
struct pl_sqlite *pl_sqlite_open(struct pl_loop *loop, const struct pl_sqlite_config *config,
                                 struct pl_err *err);

/* Refuses new work, lets the writer finish what is queued, joins the threads. Blocks for that. Ops
 * that are still pending are finished on the way. */
void pl_sqlite_close(struct pl_sqlite *db);

struct pl_sqlite_request *pl_sqlite_request(struct pl_sqlite *db);
void pl_sqlite_add(struct pl_sqlite_request *r, const char *sql, size_t len, int64_t expect);
void pl_sqlite_param(struct pl_sqlite_request *r, enum pl_sql_type type, int64_t integer,
                     double real, const char *text, size_t len);
void pl_sqlite_discard(struct pl_sqlite_request *r); /* instead of submitting it */

/* Starts the op. -1 with `err` (busy, closed): the request is freed. */
int pl_sqlite_commit(struct pl_sqlite_request *r, struct pl_owner *owner, uint64_t deadline_ns,
                     struct pl_err *err);
int pl_sqlite_read(struct pl_sqlite_request *r, struct pl_owner *owner, uint64_t deadline_ns,
                   struct pl_err *err);

/* Walks the cells of a result: *at begins as statement->cells. Text is in place. */
void pl_sqlite_cell(const struct pl_sqlite_request *r, uint32_t *at, struct pl_sql_value *value);

void pl_sqlite_stats(struct pl_sqlite *db, struct pl_sqlite_stats *out);

#endif
