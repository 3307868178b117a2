/* Lines from a descriptor that people or pipes write to: a terminal, a pipe, a socket, a file. */
#ifndef PL_DRIVERS_INPUT_H
#define PL_DRIVERS_INPUT_H

#include "base/buf.h"
#include "loop/loop.h"

#define PL_INPUT_LINE_MAX (1u << 20)

struct pl_input;

/* Reads from `fd`, which stays the caller's. NULL with `err` when it cannot be read at all. */
struct pl_input *pl_input_new(struct pl_loop *loop, int fd, struct pl_err *err);

/* Waits for a line. When the op has ended well, pl_input_take has it. Ends with "closed" at the end
 * of the input, "too_large" for a line of more than PL_INPUT_LINE_MAX bytes. NULL when another read
 * waits. */
struct pl_op *pl_input_read_line(struct pl_input *input, struct pl_owner *owner,
                                 uint64_t deadline_ns);

/* The line without its end (LF or CR LF), valid until the next call; a last line without an end
 * counts. */
const char *pl_input_take(struct pl_input *input, size_t *len);

/* The input of an op that pl_input_read_line has started. */
struct pl_input *pl_input_of(struct pl_op *op);

/* A pending read ends with "closed"; freed when its handle is gone. */
void pl_input_close(struct pl_input *input);

#endif
