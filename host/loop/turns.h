/* The turns of a loop: between two waits for events, everything that has happened is handled. What
 * happens meanwhile waits until the turn ends, so their lengths say how late the loop may be. */
#ifndef PL_LOOP_TURNS_H
#define PL_LOOP_TURNS_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#define PL_TURN_BOUNDS 12

/* Upper bounds of the buckets below, in nanoseconds; longer turns are in one more. */
extern const uint64_t pl_turn_bounds_ns[PL_TURN_BOUNDS];

struct pl_turns {
    uv_prepare_t prepare;
    uint64_t number;              /* of the turn that runs */
    uint64_t began_ns, waited_ns; /* when the one before ended, and what it had waited by then */
    uint64_t sum_ns;              /* of all turns, without their waits */
    uint64_t lengths[PL_TURN_BOUNDS + 1];
    bool (*wanted)(void *arg); /* see pl_turns_when_quiet */
    void (*work)(void *arg);
    void *work_arg;
    uv_idle_t look; /* started: the loop looks for events instead of waiting for them */
    bool looking;
};

/* Counts the turns of `uv` from now on. Must come before the loop runs. */
void pl_turns_init(struct pl_turns *turns, uv_loop_t *uv);

/* What is done while the loop has nothing else to do: `wanted` tells before each wait whether there
 * is any, and then the loop does not wait. When it has looked for events and has found none, `work`
 * does a piece, and returns as soon as an event is there. Its time is no turn's. NULL: no more. */
void pl_turns_when_quiet(struct pl_turns *turns, bool (*wanted)(void *arg), void (*work)(void *arg),
                         void *arg);

/* Before the loop is closed. */
void pl_turns_close(struct pl_turns *turns);

#endif
