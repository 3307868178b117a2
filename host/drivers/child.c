#include "drivers/child.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct output {
    struct pl_reader reader;
    struct pl_child *child;
    uv_pipe_t pipe;
    bool open;
};

struct pl_child {
    struct pl_loop *loop;
    pid_t pid;
    int status; /* as waitpid gives it, when it has ended */
    bool ended, closed, stdin_open;
    uv_signal_t sigchld;
    uv_pipe_t input;
    struct output outputs[2];
    struct pl_list waits; /* of struct wait_op */
    uint32_t refs;        /* the owner, each handle, each op */
};

static void unref(struct pl_child *child)
{
    if (--child->refs > 0)
        return;
    pl_reader_free(&child->outputs[0].reader);
    pl_reader_free(&child->outputs[1].reader);
    free(child);
}

static void on_closed(uv_handle_t *handle)
{
    unref(handle->data);
}

/* --- its outputs ---------------------------------------------------------------------------------
 */

static struct output *output_of(struct pl_reader *reader)
{
    return pl_container_of(reader, struct output, reader);
}

static void output_close(struct output *out)
{
    if (out->open)
        uv_close((uv_handle_t *)&out->pipe, on_closed);
    out->open = false;
}

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
    (void)size;
    size_t room;
    struct output *out = pl_container_of((uv_pipe_t *)handle, struct output, pipe);
    buf->base = pl_reader_space(&out->reader, &room);
    buf->len = room;
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    (void)buf;
    struct output *out = pl_container_of((uv_pipe_t *)stream, struct output, pipe);
    if (n > 0)
        pl_reader_arrived(&out->reader, (size_t)n);
    if (n >= 0)
        return;
    struct pl_err err;
    if (n != UV_EOF)
        pl_fail_errno(&err, (int)-n, "process.read", "cannot read from the child");
    output_close(out);
    pl_reader_end(&out->reader, n != UV_EOF ? &err : NULL);
}

static void output_flow(struct pl_reader *reader, bool on)
{
    struct output *out = output_of(reader);
    if (!out->open)
        return;
    if (on)
        uv_read_start((uv_stream_t *)&out->pipe, on_alloc, on_read);
    else
        uv_read_stop((uv_stream_t *)&out->pipe);
}

static void output_ref(struct pl_reader *reader)
{
    output_of(reader)->child->refs++;
}

static void output_unref(struct pl_reader *reader)
{
    unref(output_of(reader)->child);
}

static const struct pl_reader_source output_source = {"process.read", true, output_flow, output_ref,
                                                      output_unref};

struct pl_reader *pl_child_output(struct pl_child *child, int which)
{
    struct output *out = &child->outputs[which - 1];
    return out->reader.source != NULL ? &out->reader : NULL;
}

/* --- its end -------------------------------------------------------------------------------------
 */

struct wait_op {
    struct pl_op op;
    struct pl_list link; /* in child->waits while pending */
    struct pl_child *child;
};

static struct wait_op *wait_of(struct pl_op *op)
{
    return pl_container_of(op, struct wait_op, op);
}

static void wait_cancel(struct pl_op *op)
{
    pl_list_remove(&wait_of(op)->link);
    pl_op_unref(op);
}

static void wait_destroy(struct pl_op *op)
{
    unref(wait_of(op)->child);
    free(wait_of(op));
}

static const struct pl_op_class wait_class = {wait_cancel, wait_destroy};

static void settle_waits(struct pl_child *child)
{
    while (!pl_list_empty(&child->waits)) {
        struct wait_op *w = pl_container_of(child->waits.next, struct wait_op, link);
        pl_list_remove(&w->link);
        if (!child->ended)
            pl_fail(&w->op.err, PL_E_CLOSED, false, "process.wait", "the process was given up");
        pl_op_finish(&w->op);
        pl_op_unref(&w->op);
    }
}

static void on_sigchld(uv_signal_t *handle, int signum)
{
    (void)signum;
    struct pl_child *child = handle->data;
    if (child->ended || waitpid(child->pid, &child->status, WNOHANG) != child->pid)
        return;
    child->ended = true;
    uv_close((uv_handle_t *)handle, on_closed);
    settle_waits(child);
}

struct pl_op *pl_child_wait(struct pl_child *child, struct pl_owner *owner, uint64_t deadline_ns)
{
    struct wait_op *w = pl_xcalloc(1, sizeof *w);
    w->child = child;
    child->refs++;
    pl_op_start(&w->op, child->loop, owner, "process.wait", deadline_ns, &wait_class);
    pl_op_ref(&w->op);
    pl_list_push(&child->waits, &w->link);
    if (child->ended)
        settle_waits(child);
    return &w->op;
}

int pl_child_status(struct pl_op *op)
{
    return wait_of(op)->child->status;
}

int pl_child_kill(struct pl_child *child, int signum, struct pl_err *err)
{
    if (child->ended) /* its pid may be another's by now */
        return pl_fail(err, PL_E_CLOSED, false, "process.kill", "the process has ended");
    if (kill(child->pid, signum) < 0)
        return pl_fail_errno(err, errno, "process.kill", "kill");
    return 0;
}

/* --- its input -----------------------------------------------------------------------------------
 */

struct write_op {
    struct pl_op op;
    struct pl_child *child;
    uv_write_t uv;
    char *data;
};

static void write_destroy(struct pl_op *op)
{
    struct write_op *w = pl_container_of(op, struct write_op, op);
    unref(w->child);
    free(w->data);
    free(w);
}

/* What was handed to the kernel cannot be taken back: a write that nobody waits for goes on. */
static const struct pl_op_class write_class = {NULL, write_destroy};

static void on_written(uv_write_t *req, int status)
{
    struct write_op *w = req->data;
    if (status < 0)
        pl_fail(&w->op.err, PL_E_CLOSED, false, "process.write", "the child does not read: %s",
                uv_strerror(status));
    pl_op_finish(&w->op);
    pl_op_unref(&w->op);
}

struct pl_op *pl_child_write(struct pl_child *child, const char *data, size_t len,
                             struct pl_owner *owner, uint64_t deadline_ns, struct pl_err *err)
{
    if (!child->stdin_open) {
        pl_fail(err, PL_E_CLOSED, false, "process.write", "its stdin is no pipe, or closed");
        return NULL;
    }
    struct write_op *w = pl_xcalloc(1, sizeof *w);
    w->child = child;
    child->refs++;
    w->data = pl_xmemdup(data, len);
    w->uv.data = w;
    pl_op_start(&w->op, child->loop, owner, "process.write", deadline_ns, &write_class);
    pl_op_ref(&w->op);
    uv_buf_t buf = uv_buf_init(w->data, (unsigned)len);
    int rc = uv_write(&w->uv, (uv_stream_t *)&child->input, &buf, 1, on_written);
    if (rc < 0)
        on_written(&w->uv, rc);
    return &w->op;
}

static void close_input(struct pl_child *child)
{
    if (!uv_is_closing((uv_handle_t *)&child->input))
        uv_close((uv_handle_t *)&child->input, on_closed);
}

static void on_shutdown(uv_shutdown_t *req, int status)
{
    (void)status;
    close_input(req->data);
    free(req);
}

void pl_child_close_stdin(struct pl_child *child)
{
    if (!child->stdin_open)
        return;
    child->stdin_open = false;
    /* After what is still to be written. */
    uv_shutdown_t *req = pl_xcalloc(1, sizeof *req);
    req->data = child;
    if (uv_shutdown(req, (uv_stream_t *)&child->input, on_shutdown) < 0) {
        free(req);
        close_input(child);
    }
}

static void on_fed(uv_write_t *req, int status)
{
    (void)status; /* a child may end before it has read everything */
    free(req->data);
    free(req);
}

void pl_child_feed(struct pl_child *child, const char *data, size_t len)
{
    uv_write_t *req = pl_xcalloc(1, sizeof *req);
    req->data = pl_xmemdup(data, len);
    uv_buf_t buf = uv_buf_init(req->data, (unsigned)len);
    if (uv_write(req, (uv_stream_t *)&child->input, &buf, 1, on_fed) < 0)
        on_fed(req, 0);
    pl_child_close_stdin(child);
}

/* --- life ----------------------------------------------------------------------------------------
 */

static bool open_pipe(struct pl_child *child, uv_pipe_t *pipe, int fd)
{
    if (fd < 0)
        return false;
    uv_pipe_init(&child->loop->uv, pipe, 0);
    uv_pipe_open(pipe, fd); /* fails for nothing that pipe2 has made */
    pipe->data = child;
    child->refs++;
    return true;
}

struct pl_child *pl_child_start(struct pl_loop *loop, const struct pl_spawn_options *options,
                                size_t max_buffer, struct pl_err *err)
{
    struct pl_child *child = pl_xcalloc(1, sizeof *child);
    child->loop = loop;
    child->refs = 2; /* the owner's, the signal's */
    pl_list_init(&child->waits);
    /* Before the child exists: it may end at once. */
    uv_signal_init(&loop->uv, &child->sigchld);
    child->sigchld.data = child;
    uv_signal_start(&child->sigchld, on_sigchld, SIGCHLD);
    int ours[3];
    child->pid = pl_spawn(options, ours, err);
    if (child->pid < 0) {
        uv_close((uv_handle_t *)&child->sigchld, on_closed);
        unref(child);
        return NULL;
    }
    child->stdin_open = open_pipe(child, &child->input, ours[0]);
    for (int i = 0; i < 2; i++) {
        struct output *out = &child->outputs[i];
        out->child = child;
        out->open = open_pipe(child, &out->pipe, ours[i + 1]);
        if (out->open)
            pl_reader_init(&out->reader, loop, &output_source, max_buffer);
    }
    return child;
}

pid_t pl_child_pid(const struct pl_child *child)
{
    return child->pid;
}

/* Reaps a child that nobody asks about, where waiting disturbs nobody. */
struct reaper {
    uv_work_t uv;
    pid_t pid;
};

static void reap(uv_work_t *uv)
{
    waitpid(pl_container_of(uv, struct reaper, uv)->pid, NULL, 0);
}

static void reaped(uv_work_t *uv, int status)
{
    (void)status;
    free(pl_container_of(uv, struct reaper, uv));
}

void pl_child_close(struct pl_child *child)
{
    struct pl_err closed;
    if (child->closed)
        return;
    child->closed = true;
    pl_fail(&closed, PL_E_CLOSED, false, "process.read", "the process was given up");
    if (!child->ended) {
        kill(child->pid, SIGKILL);
        uv_close((uv_handle_t *)&child->sigchld, on_closed);
        struct reaper *r = pl_xcalloc(1, sizeof *r);
        r->pid = child->pid;
        uv_queue_work(&child->loop->uv, &r->uv, reap, reaped);
    }
    if (child->input.data != NULL)
        close_input(child);
    child->stdin_open = false;
    for (int i = 0; i < 2; i++) {
        output_close(&child->outputs[i]);
        if (child->outputs[i].reader.source != NULL)
            pl_reader_end(&child->outputs[i].reader, &closed);
    }
    settle_waits(child);
    unref(child);
}
