/* A libFuzzer target for a parser that is written in Lua: fuzz/lua/NAME.lua returns a function that
 * takes the bytes and raises an error when something does not hold. The lines that run are its
 * coverage: a hook counts them where libFuzzer looks for counters beside its own. */
#include "bind/bind.h"
#include "check.h"
#include "engine/engine.h"

#include <lauxlib.h>
#include <luajit.h>
#include <stdint.h>

#define COUNTERS (1u << 16)

__attribute__((section("__libfuzzer_extra_counters"))) static uint8_t counters[COUNTERS];

static struct pl_loop loop;
static struct pl_engine engine;
static int target = LUA_NOREF;

/* One counter for each pair of lines that follow each other, in whatever order they are seen. */
static void on_line(lua_State *L, lua_Debug *ar)
{
    static uint32_t before;
    lua_getinfo(L, "S", ar);
    uint32_t here = (uint32_t)((uintptr_t)ar->source >> 4) * 31 + (uint32_t)ar->currentline;
    uint8_t *counter = &counters[(here * 2654435761u ^ before) % COUNTERS];
    before = here * 2654435761u >> 1;
    if (*counter < UINT8_MAX)
        (*counter)++;
}

static void set_package_path(lua_State *L)
{
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "path");
    lua_pushfstring(L, "%s/?.lua;%s/lua/?.lua;%s/lua/?/init.lua;%s", PARLEY_SOURCE_DIR,
                    PARLEY_SOURCE_DIR, PARLEY_SOURCE_DIR, lua_tostring(L, -1));
    lua_setfield(L, -3, "path");
    lua_pop(L, 2);
}

static int traceback(lua_State *L)
{
    luaL_traceback(L, L, lua_tostring(L, 1), 1);
    return 1;
}

/* Calls the function under `n` arguments with an error handler; what it raises ends the process. */
static void call(lua_State *L, int n, int results)
{
    int base = lua_gettop(L) - n;
    lua_pushcfunction(L, traceback);
    lua_insert(L, base);
    if (lua_pcall(L, n, results, base) != 0) {
        fprintf(stderr, "%s\n", lua_tostring(L, -1));
        abort();
    }
    lua_remove(L, base);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    CHECK(pl_loop_init(&loop, NULL) == 0);
    CHECK(pl_engine_init(&engine, &loop, NULL) == 0);
    lua_State *L = engine.core->L;
    luaJIT_setmode(L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF); /* compiled code has no lines */
    set_package_path(L);
    lua_pushliteral(L, PARLEY_SOURCE_DIR);
    lua_setfield(L, LUA_REGISTRYINDEX, "parley.data_dir");
    lua_pushliteral(L, PARLEY_VERSION);
    lua_setfield(L, LUA_REGISTRYINDEX, "parley.version");
    pl_bind_all(L);
    lua_getglobal(L, "require");
    lua_pushliteral(L, "fuzz.lua." FUZZ_LUA_TARGET);
    call(L, 1, 1);
    CHECK(lua_isfunction(L, -1));
    target = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_sethook(L, on_line, LUA_MASKLINE, 0);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lua_State *L = engine.core->L;
    lua_rawgeti(L, LUA_REGISTRYINDEX, target);
    lua_pushlstring(L, (const char *)data, size);
    call(L, 1, 0);
    CHECK(lua_gettop(L) == 0);
    return 0;
}

/* See host/main.c. */
const char *__lsan_default_suppressions(void)
{
    return "leak:libluajit\n";
}
