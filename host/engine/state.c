#include "engine/state.h"

#include "base/buf.h"
#include "engine/engine.h"
#include "engine/preempt.h"
#include "engine/profile.h"

#include <assert.h>
#include <lauxlib.h>
#include <luajit.h>
#include <lualib.h>
#include <stdlib.h>
#include <string.h>

/* LuaJIT's collector: a cycle begins when what lives has grown by a tenth, and a step does twice
 * the work of what was allocated since the last one (both in percent). */
#define PAUSE_USUAL   110
#define PAUSE_LEAST   102
#define STEPMUL_USUAL 200
#define STEPMUL_MOST  100000000
#define LARGE_BLOCK   (8 * 1024)

/* LuaJIT does not collect when an allocation fails, and takes no notice of the size of what is
 * allocated between two steps. So that garbage alone never reaches the cap, the work of a step is
 * scaled: once half of the cap is in use, a whole cycle - marking and sweeping that much - has to
 * fit into half of the room that is left, and a large block counts for as many small ones as it is
 * long. The next cycle begins early enough for the same. A script that only grows pays for a
 * handful of cycles more; one whose live data fill 90 % of its cap lives on. */
static void pace_collector(struct pl_state *state, size_t size)
{
    size_t used = state->mem_used, cap = state->mem_limit;
    state->gc_debt += size - state->gc_debt / 8; /* of the last few allocations */
    bool near = used > cap / 2;
    if (!near && state->gc_debt < 2 * LARGE_BLOCK) {
        if (state->gc_paced) {
            lua_gc(state->L, LUA_GCSETSTEPMUL, STEPMUL_USUAL);
            lua_gc(state->L, LUA_GCSETPAUSE, PAUSE_USUAL);
            state->gc_paced = false;
        }
        return;
    }
    double room = (double)(cap - used + 1), load = (double)used / room;
    double work = STEPMUL_USUAL * (near ? 2 * load : 1);
    work *= 1 + (double)state->gc_debt / LARGE_BLOCK;
    double pause = 100 + 50 / load;
    lua_gc(state->L, LUA_GCSETSTEPMUL, work < STEPMUL_MOST ? (int)work : STEPMUL_MOST);
    lua_gc(state->L, LUA_GCSETPAUSE,
           pause > PAUSE_USUAL   ? PAUSE_USUAL
           : pause < PAUSE_LEAST ? PAUSE_LEAST
                                 : (int)pause);
    state->gc_paced = true;
}

/* LuaJIT before September 2023 (d1a2fef8, the Debian version among them) keeps a slot too few
 * behind the end of a coroutine's stack: a metamethod that takes `...`, called at the very end with
 * three arguments, as __newindex is, writes the slot of its frame there before it looks for room.
 * So what may be a stack gets that room. It holds nothing that lasts: the call is begun anew when
 * the stack has grown. The cap does not count it, as it does not count what the heap itself needs.
 */
#define STACK_LEAST 320 /* bytes; a coroutine begins with 376 */
#define STACK_PAD   16

static size_t padded(size_t size)
{
    return size < STACK_LEAST ? size : size + STACK_PAD;
}

static void *allocate(void *ud, void *ptr, size_t osize, size_t nsize)
{
    struct pl_state *state = ud;
    if (nsize == 0) {
        state->mem_used -= osize;
        return state->heap(state->heap_ud, ptr, padded(osize), 0);
    }
    size_t used = state->mem_used - (ptr ? osize : 0) + nsize;
    if (state->mem_limit != 0 && used > state->mem_limit && nsize > osize) {
        /* Raised as a Lua error at once, which pcall could catch: the hook stops it for good. */
        state->broken = state->full = true;
        pl_preempt_stop(state);
        return NULL;
    }
    void *p = state->heap(state->heap_ud, ptr, padded(osize), padded(nsize));
    if (p == NULL)
        return NULL;
    state->mem_used = used;
    if (used > state->mem_peak)
        state->mem_peak = used;
    if (state->mem_limit != 0 && nsize > osize && used < state->mem_limit)
        pace_collector(state, nsize - osize);
    if (state->profile != NULL && nsize > osize &&
        pl_profile_allocated(state->profile, nsize - osize))
        pl_preempt_sample(state);
    return p;
}

/* The core's, which has no cap. A sixth of a turn's instructions were LuaJIT's heap and the
 * counting in front of it. */
static void *allocate_uncapped(void *ud, void *ptr, size_t osize, size_t nsize)
{
    struct pl_state *state = ud;
    void *p = pl_slab_resize(&state->slab, ptr, padded(osize), padded(nsize));
    if (p != NULL || nsize == 0)
        state->mem_used += nsize - (ptr != NULL ? osize : 0);
    return p;
}

size_t pl_state_counted(lua_State *L)
{
    return (size_t)lua_gc(L, LUA_GCCOUNT, 0) * 1024 + (size_t)lua_gc(L, LUA_GCCOUNTB, 0);
}

/* Only an unprotected error gets here: a bug of the host, or the machine's memory at its end. */
static int panic(lua_State *L)
{
    const char *msg = lua_tostring(L, -1);
    fprintf(stderr, "parley: unprotected Lua error: %s\n", msg ? msg : "(not a string)");
    abort();
}

static struct pl_state *new_state(struct pl_engine *engine, const char *name, size_t mem_limit)
{
    struct pl_state *state = pl_xcalloc(1, sizeof *state);
    state->engine = engine;
    state->mem_limit = mem_limit;
    state->refs = 1;
    strncpy(state->name, name, sizeof state->name - 1);
    return state;
}

static struct pl_state *created(struct pl_state *state, struct pl_err *err)
{
    if (state->L == NULL) {
        free(state);
        pl_fail(err, PL_E_NO_MEMORY, true, "state.new", "there is no memory for a Lua state");
        return NULL;
    }
    lua_atpanic(state->L, panic);
    state->engine->states++;
    return state;
}

/* Debian's LuaJIT compiles steps through a table to wrong code, in two ways that were mended
 * upstream in April 2022. A loop over pairs() loses elements where the compiler gives up on it
 * while it runs (LuaJIT #827): what goes wrong is the special form of a loop that iterates with
 * LuaJIT's own `next`. And where the two results of `next` come to be wanted in each other's
 * registers, half of them is exchanged (#829): half an address is read, and the process ends; it is
 * one trace of tens of thousands. The compiler makes no code of a function of C. Sandboxed states
 * do not compile. */
static int next_of(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 2);
    if (lua_next(L, 1) != 0)
        return 2;
    lua_pushnil(L);
    return 1;
}

static const char PAIRS[] =
    "local next, type, error = next, type, error\n"
    "function pairs(t)\n"
    "  if type(t) ~= 'table' then\n"
    "    error(\"bad argument #1 to 'pairs' (table expected, got \" .. type(t) .. ')', 2)\n"
    "  end\n"
    "  return next, t, nil\n"
    "end\n";

/* The compiler throws all that it has made away when it is more than 1000 traces or 512 KB of code,
 * unless it is told otherwise, and begins anew. The platform comes to 1 600 traces within a second
 * of load: it was thrown away four times a second, and never stopped being compiled. */
static const char ROOM[] = "require 'jit.opt'.start('maxtrace=8000', 'maxmcode=16384')";

static void run(lua_State *L, const char *source, const char *name)
{
    if (luaL_loadbuffer(L, source, strlen(source), name) != 0)
        lua_error(L); /* without memory; there is nobody to catch it, as in luaL_openlibs */
    lua_call(L, 0, 0);
}

static void open_libs(lua_State *L)
{
    luaL_openlibs(L);
    lua_pushcfunction(L, next_of);
    lua_setglobal(L, "next");
    run(L, PAIRS, "=pairs");
    run(L, ROOM, "=jit");
}

struct pl_state *pl_state_core(struct pl_engine *engine, struct pl_err *err)
{
    struct pl_state *state = new_state(engine, "core", 0);
    state->heap = pl_slab_resize;
    state->heap_ud = &state->slab;
    state->L = lua_newstate(allocate_uncapped, state);
    state = created(state, err);
    if (state != NULL)
        open_libs(state->L);
    return state;
}

struct pl_state *pl_state_capped(struct pl_engine *engine, const char *name, size_t mem_limit,
                                 struct pl_err *err)
{
    struct pl_state *state = new_state(engine, name, mem_limit);
    state->L = luaL_newstate();
    state = created(state, err);
    if (state == NULL)
        return NULL;
    /* LuaJIT's allocator is made for its objects and belongs to one state: what a plugin has taken
     * goes back to the system as a whole. */
    state->heap = lua_getallocf(state->L, &state->heap_ud);
    state->mem_used = pl_state_counted(state->L);
    lua_setallocf(state->L, allocate, state);
    state->sandboxed = true;
    state->share = pl_share_of(engine, state->name);
    luaJIT_setmode(state->L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
    lua_gc(state->L, LUA_GCSETPAUSE, PAUSE_USUAL);
    return state;
}

void pl_state_ref(struct pl_state *state)
{
    assert(state->refs > 0);
    state->refs++;
}

void pl_state_unref(struct pl_state *state)
{
    assert(state->refs > 0);
    if (--state->refs > 0)
        return;
    if (state->L != NULL)
        pl_state_close(state);
    free(state);
}

struct pl_state *pl_state_of(lua_State *L)
{
    void *ud;
    lua_getallocf(L, &ud);
    return ud;
}

/* LuaJIT raises where a stack would pass its limit: in a coroutine that does not run that ends the
 * process, for nothing is there to catch it. So it is counted first. i_ci has the place of a frame
 * in its lower half; a stack grows by what it is asked for from its size on, not from its top. */
static bool stack_holds(lua_State *L, int n)
{
    lua_Debug frame;
    int below = lua_getstack(L, 0, &frame) ? frame.i_ci & 0xffff : 0;
    return below + lua_gettop(L) + 2 * n + 2 * LUA_MINSTACK < LUAI_MAXSTACK;
}

bool pl_state_check_stack(lua_State *L, int n)
{
    if (!stack_holds(L, n))
        return false;
    struct pl_state *state = pl_state_of(L);
    size_t cap = pl_state_lift_cap(state);
    bool room = lua_checkstack(L, n);
    pl_state_restore_cap(state, cap);
    return room;
}

int pl_state_build(lua_State *to, lua_CFunction build, void *arg, const char *op,
                   struct pl_err *err)
{
    struct pl_state *state = pl_state_of(to);
    if (!pl_state_check_stack(to, 4))
        return pl_fail(err, PL_E_TOO_LARGE, false, op, "no room on the stack");
    err->code = NULL;
    /* On the main coroutine, which never runs Lua of its own: `to` may be suspended in a wait, and
     * a protected call there would end the wait. */
    lua_State *L = state->L;
    size_t cap = pl_state_lift_cap(state);
    lua_pushcfunction(L, build);
    lua_pushlightuserdata(L, arg);
    pl_state_restore_cap(state, cap);
    if (lua_pcall(L, 1, 1, 0) == 0) {
        lua_xmove(L, to, 1);
        return 0;
    }
    lua_pop(L, 1);
    if (err->code == NULL)
        pl_fail(err, "memory_limit", false, op, "not enough memory in '%s'", state->name);
    return -1;
}

lua_State *pl_state_coroutine(struct pl_state *state, int *ref)
{
    if (state->idle_count > 0) {
        state->idle_count--;
        *ref = state->idle[state->idle_count].ref;
        return state->idle[state->idle_count].co;
    }
    size_t cap = pl_state_lift_cap(state);
    lua_State *co = lua_newthread(state->L);
    *ref = luaL_ref(state->L, LUA_REGISTRYINDEX);
    pl_state_restore_cap(state, cap);
    return co;
}

void pl_state_release(struct pl_state *state, lua_State *co, int ref, bool clean)
{
    if (clean && !state->broken && state->idle_count < sizeof state->idle / sizeof state->idle[0]) {
        lua_settop(co, 0);
        state->idle[state->idle_count].co = co;
        state->idle[state->idle_count].ref = ref;
        state->idle_count++;
        return;
    }
    if (state->broken)
        return; /* closed as a whole soon; nothing in it is touched again */
    size_t cap = pl_state_lift_cap(state);
    luaL_unref(state->L, LUA_REGISTRYINDEX, ref);
    pl_state_restore_cap(state, cap);
}
