#include "drivers/input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define OP "input.read"

struct pl_input {
    struct pl_reader reader;
    int fd;
    bool polled; /* false: a file, which is always readable */
    uv_poll_t poll;
    bool closed;
    uint32_t refs; /* the owner, the handle, each op */
};

static struct pl_input *input_of(struct pl_reader *reader)
{
    return pl_container_of(reader, struct pl_input, reader);
}

static void ref(struct pl_reader *reader)
{
    input_of(reader)->refs++;
}

static void unref(struct pl_reader *reader)
{
    struct pl_input *input = input_of(reader);
    if (--input->refs > 0)
        return;
    pl_reader_free(reader);
    free(input);
}

/* Reads what is there, once. */
static void fill(struct pl_input *input)
{
    struct pl_err err;
    size_t room;
    char *space = pl_reader_space(&input->reader, &room);
    ssize_t n;
    do
        n = read(input->fd, space, room);
    while (n < 0 && errno == EINTR);
    if (n > 0) {
        pl_reader_arrived(&input->reader, (size_t)n);
    } else if (n == 0) {
        pl_reader_end(&input->reader, NULL);
    } else if (errno != EAGAIN || !input->polled) {
        pl_fail_errno(&err, errno, OP, "cannot read the input");
        pl_reader_end(&input->reader, &err);
    }
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    (void)status; /* read() says it better */
    (void)events;
    fill(poll->data);
}

static void flow(struct pl_reader *reader, bool on)
{
    struct pl_input *input = input_of(reader);
    if (input->closed)
        return;
    if (input->polled && on)
        uv_poll_start(&input->poll, UV_READABLE, on_readable);
    else if (input->polled)
        uv_poll_stop(&input->poll);
    else
        while (reader->flowing)
            fill(input);
}

static const struct pl_reader_source input_source = {OP, false, flow, ref, unref};

/* libuv makes what it polls non-blocking. That is a flag of the open file, which a terminal's input
 * shares with our own output and with the shell: their writes would fail when the terminal is slow.
 * A read after readiness does not wait, so that it is not needed. */
static bool poll_init(struct pl_loop *loop, uv_poll_t *poll, int fd)
{
    int flags = fcntl(fd, F_GETFL);
    bool ok = uv_poll_init(&loop->uv, poll, fd) == 0;
    fcntl(fd, F_SETFL, flags);
    return ok;
}

struct pl_input *pl_input_new(struct pl_loop *loop, int fd, struct pl_err *err)
{
    struct stat st;
    if (fstat(fd, &st) < 0) {
        pl_fail_errno(err, errno, OP, "cannot read the input");
        return NULL;
    }
    struct pl_input *input = pl_xcalloc(1, sizeof *input);
    input->fd = fd;
    input->refs = 1;
    /* /dev/null and files have no readiness; they never make anybody wait. */
    input->polled = !S_ISREG(st.st_mode) && poll_init(loop, &input->poll, fd);
    if (input->polled) {
        input->poll.data = input;
        input->refs++;
    }
    pl_reader_init(&input->reader, loop, &input_source, PL_INPUT_LINE_MAX);
    return input;
}

struct pl_reader *pl_input_reader(struct pl_input *input)
{
    return &input->reader;
}

static void on_closed(uv_handle_t *handle)
{
    unref(&((struct pl_input *)handle->data)->reader);
}

void pl_input_close(struct pl_input *input)
{
    struct pl_err err;
    input->closed = true;
    if (input->polled) {
        uv_poll_stop(&input->poll);
        uv_close((uv_handle_t *)&input->poll, on_closed);
    }
    pl_fail(&err, PL_E_CLOSED, false, OP, "the input was closed");
    pl_reader_end(&input->reader, &err);
    unref(&input->reader);
}
