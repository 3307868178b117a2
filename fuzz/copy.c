/* Values that cross between two states: the input's bytes drive a generator of values (deep,
 * shared, cyclic, with metatables that must never be asked, with what may not cross), limits and
 * memory caps. A copy is equal; a refusal leaves both stacks as they were; nothing raises. */
#include "engine/copy.h"
#include "base/clock.h"
#include "check.h"
#include "engine/engine.h"

#include <lauxlib.h>
#include <string.h>

#define CAP (1 << 20)

struct input {
    const uint8_t *at, *end;
};

static unsigned take(struct input *in)
{
    return in->at < in->end ? *in->at++ : 0;
}

static int forbidden(lua_State *L)
{
    CHECK(!"a metamethod ran");
    return 0;
}

static void push_trap(lua_State *L)
{
    static const char *const events[] = {"__index", "__newindex", "__len",
                                         "__eq",    "__call",     "__tostring"};
    lua_newtable(L);
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
        lua_pushcfunction(L, forbidden);
        lua_setfield(L, -2, events[i]);
    }
}

static void generate(lua_State *L, struct input *in, int depth);

static void push_number(lua_State *L, struct input *in)
{
    uint8_t raw[8];
    double v;
    for (size_t i = 0; i < sizeof raw; i++)
        raw[i] = (uint8_t)take(in);
    memcpy(&v, raw, sizeof v);
    lua_pushnumber(L, v == v ? v : 0.0 / 0.0); /* LuaJIT tags values in NaNs */
}

static void push_string(lua_State *L, struct input *in)
{
    size_t n = take(in);
    size_t left = (size_t)(in->end - in->at);
    lua_pushlstring(L, (const char *)in->at, n < left ? n : left);
    in->at += n < left ? n : left;
}

static void push_table(lua_State *L, struct input *in, int depth, unsigned kind)
{
    lua_newtable(L);
    int self = lua_gettop(L);
    unsigned items = take(in) % 8;
    for (unsigned i = 1; i <= items; i++) {
        if (kind & 1) {
            lua_pushinteger(L, (lua_Integer)i);
        } else {
            generate(L, in, 100); /* a scalar */
            if (lua_isnil(L, -1) ||
                (lua_isnumber(L, -1) && lua_tonumber(L, -1) != lua_tonumber(L, -1))) {
                lua_pop(L, 1);
                lua_pushboolean(L, 1);
            }
        }
        if (take(in) % 64 == 63)
            lua_pushvalue(L, self); /* a cycle */
        else
            generate(L, in, depth + 1);
        lua_rawset(L, self);
    }
    if (kind & 2)
        pl_lua_push_array_mt(L);
    else if (take(in) % 64 == 63)
        push_trap(L);
    else
        return;
    lua_setmetatable(L, self);
}

/* Pushes one value. */
static void generate(lua_State *L, struct input *in, int depth)
{
    luaL_checkstack(L, 16, "fuzz");
    unsigned op = take(in);
    switch (op % 16) {
    case 0:
        lua_pushnil(L);
        return;
    case 1:
        lua_pushboolean(L, op >= 128);
        return;
    case 2:
        lua_pushinteger(L, (lua_Integer)take(in) - 128);
        return;
    case 3:
        push_number(L, in);
        return;
    case 4:
        lua_pushlightuserdata(L, op == 0xF4 ? L : NULL);
        return;
    case 5:
        if (op == 0xF5)
            lua_pushcfunction(L, forbidden);
        else
            lua_pushinteger(L, op);
        return;
    case 6:
        if (op == 0xF6)
            lua_newuserdata(L, 8);
        else
            lua_pushliteral(L, "s");
        return;
    case 7:
    case 8:
        push_string(L, in);
        return;
    default:
        if (depth < 70)
            push_table(L, in, depth, op);
        else
            lua_pushboolean(L, 1);
    }
}

/* Whether the two values, at the tops of two states, are the same. */
static bool equal(lua_State *a, lua_State *b)
{
    int type = lua_type(a, -1);
    luaL_checkstack(a, 8, "fuzz");
    luaL_checkstack(b, 8, "fuzz");
    if (type != lua_type(b, -1))
        return false;
    if (type == LUA_TBOOLEAN)
        return lua_toboolean(a, -1) == lua_toboolean(b, -1);
    if (type == LUA_TNUMBER) {
        double x = lua_tonumber(a, -1), y = lua_tonumber(b, -1);
        return x == y || (x != x && y != y);
    }
    if (type == LUA_TSTRING) {
        size_t n, m;
        const char *s = lua_tolstring(a, -1, &n), *t = lua_tolstring(b, -1, &m);
        return n == m && memcmp(s, t, n) == 0;
    }
    if (type != LUA_TTABLE)
        return pl_lua_is_null(a, -1) == pl_lua_is_null(b, -1);
    if (pl_lua_is_array(a, -1) != pl_lua_is_array(b, -1))
        return false;
    int pairs = 0;
    lua_pushnil(a);
    while (lua_next(a, -2) != 0) {
        pairs++;
        switch (lua_type(a, -2)) { /* keys are scalars here */
        case LUA_TSTRING: {
            size_t n;
            const char *s = lua_tolstring(a, -2, &n);
            lua_pushlstring(b, s, n);
            break;
        }
        case LUA_TNUMBER:
            lua_pushnumber(b, lua_tonumber(a, -2));
            break;
        case LUA_TBOOLEAN:
            lua_pushboolean(b, lua_toboolean(a, -2));
            break;
        default:
            lua_pushlightuserdata(b, NULL);
        }
        lua_rawget(b, -2);
        if (!equal(a, b))
            return false;
        lua_pop(a, 1);
        lua_pop(b, 1);
    }
    lua_pushnil(b);
    while (lua_next(b, -2) != 0) {
        pairs--;
        lua_pop(b, 1);
    }
    return pairs == 0;
}

static int compare(lua_State *b)
{
    lua_State *a = lua_touserdata(b, 2);
    lua_settop(b, 1);
    CHECK(equal(a, b));
    return 0;
}

static int build(lua_State *L)
{
    struct input *in = lua_touserdata(L, 1);
    lua_settop(L, 0);
    generate(L, in, 0);
    return 1;
}

/* Copies the value on top of `from` to `to`, and says what must hold. */
static void copy(struct pl_state *to_state, lua_State *to, lua_State *from,
                 const struct pl_copy_limits *limits)
{
    struct pl_err err = {.code = NULL};
    int from_top = lua_gettop(from), to_top = lua_gettop(to), main_top = lua_gettop(to_state->L);
    int rc = pl_copy(to, from, -1, limits, &err);
    CHECK(lua_gettop(from) == from_top);
    CHECK(lua_gettop(to) == to_top + (rc == 0));
    CHECK(to == to_state->L || lua_gettop(to_state->L) == main_top);
    CHECK((rc == 0) == (err.code == NULL));
    if (rc != 0) {
        CHECK(err.message[0] != '\0');
        /* Giving a value away costs the giver nothing, even at its cap. */
        CHECK(to_state->mem_limit != 0 || strcmp(err.code, "memory_limit") != 0);
        CHECK(to_state->sandboxed || !pl_state_of(from)->broken);
        return;
    }
    pl_state_lift_cap(to_state);
    pl_state_lift_cap(pl_state_of(from));
    lua_pushcfunction(to, compare);
    lua_pushvalue(to, -2);
    lua_pushlightuserdata(to, from);
    int called = lua_pcall(to, 2, 0, 0);
    CHECK(called == 0);
    lua_settop(from, from_top);
    lua_settop(to, to_top);
}

static struct pl_loop loop;
static struct pl_engine engine;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    CHECK(pl_loop_init(&loop, NULL) == 0);
    CHECK(pl_engine_init(&engine, &loop, NULL) == 0);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, data + size};
    unsigned flags = take(&in);
    struct pl_copy_limits limits = PL_COPY_LIMITS_DEFAULT;
    if (flags & 1)
        limits = (struct pl_copy_limits){(int)take(&in) % 70, take(&in), take(&in)};
    size_t slack = take(&in) * 16u;

    struct pl_state *plugin = pl_state_capped(&engine, "fuzz", CAP, NULL);
    struct pl_state *core = engine.core;
    CHECK(plugin != NULL);
    /* As a sandbox does when it is made: the first use of an address in a state takes memory. */
    pl_lua_push_array_mt(plugin->L);
    lua_pop(plugin->L, 1);
    int ref_a, ref_b, ref_c;
    lua_State *a = pl_state_coroutine(plugin, &ref_a), *b = pl_state_coroutine(core, &ref_b),
              *c = pl_state_coroutine(core, &ref_c);

    lua_pushcfunction(plugin->L, build);
    lua_pushlightuserdata(plugin->L, &in);
    if (lua_pcall(plugin->L, 1, 1, 0) == 0) {
        lua_xmove(plugin->L, a, 1);
        /* The plugin may be at its cap when its value is taken, and when it gets one. */
        if (flags & 2)
            plugin->mem_limit = plugin->mem_used + slack;
        copy(core, b, a, &limits);
        plugin->mem_limit = CAP;
        struct pl_copy_limits all = {.depth = 64, .nodes = 1 << 20, .bytes = 1 << 20};
        if (pl_copy(b, a, -1, &all, NULL) == 0) {
            copy(core, c, b, &limits); /* within one global state */
            if (flags & 4)
                plugin->mem_limit = plugin->mem_used + slack;
            copy(plugin, a, b, &limits);
        }
    }
    pl_state_release(core, b, ref_b, true);
    pl_state_release(core, c, ref_c, true);
    pl_state_unref(plugin);
    return 0;
}

/* See host/main.c. */
const char *__lsan_default_suppressions(void)
{
    return "leak:libluajit\n";
}
