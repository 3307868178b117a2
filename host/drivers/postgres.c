#include "drivers/postgres_impl.h"

#include "base/clock.h"

#include <assert.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define PARAMS_MAX 1000 /* of one statement */
#define CLOSE_MS   2000 /* what closing waits for commits that are under way */

/* --- references
 * ------------------------------------------------------------------------------------ */

static void on_handle_closed(uv_handle_t *handle)
{
    struct pl_postgres *db = handle->data;
    if (--db->handles > 0)
        return;
    free(db->url);
    for (int i = 0; i < db->config.writers; i++)
        pl_pg_rows_free(&db->writers[i].rows);
    free(db->writers);
    free(db->readers);
    free(db);
}

void pl_pg_unref(struct pl_postgres *db)
{
    assert(db->refs > 0);
    if (--db->refs > 0)
        return;
    uv_close((uv_handle_t *)&db->attempted, on_handle_closed);
    uv_close((uv_handle_t *)&db->starter, on_handle_closed);
    uv_close((uv_handle_t *)&db->watch, on_handle_closed);
    for (int i = 0; i < pl_pg_conns(db); i++) {
        pl_pg_cancel_forget(pl_pg_conn_at(db, i));
        pl_pg_conn_close(pl_pg_conn_at(db, i), on_handle_closed, db);
    }
}

void pl_pg_finish(struct pl_postgres *db, struct pl_sql_request *r)
{
    if (r != NULL)
        pl_sql_finish(r);
    pl_pg_unref(db);
}

/* --- requests
 * -------------------------------------------------------------------------------------- */

/* What is queued leaves; what was sent is stopped when that stops nobody else's. */
static void request_cancel(struct pl_op *op)
{
    struct pl_sql_request *r = pl_container_of(op, struct pl_sql_request, op);
    struct pl_postgres *db = pl_pg_of(r->db);
    if (r->script)
        return;
    if (r->carrier == NULL) {
        pl_list_remove(&r->link);
        (*(r->write ? &db->writes_len : &db->reads_len))--;
        pl_op_unref(op);
        pl_pg_unref(db);
        return;
    }
    if (r->write) {
        struct pl_pg_writer *w = r->carrier;
        if (!pl_pg_writer_carries(w, r)) { /* it failed, and would have gone again */
            pl_list_remove(&r->link);
            pl_op_unref(op);
            pl_pg_unref(db);
            return;
        }
        /* Its group is retried without it. A commit that was sent cannot be taken back. */
        if (op->state != PL_OP_TIMEDOUT || w->phase != PL_PG_RUN)
            return;
        pl_pg_cancel(db, &w->conn);
    } else {
        struct pl_pg_reader *reader = r->carrier;
        if (reader->sent.next != &r->link)
            return; /* another one is being run */
        pl_pg_cancel(db, &reader->conn);
    }
}

static void request_destroy(struct pl_op *op)
{
    pl_sql_discard(pl_container_of(op, struct pl_sql_request, op));
}

static const struct pl_op_class request_class = {request_cancel, request_destroy};

/* PostgreSQL's text has no NUL: libpq would cut it off without a word. */
static int check_params(const struct pl_sql_request *r, struct pl_err *err)
{
    for (uint32_t i = 0; i < r->statements_len; i++)
        if (r->statements[i].count > PARAMS_MAX)
            return pl_fail(err, PL_E_INVALID, false, "postgres",
                           "a statement has %u parameters, at most %d are allowed",
                           r->statements[i].count, PARAMS_MAX);
    for (uint32_t i = 0; i < r->params_len; i++) {
        const struct pl_sql_value *v = &r->params[i];
        if (v->type == PL_SQL_TEXT && memchr(r->bytes.data + v->offset, 0, v->len) != NULL)
            return pl_fail(err, PL_E_INVALID, false, "postgres", "a text has a NUL character");
    }
    return 0;
}

static int admit(struct pl_postgres *db, const struct pl_sql_request *r, struct pl_err *err)
{
    uint32_t len = r->write ? db->writes_len : db->reads_len;
    if (db->closing)
        return pl_fail(err, PL_E_CLOSED, false, "postgres", "the database is closed");
    if (r->script)
        return 0; /* it connects by itself */
    if (!pl_pg_can(db, r->write))
        return pl_pg_unavailable(db, err);
    if (len >= db->config.queue_max)
        return pl_fail(err, PL_E_BUSY, true, "postgres", "%u requests wait for the database", len);
    return check_params(r, err);
}

static int submit(struct pl_sql_request *r, struct pl_owner *owner, uint64_t deadline_ns,
                  struct pl_err *err)
{
    struct pl_postgres *db = pl_pg_of(r->db);
    if (admit(db, r, err) < 0) {
        pl_sql_discard(r);
        return -1;
    }
    pl_op_start(&r->op, db->sql.loop, owner, r->write ? "postgres.commit" : "postgres.query",
                deadline_ns, &request_class);
    pl_op_ref(&r->op); /* the driver's */
    db->refs++;
    if (r->script) {
        pl_pg_script(db, r);
        return 0;
    }
    pl_list_push(r->write ? &db->writes : &db->reads, &r->link);
    (*(r->write ? &db->writes_len : &db->reads_len))++;
    pl_pg_start_soon(db);
    return 0;
}

/* --- opening and closing
 * --------------------------------------------------------------------------- */

static void on_attempted(uv_async_t *async)
{
    struct pl_postgres *db = async->data;
    db->refs++;
    for (int i = 0; i < pl_pg_conns(db) && !db->closing; i++)
        pl_pg_conn_attempted(pl_pg_conn_at(db, i));
    pl_pg_unref(db);
}

static bool committing(struct pl_postgres *db)
{
    for (int i = 0; i < db->config.writers; i++)
        if (db->writers[i].phase != PL_PG_IDLE)
            return true;
    return false;
}

/* Waits for the answers of what the writers have sent, without the loop. */
static void finish_commits(struct pl_postgres *db)
{
    uint64_t deadline = pl_now_ns() + CLOSE_MS * PL_NS_PER_MS;
    while (committing(db) && pl_now_ns() < deadline) {
        struct pollfd fds[PL_PG_CONNS_MAX];
        nfds_t n = 0;
        for (int i = 0; i < db->config.writers; i++)
            if (db->writers[i].conn.state == PL_PG_UP)
                fds[n++] =
                    (struct pollfd){.fd = PQsocket(db->writers[i].conn.pg), .events = POLLIN};
        poll(fds, n, 20);
        for (int i = 0; i < db->config.writers; i++) {
            pl_pg_conn_flush(&db->writers[i].conn);
            if (db->writers[i].conn.state == PL_PG_UP)
                pl_pg_conn_read(&db->writers[i].conn);
        }
    }
}

static void close_db(struct pl_sql *sql)
{
    struct pl_postgres *db = pl_pg_of(sql);
    struct pl_err err;
    db->closing = true;
    uv_prepare_stop(&db->starter);
    uv_timer_stop(&db->watch);
    finish_commits(db);
    pl_fail(&err, PL_E_CLOSED, false, "postgres", "the database is closed");
    pl_pg_fail_queue(db, &db->writes, &db->writes_len, &err);
    pl_pg_fail_queue(db, &db->reads, &db->reads_len, &err);
    pl_pg_wake_waiters(db, &err);
    for (int i = 0; i < pl_pg_conns(db); i++) {
        pl_pg_conn_drop(pl_pg_conn_at(db, i), &err);
        uv_timer_stop(&pl_pg_conn_at(db, i)->retry); /* a script may keep the database a while */
    }
    pl_pg_unref(db);
}

static void get_stats(struct pl_sql *sql, struct pl_sql_stats *out)
{
    struct pl_postgres *db = pl_pg_of(sql);
    *out = db->stats;
    out->queued = db->writes_len;
    out->reads_queued = db->reads_len;
    out->connections = (uint32_t)pl_pg_conns(db);
    for (int i = 0; i < pl_pg_conns(db); i++) {
        const struct pl_pg_conn *c = pl_pg_conn_at(db, i);
        out->connected += c->state == PL_PG_UP;
        out->reconnects += c->ups > 1 ? c->ups - 1 : 0;
    }
}

static const struct pl_sql_driver driver = {"postgres", submit, get_stats, close_db};

static int between(int n, int min, int max)
{
    return n < min ? min : n > max ? max : n;
}

struct pl_sql *pl_postgres_open(struct pl_loop *loop, const struct pl_postgres_config *config)
{
    struct pl_postgres *db = pl_xcalloc(1, sizeof *db);
    db->sql = (struct pl_sql){&driver, loop};
    db->config = *config;
    db->url = pl_xstrdup(config->url);
    db->config.url = db->url;
    db->config.writers = between(config->writers, 1, PL_PG_CONNS_MAX);
    db->config.readers = between(config->readers, 1, PL_PG_CONNS_MAX);
    db->config.group_max = (uint32_t)between((int)config->group_max, 1, PL_PG_GROUP_MAX);
    db->writers = pl_xcalloc((size_t)db->config.writers, sizeof *db->writers);
    db->readers = pl_xcalloc((size_t)db->config.readers, sizeof *db->readers);
    db->refs = 1;
    db->handles = 3 + (uint32_t)pl_pg_conns(db);
    pl_list_init(&db->writes);
    pl_list_init(&db->reads);
    pl_list_init(&db->waiters);
    uv_async_init(&loop->uv, &db->attempted, on_attempted);
    db->attempted.data = db;
    uv_prepare_init(&loop->uv, &db->starter);
    db->starter.data = db;
    uv_timer_init(&loop->uv, &db->watch);
    db->watch.data = db;
    for (int i = 0; i < db->config.writers; i++)
        pl_pg_writer_start(&db->writers[i], db);
    for (int i = 0; i < db->config.readers; i++)
        pl_pg_reader_start(&db->readers[i], db);
    return &db->sql;
}
