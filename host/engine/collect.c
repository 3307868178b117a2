#include "engine/collect.h"

#include "base/clock.h"
#include "engine/engine.h"
#include "loop/events.h"
#include "loop/loop.h"

#include <lua.h>

/* In percent of what lived after the last cycle: LuaJIT begins one by itself at PAUSE, in the
 * middle of a turn; it is begun at DUE while the loop is quiet. */
#define PAUSE 240
#define DUE   180

/* In percent of what is in use: while a cycle is under way turns allocate so much before they have
 * to collect again themselves. The loop is quiet before that, or never. */
#define GRACE 115

/* What lives is known only when nothing was allocated since; what is taken for it grows by so much
 * of itself with a cycle, in percent, and falls at once. */
#define GROWTH 112

/* A step takes 2 to 20 microseconds, a look for events nearly one, so that there is one for several
 * steps. After a stretch the thread sleeps, unless an event comes: work of the kernel and of others
 * waits on this core behind a thread that computes (see share.c). After PIECE_NS timers are looked
 * at. */
#define LOOK_NS    (15 * 1000)
#define STRETCH_NS (PL_NS_PER_MS / 10)
#define REST_NS    (50 * 1000)
#define PIECE_NS   PL_NS_PER_MS

static bool is_wanted(void *arg)
{
    struct pl_engine *engine = arg;
    return engine->collect.under_way || engine->core->mem_used >= engine->collect.due;
}

/* Steps for a stretch. Returns whether the cycle has ended; *event: somebody waits. */
static bool stretch(struct pl_collect *collect, lua_State *L, bool *event)
{
    uint64_t now = pl_now_ns(), until = now + STRETCH_NS;
    while (now < until && !(*event = pl_events_wait(collect->events, 0))) {
        uint64_t look = now + LOOK_NS;
        do {
            if (pl_gc_step(&collect->step, L))
                return true;
        } while ((now = pl_now_ns()) < look);
    }
    return false;
}

static size_t percent(size_t bytes, size_t of)
{
    return bytes / 100 * of;
}

/* LuaJIT begins to collect by itself when so much is in use, in percent of now. */
static void let_alone(lua_State *L, int until)
{
    lua_gc(L, LUA_GCSETPAUSE, until);
    lua_gc(L, LUA_GCRESTART, -1);
    lua_gc(L, LUA_GCSETPAUSE, PAUSE);
}

static void end_cycle(struct pl_collect *collect, size_t used)
{
    size_t most = percent(collect->live, GROWTH);
    collect->live = collect->live == 0 || used < most ? used : most;
    size_t due = percent(collect->live, DUE), soonest = percent(used, GRACE);
    collect->due = due > soonest ? due : soonest;
}

static void leave(struct pl_engine *engine, bool ended)
{
    engine->collect.under_way = !ended;
    if (ended)
        end_cycle(&engine->collect, engine->core->mem_used);
    let_alone(engine->core->L, ended ? PAUSE : GRACE);
}

static void collect(void *arg)
{
    struct pl_engine *engine = arg;
    struct pl_collect *collect = &engine->collect;
    uint64_t until = pl_now_ns() + PIECE_NS;
    bool event = false, ended = false;
    while (!ended && !event && pl_now_ns() < until) {
        ended = stretch(collect, engine->core->L, &event);
        if (!ended && !event)
            event = pl_events_wait(collect->events, REST_NS);
    }
    leave(engine, ended);
}

void pl_collect_beside(struct pl_engine *engine)
{
    bool event;
    if (is_wanted(engine))
        leave(engine, stretch(&engine->collect, engine->core->L, &event));
}

void pl_collect_init(struct pl_engine *engine)
{
    engine->collect = (struct pl_collect){.events = uv_backend_fd(&engine->loop->uv)};
    pl_gc_step_init(&engine->collect.step, engine->core->L);
    pl_turns_when_quiet(&engine->loop->turns, is_wanted, collect, engine);
}
