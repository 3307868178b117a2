/* The end of a Lua state. Closing walks everything that lives in it: 9 ms for 16 MB of small
 * tables, 0.4 s for 256, for which no other plugin would run. So a large one is closed by a thread
 * of the pool. Nothing of the host is in a sandboxed state that another thread could not free: its
 * heap is its own, and it has no finalizers. */
#include "base/buf.h"
#include "engine/engine.h"
#include "engine/profile.h"
#include "loop/fault.h"
#include "loop/watchdog.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* A small one takes less than 0.1 ms. Of memory that waits to be freed there is a bound, as of
 * every queue: plugins might fill theirs faster. */
#define CLOSE_HERE (256u << 10)
#define QUEUE_MAX  (256u << 20)

struct closing {
    uv_work_t uv;
    struct pl_engine *engine;
    lua_State *L;
    size_t bytes;
    char name[48];
};

static void on_pool(uv_work_t *uv)
{
    struct closing *c = pl_container_of(uv, struct closing, uv);
    pl_fault_blame(c->name); /* what it has broken, this may meet */
    lua_close(c->L);
    pl_fault_blame(NULL);
}

static void on_loop(uv_work_t *uv, int status)
{
    (void)status; /* nobody cancels it */
    struct closing *c = pl_container_of(uv, struct closing, uv);
    c->engine->closing_bytes -= c->bytes;
    free(c);
}

static void close_beside(struct pl_state *state)
{
    struct closing *c = pl_xcalloc(1, sizeof *c);
    c->engine = state->engine;
    c->L = state->L;
    c->bytes = state->mem_used;
    memcpy(c->name, state->name, sizeof c->name);
    state->engine->closing_bytes += c->bytes;
    uv_queue_work(&state->engine->loop->uv, &c->uv, on_pool, on_loop);
}

static void close_here(struct pl_state *state)
{
    state->refs++; /* its finalizers give references back */
    pl_watchdog_running(state->sandboxed ? state->name : NULL);
    lua_close(state->L);
    pl_watchdog_running(NULL);
    pl_slab_close(&state->slab);
    state->refs--;
}

void pl_state_close(struct pl_state *state)
{
    struct pl_engine *engine = state->engine;
    assert(state->mem_used == pl_state_counted(state->L));
    state->mem_limit = 0; /* closing may allocate, and must not fail */
    /* LuaJIT gives its heap back to the system only when it finds its own allocator there. The core
     * keeps ours: its finalizers ask pl_state_of, and the process ends anyway. */
    if (state->sandboxed)
        lua_setallocf(state->L, state->heap, state->heap_ud);
    pl_profile_end(state);
    if (state->sandboxed && !engine->alone && state->mem_used > CLOSE_HERE &&
        engine->closing_bytes < QUEUE_MAX)
        close_beside(state);
    else
        close_here(state);
    state->L = NULL;
    state->broken = true;
    engine->states--;
}
