/* host.process: other programs. For the platform only: no plugin can reach it. */
#include "bind/bind.h"
#include "drivers/child.h"
#include "engine/engine.h"

#include <lauxlib.h>
#include <math.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILD      "host.process.child"
#define MAX_BUFFER (1u << 20)

struct handle {
    struct pl_child *child;
};

static const struct {
    const char *name;
    int number;
} signals[] = {
    {"TERM", SIGTERM}, {"KILL", SIGKILL}, {"INT", SIGINT},   {"HUP", SIGHUP},
    {"QUIT", SIGQUIT}, {"STOP", SIGSTOP}, {"CONT", SIGCONT}, {"USR1", SIGUSR1},
    {"USR2", SIGUSR2}, {"PIPE", SIGPIPE}, {"ABRT", SIGABRT}, {"SEGV", SIGSEGV},
};

#define SIGNALS (sizeof signals / sizeof signals[0])

/* --- the options of spawn ------------------------------------------------------------------------
 */

static void check_names(lua_State *L)
{
    static const char *const known[] = {"argv",  "env",    "clear_env", "cwd",       "stdin",
                                        "input", "stdout", "stderr",    "max_buffer"};
    size_t n = sizeof known / sizeof known[0];
    for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
        const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "?";
        size_t i = 0;
        while (i < n && strcmp(known[i], name) != 0)
            i++;
        if (i == n)
            luaL_error(L, "spawn: unknown option '%s'", name);
    }
}

/* Replaces the list of strings on top of the stack by an array that ends with NULL, in memory of
 * Lua's; the strings stay anchored by the list below it. */
static char **to_pointers(lua_State *L, const char *what)
{
    size_t n = lua_objlen(L, -1);
    char **out = lua_newuserdata(L, (n + 1) * sizeof *out);
    for (size_t i = 0; i < n; i++) {
        size_t len;
        lua_rawgeti(L, -2, (int)i + 1);
        if (lua_type(L, -1) != LUA_TSTRING)
            luaL_error(L, "spawn: %s[%d]: a string expected", what, (int)i + 1);
        out[i] = (char *)lua_tolstring(L, -1, &len);
        if (strlen(out[i]) != len)
            luaL_error(L, "spawn: %s[%d] holds a zero byte", what, (int)i + 1);
        lua_pop(L, 1);
    }
    out[n] = NULL;
    return out;
}

static char **check_argv(lua_State *L)
{
    lua_getfield(L, 1, "argv");
    if (lua_type(L, -1) != LUA_TTABLE || lua_objlen(L, -1) == 0)
        luaL_error(L, "spawn: argv: a list with the program first expected");
    return to_pointers(L, "argv");
}

/* Leaves out what the table on top of the stack names, by a value or by false. */
static void copy_environment(lua_State *L, int changes, int out)
{
    int n = 0;
    for (char **e = environ; *e != NULL; e++) {
        const char *equals = strchr(*e, '=');
        if (equals == NULL)
            continue;
        lua_pushlstring(L, *e, (size_t)(equals - *e));
        lua_gettable(L, changes);
        if (lua_isnil(L, -1)) {
            lua_pushstring(L, *e);
            lua_rawseti(L, out, ++n);
        }
        lua_pop(L, 1);
    }
}

static char **check_env(lua_State *L)
{
    lua_getfield(L, 1, "env");
    if (lua_isnil(L, -1)) {
        lua_newtable(L);
        lua_replace(L, -2);
    }
    luaL_argcheck(L, lua_istable(L, -1), 1, "env: a table of names and values expected");
    int changes = lua_gettop(L), out = changes + 1;
    lua_newtable(L);
    if (!pl_lua_opt_boolean(L, 1, "clear_env", 0))
        copy_environment(L, changes, out);
    for (lua_pushnil(L); lua_next(L, changes); lua_pop(L, 1)) {
        bool named = lua_type(L, -2) == LUA_TSTRING && strchr(lua_tostring(L, -2), '=') == NULL;
        bool off = lua_isboolean(L, -1) && !lua_toboolean(L, -1);
        if (!named || (!off && !lua_isstring(L, -1)))
            luaL_error(L, "spawn: env: NAME = text, or false to leave it out, expected");
        if (off)
            continue;
        lua_pushvalue(L, -2);
        lua_pushliteral(L, "=");
        lua_pushvalue(L, -3);
        lua_concat(L, 3);
        lua_rawseti(L, out, (int)lua_objlen(L, out) + 1);
    }
    return to_pointers(L, "env");
}

/* "pipe", "null", "inherit", for stderr "stdout", or a path, which has a slash. */
static void check_stream(lua_State *L, struct pl_spawn_options *o, int i, enum pl_stream otherwise)
{
    static const char *const names[] = {"stdin", "stdout", "stderr"};
    const char *value = pl_lua_opt_string(L, 1, names[i], NULL);
    o->streams[i].kind = otherwise;
    if (value == NULL)
        return;
    o->streams[i].path = value;
    if (strchr(value, '/') != NULL)
        o->streams[i].kind = PL_STREAM_FILE;
    else if (strcmp(value, "pipe") == 0)
        o->streams[i].kind = PL_STREAM_PIPE;
    else if (strcmp(value, "null") == 0)
        o->streams[i].kind = PL_STREAM_NULL;
    else if (strcmp(value, "inherit") == 0)
        o->streams[i].kind = PL_STREAM_INHERIT;
    else if (i == 2 && strcmp(value, "stdout") == 0)
        o->streams[i].kind = PL_STREAM_STDOUT;
    else
        luaL_error(L, "spawn: %s: pipe, null, inherit%s or a path with a / expected, got '%s'",
                   names[i], i == 2 ? ", stdout" : "", value);
}

static size_t check_max_buffer(lua_State *L)
{
    double max = pl_lua_opt_number(L, 1, "max_buffer", MAX_BUFFER);
    luaL_argcheck(L, max >= 1 && max <= 1024.0 * MAX_BUFFER, 1, "max_buffer: 1 to 2^30 expected");
    return (size_t)max;
}

/* spawn{argv, env, clear_env, cwd, stdin, input, stdout, stderr, max_buffer} -> child | nil, err
 *
 * argv       {program, arguments...}; the program is looked up in PATH
 * env        {NAME = text} changes of our environment, false leaves a name out
 * clear_env  true: env alone
 * cwd        the folder to start in
 * stdin      "null" (default), "pipe", "inherit" or a path; input = text: this text, then the end
 * stdout     "pipe" (default), "null", "inherit" or a path (emptied first)
 * stderr     the same, or "stdout": into the same
 * max_buffer bytes of each output that are kept while nobody reads (default 1 MiB); then the child
 *            waits
 *
 * The child is killed when nothing refers to it any more, and when this process ends. */
static int process_spawn(lua_State *L)
{
    struct pl_spawn_options o = {0};
    struct pl_err err;
    size_t input_len;
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    luaL_checkstack(L, 20, "spawn");
    check_names(L);
    const char *input = pl_lua_opt_string(L, 1, "input", &input_len);
    check_stream(L, &o, 0, input != NULL ? PL_STREAM_PIPE : PL_STREAM_NULL);
    if (input != NULL && o.streams[0].kind != PL_STREAM_PIPE)
        luaL_error(L, "spawn: either input or stdin");
    check_stream(L, &o, 1, PL_STREAM_PIPE);
    check_stream(L, &o, 2, PL_STREAM_PIPE);
    size_t max = check_max_buffer(L);
    o.cwd = pl_lua_opt_string(L, 1, "cwd", NULL);
    o.argv = check_argv(L);
    o.env = check_env(L);
    struct handle *h = lua_newuserdata(L, sizeof *h);
    h->child = NULL;
    luaL_getmetatable(L, CHILD);
    lua_setmetatable(L, -2);
    h->child = pl_child_start(pl_state_of(L)->engine->loop, &o, max, &err);
    if (h->child == NULL)
        return pl_lua_push_fail(L, &err);
    if (input != NULL)
        pl_child_feed(h->child, input, input_len);
    return 1;
}

/* --- the child -----------------------------------------------------------------------------------
 */

static struct pl_child *check_child(lua_State *L)
{
    struct handle *h = luaL_checkudata(L, 1, CHILD);
    if (h->child == NULL)
        luaL_error(L, "the process was closed");
    return h->child;
}

static uint64_t deadline_of(lua_State *L, int arg)
{
    return pl_task_deadline(pl_task_current(), luaL_optnumber(L, arg, 0) * 1000);
}

static int push_bytes(lua_State *L, struct pl_op *op)
{
    if (op->err.code != NULL)
        return pl_lua_push_fail(L, &op->err);
    size_t len;
    const char *bytes = pl_reader_take(op, &len);
    lua_pushlstring(L, bytes, len);
    return 1;
}

static int read_from(lua_State *L, int which, enum pl_want want, size_t bytes, int timeout_arg)
{
    struct pl_reader *reader = pl_child_output(check_child(L), which);
    if (reader == NULL)
        return luaL_error(L, "its %s is no pipe", which == 1 ? "stdout" : "stderr");
    struct pl_op *op = pl_reader_wait(reader, want, bytes, pl_task_owner(pl_task_current()),
                                      deadline_of(L, timeout_arg));
    if (op == NULL)
        return luaL_error(L, "another task is reading from it");
    return pl_task_wait(L, op, push_bytes);
}

static int read_some(lua_State *L, int which)
{
    if (lua_isnoneornil(L, 2))
        return read_from(L, which, PL_WANT_END, 0, 3);
    double n = luaL_checknumber(L, 2);
    luaL_argcheck(L, n >= 1 && n <= 1e9, 2, "a number of bytes expected");
    return read_from(L, which, PL_WANT_BYTES, (size_t)n, 3);
}

/* child:read([n[, timeout_s]]) -> text | nil, err. n bytes, fewer at the end; nil: everything up to
 * the end of its stdout, "too_large" when that is more than max_buffer. */
static int child_read(lua_State *L)
{
    return read_some(L, 1);
}

static int child_read_err(lua_State *L)
{
    return read_some(L, 2);
}

/* child:read_line([timeout_s]) -> line without its end | nil, err; "closed" at the end */
static int child_read_line(lua_State *L)
{
    return read_from(L, 1, PL_WANT_LINE, 0, 2);
}

static int child_read_err_line(lua_State *L)
{
    return read_from(L, 2, PL_WANT_LINE, 0, 2);
}

static int push_true(lua_State *L, struct pl_op *op)
{
    if (op != NULL && op->err.code != NULL)
        return pl_lua_push_fail(L, &op->err);
    lua_pushboolean(L, 1);
    return 1;
}

/* child:write(text[, timeout_s]) -> true | nil, err. Waits until the child has room for it. */
static int child_write(lua_State *L)
{
    size_t len;
    struct pl_err err;
    struct pl_child *child = check_child(L);
    const char *data = luaL_checklstring(L, 2, &len);
    struct pl_op *op =
        pl_child_write(child, data, len, pl_task_owner(pl_task_current()), deadline_of(L, 3), &err);
    return op != NULL ? pl_task_wait(L, op, push_true) : pl_lua_push_fail(L, &err);
}

static int child_close_stdin(lua_State *L)
{
    pl_child_close_stdin(check_child(L));
    return push_true(L, NULL);
}

static int check_signal(lua_State *L, int arg)
{
    if (lua_type(L, arg) == LUA_TNUMBER)
        return (int)lua_tointeger(L, arg);
    const char *name = luaL_optstring(L, arg, "TERM");
    for (size_t i = 0; i < SIGNALS; i++) {
        if (strcmp(signals[i].name, name) == 0)
            return signals[i].number;
    }
    return luaL_error(L, "there is no signal '%s'", name);
}

/* child:kill([signal = "TERM"]) -> true | nil, err; "closed" when it has ended */
static int child_kill(lua_State *L)
{
    struct pl_err err;
    if (pl_child_kill(check_child(L), check_signal(L, 2), &err) < 0)
        return pl_lua_push_fail(L, &err);
    return push_true(L, NULL);
}

static int push_status(lua_State *L, struct pl_op *op)
{
    if (op->err.code != NULL)
        return pl_lua_push_fail(L, &op->err);
    int status = pl_child_status(op);
    lua_createtable(L, 0, 1);
    if (WIFEXITED(status)) {
        lua_pushinteger(L, WEXITSTATUS(status));
        lua_setfield(L, -2, "code");
        return 1;
    }
    lua_pushinteger(L, WTERMSIG(status));
    for (size_t i = 0; i < SIGNALS; i++) {
        if (signals[i].number == WTERMSIG(status)) {
            lua_pop(L, 1);
            lua_pushstring(L, signals[i].name);
            break;
        }
    }
    lua_setfield(L, -2, "signal");
    return 1;
}

/* child:wait([timeout_s]) -> {code = integer} or {signal = name or number} | nil, err. A child that
 * writes more than max_buffer ends only when somebody reads. */
static int child_wait(lua_State *L)
{
    struct pl_child *child = check_child(L);
    return pl_task_wait(
        L, pl_child_wait(child, pl_task_owner(pl_task_current()), deadline_of(L, 2)), push_status);
}

static int child_pid(lua_State *L)
{
    lua_pushinteger(L, pl_child_pid(check_child(L)));
    return 1;
}

/* child:close(): SIGKILL when it runs; nothing can be asked of it any more. */
static int child_close(lua_State *L)
{
    struct handle *h = luaL_checkudata(L, 1, CHILD);
    if (h->child != NULL)
        pl_child_close(h->child);
    h->child = NULL;
    return 0;
}

int pl_bind_process(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"read", child_read},
        {"read_line", child_read_line},
        {"read_err", child_read_err},
        {"read_err_line", child_read_err_line},
        {"write", child_write},
        {"close_stdin", child_close_stdin},
        {"kill", child_kill},
        {"wait", child_wait},
        {"pid", child_pid},
        {"close", child_close},
        {NULL, NULL},
    };
    static const luaL_Reg functions[] = {{"spawn", process_spawn}, {NULL, NULL}};
    pl_bind_class(L, CHILD, methods, child_close);
    lua_newtable(L);
    luaL_register(L, NULL, functions);
    return 1;
}
