/* The standard input, or any descriptor that people, pipes or files are behind, as a reader. */
#ifndef PL_DRIVERS_INPUT_H
#define PL_DRIVERS_INPUT_H

#include "drivers/reader.h"

/* The longest line, with its end. */
#define PL_INPUT_LINE_MAX (1u << 20)

struct pl_input;

/* Reads from `fd`, which stays the caller's, as it is; nothing is taken from it before somebody
 * waits. NULL with `err` when it cannot be read at all. */
struct pl_input *pl_input_new(struct pl_loop *loop, int fd, struct pl_err *err);

struct pl_reader *pl_input_reader(struct pl_input *input);

/* A pending read ends with "closed"; freed when its handle is gone. */
void pl_input_close(struct pl_input *input);

#endif
