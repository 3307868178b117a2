/* Scripts: the text of a migration, which no prepared statement can hold. */
#include "drivers/postgres_error.h"
#include "drivers/postgres_impl.h"

#include <stdlib.h>

struct script {
    uv_work_t uv;
    struct pl_postgres *db;
    struct pl_sql_request *r;
};

/* One at a time in the whole database, also among hosts that start together: the number is
 * "parley" in ASCII. A migration may take its time, but must not wait for ever behind a reader. */
static const char begin[] = "BEGIN; SET LOCAL statement_timeout = 0;"
                            "SET LOCAL idle_in_transaction_session_timeout = 0;"
                            "SET LOCAL lock_timeout = '30s';"
                            "SELECT pg_advisory_xact_lock(123597969380729)";

static int run(PGconn *pg, const char *sql, struct pl_err *err)
{
    PGresult *result = PQexec(pg, sql);
    ExecStatusType status = PQresultStatus(result);
    bool good = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
    if (!good)
        pl_pg_error_of_result(result, err);
    PQclear(result);
    return good ? 0 : -1;
}

static void script_main(uv_work_t *uv)
{
    struct script *s = pl_container_of(uv, struct script, uv);
    struct pl_sql_request *r = s->r;
    struct pl_pg_attempt a = {
        .target = {.url = s->db->url, .unsafe_allowed = s->db->config.unsafe_allowed}};
    if (pl_pg_attempt_run(&a) < 0) {
        r->err = a.err;
        return;
    }
    if (run(a.pg, begin, &r->err) == 0 &&
        run(a.pg, r->bytes.data + r->statements[0].sql, &r->err) == 0)
        run(a.pg, "COMMIT", &r->err);
    PQfinish(a.pg); /* rolls back what is open */
}

static void script_done(uv_work_t *uv, int status)
{
    (void)status;
    struct script *s = pl_container_of(uv, struct script, uv);
    struct pl_postgres *db = s->db;
    struct pl_sql_request *r = s->r;
    free(s);
    pl_pg_finish(db, r);
}

void pl_pg_script(struct pl_postgres *db, struct pl_sql_request *r)
{
    struct script *s = pl_xcalloc(1, sizeof *s);
    s->db = db;
    s->r = r;
    r->carrier = s;
    uv_queue_work(&db->sql.loop->uv, &s->uv, script_main, script_done);
}
