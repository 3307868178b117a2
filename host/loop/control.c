#include "loop/control.h"

#include "loop/lines.h"

#include <stdlib.h>
#include <sys/un.h>

#define OP        "control.request"
#define REPLY_MAX (8u << 20)

struct request {
    struct pl_op op; /* one reference is the stream's */
    struct pl_lines lines;
    uv_connect_t connect;
    struct pl_buf json, reply;
};

static struct request *of_op(struct pl_op *op)
{
    return pl_container_of(op, struct request, op);
}

static struct request *of_lines(struct pl_lines *lines)
{
    return pl_container_of(lines, struct request, lines);
}

static void cancel(struct pl_op *op)
{
    pl_lines_close(&of_op(op)->lines, false);
}

static void destroy(struct pl_op *op)
{
    struct request *r = of_op(op);
    pl_buf_free(&r->json);
    pl_buf_free(&r->reply);
    free(r);
}

static const struct pl_op_class request_class = {cancel, destroy};

static void on_line(struct pl_lines *lines, char *line, size_t len)
{
    struct request *r = of_lines(lines);
    pl_buf_append(&r->reply, line, len);
    pl_lines_close(lines, false);
    pl_op_finish(&r->op);
}

static void on_end(struct pl_lines *lines, const struct pl_err *why)
{
    pl_op_fail(&of_lines(lines)->op, why);
}

static void on_closed(struct pl_lines *lines)
{
    pl_op_unref(&of_lines(lines)->op);
}

static void on_connect(uv_connect_t *connect, int status)
{
    struct request *r = pl_container_of(connect, struct request, connect);
    struct pl_err err;
    if (!pl_op_pending(&r->op))
        return; /* timed out or cancelled, the stream is being closed */
    if (status < 0)
        pl_fail_errno(&err, -status, OP, "cannot reach the host");
    if (status < 0 || pl_lines_start(&r->lines, &err) < 0) {
        pl_lines_close(&r->lines, false);
        pl_op_fail(&r->op, &err);
        return;
    }
    pl_lines_send(&r->lines, r->json.data, r->json.len);
}

struct pl_op *pl_control_request(struct pl_loop *loop, struct pl_owner *owner, const char *path,
                                 const char *json, size_t len, uint64_t deadline_ns,
                                 struct pl_err *err)
{
    if (strlen(path) >= sizeof((struct sockaddr_un *)0)->sun_path) {
        pl_fail(err, PL_E_INVALID, false, OP, "the path of the control socket is too long");
        return NULL;
    }
    struct request *r = pl_xcalloc(1, sizeof *r);
    pl_buf_append(&r->json, json, len);
    pl_buf_putc(&r->json, '\n');
    r->lines.line_max = REPLY_MAX;
    r->lines.on_line = on_line;
    r->lines.on_end = on_end;
    r->lines.on_closed = on_closed;
    pl_lines_init(&r->lines, loop);
    pl_op_start(&r->op, loop, owner, OP, deadline_ns, &request_class);
    pl_op_ref(&r->op);
    uv_pipe_connect(&r->connect, &r->lines.pipe, path, on_connect);
    return &r->op;
}

const struct pl_buf *pl_control_reply(struct pl_op *op)
{
    return &of_op(op)->reply;
}
