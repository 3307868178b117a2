#include "base/clock.h"

#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

static uint64_t read_ns(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (uint64_t)ts.tv_sec * PL_NS_PER_S + (uint64_t)ts.tv_nsec;
}

uint64_t pl_now_ns(void)
{
    return read_ns(CLOCK_MONOTONIC);
}

#define STILL_NS   (1 * PL_NS_PER_S)
#define CPU_AGE_NS (100 * PL_NS_PER_MS) /* so old may `cpu_ns` be: reading it is a system call */

static _Thread_local struct { /* of each thread that has a loop */
    uint64_t seen_ns;         /* when the process was last known to run */
    uint64_t until_ns;        /* the same, or the end of the wait that began then */
    uint64_t still_ns;        /* so long it has stood still, in all */
    uint64_t cpu_at_ns, cpu_ns;
} live;

/* Nobody knows when in a wait it was stopped: the whole of the wait is taken for it. */
static void stood_still(uint64_t gap)
{
    uint64_t used = read_ns(CLOCK_THREAD_CPUTIME_ID) - live.cpu_ns;
    if (gap > used + STILL_NS)
        live.still_ns += gap - used;
}

static uint64_t look(void)
{
    uint64_t now = pl_now_ns();
    if (live.until_ns != 0 && now > live.until_ns + STILL_NS)
        stood_still(now - live.seen_ns);
    live.seen_ns = now;
    if (now > live.cpu_at_ns + CPU_AGE_NS) {
        live.cpu_at_ns = now;
        live.cpu_ns = read_ns(CLOCK_THREAD_CPUTIME_ID);
    }
    return now;
}

uint64_t pl_live_ns(void)
{
    uint64_t now = look();
    if (now > live.until_ns)
        live.until_ns = now;
    return now - live.still_ns;
}

void pl_live_wait(int64_t ms)
{
    uint64_t now = look();
    live.until_ns = ms < 0 ? UINT64_MAX - STILL_NS : now + (uint64_t)ms * PL_NS_PER_MS;
}

static _Atomic uint64_t advanced_ms; /* read by other threads too: the log's */

uint64_t pl_wall_ms(void)
{
    return read_ns(CLOCK_REALTIME) / PL_NS_PER_MS +
           atomic_load_explicit(&advanced_ms, memory_order_relaxed);
}

void pl_wall_advance(uint64_t ms)
{
    atomic_fetch_add_explicit(&advanced_ms, ms, memory_order_relaxed);
}

uint64_t pl_wall_advanced(void)
{
    return atomic_load_explicit(&advanced_ms, memory_order_relaxed);
}

void pl_rfc3339(uint64_t wall_ms, char *out)
{
    time_t s = (time_t)(wall_ms / 1000);
    struct tm tm;
    gmtime_r(&s, &tm);
    snprintf(out, PL_RFC3339_LEN + 1, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ",
             ((unsigned)tm.tm_year + 1900u) % 10000u, ((unsigned)tm.tm_mon + 1u) % 100u,
             (unsigned)tm.tm_mday % 100u, (unsigned)tm.tm_hour % 100u, (unsigned)tm.tm_min % 100u,
             (unsigned)tm.tm_sec % 100u, (unsigned)(wall_ms % 1000));
}
