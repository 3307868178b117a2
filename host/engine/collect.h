/* The collector of the core's Lua state works while the loop has nothing to do. LuaJIT collects in
 * the middle of what allocates, and looks at two hundred objects for each KB: while it sweeps,
 * turns take three times as long, and at half of what the thread can do the queue behind them needs
 * tens of milliseconds to be gone. What is swept while nobody waits delays one event by a step, of
 * 20 microseconds, and a turn finds a collector that has nothing to do. A loop that is never quiet
 * collects as LuaJIT does by itself. */
#ifndef PL_ENGINE_COLLECT_H
#define PL_ENGINE_COLLECT_H

#include "engine/gc_step.h"

#include <stdbool.h>
#include <stddef.h>

struct pl_engine;

struct pl_collect {
    size_t live;    /* bytes, about, that lived after the last cycle */
    size_t due;     /* bytes in use at which a cycle begins as soon as the loop is quiet */
    bool under_way; /* one has begun there, and has not ended there */
    struct pl_gc_step step;
    int events; /* the loop's descriptor: readable, somebody waits */
};

/* Has the engine's loop collect from now on while it is quiet. */
void pl_collect_init(struct pl_engine *engine);

/* A stretch of it, a tenth of a millisecond, if a cycle is due: called where no event is there and
 * plugins compute, so that the loop is never quiet. */
void pl_collect_beside(struct pl_engine *engine);

#endif
