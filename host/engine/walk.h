/* A walk over a Lua value that is to leave its state: by raw access only, so that no code of the
 * state runs, within limits, and handing what it finds to a sink. pl_copy (engine/copy.h) builds
 * the value anew in another state from it, pl_wire_put (engine/wire.h) writes it as bytes. */
#ifndef PL_ENGINE_WALK_H
#define PL_ENGINE_WALK_H

#include "engine/copy.h"

#define PL_WALK_DEPTH_MAX 64

struct pl_walk;

struct pl_sink {
    void (*text)(struct pl_walk *walk, const char *s, size_t len);
    /* nil, a boolean, a number or, by any other `type`, the JSON null; at `at` of walk->from */
    void (*scalar)(struct pl_walk *walk, int at, int type);
    /* A table of `pairs`, of which `items` are its sequence; its pairs follow, then close. */
    void (*open)(struct pl_walk *walk, uint32_t items, uint32_t pairs, bool array);
    void (*pair)(struct pl_walk *walk); /* a key and its value have been given */
    void (*close)(struct pl_walk *walk, bool array);
};

struct pl_walk {
    lua_State *from;
    const struct pl_copy_limits *limits;
    struct pl_err *err; /* never NULL */
    const struct pl_sink *sink;
    void *to; /* the sink's own */

    uint32_t nodes;
    size_t bytes;
    int depth;
    int key_at[PL_WALK_DEPTH_MAX]; /* where the key at hand is at each depth, for the path */
};

/* Room on the stack of `from` for a walk over the value at `idx`. To be called before anything is
 * protected: growing that stack inside would raise in `from`, and unwind into a call of another
 * state. Giving a value away does not fail because the giver is at its cap either. */
bool pl_walk_reserve(lua_State *from, int idx, const struct pl_copy_limits *limits);

/* Walks over the value at the absolute index `at`. -1 with walk->err when it may not cross; the
 * stack of `from` is then to be cut back by the caller. Raises only what the sink raises. */
int pl_walk(struct pl_walk *walk, int at);

#endif
