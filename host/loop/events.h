/* Whether events wait for a loop that is at work. */
#ifndef PL_LOOP_EVENTS_H
#define PL_LOOP_EVENTS_H

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* Waits until one is there, for `ns` at most (< 1 s; 0: looks only). `fd` is the loop's
 * uv_backend_fd. Signals are blocked meanwhile: the timer that ends a plugin's slice is no event.
 */
static inline bool pl_events_wait(int fd, uint64_t ns)
{
    struct pollfd events = {.fd = fd, .events = POLLIN};
    struct timespec wait = {.tv_nsec = (long)ns};
    sigset_t all;
    sigfillset(&all);
    return ppoll(&events, 1, &wait, &all) != 0;
}

#endif
