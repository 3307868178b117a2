/* A reader: reads one after the other in a pipeline, each in a transaction of its own. */
#include "drivers/postgres_impl.h"

#include "drivers/postgres_error.h"

#include <assert.h>

static void on_result(struct pl_pg_conn *c, const struct pl_pg_unit *unit, const PGresult *result)
{
    if (unit->kind != PL_PG_EXEC)
        return;
    struct pl_sql_request *r = unit->r;
    if (PQresultStatus(result) == PGRES_PIPELINE_ABORTED) {
        if (r->err.code == NULL) { /* the driver's own command before it failed */
            pl_fail(&r->err, PL_E_IO, true, "postgres", "the statement was skipped");
            r->transient = true;
        }
        return;
    }
    if (pl_pg_take_result(r, unit->at, result) < 0) {
        r->failed_statement = 0;
        r->transient = r->transient || pl_pg_was_cancelled(c, r, result);
    }
}

void pl_pg_reader_stop_unwanted(struct pl_pg_reader *reader)
{
    if (pl_list_empty(&reader->sent))
        return;
    struct pl_sql_request *next = pl_container_of(reader->sent.next, struct pl_sql_request, link);
    if (!pl_op_pending(&next->op))
        pl_pg_cancel(reader->db, &reader->conn);
}

static void on_sync(struct pl_pg_conn *c, const struct pl_pg_unit *unit)
{
    struct pl_pg_reader *reader = c->data;
    struct pl_postgres *db = reader->db;
    struct pl_sql_request *r = unit->r;
    assert(reader->inflight > 0);
    reader->inflight--;
    pl_list_remove(&r->link);
    if (pl_pg_try_again(r)) {
        db->stats.retried++;
        pl_sql_rewind(r);
        pl_pg_reader_send(reader, r);
        pl_pg_conn_flush(&reader->conn);
        return;
    }
    db->stats.reads++;
    pl_pg_reader_stop_unwanted(reader);
    pl_pg_reads_go(db);
    pl_pg_finish(db, r);
}

static void on_up(struct pl_pg_conn *c)
{
    struct pl_pg_reader *reader = c->data;
    pl_pg_changed(reader->db);
}

static void on_down(struct pl_pg_conn *c, const struct pl_err *err)
{
    struct pl_pg_reader *reader = c->data;
    struct pl_postgres *db = reader->db;
    db->refs++;
    reader->inflight = 0;
    struct pl_list *link;
    while ((link = pl_list_shift(&reader->sent)) != NULL) {
        struct pl_sql_request *r = pl_container_of(link, struct pl_sql_request, link);
        if (r->err.code == NULL)
            r->err = *err;
        pl_pg_finish(db, r);
    }
    if (!db->closing)
        pl_pg_changed(db);
    pl_pg_finish(db, NULL);
}

static const struct pl_pg_owner owner = {on_up, on_down, on_result, on_sync};

void pl_pg_reader_give_up(struct pl_pg_reader *reader, const struct pl_err *err)
{
    /* Whoever is woken may change the list: it is looked through anew after each. */
    struct pl_list *pos = reader->sent.next;
    while (pos != &reader->sent) {
        struct pl_sql_request *r = pl_container_of(pos, struct pl_sql_request, link);
        pos = pl_op_fail(&r->op, err) ? reader->sent.next : pos->next;
    }
    pl_pg_reader_stop_unwanted(reader); /* it may be slow, not away */
}

void pl_pg_reader_send(struct pl_pg_reader *reader, struct pl_sql_request *r)
{
    reader->inflight++;
    r->carrier = reader;
    pl_list_push(&reader->sent, &r->link);
    pl_pg_conn_exec(&reader->conn, r, 0);
    pl_pg_conn_sync(&reader->conn, r);
}

void pl_pg_reader_start(struct pl_pg_reader *reader, struct pl_postgres *db)
{
    reader->db = db;
    reader->conn.data = reader;
    pl_list_init(&reader->sent);
    struct pl_pg_target target = {
        .url = db->url, .unsafe_allowed = db->config.unsafe_allowed, .read_only = true};
    pl_pg_conn_start(&reader->conn, db->sql.loop, &owner, &target, &db->attempted);
}
