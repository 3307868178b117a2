#include "drivers/input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OP "input.read"

struct pl_input {
    struct pl_loop *loop;
    int fd;
    bool polled; /* false: a file, which is always readable */
    uv_poll_t poll;
    struct pl_buf data;
    size_t line; /* bytes at the front that the last take gave out */
    bool ended, closed;
    struct pl_op *waiting; /* a reference is held */
    uint32_t refs;         /* the owner, the handle, each op */
};

struct input_op {
    struct pl_op op;
    struct pl_input *input;
};

static void unref(struct pl_input *input)
{
    if (--input->refs > 0)
        return;
    pl_buf_free(&input->data);
    free(input);
}

static void cancel(struct pl_op *op)
{
    struct pl_input *input = pl_input_of(op);
    if (input->waiting != op)
        return;
    input->waiting = NULL;
    if (input->polled && !input->closed)
        uv_poll_stop(&input->poll);
    pl_op_unref(op);
}

static void destroy(struct pl_op *op)
{
    unref(pl_input_of(op));
    free(op);
}

static const struct pl_op_class input_class = {cancel, destroy};

struct pl_input *pl_input_of(struct pl_op *op)
{
    return pl_container_of(op, struct input_op, op)->input;
}

static const char *line_end(const struct pl_input *input)
{
    return input->data.len > 0 ? memchr(input->data.data, '\n', input->data.len) : NULL;
}

/* Reads what is there, once. */
static void fill(struct pl_input *input, struct pl_err *err)
{
    pl_buf_reserve(&input->data, 4096);
    ssize_t n;
    do
        n = read(input->fd, input->data.data + input->data.len, 4096);
    while (n < 0 && errno == EINTR);
    if (n > 0)
        input->data.len += (size_t)n;
    else if (n == 0)
        input->ended = true;
    else if (errno != EAGAIN)
        pl_fail_errno(err, errno, OP, "cannot read the input");
}

/* Ends the read that waits when there is something to say. */
static void settle(struct pl_input *input, struct pl_err *err)
{
    struct pl_op *op = input->waiting;
    if (op == NULL)
        return;
    bool line = line_end(input) != NULL || (input->ended && input->data.len > 0);
    if (!line && err->code == NULL && input->data.len > PL_INPUT_LINE_MAX)
        pl_fail(err, PL_E_TOO_LARGE, false, OP, "a line has more than %u bytes", PL_INPUT_LINE_MAX);
    if (!line && err->code == NULL && (input->ended || input->closed))
        pl_fail(err, PL_E_CLOSED, false, OP, "the input has ended");
    if (!line && err->code == NULL)
        return;
    input->waiting = NULL;
    if (input->polled && !input->closed)
        uv_poll_stop(&input->poll);
    if (line)
        pl_op_finish(op);
    else
        pl_op_fail(op, err);
    pl_op_unref(op);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    (void)status; /* read() says it better */
    (void)events;
    struct pl_input *input = poll->data;
    struct pl_err err = {0};
    fill(input, &err);
    settle(input, &err);
}

struct pl_input *pl_input_new(struct pl_loop *loop, int fd, struct pl_err *err)
{
    struct stat st;
    if (fstat(fd, &st) < 0) {
        pl_fail_errno(err, errno, OP, "cannot read the input");
        return NULL;
    }
    struct pl_input *input = pl_xcalloc(1, sizeof *input);
    input->loop = loop;
    input->fd = fd;
    input->refs = 1;
    /* /dev/null and files have no readiness; they never make anybody wait. libuv switches the
     * descriptor to non-blocking, which others who share it may see. */
    input->polled = !S_ISREG(st.st_mode) && uv_poll_init(&loop->uv, &input->poll, fd) == 0;
    if (input->polled) {
        input->poll.data = input;
        input->refs++;
    }
    return input;
}

struct pl_op *pl_input_read_line(struct pl_input *input, struct pl_owner *owner,
                                 uint64_t deadline_ns)
{
    if (input->waiting != NULL)
        return NULL;
    pl_buf_consume(&input->data, input->line);
    input->line = 0;
    struct input_op *r = pl_xcalloc(1, sizeof *r);
    r->input = input;
    input->refs++;
    pl_op_start(&r->op, input->loop, owner, OP, deadline_ns, &input_class);
    pl_op_ref(&r->op);
    input->waiting = &r->op;
    struct pl_err err = {0};
    while (!input->polled && !input->ended && err.code == NULL && line_end(input) == NULL &&
           input->data.len <= PL_INPUT_LINE_MAX)
        fill(input, &err);
    if (input->polled && line_end(input) == NULL && !input->ended)
        uv_poll_start(&input->poll, UV_READABLE, on_readable);
    settle(input, &err);
    return &r->op;
}

const char *pl_input_take(struct pl_input *input, size_t *len)
{
    const char *end = line_end(input);
    size_t n = end != NULL ? (size_t)(end - input->data.data) : input->data.len;
    input->line = end != NULL ? n + 1 : n;
    if (n > 0 && input->data.data[n - 1] == '\r')
        n--;
    *len = n;
    return n > 0 ? input->data.data : "";
}

static void on_closed(uv_handle_t *handle)
{
    unref(handle->data);
}

void pl_input_close(struct pl_input *input)
{
    struct pl_err err = {0};
    input->closed = true;
    if (input->polled) {
        uv_poll_stop(&input->poll);
        uv_close((uv_handle_t *)&input->poll, on_closed);
    }
    settle(input, &err);
    unref(input);
}
