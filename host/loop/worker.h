/* A worker's side of the supervisor (loop/supervisor.h): what it has inherited, its heartbeat, and
 * the questions it is asked. One per process. */
#ifndef PL_LOOP_WORKER_H
#define PL_LOOP_WORKER_H

#include "loop/loop.h"
#include "loop/supervisor.h"
#include "loop/watchdog.h"

struct pl_worker_info {
    uint32_t index, count;
    bool replaces; /* another worker, of a host that has served */
    uint32_t listeners_len;
    struct {
        char name[PL_LISTENER_NAME_MAX];
        int fd; /* listening, non-blocking; its user may close it */
    } listeners[PL_LISTENERS_MAX];
    struct pl_suspect suspect; /* to blame for the end of this worker's predecessor */
};

/* Takes over what the supervisor has left in the environment and starts the heartbeat. Fails with
 * "invalid" in a process that no supervisor has started. If the supervisor ends, this process ends
 * at once. */
int pl_worker_attach(struct pl_loop *loop, struct pl_err *err);

/* Closes the handles, so that the loop can be closed. Harmless when not attached. */
void pl_worker_detach(void);

/* NULL when not attached. */
const struct pl_worker_info *pl_worker_info(void);

void pl_worker_ready(void);

/* Asks the other workers of this host to look for changes: they get the event "look" with id 0,
 * soon and in no order with anything. Harmless when not attached. */
void pl_worker_nudge(void);

/* Who is asked. `event` and `json` are valid during the call. Every call with an `id` other than 0
 * must be answered once. After the answer to "drain" (which SIGTERM asks too, with id 0) the
 * process is expected to end by pl_worker_exit. Without a handler, drain ends the worker at once.
 */
void pl_worker_on_message(void (*fn)(uint64_t id, const char *event, const char *json, size_t len,
                                     void *arg),
                          void *arg);

/* `json` is one line; ignored for id 0. */
void pl_worker_answer(uint64_t id, bool ok, const char *json, size_t len);

/* Stops the loop; main returns `code`. */
void pl_worker_exit(int code);

/* What pl_worker_exit was given, -1 when it was not called. */
int pl_worker_exit_code(void);

#endif
