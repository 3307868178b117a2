/* One connection to PostgreSQL in pipeline mode, on the loop: it connects again when it is lost,
 * keeps statements prepared, and hands results to its owner in the order of what was sent.
 *
 * What is sent are units. The owner sends executions and controls, then a sync, and flushes; it
 * is called once for the result of each, and once for the sync. An error skips what follows up to
 * the sync. */
#ifndef PL_DRIVERS_POSTGRES_CONN_H
#define PL_DRIVERS_POSTGRES_CONN_H

#include "drivers/postgres_connect.h"
#include "drivers/postgres_prepared.h"
#include "drivers/sql.h"

#define PL_PG_PARAMS_MAX 1024 /* of one execution */

enum pl_pg_unit_kind {
    PL_PG_PREPARE,
    PL_PG_EXEC,
    PL_PG_GUARDED, /* an execution by the text of pl_pg_guard_text */
    PL_PG_ROWS,
    PL_PG_CONTROL,
    PL_PG_SYNC,
};

struct pl_pg_unit {
    enum pl_pg_unit_kind kind;
    uint32_t at;              /* index of the statement in its request, of the owner's for ROWS */
    uint32_t place, id;       /* PREPARE and executions: of the prepared statement */
    struct pl_sql_request *r; /* EXEC, GUARDED, SYNC: the owner's, not looked at */
};

/* One statement of a request. */
struct pl_pg_part {
    struct pl_sql_request *r;
    uint32_t statement;
};

struct pl_pg_cancel;
struct pl_pg_conn;

struct pl_pg_owner {
    void (*up)(struct pl_pg_conn *c);
    /* The connection is gone and nothing that was sent will be answered. `err`: why. */
    void (*down)(struct pl_pg_conn *c, const struct pl_err *err);
    /* The result of an execution or a control. PGRES_PIPELINE_ABORTED: it was skipped. Of a sync
     * only an error: what it had to commit is rolled back. */
    void (*result)(struct pl_pg_conn *c, const struct pl_pg_unit *unit, const PGresult *result);
    void (*sync)(struct pl_pg_conn *c, const struct pl_pg_unit *unit);
};

enum pl_pg_state { PL_PG_WAITING, PL_PG_CONNECTING, PL_PG_UP, PL_PG_CLOSED };

struct pl_pg_conn {
    const struct pl_pg_owner *owner;
    struct pl_loop *loop;
    enum pl_pg_state state;
    PGconn *pg;
    bool lost;             /* found broken while sending: taken down at the next chance */
    bool cancelled;        /* the server was asked to stop a statement, and has stopped none yet */
    uint64_t asked_ns;     /* since when the server owes an answer and is silent; 0: it owes none */
    uint32_t failures;     /* attempts in a row */
    uint64_t ups;          /* how often it was opened */
    struct pl_err problem; /* why it is not up */

    struct pl_pg_unit *units; /* a ring of what was sent and not answered */
    uint32_t units_head, units_len, units_cap;

    struct pl_pg_prepared_all prepared;

    struct pl_pg_target target;
    struct pl_pg_attempt *attempt; /* while it connects */
    uv_async_t *attempted;         /* the owner's, sent when the attempt is over */
    uv_poll_t *poll;               /* of this socket; NULL when there is none */
    int polled;                    /* the events that it is polled for */
    uv_timer_t retry;
    struct pl_pg_cancel *cancel; /* the last, see pl_pg_cancel */
    struct pl_buf scratch;       /* numbers of parameters as text */
    struct pl_buf guarded;       /* the text of a guarded statement */
    void *data;                  /* the owner's */
};

/* Begins to connect. `done` is the owner's async: it must call pl_pg_conn_attempted when that
 * fires. The target's URL outlives the connection, which must not move, and lives until `closed` of
 * pl_pg_conn_close. */
void pl_pg_conn_start(struct pl_pg_conn *c, struct pl_loop *loop, const struct pl_pg_owner *owner,
                      const struct pl_pg_target *target, uv_async_t *done);

/* Takes over what the connecting thread has made, if it has ended. */
void pl_pg_conn_attempted(struct pl_pg_conn *c);

/* Queue what is to be sent; nothing is until pl_pg_conn_flush. What cannot be queued makes the
 * connection lost, and the owner is told from pl_pg_conn_flush. */
void pl_pg_conn_exec(struct pl_pg_conn *c, struct pl_sql_request *r, uint32_t statement);
void pl_pg_conn_exec_guarded(struct pl_pg_conn *c, struct pl_sql_request *r, uint32_t statement);
/* One text with the parameters of several statements, one after the other. Its unit is of kind ROWS
 * and carries `at`. */
void pl_pg_conn_exec_parts(struct pl_pg_conn *c, const char *sql, const struct pl_pg_part *parts,
                           uint32_t parts_len, uint32_t at);
void pl_pg_conn_control(struct pl_pg_conn *c, const char *sql);
void pl_pg_conn_sync(struct pl_pg_conn *c, struct pl_sql_request *r);
void pl_pg_conn_flush(struct pl_pg_conn *c);

/* Gives the connection up, as when it breaks, and begins to connect again. */
void pl_pg_conn_drop(struct pl_pg_conn *c, const struct pl_err *err);

/* Reads and handles what is there, without waiting. For the loop, and for closing. */
void pl_pg_conn_read(struct pl_pg_conn *c);

/* Closes the socket and ends an attempt that is under way; nothing is called back but `on_closed`,
 * later, with a handle whose `data` is the one given. */
void pl_pg_conn_close(struct pl_pg_conn *c, uv_close_cb on_closed, void *data);

#endif
