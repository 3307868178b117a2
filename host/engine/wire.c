#include "engine/wire.h"

#include "engine/state.h"
#include "engine/task.h"
#include "engine/walk.h"

#include <lauxlib.h>
#include <string.h>

#define OP "wire"

enum kind { NIL, FALSE, TRUE, JSON_NULL, NUMBER, STRING, TABLE, ARRAY };

/* --- writing -------------------------------------------------------------------------------------
 */

static void put_u32(struct pl_buf *out, uint32_t n)
{
    pl_buf_append(out, &n, sizeof n);
}

static void put_text(struct pl_walk *w, const char *s, size_t len)
{
    struct pl_buf *out = w->to;
    pl_buf_putc(out, STRING);
    put_u32(out, (uint32_t)len);
    pl_buf_append(out, s, len);
}

static void put_scalar(struct pl_walk *w, int at, int type)
{
    struct pl_buf *out = w->to;
    lua_Number number;
    switch (type) {
    case LUA_TNIL:
        pl_buf_putc(out, NIL);
        break;
    case LUA_TBOOLEAN:
        pl_buf_putc(out, lua_toboolean(w->from, at) ? TRUE : FALSE);
        break;
    case LUA_TNUMBER:
        number = lua_tonumber(w->from, at);
        pl_buf_putc(out, NUMBER);
        pl_buf_append(out, &number, sizeof number);
        break;
    default:
        pl_buf_putc(out, JSON_NULL);
    }
}

static void put_open(struct pl_walk *w, uint32_t items, uint32_t pairs, bool array)
{
    pl_buf_putc(w->to, array ? ARRAY : TABLE);
    put_u32(w->to, items);
    put_u32(w->to, pairs);
}

static void put_pair(struct pl_walk *w)
{
    (void)w; /* pairs are counted */
}

static void put_close(struct pl_walk *w, bool array)
{
    (void)w;
    (void)array;
}

static const struct pl_sink sink = {put_text, put_scalar, put_open, put_pair, put_close};

int pl_wire_put(struct pl_buf *out, lua_State *from, int idx, const struct pl_copy_limits *limits,
                struct pl_err *err)
{
    struct pl_err scratch;
    int top = lua_gettop(from);
    size_t len = out->len;
    struct pl_walk w = {.from = from,
                        .limits = limits,
                        .err = err != NULL ? err : &scratch,
                        .sink = &sink,
                        .to = out};
    if (!pl_walk_reserve(from, idx, limits))
        return pl_fail(err, PL_E_TOO_LARGE, false, OP, "no room on the stack");
    if (pl_walk(&w, idx < 0 ? top + idx + 1 : idx) == 0)
        return 0;
    lua_settop(from, top);
    out->len = len;
    return -1;
}

/* --- reading, protected in `to` ------------------------------------------------------------------
 */

struct reading {
    struct pl_wire *in;
    const struct pl_copy_limits *limits;
    struct pl_err *err;
    uint32_t nodes;
    size_t bytes;
    int depth;
};

const char *pl_wire_take(struct pl_wire *in, size_t n)
{
    if (n > (size_t)(in->end - in->at))
        return NULL;
    const char *at = in->at;
    in->at += n;
    return at;
}

static int refuse(struct reading *r, const char *code, const char *what)
{
    return pl_fail(r->err, code, false, OP, "%s", what);
}

static int take_u32(struct reading *r, uint32_t *out)
{
    const char *p = pl_wire_take(r->in, sizeof *out);
    if (p == NULL)
        return refuse(r, PL_E_INVALID, "a value is cut off");
    memcpy(out, p, sizeof *out);
    return 0;
}

static int get_value(struct reading *r, lua_State *to);

static int get_number(struct reading *r, lua_State *to)
{
    lua_Number n;
    const char *p = pl_wire_take(r->in, sizeof n);
    if (p == NULL)
        return refuse(r, PL_E_INVALID, "a number is cut off");
    memcpy(&n, p, sizeof n);
    /* LuaJIT keeps the types of values in the bits of NaNs: only the plain one may get in. */
    lua_pushnumber(to, n == n ? n : (lua_Number)__builtin_nan(""));
    return 0;
}

static int get_string(struct reading *r, lua_State *to)
{
    uint32_t len;
    if (take_u32(r, &len) < 0)
        return -1;
    r->bytes += len;
    if (r->bytes > r->limits->bytes)
        return refuse(r, PL_E_TOO_LARGE, "too many bytes of text");
    const char *s = pl_wire_take(r->in, len);
    if (s == NULL)
        return refuse(r, PL_E_INVALID, "a string is cut off");
    lua_pushlstring(to, s, len);
    return 0;
}

static int get_pair(struct reading *r, lua_State *to)
{
    if (get_value(r, to) < 0)
        return -1;
    int key = lua_type(to, -1);
    if ((key != LUA_TSTRING && key != LUA_TNUMBER) || !lua_rawequal(to, -1, -1)) /* no NaN */
        return refuse(r, PL_E_INVALID, "a key is no string and no number");
    if (get_value(r, to) < 0)
        return -1;
    lua_rawset(to, -3);
    return 0;
}

static int get_table(struct reading *r, lua_State *to, bool array)
{
    uint32_t items, pairs;
    if (r->depth >= r->limits->depth || r->depth >= PL_WALK_DEPTH_MAX)
        return refuse(r, PL_E_TOO_LARGE, "nested too deep");
    if (take_u32(r, &items) < 0 || take_u32(r, &pairs) < 0)
        return -1;
    /* Before any room is made for them: each pair takes two bytes at least. */
    if (pairs > (r->limits->nodes - r->nodes) / 2 || items > pairs)
        return refuse(r, PL_E_TOO_LARGE, "too many values");
    if (pairs > (size_t)(r->in->end - r->in->at) / 2)
        return refuse(r, PL_E_INVALID, "a table is cut off");
    luaL_checkstack(to, 8, NULL);
    lua_createtable(to, (int)items, (int)(pairs - items));
    r->depth++;
    for (uint32_t i = 0; i < pairs; i++)
        if (get_pair(r, to) < 0)
            return -1;
    r->depth--;
    if (array) {
        pl_lua_push_array_mt(to);
        lua_setmetatable(to, -2);
    }
    return 0;
}

static int get_value(struct reading *r, lua_State *to)
{
    const char *kind = pl_wire_take(r->in, 1);
    if (kind == NULL)
        return refuse(r, PL_E_INVALID, "a value is missing");
    if (++r->nodes > r->limits->nodes)
        return refuse(r, PL_E_TOO_LARGE, "too many values");
    switch (*kind) {
    case NIL:
        lua_pushnil(to);
        return 0;
    case FALSE:
    case TRUE:
        lua_pushboolean(to, *kind == TRUE);
        return 0;
    case JSON_NULL:
        pl_lua_push_null(to);
        return 0;
    case NUMBER:
        return get_number(r, to);
    case STRING:
        return get_string(r, to);
    case TABLE:
    case ARRAY:
        return get_table(r, to, *kind == ARRAY);
    default:
        return refuse(r, PL_E_INVALID, "not a kind of value");
    }
}

static int protected_get(lua_State *to)
{
    struct reading *r = lua_touserdata(to, 1);
    if (get_value(r, to) < 0)
        return luaL_error(to, "refused");
    return 1;
}

int pl_wire_get(struct pl_wire *in, lua_State *to, const struct pl_copy_limits *limits,
                struct pl_err *err)
{
    struct pl_err scratch;
    struct reading r = {.in = in, .limits = limits, .err = err != NULL ? err : &scratch};
    return pl_state_build(to, protected_get, &r, OP, r.err);
}
