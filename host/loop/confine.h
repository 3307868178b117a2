/* What a process takes from itself before it runs what others wrote. */
#ifndef PL_LOOP_CONFINE_H
#define PL_LOOP_CONFINE_H

#include "base/err.h"

#include <stdint.h>

/* For good, and in this order: no core file, no tracing by others, no new privileges, no
 * capabilities; every descriptor but 0 closed, and none can be opened; no process can be started,
 * no file written; Landlock without any exception; and a list of the system calls that are left:
 *
 *     descriptor 0    recvfrom, sendto, poll
 *     memory          brk, munmap, mremap, madvise; mmap of anonymous memory; mmap and mprotect
 *                     never make it executable
 *     timers, time    timer_settime, rt_sigreturn, clock_gettime, restart_syscall
 *     chance, locks   getrandom, futex within the process
 *     the end         exit_group
 *
 * Any other call ends the process at once with SIGSYS. Timers, signal handlers and their threads
 * must exist before. *landlock: the version of the kernel's interface, 0 when the kernel has none,
 * which is no failure: the other walls stand alone then. -1 with `err` when the process is not
 * confined; it must not go on. A build with a sanitizer keeps descriptor 2, and lets it report. */
int pl_confine(uint32_t *landlock, struct pl_err *err);

/* The step of pl_confine that is Landlock's: from here on this process opens no file that it has
 * not open, connects nowhere and signals nobody. Needs pl_confine's own steps before it, or root.
 */
int pl_confine_files(uint32_t *landlock, struct pl_err *err);

#endif
