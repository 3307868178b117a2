/* Fair shares of the loop between plugins.
 *
 * A sandboxed task that has become runnable goes on at once while its plugin has no other work that
 * waits and the turn of the loop has time left for such work; else it waits in the line of its
 * plugin. Waiting plugins get one slice each, in turn, however many tasks each has, and I/O goes
 * first: the loop looks at its events after each slice, but plugins that wait are owed a quarter of
 * the loop's time.
 *
 * A plugin that computes without end is busy: it stands in a line of its own, which gets a slice
 * when nobody else waits, or after three of others, and the thread rests for a moment after it.
 *
 * A share belongs to a name, not to a state: a state that was stopped and built anew starts no
 * cleaner, and two generations of a plugin have one share together. */
#ifndef PL_ENGINE_SHARE_H
#define PL_ENGINE_SHARE_H

#include "base/clock.h"
#include "base/list.h"

#include <stdbool.h>
#include <stdint.h>

/* How long a plugin runs before others may. Others wait so long at most behind one that is not
 * quick; interrupting it costs about 5 microseconds. */
#define PL_SLICE_NS (PL_NS_PER_MS / 4)

struct pl_engine;
struct pl_task;

struct pl_share {
    struct pl_list link;  /* in its bucket */
    struct pl_list line;  /* in one of shares->line while it has tasks */
    struct pl_list tasks; /* that wait for a slice, in order */
    struct pl_engine *engine;
    uint64_t turn;                        /* of the loop, to which used_ns belongs */
    uint64_t used_ns;                     /* of that turn */
    uint64_t cpu_ns, slices, preemptions; /* since the start; a slice may end early */
    uint64_t rests;                       /* of the thread, after slices of this share */
    int64_t rest_ns;                      /* so long they may be from now on */
    int64_t credit_ns;                    /* what it may use before it is busy */
    uint64_t charged_at;                  /* when credit_ns was last changed */
    bool busy;
    char name[48];
};

#define PL_SHARE_BUCKETS 256

struct pl_shares {
    struct pl_list buckets[PL_SHARE_BUCKETS];
    struct pl_list line[2]; /* the busy ones are in the second */
    uint32_t ahead;         /* slices in a row of the first while the second has waited */
    struct pl_share *tired; /* had the last slice, is busy, and the thread has not rested since */
    int events;             /* readable when the loop has events; its owner may set another one */
    uint64_t turn, used_ns; /* as in a share, of all together */
    uint64_t ran_ns;        /* when those who wait had their last slice, or began to wait */
    uint64_t owed_ns;       /* what they should have had by then */
    bool running;           /* one of them has its slice */
};

void pl_shares_init(struct pl_engine *engine);
void pl_shares_close(struct pl_engine *engine); /* frees all; no state is left */

/* The share of a name, made when it is new. It lives as long as the engine, because its counters
 * only rise: their number is that of the plugins that were ever loaded. */
struct pl_share *pl_share_of(struct pl_engine *engine, const char *name);

/* Whether a task of the share may run now, in the caller's turn. */
bool pl_share_is_free(struct pl_share *share);

/* Notes that the share has run for `ns` until `now`, in this turn. */
void pl_share_charge(struct pl_share *share, uint64_t ns, uint64_t now);

/* Puts a task that is ready, its values on its stack, at the end of its plugin's line. */
void pl_share_wait(struct pl_task *task);

/* How many tasks of the share wait. Counts them: for metrics. */
uint32_t pl_share_waiting(const struct pl_share *share);

/* Whether anybody waits for a slice. */
bool pl_shares_wait(const struct pl_shares *shares);

/* Gives those who wait their slices of this turn of the loop. */
void pl_shares_run(struct pl_engine *engine);

#endif
