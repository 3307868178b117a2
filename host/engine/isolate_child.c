#include "engine/isolate_child.h"

#include "base/clock.h"
#include "base/frame.h"
#include "engine/profile.h"
#include "engine/sandbox.h"
#include "engine/wire.h"
#include "loop/confine.h"
#include "loop/process.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SOCKET     0
#define READ_CHUNK (64u << 10)
#define KEEP_MAX   (256u << 10) /* a buffer that a large frame has grown goes back to the system */

/* A call of the plugin: runs, or waits at the door for the worker's answer. */
struct call {
    struct pl_list link;
    struct pl_task *task;
    uint32_t name;     /* id of the question that started it */
    uint32_t question; /* that waits for an answer; 0: the call waits at the door */
};

static struct {
    struct pl_loop loop;
    struct pl_engine engine;
    struct pl_state *state; /* NULL until the worker says what is to live here */
    struct pl_list calls;
    struct pl_buf in, out;
} C;

static const struct pl_copy_limits limits = PL_COPY_LIMITS_DEFAULT;

/* --- answers -------------------------------------------------------------------------------------
 */

static void send_all(const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = send(SOCKET, data, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            _exit(0); /* the worker is gone, or wants nothing more */
        data += n;
        len -= (size_t)n;
    }
}

static void begin(enum pl_frame_type type, uint32_t id, uint32_t call)
{
    struct pl_frame head = {.type = (uint32_t)type, .id = id, .call = call};
    struct pl_frame_memory memory = {0};
    pl_buf_clear(&C.out);
    pl_buf_append(&C.out, (const char *)&head, sizeof head);
    if (type == PL_FRAME_HELLO)
        return;
    if (C.state != NULL)
        memory = (struct pl_frame_memory){C.state->mem_used, C.state->mem_peak, C.state->broken};
    pl_buf_append(&C.out, (const char *)&memory, sizeof memory);
}

static void finish(void)
{
    uint32_t size = (uint32_t)(C.out.len - sizeof(struct pl_frame));
    memcpy(C.out.data + offsetof(struct pl_frame, size), &size, sizeof size);
    send_all(C.out.data, C.out.len);
    if (C.out.cap > KEEP_MAX)
        pl_buf_free(&C.out);
}

static void answer_fail(uint32_t id, uint32_t call, const struct pl_err *err)
{
    uint32_t head[2] = {err->retryable, pl_frame_code_index(err->code)};
    begin(PL_FRAME_FAIL, id, call);
    pl_buf_append(&C.out, (const char *)head, sizeof head);
    pl_buf_puts(&C.out, err->message);
    finish();
}

static void answer_ok(uint32_t id)
{
    begin(PL_FRAME_OK, id, 0);
    finish();
}

/* --- calls ---------------------------------------------------------------------------------------
 */

static struct call *find_call(uint32_t name)
{
    struct pl_list *pos, *tmp;
    pl_list_each (pos, tmp, &C.calls) {
        struct call *call = pl_container_of(pos, struct call, link);
        if (call->name == name)
            return call;
    }
    return NULL;
}

static void drop_call(struct call *call)
{
    pl_list_remove(&call->link);
    pl_task_unref(call->task);
    free(call);
}

static void fail_call(struct call *call, const struct pl_err *err)
{
    if (call->question != 0)
        answer_fail(call->question, call->name, err);
    call->question = 0;
    pl_sandbox_fail(call->task, err);
    drop_call(call);
}

/* Appends the values of `from`; a value that cannot cross fails the call. */
static int put_values(lua_State *from, struct pl_err *err)
{
    int n = lua_gettop(from);
    if (n > PL_SANDBOX_VALUES_MAX)
        return pl_fail(err, "invalid_response", false, "sandbox", "%d values, at most %d may cross",
                       n, PL_SANDBOX_VALUES_MAX);
    for (int i = 1; i <= n; i++)
        if (pl_wire_put(&C.out, from, i, &limits, err) < 0)
            return -1;
    return 0;
}

/* The call has stopped: answers what waits for it. */
static void answer_stopped(struct call *call)
{
    struct pl_task *task = call->task;
    struct pl_err err;
    bool paused = pl_task_get_status(task) == PL_TASK_PAUSED;
    if (pl_task_get_status(task) == PL_TASK_FAILED) {
        fail_call(call, pl_task_error(task));
        return;
    }
    begin(paused ? PL_FRAME_DOOR : PL_FRAME_DONE, call->question, call->name);
    if (put_values(paused ? pl_sandbox_door(task) : pl_task_coroutine(task), &err) < 0) {
        fail_call(call, &err);
        return;
    }
    finish();
    call->question = 0;
    if (!paused)
        drop_call(call);
}

static void on_stop(struct pl_task *task, void *arg)
{
    struct call *call = arg;
    (void)task;
    if (call->question != 0)
        answer_stopped(call);
}

/* Reads the rest of a frame as the arguments of a call, and runs it. */
static void run(struct call *call, struct pl_wire *in, lua_State *to)
{
    struct pl_err err;
    int n = 0;
    while (in->at < in->end) {
        if (pl_wire_get(in, to, &limits, &err) < 0) {
            fail_call(call, &err);
            return;
        }
        n++;
    }
    pl_sandbox_resume(call->task, n, on_stop, call);
    if (pl_task_get_status(call->task) != PL_TASK_READY)
        answer_stopped(call);
}

/* --- questions -----------------------------------------------------------------------------------
 */

/* The worker is trusted, and the same program: what does not fit is a mistake of ours. */
static _Noreturn void bad_frame(void)
{
    _exit(76); /* EX_PROTOCOL */
}

static const char *take(struct pl_wire *in, void *out, size_t n)
{
    const char *p = pl_wire_take(in, n);
    if (p == NULL)
        bad_frame();
    if (out != NULL)
        memcpy(out, p, n);
    return p;
}

/* A text of the frame with a NUL behind it; to be freed. */
static char *take_text(struct pl_wire *in)
{
    uint32_t len;
    take(in, &len, sizeof len);
    return pl_xmemdup(take(in, NULL, len), len);
}

static void set_clock(uint64_t advanced_ms)
{
    if (advanced_ms > pl_wall_advanced())
        pl_wall_advance(advanced_ms - pl_wall_advanced());
}

static void on_new(const struct pl_frame *head, struct pl_wire *in)
{
    struct pl_err err;
    uint64_t cap;
    take(in, &cap, sizeof cap);
    char *name = take_text(in);
    if (C.state != NULL)
        bad_frame();
    C.state = pl_sandbox_new(&C.engine, name, cap, in->at, (size_t)(in->end - in->at), &err);
    free(name);
    if (C.state == NULL)
        answer_fail(head->id, 0, &err);
    else
        answer_ok(head->id);
}

static void on_compile(const struct pl_frame *head, struct pl_wire *in)
{
    struct pl_err err;
    char *slot = take_text(in), *chunkname = take_text(in);
    int rc = pl_sandbox_compile(C.state, slot, in->at, (size_t)(in->end - in->at), chunkname, &err);
    free(slot);
    free(chunkname);
    if (rc < 0)
        answer_fail(head->id, 0, &err);
    else
        answer_ok(head->id);
}

static void on_load(const struct pl_frame *head, struct pl_wire *in)
{
    struct pl_err err;
    char *slot = take_text(in);
    int rc = pl_sandbox_load(C.state, slot, in->at, (size_t)(in->end - in->at), &err);
    free(slot);
    if (rc < 0)
        answer_fail(head->id, 0, &err);
    else
        answer_ok(head->id);
}

static void on_start(const struct pl_frame *head, struct pl_wire *in)
{
    struct pl_frame_start start;
    struct pl_err err;
    take(in, &start, sizeof start);
    set_clock(start.advanced_ms);
    char *slot = take_text(in);
    struct pl_task *task = pl_sandbox_call(C.state, slot, start.cpu_ms, start.timeout_ms, &err);
    free(slot);
    if (task == NULL) {
        answer_fail(head->id, head->id, &err);
        return;
    }
    struct call *call = pl_xcalloc(1, sizeof *call);
    *call = (struct call){.task = task, .name = head->id, .question = head->id};
    pl_list_init(&call->link);
    pl_list_push(&C.calls, &call->link);
    run(call, in, pl_task_coroutine(task));
}

static void on_answer(const struct pl_frame *head, struct pl_wire *in)
{
    uint64_t advanced_ms;
    take(in, &advanced_ms, sizeof advanced_ms);
    set_clock(advanced_ms);
    struct call *call = find_call(head->call);
    if (call == NULL || call->question != 0)
        bad_frame();
    call->question = head->id;
    struct pl_err err;
    if (pl_sandbox_check(call->task, &err) < 0) {
        fail_call(call, &err);
        return;
    }
    lua_State *to = pl_sandbox_door(call->task);
    lua_settop(to, 0);
    run(call, in, to);
}

static void on_stop_frame(const struct pl_frame *head)
{
    struct call *call = find_call(head->call);
    struct pl_err err;
    if (call == NULL)
        return; /* it ended meanwhile */
    pl_fail(&err, PL_E_CANCELLED, false, "sandbox", "stopped");
    fail_call(call, &err);
}

static void on_profile(const struct pl_frame *head, struct pl_wire *in)
{
    struct pl_frame_profile how;
    take(in, &how, sizeof how);
    begin(PL_FRAME_OK, head->id, 0);
    pl_profile_report(C.state, &C.out);
    finish();
    if (how.every_ns != 0)
        pl_profile_begin(C.state, how.every_ns, how.every_bytes);
    else
        pl_profile_end(C.state);
}

static void on_frame(const struct pl_frame *head, struct pl_wire in)
{
    if (C.state == NULL && head->type != PL_FRAME_NEW)
        bad_frame();
    switch (head->type) {
    case PL_FRAME_NEW:
        on_new(head, &in);
        return;
    case PL_FRAME_COMPILE:
        on_compile(head, &in);
        return;
    case PL_FRAME_LOAD:
        on_load(head, &in);
        return;
    case PL_FRAME_START:
        on_start(head, &in);
        return;
    case PL_FRAME_ANSWER:
        on_answer(head, &in);
        return;
    case PL_FRAME_STOP:
        on_stop_frame(head);
        return;
    case PL_FRAME_PROFILE:
        on_profile(head, &in);
        return;
    default:
        bad_frame();
    }
}

/* --- the loop ------------------------------------------------------------------------------------
 */

/* Handles one frame when it is there as a whole. */
static bool next_frame(void)
{
    struct pl_frame head;
    if (C.in.len < sizeof head)
        return false;
    memcpy(&head, C.in.data, sizeof head);
    if (head.size > PL_FRAME_BODY_MAX)
        bad_frame();
    size_t whole = sizeof head + head.size;
    if (C.in.len < whole) {
        pl_buf_reserve(&C.in, whole - C.in.len);
        return false;
    }
    const char *body = C.in.data + sizeof head;
    on_frame(&head, (struct pl_wire){body, body + head.size});
    pl_buf_consume(&C.in, whole);
    if (C.in.len == 0 && C.in.cap > KEEP_MAX)
        pl_buf_free(&C.in);
    return true;
}

/* Takes in what has come; waits for it when nothing is to be run. That is a turn of the loop here:
 * the socket is its only event. */
static void receive(void)
{
    C.loop.turns.number++;
    int flags = C.engine.idle_active ? MSG_DONTWAIT : 0;
    if (flags == 0)
        pl_live_wait(-1); /* what the worker takes its time for is no standing still */
    pl_buf_reserve(&C.in, READ_CHUNK);
    ssize_t n = recv(SOCKET, C.in.data + C.in.len, C.in.cap - C.in.len, flags);
    pl_live_wait(0);
    if (n > 0)
        C.in.len += (size_t)n;
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        _exit(0); /* the worker has let go */
}

static _Noreturn void serve(void)
{
    for (;;) {
        while (next_frame())
            continue;
        if (C.engine.idle_active)
            pl_engine_turn(&C.engine);
        receive();
    }
}

int pl_isolate_child_main(void)
{
    struct pl_err err;
    struct pl_frame_hello hello = {0};
    pl_list_init(&C.calls);
    prctl(PR_SET_NAME, "parley-plugin");
    if (pl_loop_init(&C.loop, &err) < 0 || pl_engine_init(&C.engine, &C.loop, &err) < 0)
        goto fail;
    /* What the program itself takes, so that a limit on top of it is one for the plugin. */
    pl_process_sizes(&hello.address_space, &hello.data);
    C.engine.shares.events = SOCKET;
    C.engine.alone = true;
    tzset(); /* strftime would read the time zone's file when it is first asked */
    if (pl_confine(&hello.landlock, &err) < 0)
        goto fail;
    begin(PL_FRAME_HELLO, 0, 0);
    pl_buf_append(&C.out, (const char *)&hello, sizeof hello);
    finish();
    serve();
fail:
    answer_fail(0, 0, &err);
    return 71; /* EX_OSERR */
}
