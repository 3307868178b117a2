/* For threads that others wait for, and that need a core for less than a tenth of a millisecond. */
#ifndef PL_BASE_PROMPT_H
#define PL_BASE_PROMPT_H

/* Asks the kernel that the calling thread gets a core as soon as it wants one, at the price of
 * having it for a shorter time: by a slice of 0.1 ms (Linux 6.12 and later: sched_setattr(2),
 * `sched_runtime` of SCHED_OTHER), and before the others where the operator allows it
 * (RLIMIT_NICE). What the kernel does not know, or does not grant, changes nothing. */
void pl_prompt(void);

#endif
