/* The control socket: one line of JSON asks, one line answers. */
#include "loop/supervisor_control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define REQUEST_MAX       (64u << 10)
#define CONNS_MAX         32
#define STATUS_TIMEOUT_MS 2000
#define OTHER_TIMEOUT_MS  30000

/* --- orders --------------------------------------------------------------------------------------
 */

static void start_reload(struct conn *conn)
{
    struct supervisor *s = conn->s;
    if (s->reloading) {
        pl_sv_refuse(conn, PL_E_BUSY, "a reload is running", true);
        return;
    }
    s->reloading = true;
    pl_sv_query_start(s, conn, 0, s->config.workers - 1, "reload", conn->request, false,
                      RELOAD_TIMEOUT_MS, pl_sv_reload_finish);
}

static void start_stop(struct conn *conn, const struct request *r)
{
    struct supervisor *s = conn->s;
    if (r->wait) {
        conn->awaits_stop = true;
    } else {
        struct pl_buf out = {0};
        pl_buf_puts(&out, "{\"ok\":true,\"result\":{\"stopped\":false}}");
        pl_sv_reply(conn, &out);
        pl_buf_free(&out);
    }
    pl_sv_stop(s, r->now);
}

/* To the worker that is named, or else to the first that is ready. */
static void hand_on(struct conn *conn, const struct request *r)
{
    struct supervisor *s = conn->s;
    uint32_t first = 0, n = s->config.workers;
    if (r->worker >= 0) {
        if (r->worker >= n || r->worker != (uint32_t)r->worker) {
            pl_sv_refuse(conn, PL_E_NOT_FOUND, "there is no such worker", false);
            return;
        }
        first = (uint32_t)r->worker;
    } else {
        while (first + 1 < n && atomic_load(&s->page[first].state) != PL_WORKER_READY)
            first++;
    }
    pl_sv_query_start(s, conn, first, first, r->cmd, conn->request, true, OTHER_TIMEOUT_MS,
                      pl_sv_workers_finish);
}

static void on_request(struct pl_lines *lines, char *line, size_t len)
{
    struct conn *conn = pl_container_of(lines, struct conn, lines);
    struct supervisor *s = conn->s;
    struct request r;
    struct pl_err err;
    if (conn->busy) {
        pl_lines_close(lines, false); /* answers in order need one request at a time */
        return;
    }
    conn->busy = true;
    conn->deadline_ns = 0;
    if (pl_sv_request_read(line, len, &r, &err) < 0) {
        pl_sv_refuse(conn, err.code, err.message, false);
        return;
    }
    conn->request = pl_xmemdup(line, len);
    if (strcmp(r.cmd, "status") == 0)
        pl_sv_query_start(s, conn, 0, s->config.workers - 1, "status", conn->request, true,
                          STATUS_TIMEOUT_MS, pl_sv_status_finish);
    else if (strcmp(r.cmd, "stop") == 0)
        start_stop(conn, &r);
    else if (s->stopping)
        pl_sv_refuse(conn, PL_E_BUSY, "the host is stopping", false);
    else if (strcmp(r.cmd, "reload") == 0)
        start_reload(conn);
    else if (strcmp(r.cmd, "drain") == 0)
        pl_sv_refuse(conn, PL_E_INVALID, "use stop", false);
    else
        hand_on(conn, &r);
}

/* --- connections ---------------------------------------------------------------------------------
 */

static void on_conn_closed(struct pl_lines *lines)
{
    struct conn *conn = pl_container_of(lines, struct conn, lines);
    struct pl_list *pos, *tmp;
    pl_list_each (pos, tmp, &conn->s->queries) {
        struct query *q = pl_container_of(pos, struct query, link);
        if (q->conn == conn)
            q->conn = NULL;
    }
    pl_list_remove(&conn->link);
    conn->s->conns_len--;
    free(conn->request);
    free(conn);
}

static void on_connection(uv_stream_t *server, int status)
{
    struct supervisor *s = server->data;
    if (status < 0)
        return;
    struct conn *conn = pl_xcalloc(1, sizeof *conn);
    conn->s = s;
    conn->deadline_ns = pl_now_ns() + PL_SV_REQUEST_NS;
    conn->lines.line_max = REQUEST_MAX;
    conn->lines.on_line = on_request;
    conn->lines.on_closed = on_conn_closed;
    pl_lines_init(&conn->lines, &s->loop);
    pl_list_init(&conn->link);
    pl_list_push(&s->conns, &conn->link);
    s->conns_len++;
    if (uv_accept(server, (uv_stream_t *)&conn->lines.pipe) < 0 || s->conns_len > CONNS_MAX ||
        pl_lines_start(&conn->lines, NULL) < 0)
        pl_lines_close(&conn->lines, false);
}

void pl_sv_control_tick(struct supervisor *s, uint64_t now)
{
    struct pl_list *pos, *tmp;
    pl_list_each (pos, tmp, &s->conns) {
        struct conn *conn = pl_container_of(pos, struct conn, link);
        if (conn->deadline_ns != 0 && now > conn->deadline_ns)
            pl_lines_close(&conn->lines, false);
    }
}

void pl_sv_control_stopped(struct supervisor *s)
{
    struct pl_buf out = {0};
    struct pl_list *pos, *tmp;
    pl_list_each (pos, tmp, &s->conns) {
        struct conn *conn = pl_container_of(pos, struct conn, link);
        if (!conn->awaits_stop)
            continue;
        pl_buf_printf(&out, "{\"ok\":true,\"result\":{\"stopped\":true,\"killed\":%u}}",
                      s->stop_killed);
        pl_sv_reply(conn, &out);
    }
    pl_buf_free(&out);
}

int pl_sv_control_open(struct supervisor *s, struct pl_err *err)
{
    size_t most = sizeof((struct sockaddr_un *)0)->sun_path;
    if (strlen(s->control_path) >= most)
        return pl_fail(err, PL_E_INVALID, false, PL_SV_CONTROL,
                       "the control socket's path must be shorter than %zu characters, choose a "
                       "shorter home: %.150s",
                       most, s->control_path);
    unlink(s->control_path); /* ours: the lock is held */
    uv_pipe_init(&s->loop.uv, &s->control, 0);
    s->control.data = s;
    mode_t mask = umask(0177);
    int rc = uv_pipe_bind(&s->control, s->control_path);
    umask(mask);
    if (rc == 0)
        rc = uv_listen((uv_stream_t *)&s->control, 16, on_connection);
    if (rc < 0)
        return pl_fail_errno(err, -rc, PL_SV_CONTROL, s->control_path);
    return 0;
}

void pl_sv_control_close(struct supervisor *s)
{
    struct pl_list *pos, *tmp;
    pl_list_each (pos, tmp, &s->conns)
        pl_lines_close(&pl_container_of(pos, struct conn, link)->lines, true);
    unlink(s->control_path);
    uv_close((uv_handle_t *)&s->control, NULL);
}
