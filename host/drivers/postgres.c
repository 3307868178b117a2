#include "drivers/postgres_impl.h"

#include "base/clock.h"

#include <assert.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define READS_INFLIGHT 64   /* per reader: one slow read delays no more than that */
#define PARAMS_MAX     1000 /* of one statement */
#define WATCH_MS       200  /* how soon silence is noticed when it is long enough */
#define LARGE          8    /* transactions in a group: others had better wait for it */
#define SLOW_MS        10   /* but not for one that takes longer */
#define CLOSE_MS       2000 /* what closing waits for commits that are under way */

static struct pl_postgres *of(struct pl_sql *sql)
{
    return pl_container_of(sql, struct pl_postgres, sql);
}

/* Every connection of the database, writers first. */
static struct pl_pg_conn *conn_at(struct pl_postgres *db, int i)
{
    return i < db->config.writers ? &db->writers[i].conn
                                  : &db->readers[i - db->config.writers].conn;
}

static int conns(const struct pl_postgres *db)
{
    return db->config.writers + db->config.readers;
}

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

static void unref(struct pl_postgres *db)
{
    assert(db->refs > 0);
    if (--db->refs > 0)
        return;
    uv_close((uv_handle_t *)&db->attempted, on_handle_closed);
    uv_close((uv_handle_t *)&db->starter, on_handle_closed);
    uv_close((uv_handle_t *)&db->watch, on_handle_closed);
    for (int i = 0; i < conns(db); i++) {
        pl_pg_cancel_forget(conn_at(db, i));
        pl_pg_conn_close(conn_at(db, i), on_handle_closed, db);
    }
}

void pl_pg_finish(struct pl_postgres *db, struct pl_sql_request *r)
{
    if (r != NULL)
        pl_sql_finish(r);
    unref(db);
}

/* --- availability
 * ---------------------------------------------------------------------------------- */

bool pl_pg_usable(const struct pl_postgres *db, const struct pl_pg_conn *c)
{
    return c->state == PL_PG_UP &&
           (c->asked_ns == 0 || pl_now_ns() - c->asked_ns < db->config.stall_ms * PL_NS_PER_MS);
}

static bool can(struct pl_postgres *db, bool write)
{
    int from = write ? 0 : db->config.writers, to = write ? db->config.writers : conns(db);
    for (int i = from; i < to; i++)
        if (pl_pg_usable(db, conn_at(db, i)))
            return true;
    return false;
}

static int unavailable(struct pl_postgres *db, struct pl_err *err)
{
    for (int i = 0; i < conns(db); i++) {
        const struct pl_pg_conn *c = conn_at(db, i);
        if (c->state != PL_PG_UP && c->problem.code != NULL)
            return pl_fail(err, "unavailable", true, "postgres", "PostgreSQL is away: %s",
                           c->problem.message);
    }
    return pl_fail(err, "unavailable", true, "postgres", "PostgreSQL does not answer");
}

static void fail_queue(struct pl_postgres *db, struct pl_list *queue, uint32_t *len,
                       const struct pl_err *err)
{
    struct pl_list *link;
    while ((link = pl_list_shift(queue)) != NULL) {
        struct pl_sql_request *r = pl_container_of(link, struct pl_sql_request, link);
        (*len)--;
        r->err = *err;
        db->stats.failed++;
        pl_pg_finish(db, r);
    }
}

/* What nobody can take is refused at once, not kept until somebody can. */
static void refuse_queues(struct pl_postgres *db)
{
    struct pl_err err;
    unavailable(db, &err);
    if (!can(db, true))
        fail_queue(db, &db->writes, &db->writes_len, &err);
    if (!can(db, false))
        fail_queue(db, &db->reads, &db->reads_len, &err);
}

struct waiter {
    struct pl_op op;
    struct pl_list link;
    struct pl_postgres *db;
};

static void waiter_cancel(struct pl_op *op)
{
    struct waiter *w = pl_container_of(op, struct waiter, op);
    if (pl_list_empty(&w->link))
        return;
    pl_list_remove(&w->link);
    struct pl_postgres *db = w->db;
    pl_op_unref(op);
    unref(db);
}

static void waiter_destroy(struct pl_op *op)
{
    free(pl_container_of(op, struct waiter, op));
}

static const struct pl_op_class waiter_class = {waiter_cancel, waiter_destroy};

static void wake_waiters(struct pl_postgres *db, const struct pl_err *err)
{
    struct pl_list *link;
    while ((link = pl_list_shift(&db->waiters)) != NULL) {
        struct waiter *w = pl_container_of(link, struct waiter, link);
        if (err != NULL)
            pl_op_fail(&w->op, err);
        else
            pl_op_finish(&w->op);
        pl_op_unref(&w->op);
        unref(db);
    }
}

struct pl_op *pl_postgres_wait(struct pl_sql *sql, struct pl_owner *owner, uint64_t deadline_ns)
{
    struct pl_postgres *db = of(sql);
    struct waiter *w = pl_xcalloc(1, sizeof *w);
    w->db = db;
    pl_list_init(&w->link);
    pl_op_start(&w->op, sql->loop, owner, "postgres.connect", deadline_ns, &waiter_class);
    if (can(db, true) && can(db, false)) {
        pl_op_finish(&w->op);
        return &w->op;
    }
    pl_op_ref(&w->op);
    pl_list_push(&db->waiters, &w->link);
    db->refs++;
    return &w->op;
}

static void start_soon(struct pl_postgres *db);

void pl_pg_changed(struct pl_postgres *db)
{
    struct pl_err err;
    db->refs++;
    bool writes = can(db, true), reads = can(db, false);
    if (writes && reads) {
        wake_waiters(db, NULL);
    } else if (!pl_list_empty(&db->waiters)) {
        /* Not up yet, or in vain: the connection that has failed says why. */
        for (int i = 0; i < conns(db); i++)
            if (conn_at(db, i)->problem.code != NULL) {
                err = conn_at(db, i)->problem;
                wake_waiters(db, &err);
                break;
            }
    }
    refuse_queues(db);
    if (!db->closing)
        start_soon(db);
    unref(db);
}

static void on_attempted(uv_async_t *async)
{
    struct pl_postgres *db = async->data;
    db->refs++;
    for (int i = 0; i < conns(db) && !db->closing; i++)
        pl_pg_conn_attempted(conn_at(db, i));
    unref(db);
}

/* --- sending
 * --------------------------------------------------------------------------------------- */

static struct pl_pg_reader *reader_for(struct pl_postgres *db)
{
    struct pl_pg_reader *best = NULL;
    for (int i = 0; i < db->config.readers; i++) {
        struct pl_pg_reader *r = &db->readers[i];
        if (pl_pg_usable(db, &r->conn) && r->inflight < READS_INFLIGHT &&
            (best == NULL || r->inflight < best->inflight))
            best = r;
    }
    return best;
}

static void send_reads(struct pl_postgres *db)
{
    struct pl_pg_reader *reader;
    while (!pl_list_empty(&db->reads) && (reader = reader_for(db)) != NULL) {
        struct pl_list *link = pl_list_shift(&db->reads);
        db->reads_len--;
        pl_pg_reader_send(reader, pl_container_of(link, struct pl_sql_request, link));
    }
    for (int i = 0; i < db->config.readers; i++)
        if (db->readers[i].inflight > 0)
            pl_pg_conn_flush(&db->readers[i].conn);
}

/* Whether another writer may take what waits. The larger a group, the less the server has to do for
 * each of its transactions, by a sixth with 64 clients: so what comes while a group is under way
 * waits for that writer, as long as that is not for long, and it can take all. Of small groups
 * there is little to gain, and a lone transaction should not wait. */
static bool may_join(const struct pl_postgres *db)
{
    if (db->writes_len >= db->config.group_max)
        return true;
    uint64_t now = pl_now_ns();
    for (int i = 0; i < db->config.writers; i++) {
        const struct pl_pg_writer *w = &db->writers[i];
        if (w->phase != PL_PG_IDLE && w->group_len >= LARGE &&
            now - w->begin_ns < SLOW_MS * PL_NS_PER_MS)
            return false;
    }
    return true;
}

static void send_writes(struct pl_postgres *db)
{
    for (int i = 0; i < db->config.writers && !pl_list_empty(&db->writes) && may_join(db); i++)
        pl_pg_writer_go(&db->writers[i]);
}

/* A server that is silent for too long is as good as away: what can be refused without harm is, and
 * only commits that were sent are still waited for. */
static void on_watch(uv_timer_t *timer)
{
    struct pl_postgres *db = timer->data;
    struct pl_err err;
    bool owed = false;
    db->refs++;
    for (int i = 0; i < conns(db) && !db->closing; i++) {
        const struct pl_pg_conn *c = conn_at(db, i);
        owed = owed || c->asked_ns != 0;
        if (c->state != PL_PG_UP || i < db->config.writers)
            continue;
        pl_pg_reader_stop_unwanted(&db->readers[i - db->config.writers]);
        if (pl_pg_usable(db, c))
            continue;
        unavailable(db, &err);
        pl_pg_reader_give_up(&db->readers[i - db->config.writers], &err);
    }
    if (!db->closing)
        refuse_queues(db);
    send_writes(db); /* behind a writer that has become slow */
    if (!owed) {
        db->watching = false;
        uv_timer_stop(&db->watch);
    }
    unref(db);
}

static void watch(struct pl_postgres *db)
{
    if (db->watching || db->closing)
        return;
    db->watching = true;
    uv_timer_start(&db->watch, on_watch, WATCH_MS, WATCH_MS);
}

static void on_start(uv_prepare_t *prepare)
{
    struct pl_postgres *db = prepare->data;
    uv_prepare_stop(prepare);
    db->starting = false;
    db->refs++;
    send_reads(db);
    send_writes(db);
    watch(db);
    unref(db);
}

/* Before the loop waits for input the next time: what one turn of the loop has asked for goes out
 * together. */
static void start_soon(struct pl_postgres *db)
{
    if (db->starting)
        return;
    db->starting = true;
    uv_prepare_start(&db->starter, on_start);
}

void pl_pg_reads_go(struct pl_postgres *db)
{
    if (db->reads_len > 0 && !db->closing)
        start_soon(db);
}

/* What is queued leaves; what was sent is stopped when that stops nobody else's. */
static void request_cancel(struct pl_op *op)
{
    struct pl_sql_request *r = pl_container_of(op, struct pl_sql_request, op);
    struct pl_postgres *db = of(r->db);
    if (r->script)
        return;
    if (r->carrier == NULL) {
        pl_list_remove(&r->link);
        (*(r->write ? &db->writes_len : &db->reads_len))--;
        pl_op_unref(op);
        unref(db);
        return;
    }
    if (r->write) {
        struct pl_pg_writer *w = r->carrier;
        if (!pl_pg_writer_carries(w, r)) { /* it failed, and would have gone again */
            pl_list_remove(&r->link);
            pl_op_unref(op);
            unref(db);
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
    if (!can(db, r->write))
        return unavailable(db, err);
    if (len >= db->config.queue_max)
        return pl_fail(err, PL_E_BUSY, true, "postgres", "%u requests wait for the database", len);
    return check_params(r, err);
}

static int submit(struct pl_sql_request *r, struct pl_owner *owner, uint64_t deadline_ns,
                  struct pl_err *err)
{
    struct pl_postgres *db = of(r->db);
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
    start_soon(db);
    return 0;
}

/* --- opening and closing
 * --------------------------------------------------------------------------- */

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
    struct pl_postgres *db = of(sql);
    struct pl_err err;
    db->closing = true;
    uv_prepare_stop(&db->starter);
    uv_timer_stop(&db->watch);
    finish_commits(db);
    pl_fail(&err, PL_E_CLOSED, false, "postgres", "the database is closed");
    fail_queue(db, &db->writes, &db->writes_len, &err);
    fail_queue(db, &db->reads, &db->reads_len, &err);
    wake_waiters(db, &err);
    for (int i = 0; i < conns(db); i++) {
        pl_pg_conn_drop(conn_at(db, i), &err);
        uv_timer_stop(&conn_at(db, i)->retry); /* a script may keep the database a while */
    }
    unref(db);
}

static void get_stats(struct pl_sql *sql, struct pl_sql_stats *out)
{
    struct pl_postgres *db = of(sql);
    *out = db->stats;
    out->queued = db->writes_len;
    out->reads_queued = db->reads_len;
    out->connections = (uint32_t)conns(db);
    for (int i = 0; i < conns(db); i++) {
        const struct pl_pg_conn *c = conn_at(db, i);
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
    db->handles = 3 + (uint32_t)conns(db);
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
