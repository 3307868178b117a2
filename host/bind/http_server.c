/* host.http_server: each request runs a Lua function in a task of its own.
 *
 *     local server = assert(http.listen({ host = "127.0.0.1", port = 0 }, function(req, method,
 * path, query) req:respond(200, "Content-Type: text/plain\r\n", "hello") end))
 *
 * The task goes on when the client leaves: a message that was received is not taken back. */
#include "drivers/http_server.h"
#include "bind/bind.h"
#include "bind/http_server.h"
#include "bind/tls.h"
#include "engine/engine.h"

#include <lauxlib.h>
#include <string.h>

#define SERVER  "host.http_server.server"
#define REQUEST "host.http_server.request"

struct server {
    struct pl_http_server *http;
    struct pl_engine *engine;
    int handler; /* reference to the Lua function */
};

struct request {
    struct pl_http_exchange *x;
};

/* --- requests
 * -------------------------------------------------------------------------------------- */

static struct pl_http_exchange *check_request(lua_State *L)
{
    return ((struct request *)luaL_checkudata(L, 1, REQUEST))->x;
}

/* A handler that ended without an answer, by error or by silence, still gives one. */
static void complete(struct pl_http_exchange *x)
{
    static const char type[] = "Content-Type: application/problem+json\r\n";
    static const char body[] = "{\"type\":\"about:blank\",\"title\":\"Internal Server Error\","
                               "\"status\":500,\"code\":\"internal\"}";
    if (pl_http_exchange_open(x)) {
        if (!pl_http_exchange_started(x))
            pl_http_respond(x, 500, type, sizeof type - 1, body, sizeof body - 1);
        else
            pl_http_stream_finish(x);
    }
    pl_http_exchange_unref(x);
}

static void on_task_end(struct pl_task *task, void *arg)
{
    if (pl_task_get_status(task) == PL_TASK_FAILED) {
        const struct pl_err *err = pl_task_error(task);
        pl_state_of(pl_task_coroutine(task))->engine->on_uncaught(task, err->message);
    }
    complete(arg);
}

static void on_request(struct pl_http_exchange *x, void *arg)
{
    struct server *s = arg;
    lua_State *L = s->engine->core->L;
    const struct pl_http_request_data *r = pl_http_exchange_request(x);
    lua_rawgeti(L, LUA_REGISTRYINDEX, s->handler);
    struct request *req = lua_newuserdata(L, sizeof *req);
    req->x = x;
    pl_http_exchange_ref(x); /* the userdata's */
    luaL_getmetatable(L, REQUEST);
    lua_setmetatable(L, -2);
    lua_pushstring(L, pl_http_request_method(r));
    const char *target = r->head.data + r->target;
    const char *mark = memchr(target, '?', r->target_len);
    if (mark != NULL) {
        lua_pushlstring(L, target, (size_t)(mark - target));
        lua_pushlstring(L, mark + 1, r->target_len - (size_t)(mark - target) - 1);
    } else {
        lua_pushlstring(L, target, r->target_len);
        lua_pushnil(L);
    }
    pl_http_exchange_ref(x); /* the task's end */
    struct pl_task *task = pl_task_spawn(s->engine, L, 4, NULL);
    enum pl_task_status status = pl_task_get_status(task);
    if (status == PL_TASK_DONE || status == PL_TASK_FAILED)
        complete(x); /* an error of a task that nobody watched was reported by the engine */
    else
        pl_task_on_end(task, on_task_end, x);
    pl_task_unref(task);
}

static int request_gc(lua_State *L)
{
    struct request *req = luaL_checkudata(L, 1, REQUEST);
    if (req->x != NULL)
        pl_http_exchange_unref(req->x);
    req->x = NULL;
    return 0;
}

/* req:header(name) -> value | nil. The first of this name; case does not matter. */
static int request_header(lua_State *L)
{
    const struct pl_http_request_data *r = pl_http_exchange_request(check_request(L));
    size_t len;
    const char *name = luaL_checklstring(L, 2, &len);
    const struct pl_http_field *f = pl_http_request_field(r, name, len);
    if (f == NULL)
        return 0;
    lua_pushlstring(L, r->head.data + f->value, f->value_len);
    return 1;
}

/* req:count(name...) -> how many headers have this name; of several names the most */
static int request_count(lua_State *L)
{
    const struct pl_http_request_data *r = pl_http_exchange_request(check_request(L));
    uint32_t most = 0;
    for (int i = lua_gettop(L); i >= 2; i--) {
        size_t len;
        const char *name = luaL_checklstring(L, i, &len);
        uint32_t n = pl_http_request_count(r, name, len);
        most = n > most ? n : most;
    }
    lua_pushinteger(L, (lua_Integer)most);
    return 1;
}

/* req:headers() -> { {name, value}, ... } in the order they came */
static int request_headers(lua_State *L)
{
    const struct pl_http_request_data *r = pl_http_exchange_request(check_request(L));
    lua_createtable(L, (int)r->fields_len, 0);
    for (uint32_t i = 0; i < r->fields_len; i++) {
        lua_createtable(L, 2, 0);
        lua_pushlstring(L, r->head.data + r->fields[i].name, r->fields[i].name_len);
        lua_rawseti(L, -2, 1);
        lua_pushlstring(L, r->head.data + r->fields[i].value, r->fields[i].value_len);
        lua_rawseti(L, -2, 2);
        lua_rawseti(L, -2, (int)i + 1);
    }
    return 1;
}

static int request_body(lua_State *L)
{
    const struct pl_http_request_data *r = pl_http_exchange_request(check_request(L));
    lua_pushlstring(L, r->body.len > 0 ? r->body.data : "", r->body.len);
    return 1;
}

static int request_remote(lua_State *L)
{
    lua_pushstring(L, pl_http_exchange_remote(check_request(L)));
    return 1;
}

/* req:closed() -> true when nobody is there any more to be answered */
static int request_closed(lua_State *L)
{
    lua_pushboolean(L, !pl_http_exchange_open(check_request(L)));
    return 1;
}

static int push_closed(lua_State *L)
{
    struct pl_err err;
    pl_fail(&err, PL_E_CLOSED, false, "http.respond",
            "the client has gone, or was answered before");
    return pl_lua_push_fail(L, &err);
}

/* Headers: text of whole lines ("Name: value\r\n"...), from trusted code only. */
static const char *check_headers(lua_State *L, int idx, size_t *len)
{
    const char *s = luaL_optlstring(L, idx, "", len);
    luaL_argcheck(L, *len == 0 || (*len >= 2 && memcmp(s + *len - 2, "\r\n", 2) == 0), idx,
                  "header lines end in CR LF");
    return s;
}

static int check_status(lua_State *L, int idx)
{
    int status = (int)luaL_checkinteger(L, idx);
    luaL_argcheck(L, status >= 200 && status <= 599, idx, "a status from 200 to 599 expected");
    return status;
}

/* req:respond(status, headers, body) -> true | nil, err */
static int request_respond(lua_State *L)
{
    size_t headers_len, body_len;
    struct pl_http_exchange *x = check_request(L);
    int status = check_status(L, 2);
    const char *headers = check_headers(L, 3, &headers_len);
    const char *body = luaL_optlstring(L, 4, "", &body_len);
    if (pl_http_respond(x, status, headers, headers_len, body, body_len) < 0)
        return push_closed(L);
    lua_pushboolean(L, 1);
    return 1;
}

static int request_start(lua_State *L)
{
    size_t len;
    struct pl_http_exchange *x = check_request(L);
    int status = check_status(L, 2);
    const char *headers = check_headers(L, 3, &len);
    if (pl_http_stream_start(x, status, headers, len) < 0)
        return push_closed(L);
    lua_pushboolean(L, 1);
    return 1;
}

static int push_drained(lua_State *L, struct pl_op *op)
{
    if (op->err.code != NULL)
        return pl_lua_push_fail(L, &op->err);
    lua_pushboolean(L, 1);
    return 1;
}

/* req:write(chunk[, timeout_s]) -> true | nil, err. Waits while the client is slow. */
static int request_write(lua_State *L)
{
    size_t len;
    struct pl_http_exchange *x = check_request(L);
    const char *data = luaL_checklstring(L, 2, &len);
    double timeout = luaL_optnumber(L, 3, 30);
    if (pl_http_stream_write(x, data, len) < 0)
        return push_closed(L);
    if (!pl_http_stream_full(x)) {
        lua_pushboolean(L, 1);
        return 1;
    }
    struct pl_task *task = pl_task_current();
    struct pl_op *op =
        pl_http_stream_drained(x, pl_task_owner(task), pl_task_deadline(task, timeout * 1000));
    return pl_task_wait(L, op, push_drained);
}

static int request_finish(lua_State *L)
{
    if (pl_http_stream_finish(check_request(L)) < 0)
        return push_closed(L);
    lua_pushboolean(L, 1);
    return 1;
}

/* req:abort(): closes the connection without an answer, or in the middle of one */
static int request_abort(lua_State *L)
{
    pl_http_abort(check_request(L));
    return 0;
}

/* --- the server
 * ------------------------------------------------------------------------------------ */

static struct server *check_server(lua_State *L)
{
    struct server *s = luaL_checkudata(L, 1, SERVER);
    if (s->http == NULL)
        luaL_error(L, "the server is closed");
    return s;
}

struct pl_http_server *pl_lua_check_http_server(lua_State *L, int idx)
{
    struct server *s = luaL_checkudata(L, idx, SERVER);
    luaL_argcheck(L, s->http != NULL, idx, "the server is closed");
    return s->http;
}

void pl_lua_read_http_config(lua_State *L, int idx, struct pl_http_config *c)
{
#define OPTION(field, name) c->field = (uint32_t)pl_lua_opt_number(L, idx, name, c->field)
    OPTION(limits.line_bytes, "line_bytes");
    OPTION(limits.head_bytes, "head_bytes");
    OPTION(limits.head_lines, "head_lines");
    OPTION(head_ms, "head_ms");
    OPTION(body_ms, "body_ms");
    OPTION(idle_ms, "idle_ms");
    OPTION(write_ms, "write_ms");
    OPTION(handshake_ms, "handshake_ms");
    OPTION(body_rate, "body_rate");
    OPTION(body_grace_ms, "body_grace_ms");
    OPTION(connections, "connections");
    OPTION(per_address, "per_address");
    OPTION(high_water, "high_water");
#undef OPTION
    c->limits.body_bytes =
        (uint64_t)pl_lua_opt_number(L, idx, "body_bytes", (double)c->limits.body_bytes);
    if (c->limits.head_lines > 100)
        c->limits.head_lines = 100;
}

/* listen({fd=|host=, port=, tls=context of host.tls, limits...}, handler) -> server | nil, err */
static int listen_on(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_checktype(L, 2, LUA_TFUNCTION);
    struct pl_http_config config = PL_HTTP_CONFIG_DEFAULT;
    pl_lua_read_http_config(L, 1, &config);
    int fd = (int)pl_lua_opt_number(L, 1, "fd", -1);
    int port = (int)pl_lua_opt_number(L, 1, "port", 0);
    const char *host = pl_lua_opt_string(L, 1, "host", NULL);
    lua_getfield(L, 1, "tls");
    struct pl_tls_context *tls = lua_isnil(L, -1) ? NULL : pl_lua_check_tls(L, -1);
    struct server *s = lua_newuserdata(L, sizeof *s);
    s->http = NULL;
    s->engine = pl_state_of(L)->engine;
    luaL_getmetatable(L, SERVER);
    lua_setmetatable(L, -2);
    struct pl_err err;
    s->http = pl_http_server_start(s->engine->loop, fd, host != NULL ? host : "127.0.0.1", port,
                                   &config, on_request, s, &err);
    if (s->http == NULL)
        return pl_lua_push_fail(L, &err);
    if (tls != NULL)
        pl_http_server_use_tls(s->http, tls);
    lua_pushvalue(L, 2);
    s->handler = luaL_ref(L, LUA_REGISTRYINDEX);
    return 1;
}

static int server_port(lua_State *L)
{
    lua_pushinteger(L, pl_http_server_port(check_server(L)->http));
    return 1;
}

/* server:use_tls(context): for connections that are opened from now on */
static int server_use_tls(lua_State *L)
{
    pl_http_server_use_tls(check_server(L)->http, pl_lua_check_tls(L, 2));
    return 0;
}

static int server_drain(lua_State *L)
{
    pl_http_server_drain(check_server(L)->http);
    return 0;
}

void pl_lua_push_http_stats(lua_State *L, const struct pl_http_stats *s)
{
    lua_createtable(L, 0, 15);
#define FIELD(name)                                                                                \
    lua_pushnumber(L, (double)s->name);                                                            \
    lua_setfield(L, -2, #name)
    FIELD(accepted);
    FIELD(refused);
    FIELD(requests);
    FIELD(bytes_in);
    FIELD(bytes_out);
    FIELD(refused_address);
    FIELD(bad);
    FIELD(slow);
    FIELD(handshakes);
    FIELD(resumed);
    FIELD(handshakes_failed);
    FIELD(handshakes_slow);
    FIELD(handshakes_http);
    FIELD(open);
    FIELD(busy);
#undef FIELD
}

static int server_stats(lua_State *L)
{
    struct pl_http_stats s;
    pl_http_server_stats(check_server(L)->http, &s);
    pl_lua_push_http_stats(L, &s);
    return 1;
}

static int server_close(lua_State *L)
{
    struct server *s = luaL_checkudata(L, 1, SERVER);
    if (s->http == NULL)
        return 0;
    pl_http_server_close(s->http);
    s->http = NULL;
    luaL_unref(L, LUA_REGISTRYINDEX, s->handler);
    return 0;
}

int pl_bind_http_server(lua_State *L)
{
    static const luaL_Reg request_methods[] = {
        {"header", request_header},   {"count", request_count},   {"headers", request_headers},
        {"body", request_body},       {"remote", request_remote}, {"closed", request_closed},
        {"respond", request_respond}, {"start", request_start},   {"write", request_write},
        {"finish", request_finish},   {"abort", request_abort},   {NULL, NULL},
    };
    static const luaL_Reg server_methods[] = {
        {"port", server_port},   {"use_tls", server_use_tls}, {"drain", server_drain},
        {"stats", server_stats}, {"close", server_close},     {NULL, NULL},
    };
    static const luaL_Reg functions[] = {
        {"listen", listen_on},
        {NULL, NULL},
    };
    pl_bind_class(L, REQUEST, request_methods, request_gc);
    pl_bind_class(L, SERVER, server_methods, server_close);
    lua_newtable(L);
    luaL_register(L, NULL, functions);
    return 1;
}
