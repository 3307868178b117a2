/* host.redis: commands, scripts and subscriptions of a Redis server.
 *
 *     local r = assert(redis.open { url = "redis://:secret@127.0.0.1:6379/0" })
 *     local value, err = r:call("GET", "key")           -- json.null when there is none
 *     local left = r:script("return redis.call('DECR', KEYS[1])", 1, "key")
 *     r:subscribe("channel", function(payload, channel) ... end)
 *
 * A reply: text, a number (an integer beyond 2^53 as text), json.null, or a list of these, where
 * an error inside is {error = message}. An error reply is nil, err. */
#include "drivers/redis.h"
#include "bind/bind.h"
#include "engine/engine.h"

#include <lauxlib.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLIENT      "host.redis.client"
#define CHANNEL_MAX 1024
#define ALIVE_MAX   1000 /* calls of one subscriber that have not returned */
#define EXACT       9007199254740992.0

struct client {
    struct pl_redis *redis; /* NULL once closed */
    double timeout_ms;
    struct pl_list subscribers;
    int last_id;
    uint64_t dropped; /* messages for subscribers with ALIVE_MAX calls */
};

struct subscriber {
    struct pl_list link;
    struct client *client; /* NULL once it has left */
    struct pl_redis_subscription *subscription;
    struct pl_engine *engine;
    int id, fn; /* `fn`: reference to the Lua function */
    uint32_t alive;
    size_t len;
    char channel[];
};

static struct client *check_client(lua_State *L)
{
    struct client *c = luaL_checkudata(L, 1, CLIENT);
    if (c->redis == NULL)
        luaL_error(L, "the client is closed");
    return c;
}

/* --- replies -------------------------------------------------------------------------------------
 */

static void push_reply(lua_State *L, const redisReply *reply)
{
    switch (reply->type) {
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS:
        lua_pushlstring(L, reply->str, reply->len);
        break;
    case REDIS_REPLY_INTEGER:
        if (reply->integer <= (long long)EXACT && reply->integer >= -(long long)EXACT) {
            lua_pushnumber(L, (double)reply->integer);
        } else {
            char text[24];
            lua_pushlstring(L, text, (size_t)snprintf(text, sizeof text, "%lld", reply->integer));
        }
        break;
    case REDIS_REPLY_ERROR:
        lua_createtable(L, 0, 1);
        lua_pushlstring(L, reply->str, reply->len);
        lua_setfield(L, -2, "error");
        break;
    case REDIS_REPLY_ARRAY: /* hiredis reads at most 7 lists inside each other */
        lua_createtable(L, (int)reply->elements, 0);
        pl_lua_push_array_mt(L);
        lua_setmetatable(L, -2);
        for (size_t i = 0; i < reply->elements; i++) {
            push_reply(L, reply->element[i]);
            lua_rawseti(L, -2, (int)i + 1);
        }
        break;
    default:
        pl_lua_push_null(L);
    }
}

static int push_result(lua_State *L, struct pl_op *op)
{
    if (op->err.code != NULL)
        return pl_lua_push_fail(L, &op->err);
    push_reply(L, pl_redis_reply(op));
    return 1;
}

static int push_client(lua_State *L, struct pl_op *op)
{
    lua_pushvalue(L, 2); /* whether it is connected is not a matter of open */
    return 1;
}

/* --- calls ---------------------------------------------------------------------------------------
 */

/* The arguments from index `first` on, in memory of Lua's; they stay on the stack. */
static struct pl_redis_text *to_texts(lua_State *L, int first, size_t *count)
{
    int top = lua_gettop(L);
    *count = (size_t)(top - first + 1);
    luaL_checkstack(L, 40, "too many arguments");
    struct pl_redis_text *texts = lua_newuserdata(L, (*count + 1) * sizeof *texts);
    for (int i = first; i <= top; i++) {
        if (lua_type(L, i) == LUA_TNUMBER) { /* Lua's own form keeps 14 digits */
            char number[32];
            double v = lua_tonumber(L, i);
            const char *form = v == floor(v) && fabs(v) <= EXACT ? "%.0f" : "%.17g";
            lua_pushlstring(L, number, (size_t)snprintf(number, sizeof number, form, v));
            lua_replace(L, i);
        } else if (lua_type(L, i) != LUA_TSTRING) {
            luaL_error(L, "bad argument #%d (string or number expected, got %s)", i - 1,
                       luaL_typename(L, i));
        }
        texts[i - first].data = lua_tolstring(L, i, &texts[i - first].len);
    }
    return texts;
}

static int finish(lua_State *L, struct pl_op *op, const struct pl_err *err)
{
    return op != NULL ? pl_task_wait(L, op, push_result) : pl_lua_push_fail(L, err);
}

/* r:call(command, argument...) -> reply | nil, err. Waits at most `timeout_ms` of open. */
static int client_call(lua_State *L)
{
    struct client *c = check_client(L);
    luaL_checkstring(L, 2);
    size_t n;
    struct pl_redis_text *texts = to_texts(L, 2, &n);
    struct pl_task *task = pl_task_current();
    struct pl_err err;
    return finish(L,
                  pl_redis_call(c->redis, texts, n, pl_task_owner(task),
                                pl_task_deadline(task, c->timeout_ms), &err),
                  &err);
}

/* r:script(text, number of keys, key..., argument...) -> reply | nil, err */
static int client_script(lua_State *L)
{
    struct client *c = check_client(L);
    struct pl_redis_text script;
    script.data = luaL_checklstring(L, 2, &script.len);
    lua_Integer keys = luaL_checkinteger(L, 3);
    luaL_argcheck(L, keys >= 0 && keys <= lua_gettop(L) - 3, 3,
                  "the number of keys among the arguments expected");
    size_t n;
    struct pl_redis_text *texts = to_texts(L, 3, &n);
    struct pl_task *task = pl_task_current();
    struct pl_err err;
    return finish(L,
                  pl_redis_script(c->redis, &script, texts, n, pl_task_owner(task),
                                  pl_task_deadline(task, c->timeout_ms), &err),
                  &err);
}

/* --- subscriptions -------------------------------------------------------------------------------
 */

static void free_when_idle(struct subscriber *s)
{
    if (s->client == NULL && s->alive == 0)
        free(s);
}

static void leave(lua_State *L, struct subscriber *s)
{
    pl_redis_unsubscribe(s->subscription);
    luaL_unref(L, LUA_REGISTRYINDEX, s->fn);
    pl_list_remove(&s->link);
    s->client = NULL;
    free_when_idle(s);
}

static void on_task_end(struct pl_task *task, void *arg)
{
    struct subscriber *s = arg;
    if (pl_task_get_status(task) == PL_TASK_FAILED) {
        const struct pl_err *err = pl_task_error(task);
        s->engine->on_uncaught(task, err->message);
    }
    s->alive--;
    free_when_idle(s);
}

static void on_message(void *arg, const char *payload, size_t len)
{
    struct subscriber *s = arg;
    lua_State *L = s->engine->core->L;
    if (s->alive >= ALIVE_MAX) {
        s->client->dropped++;
        return;
    }
    lua_rawgeti(L, LUA_REGISTRYINDEX, s->fn);
    if (payload != NULL)
        lua_pushlstring(L, payload, len);
    else
        lua_pushnil(L);
    lua_pushlstring(L, s->channel, s->len);
    s->alive++; /* the call may close the client */
    struct pl_task *task = pl_task_spawn(s->engine, L, 2, NULL);
    enum pl_task_status status = pl_task_get_status(task);
    if (status == PL_TASK_DONE || status == PL_TASK_FAILED) {
        s->alive--;
        free_when_idle(s);
    } else {
        pl_task_on_end(task, on_task_end, s);
    }
    pl_task_unref(task);
}

/* r:subscribe(channel, fn) -> id. fn(payload, channel) runs in a task of its own for each message,
 * begun in the order of the messages; the payload is nil when the subscription has become active,
 * at first and after each loss of the connection: what was published before may have been missed.
 */
static int client_subscribe(lua_State *L)
{
    struct client *c = check_client(L);
    size_t len;
    const char *channel = luaL_checklstring(L, 2, &len);
    luaL_argcheck(L, len <= CHANNEL_MAX, 2, "a channel's name has at most 1024 bytes");
    luaL_checktype(L, 3, LUA_TFUNCTION);
    lua_settop(L, 3);
    struct subscriber *s = pl_xcalloc(1, sizeof *s + len);
    s->fn = luaL_ref(L, LUA_REGISTRYINDEX);
    s->client = c;
    s->engine = pl_state_of(L)->engine;
    s->id = ++c->last_id;
    s->len = len;
    memcpy(s->channel, channel, len);
    pl_list_push(&c->subscribers, &s->link);
    s->subscription = pl_redis_subscribe(c->redis, channel, len, on_message, s);
    lua_pushinteger(L, s->id);
    return 1;
}

/* r:unsubscribe(id) -> whether there was such a subscription */
static int client_unsubscribe(lua_State *L)
{
    struct client *c = check_client(L);
    lua_Integer id = luaL_checkinteger(L, 2);
    struct pl_list *pos, *tmp;
    pl_list_each (pos, tmp, &c->subscribers) {
        struct subscriber *s = pl_container_of(pos, struct subscriber, link);
        if (s->id != id)
            continue;
        leave(L, s);
        lua_pushboolean(L, 1);
        return 1;
    }
    lua_pushboolean(L, 0);
    return 1;
}

/* --- the client ----------------------------------------------------------------------------------
 */

static int client_stats(lua_State *L)
{
    struct client *c = check_client(L);
    struct pl_redis_stats s;
    pl_redis_stats(c->redis, &s);
    lua_createtable(L, 0, 16);
    lua_pushboolean(L, s.connected);
    lua_setfield(L, -2, "connected");
    lua_pushboolean(L, s.listening);
    lua_setfield(L, -2, "listening");
#define FIELD(name, value)                                                                         \
    lua_pushnumber(L, (double)(value));                                                            \
    lua_setfield(L, -2, name)
    FIELD("connects", s.connects);
    FIELD("losses", s.losses);
    FIELD("commands", s.commands);
    FIELD("replies", s.replies);
    FIELD("errors", s.errors);
    FIELD("refused", s.refused);
    FIELD("timed_out", s.timed_out);
    FIELD("lost", s.lost);
    FIELD("waiting", s.waiting);
    FIELD("reply_s", (double)s.reply_ns / 1e9);
    FIELD("subscriptions", s.subscriptions);
    FIELD("messages", s.messages);
    FIELD("dropped", c->dropped);
#undef FIELD
    return 1;
}

static int client_close(lua_State *L)
{
    struct client *c = luaL_checkudata(L, 1, CLIENT);
    if (c->redis == NULL)
        return 0;
    struct pl_list *pos, *tmp;
    pl_list_each (pos, tmp, &c->subscribers)
        leave(L, pl_container_of(pos, struct subscriber, link));
    struct pl_redis *redis = c->redis;
    c->redis = NULL;
    pl_redis_close(redis);
    return 0;
}

/* open{url=, timeout_ms=, connect_ms=, stall_ms=, queue_max=} -> r | nil, err. Returns when the
 * first attempt to connect has ended, well or not: r goes on trying by itself. Only a URL that is
 * none is an error. `timeout_ms` (1000) is the deadline of each call: whoever wants to block in the
 * server opens a client of its own with a longer one. */
static int redis_open(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    struct pl_redis_config config = PL_REDIS_CONFIG_DEFAULT;
    struct client *c = lua_newuserdata(L, sizeof *c);
    memset(c, 0, sizeof *c);
    pl_list_init(&c->subscribers);
    luaL_getmetatable(L, CLIENT);
    lua_setmetatable(L, -2);
    config.url = pl_lua_opt_string(L, 1, "url", NULL);
    luaL_argcheck(L, config.url != NULL, 1, "option 'url' is missing");
    c->timeout_ms = pl_lua_opt_number(L, 1, "timeout_ms", 1000);
    double connect_ms = pl_lua_opt_number(L, 1, "connect_ms", (double)config.connect_ms);
    double stall_ms = pl_lua_opt_number(L, 1, "stall_ms", (double)config.stall_ms);
    double queue_max = pl_lua_opt_number(L, 1, "queue_max", config.queue_max);
    luaL_argcheck(L, c->timeout_ms >= 1, 1, "option 'timeout_ms': 1 or more");
    luaL_argcheck(L, connect_ms >= 1 && connect_ms <= 60000, 1, "option 'connect_ms': 1 to 60000");
    luaL_argcheck(L, stall_ms >= 1 && stall_ms <= 3600000, 1, "option 'stall_ms': 1 to 3600000");
    luaL_argcheck(L, queue_max >= 1 && queue_max <= 1e6, 1, "option 'queue_max': 1 to 1000000");
    config.connect_ms = (uint64_t)connect_ms;
    config.stall_ms = (uint64_t)stall_ms;
    config.queue_max = (uint32_t)queue_max;
    struct pl_err err;
    c->redis = pl_redis_open(pl_state_of(L)->engine->loop, &config, &err);
    if (c->redis == NULL)
        return pl_lua_push_fail(L, &err);
    struct pl_task *task = pl_task_current();
    return pl_task_wait(
        L, pl_redis_wait(c->redis, pl_task_owner(task), pl_task_deadline(task, connect_ms)),
        push_client);
}

/* check(url) -> true | nil, err: whether open would take it */
static int redis_check(lua_State *L)
{
    struct pl_redis_url url;
    struct pl_err err;
    if (pl_redis_url_parse(luaL_checkstring(L, 1), &url, &err) < 0)
        return pl_lua_push_fail(L, &err);
    lua_pushboolean(L, 1);
    return 1;
}

int pl_bind_redis(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"call", client_call},
        {"script", client_script},
        {"subscribe", client_subscribe},
        {"unsubscribe", client_unsubscribe},
        {"stats", client_stats},
        {"close", client_close},
        {NULL, NULL},
    };
    static const luaL_Reg functions[] = {
        {"check", redis_check},
        {"open", redis_open},
        {NULL, NULL},
    };
    pl_bind_class(L, CLIENT, methods, client_close);
    lua_newtable(L);
    luaL_register(L, NULL, functions);
    return 1;
}
