/* The watchdog page: what each worker says about itself, in memory that it shares with the
 * supervisor. A worker that hangs or has crashed cannot answer a question, but its page can still
 * be read.
 *
 * Heartbeat, name, trace and fault are written by the worker, pid by the supervisor, the state by
 * whoever causes it. The name is trusted only when its writer is dead. */
#ifndef PL_LOOP_WATCHDOG_H
#define PL_LOOP_WATCHDOG_H

#include "base/clock.h"
#include "base/err.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define PL_WATCHDOG_NAME_MAX   48 /* with the NUL */
#define PL_WATCHDOG_TRACE_MAX  33
#define PL_WATCHDOG_SECRET_LEN 32

enum pl_worker_state {
    PL_WORKER_DOWN,     /* no process, or none yet */
    PL_WORKER_STARTING, /* runs, has not called ready */
    PL_WORKER_READY,
    PL_WORKER_DRAINING,
};

struct pl_watchdog_slot {
    alignas(128) _Atomic uint64_t heartbeat_ns; /* pl_now_ns, which all processes share */
    _Atomic uint64_t running_since_ns;
    _Atomic int32_t pid;
    _Atomic uint32_t state;             /* enum pl_worker_state */
    _Atomic int32_t fault;              /* the signal by which the worker has ended itself, or 0 */
    char running[PL_WATCHDOG_NAME_MAX]; /* the plugin that runs now; empty: none */
    char trace[PL_WATCHDOG_TRACE_MAX];  /* what it runs for: a trace id, or empty */
    char failed[PL_WATCHDOG_NAME_MAX];  /* whose fault it was, when not of the one that runs */
};

/* Who is to blame for the end of a worker: the plugin that was on its CPU. */
struct pl_suspect {
    char plugin[PL_WATCHDOG_NAME_MAX]; /* empty: nobody */
    char trace[PL_WATCHDOG_TRACE_MAX]; /* what it ran for, or empty */
    int32_t signal; /* by which it has ended the worker; SIGKILL: it was at work when somebody
                       else did, again and again; 0: it has hung it */
};

/* The slot of this process. Never NULL: a process that is no worker writes into one of its own. */
extern struct pl_watchdog_slot *pl_watchdog_slot;

/* A new page of `slots` zeroed slots; *fd (close on exec) is how a worker maps it too. NULL with
 * `err` when the kernel refuses. It lives as long as the process. */
struct pl_watchdog_slot *pl_watchdog_create(uint32_t slots, int *fd, struct pl_err *err);

/* Maps the page that `fd` stands for, closes `fd` and makes slot `index` this process's own. */
int pl_watchdog_attach(int fd, uint32_t index, uint32_t slots, struct pl_err *err);

/* PL_WATCHDOG_SECRET_LEN random bytes that the workers of a host share, and nobody else has: they
 * are on the page behind the slots, and gone with the host. A process that is no worker has its
 * own.
 */
const unsigned char *pl_watchdog_secret(void);

/* Says that the plugin `name` (NULL: none) runs from `now_ns` on, for `trace`. Cheap: it is called
 * around every slice of every plugin. Longer texts are cut. */
static inline void pl_watchdog_running_at(const char *name, const char *trace, uint64_t now_ns)
{
    struct pl_watchdog_slot *slot = pl_watchdog_slot;
    if (name == NULL) {
        slot->running[0] = '\0';
        return;
    }
    size_t n = strnlen(name, PL_WATCHDOG_NAME_MAX - 1);
    memcpy(slot->running, name, n);
    slot->running[n] = '\0';
    n = strnlen(trace, PL_WATCHDOG_TRACE_MAX - 1);
    memcpy(slot->trace, trace, n);
    slot->trace[n] = '\0';
    atomic_store_explicit(&slot->running_since_ns, now_ns, memory_order_relaxed);
}

static inline void pl_watchdog_running(const char *name)
{
    pl_watchdog_running_at(name, "", name != NULL ? pl_now_ns() : 0);
}

/* Says that `name` is what the thread is there for, as it was until pl_watchdog_running(NULL), for
 * the same trace: it does not run, and nothing else does. */
static inline void pl_watchdog_still(const char *name)
{
    size_t n = strnlen(name, PL_WATCHDOG_NAME_MAX - 1);
    memcpy(pl_watchdog_slot->running, name, n);
    pl_watchdog_slot->running[n] = '\0';
}

static inline void pl_watchdog_beat(uint64_t now_ns)
{
    atomic_store_explicit(&pl_watchdog_slot->heartbeat_ns, now_ns, memory_order_relaxed);
}

const char *pl_worker_state_name(uint32_t state); /* "down", "starting", "ready", "draining" */

#endif
