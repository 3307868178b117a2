/* The intake's thread: what has come in one turn of its loop is one commit. */
#include "base/clock.h"
#include "base/prompt.h"
#include "drivers/crypto.h"
#include "drivers/intake_impl.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Ranges that are removed beside new rows, so that these do not wait for it; and by themselves. */
#define FEW  8
#define MANY 64

#define CLEAN_MS 100 /* until what is done is removed, when nothing new comes */

/* --- answers -------------------------------------------------------------------------------------
 */

#define HEADERS "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nX-Trace-Id: %s\r\n"
#define TRACE   32

static void answer(struct pl_http_exchange *x, int status, const char *type, const char *more,
                   const char *body)
{
    char trace[TRACE + 1], headers[256];
    pl_trace_id(trace);
    int n =
        snprintf(headers, sizeof headers, "Content-Type: %s\r\n" HEADERS "%s", type, trace, more);
    assert(n > 0 && (size_t)n < sizeof headers);
    pl_http_respond(x, status, headers, (size_t)n, body, strlen(body));
    pl_http_exchange_unref(x);
}

static void acknowledge(struct pl_http_exchange *x)
{
    answer(x, 200, "application/json", "", "{}");
}

#define PROBLEM(title, code, detail)                                                               \
    "{\"type\":\"about:blank\",\"title\":\"" title "\",\"status\":503,\"code\":\"" code            \
    "\",\"detail\":\"" detail "\"}"

static void refuse(struct pl_http_exchange *x, const char *problem)
{
    answer(x, 503, "application/problem+json", "Retry-After: 1\r\n", problem);
}

/* --- storing -------------------------------------------------------------------------------------
 */

/* Those ranges are left to be removed that were not, by this transaction. */
static int remove_done(struct pl_intake *in, size_t most, size_t *removed, struct pl_err *err)
{
    struct pl_intake_ranges *r = &in->removing;
    *removed = r->len < most ? r->len : most;
    for (size_t i = r->len - *removed; i < r->len; i++)
        if (pl_spool_remove(&in->spool, r->at[i].first, r->at[i].last, err) < 0)
            return -1;
    return 0;
}

static int store(struct pl_intake *in, struct pl_err *err)
{
    size_t removed, most = in->batch_len > 0 ? FEW : MANY;
    if (pl_spool_begin(&in->spool, err) < 0 || remove_done(in, most, &removed, err) < 0)
        return -1;
    for (size_t i = 0; i < in->batch_len; i++) {
        struct pl_intake_row *row = in->batch[i].row;
        if (pl_spool_add(&in->spool, row->source, row->body.data, row->body.len, &row->id, err) < 0)
            return -1;
    }
    if (pl_spool_commit(&in->spool, err) < 0)
        return -1;
    in->removing.len -= removed;
    in->commits++;
    return 0;
}

static void hand_over(struct pl_intake *in, struct pl_intake_row *row)
{
    pl_handoff_put(&in->rows_home, &row->link);
}

/* Nothing of the batch is there: the main loop is told once. */
static void tell_failure(struct pl_intake *in, const struct pl_err *err)
{
    uv_mutex_lock(&in->mutex);
    for (size_t i = 0; i < in->batch_len; i++) {
        struct pl_intake_row *row = in->batch[i].row;
        pl_intake_sources_leave(&in->sources, row->source, row->body.len);
    }
    in->stats.failed += in->batch_len;
    uv_mutex_unlock(&in->mutex);
    for (size_t i = 0; i < in->batch_len; i++) {
        struct pl_intake_row *row = in->batch[i].row;
        refuse(in->batch[i].x,
               PROBLEM("Storage failed", "storage_failed", "the update could not be stored"));
        row->err = *err;
        hand_over(in, row);
    }
}

static void tell(struct pl_intake *in)
{
    uint64_t now = pl_now_ns();
    for (size_t i = 0; i < in->batch_len; i++)
        acknowledge(in->batch[i].x);
    for (size_t i = 0; i < in->batch_len; i++) {
        in->batch[i].row->took_ns = now - in->batch[i].since;
        hand_over(in, in->batch[i].row);
    }
}

static void publish(struct pl_intake *in)
{
    struct pl_http_stats http;
    pl_http_server_stats(in->server, &http);
    uv_mutex_lock(&in->mutex);
    in->stats.http = http;
    in->stats.rows = in->stored;
    in->stats.commits = in->commits;
    pl_intake_ranges_move(&in->removing, &in->done);
    uv_mutex_unlock(&in->mutex);
}

static void commit(struct pl_intake *in)
{
    struct pl_err err;
    size_t n = in->batch_len;
    bool good = store(in, &err) == 0;
    if (n > 0 && good)
        tell(in);
    else if (n > 0)
        tell_failure(in, &err);
    in->batch_len = 0;
    in->stored += good ? n : 0;
    if (n > 0)
        uv_async_send(&in->come);
    pl_spool_tidy(&in->spool);
}

/* Removes what is done while nothing comes in: whoever brings something takes it along. */
static void on_clean(uv_timer_t *timer)
{
    struct pl_intake *in = timer->data;
    uv_mutex_lock(&in->mutex);
    bool more = in->sources.rows > 0 || in->done.len > 0;
    pl_intake_ranges_move(&in->removing, &in->done);
    uv_mutex_unlock(&in->mutex);
    if (in->removing.len > 0)
        commit(in);
    if (more || in->removing.len > 0)
        uv_timer_start(timer, on_clean, CLEAN_MS, 0);
}

static void on_check(uv_check_t *check)
{
    struct pl_intake *in = check->data;
    if (in->batch_len > 0) {
        commit(in);
        if (!uv_is_active((uv_handle_t *)&in->clean))
            uv_timer_start(&in->clean, on_clean, CLEAN_MS, 0);
    }
    publish(in);
}

/* --- requests ------------------------------------------------------------------------------------
 */

/* Comes right before on_request, which asks for no more than what was found. */
static bool is_for_home(const struct pl_http_request_data *r, void *arg)
{
    struct pl_intake *in = arg;
    in->fits = pl_intake_fits(in, r, in->name) &&
               pl_intake_body_fits(&in->config, r->body.data, r->body.len);
    return !in->fits;
}

static void send_home(struct pl_http_parcel *parcel, void *arg)
{
    struct pl_intake *in = arg;
    pl_handoff_put(&in->parcels_home, &parcel->link);
    uv_async_send(&in->come);
}

static void on_request(struct pl_http_exchange *x, void *arg)
{
    struct pl_intake *in = arg;
    pl_http_exchange_ref(x);
    /* It is for the main loop, and could not be sent there: its client does not read what it is
     * answered, or descriptors have run out. */
    if (!in->fits) {
        refuse(x, PROBLEM("Unavailable", "unavailable",
                          "read the answers to the requests before, and ask again"));
        return;
    }
    struct pl_intake_row *row = pl_xcalloc(1, sizeof *row);
    pl_list_init(&row->link);
    strcpy(row->source, in->name);
    row->body = pl_http_exchange_take_body(x);
    uv_mutex_lock(&in->mutex);
    pl_intake_sources_enter(&in->sources, row->source, row->body.len);
    uv_mutex_unlock(&in->mutex);
    if (in->batch_len == in->batch_cap) {
        in->batch_cap = in->batch_cap > 0 ? 2 * in->batch_cap : 64;
        in->batch = pl_xrealloc(in->batch, in->batch_cap * sizeof *in->batch);
    }
    in->batch[in->batch_len++] = (struct pl_intake_item){x, row, pl_now_ns()};
}

/* --- life ----------------------------------------------------------------------------------------
 */

void pl_intake_thread_stop(struct pl_intake *in)
{
    if (in->batch_len > 0)
        commit(in);
    pl_http_server_close(in->server);
    uv_close((uv_handle_t *)&in->wake, NULL);
    uv_close((uv_handle_t *)&in->check, NULL);
    uv_close((uv_handle_t *)&in->clean, NULL);
    pl_loop_stop(&in->loop);
}

/* Whoever brings something for the first time does not wait for the main loop either. */
static void listen_too(struct pl_intake *in)
{
    struct pl_err ignored; /* the other server has it, and goes on */
    uv_mutex_lock(&in->mutex);
    int fd = in->socket;
    in->socket = -1;
    uv_mutex_unlock(&in->mutex);
    if (fd >= 0)
        pl_http_server_listen(in->server, fd, NULL, 0, &ignored);
}

static void on_wake(uv_async_t *async)
{
    struct pl_intake *in = async->data;
    bool closing = in->closing; /* whatever was sent before is seen */
    listen_too(in);
    struct pl_list parcels, *link;
    pl_list_init(&parcels);
    pl_handoff_take(&in->parcels, &parcels);
    if (in->draining)
        pl_http_server_drain(in->server);
    while ((link = pl_list_shift(&parcels)) != NULL)
        pl_http_server_take(in->server, pl_container_of(link, struct pl_http_parcel, link));
    if (closing)
        pl_intake_thread_stop(in);
}

void pl_intake_thread_init(struct pl_intake *in)
{
    uv_async_init(&in->loop.uv, &in->wake, on_wake);
    uv_check_init(&in->loop.uv, &in->check);
    uv_timer_init(&in->loop.uv, &in->clean);
    in->wake.data = in->check.data = in->clean.data = in;
    uv_check_start(&in->check, on_check);
    in->server = pl_http_server_new(&in->loop, &in->config.http, on_request, in);
    pl_http_server_ref(in->server); /* its connections may be in the main loop when it is closed */
    struct pl_http_route route = {
        .leads = is_for_home, .send = send_home, .spills = true, .arg = in};
    pl_http_server_set_route(in->server, &route);
}

void pl_intake_thread_main(void *arg)
{
    struct pl_intake *in = arg;
    pl_prompt();
    uv_timer_start(&in->clean, on_clean, CLEAN_MS, 0); /* of a process before */
    pl_loop_run(&in->loop);
    pl_loop_close(&in->loop);
    uv_mutex_lock(&in->mutex);
    pl_intake_ranges_move(&in->removing, &in->done);
    uv_mutex_unlock(&in->mutex);
    struct pl_err err;
    while (in->removing.len > 0 && store(in, &err) == 0)
        continue;
}
