/* What the process of an isolated state has answered, for Lua. Nothing of it is trusted. */
#include "bind/isolate_impl.h"

#include "base/utf8.h"
#include "engine/profile.h"
#include "engine/sandbox.h"
#include "engine/wire.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

static const struct pl_copy_limits limits = PL_COPY_LIMITS_DEFAULT;

void pl_isolate_unref(void *arg)
{
    struct pl_isolate_room *room = arg;
    if (--room->refs > 0)
        return;
    pl_cell_close(room->cell);
    free(room);
}

int pl_isolate_push_error(lua_State *L, const struct pl_err *err)
{
    pl_lua_push_fail(L, err);
    lua_pushliteral(L, "error");
    lua_replace(L, -3);
    return 2;
}

/* The process is not to be trusted with another question. */
static void refuse_answer(struct pl_isolate_room *room, struct pl_err *err)
{
    pl_cell_kill(room->cell, PL_CELL_PROTOCOL);
    pl_fail(err, "crashed", false, PL_ISOLATE_OP,
            "the process of '%s' has sent what no plugin can send, and was ended", room->name);
}

/* The head and body of the answer to an op that has ended well, behind what it says of memory. */
static const struct pl_frame *take_answer(struct pl_op *op, struct pl_isolate_room *room,
                                          struct pl_wire *in)
{
    const char *body;
    const struct pl_frame *head = pl_cell_answer(op, &body);
    *in = (struct pl_wire){body, body + head->size};
    memcpy(&room->memory, pl_wire_take(in, sizeof room->memory), sizeof room->memory);
    return head;
}

static int take_failure(struct pl_wire *in, struct pl_err *err)
{
    uint32_t head[2];
    const char *p = pl_wire_take(in, sizeof head);
    if (p == NULL)
        return -1;
    memcpy(head, p, sizeof head);
    const char *code = pl_frame_code(head[1]);
    size_t len = (size_t)(in->end - in->at);
    if (code == NULL || len >= PL_ERR_MESSAGE_MAX)
        return -1;
    pl_fail(err, code, head[0] != 0, PL_ISOLATE_OP, "%.*s", (int)len, in->at);
    pl_utf8_repair(err->message, strlen(err->message));
    return 0;
}

/* Pushes the values of an answer. -1 with `err` and the stack as before when they are none. */
static int push_values(lua_State *L, struct pl_wire *in)
{
    int n = 0, top = lua_gettop(L);
    struct pl_err err;
    while (in->at < in->end) {
        if (++n > PL_SANDBOX_VALUES_MAX || pl_wire_get(in, L, &limits, &err) < 0) {
            lua_settop(L, top);
            return -1;
        }
    }
    return n;
}

/* Where the waiting binding has left the handle of a call that goes on; 0: the call is new. */
static int call_index(lua_State *L)
{
    return lua_isboolean(L, 2) ? 1 : 0;
}

static void end_call(lua_State *L)
{
    if (call_index(L) == 0)
        return;
    struct pl_isolate_call *c = lua_touserdata(L, 1);
    if (c->room != NULL)
        pl_isolate_unref(c->room);
    c->room = NULL;
}

static int push_door(lua_State *L, struct pl_isolate_room *room, uint32_t id, uint64_t deadline_ns)
{
    lua_pushliteral(L, "door");
    if (call_index(L) != 0) {
        ((struct pl_isolate_call *)lua_touserdata(L, 1))->paused = true;
        lua_pushvalue(L, 1);
        return 2;
    }
    struct pl_isolate_call *c = lua_newuserdata(L, sizeof *c);
    *c = (struct pl_isolate_call){room, id, deadline_ns, true};
    room->refs++;
    luaL_getmetatable(L, PL_ISOLATE_CALL);
    lua_setmetatable(L, -2);
    return 2;
}

/* The outcome of start or answer. */
int pl_isolate_push_outcome(lua_State *L, struct pl_op *op)
{
    struct pl_isolate_room *room = pl_cell_arg(op);
    struct pl_err err = op->err;
    struct pl_wire in;
    if (err.code == NULL) {
        const struct pl_frame *head = take_answer(op, room, &in);
        bool done = head->type == PL_FRAME_DONE, door = head->type == PL_FRAME_DOOR;
        if (done || door) {
            int before = lua_gettop(L), n;
            int pushed = done ? (lua_pushliteral(L, "done"), 1)
                              : push_door(L, room, head->call, op->deadline_ns);
            n = push_values(L, &in);
            if (n > 0 && door && lua_type(L, before + pushed + 1) != LUA_TSTRING)
                n = -1;
            if (n >= 0 && (n > 0 || done)) {
                if (done)
                    end_call(L);
                return pushed + n;
            }
            lua_settop(L, before);
            refuse_answer(room, &err);
        } else if (head->type != PL_FRAME_FAIL || take_failure(&in, &err) < 0) {
            refuse_answer(room, &err);
        }
    }
    end_call(L);
    return pl_isolate_push_error(L, &err);
}

/* The outcome of a question that only succeeds or fails; `in` is what stands behind a success. */
static int take_verdict(struct pl_op *op, struct pl_wire *in, struct pl_err *err)
{
    struct pl_isolate_room *room = pl_cell_arg(op);
    *err = op->err;
    if (err->code != NULL)
        return -1;
    const struct pl_frame *head = take_answer(op, room, in);
    if (head->type == PL_FRAME_OK)
        return 0;
    if (head->type != PL_FRAME_FAIL || take_failure(in, err) < 0)
        refuse_answer(room, err);
    return -1;
}

int pl_isolate_push_compiled(lua_State *L, struct pl_op *op)
{
    struct pl_wire in;
    struct pl_err err;
    if (take_verdict(op, &in, &err) < 0)
        return pl_lua_push_fail(L, &err);
    lua_pushboolean(L, 1);
    return 1;
}

int pl_isolate_push_state(lua_State *L, struct pl_op *op)
{
    struct pl_wire in;
    struct pl_err err;
    if (take_verdict(op, &in, &err) < 0)
        return pl_lua_push_fail(L, &err);
    lua_pushvalue(L, 1);
    return 1;
}

int pl_isolate_push_profile(lua_State *L, struct pl_op *op)
{
    struct pl_wire in;
    struct pl_err err;
    if (take_verdict(op, &in, &err) < 0)
        return pl_lua_push_fail(L, &err);
    size_t len = (size_t)(in.end - in.at);
    if (len > PL_PROFILE_TEXT_MAX) {
        refuse_answer(pl_cell_arg(op), &err);
        return pl_lua_push_fail(L, &err);
    }
    lua_pushlstring(L, in.at, len);
    return 1;
}
