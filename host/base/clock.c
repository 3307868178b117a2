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
