/* The supervisor: the process that owns the listening sockets and keeps workers alive.
 *
 * `parley serve` evaluates the configuration in Lua and then becomes the supervisor by exec, so
 * that nothing of Lua stays in its memory. Workers are the same binary again. They inherit the
 * sockets, one end of a channel, and the watchdog page; loop/worker.h is their side.
 *
 * The channel carries lines. To a worker: `ID EVENT JSON`. From it: `ID ok JSON`, `ID error JSON`
 * in answer, and once `0 ready null`. */
#ifndef PL_LOOP_SUPERVISOR_H
#define PL_LOOP_SUPERVISOR_H

#include "base/buf.h"
#include "base/err.h"

#define PL_LISTENERS_MAX      8
#define PL_WORKERS_MAX        256
#define PL_CHANNEL_LINE_MAX   (4u << 20)
#define PL_LISTENER_NAME_MAX  16
#define PL_WORKER_ENVIRONMENT "PARLEY_WORKER" /* how a worker learns what it has inherited */

/* Adds one parameter; repeated keys add up where noted. All but `home`, `arg` and one `listen.NAME`
 * have defaults.
 *
 *   home            the folder whose run/ gets control.sock and parley.pid
 *   listen.NAME     an address as pl_listen_open reads it; repeated, NAME of a-z and _
 *   workers         how many, default 1
 *   hang_ms         a worker without heartbeat for so long is replaced, default 2000
 *   start_ms        the same for one that has not said ready, default 120000
 *   drain_ms        what running turns get at a stop, default 10000
 *   ready_message   printed to stdout when all is ready; {NAME} becomes the address of a listener
 *   arg             of the worker's command line; repeated
 *   env             NAME=value for the workers; repeated */
void pl_supervisor_param(struct pl_buf *params, const char *key, const char *value);

/* Becomes the supervisor. Returns only on failure, -1 with `err`. */
int pl_supervisor_exec(const struct pl_buf *params, struct pl_err *err);

/* `parley --supervise FD`: runs until it is stopped; returns the exit code of the process. 75: the
 * home is in use. 71, 78: could not start, stderr says why. A worker that refuses its configuration
 * before the host was ever ready hands its exit code on. */
int pl_supervisor_main(int argc, char **argv);

#endif
