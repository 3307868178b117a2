/* The thread that writes: it puts what waits into groups, each of which is one commit. */
#include "base/clock.h"
#include "drivers/sqlite_impl.h"

/* What others may take of a group in which somebody is who waits for nothing but its commit: as
 * long as the commit itself has taken lately, so that they have half of the thread on any disk. */
#define SHARE_NS (PL_NS_PER_MS / 10)

struct group {
    struct pl_sqlite *db;
    struct pl_sqlite_conn *conn;
    struct pl_list urgent, writes; /* that wait, in order */
    struct pl_list members;
    uint32_t n, urgent_n; /* members, and how many of them are urgent */
    uint32_t others;      /* that may still join: they were there when it began */
    uint64_t others_ns;   /* that those who are not urgent took */
    uint64_t commit_ns;   /* that the commit of the group before took */
};

int pl_sqlite_run_statements(struct pl_sqlite_conn *c, struct pl_sql_request *r)
{
    for (uint32_t i = 0; i < r->statements_len; i++)
        if (pl_sqlite_conn_run(c, r, &r->statements[i], &r->err) < 0) {
            r->failed_statement = (int)i;
            return -1;
        }
    return 0;
}

static void fail_all(struct group *g, const struct pl_err *err)
{
    struct pl_list *pos, *tmp;
    pl_list_each (pos, tmp, &g->members) {
        struct pl_sql_request *r = pl_container_of(pos, struct pl_sql_request, link);
        if (r->err.code == NULL)
            r->err = *err;
    }
}

/* One transaction in its savepoint. Returns -1 when the whole group is lost: some errors (disk
 * full, I/O) make SQLite roll back everything at once. */
static int run_member(struct pl_sqlite_conn *c, struct pl_sql_request *r, bool alone)
{
    if (!alone && pl_sqlite_conn_step(c, "SAVEPOINT member", &r->err) < 0)
        return -1;
    int rc = pl_sqlite_run_statements(c, r);
    if (sqlite3_get_autocommit(c->db))
        return -1;
    if (rc == 0)
        return alone ? 0 : pl_sqlite_conn_step(c, "RELEASE member", &r->err);
    struct pl_err ignored;
    if (alone)
        return -1;
    return pl_sqlite_conn_exec(c, "ROLLBACK TO member; RELEASE member", &ignored);
}

/* What has been handed over since; behind those that wait. */
static void gather(struct group *g)
{
    struct pl_list fresh, *link;
    pl_list_init(&fresh);
    pl_handoff_take(&g->db->writes, &fresh);
    while ((link = pl_list_shift(&fresh)) != NULL) {
        struct pl_sql_request *r = pl_container_of(link, struct pl_sql_request, link);
        pl_list_push(r->urgent ? &g->urgent : &g->writes, link);
    }
}

static bool none_waits(const struct group *g)
{
    return pl_list_empty(&g->urgent) && pl_list_empty(&g->writes);
}

/* Takes the next one, the urgent first; a script is alone in its group. */
static struct pl_sql_request *take(struct group *g)
{
    bool urgent = !pl_list_empty(&g->urgent);
    struct pl_list *from = urgent ? &g->urgent : &g->writes;
    if (pl_list_empty(from))
        return NULL;
    struct pl_sql_request *r = pl_container_of(from->next, struct pl_sql_request, link);
    if (r->script && g->n > 0)
        return NULL;
    pl_list_remove(&r->link);
    pl_list_push(&g->members, &r->link);
    g->db->writes_len--;
    g->n++;
    g->urgent_n += urgent;
    g->others -= !urgent;
    return r;
}

/* Sleeps until something waits. False: the database closes, and nothing does. */
static bool await(struct group *g)
{
    struct pl_sqlite *db = g->db;
    for (;;) {
        bool closing = db->closing; /* whatever was handed over before is seen */
        gather(g);
        if (!none_waits(g))
            return true;
        if (closing)
            return false;
        db->writer_sleeps = true;
        if (pl_handoff_empty(&db->writes) && !db->closing)
            uv_sem_wait(&db->write_sem);
        db->writer_sleeps = false;
    }
}

/* The first member of the next group; NULL: the database closes, and nothing is left. `alone`:
 * nothing else waits. */
static struct pl_sql_request *begin(struct group *g, bool *alone)
{
    if (!await(g))
        return NULL;
    g->n = g->urgent_n = 0;
    g->others = g->db->writes_len;
    g->others_ns = 0;
    struct pl_sql_request *r = take(g);
    *alone = none_waits(g);
    return r;
}

/* The next member of a group that has begun; NULL: it is to be committed. Whoever is urgent is
 * taken along however late it comes. */
static struct pl_sql_request *join(struct group *g)
{
    uint64_t share = g->commit_ns > SHARE_NS ? g->commit_ns : SHARE_NS;
    gather(g);
    bool others = g->others > 0 && (g->urgent_n == 0 || g->others_ns < share);
    if (g->n < g->db->config.group_max && (others || !pl_list_empty(&g->urgent)))
        return take(g);
    return NULL;
}

/* Runs members until the group is complete. -1 with `err` when all of it is lost. */
static int run_members(struct group *g, struct pl_sql_request *r, bool alone, struct pl_err *err)
{
    uint64_t now = pl_now_ns();
    do {
        if (run_member(g->conn, r, alone) < 0) {
            *err = r->err;
            return -1;
        }
        uint64_t before = now;
        now = pl_now_ns();
        if (!r->urgent)
            g->others_ns += now - before;
    } while (!alone && (r = join(g)) != NULL);
    return 0;
}

/* One that is alone needs no savepoint, and waits for nobody who comes later. */
static void commit_group(struct group *g, struct pl_sql_request *first, bool alone)
{
    struct pl_err err = {.code = NULL};
    if (pl_sqlite_conn_step(g->conn, "BEGIN IMMEDIATE", &err) < 0) {
        fail_all(g, &err);
        return;
    }
    if (run_members(g, first, alone, &err) == 0) {
        uint64_t since = pl_now_ns();
        int rc = pl_sqlite_conn_step(g->conn, "COMMIT", &err);
        g->commit_ns = pl_now_ns() - since;
        if (rc == 0)
            return;
    }
    if (!sqlite3_get_autocommit(g->conn->db))
        pl_sqlite_conn_exec(g->conn, "ROLLBACK", NULL);
    fail_all(g, &err);
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

static void give_back(struct group *g, uint64_t took)
{
    struct pl_sqlite *db = g->db;
    struct pl_list *link;
    uint32_t failed = 0;
    while ((link = pl_list_shift(&g->members)) != NULL) {
        struct pl_sql_request *r = pl_container_of(link, struct pl_sql_request, link);
        failed += r->err.code != NULL;
        pl_handoff_put(r->urgent ? &db->done_urgent : &db->done, link);
    }
    uv_async_send(&db->async);
    uv_mutex_lock(&db->stats_mutex);
    db->stats.failed += failed;
    db->stats.groups++;
    db->stats.transactions += g->n;
    db->stats.commit_ns += took;
    if (took > db->stats.commit_max_ns)
        db->stats.commit_max_ns = took;
    uv_mutex_unlock(&db->stats_mutex);
}

void pl_sqlite_writer_main(void *arg)
{
    struct pl_sqlite_worker *w = arg;
    struct group group = {.db = w->db, .conn = &w->conn};
    struct pl_sql_request *first;
    bool alone;
    pl_list_init(&group.urgent);
    pl_list_init(&group.writes);
    pl_list_init(&group.members);
    while ((first = begin(&group, &alone)) != NULL) {
        uint64_t since = pl_now_ns();
        if (first->script)
            run_script(&w->conn, first);
        else
            commit_group(&group, first, alone);
        give_back(&group, pl_now_ns() - since);
        pl_sqlite_checkpoint_go_on(&w->db->checkpoint, &w->conn);
    }
}
