/* Who is to blame for the end of a worker: the plugin that was on its CPU, or nobody. */
#include "loop/supervisor_impl.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#define KILLED_IN_A_ROW 3

/* Whether a worker was killed, by whomever, with one plugin at one turn for the third time: the
 * turn is taken up again each time, by whichever worker. Once is an operator or the kernel, and
 * nobody's fault. Three times in the few milliseconds of that turn is no chance. */
static bool killed_again(struct supervisor *s, const struct pl_watchdog_slot *slot)
{
    struct pl_suspect *last = &s->killed;
    if (slot->trace[0] == '\0' || strcmp(last->plugin, slot->running) != 0 ||
        strcmp(last->trace, slot->trace) != 0) {
        memcpy(last->plugin, slot->running, sizeof slot->running);
        memcpy(last->trace, slot->trace, sizeof slot->trace);
        s->killed_times = 0;
    }
    return ++s->killed_times >= KILLED_IN_A_ROW;
}

/* A thread beside the loop has made the fault, when it freed the memory of another plugin. */
static void blame_the_freed(struct pl_watchdog_slot *slot)
{
    slot->failed[PL_WATCHDOG_NAME_MAX - 1] = '\0';
    if (slot->failed[0] == '\0')
        return;
    memcpy(slot->running, slot->failed, sizeof slot->running);
    slot->trace[0] = '\0';
}

/* Remembers for the successor which plugin was on the CPU when the worker hung or ended itself. A
 * signal from outside - an operator's, the kernel's when memory ends - leaves no fault on the page,
 * which is quiet now: its writer is dead. */
bool pl_sv_blame(struct worker *w, int status)
{
    struct pl_watchdog_slot *slot = &w->s->page[w->index];
    int32_t signal = atomic_load(&slot->fault);
    slot->running[PL_WATCHDOG_NAME_MAX - 1] = '\0';
    slot->trace[PL_WATCHDOG_TRACE_MAX - 1] = '\0';
    blame_the_freed(slot);
    if (slot->running[0] == '\0')
        return false;
    if (!w->hung && signal == 0) {
        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL || !killed_again(w->s, slot))
            return false;
        signal = SIGKILL;
    }
    memcpy(w->suspect.plugin, slot->running, sizeof slot->running);
    memcpy(w->suspect.trace, slot->trace, sizeof slot->trace);
    w->suspect.signal = w->hung ? 0 : signal;
    return true;
}
