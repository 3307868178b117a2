/* Folders that are watched for changes by anybody, and the one task that waits for one.
 *
 * It says that something has changed, not what: who is told looks for himself, and what changes
 * meanwhile is told again. So nothing can be missed, however the system bundles what happens. */
#ifndef PL_DRIVERS_WATCH_H
#define PL_DRIVERS_WATCH_H

#include "loop/loop.h"

#include <stddef.h>

struct pl_watch;

struct pl_watch *pl_watch_new(struct pl_loop *loop);

/* Watches these folders, the files in them and no deeper, from now on and no others. Those that are
 * not there are left out. Each is looked up anew: one that was removed and made again is another.
 * An error (the system has no more watches to give) leaves what was watched before. */
int pl_watch_folders(struct pl_watch *w, const char *const *paths, size_t n, struct pl_err *err);

/* An op that ends when something has changed since the last one ended: at once when it has. NULL
 * when somebody waits already. */
struct pl_op *pl_watch_wait(struct pl_watch *w, struct pl_owner *owner, uint64_t deadline_ns);

/* A pending wait ends with "closed". */
void pl_watch_close(struct pl_watch *w);

#endif
