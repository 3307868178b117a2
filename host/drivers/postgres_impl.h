/* What the parts of the PostgreSQL driver share. */
#ifndef PL_DRIVERS_POSTGRES_IMPL_H
#define PL_DRIVERS_POSTGRES_IMPL_H

#include "drivers/postgres.h"
#include "drivers/postgres_conn.h"
#include "drivers/postgres_rows.h"

#define PL_PG_CONNS_MAX 16
#define PL_PG_GROUP_MAX 1024

struct pl_postgres;

enum pl_pg_phase {
    PL_PG_IDLE,
    PL_PG_RUN,      /* statements are on their way */
    PL_PG_COMMIT,   /* all were good; the commit is on its way */
    PL_PG_ROLLBACK, /* one was not */
};

struct pl_pg_writer {
    struct pl_pg_conn conn;
    struct pl_postgres *db;
    enum pl_pg_phase phase;
    struct pl_list group; /* what this flight carries */
    struct pl_list alone; /* what failed in a group, and goes again alone */
    struct pl_list again; /* what was rolled back with it, and goes again together */
    uint32_t group_len;
    uint64_t begin_ns;
    struct pl_pg_rows rows; /* what its transactions append, put together */
    bool one_by_one;        /* ... not in this group: one of them has failed so */
    bool guarded;           /* the server itself looks at what was expected */
    bool explicit_begin;    /* BEGIN is sent, without which the sync commits: see plan_flights */
    struct pl_err broken;   /* why nothing can be said of this flight */
    struct pl_err refused;  /* why the server did not commit it */
    bool refused_transient;
};

struct pl_pg_reader {
    struct pl_pg_conn conn;
    struct pl_postgres *db;
    struct pl_list sent; /* not answered yet */
    uint32_t inflight;
};

struct pl_postgres {
    struct pl_sql sql;
    struct pl_postgres_config config;
    char *url;
    struct pl_pg_writer *writers;
    struct pl_pg_reader *readers;
    struct pl_list writes, reads; /* not sent yet */
    struct pl_list waiters;       /* ops of pl_postgres_wait */
    uint32_t writes_len, reads_len;
    struct pl_sql_stats stats;
    uv_async_t attempted; /* a connecting thread has ended */
    uv_prepare_t starter; /* sends what this turn of the loop has gathered */
    bool starting;
    uv_timer_t watch; /* runs while the server owes an answer */
    bool watching;
    uint32_t refs; /* the handle's, and each request's */
    uint32_t handles;
    bool closing;
};

static inline struct pl_postgres *pl_pg_of(struct pl_sql *sql)
{
    return pl_container_of(sql, struct pl_postgres, sql);
}

/* Every connection of the database, writers first. */
static inline struct pl_pg_conn *pl_pg_conn_at(struct pl_postgres *db, int i)
{
    return i < db->config.writers ? &db->writers[i].conn
                                  : &db->readers[i - db->config.writers].conn;
}

static inline int pl_pg_conns(const struct pl_postgres *db)
{
    return db->config.writers + db->config.readers;
}

/* Drops a reference; the last one closes what is left. */
void pl_pg_unref(struct pl_postgres *db);

/* Hands the outcome to whoever waits: r->err.code NULL is success. Drops one reference of the
 * database: the request's, or with NULL the caller's own. */
void pl_pg_finish(struct pl_postgres *db, struct pl_sql_request *r);

/* Runs the only statement of a request as a script, in a thread and on a connection of its own. */
void pl_pg_script(struct pl_postgres *db, struct pl_sql_request *r);

/* Asks the server to stop what a connection runs, unless it is being asked so already. */
void pl_pg_cancel(struct pl_postgres *db, struct pl_pg_conn *conn);

/* Before the connection is freed; an asking that is under way goes on by itself. */
void pl_pg_cancel_forget(struct pl_pg_conn *conn);

/* Whether the result is that of a cancel which was meant for another request than `r`. */
bool pl_pg_was_cancelled(struct pl_pg_conn *conn, const struct pl_sql_request *r,
                         const PGresult *result);

/* A connection went up or down: see to what waits for one. */
void pl_pg_changed(struct pl_postgres *db);

/* Copies rows and the number of changes into the request. -1 with r->err: failed, or too large. */
int pl_pg_take_result(struct pl_sql_request *r, uint32_t statement, const PGresult *result);

/* Counts a request that has failed alone. True: it is waited for, and may go through yet. */
bool pl_pg_try_again(struct pl_sql_request *r);

/* Whether a connection can take work: up, and not silent for too long. */
bool pl_pg_usable(const struct pl_postgres *db, const struct pl_pg_conn *c);

/* Whether any connection can take a write, or a read. */
bool pl_pg_can(struct pl_postgres *db, bool write);

/* Says in `err` why none can. Returns -1. */
int pl_pg_unavailable(struct pl_postgres *db, struct pl_err *err);

/* Fails all that is in a queue. */
void pl_pg_fail_queue(struct pl_postgres *db, struct pl_list *queue, uint32_t *len,
                      const struct pl_err *err);

/* What nobody can take is refused at once, not kept until somebody can. */
void pl_pg_refuse_queues(struct pl_postgres *db);

/* Ends the ops of pl_postgres_wait; `err` NULL: well. */
void pl_pg_wake_waiters(struct pl_postgres *db, const struct pl_err *err);

/* Sends what has gathered before the loop waits for input the next time: what one turn of the loop
 * has asked for goes out together. */
void pl_pg_start_soon(struct pl_postgres *db);

/* A reader has room again. */
void pl_pg_reads_go(struct pl_postgres *db);

void pl_pg_writer_start(struct pl_pg_writer *w, struct pl_postgres *db);
/* Takes what has gathered, if it is idle. */
void pl_pg_writer_go(struct pl_pg_writer *w);

/* Whether a request is on its way, and not waiting to go again. */
bool pl_pg_writer_carries(const struct pl_pg_writer *w, const struct pl_sql_request *r);

void pl_pg_reader_start(struct pl_pg_reader *r, struct pl_postgres *db);
/* Stops what the server runs when nobody waits for it: a read whose time ran out while it was not
 * its turn, or while another was being stopped. */
void pl_pg_reader_stop_unwanted(struct pl_pg_reader *r);
/* Lets nobody wait any longer for what was sent; the answers are ignored when they come. */
void pl_pg_reader_give_up(struct pl_pg_reader *r, const struct pl_err *err);
/* Sends one read. */
void pl_pg_reader_send(struct pl_pg_reader *r, struct pl_sql_request *request);

#endif
