/* A Lua state of the host: the trusted core state, or a sandboxed one (a plugin's, the rules').
 *
 * The allocator counts every byte, and refuses what exceeds the cap of the state. A state that hit
 * its cap is `broken`: whatever runs in it is stopped and it is never entered again, because LuaJIT
 * gives no promise about what an interrupted allocation left behind. */
#ifndef PL_ENGINE_STATE_H
#define PL_ENGINE_STATE_H

#include "base/err.h"
#include "base/list.h"
#include "engine/slab.h"

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pl_engine;
struct pl_profile;
struct pl_share;

struct pl_state {
    lua_State *L; /* the main thread; tasks run in coroutines of it */
    struct pl_engine *engine;
    lua_Alloc heap; /* whose blocks are counted: LuaJIT's own allocator, the core's is `slab` */
    void *heap_ud;
    struct pl_slab slab; /* empty in others */
    size_t mem_used;
    size_t mem_limit; /* bytes; 0: no cap (the core state) */
    size_t mem_peak;
    size_t gc_debt;             /* bytes of the last few allocations, see pace_collector */
    bool gc_paced;              /* its collector works harder than usual */
    struct pl_share *share;     /* of the loop; NULL: the core, which has what it takes */
    struct pl_profile *profile; /* engine/profile.h; NULL: nobody has asked */
    bool sandboxed;
    bool broken;         /* hit its cap, or was stopped by force; see above */
    bool full;           /* hit its cap */
    uint32_t refs;       /* tasks in it, and its handle */
    uint32_t idle_count; /* coroutines kept for the next tasks, in `idle` */
    struct {
        lua_State *co;
        int ref;
    } idle[64];
    char name[48]; /* for people: the plugin's name, or "core" */
};

/* A trusted state with every standard library, JIT on. NULL with `err` when memory ends. */
struct pl_state *pl_state_core(struct pl_engine *engine, struct pl_err *err);

/* An empty capped state, JIT off; engine/sandbox.c fills it. `name` is copied. */
struct pl_state *pl_state_capped(struct pl_engine *engine, const char *name, size_t mem_limit,
                                 struct pl_err *err);

void pl_state_ref(struct pl_state *state);
void pl_state_unref(struct pl_state *state); /* closes the Lua state at the last one */

/* Gives the Lua state up; pl_state_unref does it with the last reference. That of the core, when
 * the process ends, is closed at once: what lives in it may hold references to it (the handles of
 * tasks do), which only its finalizers give back. A large one is closed by a thread of the pool. */
void pl_state_close(struct pl_state *state);

/* Bytes as LuaJIT counts them itself. Equal to mem_used, or a byte has gone past the cap. */
size_t pl_state_counted(lua_State *L);

/* Why a call ends whose state is broken: it has hit the cap of the state, or another call of the
 * plugin was stopped by force and has taken the state with it. */
static inline const char *pl_state_broken_code(const struct pl_state *state)
{
    return state->full ? "memory_limit" : "disabled";
}

/* What the host itself must push into a capped state between two runs (a thread, a message) must
 * not fail: it is unprotected there, and the error would end the process. The cap is lifted around
 * it; the plugin's own next allocation finds the cap again. */
static inline size_t pl_state_lift_cap(struct pl_state *state)
{
    size_t cap = state->mem_limit;
    state->mem_limit = 0;
    return cap;
}

static inline void pl_state_restore_cap(struct pl_state *state, size_t cap)
{
    state->mem_limit = cap;
}

/* The state that a lua_State belongs to. */
struct pl_state *pl_state_of(lua_State *L);

/* Room for `n` values on any coroutine, whatever the cap is, also one that does not run. Never
 * raises: false where the stack would pass its limit. */
bool pl_state_check_stack(lua_State *L, int n);

/* Calls `build` protected, with `arg` as its light userdata, and pushes the one value that it
 * returns on `to`, which may be suspended in a wait. Never raises. -1 with the `err` that `build`
 * has filled before it raised, or "memory_limit". */
int pl_state_build(lua_State *to, lua_CFunction build, void *arg, const char *op,
                   struct pl_err *err);

/* A coroutine to run a task in, anchored by *ref; and back. A coroutine that did not end by itself
 * is not reused (`clean` false). */
lua_State *pl_state_coroutine(struct pl_state *state, int *ref);
void pl_state_release(struct pl_state *state, lua_State *co, int ref, bool clean);

#endif
