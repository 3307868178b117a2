/* host.http_client: requests to other servers. */
#include "drivers/http_client.h"
#include "base/address.h"
#include "bind/bind.h"
#include "bind/http_form.h"
#include "drivers/http_head.h"
#include "engine/engine.h"

#include <lauxlib.h>
#include <string.h>

#define CLIENT   "host.http_client.client"
#define RESPONSE "host.http_client.body"

#define DEFAULT_TIMEOUT_S         30.0
#define DEFAULT_CONNECT_TIMEOUT_S 10.0
#define DEFAULT_MAX_BODY          (1u << 20)
#define DEFAULT_MAX_UPLOAD        (50u << 20)

/* --- the client of this state --------------------------------------------------------------------
 */

struct client {
    struct pl_http_client *client;
};

static int client_gc(lua_State *L)
{
    struct client *c = luaL_checkudata(L, 1, CLIENT);
    if (c->client != NULL)
        pl_http_client_close(c->client);
    c->client = NULL;
    return 0;
}

/* Made at the first request: most commands of the command line never make one. */
static struct pl_http_client *get_client(lua_State *L, struct pl_err *err)
{
    lua_getfield(L, LUA_REGISTRYINDEX, CLIENT ".instance");
    struct client *c = lua_touserdata(L, -1);
    lua_pop(L, 1); /* the registry keeps it */
    if (c->client == NULL)
        c->client = pl_http_client_new(pl_state_of(L)->engine->loop, err);
    return c->client;
}

/* --- the body of a streamed response
 * --------------------------------------------------------------
 */

struct body {
    struct pl_fetch *fetch;
};

static int body_close(lua_State *L)
{
    struct body *b = luaL_checkudata(L, 1, RESPONSE);
    struct pl_fetch *fetch = b->fetch;
    b->fetch = NULL;
    if (fetch == NULL)
        return 0;
    pl_fetch_abort(fetch);
    pl_fetch_unref(fetch);
    return 0;
}

static void push_body(lua_State *L, struct pl_fetch *fetch)
{
    struct pl_buf *body = pl_fetch_body(fetch);
    lua_pushlstring(L, body->len > 0 ? body->data : "", body->len);
    pl_buf_consume(body, body->len);
}

static int push_chunk(lua_State *L, struct pl_op *op)
{
    struct pl_fetch *fetch = pl_fetch_of(op);
    if (op->err.code != NULL)
        return pl_lua_push_fail(L, &op->err);
    if (pl_fetch_body(fetch)->len == 0)
        lua_pushnil(L);
    else
        push_body(L, fetch);
    return 1;
}

/* body:read([timeout_s]) -> chunk | nil at the end | nil, err */
static int body_read(lua_State *L)
{
    struct body *b = luaL_checkudata(L, 1, RESPONSE);
    double timeout = luaL_optnumber(L, 2, DEFAULT_TIMEOUT_S);
    if (b->fetch == NULL)
        return luaL_error(L, "the response is closed");
    struct pl_task *task = pl_task_current();
    uint64_t deadline = pl_task_deadline(task, timeout * 1000);
    struct pl_op *op = pl_fetch_read(b->fetch, pl_task_owner(task), deadline);
    if (op == NULL)
        return luaL_error(L, "another task is reading this response");
    return pl_task_wait(L, op, push_chunk);
}

/* --- requests ------------------------------------------------------------------------------------
 */

/* A table of the fields: repeated ones are joined. */
static void push_headers(lua_State *L, const struct pl_buf *lines)
{
    struct pl_http_head_field field;
    lua_newtable(L);
    for (size_t at = 0; pl_http_head_next(lines, &at, &field);) {
        lua_getfield(L, -1, field.name);
        if (lua_isnil(L, -1)) {
            lua_pop(L, 1);
            lua_pushlstring(L, field.value, field.value_len);
        } else {
            lua_pushliteral(L, ", ");
            lua_pushlstring(L, field.value, field.value_len);
            lua_concat(L, 3);
        }
        lua_setfield(L, -2, field.name);
    }
}

/* Nothing more is read of it. The collector may be long in coming, and a fetch is large. */
static void let_go(lua_State *L, int index)
{
    struct body *b = lua_touserdata(L, index);
    pl_fetch_unref(b->fetch); /* the op has another reference */
    b->fetch = NULL;
}

/* On the stack of the waiting call: options, body userdata. */
static int push_response(lua_State *L, struct pl_op *op)
{
    struct pl_fetch *fetch = pl_fetch_of(op);
    if (op->err.code != NULL) {
        let_go(L, 2);
        return pl_lua_push_fail(L, &op->err);
    }
    lua_getfield(L, 1, "stream");
    bool stream = lua_toboolean(L, -1);
    lua_pop(L, 1);
    lua_createtable(L, 0, 3);
    lua_pushinteger(L, pl_fetch_status(fetch));
    lua_setfield(L, -2, "status");
    push_headers(L, pl_fetch_headers(fetch));
    lua_setfield(L, -2, "headers");
    if (stream) {
        lua_pushvalue(L, 2);
    } else {
        push_body(L, fetch);
        let_go(L, 2);
    }
    lua_setfield(L, -2, "body");
    return 1;
}

/* A field that is a string without NUL; it stays on the stack. */
static const char *text_field(lua_State *L, const char *field, const char *otherwise)
{
    size_t len;
    const char *s = pl_lua_opt_string(L, 1, field, &len);
    if (s == NULL && otherwise == NULL)
        luaL_error(L, "request: '%s' is needed", field);
    if (s != NULL && strlen(s) != len)
        luaL_error(L, "request: '%s' has a NUL in it", field);
    return s != NULL ? s : otherwise;
}

static int add_request_headers(lua_State *L, struct pl_fetch *fetch, struct pl_err *err)
{
    lua_getfield(L, 1, "headers");
    int at = lua_gettop(L);
    if (lua_isnil(L, at))
        return 0;
    luaL_checktype(L, at, LUA_TTABLE);
    lua_pushnil(L);
    while (lua_next(L, at) != 0) {
        size_t len;
        if (lua_type(L, -2) != LUA_TSTRING || !lua_isstring(L, -1))
            return luaL_error(L, "request: 'headers' is a table of names and texts");
        const char *value = lua_tolstring(L, -1, &len);
        if (pl_fetch_header(fetch, lua_tostring(L, -2), value, len, err) < 0)
            return -1;
        lua_pop(L, 1);
    }
    return 0;
}

/* request{url=, method="GET", headers={Name=value}, body=, multipart={part, ...}, timeout=30,
 * connect_timeout=10, max_body=1 MiB, max_upload=50 MiB, ca=, allow_private=false, stream=false,
 * once=false, patient=false}
 *   -> {status=, headers={name=value}, body=} | nil, err
 *
 * Seconds and bytes. Names in the response's headers are in lower case, repeated ones joined by a
 * comma. With `stream` the call returns at the end of the head and `body` has read([timeout_s]) and
 * close(). Codes of err: resolve, connect, tls, timeout, connection (cut off), invalid_response,
 * too_large, private_address, invalid_url, invalid (a header, the method, a part), busy, cancelled.
 * Any status is a response: 404 and 500 too; a redirect is not followed. `ca` is certificates in
 * PEM that are trusted instead of the system's. `patient` is for a long poll: thousands
 * of them do not get in the way of other requests. It needs allow_private.
 *
 * `multipart` makes the body a form (multipart/form-data; the method is POST unless said
 * otherwise), of at most 64 parts {name=, data= | file=, filename=, content_type=}. `data` is a
 * text; `file` the path of a regular file, which is opened by the call and streamed from the disk,
 * never in memory as a whole; its name without folders is the filename unless there is one. A file
 * that cannot be opened is not_found, permission or io, as is one that becomes shorter on its way.
 */
static int client_request(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    struct body *b = lua_newuserdata(L, sizeof *b);
    b->fetch = NULL;
    luaL_getmetatable(L, RESPONSE);
    lua_setmetatable(L, 2);
    struct pl_err err;
    struct pl_http_client *client = get_client(L, &err);
    if (client == NULL)
        return pl_lua_push_fail(L, &err);
    double timeout = pl_lua_opt_number(L, 1, "timeout", DEFAULT_TIMEOUT_S);
    double connect = pl_lua_opt_number(L, 1, "connect_timeout", DEFAULT_CONNECT_TIMEOUT_S);
    double max_body = pl_lua_opt_number(L, 1, "max_body", DEFAULT_MAX_BODY);
    double max_upload = pl_lua_opt_number(L, 1, "max_upload", DEFAULT_MAX_UPLOAD);
    luaL_argcheck(L, timeout > 0 && connect > 0 && connect < 1e6, 1,
                  "timeout and connect_timeout are positive");
    luaL_argcheck(L, max_body >= 0 && max_upload >= 0, 1, "max_body and max_upload are positive");
    lua_getfield(L, 1, "multipart");
    const char *method = lua_isnil(L, -1) ? "GET" : "POST";
    struct pl_fetch_options o = {
        .method = text_field(L, "method", method),
        .url = text_field(L, "url", NULL),
        .connect_timeout_ms = (uint64_t)(connect * 1000) + 1,
        .max_body = (uint64_t)max_body,
        .max_upload = (uint64_t)max_upload,
        .allow_private = pl_lua_opt_boolean(L, 1, "allow_private", 0),
        .patient = pl_lua_opt_boolean(L, 1, "patient", 0),
        .stream = pl_lua_opt_boolean(L, 1, "stream", 0),
        .once = pl_lua_opt_boolean(L, 1, "once", 0),
    };
    luaL_argcheck(L, !o.patient || o.allow_private, 1, "'patient' needs 'allow_private'");
    o.body = pl_lua_opt_string(L, 1, "body", &o.body_len);
    o.ca = pl_lua_opt_string(L, 1, "ca", &o.ca_len);
    b->fetch = pl_fetch_new(client);
    if (add_request_headers(L, b->fetch, &err) < 0 || pl_lua_add_parts(L, 1, b->fetch, &err) < 0)
        return pl_lua_push_fail(L, &err);
    struct pl_task *task = pl_task_current();
    struct pl_op *op = pl_fetch_start(b->fetch, &o, pl_task_owner(task),
                                      pl_task_deadline(task, timeout * 1000), &err);
    return op != NULL ? pl_task_wait(L, op, push_response) : pl_lua_push_fail(L, &err);
}

/* stats() -> {active, started, patient, succeeded, failed, refused, timed_out, cancelled,
 * connections, open, bytes_in, bytes_out}: the members of struct pl_http_client_stats. */
static int client_stats(lua_State *L)
{
    struct pl_http_client_stats s = {0};
    lua_getfield(L, LUA_REGISTRYINDEX, CLIENT ".instance");
    struct client *c = lua_touserdata(L, -1);
    if (c->client != NULL) /* who only looks must not start libcurl */
        pl_http_client_stats(c->client, &s);
    lua_createtable(L, 0, 12);
#define FIELD(name) (lua_pushnumber(L, (double)s.name), lua_setfield(L, -2, #name))
    FIELD(active);
    FIELD(started);
    FIELD(patient);
    FIELD(succeeded);
    FIELD(failed);
    FIELD(refused);
    FIELD(timed_out);
    FIELD(cancelled);
    FIELD(connections);
    FIELD(open);
    FIELD(bytes_in);
    FIELD(bytes_out);
#undef FIELD
    return 1;
}

/* address_kind(text) -> nil when it is an address of the public internet, else why not: "loopback",
 * "private", "link-local", ..., "invalid" */
static int address_kind(lua_State *L)
{
    lua_pushstring(L, pl_address_special_text(luaL_checkstring(L, 1)));
    return 1;
}

int pl_bind_http_client(lua_State *L)
{
    static const luaL_Reg none[] = {{NULL, NULL}};
    static const luaL_Reg body[] = {{"read", body_read}, {"close", body_close}, {NULL, NULL}};
    static const luaL_Reg functions[] = {
        {"request", client_request},
        {"stats", client_stats},
        {"address_kind", address_kind},
        {NULL, NULL},
    };
    pl_bind_class(L, CLIENT, none, client_gc);
    pl_bind_class(L, RESPONSE, body, body_close);
    struct client *c = lua_newuserdata(L, sizeof *c);
    c->client = NULL;
    luaL_getmetatable(L, CLIENT);
    lua_setmetatable(L, -2);
    lua_setfield(L, LUA_REGISTRYINDEX, CLIENT ".instance");
    lua_newtable(L);
    luaL_register(L, NULL, functions);
    return 1;
}
