/* One connection of a SQLite thread: statements prepared once, results copied out. */
#ifndef PL_DRIVERS_SQLITE_CONN_H
#define PL_DRIVERS_SQLITE_CONN_H

#include "drivers/sqlite.h"

#include <sqlite3.h>

#define PL_SQLITE_CACHE 256 /* prepared statements per connection; a power of two */

struct pl_sqlite_cached {
    sqlite3_stmt *stmt;
    uint64_t hash;
    char *sql;
    size_t len;
    int params;   /* of the statement */
    uint8_t *map; /* SQLite's parameter i is $map[i-1] */
};

struct pl_sqlite_conn {
    sqlite3 *db;
    struct pl_sqlite_cached cache[PL_SQLITE_CACHE];
};

int pl_sqlite_conn_open(struct pl_sqlite_conn *c, const struct pl_sqlite_config *config,
                        bool writer, struct pl_err *err);
void pl_sqlite_conn_close(struct pl_sqlite_conn *c);

/* Runs one statement of a request, results into it. */
int pl_sqlite_conn_run(struct pl_sqlite_conn *c, struct pl_sql_request *r,
                       struct pl_sql_statement *s, struct pl_err *err);

/* Runs a statement that has no parameters and no rows, and is prepared once. */
int pl_sqlite_conn_step(struct pl_sqlite_conn *c, const char *sql, struct pl_err *err);

/* Runs plain SQL text, which may hold several statements. */
int pl_sqlite_conn_exec(struct pl_sqlite_conn *c, const char *sql, struct pl_err *err);

/* What SQLite says of a result that is not good. Returns -1. */
int pl_sqlite_conn_fail(struct pl_sqlite_conn *c, int rc, const char *op, struct pl_err *err);

#endif
