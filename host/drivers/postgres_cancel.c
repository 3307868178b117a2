/* Stopping a statement that nobody waits for: a request of its own to the server, from a thread.
 *
 * A server that is stopped keeps that thread until it goes on, and the threads of the pool also
 * resolve names and hash: of each database one cancel is under way, and what else there is to stop
 * meets its own limit on the server.
 *
 * The server stops whatever the connection runs when the cancel arrives, which may be the next
 * statement, of somebody who still waits: that one goes again. */
#include "drivers/postgres_impl.h"

#include <stdlib.h>
#include <string.h>

struct cancel {
    uv_work_t uv;
    struct pl_postgres *db;
    PGcancel *pg;
};

static void cancel_main(uv_work_t *uv)
{
    struct cancel *c = pl_container_of(uv, struct cancel, uv);
    char ignored[256]; /* nothing is owed */
    PQcancel(c->pg, ignored, sizeof ignored);
}

static void cancel_done(uv_work_t *uv, int status)
{
    (void)status;
    struct cancel *c = pl_container_of(uv, struct cancel, uv);
    struct pl_postgres *db = c->db;
    PQfreeCancel(c->pg);
    free(c);
    db->cancelling = false;
    pl_pg_finish(db, NULL);
}

void pl_pg_cancel(struct pl_postgres *db, struct pl_pg_conn *conn)
{
    PGcancel *pg = conn->state == PL_PG_UP && !db->cancelling ? PQgetCancel(conn->pg) : NULL;
    if (pg == NULL)
        return;
    struct cancel *c = pl_xcalloc(1, sizeof *c);
    c->db = db;
    c->pg = pg;
    conn->cancelled = true;
    db->cancelling = true;
    db->stats.cancels++;
    db->refs++;
    uv_queue_work(&db->sql.loop->uv, &c->uv, cancel_main, cancel_done);
}

bool pl_pg_was_cancelled(struct pl_pg_conn *conn, const struct pl_sql_request *r,
                         const PGresult *result)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    if (!conn->cancelled || state == NULL || strcmp(state, "57014") != 0)
        return false;
    conn->cancelled = false;
    return pl_op_pending(&r->op);
}
