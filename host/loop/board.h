/* The board: the last text that each worker has published, in memory that all workers of a host
 * share. A worker reads what the others say without asking them, and what its predecessor has said:
 * the text outlives the process, whatever has ended it.
 *
 * Each place has one writer, the worker of that index. */
#ifndef PL_LOOP_BOARD_H
#define PL_LOOP_BOARD_H

#include "base/buf.h"
#include "base/err.h"

#include <stdint.h>

#define PL_BOARD_TEXT_MAX (1u << 20) /* of one worker, bytes; memory is taken for what is used */

/* A new board of `places` empty places. Returns a descriptor (close on exec) by which workers map
 * it, or -1 with `err` when the kernel refuses. */
int pl_board_create(uint32_t places, struct pl_err *err);

/* Maps the board that `fd` stands for, closes `fd` and makes place `index` this process's own.
 * Returns 0, or -1 with `err`. It stays mapped as long as the process lives. */
int pl_board_attach(int fd, uint32_t index, uint32_t places, struct pl_err *err);

/* Replaces the text of this process's place. Readers see the one before or this one, never a part.
 * Returns 0, or -1 with `err`: "too_large", or "invalid" in a process without a place. */
int pl_board_publish(const char *text, size_t len, struct pl_err *err);

/* Appends the text of place `index` to `out`. Returns 1, or 0 when nothing was published there, or
 * there is no such place, or no board. */
int pl_board_read(uint32_t index, struct pl_buf *out);

#endif
