/* host.intake: what is brought over HTTP is made durable and acknowledged by a thread of its own,
 * and comes here to be worked off.
 *
 *     local intake = assert(host_intake.open({ path = "data/intake.db", prefix = "/tg/webhook/",
 *       header = "X-Secret", field = "update_id" }))
 *     intake:serve(server)
 *     intake:allow("shop", secret)
 *     while true do
 *       local rows = intake:take(20)
 *       ... -- make something of each row.value, then
 *       intake:done(rows)
 *     end
 */
#include "drivers/intake.h"
#include "base/clock.h"
#include "bind/bind.h"
#include "bind/http_server.h"
#include "bind/json_decode.h"
#include "engine/engine.h"

#include <lauxlib.h>

#define INTAKE     "host.intake"
#define NAME_BYTES 64

struct handle {
    struct pl_intake *in; /* NULL: closed */
    uint32_t depth;       /* of the JSON */
};

static struct handle *check_handle(lua_State *L)
{
    struct handle *h = luaL_checkudata(L, 1, INTAKE);
    luaL_argcheck(L, h->in != NULL, 1, "the intake is closed");
    return h;
}

static const char *check_name(lua_State *L)
{
    size_t len;
    const char *name = luaL_checklstring(L, 2, &len);
    luaL_argcheck(L, len > 0 && len <= NAME_BYTES, 2, "a name of 1 to 64 bytes expected");
    return name;
}

static void read_config(lua_State *L, struct pl_intake_config *c)
{
    c->file = (struct pl_sqlite_config)PL_SQLITE_CONFIG_DEFAULT;
#define TEXT(to, name)                                                                             \
    c->to = pl_lua_opt_string(L, 1, name, NULL);                                                   \
    luaL_argcheck(L, c->to != NULL, 1, name " expected")
    TEXT(file.path, "path");
    TEXT(prefix, "prefix");
    TEXT(header, "header");
    TEXT(field, "field");
#undef TEXT
    c->file.scratch = pl_lua_opt_boolean(L, 1, "scratch", 0);
    c->file.pages_max = (uint32_t)pl_lua_opt_number(L, 1, "pages_max", 0);
    c->body_max = (uint32_t)pl_lua_opt_number(L, 1, "body_max", 128 * 1024);
    c->depth_max = (uint32_t)pl_lua_opt_number(L, 1, "depth_max", 32);
    c->waiting_max = (uint32_t)pl_lua_opt_number(L, 1, "waiting_max", 1000);
    c->bytes_max = (uint64_t)pl_lua_opt_number(L, 1, "bytes_max", 32 * 1024 * 1024);
    c->http = (struct pl_http_config)PL_HTTP_CONFIG_DEFAULT;
    pl_lua_read_http_config(L, 1, &c->http);
}

/* open({path=, prefix=, header=, field=, scratch=, pages_max=, body_max=, depth_max=, waiting_max=,
 * bytes_max=, limits of host.http_server...}) -> intake | nil, err. As struct pl_intake_config
 * says. */
static int intake_open(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    struct pl_intake_config config;
    struct pl_err err;
    read_config(L, &config);
    struct handle *h = lua_newuserdata(L, sizeof *h);
    h->in = NULL;
    h->depth = config.depth_max;
    luaL_getmetatable(L, INTAKE);
    lua_setmetatable(L, -2);
    h->in = pl_intake_open(pl_state_of(L)->engine->loop, &config, &err);
    return h->in != NULL ? 1 : pl_lua_push_fail(L, &err);
}

/* intake:serve(server): what fits of its requests comes here from now on */
static int intake_serve(lua_State *L)
{
    pl_intake_serve(check_handle(L)->in, pl_lua_check_http_server(L, 2));
    return 0;
}

/* intake:allow(name, secret): a source may bring something */
static int intake_allow(lua_State *L)
{
    size_t len;
    struct handle *h = check_handle(L);
    const char *name = check_name(L);
    const char *secret = luaL_checklstring(L, 3, &len);
    pl_intake_allow(h->in, name, secret, len);
    return 0;
}

/* intake:deny(name): it may not any more */
static int intake_deny(lua_State *L)
{
    struct handle *h = check_handle(L);
    pl_intake_deny(h->in, check_name(L));
    return 0;
}

static void push_row(lua_State *L, const struct handle *h, const struct pl_intake_row *row)
{
    struct pl_json_limits limits = PL_JSON_LIMITS_DEFAULT;
    struct pl_err err = row->err;
    limits.depth = h->depth;
    lua_createtable(L, 0, 6);
    lua_pushstring(L, row->source);
    lua_setfield(L, -2, "source");
    lua_pushnumber(L, (lua_Number)row->id);
    lua_setfield(L, -2, "id");
    lua_pushinteger(L, (lua_Integer)row->body.len);
    lua_setfield(L, -2, "bytes");
    if (row->took_ns > 0) {
        lua_pushnumber(L, (lua_Number)row->took_ns / PL_NS_PER_S);
        lua_setfield(L, -2, "took");
    }
    lua_pushboolean(L, row->err.code == NULL);
    lua_setfield(L, -2, "stored");
    if (err.code == NULL &&
        pl_lua_push_json(L, row->body.data, row->body.len, &limits, &err) == 0) {
        lua_setfield(L, -2, "value");
        return;
    }
    pl_lua_push_fail(L, &err);
    lua_setfield(L, -3, "err");
    lua_pop(L, 1);
}

static void push_rows(lua_State *L, const struct handle *h, int most)
{
    struct pl_intake_row *row;
    lua_createtable(L, most < 32 ? most : 32, 0);
    for (int i = 1; i <= most && (row = pl_intake_take(h->in)) != NULL; i++) {
        push_row(L, h, row);
        pl_intake_row_free(row);
        lua_rawseti(L, -2, i);
    }
}

static int push_taken(lua_State *L, struct pl_op *op)
{
    struct handle *h = lua_touserdata(L, 1);
    if (op->err.code != NULL)
        return pl_lua_push_fail(L, &op->err);
    push_rows(L, h, (int)lua_tointeger(L, 2));
    return 1;
}

/* intake:take(most) -> rows, one or more, oldest first | nil, err "closed". A row is {source=, id=,
 * bytes=, stored=true, value=, took=}: seconds from its request until it was durable, nil when that
 * was before this process; or has `err` instead of a value, with stored=false when nothing of it is
 * kept (its client was told so), and otherwise when it is JSON that cannot be a Lua value. */
static int intake_take(lua_State *L)
{
    struct handle *h = check_handle(L);
    int most = luaL_checkint(L, 2);
    luaL_argcheck(L, most > 0 && most <= 10000, 2, "a number from 1 to 10000 expected");
    lua_settop(L, 2); /* anchors the intake while this task waits */
    struct pl_op *op = pl_intake_wait(h->in, pl_task_owner(pl_task_current()), 0);
    if (op == NULL)
        return luaL_error(L, "another task takes from this intake");
    return pl_task_wait(L, op, push_taken);
}

/* intake:done(rows): something else keeps what they say; once for each row that was stored */
static int intake_done(lua_State *L)
{
    struct handle *h = check_handle(L);
    luaL_checktype(L, 2, LUA_TTABLE);
    int n = (int)lua_objlen(L, 2);
    for (int i = 1; i <= n; i++) {
        lua_rawgeti(L, 2, i);
        luaL_argcheck(L, lua_istable(L, -1), 2, "rows expected");
        lua_getfield(L, -1, "source");
        lua_getfield(L, -2, "id");
        lua_getfield(L, -3, "bytes");
        luaL_argcheck(L, lua_type(L, -3) == LUA_TSTRING, 2, "rows expected");
        pl_intake_done(h->in, lua_tostring(L, -3), (int64_t)lua_tonumber(L, -2),
                       (size_t)lua_tonumber(L, -1));
        lua_pop(L, 4);
    }
    return 0;
}

/* intake:waiting(name) -> how many rows of a source are not done */
static int intake_waiting(lua_State *L)
{
    struct handle *h = check_handle(L);
    lua_pushinteger(L, (lua_Integer)pl_intake_waiting(h->in, check_name(L)));
    return 1;
}

/* intake:stats() -> {http = as server:stats(), rows=, failed=, commits=, waiting=} */
static int intake_stats(lua_State *L)
{
    struct pl_intake_stats s;
    pl_intake_stats(check_handle(L)->in, &s);
    lua_createtable(L, 0, 5);
    pl_lua_push_http_stats(L, &s.http);
    lua_setfield(L, -2, "http");
#define FIELD(name)                                                                                \
    lua_pushnumber(L, (lua_Number)s.name);                                                         \
    lua_setfield(L, -2, #name)
    FIELD(rows);
    FIELD(failed);
    FIELD(commits);
    FIELD(waiting);
#undef FIELD
    return 1;
}

static int intake_drain(lua_State *L)
{
    pl_intake_drain(check_handle(L)->in);
    return 0;
}

static int intake_close(lua_State *L)
{
    struct handle *h = luaL_checkudata(L, 1, INTAKE);
    struct pl_intake *in = h->in;
    h->in = NULL;
    if (in != NULL)
        pl_intake_close(in);
    return 0;
}

int pl_bind_intake(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"serve", intake_serve}, {"allow", intake_allow},
        {"deny", intake_deny},   {"take", intake_take},
        {"done", intake_done},   {"waiting", intake_waiting},
        {"stats", intake_stats}, {"drain", intake_drain},
        {"close", intake_close}, {NULL, NULL},
    };
    static const luaL_Reg functions[] = {{"open", intake_open}, {NULL, NULL}};
    pl_bind_class(L, INTAKE, methods, intake_close);
    lua_newtable(L);
    luaL_register(L, NULL, functions);
    return 1;
}
