/* What every long-lived process of the host does to itself, and what /proc says about others. */
#ifndef PL_LOOP_PROCESS_H
#define PL_LOOP_PROCESS_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* No core files, which would hold secrets; in a release no reading of this process's memory by
 * others of the same user; a closed peer is an error code, not a signal. */
void pl_process_harden(void);

/* As many descriptors as this process may have at most; the usual limit is that of programs which
 * use select(). What it starts has them too. */
void pl_process_raise_descriptors(void);

/* Resident bytes, 0 when the process is gone. */
uint64_t pl_process_rss(pid_t pid);

/* Bytes of this process as RLIMIT_AS and RLIMIT_DATA count them; 0 without /proc. */
void pl_process_sizes(uint64_t *address_space, uint64_t *data);

/* Marks `fd` to be closed (or kept) by exec. */
void pl_process_cloexec(int fd, bool close_on_exec);

/* Takes the lock file at `path` for as long as this process lives and writes its pid into it.
 * Returns the descriptor to hold, or -1: "busy" when another process has it, with *owner its pid (0
 * when it has not written it yet). */
int pl_process_lock(const char *path, pid_t *owner, struct pl_err *err);

#endif
