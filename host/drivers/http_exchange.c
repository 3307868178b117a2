/* The handler's side of the server: answering. */
#include "drivers/http_answer.h"
#include "drivers/http_conn.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void pl_http_exchange_ref(struct pl_http_exchange *x)
{
    x->refs++;
}

void pl_http_exchange_unref(struct pl_http_exchange *x)
{
    assert(x->refs > 0);
    if (--x->refs > 0)
        return;
    pl_http_request_free(&x->request);
    free(x);
}

const struct pl_http_request_data *pl_http_exchange_request(const struct pl_http_exchange *x)
{
    return &x->request;
}

struct pl_buf pl_http_exchange_take_body(struct pl_http_exchange *x)
{
    struct pl_buf body = x->request.body;
    x->request.body = (struct pl_buf){0};
    return body;
}

const char *pl_http_exchange_remote(const struct pl_http_exchange *x)
{
    return x->remote;
}

bool pl_http_exchange_open(const struct pl_http_exchange *x)
{
    return x->conn != NULL;
}

bool pl_http_exchange_started(const struct pl_http_exchange *x)
{
    return x->started;
}

/* A finished answer has nothing more to say to the connection. */
static void finish(struct pl_http_exchange *x)
{
    x->finished = true;
    pl_http_conn_next(x->conn);
}

static void put_head(struct pl_http_exchange *x, int status, const char *headers, size_t len)
{
    struct pl_http_conn *conn = x->conn;
    if (conn->server->draining)
        x->close = true;
    x->started = true;
    pl_http_put_head(&conn->out, status, x->close, x->http_10 && !x->close);
    pl_buf_append(&conn->out, headers, len);
}

int pl_http_respond(struct pl_http_exchange *x, int status, const char *headers, size_t headers_len,
                    const char *body, size_t body_len)
{
    if (x->conn == NULL || x->started)
        return -1;
    struct pl_buf *out = &x->conn->out;
    put_head(x, status, headers, headers_len);
    bool bodiless = status == 204 || status == 304 || status < 200;
    if (!bodiless) {
        char line[48];
        int n = snprintf(line, sizeof line, "Content-Length: %zu\r\n\r\n", body_len);
        pl_buf_append(out, line, (size_t)n);
        if (!x->head_request)
            pl_buf_append(out, body, body_len);
    } else {
        pl_buf_puts(out, "\r\n");
    }
    finish(x);
    return 0;
}

int pl_http_stream_start(struct pl_http_exchange *x, int status, const char *headers,
                         size_t headers_len)
{
    if (x->conn == NULL || x->started)
        return -1;
    x->chunked = !x->http_10;
    if (x->http_10)
        x->close = true; /* the end of the connection ends the body */
    put_head(x, status, headers, headers_len);
    pl_buf_puts(&x->conn->out, x->chunked ? "Transfer-Encoding: chunked\r\n\r\n" : "\r\n");
    pl_http_conn_flush(x->conn);
    return 0;
}

int pl_http_stream_write(struct pl_http_exchange *x, const char *data, size_t len)
{
    if (x->conn == NULL || !x->started)
        return -1;
    if (len == 0 || x->head_request)
        return 0;
    struct pl_buf *out = &x->conn->out;
    if (x->chunked)
        pl_buf_printf(out, "%zx\r\n", len);
    pl_buf_append(out, data, len);
    if (x->chunked)
        pl_buf_append(out, "\r\n", 2);
    pl_http_conn_flush(x->conn);
    return x->conn != NULL ? 0 : -1;
}

int pl_http_stream_finish(struct pl_http_exchange *x)
{
    if (x->conn == NULL || !x->started)
        return -1;
    if (x->chunked && !x->head_request)
        pl_buf_puts(&x->conn->out, "0\r\n\r\n");
    finish(x);
    return 0;
}

void pl_http_abort(struct pl_http_exchange *x)
{
    if (x->conn != NULL)
        pl_http_conn_close(x->conn);
}

bool pl_http_stream_full(const struct pl_http_exchange *x)
{
    const struct pl_http_conn *conn = x->conn;
    return conn != NULL && pl_http_conn_unsent(conn) > conn->server->config.high_water;
}

/* --- waiting for the client
 * ---------------------------------------------------------------------------- */

struct drain_op {
    struct pl_op op;
    struct pl_list link;
    struct pl_op *self; /* behind `link`: how the connection finds the op */
};

static void drain_cancel(struct pl_op *op)
{
    pl_list_remove(&pl_container_of(op, struct drain_op, op)->link);
}

static void drain_destroy(struct pl_op *op)
{
    free(pl_container_of(op, struct drain_op, op));
}

static const struct pl_op_class drain_class = {drain_cancel, drain_destroy};

struct pl_op *pl_http_stream_drained(struct pl_http_exchange *x, struct pl_owner *owner,
                                     uint64_t deadline_ns)
{
    assert(x->conn != NULL);
    struct drain_op *d = pl_xcalloc(1, sizeof *d);
    pl_list_init(&d->link);
    d->self = &d->op;
    pl_op_start(&d->op, x->conn->server->loop, owner, "http.write", deadline_ns, &drain_class);
    pl_list_push(&x->drains, &d->link);
    return &d->op;
}
