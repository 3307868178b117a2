/* host.engine: what the engine counts of itself, for metrics and specs. */
#include "engine/engine.h"
#include "bind/bind.h"

static void set_number(lua_State *L, const char *field, double value)
{
    lua_pushnumber(L, value);
    lua_setfield(L, -2, field);
}

/* shares() -> {NAME = {cpu_s, slices, preemptions, waiting, busy, rests}}: what each sandboxed
 * state has used of the loop since the start of the process, those of one name together; busy: it
 * computes without end, as of its last slice, and the thread has rested so many times after one of
 * its own */
static int engine_shares(lua_State *L)
{
    struct pl_engine *engine = pl_state_of(L)->engine;
    lua_newtable(L);
    for (uint32_t i = 0; i < PL_SHARE_BUCKETS; i++) {
        struct pl_list *link, *next;
        pl_list_each (link, next, &engine->shares.buckets[i]) {
            const struct pl_share *share = pl_container_of(link, struct pl_share, link);
            lua_createtable(L, 0, 6);
            set_number(L, "cpu_s", (double)share->cpu_ns / 1e9);
            set_number(L, "slices", (double)share->slices);
            set_number(L, "preemptions", (double)share->preemptions);
            set_number(L, "waiting", pl_share_waiting(share));
            set_number(L, "rests", (double)share->rests);
            lua_pushboolean(L, share->busy);
            lua_setfield(L, -2, "busy");
            lua_setfield(L, -2, share->name);
        }
    }
    return 1;
}

static void push_array(lua_State *L, const uint64_t *values, int n, double unit)
{
    lua_createtable(L, n, 0);
    for (int i = 0; i < n; i++) {
        lua_pushnumber(L, (double)values[i] / unit);
        lua_rawseti(L, -2, i + 1);
    }
}

/* turns() -> {number, seconds, bounds, counts}: the turns of the loop so far, how long all took
 * without their waits, and how many took at most bounds[i] seconds but more than bounds[i - 1] */
static int engine_turns(lua_State *L)
{
    const struct pl_turns *turns = &pl_state_of(L)->engine->loop->turns;
    lua_createtable(L, 0, 4);
    set_number(L, "number", (double)turns->number);
    set_number(L, "seconds", (double)turns->sum_ns / 1e9);
    push_array(L, pl_turn_bounds_ns, PL_TURN_BOUNDS, 1e9);
    lua_setfield(L, -2, "bounds");
    push_array(L, turns->lengths, PL_TURN_BOUNDS + 1, 1);
    lua_setfield(L, -2, "counts");
    return 1;
}

int pl_bind_engine(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"shares", engine_shares},
        {"turns", engine_turns},
        {NULL, NULL},
    };
    lua_newtable(L);
    luaL_register(L, NULL, functions);
    return 1;
}
