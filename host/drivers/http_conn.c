#include "drivers/http_conn.h"

#include "base/clock.h"
#include "drivers/http_answer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Bytes of a pipelined request that may wait while one is served. */
#define IN_MAX (64 * 1024)

void pl_http_conn_set_phase(struct pl_http_conn *conn, enum pl_http_phase phase)
{
    const struct pl_http_config *c = &conn->server->config;
    static const uint64_t linger_ms = 2000;
    uint64_t ms = 0;
    switch (phase) {
    case PL_HTTP_IDLE:
        ms = c->idle_ms;
        break;
    case PL_HTTP_HANDSHAKE:
        ms = c->handshake_ms;
        break;
    case PL_HTTP_HEAD:
        ms = c->head_ms;
        break;
    case PL_HTTP_BODY:
        ms = c->body_ms;
        break;
    case PL_HTTP_BUSY:
        break; /* the handler has its own deadline */
    case PL_HTTP_LINGER:
        ms = linger_ms;
        break;
    }
    uint64_t now = pl_now_ns();
    conn->phase = phase;
    conn->deadline = ms != 0 ? now + ms * PL_NS_PER_MS : 0;
    if (phase == PL_HTTP_IDLE) {
        conn->idle_since = now;
        pl_list_remove(&conn->link);
        pl_list_push(&conn->server->connections, &conn->link);
    }
}

/* --- closing
 * ----------------------------------------------------------------------------------------- */

void pl_http_conn_free(uv_handle_t *handle)
{
    struct pl_http_conn *conn = handle->data;
    struct pl_http_server *server = conn->server;
    pl_http_request_free(&conn->request);
    pl_buf_free(&conn->in);
    pl_buf_free(&conn->out);
    pl_buf_free(&conn->writing);
    pl_buf_free(&conn->sealed);
    pl_tls_free(conn->tls);
    free(conn);
    pl_http_server_unref(server);
}

static void end_drains(struct pl_http_exchange *x, bool lost)
{
    struct pl_err err;
    while (!pl_list_empty(&x->drains)) {
        struct pl_list *link = pl_list_shift(&x->drains);
        struct pl_op *op = *(struct pl_op **)(link + 1);
        if (lost) {
            pl_fail(&err, PL_E_CLOSED, false, "http.write", "the client has gone");
            pl_op_fail(op, &err);
        } else {
            pl_op_finish(op);
        }
    }
}

static void detach(struct pl_http_conn *conn)
{
    struct pl_http_exchange *x = conn->exchange;
    if (x == NULL)
        return;
    conn->exchange = NULL;
    x->conn = NULL;
    conn->server->stats.busy--;
    end_drains(x, !x->finished);
    pl_http_exchange_unref(x); /* the connection's */
}

void pl_http_conn_close(struct pl_http_conn *conn)
{
    if (conn->closing)
        return;
    pl_http_conn_goodbye(conn);
    conn->closing = true;
    pl_list_remove(&conn->link);
    pl_http_conn_left(conn);
    uv_close((uv_handle_t *)&conn->tcp, pl_http_conn_free);
    detach(conn);
}

/* --- writing
 * ----------------------------------------------------------------------------------------- */

static void on_shutdown(uv_shutdown_t *req, int status)
{
    (void)status;
    free(req);
}

/* The last answer is out. Closing with unread input would reset the connection, and the client
 * might lose the answer: send our end, and read theirs away for a moment. */
static void linger(struct pl_http_conn *conn)
{
    pl_http_conn_set_phase(conn, PL_HTTP_LINGER);
    uv_shutdown_t *req = pl_xmalloc(sizeof *req);
    if (uv_shutdown(req, (uv_stream_t *)&conn->tcp, on_shutdown) < 0) {
        free(req);
        pl_http_conn_close(conn);
    }
}

static void after_write(struct pl_http_conn *conn)
{
    if (conn->exchange != NULL && !pl_http_stream_full(conn->exchange))
        end_drains(conn->exchange, false);
    if (conn->closing || conn->write_pending || pl_http_conn_unsent(conn) > 0)
        return;
    if (conn->phase == PL_HTTP_BUSY)
        conn->deadline = 0;
    if (conn->close_after_write && conn->exchange == NULL && conn->phase != PL_HTTP_LINGER)
        linger(conn);
}

static void on_written(uv_write_t *req, int status)
{
    struct pl_http_conn *conn = req->data;
    conn->write_pending = false;
    pl_buf_clear(&conn->writing);
    if (status < 0) {
        pl_http_conn_close(conn);
        return;
    }
    pl_http_conn_flush(conn);
}

void pl_http_conn_flush(struct pl_http_conn *conn)
{
    if (conn->closing || conn->write_pending)
        return;
    struct pl_buf *wire = pl_http_conn_wire(conn);
    if (wire->len > 0) {
        uv_buf_t buf = uv_buf_init(wire->data, (unsigned)wire->len);
        int n = uv_try_write((uv_stream_t *)&conn->tcp, &buf, 1);
        if (n < 0 && n != UV_EAGAIN) {
            pl_http_conn_close(conn);
            return;
        }
        if (n > 0) {
            conn->server->stats.bytes_out += (uint64_t)n;
            pl_buf_consume(wire, (size_t)n);
        }
    }
    if (wire->len > 0) {
        struct pl_buf t = conn->writing;
        conn->writing = *wire;
        *wire = t;
        uv_buf_t buf = uv_buf_init(conn->writing.data, (unsigned)conn->writing.len);
        conn->write.data = conn;
        conn->write_pending = true;
        conn->server->stats.bytes_out += conn->writing.len;
        if (uv_write(&conn->write, (uv_stream_t *)&conn->tcp, &buf, 1, on_written) < 0) {
            pl_http_conn_close(conn);
            return;
        }
        if (conn->deadline == 0)
            conn->deadline = pl_now_ns() + conn->server->config.write_ms * PL_NS_PER_MS;
    }
    after_write(conn);
}

/* --- reading
 * ----------------------------------------------------------------------------------------- */

void pl_http_conn_refuse(struct pl_http_conn *conn, int status, const char *detail)
{
    conn->server->stats.bad++;
    pl_http_put_problem(&conn->out, status, detail);
    conn->close_after_write = true;
    pl_buf_clear(&conn->in);
    conn->phase = PL_HTTP_IDLE;
    pl_http_conn_flush(conn);
}

void pl_http_conn_begin_exchange(struct pl_http_conn *conn)
{
    struct pl_http_server *server = conn->server;
    struct pl_http_exchange *x = pl_xcalloc(1, sizeof *x);
    x->conn = conn;
    x->refs = 1;
    pl_list_init(&x->drains);
    x->request = conn->request;
    x->request.parser.data = &x->request;
    memcpy(x->remote, conn->remote, sizeof x->remote);
    pl_http_request_init(&conn->request, &server->config.limits);
    x->head_request = x->request.parser.method == HTTP_HEAD;
    x->http_10 = x->request.minor == 0;
    x->close = !x->request.keep_alive || server->draining;
    conn->exchange = x;
    conn->moves = 0;
    pl_http_conn_set_phase(conn, PL_HTTP_BUSY);
    server->stats.requests++;
    server->stats.busy++;
    pl_http_exchange_ref(x);
    server->handler(x, server->arg);
    pl_http_exchange_unref(x);
}

void pl_http_conn_process(struct pl_http_conn *conn)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    if (conn->processing)
        return; /* the handler answered at once: the loop below goes on by itself */
    conn->processing = true;
    while (!conn->closing && !conn->close_after_write && conn->exchange == NULL &&
           conn->in.len > 0) {
        if (conn->phase == PL_HTTP_IDLE)
            pl_http_conn_set_phase(conn, PL_HTTP_HEAD);
        size_t used;
        enum pl_http_progress progress =
            pl_http_request_feed(&conn->request, conn->in.data, conn->in.len, &used);
        pl_buf_consume(&conn->in, used);
        switch (progress) {
        case PL_HTTP_NEED_MORE:
            conn->processing = false;
            return;
        case PL_HTTP_HEAD_DONE:
            if (conn->phase == PL_HTTP_HEAD) {
                pl_http_conn_set_phase(conn, PL_HTTP_BODY);
                conn->body_since = pl_now_ns();
                if (conn->request.expects_continue && conn->in.len == 0)
                    pl_buf_append(&conn->out, go_on, sizeof go_on - 1);
            }
            break;
        case PL_HTTP_COMPLETE:
            if (!pl_http_conn_leave(conn))
                pl_http_conn_begin_exchange(conn);
            break;
        case PL_HTTP_REFUSED:
            pl_http_conn_refuse(conn, conn->request.status, conn->request.detail);
            break;
        }
    }
    conn->processing = false;
}

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
    (void)size;
    struct pl_http_conn *conn = handle->data;
    if (conn->tls != NULL) {
        *buf = uv_buf_init(conn->server->scratch, PL_HTTP_READ_SIZE);
        return;
    }
    pl_buf_reserve(&conn->in, conn->in.cap > 0 ? 4096 : 16384);
    size_t room = conn->in.cap - conn->in.len;
    *buf = uv_buf_init(conn->in.data + conn->in.len,
                       (unsigned)(room < PL_HTTP_READ_SIZE ? room : PL_HTTP_READ_SIZE));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct pl_http_conn *conn = stream->data;
    if (n == 0)
        return;
    if (n < 0) { /* the client is done; an answer under way has nobody to go to */
        pl_http_conn_close(conn);
        return;
    }
    conn->server->stats.bytes_in += (uint64_t)n;
    if (conn->phase == PL_HTTP_LINGER || conn->close_after_write)
        return; /* into the same free room again and again */
    if (conn->tls == NULL)
        conn->in.len += (size_t)n;
    else if (!pl_http_conn_decipher(conn, buf->base, (size_t)n))
        return;
    pl_http_conn_process(conn);
    if (conn->closing)
        return;
    pl_http_conn_flush(conn);
    if (conn->tls != NULL && pl_tls_state(conn->tls) == PL_TLS_CLOSED)
        pl_http_conn_close(conn); /* like the end of a plain connection */
    if (!conn->closing && conn->exchange != NULL && conn->in.len > IN_MAX && conn->reading) {
        uv_read_stop(stream);
        conn->reading = false;
    }
}

void pl_http_conn_start_reading(struct pl_http_conn *conn)
{
    if (conn->reading || conn->closing)
        return;
    conn->reading = true;
    uv_read_start((uv_stream_t *)&conn->tcp, on_alloc, on_read);
}

void pl_http_conn_next(struct pl_http_conn *conn)
{
    struct pl_http_exchange *x = conn->exchange;
    if (x->close || conn->server->draining)
        conn->close_after_write = true;
    detach(conn);
    if (conn->close_after_write) {
        pl_buf_clear(&conn->in);
        conn->phase = PL_HTTP_IDLE;
    } else {
        pl_http_conn_set_phase(conn, PL_HTTP_IDLE);
    }
    pl_http_conn_start_reading(conn);
    if (conn->processing)
        return; /* answers to pipelined requests leave in one write */
    pl_http_conn_flush(conn);
    if (!conn->closing)
        pl_http_conn_process(conn);
}

void pl_http_conn_expire(struct pl_http_conn *conn)
{
    conn->deadline = 0;
    switch (conn->phase) {
    case PL_HTTP_HEAD:
        conn->server->stats.slow++;
        pl_http_conn_refuse(conn, 408, "the headers did not come in time");
        break;
    case PL_HTTP_BODY:
        conn->server->stats.slow++;
        pl_http_conn_refuse(conn, 408, "the body did not come in time");
        break;
    case PL_HTTP_HANDSHAKE:
        conn->server->stats.handshakes_slow++;
        pl_http_conn_close(conn);
        break;
    case PL_HTTP_IDLE:
    case PL_HTTP_BUSY:
    case PL_HTTP_LINGER:
        pl_http_conn_close(conn);
        break;
    }
}
