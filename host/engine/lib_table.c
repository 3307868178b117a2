#include "engine/lib.h"
#include "engine/long_call.h"

/* Elements moved between two looks whether the slice is over. */
#define ELEMENTS 2000

/* Elements that the stock function moves in 20 microseconds. */
#define STOCK_ELEMENTS 20000

enum { TABLE = 1, POSITION, VALUE };

struct shift {
    int at, position; /* the element at at - 1 moves next */
};

static int go_on_shifting(lua_State *L, void *work)
{
    struct shift *w = work;
    for (int n = 1; w->at > w->position; w->at--, n++) {
        lua_rawgeti(L, TABLE, w->at - 1);
        lua_rawseti(L, TABLE, w->at);
        if (n % ELEMENTS == 0 && pl_long_call_due(L)) {
            w->at--;
            return PL_LONG_CALL_MORE;
        }
    }
    lua_pushvalue(L, VALUE);
    lua_rawseti(L, TABLE, w->position);
    return 0;
}

static void refuse_read_only(lua_State *L)
{
    if (!lua_getmetatable(L, TABLE))
        return;
    lua_pop(L, 1);
    lua_pushvalue(L, TABLE);
    lua_rawget(L, lua_upvalueindex(1));
    if (!lua_isnil(L, -1))
        luaL_error(L, "the library table '%s' is read-only", lua_tostring(L, -1));
    lua_pop(L, 1);
}

/* insert(t, [position,] value). A position outside of 1..#t + 1 is an error: LuaJIT moves 2^31
 * elements for the least one. Upvalues: the tables that are read-only, the stock function, which
 * moves few elements faster. */
static int lib_insert(lua_State *L)
{
    luaL_checktype(L, TABLE, LUA_TTABLE);
    int args = lua_gettop(L);
    refuse_read_only(L);
    int last = (int)lua_objlen(L, TABLE) + 1;
    if (args == 2) {
        lua_rawseti(L, TABLE, last);
        return 0;
    }
    if (args != 3)
        return luaL_error(L, "wrong number of arguments to 'insert'");
    double position = luaL_checknumber(L, POSITION);
    luaL_argcheck(L, position >= 1 && position < (double)last + 1, POSITION,
                  "position out of bounds");
    struct shift w = {last, (int)position};
    lua_CFunction stock = lua_tocfunction(L, lua_upvalueindex(2));
    if (stock != NULL && last - w.position <= STOCK_ELEMENTS)
        return stock(L);
    return pl_long_call(L, go_on_shifting, &w, sizeof w);
}

/* insert_except(read_only, stock) -> insert */
static int lib_insert_except(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 2);
    lua_pushcclosure(L, lib_insert, 2);
    return 1;
}

const luaL_Reg pl_lib_table[] = {
    {"insert_except", lib_insert_except},
    {NULL, NULL},
};
