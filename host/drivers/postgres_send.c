/* When what has gathered goes out, and on which connection; and the watch over what is owed. */
#include "base/clock.h"
#include "drivers/postgres_impl.h"

#define READS_INFLIGHT 64  /* per reader: one slow read delays no more than that */
#define WATCH_MS       200 /* how soon silence is noticed when it is long enough */
#define LARGE          8   /* transactions in a group: others had better wait for it */
#define SLOW_MS        10  /* but not for one that takes longer */

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
    for (int i = 0; i < pl_pg_conns(db) && !db->closing; i++) {
        const struct pl_pg_conn *c = pl_pg_conn_at(db, i);
        owed = owed || c->asked_ns != 0;
        if (c->state != PL_PG_UP || i < db->config.writers)
            continue;
        pl_pg_reader_stop_unwanted(&db->readers[i - db->config.writers]);
        if (pl_pg_usable(db, c))
            continue;
        pl_pg_unavailable(db, &err);
        pl_pg_reader_give_up(&db->readers[i - db->config.writers], &err);
    }
    if (!db->closing)
        pl_pg_refuse_queues(db);
    send_writes(db); /* behind a writer that has become slow */
    if (!owed) {
        db->watching = false;
        uv_timer_stop(&db->watch);
    }
    pl_pg_unref(db);
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
    pl_pg_unref(db);
}

void pl_pg_start_soon(struct pl_postgres *db)
{
    if (db->starting)
        return;
    db->starting = true;
    uv_prepare_start(&db->starter, on_start);
}

void pl_pg_reads_go(struct pl_postgres *db)
{
    if (db->reads_len > 0 && !db->closing)
        pl_pg_start_soon(db);
}
