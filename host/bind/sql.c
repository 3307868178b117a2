/* A database in Lua, whichever driver runs it: transactions that are durable when the call returns,
 * and reads. */
#include "bind/sql.h"
#include "bind/bind.h"
#include "engine/engine.h"

#include <lauxlib.h>
#include <math.h>

#define DB    "host.sql.db"
#define USUAL 4096 /* bytes of the texts and parameters of a turn */

struct handle {
    struct pl_sql *db;
};

struct pl_sql *pl_bind_sql_check(lua_State *L, int idx)
{
    struct handle *h = luaL_checkudata(L, idx, DB);
    if (h->db == NULL)
        luaL_error(L, "the database is closed");
    return h->db;
}

static struct pl_sql *check_db(lua_State *L)
{
    return pl_bind_sql_check(L, 1);
}

/* --- parameters
 * ------------------------------------------------------------------------------------ */

/* Copies the value at `idx` as the next parameter. Returns -1 when its type has no place in SQL. */
static int add_param(lua_State *L, struct pl_sql_request *r, int idx)
{
    size_t len;
    const char *s;
    double v;
    switch (lua_type(L, idx)) {
    case LUA_TNIL:
        pl_sql_param(r, PL_SQL_NULL, 0, 0, NULL, 0);
        return 0;
    case LUA_TBOOLEAN:
        pl_sql_param(r, PL_SQL_INTEGER, lua_toboolean(L, idx), 0, NULL, 0);
        return 0;
    case LUA_TNUMBER:
        v = lua_tonumber(L, idx);
        if (v == floor(v) && fabs(v) <= 9007199254740992.0)
            pl_sql_param(r, PL_SQL_INTEGER, (int64_t)v, 0, NULL, 0);
        else
            pl_sql_param(r, PL_SQL_REAL, 0, v, NULL, 0);
        return 0;
    case LUA_TSTRING:
        s = lua_tolstring(L, idx, &len);
        pl_sql_param(r, PL_SQL_TEXT, 0, 0, s, len);
        return 0;
    default:
        if (!pl_lua_is_null(L, idx))
            return -1;
        pl_sql_param(r, PL_SQL_NULL, 0, 0, NULL, 0);
        return 0;
    }
}

static int misuse(lua_State *L, struct pl_sql_request *r, const char *what)
{
    pl_sql_discard(r);
    return luaL_error(L, "%s", what);
}

/* Adds `n` values of the table at `at`, from index `first` on, as parameters. */
static void add_params(lua_State *L, struct pl_sql_request *r, int at, int first, int n)
{
    for (int i = 0; i < n; i++) {
        lua_rawgeti(L, at, first + i);
        if (add_param(L, r, -1) < 0)
            misuse(L, r, "a parameter is nil, a boolean, a number or a string");
        lua_pop(L, 1);
    }
}

static void push_field(lua_State *L, int at, const char *name)
{
    lua_pushstring(L, name);
    lua_rawget(L, at);
}

/* Adds those of the rows at the top of the stack, so many of each. */
static void add_rows(lua_State *L, struct pl_sql_request *r, int columns)
{
    int rows = lua_gettop(L), n = (int)lua_objlen(L, rows);
    for (int i = 1; i <= n; i++) {
        lua_rawgeti(L, rows, i);
        if (!lua_istable(L, -1))
            misuse(L, r, "a row is a table");
        add_params(L, r, rows + 1, 1, columns);
        lua_pop(L, 1);
    }
}

/* Adds {sql, p1, p2, ..., n=, rows=, columns=, expect=, append=, join=} at the top of the stack.
 * `n` says how many parameters there are when the last ones may be nil; with `rows` they are in
 * there instead, `columns` of each. `append` is pl_sql_append, `join`, which goes with expect = 1,
 * is the types of pl_sql_join. */
static void add_statement(lua_State *L, struct pl_sql_request *r)
{
    int at = lua_gettop(L);
    if (!lua_istable(L, at))
        misuse(L, r, "a statement is a table {sql, parameter...}");
    lua_rawgeti(L, at, 1);
    size_t len = 0;
    const char *sql = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &len) : NULL;
    if (sql == NULL)
        misuse(L, r, "the first item of a statement is its SQL text");
    push_field(L, at, "expect");
    int64_t expect = lua_isnumber(L, -1) ? (int64_t)lua_tonumber(L, -1) : -1;
    pl_sql_add(r, sql, len, expect);
    push_field(L, at, "append");
    if (lua_toboolean(L, -1))
        pl_sql_append(r);
    if (expect == 1) {
        push_field(L, at, "join");
        const char *types = lua_tolstring(L, -1, &len);
        if (types != NULL)
            pl_sql_join(r, types, len);
    }
    push_field(L, at, "n");
    int n = lua_isnumber(L, -1) ? (int)lua_tonumber(L, -1) : -1;
    push_field(L, at, "columns");
    int columns = (int)lua_tonumber(L, -1);
    push_field(L, at, "rows");
    if (lua_istable(L, -1))
        add_rows(L, r, columns);
    else
        add_params(L, r, at, 2, n >= 0 ? n : (int)lua_objlen(L, at) - 1);
    lua_settop(L, at);
}

/* --- results
 * --------------------------------------------------------------------------------------- */

static void push_rows(lua_State *L, const struct pl_sql_request *r,
                      const struct pl_sql_statement *s)
{
    lua_createtable(L, (int)s->rows, 0);
    if (s->rows == 0)
        return;
    luaL_checkstack(L, (int)s->columns + 8, "too many columns");
    int rows = lua_gettop(L);
    const char *name = r->out.data + s->names;
    for (uint32_t i = 0; i < s->columns; i++) { /* each name is interned once */
        lua_pushstring(L, name);
        name += lua_objlen(L, -1) + 1;
    }
    uint32_t at = s->cells;
    for (uint32_t row = 1; row <= s->rows; row++) {
        lua_createtable(L, 0, (int)s->columns);
        for (uint32_t i = 0; i < s->columns; i++) {
            struct pl_sql_value v;
            pl_sql_cell(r, &at, &v);
            if (v.type == PL_SQL_NULL)
                continue; /* an absent field, as Lua has it */
            lua_pushvalue(L, rows + 1 + (int)i);
            if (v.type == PL_SQL_INTEGER)
                lua_pushnumber(L, (double)v.integer);
            else if (v.type == PL_SQL_REAL)
                lua_pushnumber(L, v.real);
            else
                lua_pushlstring(L, r->out.data + v.offset, v.len);
            lua_rawset(L, -3);
        }
        lua_rawseti(L, rows, (int)row);
    }
    lua_settop(L, rows);
}

static int push_error(lua_State *L, struct pl_op *op)
{
    struct pl_sql_request *r = pl_container_of(op, struct pl_sql_request, op);
    pl_lua_push_fail(L, &op->err);
    if (op->state == PL_OP_DONE && r->failed_statement >= 0) {
        lua_pushinteger(L, r->failed_statement + 1);
        lua_setfield(L, -2, "statement");
    }
    return 2;
}

static int push_committed(lua_State *L, struct pl_op *op)
{
    if (op->err.code != NULL)
        return push_error(L, op);
    struct pl_sql_request *r = pl_container_of(op, struct pl_sql_request, op);
    lua_createtable(L, (int)r->statements_len, 0);
    for (uint32_t i = 0; i < r->statements_len; i++) {
        const struct pl_sql_statement *s = &r->statements[i];
        lua_createtable(L, 0, 2);
        lua_pushnumber(L, (double)s->changes);
        lua_setfield(L, -2, "changes");
        if (s->rows > 0) {
            push_rows(L, r, s);
            lua_setfield(L, -2, "rows");
        }
        lua_rawseti(L, -2, (int)i + 1);
    }
    return 1;
}

static int push_done(lua_State *L, struct pl_op *op)
{
    if (op->err.code != NULL)
        return push_error(L, op);
    lua_pushboolean(L, 1);
    return 1;
}

static int push_queried(lua_State *L, struct pl_op *op)
{
    if (op->err.code != NULL)
        return push_error(L, op);
    struct pl_sql_request *r = pl_container_of(op, struct pl_sql_request, op);
    push_rows(L, r, &r->statements[0]);
    return 1;
}

static int push_first(lua_State *L, struct pl_op *op)
{
    if (op->err.code != NULL)
        return push_error(L, op);
    struct pl_sql_request *r = pl_container_of(op, struct pl_sql_request, op);
    push_rows(L, r, &r->statements[0]);
    lua_rawgeti(L, -1, 1);
    return 1;
}

/* --- calls
 * ----------------------------------------------------------------------------------------- */

static int submit(lua_State *L, struct pl_sql_request *r, bool write, pl_task_push push)
{
    struct pl_task *task = pl_task_current();
    struct pl_err err;
    uint64_t deadline = pl_task_deadline(task, 30000);
    int rc = write ? pl_sql_commit(r, pl_task_owner(task), deadline, &err)
                   : pl_sql_read(r, pl_task_owner(task), deadline, &err);
    if (rc < 0)
        return pl_lua_push_fail(L, &err);
    return pl_task_wait(L, &r->op, push);
}

/* db:commit{ {sql, ...}, ..., key=, urgent=, results= } -> {{changes=, rows=}, ...} | nil, err. One
 * transaction; `key` names what it is about, see pl_sql_key; `urgent`: see pl_sql_urgent.
 * `results = false`: -> true */
static int db_commit(lua_State *L)
{
    struct pl_sql *db = check_db(L);
    luaL_checktype(L, 2, LUA_TTABLE);
    int n = (int)lua_objlen(L, 2);
    luaL_argcheck(L, n > 0 && n <= 1000, 2, "1 to 1000 statements expected");
    luaL_checkstack(L, 16, NULL);
    struct pl_sql_request *r = pl_sql_request(db);
    pl_buf_reserve(&r->bytes, USUAL);
    for (int i = 1; i <= n; i++) {
        lua_rawgeti(L, 2, i);
        add_statement(L, r);
        lua_pop(L, 1);
    }
    lua_pushliteral(L, "key");
    lua_rawget(L, 2);
    size_t len;
    const char *key = lua_tolstring(L, -1, &len);
    if (key != NULL)
        pl_sql_key(r, key, len);
    lua_pushliteral(L, "urgent");
    lua_rawget(L, 2);
    if (lua_toboolean(L, -1))
        pl_sql_urgent(r);
    lua_pushliteral(L, "results");
    lua_rawget(L, 2);
    bool results = lua_isnil(L, -1) || lua_toboolean(L, -1);
    return submit(L, r, true, results ? push_committed : push_done);
}

static int query(lua_State *L, pl_task_push push)
{
    struct pl_sql *db = check_db(L);
    size_t len;
    const char *sql = luaL_checklstring(L, 2, &len);
    int top = lua_gettop(L);
    struct pl_sql_request *r = pl_sql_request(db);
    pl_sql_add(r, sql, len, -1);
    for (int i = 3; i <= top; i++)
        if (add_param(L, r, i) < 0)
            misuse(L, r, "a parameter is nil, a boolean, a number or a string");
    return submit(L, r, false, push);
}

/* db:query(sql, ...) -> rows | nil, err */
static int db_query(lua_State *L)
{
    return query(L, push_queried);
}

/* db:first(sql, ...) -> row | nil when there is none | nil, err */
static int db_first(lua_State *L)
{
    return query(L, push_first);
}

/* db:script(sql) -> true | nil, err: several statements in one exclusive transaction */
static int db_script(lua_State *L)
{
    struct pl_sql *db = check_db(L);
    size_t len;
    const char *sql = luaL_checklstring(L, 2, &len);
    struct pl_sql_request *r = pl_sql_request(db);
    pl_sql_add(r, sql, len, -1);
    r->script = true;
    return submit(L, r, true, push_done);
}

/* db:dialect() -> "sqlite" | "postgres" */
static int db_dialect(lua_State *L)
{
    lua_pushstring(L, check_db(L)->driver->name);
    return 1;
}

static int db_stats(lua_State *L)
{
    struct pl_sql_stats s;
    struct pl_sql *db = check_db(L);
    db->driver->stats(db, &s);
    lua_createtable(L, 0, 16);
#define FIELD(name, value)                                                                         \
    lua_pushnumber(L, (double)(value));                                                            \
    lua_setfield(L, -2, name)
    FIELD("groups", s.groups);
    FIELD("transactions", s.transactions);
    FIELD("failed", s.failed);
    FIELD("reads", s.reads);
    FIELD("commit_s", (double)s.commit_ns / 1e9);
    FIELD("commit_max_s", (double)s.commit_max_ns / 1e9);
    FIELD("queued", s.queued);
    FIELD("reads_queued", s.reads_queued);
    FIELD("retried", s.retried);
    FIELD("connections", s.connections);
    FIELD("connected", s.connected);
    FIELD("reconnects", s.reconnects);
    FIELD("cancels", s.cancels);
#undef FIELD
    return 1;
}

static int db_close(lua_State *L)
{
    struct handle *h = luaL_checkudata(L, 1, DB);
    struct pl_sql *db = h->db;
    h->db = NULL;
    if (db != NULL)
        db->driver->close(db);
    return 0;
}

struct pl_sql **pl_bind_sql_handle(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"commit", db_commit}, {"query", db_query},     {"first", db_first}, {"script", db_script},
        {"stats", db_stats},   {"dialect", db_dialect}, {"close", db_close}, {NULL, NULL},
    };
    struct handle *h = lua_newuserdata(L, sizeof *h);
    h->db = NULL;
    pl_bind_class(L, DB, methods, db_close);
    luaL_getmetatable(L, DB);
    lua_setmetatable(L, -2);
    return &h->db;
}
