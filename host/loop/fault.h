/* Faults of this process: SIGSEGV, SIGBUS, SIGILL, SIGFPE and SIGABRT that it has made itself are
 * written on its watchdog page before they end it, so that the supervisor can tell what the code on
 * the CPU has done from a `kill` by somebody else. */
#ifndef PL_LOOP_FAULT_H
#define PL_LOOP_FAULT_H

#include "base/err.h"

/* Watches the calling thread, which is the one that runs plugins: a fault of another thread is not
 * theirs, but for pl_fault_blame. What handled these signals before (nobody, or a sanitizer) still
 * does. */
int pl_fault_watch(struct pl_err *err);

/* From here on a fault of the calling thread, which is not the watched one, is that of the plugin
 * `name` (NULL: nobody's), whose memory it handles. `name` is not copied. */
void pl_fault_blame(const char *name);

#endif
