/* The inside of host.isolate, for bind/isolate*.c only. */
#ifndef PL_BIND_ISOLATE_IMPL_H
#define PL_BIND_ISOLATE_IMPL_H

#include "base/frame.h"
#include "drivers/cell.h"
#include "engine/engine.h"

#define PL_ISOLATE_CALL "host.isolate.call" /* the class of struct pl_isolate_call */
#define PL_ISOLATE_OP   "isolate"

/* One process with one state. Held by its handle, by calls that wait at the door, and by questions
 * that are open; at the last one the process ends. */
struct pl_isolate_room {
    struct pl_cell *cell;
    struct pl_frame_memory memory; /* as of the newest answer */
    double limit;
    uint32_t refs;
    char name[48];
};

struct pl_isolate_call {
    struct pl_isolate_room *room; /* NULL when it has ended */
    uint32_t id;
    uint64_t deadline_ns; /* of every question about it */
    bool paused;          /* at the door */
};

/* Gives back one reference to a room. */
void pl_isolate_unref(void *room);

/* Pushes "error" and the table of `err`; returns 2. */
int pl_isolate_push_error(lua_State *L, const struct pl_err *err);

/* Of pl_task_wait, for an op whose argument is the room: the outcome of start or answer; what
 * compile has come to; the state that new has made, which is at index 1. For an answer the handle
 * of its call is at index 1 and a mark, a boolean, at index 2. */
int pl_isolate_push_outcome(lua_State *L, struct pl_op *op);
int pl_isolate_push_compiled(lua_State *L, struct pl_op *op);
int pl_isolate_push_state(lua_State *L, struct pl_op *op);

/* The same for profile: the text of engine/profile.h, as the process tells it. */
int pl_isolate_push_profile(lua_State *L, struct pl_op *op);

#endif
