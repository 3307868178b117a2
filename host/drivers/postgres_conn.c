#include "drivers/postgres_conn.h"

#include "base/clock.h"
#include "base/decimal.h"
#include "drivers/postgres_error.h"
#include "drivers/postgres_guard.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_MS_MIN 50
#define RETRY_MS_MAX 500

static const struct pl_err lost_error = {.code = "unavailable",
                                         .op = "postgres",
                                         .retryable = true,
                                         .message = "the connection is lost"};

/* --- units
 * ----------------------------------------------------------------------------------------- */

static void push_unit(struct pl_pg_conn *c, struct pl_pg_unit unit)
{
    if (c->units_len == c->units_cap) {
        uint32_t cap = c->units_cap ? c->units_cap * 2 : 64;
        struct pl_pg_unit *units = pl_xmalloc(cap * sizeof *units);
        for (uint32_t i = 0; i < c->units_len; i++)
            units[i] = c->units[(c->units_head + i) % c->units_cap];
        free(c->units);
        c->units = units;
        c->units_cap = cap;
        c->units_head = 0;
    }
    c->units[(c->units_head + c->units_len++) % c->units_cap] = unit;
}

static struct pl_pg_unit pop_unit(struct pl_pg_conn *c)
{
    struct pl_pg_unit unit = c->units[c->units_head];
    c->units_head = (c->units_head + 1) % c->units_cap;
    c->units_len--;
    return unit;
}

/* --- sending
 * --------------------------------------------------------------------------------------- */

/* NULL: there is no place for it, or the connection is lost. */
static struct pl_pg_prepared *prepare(struct pl_pg_conn *c, const char *sql, size_t len)
{
    bool known;
    struct pl_pg_prepared *p = pl_pg_prepared_place(&c->prepared, sql, len, &known);
    if (p == NULL || known)
        return p;
    char text[32] = "DEALLOCATE ", name[PL_PG_NAME_MAX];
    if (p->sql != NULL) {
        pl_pg_prepared_name(p, text + strlen(text));
        pl_pg_conn_control(c, text);
    }
    pl_pg_prepared_take(&c->prepared, p, sql, len);
    pl_pg_prepared_name(p, name);
    if (PQsendPrepare(c->pg, name, sql, 0, NULL) == 0) {
        c->lost = true;
        return NULL;
    }
    push_unit(c, (struct pl_pg_unit){
                     .kind = PL_PG_PREPARE, .place = (uint32_t)(p - c->prepared.at), .id = p->id});
    return p;
}

/* Numbers are written into `scratch`, which must not move meanwhile. */
static const char *text_of(struct pl_pg_conn *c, const struct pl_sql_request *r,
                           const struct pl_sql_value *v)
{
    if (v->type == PL_SQL_NULL)
        return NULL;
    if (v->type == PL_SQL_TEXT)
        return r->bytes.data + v->offset;
    char *at = c->scratch.data + c->scratch.len;
    c->scratch.len +=
        1 + (v->type == PL_SQL_INTEGER ? pl_decimal(v->integer, at) : pl_decimal_real(v->real, at));
    return at;
}

static void execute(struct pl_pg_conn *c, const char *sql, size_t len,
                    const struct pl_pg_part *parts, uint32_t parts_len, struct pl_pg_unit unit)
{
    if (c->lost)
        return;
    struct pl_pg_prepared *p = prepare(c, sql, len);
    if (c->lost)
        return;
    const char *values[PL_PG_PARAMS_MAX];
    uint32_t n = 0;
    pl_buf_clear(&c->scratch);
    pl_buf_reserve(&c->scratch, PL_DECIMAL_MAX * PL_PG_PARAMS_MAX);
    for (uint32_t k = 0; k < parts_len; k++) {
        const struct pl_sql_request *r = parts[k].r;
        const struct pl_sql_statement *s = &r->statements[parts[k].statement];
        assert(n + s->count <= PL_PG_PARAMS_MAX);
        for (uint32_t i = 0; i < s->count; i++)
            values[n++] = text_of(c, r, &r->params[s->first + i]);
    }
    int sent;
    if (p != NULL) {
        char name[PL_PG_NAME_MAX];
        pl_pg_prepared_name(p, name);
        unit.place = (uint32_t)(p - c->prepared.at);
        unit.id = p->id;
        sent = PQsendQueryPrepared(c->pg, name, (int)n, values, NULL, NULL, 0);
    } else {
        sent = PQsendQueryParams(c->pg, sql, (int)n, NULL, values, NULL, NULL, 0);
    }
    if (sent == 0)
        c->lost = true;
    else
        push_unit(c, unit);
}

void pl_pg_conn_exec(struct pl_pg_conn *c, struct pl_sql_request *r, uint32_t statement)
{
    const struct pl_sql_statement *s = &r->statements[statement];
    execute(c, r->bytes.data + s->sql, s->sql_len, &(struct pl_pg_part){r, statement}, 1,
            (struct pl_pg_unit){.kind = PL_PG_EXEC, .at = statement, .r = r});
}

void pl_pg_conn_exec_guarded(struct pl_pg_conn *c, struct pl_sql_request *r, uint32_t statement)
{
    pl_buf_clear(&c->guarded);
    pl_pg_guard_text(r, statement, &c->guarded);
    size_t len = c->guarded.len;
    pl_buf_putc(&c->guarded, '\0');
    execute(c, c->guarded.data, len, &(struct pl_pg_part){r, statement}, 1,
            (struct pl_pg_unit){.kind = PL_PG_GUARDED, .at = statement, .r = r});
}

void pl_pg_conn_exec_parts(struct pl_pg_conn *c, const char *sql, const struct pl_pg_part *parts,
                           uint32_t parts_len, uint32_t at)
{
    execute(c, sql, strlen(sql), parts, parts_len,
            (struct pl_pg_unit){.kind = PL_PG_ROWS, .at = at});
}

void pl_pg_conn_control(struct pl_pg_conn *c, const char *sql)
{
    if (c->lost)
        return;
    if (PQsendQueryParams(c->pg, sql, 0, NULL, NULL, NULL, NULL, 0) == 0)
        c->lost = true;
    else
        push_unit(c, (struct pl_pg_unit){.kind = PL_PG_CONTROL});
}

void pl_pg_conn_sync(struct pl_pg_conn *c, struct pl_sql_request *r)
{
    if (c->lost)
        return;
    if (PQpipelineSync(c->pg) == 0)
        c->lost = true;
    else
        push_unit(c, (struct pl_pg_unit){.kind = PL_PG_SYNC, .r = r});
}

static void on_poll(uv_poll_t *poll, int status, int events);

/* Each start of a poll takes its socket out of the loop's set and puts it in again. */
static void poll_for(struct pl_pg_conn *c, int events)
{
    if (events == c->polled)
        return;
    c->polled = events;
    uv_poll_start(c->poll, events, on_poll);
}

void pl_pg_conn_flush(struct pl_pg_conn *c)
{
    if (c->state != PL_PG_UP)
        return;
    int rc = c->lost ? -1 : PQflush(c->pg);
    if (rc < 0) {
        struct pl_err err;
        pl_pg_error_of_conn(c->pg, &err);
        pl_pg_conn_drop(c, &err);
        return;
    }
    if (c->asked_ns == 0 && c->units_len > 0)
        c->asked_ns = pl_now_ns();
    poll_for(c, UV_READABLE | (rc > 0 ? UV_WRITABLE : 0));
}

/* --- receiving
 * ------------------------------------------------------------------------------------- */

/* One result or the end of one; false when the next has not arrived. */
static bool take_one(struct pl_pg_conn *c)
{
    if (c->units_len == 0 || PQisBusy(c->pg))
        return false;
    PGresult *result = PQgetResult(c->pg);
    struct pl_pg_unit unit = c->units[c->units_head];
    if (result == NULL) { /* no more results, of the unit or of a sync that has failed */
        if (unit.kind == PL_PG_SYNC)
            return PQstatus(c->pg) == CONNECTION_OK;
        pop_unit(c);
        return true;
    }
    ExecStatusType status = PQresultStatus(result);
    if (unit.kind == PL_PG_SYNC) {
        assert(status == PGRES_PIPELINE_SYNC || status == PGRES_FATAL_ERROR);
        if (status == PGRES_FATAL_ERROR) {
            c->owner->result(c, &unit, result);
        } else {
            pop_unit(c); /* no NULL follows */
            c->owner->sync(c, &unit);
        }
        PQclear(result);
        return true;
    }
    if (unit.id != 0)
        pl_pg_prepared_note(&c->prepared, unit.place, unit.id, unit.kind == PL_PG_PREPARE, result);
    if (unit.kind == PL_PG_PREPARE) {
        /* Why it failed is said of the execution, which is skipped. */
        if (status == PGRES_FATAL_ERROR && c->units_len > 1) {
            unit = c->units[(c->units_head + 1) % c->units_cap];
            c->owner->result(c, &unit, result);
        }
    } else {
        c->owner->result(c, &unit, result);
    }
    PQclear(result);
    return true;
}

void pl_pg_conn_read(struct pl_pg_conn *c)
{
    PGconn *pg = c->pg;
    int good = PQconsumeInput(pg);
    if (c->asked_ns != 0)
        c->asked_ns = pl_now_ns();
    /* What has arrived before the connection broke still counts. A callback may close or drop it.
     */
    while (c->state == PL_PG_UP && c->pg == pg && take_one(c))
        ;
    if (c->state != PL_PG_UP || c->pg != pg)
        return;
    if (c->units_len == 0)
        c->asked_ns = 0;
    if (good && PQstatus(pg) == CONNECTION_OK)
        return;
    struct pl_err err;
    pl_pg_error_of_conn(pg, &err);
    pl_pg_conn_drop(c, &err);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct pl_pg_conn *c = poll->data;
    if (status < 0) {
        pl_pg_conn_drop(c, &lost_error);
        return;
    }
    if (events & UV_WRITABLE)
        pl_pg_conn_flush(c);
    if ((events & UV_READABLE) && c->poll == poll)
        pl_pg_conn_read(c);
}

/* --- connecting
 * ------------------------------------------------------------------------------------ */

static void wait_and_retry(struct pl_pg_conn *c);

static void attempt(struct pl_pg_conn *c)
{
    struct pl_err err;
    c->state = PL_PG_CONNECTING;
    c->attempt = pl_pg_attempt_start(&c->target, c->attempted, &err);
    if (c->attempt != NULL)
        return;
    c->problem = err;
    wait_and_retry(c);
}

static void on_retry(uv_timer_t *timer)
{
    attempt(timer->data);
}

static void wait_and_retry(struct pl_pg_conn *c)
{
    uint64_t ms = (uint64_t)RETRY_MS_MIN << (c->failures < 4 ? c->failures : 4);
    c->failures++;
    c->state = PL_PG_WAITING;
    uv_timer_start(&c->retry, on_retry, ms < RETRY_MS_MAX ? ms : RETRY_MS_MAX, 0);
}

void pl_pg_conn_start(struct pl_pg_conn *c, struct pl_loop *loop, const struct pl_pg_owner *owner,
                      const struct pl_pg_target *target, uv_async_t *done)
{
    c->owner = owner;
    c->loop = loop;
    c->target = *target;
    c->attempted = done;
    uv_timer_init(&loop->uv, &c->retry);
    c->retry.data = c;
    attempt(c);
}

static void come_up(struct pl_pg_conn *c)
{
    c->poll = pl_xmalloc(sizeof *c->poll);
    c->poll->data = c;
    c->state = PL_PG_UP;
    c->failures = 0;
    c->ups++;
    c->lost = false;
    c->problem.code = NULL;
    uv_poll_init_socket(&c->loop->uv, c->poll, PQsocket(c->pg));
    PQsetnonblocking(c->pg, 1);
    PQenterPipelineMode(c->pg);
    c->polled = 0;
    poll_for(c, UV_READABLE);
    c->owner->up(c);
}

void pl_pg_conn_attempted(struct pl_pg_conn *c)
{
    if (c->state != PL_PG_CONNECTING || !pl_pg_attempt_over(c->attempt))
        return;
    struct pl_err err;
    c->pg = pl_pg_attempt_take(c->attempt, &err);
    c->attempt = NULL;
    if (c->pg != NULL) {
        come_up(c);
        return;
    }
    c->problem = err;
    wait_and_retry(c);
    c->owner->down(c, &c->problem);
}

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

static void disconnect(struct pl_pg_conn *c)
{
    uv_poll_stop(c->poll);
    uv_close((uv_handle_t *)c->poll, free_handle);
    c->poll = NULL;
    PQfinish(c->pg);
    c->pg = NULL;
    c->units_len = c->units_head = 0;
    c->asked_ns = 0;
    c->cancelled = false;
    pl_pg_prepared_forget_all(&c->prepared);
}

void pl_pg_conn_drop(struct pl_pg_conn *c, const struct pl_err *err)
{
    if (c->state != PL_PG_UP)
        return;
    c->problem = *err;
    disconnect(c);
    wait_and_retry(c);
    c->owner->down(c, &c->problem);
}

/* --- closing
 * -------------------------------------------------------------------------------------------- */

void pl_pg_conn_close(struct pl_pg_conn *c, uv_close_cb on_closed, void *data)
{
    if (c->state == PL_PG_CONNECTING)
        pl_pg_attempt_abandon(c->attempt);
    if (c->state == PL_PG_UP)
        disconnect(c);
    c->state = PL_PG_CLOSED;
    free(c->units);
    c->units = NULL;
    c->units_cap = 0;
    pl_buf_free(&c->scratch);
    pl_buf_free(&c->guarded);
    c->retry.data = data;
    uv_close((uv_handle_t *)&c->retry, on_closed);
}
