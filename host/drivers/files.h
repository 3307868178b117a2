/* Small local files, read and written whole. Blocking: for start-up, reload and the command line.
 */
#ifndef PL_DRIVERS_FILES_H
#define PL_DRIVERS_FILES_H

#include "base/buf.h"
#include "base/err.h"

#include <stdint.h>

/* Appends the file to `out`. "too_large" beyond `max` bytes. "invalid" for a FIFO, a device and the
 * like, whose reading might never end. */
int pl_file_read(const char *path, size_t max, struct pl_buf *out, struct pl_err *err);

/* The same of whatever the user of a command has named, such as the pipe of a shell's <(command):
 * waits for its end. */
int pl_file_read_any(const char *path, size_t max, struct pl_buf *out, struct pl_err *err);

/* Replaces the file in one step: a temporary file beside it, fsync, rename, fsync of the folder. */
int pl_file_write(const char *path, const char *data, size_t len, int mode, struct pl_err *err);

/* Makes the folder and those above it. */
int pl_file_mkdir(const char *path, int mode, struct pl_err *err);

#endif
