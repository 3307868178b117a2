/* Lines of the control socket and of the channel between supervisor and worker, in pieces of any
 * size: each complete line comes whole, in order and once, until one is too long or the stream is
 * closed from inside; then nothing more comes. */
#include "loop/lines.h"
#include "check.h"

#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct stream {
    struct pl_lines lines;
    struct pl_buf got; /* the lines, each with its newline */
    unsigned count, close_at;
    unsigned ends;
    const char *code; /* why it has ended */
    bool closed;
};

static struct stream *of(struct pl_lines *lines)
{
    return pl_container_of(lines, struct stream, lines);
}

static void on_line(struct pl_lines *lines, char *line, size_t len)
{
    struct stream *s = of(lines);
    CHECK(line[len] == '\0' && memchr(line, '\n', len) == NULL);
    CHECK(s->ends == 0 && !s->closed);
    pl_buf_append(&s->got, line, len);
    pl_buf_putc(&s->got, '\n');
    pl_lines_send(lines, "ok\n", 3);
    if (++s->count == s->close_at)
        pl_lines_close(lines, false);
}

static void on_end(struct pl_lines *lines, const struct pl_err *why)
{
    of(lines)->ends++;
    of(lines)->code = why->code;
}

static void on_closed(struct pl_lines *lines)
{
    of(lines)->closed = true;
}

static struct pl_loop loop;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    CHECK(pl_loop_init(&loop, NULL) == 0);
    return 0;
}

static void turn(void)
{
    uv_run(&loop.uv, UV_RUN_NOWAIT);
}

/* The plain reading of all the bytes at once. */
static void check_lines(const struct stream *s, const char *data, size_t size)
{
    const char *newline;
    size_t at = 0;
    unsigned count = 0;
    while (count < s->count) {
        newline = memchr(data + at, '\n', size - at);
        CHECK(newline != NULL);
        size_t n = (size_t)(newline - (data + at)) + 1;
        CHECK(at + n <= s->got.len && memcmp(s->got.data + at, data + at, n) == 0);
        at += n;
        count++;
    }
    CHECK(at == s->got.len);
    if (s->code != NULL && strcmp(s->code, PL_E_TOO_LARGE) == 0) {
        newline = memchr(data + at, '\n', size - at);
        CHECK((newline != NULL ? (size_t)(newline - (data + at)) : size - at) > s->lines.line_max);
    } else if (s->count != s->close_at) {
        CHECK(memchr(data + at, '\n', size - at) == NULL); /* no line was left out */
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3)
        return 0;
    struct stream s = {.close_at = data[2]};
    size_t piece = data[1] + 1u, at = 3;
    int fds[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    s.lines.line_max = data[0] * 4u;
    s.lines.on_line = on_line;
    s.lines.on_end = on_end;
    s.lines.on_closed = on_closed;
    pl_lines_init(&s.lines, &loop);
    CHECK(pl_lines_open(&s.lines, fds[0], NULL) == 0);
    while (at < size && !s.closed) {
        size_t n = size - at < piece ? size - at : piece;
        if (send(fds[1], data + at, n, MSG_NOSIGNAL) < 0)
            break; /* it has closed its side */
        at += n;
        turn();
    }
    shutdown(fds[1], SHUT_WR);
    for (int i = 0; i < 8 && !s.closed; i++)
        turn();
    CHECK(s.closed);
    CHECK(s.ends == (s.close_at == 0 || s.count != s.close_at));
    check_lines(&s, (const char *)data + 3, size - 3);
    close(fds[1]);
    pl_buf_free(&s.got);
    return 0;
}
