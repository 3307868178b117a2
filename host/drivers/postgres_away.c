/* Whether the server can be reached, and what becomes of those who want something of it when it
 * cannot: what is queued is refused, and who waits for it is told. */
#include "base/clock.h"
#include "drivers/postgres_impl.h"

#include <stdlib.h>

bool pl_pg_usable(const struct pl_postgres *db, const struct pl_pg_conn *c)
{
    return c->state == PL_PG_UP &&
           (c->asked_ns == 0 || pl_now_ns() - c->asked_ns < db->config.stall_ms * PL_NS_PER_MS);
}

bool pl_pg_can(struct pl_postgres *db, bool write)
{
    int from = write ? 0 : db->config.writers, to = write ? db->config.writers : pl_pg_conns(db);
    for (int i = from; i < to; i++)
        if (pl_pg_usable(db, pl_pg_conn_at(db, i)))
            return true;
    return false;
}

int pl_pg_unavailable(struct pl_postgres *db, struct pl_err *err)
{
    for (int i = 0; i < pl_pg_conns(db); i++) {
        const struct pl_pg_conn *c = pl_pg_conn_at(db, i);
        if (c->state != PL_PG_UP && c->problem.code != NULL)
            return pl_fail(err, "unavailable", true, "postgres", "PostgreSQL is away: %s",
                           c->problem.message);
    }
    return pl_fail(err, "unavailable", true, "postgres", "PostgreSQL does not answer");
}

void pl_pg_fail_queue(struct pl_postgres *db, struct pl_list *queue, uint32_t *len,
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

void pl_pg_refuse_queues(struct pl_postgres *db)
{
    struct pl_err err;
    pl_pg_unavailable(db, &err);
    if (!pl_pg_can(db, true))
        pl_pg_fail_queue(db, &db->writes, &db->writes_len, &err);
    if (!pl_pg_can(db, false))
        pl_pg_fail_queue(db, &db->reads, &db->reads_len, &err);
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
    pl_pg_unref(db);
}

static void waiter_destroy(struct pl_op *op)
{
    free(pl_container_of(op, struct waiter, op));
}

static const struct pl_op_class waiter_class = {waiter_cancel, waiter_destroy};

void pl_pg_wake_waiters(struct pl_postgres *db, const struct pl_err *err)
{
    struct pl_list *link;
    while ((link = pl_list_shift(&db->waiters)) != NULL) {
        struct waiter *w = pl_container_of(link, struct waiter, link);
        if (err != NULL)
            pl_op_fail(&w->op, err);
        else
            pl_op_finish(&w->op);
        pl_op_unref(&w->op);
        pl_pg_unref(db);
    }
}

struct pl_op *pl_postgres_wait(struct pl_sql *sql, struct pl_owner *owner, uint64_t deadline_ns)
{
    struct pl_postgres *db = pl_pg_of(sql);
    struct waiter *w = pl_xcalloc(1, sizeof *w);
    w->db = db;
    pl_list_init(&w->link);
    pl_op_start(&w->op, sql->loop, owner, "postgres.connect", deadline_ns, &waiter_class);
    if (pl_pg_can(db, true) && pl_pg_can(db, false)) {
        pl_op_finish(&w->op);
        return &w->op;
    }
    pl_op_ref(&w->op);
    pl_list_push(&db->waiters, &w->link);
    db->refs++;
    return &w->op;
}

void pl_pg_changed(struct pl_postgres *db)
{
    struct pl_err err;
    db->refs++;
    bool writes = pl_pg_can(db, true), reads = pl_pg_can(db, false);
    if (writes && reads) {
        pl_pg_wake_waiters(db, NULL);
    } else if (!pl_list_empty(&db->waiters)) {
        /* Not up yet, or in vain: the connection that has failed says why. */
        for (int i = 0; i < pl_pg_conns(db); i++)
            if (pl_pg_conn_at(db, i)->problem.code != NULL) {
                err = pl_pg_conn_at(db, i)->problem;
                pl_pg_wake_waiters(db, &err);
                break;
            }
    }
    pl_pg_refuse_queues(db);
    if (!db->closing)
        pl_pg_start_soon(db);
    pl_pg_unref(db);
}
