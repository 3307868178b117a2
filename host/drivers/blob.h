/* Files that are named by what is in them: written piece by piece under another name, hashed on the
 * way, and there, whole and on disk, in one step. Blocking, all but pl_blob_write only as long as
 * the page cache takes. */
#ifndef PL_DRIVERS_BLOB_H
#define PL_DRIVERS_BLOB_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define PL_BLOB_NAME 65 /* bytes of a name: SHA-256 in hex, and NUL */

struct pl_blob;

/* Begins a file in `folder`, which must be there, as ".new.XXXXXX". NULL with `err`. */
struct pl_blob *pl_blob_new(const char *folder, struct pl_err *err);

/* Appends. -1 with "io"; then nothing but pl_blob_free makes sense. */
int pl_blob_write(struct pl_blob *blob, const void *data, size_t len, struct pl_err *err);

/* Puts it into its place, FOLDER/ab/abcd..., on disk on return; one that is there is replaced by
 * itself. Once. For a pool thread. */
int pl_blob_finish(struct pl_blob *blob, struct pl_err *err);

const char *pl_blob_name(const struct pl_blob *blob); /* "" before it is finished */
uint64_t pl_blob_size(const struct pl_blob *blob);

/* What is not finished is taken away. NULL is nothing. */
void pl_blob_free(struct pl_blob *blob);

#endif
