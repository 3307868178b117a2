/* A writer: one group of transactions at a time. One flight is enough when nothing is expected of
 * their statements, or the server itself can see to what is: it commits, or nothing has happened.
 * Else it takes two: the first carries the statements and shows which transaction is in the way;
 * the second commits, or rolls back and starts again without it. So does a group whose joint
 * statements have failed, which goes again one by one. */
#include "drivers/postgres_impl.h"

#include "base/clock.h"
#include "drivers/postgres_error.h"
#include "drivers/postgres_guard.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define GUARDS_MAX 4 /* of a group; with more of them two flights are as good */

static struct pl_sql_request *request_of(struct pl_list *link)
{
    return pl_container_of(link, struct pl_sql_request, link);
}

/* --- making a group
 * -------------------------------------------------------------------------------- */

struct place {
    uint32_t key, n;
    struct pl_sql_request *r;
};

static int by_key(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->n < y->n ? -1 : 1; /* those of one key stay in the order of their arrival */
}

/* Two groups that touch the same rows must do so in the same order. */
static void sort_group(struct pl_pg_writer *w)
{
    struct place all[PL_PG_GROUP_MAX];
    uint32_t n = 0;
    bool sorted = true;
    struct pl_list *pos, *tmp;
    pl_list_each (pos, tmp, &w->group) {
        all[n] = (struct place){request_of(pos)->key, n, request_of(pos)};
        if (n > 0 && all[n].key < all[n - 1].key)
            sorted = false;
        n++;
    }
    if (sorted)
        return;
    qsort(all, n, sizeof *all, by_key);
    pl_list_init(&w->group);
    for (uint32_t i = 0; i < n; i++)
        pl_list_push(&w->group, &all[i].r->link);
}

static void move(struct pl_list *from, struct pl_list *to, uint32_t max, uint32_t *count)
{
    struct pl_list *link;
    while (*count < max && (link = pl_list_shift(from)) != NULL) {
        pl_list_push(to, link);
        (*count)++;
    }
}

static bool gather(struct pl_pg_writer *w)
{
    struct pl_postgres *db = w->db;
    w->group_len = 0;
    if (!pl_list_empty(&w->again)) {
        w->one_by_one = w->rows.failed;
        move(&w->again, &w->group, UINT32_MAX, &w->group_len);
    } else if (!pl_list_empty(&w->alone)) {
        w->one_by_one = true;
        move(&w->alone, &w->group, 1, &w->group_len);
    } else {
        w->one_by_one = false;
        move(&db->writes, &w->group, db->config.group_max, &w->group_len);
        db->writes_len -= w->group_len;
        sort_group(w);
    }
    return w->group_len > 0;
}

/* How the group is sent. A guard has its price on the server, like a flight; one that serves many
 * rows costs next to nothing. In a group that goes one by one the guards would find one conflict in
 * each flight. */
static void plan_flights(struct pl_pg_writer *w)
{
    uint32_t guards = 0;
    bool plain = true, expecting = false;
    struct pl_list *pos, *tmp;
    pl_list_each (pos, tmp, &w->group) {
        const struct pl_sql_request *r = request_of(pos);
        for (uint32_t i = 0; i < r->statements_len; i++) {
            const struct pl_sql_statement *s = &r->statements[i];
            plain = plain && pl_pg_guard_plain(r, i);
            expecting = expecting || s->expect >= 0;
            guards += s->expect >= 0 && !pl_pg_rows_may_take(s);
        }
    }
    bool can = w->group_len == 1 || (!w->one_by_one && guards <= GUARDS_MAX);
    w->guarded = expecting && plain && can;
    w->explicit_begin = !plain || (expecting && !w->guarded);
}

static void send_statement(struct pl_pg_writer *w, struct pl_sql_request *r, uint32_t i)
{
    if (!w->one_by_one && pl_pg_rows_take(&w->rows, r, i))
        return;
    if (w->guarded && r->statements[i].expect >= 0)
        pl_pg_conn_exec_guarded(&w->conn, r, i);
    else
        pl_pg_conn_exec(&w->conn, r, i);
}

static void send_group(struct pl_pg_writer *w)
{
    struct pl_list *pos, *tmp;
    pl_pg_rows_begin(&w->rows, w->guarded);
    pl_list_each (pos, tmp, &w->group) {
        struct pl_sql_request *r = request_of(pos);
        r->carrier = w;
        for (uint32_t i = 0; i < r->statements_len; i++)
            send_statement(w, r, i);
    }
    pl_pg_rows_send(&w->rows, &w->conn);
}

void pl_pg_writer_go(struct pl_pg_writer *w)
{
    if (w->phase != PL_PG_IDLE || w->conn.state != PL_PG_UP || !gather(w))
        return;
    w->phase = PL_PG_RUN;
    w->begin_ns = pl_now_ns();
    w->broken.code = w->refused.code = NULL;
    plan_flights(w);
    /* Who comes back from a deadlock at once may take the row before the other has woken up. */
    if (request_of(w->group.next)->attempts > 0)
        pl_pg_conn_control(&w->conn, "SELECT pg_sleep(random() * 0.1)");
    if (w->explicit_begin)
        pl_pg_conn_control(&w->conn, "BEGIN");
    send_group(w);
    pl_pg_conn_sync(&w->conn, NULL);
    pl_pg_conn_flush(&w->conn);
}

/* --- what comes of it
 * ------------------------------------------------------------------------------ */

static void count(struct pl_pg_writer *w)
{
    struct pl_sql_stats *s = &w->db->stats;
    uint64_t took = pl_now_ns() - w->begin_ns;
    s->groups++;
    s->transactions += w->group_len;
    s->commit_ns += took;
    if (took > s->commit_max_ns)
        s->commit_max_ns = took;
}

/* The list is detached first: whoever is woken may submit more, or close the database, which would
 * tell the rest of a group that was committed that nothing came of it. */
static void finish_all(struct pl_postgres *db, struct pl_list *list, const struct pl_err *err)
{
    struct pl_list detached, *link;
    pl_list_init(&detached);
    while ((link = pl_list_shift(list)) != NULL)
        pl_list_push(&detached, link);
    while ((link = pl_list_shift(&detached)) != NULL) {
        struct pl_sql_request *r = request_of(link);
        if (err != NULL && r->err.code == NULL)
            r->err = *err;
        if (r->err.code != NULL)
            db->stats.failed++;
        pl_pg_finish(db, r);
    }
}

static void rewind_all(struct pl_list *list)
{
    struct pl_list *pos, *tmp;
    pl_list_each (pos, tmp, list)
        pl_sql_rewind(request_of(pos));
}

static void finish_group(struct pl_pg_writer *w, const struct pl_err *err)
{
    struct pl_postgres *db = w->db;
    count(w);
    w->phase = PL_PG_IDLE;
    db->refs++;
    finish_all(db, &w->group, err);
    if (!db->closing)
        pl_pg_writer_go(w);
    pl_pg_finish(db, NULL);
}

/* After a rollback: what failed goes again alone, the others together. Who was alone has failed.
 * When it was rows of many, all go together again, one by one, to see whose. */
static void split(struct pl_pg_writer *w)
{
    struct pl_list *link;
    if (w->group_len == 1 && !w->rows.failed && !pl_pg_try_again(request_of(w->group.next))) {
        finish_group(w, NULL);
        return;
    }
    uint32_t n = 0;
    while ((link = pl_list_shift(&w->group)) != NULL) {
        struct pl_sql_request *r = request_of(link);
        bool failed = r->err.code != NULL;
        pl_sql_rewind(r);
        if (pl_op_pending(&r->op)) {
            pl_list_push(failed ? &w->alone : &w->again, link);
            n++;
        } else { /* nobody waits any more: nothing was done, and nothing need be */
            pl_fail(&r->err, PL_E_TIMEOUT, true, "postgres.commit", "given up");
            pl_pg_finish(w->db, r);
        }
    }
    w->db->stats.retried += n;
    w->phase = PL_PG_IDLE;
    pl_pg_writer_go(w);
}

/* Whose fault it is that the COMMIT has failed is not known: each of a group goes again alone. */
static void refuse(struct pl_pg_writer *w)
{
    struct pl_list *pos, *tmp;
    pl_list_each (pos, tmp, &w->group) {
        struct pl_sql_request *r = request_of(pos);
        if (r->err.code == NULL) {
            r->err = w->refused;
            r->transient = w->refused_transient;
        }
    }
    split(w);
}

static bool any_failed(const struct pl_pg_writer *w)
{
    if (w->rows.failed)
        return true;
    struct pl_list *pos, *tmp;
    pl_list_each (pos, tmp, &w->group)
        if (request_of(pos)->err.code != NULL)
            return true;
    return false;
}

static void on_result(struct pl_pg_conn *c, const struct pl_pg_unit *unit, const PGresult *result)
{
    struct pl_pg_writer *w = c->data;
    ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_PIPELINE_ABORTED)
        return;
    if (status == PGRES_FATAL_ERROR && pl_pg_error_ends_connection(result)) {
        pl_pg_error_of_result(result, &w->broken);
        return; /* told to all at the sync, or when the connection breaks */
    }
    if (unit->kind == PL_PG_ROWS) {
        pl_pg_rows_result(&w->rows, unit, result);
    } else if (unit->kind == PL_PG_EXEC || unit->kind == PL_PG_GUARDED) {
        int rc = unit->kind == PL_PG_EXEC ? pl_pg_take_result(unit->r, unit->at, result)
                                          : pl_pg_guard_take(unit->r, unit->at, result);
        if (rc < 0 && unit->r->failed_statement < 0) {
            unit->r->failed_statement = (int)unit->at;
            unit->r->transient |= pl_pg_was_cancelled(c, unit->r, result);
        }
    } else if (status == PGRES_FATAL_ERROR &&
               (unit->kind == PL_PG_SYNC || w->phase == PL_PG_COMMIT)) {
        pl_pg_error_of_result(result, &w->refused);
        w->refused_transient = pl_pg_error_is_transient(result);
    } else if (status == PGRES_FATAL_ERROR) {
        pl_pg_error_of_result(result, &w->broken);
    } else if (w->phase == PL_PG_COMMIT && strcmp(PQcmdStatus((PGresult *)result), "COMMIT") != 0) {
        pl_fail(&w->broken, PL_E_IO, true, "postgres.commit", "the server rolled back");
    }
}

static void on_sync(struct pl_pg_conn *c, const struct pl_pg_unit *unit)
{
    (void)unit;
    struct pl_pg_writer *w = c->data;
    if (w->phase == PL_PG_IDLE)
        return;
    if (w->broken.code != NULL) {
        struct pl_err err = w->broken;
        pl_pg_conn_drop(c, &err); /* fails the group by on_down */
        return;
    }
    if (w->refused.code != NULL) {
        refuse(w);
        return;
    }
    bool failed = w->phase == PL_PG_RUN && any_failed(w);
    if (w->phase == PL_PG_ROLLBACK || (failed && !w->explicit_begin)) {
        split(w);
    } else if (w->phase == PL_PG_RUN && w->explicit_begin) {
        w->phase = failed ? PL_PG_ROLLBACK : PL_PG_COMMIT;
        pl_pg_conn_control(c, failed ? "ROLLBACK" : "COMMIT");
        pl_pg_conn_sync(c, NULL);
        pl_pg_conn_flush(c);
    } else {
        finish_group(w, NULL);
    }
}

static void on_up(struct pl_pg_conn *c)
{
    struct pl_pg_writer *w = c->data;
    pl_pg_changed(w->db);
}

static void on_down(struct pl_pg_conn *c, const struct pl_err *err)
{
    struct pl_pg_writer *w = c->data;
    struct pl_postgres *db = w->db;
    struct pl_err why = *err;
    if (w->phase == PL_PG_COMMIT || (w->phase == PL_PG_RUN && !w->explicit_begin))
        pl_fail(&why, "unavailable", true, "postgres.commit",
                "the connection broke before the commit was confirmed: %s", err->message);
    w->phase = PL_PG_IDLE;
    db->refs++;
    /* An error of a statement counts only when it was alone: the others may have been its cause. */
    if (w->group_len > 1)
        rewind_all(&w->group);
    finish_all(db, &w->group, &why);
    finish_all(db, &w->again, err);
    finish_all(db, &w->alone, err);
    if (!db->closing)
        pl_pg_changed(db);
    pl_pg_finish(db, NULL);
}

static const struct pl_pg_owner owner = {on_up, on_down, on_result, on_sync};

bool pl_pg_writer_carries(const struct pl_pg_writer *w, const struct pl_sql_request *r)
{
    struct pl_list *pos, *tmp;
    pl_list_each (pos, tmp, &w->group)
        if (pos == &r->link)
            return true;
    return false;
}

void pl_pg_writer_start(struct pl_pg_writer *w, struct pl_postgres *db)
{
    w->db = db;
    w->conn.data = w;
    pl_list_init(&w->group);
    pl_list_init(&w->alone);
    pl_list_init(&w->again);
    struct pl_pg_target target = {
        .url = db->url, .unsafe_allowed = db->config.unsafe_allowed, .by_index = true};
    pl_pg_conn_start(&w->conn, db->sql.loop, &owner, &target, &db->attempted);
}
