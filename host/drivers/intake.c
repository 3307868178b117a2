/* The intake as the main loop sees it. */
#include "drivers/intake.h"

#include "drivers/intake_impl.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OP "intake"

/* --- what comes from the thread ------------------------------------------------------------------
 */

static void free_strings(struct pl_intake_config *c)
{
    free((char *)c->file.path);
    free((char *)c->prefix);
    free((char *)c->header);
    free((char *)c->field);
}

static void unref(struct pl_intake *in)
{
    if (--in->refs > 0)
        return;
    pl_intake_sources_free(&in->sources);
    uv_mutex_destroy(&in->mutex);
    free(in->done.at);
    free(in->removing.at);
    free(in->batch);
    free_strings(&in->config);
    free(in);
}

static void end_wait(struct pl_intake *in, const struct pl_err *err)
{
    struct pl_op *op = in->waiting;
    if (op == NULL)
        return;
    in->waiting = NULL;
    if (err != NULL)
        pl_op_fail(op, err);
    else
        pl_op_finish(op);
    pl_op_unref(op);
}

static void take_parcels(struct pl_intake *in)
{
    struct pl_list parcels, *link;
    pl_list_init(&parcels);
    pl_handoff_take(&in->parcels_home, &parcels);
    while ((link = pl_list_shift(&parcels)) != NULL) {
        struct pl_http_parcel *p = pl_container_of(link, struct pl_http_parcel, link);
        bool is_guest = p->fresh || p->home == in->server;
        pl_http_server_take(is_guest ? in->shared : p->home, p);
    }
}

static void on_come(uv_async_t *async)
{
    struct pl_intake *in = async->data;
    in->refs++; /* who is woken may close it */
    pl_handoff_take(&in->rows_home, &in->rows);
    take_parcels(in);
    if (!pl_list_empty(&in->rows))
        end_wait(in, NULL);
    unref(in);
}

static void on_closed(uv_handle_t *handle)
{
    unref(handle->data);
}

/* --- opening and closing -------------------------------------------------------------------------
 */

static bool take_up(int64_t id, const char *source, const char *body, size_t len, void *arg)
{
    struct pl_intake *in = arg;
    struct pl_intake_row *row = pl_xcalloc(1, sizeof *row);
    pl_list_init(&row->link);
    row->id = id;
    strncpy(row->source, source, PL_INTAKE_NAME_MAX);
    pl_buf_append(&row->body, body, len);
    pl_intake_sources_enter(&in->sources, row->source, row->body.len);
    pl_list_push(&in->rows, &row->link);
    return true;
}

static void free_rows(struct pl_intake *in)
{
    struct pl_list *link;
    pl_handoff_take(&in->rows_home, &in->rows);
    while ((link = pl_list_shift(&in->rows)) != NULL)
        pl_intake_row_free(pl_container_of(link, struct pl_intake_row, link));
}

static struct pl_intake *new_intake(struct pl_loop *loop, const struct pl_intake_config *config)
{
    struct pl_intake *in = pl_xcalloc(1, sizeof *in);
    in->config = *config;
    in->config.file.path = pl_xstrdup(config->file.path);
    in->config.prefix = pl_xstrdup(config->prefix);
    in->config.header = pl_xstrdup(config->header);
    in->config.field = pl_xstrdup(config->field);
    in->main = loop;
    in->refs = 1;
    in->socket = -1;
    pl_list_init(&in->rows);
    uv_mutex_init(&in->mutex);
    pl_intake_sources_init(&in->sources);
    return in;
}

static int begin(struct pl_intake *in, struct pl_err *err)
{
    if (pl_spool_open(&in->spool, &in->config.file, err) < 0)
        return -1;
    if (pl_spool_each(&in->spool, take_up, in, err) < 0)
        goto spool;
    if (pl_loop_init(&in->loop, err) < 0)
        goto spool;
    pl_intake_thread_init(in);
    uv_async_init(&in->main->uv, &in->come, on_come);
    in->come.data = in;
    in->refs++;
    int rc = uv_thread_create(&in->thread, pl_intake_thread_main, in);
    if (rc == 0)
        return 0;
    pl_fail_errno(err, -rc, OP, "cannot start a thread");
    pl_intake_thread_stop(in);
    pl_loop_close(&in->loop);
    pl_http_server_unref(in->server);
    uv_close((uv_handle_t *)&in->come, on_closed);
spool:
    pl_spool_close(&in->spool);
    return -1;
}

struct pl_intake *pl_intake_open(struct pl_loop *loop, const struct pl_intake_config *config,
                                 struct pl_err *err)
{
    struct pl_intake *in = new_intake(loop, config);
    if (begin(in, err) == 0)
        return in;
    free_rows(in);
    unref(in);
    return NULL;
}

static void release_servers(struct pl_intake *in)
{
    for (int i = 0; i < in->servers_len; i++) {
        pl_http_server_adopt(in->servers[i], in->server);
        pl_http_server_set_route(in->servers[i], NULL);
        pl_http_server_unref(in->servers[i]);
    }
    in->servers_len = 0;
}

void pl_intake_drain(struct pl_intake *in)
{
    in->draining = true;
    uv_async_send(&in->wake);
}

void pl_intake_close(struct pl_intake *in)
{
    struct pl_err err;
    in->closing = true;
    uv_async_send(&in->wake);
    uv_thread_join(&in->thread);
    pl_spool_close(&in->spool);
    take_parcels(in);
    release_servers(in);
    pl_http_server_unref(in->server);
    if (in->socket >= 0)
        close(in->socket);
    free_rows(in);
    pl_fail(&err, PL_E_CLOSED, false, OP, "the intake was closed");
    in->refs++;
    end_wait(in, &err);
    uv_close((uv_handle_t *)&in->come, on_closed);
    unref(in);
    unref(in);
}

/* --- servers -------------------------------------------------------------------------------------
 */

static bool is_for_intake(const struct pl_http_request_data *r, void *arg)
{
    struct pl_intake *in = arg;
    char name[PL_INTAKE_NAME_MAX + 1];
    return r->keep_alive && !in->draining && pl_intake_fits(in, r, name) &&
           pl_intake_body_fits(&in->config, r->body.data, r->body.len);
}

static void send_in(struct pl_http_parcel *parcel, void *arg)
{
    struct pl_intake *in = arg;
    pl_handoff_put(&in->parcels, &parcel->link);
    uv_async_send(&in->wake);
}

void pl_intake_serve(struct pl_intake *in, struct pl_http_server *server)
{
    if (in->servers_len == PL_INTAKE_SERVERS || in->draining)
        return;
    struct pl_http_route route = {.leads = is_for_intake, .send = send_in, .arg = in};
    pl_http_server_set_route(server, &route);
    pl_http_server_ref(server);
    in->servers[in->servers_len++] = server;
    int fd = in->shared == NULL ? pl_http_server_share(server) : -1;
    if (fd < 0)
        return;
    in->shared = server;
    uv_mutex_lock(&in->mutex);
    in->socket = fd;
    uv_mutex_unlock(&in->mutex);
    uv_async_send(&in->wake);
}

void pl_intake_allow(struct pl_intake *in, const char *name, const char *secret, size_t len)
{
    uv_mutex_lock(&in->mutex);
    pl_intake_sources_set(&in->sources, name, secret, len);
    uv_mutex_unlock(&in->mutex);
}

void pl_intake_deny(struct pl_intake *in, const char *name)
{
    pl_intake_allow(in, name, NULL, 0);
}

/* --- rows ----------------------------------------------------------------------------------------
 */

struct wait {
    struct pl_op op;
    struct pl_intake *in; /* outlives the op: its holder waits for it */
};

static void wait_cancel(struct pl_op *op)
{
    struct pl_intake *in = pl_container_of(op, struct wait, op)->in;
    in->waiting = NULL;
    pl_op_unref(op);
}

static void wait_destroy(struct pl_op *op)
{
    free(pl_container_of(op, struct wait, op));
}

static const struct pl_op_class wait_class = {wait_cancel, wait_destroy};

struct pl_op *pl_intake_wait(struct pl_intake *in, struct pl_owner *owner, uint64_t deadline_ns)
{
    if (in->waiting != NULL)
        return NULL;
    struct wait *wait = pl_xcalloc(1, sizeof *wait);
    wait->in = in;
    pl_op_start(&wait->op, in->main, owner, OP, deadline_ns, &wait_class);
    pl_op_ref(&wait->op);
    in->waiting = &wait->op;
    if (!pl_list_empty(&in->rows))
        end_wait(in, NULL);
    return &wait->op;
}

struct pl_intake_row *pl_intake_take(struct pl_intake *in)
{
    struct pl_list *link = pl_list_shift(&in->rows);
    return link != NULL ? pl_container_of(link, struct pl_intake_row, link) : NULL;
}

void pl_intake_row_free(struct pl_intake_row *row)
{
    pl_buf_free(&row->body);
    free(row);
}

void pl_intake_done(struct pl_intake *in, const char *source, int64_t id, size_t bytes)
{
    uv_mutex_lock(&in->mutex);
    pl_intake_sources_leave(&in->sources, source, bytes);
    pl_intake_ranges_add(&in->done, id);
    uv_mutex_unlock(&in->mutex);
}

uint32_t pl_intake_waiting(struct pl_intake *in, const char *source)
{
    uv_mutex_lock(&in->mutex);
    uint32_t n = pl_intake_sources_waiting(&in->sources, source);
    uv_mutex_unlock(&in->mutex);
    return n;
}

void pl_intake_stats(struct pl_intake *in, struct pl_intake_stats *out)
{
    uv_mutex_lock(&in->mutex);
    *out = in->stats;
    out->waiting = in->sources.rows;
    uv_mutex_unlock(&in->mutex);
}
