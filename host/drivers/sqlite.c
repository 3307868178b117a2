#include "drivers/sqlite.h"

#include "base/clock.h"
#include "drivers/sqlite_conn.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define READERS_MAX 16

struct worker {
    struct pl_sqlite *db;
    struct pl_sqlite_conn conn;
    uv_thread_t thread;
    bool started;
};

struct pl_sqlite {
    struct pl_sql sql;
    struct pl_sqlite_config config;
    char *path;
    uv_async_t async; /* work is done: finish the ops on the loop */
    uint32_t refs;    /* the handle, and each request that the workers hold; loop's thread only */

    uv_mutex_t mutex; /* all below */
    uv_cond_t write_cond, read_cond;
    struct pl_list writes, reads, done;
    uint32_t writes_len, reads_len;
    bool closing;
    struct pl_sql_stats stats;

    struct worker writer;
    struct worker readers[READERS_MAX];
};

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

static int submit(struct pl_sql_request *r, struct pl_owner *owner, uint64_t deadline_ns,
                  struct pl_err *err)
{
    struct pl_sqlite *db = of(r->db);
    bool write = r->write;
    uv_mutex_lock(&db->mutex);
    bool closing = db->closing;
    uint32_t len = write ? db->writes_len : db->reads_len;
    uv_mutex_unlock(&db->mutex);
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
    uv_mutex_lock(&db->mutex);
    pl_list_push(write ? &db->writes : &db->reads, &r->link);
    (*(write ? &db->writes_len : &db->reads_len))++;
    uv_cond_signal(write ? &db->write_cond : &db->read_cond);
    uv_mutex_unlock(&db->mutex);
    return 0;
}

/* --- the writer thread
 * ----------------------------------------------------------------------------- */

static int run_statements(struct pl_sqlite_conn *c, struct pl_sql_request *r)
{
    for (uint32_t i = 0; i < r->statements_len; i++)
        if (pl_sqlite_conn_run(c, r, &r->statements[i], &r->err) < 0) {
            r->failed_statement = (int)i;
            return -1;
        }
    return 0;
}

static void fail_all(struct pl_list *group, const struct pl_err *err)
{
    struct pl_list *pos, *tmp;
    pl_list_each (pos, tmp, group) {
        struct pl_sql_request *r = pl_container_of(pos, struct pl_sql_request, link);
        if (r->err.code == NULL)
            r->err = *err;
    }
}

/* One transaction in its savepoint. Returns -1 when the whole group is lost: some errors (disk
 * full, I/O) make SQLite roll back everything at once. */
static int run_member(struct pl_sqlite_conn *c, struct pl_sql_request *r, bool alone)
{
    if (!alone && pl_sqlite_conn_exec(c, "SAVEPOINT member", &r->err) < 0)
        return -1;
    int rc = run_statements(c, r);
    if (sqlite3_get_autocommit(c->db))
        return -1;
    if (rc == 0)
        return alone ? 0 : pl_sqlite_conn_exec(c, "RELEASE member", &r->err);
    struct pl_err ignored;
    if (alone)
        return -1;
    return pl_sqlite_conn_exec(c, "ROLLBACK TO member; RELEASE member", &ignored);
}

static void commit_group(struct pl_sqlite_conn *c, struct pl_list *group, uint32_t n)
{
    struct pl_err err = {.code = NULL};
    if (pl_sqlite_conn_exec(c, "BEGIN IMMEDIATE", &err) < 0) {
        fail_all(group, &err);
        return;
    }
    bool lost = false;
    struct pl_list *pos, *tmp;
    pl_list_each (pos, tmp, group) {
        struct pl_sql_request *r = pl_container_of(pos, struct pl_sql_request, link);
        if (run_member(c, r, n == 1) < 0) {
            err = r->err;
            lost = true;
            break;
        }
    }
    if (!lost && pl_sqlite_conn_exec(c, "COMMIT", &err) == 0)
        return;
    if (!sqlite3_get_autocommit(c->db))
        pl_sqlite_conn_exec(c, "ROLLBACK", NULL);
    fail_all(group, &err);
}

static void run_script(struct pl_sqlite_conn *c, struct pl_sql_request *r)
{
    if (pl_sqlite_conn_exec(c, "BEGIN EXCLUSIVE", &r->err) < 0)
        return;
    if (pl_sqlite_conn_exec(c, r->bytes.data + r->statements[0].sql, &r->err) == 0 &&
        pl_sqlite_conn_exec(c, "COMMIT", &r->err) == 0)
        return;
    if (!sqlite3_get_autocommit(c->db))
        pl_sqlite_conn_exec(c, "ROLLBACK", NULL);
}

/* Takes what has gathered, but a script alone. Called with the mutex held. */
static uint32_t gather(struct pl_sqlite *db, struct pl_list *group)
{
    uint32_t n = 0;
    while (n < db->config.group_max && !pl_list_empty(&db->writes)) {
        struct pl_sql_request *r = pl_container_of(db->writes.next, struct pl_sql_request, link);
        if (r->script && n > 0)
            break;
        pl_list_remove(&r->link);
        pl_list_push(group, &r->link);
        n++;
        if (r->script)
            break;
    }
    db->writes_len -= n;
    return n;
}

static void give_back(struct pl_sqlite *db, struct pl_list *group, uint32_t n, uint64_t took)
{
    uv_mutex_lock(&db->mutex);
    struct pl_list *link;
    while ((link = pl_list_shift(group)) != NULL) {
        if (pl_container_of(link, struct pl_sql_request, link)->err.code != NULL)
            db->stats.failed++;
        pl_list_push(&db->done, link);
    }
    db->stats.groups++;
    db->stats.transactions += n;
    db->stats.commit_ns += took;
    if (took > db->stats.commit_max_ns)
        db->stats.commit_max_ns = took;
    uv_async_send(&db->async);
    uv_mutex_unlock(&db->mutex);
}

static void writer_main(void *arg)
{
    struct worker *w = arg;
    struct pl_sqlite *db = w->db;
    struct pl_list group;
    pl_list_init(&group);
    for (;;) {
        uv_mutex_lock(&db->mutex);
        while (pl_list_empty(&db->writes) && !db->closing)
            uv_cond_wait(&db->write_cond, &db->mutex);
        uint32_t n = gather(db, &group);
        uv_mutex_unlock(&db->mutex);
        if (n == 0)
            return; /* closing, and nothing is left */
        uint64_t begin = pl_now_ns();
        struct pl_sql_request *first = pl_container_of(group.next, struct pl_sql_request, link);
        if (first->script)
            run_script(&w->conn, first);
        else
            commit_group(&w->conn, &group, n);
        give_back(db, &group, n, pl_now_ns() - begin);
    }
}

static void reader_main(void *arg)
{
    struct worker *w = arg;
    struct pl_sqlite *db = w->db;
    for (;;) {
        uv_mutex_lock(&db->mutex);
        while (pl_list_empty(&db->reads) && !db->closing)
            uv_cond_wait(&db->read_cond, &db->mutex);
        struct pl_list *link = pl_list_shift(&db->reads);
        if (link != NULL)
            db->reads_len--;
        uv_mutex_unlock(&db->mutex);
        if (link == NULL)
            return;
        struct pl_sql_request *r = pl_container_of(link, struct pl_sql_request, link);
        run_statements(&w->conn, r);
        uv_mutex_lock(&db->mutex);
        db->stats.reads++;
        pl_list_push(&db->done, &r->link);
        uv_async_send(&db->async);
        uv_mutex_unlock(&db->mutex);
    }
}

/* --- the loop's side
 * ------------------------------------------------------------------------------- */

static void on_async_closed(uv_handle_t *handle)
{
    struct pl_sqlite *db = handle->data;
    uv_mutex_destroy(&db->mutex);
    uv_cond_destroy(&db->write_cond);
    uv_cond_destroy(&db->read_cond);
    free(db->path);
    free(db);
}

static void unref(struct pl_sqlite *db)
{
    assert(db->refs > 0);
    if (--db->refs == 0)
        uv_close((uv_handle_t *)&db->async, on_async_closed);
}

static void finish_done(struct pl_sqlite *db)
{
    struct pl_list ready;
    pl_list_init(&ready);
    struct pl_list *link;
    uv_mutex_lock(&db->mutex);
    while ((link = pl_list_shift(&db->done)) != NULL)
        pl_list_push(&ready, link);
    uv_mutex_unlock(&db->mutex);
    while ((link = pl_list_shift(&ready)) != NULL) {
        pl_sql_finish(pl_container_of(link, struct pl_sql_request, link));
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

static void join(struct worker *w)
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
    uv_mutex_lock(&db->mutex);
    db->closing = true;
    uv_cond_broadcast(&db->write_cond);
    uv_cond_broadcast(&db->read_cond);
    uv_mutex_unlock(&db->mutex);
    for (int i = 0; i < db->config.readers; i++)
        join(&db->readers[i]);
    join(&db->writer); /* last: the last connection to close checkpoints the WAL */
    finish_done(db);
    unref(db);
}

static void stats(struct pl_sql *sql, struct pl_sql_stats *out)
{
    struct pl_sqlite *db = of(sql);
    uv_mutex_lock(&db->mutex);
    *out = db->stats;
    out->queued = db->writes_len;
    out->reads_queued = db->reads_len;
    uv_mutex_unlock(&db->mutex);
}

static const struct pl_sql_driver driver = {"sqlite", submit, stats, close_db};

static int start(struct pl_sqlite *db, struct worker *w, bool writer, struct pl_err *err)
{
    w->db = db;
    if (pl_sqlite_conn_open(&w->conn, &db->config, writer, err) < 0)
        return -1;
    int rc = uv_thread_create(&w->thread, writer ? writer_main : reader_main, w);
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
    if (db->config.readers > READERS_MAX)
        db->config.readers = READERS_MAX;
    db->refs = 1;
    pl_list_init(&db->writes);
    pl_list_init(&db->reads);
    pl_list_init(&db->done);
    uv_mutex_init(&db->mutex);
    uv_cond_init(&db->write_cond);
    uv_cond_init(&db->read_cond);
    uv_async_init(&loop->uv, &db->async, on_async);
    db->async.data = db;
    bool ok = start(db, &db->writer, true, err) == 0;
    for (int i = 0; ok && i < db->config.readers; i++)
        ok = start(db, &db->readers[i], false, err) == 0;
    if (ok)
        return &db->sql;
    close_db(&db->sql);
    return NULL;
}
