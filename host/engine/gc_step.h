/* One step of LuaJIT's collector, of 10 to 20 microseconds. lua_gc(LUA_GCSTEP) makes as many as the
 * state owes: one for each KB that was allocated in compiled code since the step before, which
 * makes less of them than it should; after a second of load that were 10 to 60 ms. */
#ifndef PL_ENGINE_GC_STEP_H
#define PL_ENGINE_GC_STEP_H

#include <lua.h>
#include <stdbool.h>

struct pl_gc_step {
    bool ended; /* the mark of this cycle was collected: by a step, or in between */
};

/* `s` lives as long as the state. */
void pl_gc_step_init(struct pl_gc_step *s, lua_State *L);

/* Makes a step. Returns whether the cycle has ended since the last call: a few finalizers may be
 * left for the next one. */
bool pl_gc_step(struct pl_gc_step *s, lua_State *L);

#endif
