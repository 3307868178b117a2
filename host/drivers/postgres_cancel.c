/* Stopping a statement that nobody waits for: a request of its own to the server.
 *
 * PQcancel connects and waits for the server to close, with no limit: a server that is stopped
 * keeps the thread until it goes on. The threads of the pool also resolve names and hash, so each
 * cancel has its own, and each connection at most one.
 *
 * The server stops whatever the connection runs when the cancel arrives, which may be the next
 * statement, of somebody who still waits: that one goes again. */
#include "drivers/postgres_impl.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct pl_pg_cancel {
    atomic_int refs; /* the connection's, and the thread's until it has ended */
    PGcancel *pg;
};

static void unref(struct pl_pg_cancel *c)
{
    if (atomic_fetch_sub(&c->refs, 1) > 1)
        return;
    PQfreeCancel(c->pg);
    free(c);
}

static void *cancel_main(void *arg)
{
    struct pl_pg_cancel *c = arg;
    char ignored[256]; /* nothing is owed: the statement has its own limit on the server */
    PQcancel(c->pg, ignored, sizeof ignored);
    unref(c);
    return NULL;
}

void pl_pg_cancel_forget(struct pl_pg_conn *conn)
{
    if (conn->cancel != NULL)
        unref(conn->cancel);
    conn->cancel = NULL;
}

void pl_pg_cancel(struct pl_postgres *db, struct pl_pg_conn *conn)
{
    bool under_way = conn->cancel != NULL && atomic_load(&conn->cancel->refs) > 1;
    PGcancel *pg = conn->state == PL_PG_UP && !under_way ? PQgetCancel(conn->pg) : NULL;
    if (pg == NULL)
        return;
    pl_pg_cancel_forget(conn);
    struct pl_pg_cancel *c = pl_xcalloc(1, sizeof *c);
    c->pg = pg;
    atomic_init(&c->refs, 2);
    conn->cancel = c;
    pthread_t thread;
    if (pthread_create(&thread, NULL, cancel_main, c) != 0) {
        unref(c); /* the thread's */
        return;
    }
    pthread_detach(thread);
    conn->cancelled = true;
    db->stats.cancels++;
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
