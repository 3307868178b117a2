/* What a child that has been taken over may send as values: any bytes, into the core and into a
 * capped state. What is refused leaves the stack as it was; what is taken is a value that crosses
 * again, unchanged, by bytes and by copy. */
#include "engine/wire.h"
#include "check.h"
#include "engine/engine.h"

#include <string.h>

#define CAP (1 << 20)

static struct pl_loop loop;
static struct pl_engine engine;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    CHECK(pl_loop_init(&loop, NULL) == 0);
    CHECK(pl_engine_init(&engine, &loop, NULL) == 0);
    return 0;
}

/* Takes a value and says what must hold; true: it is on top of `to`. */
static bool get(struct pl_wire *in, lua_State *to, const struct pl_copy_limits *limits)
{
    struct pl_err err = {.code = NULL};
    int top = lua_gettop(to);
    const char *before = in->at;
    int rc = pl_wire_get(in, to, limits, &err);
    CHECK(lua_gettop(to) == top + (rc == 0));
    CHECK((rc == 0) == (err.code == NULL));
    CHECK(in->at <= in->end && (rc != 0 || in->at > before));
    return rc == 0;
}

/* Bytes of the value on top of `from`, which has crossed within the limits already. */
static struct pl_buf put(lua_State *from, const struct pl_copy_limits *limits)
{
    struct pl_buf out = {0};
    int top = lua_gettop(from);
    CHECK(pl_wire_put(&out, from, -1, limits, NULL) == 0);
    CHECK(lua_gettop(from) == top);
    CHECK(out.len <= PL_WIRE_VALUE_MAX(*limits));
    return out;
}

/* The order of a table's pairs is its own, so that bytes are compared by their number. */
static void cross_again(lua_State *core, lua_State *plugin, const struct pl_copy_limits *limits)
{
    struct pl_buf first = put(core, limits);
    struct pl_wire in = {first.data, first.data + first.len};
    CHECK(get(&in, core, limits) && in.at == in.end);
    struct pl_buf second = put(core, limits);
    CHECK(second.len == first.len);
    pl_buf_free(&second);
    if (pl_copy(plugin, core, -1, limits, NULL) == 0) {
        second = put(plugin, limits);
        CHECK(second.len == first.len);
        pl_buf_free(&second);
    }
    pl_buf_free(&first);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pl_copy_limits limits = PL_COPY_LIMITS_DEFAULT;
    if (size > 3 && data[0] & 1)
        limits = (struct pl_copy_limits){data[1] % 70, data[2], data[3]};
    struct pl_state *state = pl_state_capped(&engine, "fuzz", CAP, NULL);
    CHECK(state != NULL);
    /* As a sandbox does when it is made: the first use of an address in a state takes memory. */
    pl_lua_push_array_mt(state->L);
    lua_pop(state->L, 1);
    int ref_core, ref_plugin;
    lua_State *core = pl_state_coroutine(engine.core, &ref_core);
    lua_State *plugin = pl_state_coroutine(state, &ref_plugin);

    const char *bytes = (const char *)data + (size > 0);
    struct pl_wire in = {bytes, (const char *)data + size}, again = in;
    for (int i = 0; i < 16 && in.at < in.end && get(&in, core, &limits); i++)
        cross_again(core, plugin, &limits);
    if (size > 0 && data[0] & 2)
        state->mem_limit = state->mem_used + data[0] * 16u;
    for (int i = 0; i < 16 && again.at < again.end && get(&again, plugin, &limits); i++)
        lua_pop(plugin, 1);
    pl_state_release(engine.core, core, ref_core, true);
    pl_state_unref(state);
    return 0;
}

/* See host/main.c. */
const char *__lsan_default_suppressions(void)
{
    return "leak:libluajit\n";
}
