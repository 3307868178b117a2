/* One SQL request, whichever database runs it: a transaction of statements, or one read.
 *
 * Made with pl_sql_request, filled with pl_sql_add and pl_sql_param, then given to pl_sql_commit or
 * pl_sql_read, which own it from then on; results are read from it when its op is done. Statements
 * number their parameters $1..$n. What runs it is a driver behind a table of functions. */
#ifndef PL_DRIVERS_SQL_H
#define PL_DRIVERS_SQL_H

#include "base/buf.h"
#include "loop/loop.h"

#include <stddef.h>
#include <stdint.h>

#define PL_SQL_ROWS_MAX   20000
#define PL_SQL_RESULT_MAX (16u << 20) /* bytes of one result */

enum pl_sql_type { PL_SQL_NULL, PL_SQL_INTEGER, PL_SQL_REAL, PL_SQL_TEXT };

struct pl_sql_value {
    enum pl_sql_type type;
    int64_t integer;
    double real;
    uint32_t offset, len; /* of the text, in the request's `bytes` or `out` */
};

struct pl_sql_statement {
    uint32_t sql, sql_len; /* in the request's `bytes`; a NUL follows */
    uint32_t first, count; /* parameters, in `params` */
    bool append;           /* see pl_sql_append */
    uint32_t types;        /* see pl_sql_join: in the request's `bytes`; 0: none */
    int64_t expect;        /* changed rows that must come out, else "conflict"; -1: any */
    /* results */
    int64_t changes;
    uint32_t columns, rows;
    uint32_t names; /* where the NUL-terminated column names begin in `out` */
    uint32_t cells; /* where the cells begin in `out`, row by row (pl_sql_cell) */
};

struct pl_sql;

struct pl_sql_request {
    struct pl_op op;
    struct pl_list link;
    struct pl_sql *db;
    struct pl_buf bytes; /* SQL and text parameters, copied */
    struct pl_sql_value *params;
    uint32_t params_len, params_cap;
    struct pl_sql_statement *statements;
    uint32_t statements_len, statements_cap;
    struct pl_buf out;    /* results */
    struct pl_err err;    /* the driver's, while it works; code NULL on success */
    int failed_statement; /* index from 0, -1: none in particular */
    uint32_t key;         /* hash of what the transaction is about; see pl_sql_key */
    uint8_t attempts;     /* the driver's: times that it was tried in vain */
    void *carrier;        /* the driver's: what it was sent with; NULL while it is queued */
    bool transient;       /* the driver's: the error may be gone the next time */
    bool script;          /* statements_len is 1: run as a script, alone, exclusively */
    bool write;
    bool urgent; /* see pl_sql_urgent */
};

/* Counted since the database was opened. A driver leaves at 0 what it has not. */
struct pl_sql_stats {
    uint64_t groups, transactions, failed, retried, reads;
    uint64_t commit_ns, commit_max_ns;
    uint32_t queued, reads_queued;
    uint32_t connections, connected; /* to a server: wanted, and there */
    uint64_t reconnects, cancels;
};

struct pl_sql_driver {
    const char *name; /* "sqlite", "postgres" */
    /* Starts the op of `r`; -1 with `err` (busy, closed, unavailable): the request is freed. */
    int (*submit)(struct pl_sql_request *r, struct pl_owner *owner, uint64_t deadline_ns,
                  struct pl_err *err);
    void (*stats)(struct pl_sql *db, struct pl_sql_stats *out);
    /* Refuses new work, lets what is queued come to its end as far as it can, frees. */
    void (*close)(struct pl_sql *db);
};

/* A database that is open: the first member of each driver's own structure. */
struct pl_sql {
    const struct pl_sql_driver *driver;
    struct pl_loop *loop;
};

struct pl_sql_request *pl_sql_request(struct pl_sql *db);
void pl_sql_add(struct pl_sql_request *r, const char *sql, size_t len, int64_t expect);

/* Says of the statement that was added last, a plain INSERT ... VALUES, that it may run at any
 * point of its transaction: a driver may put its rows together with those of others. */
void pl_sql_append(struct pl_sql_request *r);

/* Says of the statement that was added last, an UPDATE that is expected to change one row, which
 * its condition finds by a key, that it may run at any point of its transaction: a driver may put
 * it together with those of others. `types` are the types of its parameters in their order, "text"
 * or "bigint", with a space between two. Its text uses each `$n` as a value and has no FROM. */
void pl_sql_join(struct pl_sql_request *r, const char *types, size_t len);

void pl_sql_param(struct pl_sql_request *r, enum pl_sql_type type, int64_t integer, double real,
                  const char *text, size_t len);
void pl_sql_discard(struct pl_sql_request *r); /* instead of submitting it; also its destructor */

/* Says what the transaction is about (a dialog): a driver with several writers runs transactions of
 * one group in the order of their keys, so that two groups cannot wait for each other's rows. */
void pl_sql_key(struct pl_sql_request *r, const char *key, size_t len);

/* Says that somebody far away waits for this transaction and nothing else. A driver with one writer
 * runs it before those that wait already, and commits soon after it. */
void pl_sql_urgent(struct pl_sql_request *r);

/* The hash by which texts of statements, and keys, are told apart. */
uint64_t pl_sql_hash(const char *s, size_t len);

/* Hands the outcome to whoever waits (r->err.code NULL is success) and drops the driver's
 * reference. Whoever is woken may submit more, or close the database. */
void pl_sql_finish(struct pl_sql_request *r);

/* Takes back the results of a run that did not count. */
void pl_sql_rewind(struct pl_sql_request *r);

/* Starts the op. -1 with `err`: the request is freed. */
int pl_sql_commit(struct pl_sql_request *r, struct pl_owner *owner, uint64_t deadline_ns,
                  struct pl_err *err);
int pl_sql_read(struct pl_sql_request *r, struct pl_owner *owner, uint64_t deadline_ns,
                struct pl_err *err);

/* What a driver writes: the names of the columns before the first row, then each cell. */
void pl_sql_put_name(struct pl_sql_request *r, struct pl_sql_statement *s, const char *name);
void pl_sql_put_null(struct pl_sql_request *r);
void pl_sql_put_integer(struct pl_sql_request *r, int64_t v);
void pl_sql_put_real(struct pl_sql_request *r, double v);
void pl_sql_put_text(struct pl_sql_request *r, const void *text, uint32_t len);

/* Counts one more row; -1 with "too_large" past what a result may hold. */
int pl_sql_put_row(struct pl_sql_request *r, struct pl_sql_statement *s, struct pl_err *err);

/* -1 with "conflict" when a statement has not changed as many rows as it had to. */
int pl_sql_check_changes(const struct pl_sql_statement *s, struct pl_err *err);

/* Walks the cells of a result: *at begins as statement->cells. Text is in place, in `out`. */
void pl_sql_cell(const struct pl_sql_request *r, uint32_t *at, struct pl_sql_value *value);

#endif
