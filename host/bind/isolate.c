/* host.isolate: sandboxed states in confined processes of their own, with the methods of
 * host.sandbox's, so that whoever drives one need not know which it is.
 *
 * What comes from a process is not trusted: an answer that is not of the form that its question
 * asks for ends the process. */
#include "base/clock.h"
#include "bind/bind.h"
#include "bind/isolate_impl.h"
#include "bind/profile.h"
#include "engine/isolate_child.h"
#include "engine/sandbox.h"
#include "engine/wire.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK "host.isolate.block"
#define STATE "host.isolate.state"

/* For what the platform itself asks: to make a state, to compile. */
#define BUILD_MS 5000

_Static_assert(PL_SANDBOX_VALUES_MAX *((1u << 20) + 65536u * 9) + PL_SOURCE_MAX < PL_FRAME_BODY_MAX,
               "what may cross fits into a frame");

struct handle {
    struct pl_isolate_room *room; /* NULL when it is closed */
};

struct block {
    struct pl_cells *cells;
};

static const struct pl_copy_limits limits = PL_COPY_LIMITS_DEFAULT;

/* --- the block -----------------------------------------------------------------------------------
 */

static int block_gc(lua_State *L)
{
    struct block *b = luaL_checkudata(L, 1, BLOCK);
    if (b->cells != NULL)
        pl_cells_close(b->cells);
    b->cells = NULL;
    return 0;
}

/* Of the module that the function belongs to. */
static struct pl_cells *get_cells(lua_State *L)
{
    struct block *b = lua_touserdata(L, lua_upvalueindex(1));
    return b->cells;
}

/* --- questions -----------------------------------------------------------------------------------
 */

static void put_text(struct pl_buf *body, const char *s, size_t len)
{
    uint32_t n = (uint32_t)len;
    pl_buf_append(body, (const char *)&n, sizeof n);
    pl_buf_append(body, s, len);
}

/* The process stops what runs in it at its deadline; when it does not even do that, it is killed a
 * little later. */
static uint64_t with_grace(uint64_t deadline_ns)
{
    return deadline_ns != 0 ? deadline_ns + PL_CELL_GRACE_MS * PL_NS_PER_MS : 0;
}

static uint64_t build_deadline(void)
{
    return with_grace(pl_task_deadline(pl_task_current(), BUILD_MS));
}

/* Starts the question that the current task is going to wait for; takes over `body`. */
static struct pl_op *ask(struct pl_isolate_room *room, enum pl_frame_type type, uint32_t call,
                         struct pl_buf *body, uint64_t deadline_ns, struct pl_err *err)
{
    struct pl_owner *owner = pl_task_owner(pl_task_current());
    room->refs++;
    struct pl_op *op =
        pl_cell_ask(room->cell, type, call, body, owner, deadline_ns, room, pl_isolate_unref, err);
    pl_buf_free(body);
    return op;
}

static int put_values(lua_State *L, int first, struct pl_buf *body, struct pl_err *err)
{
    int top = lua_gettop(L);
    if (top - first + 1 > PL_SANDBOX_VALUES_MAX)
        return pl_fail(err, PL_E_TOO_LARGE, false, PL_ISOLATE_OP, "too many values");
    for (int i = first; i <= top; i++)
        if (pl_wire_put(body, L, i, &limits, err) < 0)
            return -1;
    return 0;
}

static struct pl_isolate_room *check_room(lua_State *L)
{
    struct handle *h = luaL_checkudata(L, 1, STATE);
    if (h->room == NULL)
        luaL_error(L, "the sandbox is closed");
    return h->room;
}

/* state:start(slot, cpu_ms, timeout_s, ...) -> "done", results... | "door", call, name, args... |
 * "error", err */
static int state_start(lua_State *L)
{
    struct pl_isolate_room *room = check_room(L);
    size_t len;
    const char *slot = luaL_checklstring(L, 2, &len);
    struct pl_frame_start start = {pl_wall_advanced(), luaL_optnumber(L, 3, 0), 0};
    double timeout_ms = luaL_optnumber(L, 4, 0) * 1000;
    uint64_t now = pl_live_ns(), deadline = pl_task_deadline(pl_task_current(), timeout_ms);
    if (deadline != 0) /* at once, when it has passed: 0 would mean none */
        start.timeout_ms = deadline > now ? (double)(deadline - now) / 1e6 : 0.001;
    struct pl_buf body = {0};
    struct pl_err err;
    pl_buf_append(&body, (const char *)&start, sizeof start);
    put_text(&body, slot, len);
    struct pl_op *op = NULL;
    if (put_values(L, 5, &body, &err) < 0)
        pl_buf_free(&body);
    else
        op = ask(room, PL_FRAME_START, 0, &body, with_grace(deadline), &err);
    if (op == NULL)
        return pl_isolate_push_error(L, &err);
    lua_settop(L, 1);
    return pl_task_wait(L, op, pl_isolate_push_outcome);
}

static void stop_call(struct pl_isolate_call *c)
{
    if (c->room == NULL)
        return;
    pl_cell_stop(c->room->cell, c->id);
    pl_isolate_unref(c->room);
    c->room = NULL;
}

/* call:answer(...) -> as start: what the door call returns in the plugin */
static int call_answer(lua_State *L)
{
    struct pl_isolate_call *c = luaL_checkudata(L, 1, PL_ISOLATE_CALL);
    if (c->room == NULL)
        return luaL_error(L, "the call has ended");
    if (!c->paused)
        return luaL_error(L, "the call does not wait for an answer");
    struct pl_buf body = {0};
    struct pl_err err;
    uint64_t advanced = pl_wall_advanced();
    pl_buf_append(&body, (const char *)&advanced, sizeof advanced);
    struct pl_op *op = NULL;
    if (put_values(L, 2, &body, &err) < 0)
        pl_buf_free(&body);
    else
        op = ask(c->room, PL_FRAME_ANSWER, c->id, &body, c->deadline_ns, &err);
    if (op == NULL) {
        stop_call(c);
        return pl_isolate_push_error(L, &err);
    }
    c->paused = false;
    lua_settop(L, 1); /* where the outcome looks: the call, then a mark */
    lua_pushboolean(L, 1);
    return pl_task_wait(L, op, pl_isolate_push_outcome);
}

/* call:stop(message): ends it; the plugin never hears. */
static int call_stop(lua_State *L)
{
    stop_call(luaL_checkudata(L, 1, PL_ISOLATE_CALL));
    return 0;
}

/* --- the state -----------------------------------------------------------------------------------
 */

/* new{name=, memory= bytes, prelude= text or bytecode} -> state | nil, err */
static int isolate_new(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    size_t name_len = 0, len = 0;
    const char *name = pl_lua_opt_string(L, 1, "name", &name_len);
    const char *prelude = pl_lua_opt_string(L, 1, "prelude", &len);
    double memory = pl_lua_opt_number(L, 1, "memory", 16.0 * 1024 * 1024);
    luaL_argcheck(L, prelude != NULL, 1, "option 'prelude' is missing");
    luaL_argcheck(L, memory >= 128 * 1024, 1, "option 'memory': at least 131072 bytes");
    struct handle *h = lua_newuserdata(L, sizeof *h);
    h->room = NULL;
    luaL_getmetatable(L, STATE);
    lua_setmetatable(L, -2);
    struct pl_err err;
    struct pl_cell *cell = pl_cell_take(get_cells(L), (size_t)memory);
    struct pl_isolate_room *room = h->room = pl_xcalloc(1, sizeof *room);
    room->refs = 1;
    room->cell = cell;
    room->limit = memory;
    strncpy(room->name, name != NULL ? name : "sandbox", sizeof room->name - 1);
    struct pl_buf body = {0};
    uint64_t cap = (uint64_t)memory;
    pl_buf_append(&body, (const char *)&cap, sizeof cap);
    put_text(&body, room->name, strlen(room->name));
    pl_buf_append(&body, prelude, len);
    struct pl_op *op = ask(room, PL_FRAME_NEW, 0, &body, build_deadline(), &err);
    if (op == NULL)
        return pl_lua_push_fail(L, &err);
    lua_replace(L, 1); /* the handle */
    lua_settop(L, 1);
    return pl_task_wait(L, op, pl_isolate_push_state);
}

/* state:compile(slot, source, chunkname) -> true | nil, err */
static int state_compile(lua_State *L)
{
    struct pl_isolate_room *room = check_room(L);
    size_t slot_len, len, chunkname_len;
    const char *slot = luaL_checklstring(L, 2, &slot_len);
    const char *source = luaL_checklstring(L, 3, &len);
    const char *chunkname = luaL_checklstring(L, 4, &chunkname_len);
    struct pl_err err;
    struct pl_buf body = {0};
    struct pl_op *op = NULL;
    if (len > PL_SOURCE_MAX) {
        pl_fail(&err, PL_E_TOO_LARGE, false, PL_ISOLATE_OP,
                "%s: source of %zu bytes, at most %d are allowed", chunkname, len, PL_SOURCE_MAX);
    } else {
        put_text(&body, slot, slot_len);
        put_text(&body, chunkname, chunkname_len);
        pl_buf_append(&body, source, len);
        op = ask(room, PL_FRAME_COMPILE, 0, &body, build_deadline(), &err);
    }
    if (op == NULL)
        return pl_lua_push_fail(L, &err);
    lua_settop(L, 1);
    return pl_task_wait(L, op, pl_isolate_push_compiled);
}

/* state:load(slot, bytecode) -> true | nil, err: trusted code that this process has compiled */
static int state_load(lua_State *L)
{
    struct pl_isolate_room *room = check_room(L);
    size_t slot_len, len;
    const char *slot = luaL_checklstring(L, 2, &slot_len);
    const char *code = luaL_checklstring(L, 3, &len);
    struct pl_err err;
    struct pl_buf body = {0};
    put_text(&body, slot, slot_len);
    pl_buf_append(&body, code, len);
    struct pl_op *op = ask(room, PL_FRAME_LOAD, 0, &body, build_deadline(), &err);
    if (op == NULL)
        return pl_lua_push_fail(L, &err);
    lua_settop(L, 1);
    return pl_task_wait(L, op, pl_isolate_push_compiled);
}

/* state:profile([every_us[, every_bytes]]) -> text | nil, err: as that of host.sandbox */
static int state_profile(lua_State *L)
{
    struct pl_isolate_room *room = check_room(L);
    struct pl_frame_profile how = pl_bind_profile_rates(L);
    struct pl_buf body = {0};
    struct pl_err err;
    pl_buf_append(&body, (const char *)&how, sizeof how);
    struct pl_op *op = ask(room, PL_FRAME_PROFILE, 0, &body, build_deadline(), &err);
    if (op == NULL)
        return pl_lua_push_fail(L, &err);
    lua_settop(L, 1);
    return pl_task_wait(L, op, pl_isolate_push_profile);
}

static void set_number(lua_State *L, const char *field, double value)
{
    lua_pushnumber(L, value);
    lua_setfield(L, -2, field);
}

/* state:stats() -> {memory, limit, peak, broken, pid}; memory as of its newest answer */
static int state_stats(lua_State *L)
{
    struct pl_isolate_room *room = check_room(L);
    lua_createtable(L, 0, 5);
    set_number(L, "memory", (double)room->memory.used);
    set_number(L, "limit", room->limit);
    set_number(L, "peak", (double)room->memory.peak);
    set_number(L, "pid", pl_cell_pid(room->cell));
    lua_pushboolean(L, room->memory.broken != 0 || !pl_cell_alive(room->cell) ||
                           pl_cell_was_given_up(room->cell));
    lua_setfield(L, -2, "broken");
    return 1;
}

/* The process ends when the calls under way have. */
static int state_close(lua_State *L)
{
    struct handle *h = luaL_checkudata(L, 1, STATE);
    if (h->room != NULL)
        pl_isolate_unref(h->room);
    h->room = NULL;
    return 0;
}

/* --- the module ----------------------------------------------------------------------------------
 */

/* keep(n): so many processes stay warm */
static int isolate_keep(lua_State *L)
{
    lua_Integer n = luaL_checkinteger(L, 1);
    luaL_argcheck(L, n >= 0 && n <= PL_CELL_SPARES_MAX, 1, "0 to 64 expected");
    pl_cells_keep(get_cells(L), (uint32_t)n);
    return 0;
}

/* stats() -> {alive, spares, started, ended = {closed, deadline, protocol, crashed, unfit},
 *   confined, landlock, problem} */
static int isolate_stats(lua_State *L)
{
    struct pl_cells_stats s;
    pl_cells_get_stats(get_cells(L), &s);
    lua_createtable(L, 0, 7);
    set_number(L, "alive", s.alive);
    set_number(L, "spares", s.spares);
    set_number(L, "started", (double)s.started);
    set_number(L, "landlock", s.landlock);
    lua_pushboolean(L, s.confined);
    lua_setfield(L, -2, "confined");
    if (s.unfit->code != NULL) {
        lua_pushstring(L, s.unfit->message);
        lua_setfield(L, -2, "problem");
    }
    lua_createtable(L, 0, PL_CELL_ENDS);
    for (int i = 0; i < PL_CELL_ENDS; i++)
        set_number(L, pl_cell_end_name((enum pl_cell_end)i), (double)s.ended[i]);
    lua_setfield(L, -2, "ended");
    return 1;
}

static int call_gc(lua_State *L)
{
    stop_call(luaL_checkudata(L, 1, PL_ISOLATE_CALL));
    return 0;
}

/* Pushes a module whose processes run `argv`. */
static void push_module(lua_State *L, const char *const *argv, bool whole);

/* of{program, arguments...} -> a module like this one, whose processes are these: for specs, which
 * bring hostile ones */
static int isolate_of(lua_State *L)
{
    const char *argv[8];
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    size_t n = lua_objlen(L, 1), room = sizeof argv / sizeof argv[0] - 1;
    luaL_argcheck(L, n > 0 && n <= room, 1, "1 to 7 words expected");
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, 1, (int)i + 1);
        argv[i] = luaL_checkstring(L, -1); /* stays on the stack */
    }
    argv[n] = NULL;
    push_module(L, argv, false);
    return 1;
}

static void push_module(lua_State *L, const char *const *argv, bool whole)
{
    static const luaL_Reg functions[] = {
        {"new", isolate_new}, {"keep", isolate_keep}, {"stats", isolate_stats},
        {"of", isolate_of},   {NULL, NULL},
    };
    lua_newtable(L);
    struct block *b = lua_newuserdata(L, sizeof *b);
    b->cells = NULL;
    luaL_getmetatable(L, BLOCK);
    lua_setmetatable(L, -2);
    b->cells = pl_cells_new(pl_state_of(L)->engine->loop, argv);
    for (const luaL_Reg *f = functions; f->name != NULL; f++) {
        if (f->func == isolate_of && !whole)
            continue;
        lua_pushvalue(L, -1);
        lua_pushcclosure(L, f->func, 1);
        lua_setfield(L, -3, f->name);
    }
    lua_pop(L, 1);
}

int pl_bind_isolate(lua_State *L)
{
    static const char *const argv[] = {"/proc/self/exe", PL_ISOLATE_ARGUMENT, NULL};
    static const luaL_Reg no_methods[] = {{NULL, NULL}};
    static const luaL_Reg methods[] = {
        {"compile", state_compile},
        {"load", state_load},
        {"start", state_start},
        {"stats", state_stats},
        {"close", state_close},
        {"profile", state_profile},
        {NULL, NULL},
    };
    static const luaL_Reg call_methods[] = {
        {"answer", call_answer},
        {"stop", call_stop},
        {NULL, NULL},
    };
    pl_bind_class(L, BLOCK, no_methods, block_gc);
    pl_bind_class(L, STATE, methods, state_close);
    pl_bind_class(L, PL_ISOLATE_CALL, call_methods, call_gc);
    push_module(L, argv, true);
    return 1;
}
