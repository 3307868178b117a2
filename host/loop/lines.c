#include "loop/lines.h"

#include <stdlib.h>
#include <string.h>

#define OP "lines"

struct send {
    uv_write_t uv;
    char data[];
};

static void on_closed(uv_handle_t *handle)
{
    struct pl_lines *lines = handle->data;
    pl_buf_free(&lines->in);
    if (lines->on_closed != NULL)
        lines->on_closed(lines);
}

static void close_now(struct pl_lines *lines)
{
    lines->closing = true;
    if (!uv_is_closing((uv_handle_t *)&lines->pipe))
        uv_close((uv_handle_t *)&lines->pipe, on_closed);
}

static void end(struct pl_lines *lines, const struct pl_err *why)
{
    if (lines->closing) { /* closed with flush, and the reader is gone */
        close_now(lines);
        return;
    }
    close_now(lines);
    if (lines->on_end != NULL)
        lines->on_end(lines, why);
}

static void end_errno(struct pl_lines *lines, int rc, const char *what)
{
    struct pl_err err;
    if (rc == UV_EOF)
        pl_fail(&err, PL_E_CLOSED, true, OP, "the other side has closed the connection");
    else
        pl_fail_errno(&err, -rc, OP, what);
    end(lines, &err);
}

void pl_lines_init(struct pl_lines *lines, struct pl_loop *loop)
{
    uv_pipe_init(&loop->uv, &lines->pipe, 0);
    lines->pipe.data = lines;
}

/* Hands on every complete line of the input. */
static void split(struct pl_lines *lines)
{
    size_t at = 0;
    char *nl;
    while (!lines->closing && at < lines->in.len &&
           (nl = memchr(lines->in.data + at, '\n', lines->in.len - at)) != NULL) {
        char *line = lines->in.data + at;
        *nl = '\0';
        at += (size_t)(nl - line) + 1;
        lines->on_line(lines, line, (size_t)(nl - line));
    }
    pl_buf_consume(&lines->in, at);
    if (!lines->closing && lines->in.len > lines->line_max) {
        struct pl_err err;
        pl_fail(&err, PL_E_TOO_LARGE, false, OP, "a line is longer than %zu bytes",
                lines->line_max);
        end(lines, &err);
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)suggested;
    struct pl_lines *lines = handle->data;
    pl_buf_reserve(&lines->in, 4096);
    *buf = uv_buf_init(lines->in.data + lines->in.len, (unsigned)(lines->in.cap - lines->in.len));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    (void)buf;
    struct pl_lines *lines = stream->data;
    if (n < 0) {
        end_errno(lines, (int)n, "read");
        return;
    }
    if (lines->closing)
        return; /* only the end of the reader matters now */
    lines->in.len += (size_t)n;
    split(lines);
}

int pl_lines_start(struct pl_lines *lines, struct pl_err *err)
{
    int rc = uv_read_start((uv_stream_t *)&lines->pipe, on_alloc, on_read);
    return rc < 0 ? pl_fail_errno(err, -rc, OP, "cannot read") : 0;
}

int pl_lines_open(struct pl_lines *lines, int fd, struct pl_err *err)
{
    int rc = uv_pipe_open(&lines->pipe, fd);
    if (rc < 0)
        return pl_fail_errno(err, -rc, OP, "cannot use the socket");
    return pl_lines_start(lines, err);
}

static void on_written(uv_write_t *req, int status)
{
    struct pl_lines *lines = req->handle->data;
    free(pl_container_of(req, struct send, uv));
    if (status == UV_ECANCELED)
        return; /* being closed */
    if (status < 0)
        end_errno(lines, status, "write");
    else if (lines->closing && uv_stream_get_write_queue_size((uv_stream_t *)&lines->pipe) == 0)
        close_now(lines);
}

void pl_lines_send(struct pl_lines *lines, const char *data, size_t len)
{
    if (lines->closing)
        return;
    uv_stream_t *stream = (uv_stream_t *)&lines->pipe;
    uv_buf_t buf = uv_buf_init((char *)data, (unsigned)len);
    int n = uv_try_write(stream, &buf, 1);
    if (n == (int)len)
        return;
    size_t done = n > 0 ? (size_t)n : 0;
    if (uv_stream_get_write_queue_size(stream) + len > PL_LINES_QUEUE_MAX) {
        struct pl_err err;
        pl_fail(&err, PL_E_BUSY, true, OP, "the other side does not read");
        end(lines, &err);
        return;
    }
    struct send *s = pl_xmalloc(sizeof *s + len - done);
    memcpy(s->data, data + done, len - done);
    buf = uv_buf_init(s->data, (unsigned)(len - done));
    if (uv_write(&s->uv, stream, &buf, 1, on_written) < 0)
        free(s); /* the stream is broken: reading ends it */
}

void pl_lines_close(struct pl_lines *lines, bool flush)
{
    lines->closing = true;
    if (!flush || uv_stream_get_write_queue_size((uv_stream_t *)&lines->pipe) == 0)
        close_now(lines);
}
