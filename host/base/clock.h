/* The clocks of the host. Nothing else reads the time directly. */
#ifndef PL_BASE_CLOCK_H
#define PL_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#define PL_NS_PER_MS 1000000ull
#define PL_NS_PER_S  1000000000ull

uint64_t pl_now_ns(void);  /* CLOCK_MONOTONIC, for durations and what others count on: leases */
uint64_t pl_wall_ms(void); /* milliseconds since the Unix epoch, UTC */

/* Monotonic time without what this process has stood still, for the deadlines of what it does
 * itself: a process that was stopped, or a machine that was suspended, for ten seconds must not
 * find that everything it was about has taken ten seconds too long. A second is missed at least
 * before it counts as standing still, and the CPU time used meanwhile does not. Main thread only.
 */
uint64_t pl_live_ns(void);

/* The process is about to wait for events, for `ms` at most (< 0: for ever), which is no standing
 * still. 0: it has been woken. */
void pl_live_wait(int64_t ms);

/* Moves pl_wall_ms forward, for tests that own the time. Monotonic time goes on as it does. */
void pl_wall_advance(uint64_t ms);
uint64_t pl_wall_advanced(void); /* by how much so far */

#define PL_RFC3339_LEN 24 /* "2026-01-02T03:04:05.678Z" without the NUL */

/* Writes RFC 3339 UTC with milliseconds and a NUL; `out` holds PL_RFC3339_LEN + 1 bytes. */
void pl_rfc3339(uint64_t wall_ms, char *out);

#endif
