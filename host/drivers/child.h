/* A child process: another program, with pipes to it, that does not outlive this process. */
#ifndef PL_DRIVERS_CHILD_H
#define PL_DRIVERS_CHILD_H

#include "drivers/reader.h"
#include "drivers/spawn.h"

struct pl_child;

/* Starts the program (drivers/spawn.h says how). `max_buffer`: so many bytes of each output are
 * kept while nobody takes them; then the child waits. NULL with `err` when it cannot be started. */
struct pl_child *pl_child_start(struct pl_loop *loop, const struct pl_spawn_options *options,
                                size_t max_buffer, struct pl_err *err);

pid_t pl_child_pid(const struct pl_child *child);

/* The output of the child: `which` is 1 or 2. NULL when it is no pipe. */
struct pl_reader *pl_child_output(struct pl_child *child, int which);

/* Copies the bytes and starts an op that ends when the child has taken them, or with "closed" when
 * it does not read any more. NULL with `err` when its stdin is no pipe, or closed. */
struct pl_op *pl_child_write(struct pl_child *child, const char *data, size_t len,
                             struct pl_owner *owner, uint64_t deadline_ns, struct pl_err *err);

/* The child sees the end of its input, after what was written. Harmless when it is closed. */
void pl_child_close_stdin(struct pl_child *child);

/* Writes the bytes without anybody waiting for it, then closes. */
void pl_child_feed(struct pl_child *child, const char *data, size_t len);

/* Sends a signal. "closed" when the child has ended. */
int pl_child_kill(struct pl_child *child, int signum, struct pl_err *err);

/* Starts an op that ends when the child has; pl_child_status tells how. Any number may wait. */
struct pl_op *pl_child_wait(struct pl_child *child, struct pl_owner *owner, uint64_t deadline_ns);

/* As waitpid gives it; of an op of pl_child_wait that has ended well. */
int pl_child_status(struct pl_op *op);

/* The owner is gone: SIGKILL when it runs, pending ops end with "closed"; freed when its handles
 * are. */
void pl_child_close(struct pl_child *child);

#endif
