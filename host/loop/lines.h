/* Lines over a local stream: the control socket, and the channel between supervisor and worker.
 * Both directions are bounded: a line by `line_max`, what waits to be written by
 * PL_LINES_QUEUE_MAX.
 */
#ifndef PL_LOOP_LINES_H
#define PL_LOOP_LINES_H

#include "base/buf.h"
#include "loop/loop.h"

#define PL_LINES_QUEUE_MAX (8u << 20)

struct pl_lines {
    uv_pipe_t pipe;
    struct pl_buf in;
    size_t line_max;
    bool closing;
    /* `line` ends with a NUL in place of its newline and is valid during the call, which may close
     * the stream. */
    void (*on_line)(struct pl_lines *lines, char *line, size_t len);
    /* Once, when the peer has closed, broken the limits or failed. The stream is being closed. Not
     * called after pl_lines_close. NULL is allowed. */
    void (*on_end)(struct pl_lines *lines, const struct pl_err *why);
    /* Once, as the last thing: the memory may be freed. NULL is allowed. */
    void (*on_closed)(struct pl_lines *lines);
};

/* `lines` is zeroed memory; set line_max and the three functions before or after. From here on it
 * must be ended with pl_lines_close (which on_end has done already). */
void pl_lines_init(struct pl_lines *lines, struct pl_loop *loop);

/* Takes over the connected stream socket `fd` and begins to read. On failure `fd` is the caller's.
 */
int pl_lines_open(struct pl_lines *lines, int fd, struct pl_err *err);

/* Begins to read a stream that uv_accept or uv_pipe_connect has filled. */
int pl_lines_start(struct pl_lines *lines, struct pl_err *err);

/* Copies and sends the bytes, which should end with a newline. A stream whose reader does not keep
 * up is ended. Harmless on one that is being closed. */
void pl_lines_send(struct pl_lines *lines, const char *data, size_t len);

/* Ends the stream; what was sent and not yet written is lost unless `flush`, which gives the reader
 * a last chance: the stream is then closed when all is written, or when the reader goes. */
void pl_lines_close(struct pl_lines *lines, bool flush);

#endif
