#include "engine/preempt.h"

#include "base/clock.h"
#include "engine/profile.h"
#include "engine/task_impl.h"
#include "loop/watchdog.h"

#include <errno.h>
#include <lauxlib.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Wall time that one slice is charged at most: a worker that the kernel took off its core for a
 * while does not make its plugins guilty. */
#define SLICE_CHARGE_NS (3 * PL_NS_PER_MS)

/* How often a slice that gives way looks for events. A look costs its plugin about 2 microseconds;
 * an event waits no longer behind it. */
#define LOOK_NS (50 * 1000ull)

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

static struct {
    timer_t timer;
    int signo;
    /* Shared with the handler, which runs on this same thread. */
    struct pl_task *volatile task;
    lua_State *volatile co;
    volatile sig_atomic_t timer_armed;
    volatile sig_atomic_t hooked;
    volatile sig_atomic_t sampling; /* the hook is to take a sample; it may be hooked, too */
    volatile int events;            /* pl_preempt_give_way */
} P = {.events = -1};

static void set_timer(uint64_t ns)
{
    struct itimerspec its = {.it_value = {.tv_nsec = (long)ns}};
    P.timer_armed = 1;
    timer_settime(P.timer, 0, &its, NULL);
}

/* When the timer has to come next for a task that has run for `ran`. */
static uint64_t next_look(const struct pl_task *task, uint64_t ran)
{
    uint64_t ns = P.events >= 0 ? LOOK_NS : ran < PL_SLICE_NS ? PL_SLICE_NS - ran : 1;
    if (task->state->profile == NULL)
        return ns;
    uint64_t sample = pl_profile_wait(task->state->profile);
    return sample != 0 && sample < ns ? sample : ns; /* one that is due has its hook */
}

static void charge(struct pl_task *task, uint64_t now)
{
    uint64_t ran = now - task->slice_start;
    if (ran > SLICE_CHARGE_NS)
        ran = SLICE_CHARGE_NS;
    task->cpu_ns += ran;
    task->slice_start = now;
    pl_share_charge(task->state->share, ran, now);
}

static const char *over_limit(struct pl_task *task)
{
    if (task->stop_code != NULL)
        return task->stop_code;
    if (task->state->broken)
        return pl_state_broken_code(task->state);
    if (task->cpu_limit_ns != 0 && task->cpu_ns > task->cpu_limit_ns)
        return "cpu_limit";
    if (task->deadline_ns != 0 && pl_live_ns() > task->deadline_ns)
        return PL_E_TIMEOUT;
    return NULL;
}

const char *pl_preempt_account(struct pl_task *task)
{
    charge(task, pl_now_ns());
    task->stop_code = over_limit(task);
    return task->stop_code;
}

/* Takes a sample. Returns whether the slice is over, too. The signal handler sees no coroutine
 * meanwhile: lua_sethook must not be interrupted by another one that wants something else. */
static bool take_sample(struct pl_task *task, lua_State *L)
{
    lua_State *co = P.co;
    P.co = NULL;
    P.sampling = 0;
    pl_profile_take(task, L);
    if (!P.hooked)
        lua_sethook(L, NULL, 0, 0);
    P.co = co;
    set_timer(next_look(task, pl_now_ns() - task->slice_start));
    return P.hooked;
}

static void hook(lua_State *L, lua_Debug *ar)
{
    (void)ar;
    struct pl_task *task = P.task;
    if (task == NULL || task->state != pl_state_of(L)) {
        lua_sethook(L, NULL, 0, 0);
        P.hooked = P.sampling = 0;
        return;
    }
    if (P.sampling && !take_sample(task, L))
        return;
    pl_preempt_account(task);
    if (lua_isyieldable(L)) {
        lua_sethook(L, NULL, 0, 0);
        P.hooked = 0;
        task->request = task->stop_code != NULL ? PL_REQ_STOPPED : PL_REQ_PREEMPTED;
        lua_yield(L, 0);
        return;
    }
    if (task->stop_code != NULL) {
        lua_sethook(L, hook, LUA_MASKCOUNT, 1);
        luaL_error(L, "stopped: %s", task->stop_code);
    }
    lua_sethook(L, hook, LUA_MASKCOUNT, 1000); /* cannot yield here: look again soon */
}

static bool must_end(uint64_t ran)
{
    if (ran >= PL_SLICE_NS)
        return true;
    struct pollfd events = {.fd = P.events, .events = POLLIN};
    return P.events >= 0 && poll(&events, 1, 0) != 0;
}

static void on_signal(int signo)
{
    (void)signo;
    int saved = errno;
    P.timer_armed = 0;
    struct pl_task *task = P.task;
    lua_State *co = P.co;
    if (task != NULL && co != NULL) {
        uint64_t ran = pl_now_ns() - task->slice_start;
        bool end = must_end(ran);
        bool sample = task->state->profile != NULL && pl_profile_wait(task->state->profile) == 0;
        if (end || sample)
            lua_sethook(co, hook, LUA_MASKCOUNT, 1);
        if (sample)
            P.sampling = 1;
        if (end)
            P.hooked = 1;
        else
            set_timer(next_look(task, ran));
    }
    errno = saved;
}

int pl_preempt_init(struct pl_err *err)
{
    memset(&P, 0, sizeof P);
    P.events = -1;
    P.signo = SIGRTMIN + 1;
    struct sigaction sa = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigemptyset(&sa.sa_mask);
    if (sigaction(P.signo, &sa, NULL) < 0)
        return pl_fail_errno(err, errno, "preempt.init", "sigaction");
    struct sigevent ev = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = P.signo};
    ev.sigev_notify_thread_id = (pid_t)syscall(SYS_gettid);
    if (timer_create(CLOCK_MONOTONIC, &ev, &P.timer) < 0)
        return pl_fail_errno(err, errno, "preempt.init", "timer_create");
    return 0;
}

void pl_preempt_close(void)
{
    timer_delete(P.timer);
}

static void enter_profiled(struct pl_profile *profile, lua_State *co)
{
    pl_profile_enter(profile);
    int count = pl_profile_count(profile);
    if (count == 0)
        return;
    P.sampling = 1;
    lua_sethook(co, hook, LUA_MASKCOUNT, count);
}

void pl_preempt_enter(struct pl_task *task, lua_State *co)
{
    task->slice_start = pl_now_ns();
    pl_watchdog_running_at(task->state->name, task->trace, task->slice_start);
    if (task->state->profile != NULL)
        enter_profiled(task->state->profile, co);
    P.co = co;
    P.task = task;
    if (!P.timer_armed || task->state->profile != NULL)
        set_timer(next_look(task, 0));
    if (task->stop_code != NULL || task->state->broken) {
        lua_sethook(co, hook, LUA_MASKCOUNT, 1);
        P.hooked = 1;
    }
}

void pl_preempt_leave(struct pl_task *task)
{
    lua_State *co = P.co;
    P.task = NULL;
    P.co = NULL;
    pl_watchdog_running(NULL);
    if (P.hooked || P.sampling) {
        lua_sethook(co, NULL, 0, 0);
        P.hooked = P.sampling = 0;
    }
    if (task->state->profile != NULL)
        pl_profile_leave(task->state->profile);
    charge(task, pl_now_ns());
}

void pl_preempt_sample(struct pl_state *state)
{
    if (P.task == NULL || P.task->state != state || P.co == NULL || P.sampling)
        return;
    P.sampling = 1;
    lua_sethook(P.co, hook, LUA_MASKCOUNT, 1);
}

void pl_preempt_give_way(int events)
{
    P.events = events;
    if (events >= 0)
        set_timer(LOOK_NS); /* it may be armed for a whole slice */
}

bool pl_preempt_used_slice(struct pl_task *task, uint64_t began)
{
    if (task->cpu_ns - began < PL_SLICE_NS)
        return false;
    task->stop_code = over_limit(task);
    return true;
}

bool pl_preempt_is_over(struct pl_task *task)
{
    task->stop_code = over_limit(task);
    return task->stop_code != NULL;
}

bool pl_preempt_due(const struct pl_state *state)
{
    return P.hooked && P.task != NULL && P.task->state == state;
}

void pl_preempt_stop(struct pl_state *state)
{
    struct pl_task *task = P.task;
    if (task == NULL || task->state != state || P.co == NULL)
        return;
    lua_sethook(P.co, hook, LUA_MASKCOUNT, 1);
    P.hooked = 1;
}
