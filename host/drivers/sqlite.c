#include "drivers/sqlite.h"

#include "drivers/sqlite_impl.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* --- requests
 * -------------------------------------------------------------------------------------- */

static void destroy(struct pl_op *op)
{
    struct pl_sql_request *r = pl_container_of(op, struct pl_sql_request, op);
    pl_sql_discard(r);
}

/* A commit cannot be taken back and a read ends soon: what is cancelled runs on, unheard. */
static const struct pl_op_class request_class = {NULL, destroy};

static struct pl_sqlite *of(struct pl_sql *sql)
{
    return pl_container_of(sql, struct pl_sqlite, sql);
}

static uint32_t reads_waiting(struct pl_sqlite *db)
{
    uv_mutex_lock(&db->read_mutex);
    uint32_t len = db->reads_len;
    uv_mutex_unlock(&db->read_mutex);
    return len;
}

static void submit_read(struct pl_sqlite *db, struct pl_sql_request *r)
{
    uv_mutex_lock(&db->read_mutex);
    pl_list_push(&db->reads, &r->link);
    db->reads_len++;
    uv_mutex_unlock(&db->read_mutex);
    uv_cond_signal(&db->read_cond); /* whoever wakes finds the mutex free */
}

static void wake_writer(struct pl_sqlite *db)
{
    if (atomic_exchange(&db->writer_sleeps, false))
        uv_sem_post(&db->write_sem);
}

static void submit_write(struct pl_sqlite *db, struct pl_sql_request *r)
{
    db->writes_len++;
    pl_handoff_put(&db->writes, &r->link);
    wake_writer(db);
}

static int submit(struct pl_sql_request *r, struct pl_owner *owner, uint64_t deadline_ns,
                  struct pl_err *err)
{
    struct pl_sqlite *db = of(r->db);
    bool write = r->write;
    bool closing = db->closing;
    uint32_t len = write ? db->writes_len : reads_waiting(db);
    if (closing || len >= db->config.queue_max) {
        pl_sql_discard(r);
        if (closing)
            return pl_fail(err, PL_E_CLOSED, false, "sqlite", "the database is closed");
        return pl_fail(err, PL_E_BUSY, true, "sqlite", "%u requests wait for the database", len);
    }
    pl_op_start(&r->op, db->sql.loop, owner, write ? "sqlite.commit" : "sqlite.query", deadline_ns,
                &request_class);
    pl_op_ref(&r->op); /* the worker's */
    db->refs++;
    if (write)
        submit_write(db, r);
    else
        submit_read(db, r);
    return 0;
}

/* --- the threads that read
 * ------------------------------------------------------------------------- */

static void reader_main(void *arg)
{
    struct pl_sqlite_worker *w = arg;
    struct pl_sqlite *db = w->db;
    for (;;) {
        uv_mutex_lock(&db->read_mutex);
        while (pl_list_empty(&db->reads) && !db->closing)
            uv_cond_wait(&db->read_cond, &db->read_mutex);
        struct pl_list *link = pl_list_shift(&db->reads);
        if (link != NULL)
            db->reads_len--;
        uv_mutex_unlock(&db->read_mutex);
        if (link == NULL)
            return;
        struct pl_sql_request *r = pl_container_of(link, struct pl_sql_request, link);
        pl_sqlite_run_statements(&w->conn, r);
        db->reads_done++;
        pl_handoff_put(&db->done, &r->link);
        uv_async_send(&db->async);
    }
}

/* --- the loop's side
 * ------------------------------------------------------------------------------- */

static void on_async_closed(uv_handle_t *handle)
{
    struct pl_sqlite *db = handle->data;
    uv_mutex_destroy(&db->read_mutex);
    uv_cond_destroy(&db->read_cond);
    uv_mutex_destroy(&db->stats_mutex);
    uv_sem_destroy(&db->write_sem);
    free(db->path);
    free(db);
}

static void unref(struct pl_sqlite *db)
{
    assert(db->refs > 0);
    if (--db->refs == 0)
        uv_close((uv_handle_t *)&db->async, on_async_closed);
}

static struct pl_sql_request *next_done(struct pl_sqlite *db)
{
    pl_handoff_take(&db->done_urgent, &db->finish_urgent);
    struct pl_list *link = pl_list_shift(&db->finish_urgent);
    if (link == NULL && pl_list_empty(&db->finish))
        pl_handoff_take(&db->done, &db->finish);
    if (link == NULL)
        link = pl_list_shift(&db->finish);
    return link != NULL ? pl_container_of(link, struct pl_sql_request, link) : NULL;
}

/* All of it: half a millisecond in each turn of the loop, with I/O in between, made echoes of
 * Telegram a quarter more expensive, because what follows from a group runs through the same code.
 */
static void finish_done(struct pl_sqlite *db)
{
    struct pl_sql_request *r;
    while ((r = next_done(db)) != NULL) {
        pl_sql_finish(r);
        unref(db);
    }
}

static void on_async(uv_async_t *async)
{
    struct pl_sqlite *db = async->data;
    db->refs++; /* a woken task may close the database */
    finish_done(db);
    unref(db);
}

static void join(struct pl_sqlite_worker *w)
{
    if (w->started)
        uv_thread_join(&w->thread);
    w->started = false;
    if (w->conn.db != NULL)
        pl_sqlite_conn_close(&w->conn);
}

static void close_db(struct pl_sql *sql)
{
    struct pl_sqlite *db = of(sql);
    uv_mutex_lock(&db->read_mutex);
    db->closing = true;
    uv_cond_broadcast(&db->read_cond);
    uv_mutex_unlock(&db->read_mutex);
    wake_writer(db);
    for (int i = 0; i < db->config.readers; i++)
        join(&db->readers[i]);
    pl_sqlite_checkpoint_stop(&db->checkpoint);
    join(&db->writer); /* last: the last connection to close checkpoints the WAL */
    finish_done(db);
    unref(db);
}

static void stats(struct pl_sql *sql, struct pl_sql_stats *out)
{
    struct pl_sqlite *db = of(sql);
    uv_mutex_lock(&db->stats_mutex);
    *out = db->stats;
    uv_mutex_unlock(&db->stats_mutex);
    out->reads = db->reads_done;
    out->queued = db->writes_len;
    out->reads_queued = reads_waiting(db);
}

static const struct pl_sql_driver driver = {"sqlite", submit, stats, close_db};

static int start(struct pl_sqlite *db, struct pl_sqlite_worker *w, bool writer, struct pl_err *err)
{
    w->db = db;
    if (pl_sqlite_conn_open(&w->conn, &db->config, writer, err) < 0)
        return -1;
    int rc = uv_thread_create(&w->thread, writer ? pl_sqlite_writer_main : reader_main, w);
    if (rc < 0)
        return pl_fail_errno(err, -rc, "sqlite.open", "cannot start a thread");
    w->started = true;
    return 0;
}

struct pl_sql *pl_sqlite_open(struct pl_loop *loop, const struct pl_sqlite_config *config,
                              struct pl_err *err)
{
    struct pl_sqlite *db = pl_xcalloc(1, sizeof *db);
    db->sql = (struct pl_sql){&driver, loop};
    db->config = *config;
    db->path = pl_xstrdup(config->path);
    db->config.path = db->path;
    if (db->config.readers > PL_SQLITE_READERS_MAX)
        db->config.readers = PL_SQLITE_READERS_MAX;
    db->refs = 1;
    pl_list_init(&db->finish_urgent);
    pl_list_init(&db->finish);
    pl_list_init(&db->reads);
    uv_mutex_init(&db->read_mutex);
    uv_cond_init(&db->read_cond);
    uv_mutex_init(&db->stats_mutex);
    uv_sem_init(&db->write_sem, 0);
    uv_async_init(&loop->uv, &db->async, on_async);
    db->async.data = db;
    bool ok = start(db, &db->writer, true, err) == 0 &&
              pl_sqlite_checkpoint_start(&db->checkpoint, &db->config, &db->writer.conn, err) == 0;
    for (int i = 0; ok && i < db->config.readers; i++)
        ok = start(db, &db->readers[i], false, err) == 0;
    if (ok)
        return &db->sql;
    close_db(&db->sql);
    return NULL;
}
