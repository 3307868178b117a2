#include "engine/share.h"

#include "base/buf.h"
#include "engine/engine.h"
#include "engine/preempt.h"
#include "engine/task_impl.h"
#include "loop/events.h"
#include "loop/watchdog.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* What one plugin, and all together, may use of each half of a turn of the loop before their
 * further tasks wait.
 * A quick plugin takes 10 microseconds for a call: it never waits but under a load that keeps the
 * loop busy anyway. */
#define SHARE_NS PL_NS_PER_MS
#define TURN_NS  (4 * PL_NS_PER_MS)

/* What those who wait get in a turn while no event is there; timers are late by no more. */
#define QUIET_NS PL_NS_PER_MS

/* What they are owed whatever happens: a third of the time since their last slice, which is a
 * quarter of all. A turn pays a slice of it, or a third of what it has taken itself: events wait
 * behind that. So much may be owed at most. Before they wait for it they have a slice when no event
 * is there, which ends when one comes. */
#define OWED_PART   3
#define OWED_MAX_NS (4 * PL_NS_PER_MS)

/* A plugin is busy when it has used more than CREDIT_NS beside a tenth of the time in which it had
 * nothing to do; time in line is no such time. It is no longer when it has half of its credit back.
 * Of slices, busy plugins get one in BUSY_EVERY while others wait. */
#define CREDIT_NS   (5 * PL_NS_PER_MS)
#define CREDIT_PART 10
#define BUSY_EVERY  4

/* How long the thread sleeps after the slice of a busy plugin, unless an event comes: twice as long
 * by the slack that Linux gives timers. Work that the kernel does on this core - of a disk's flush,
 * which turns wait for - waits for milliseconds behind a thread that always computes, whatever its
 * priority: the scheduler of Linux 6.6 and later lets a thread finish what it was given. */
#define REST_NS (50 * 1000)

/* A rest is as long as others need the core then: on a machine that is overloaded some take
 * milliseconds. So that a plugin comes to the end of its budget all the same, its rests take half
 * of the time of its slices at most, of which so much may be saved for later. */
#define REST_PART     2
#define REST_SAVED_NS (5 * PL_NS_PER_MS)

void pl_shares_init(struct pl_engine *engine)
{
    struct pl_shares *shares = &engine->shares;
    for (uint32_t i = 0; i < PL_SHARE_BUCKETS; i++)
        pl_list_init(&shares->buckets[i]);
    pl_list_init(&shares->line[0]);
    pl_list_init(&shares->line[1]);
    shares->events = uv_backend_fd(&engine->loop->uv);
}

void pl_shares_close(struct pl_engine *engine)
{
    for (uint32_t i = 0; i < PL_SHARE_BUCKETS; i++) {
        struct pl_list *link;
        while ((link = pl_list_shift(&engine->shares.buckets[i])) != NULL) {
            struct pl_share *share = pl_container_of(link, struct pl_share, link);
            assert(pl_list_empty(&share->tasks));
            pl_list_remove(&share->line);
            free(share);
        }
    }
}

static struct pl_list *bucket_of(struct pl_engine *engine, const char *name)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (const char *p = name; *p != '\0'; p++)
        hash = (hash ^ (uint8_t)*p) * 16777619u;
    return &engine->shares.buckets[hash % PL_SHARE_BUCKETS];
}

struct pl_share *pl_share_of(struct pl_engine *engine, const char *name)
{
    struct pl_list *bucket = bucket_of(engine, name), *link, *next;
    pl_list_each (link, next, bucket) {
        struct pl_share *share = pl_container_of(link, struct pl_share, link);
        if (strcmp(share->name, name) == 0)
            return share;
    }
    struct pl_share *share = pl_xcalloc(1, sizeof *share);
    share->engine = engine;
    pl_list_init(&share->line);
    pl_list_init(&share->tasks);
    share->credit_ns = CREDIT_NS;
    strncpy(share->name, name, sizeof share->name - 1);
    pl_list_push(bucket, &share->link);
    return share;
}

/* Begins the counts of this half of a turn of the loop, when they are of another one: its events
 * and those who have waited. A caller whose call has waited makes its next ones without. */
static void refresh(struct pl_share *share)
{
    struct pl_shares *shares = &share->engine->shares;
    uint64_t turn = 2 * share->engine->loop->turns.number + shares->running;
    if (shares->turn != turn) {
        shares->turn = turn;
        shares->used_ns = 0;
    }
    if (share->turn != turn) {
        share->turn = turn;
        share->used_ns = 0;
    }
}

bool pl_share_is_free(struct pl_share *share)
{
    refresh(share);
    return pl_list_empty(&share->tasks) && share->used_ns < SHARE_NS &&
           share->engine->shares.used_ns < TURN_NS;
}

/* It owes half of its credit at most, so that one that has run away is as good as any other one
 * half a tenth of a second after. */
static void settle_credit(struct pl_share *share, uint64_t ns, uint64_t now)
{
    uint64_t idle = now - share->charged_at - ns;
    int64_t most = CREDIT_NS, least = -(int64_t)CREDIT_NS / 2;
    int64_t credit = share->credit_ns;
    credit = idle / CREDIT_PART < CREDIT_NS ? credit + (int64_t)(idle / CREDIT_PART) : most;
    credit = (credit < most ? credit : most) - (int64_t)ns;
    share->credit_ns = credit > least ? credit : least;
    share->charged_at = now;
    if (share->busy ? credit >= most / 2 : credit <= 0)
        share->busy = !share->busy;
}

void pl_share_charge(struct pl_share *share, uint64_t ns, uint64_t now)
{
    refresh(share);
    share->used_ns += ns;
    share->cpu_ns += ns;
    share->engine->shares.used_ns += ns;
    settle_credit(share, ns, now);
}

bool pl_shares_wait(const struct pl_shares *shares)
{
    return !pl_list_empty(&shares->line[0]) || !pl_list_empty(&shares->line[1]);
}

static void stand_in_line(struct pl_share *share)
{
    pl_list_push(&share->engine->shares.line[share->busy], &share->line);
}

void pl_share_wait(struct pl_task *task)
{
    struct pl_share *share = task->state->share;
    struct pl_shares *shares = &share->engine->shares;
    assert(pl_list_empty(&task->link));
    pl_list_push(&share->tasks, &task->link);
    if (!pl_shares_wait(shares) && !shares->running) {
        shares->ran_ns = pl_now_ns();
        shares->owed_ns = 0;
    }
    if (pl_list_empty(&share->line))
        stand_in_line(share);
    pl_engine_wake(share->engine);
}

uint32_t pl_share_waiting(const struct pl_share *share)
{
    uint32_t n = 0;
    for (const struct pl_list *link = share->tasks.next; link != &share->tasks; link = link->next)
        n++;
    return n;
}

/* The slice of one share: one long task, or as many short ones as fit. */
static void run(struct pl_share *share)
{
    uint64_t before = share->cpu_ns, until = before + PL_SLICE_NS;
    uint64_t preemptions = share->preemptions;
    struct pl_list *link;
    share->charged_at = pl_now_ns(); /* until now it has waited */
    while (share->cpu_ns < until && share->preemptions == preemptions &&
           (link = pl_list_shift(&share->tasks)) != NULL)
        pl_task_slice(pl_container_of(link, struct pl_task, link));
    if (!pl_list_empty(&share->tasks) && pl_list_empty(&share->line))
        stand_in_line(share);
    share->rest_ns += (int64_t)(share->cpu_ns - before) / REST_PART;
    if (share->rest_ns > (int64_t)REST_SAVED_NS)
        share->rest_ns = REST_SAVED_NS;
    if (share->busy && share->rest_ns > 0)
        share->engine->shares.tired = share;
}

static struct pl_share *next_in_line(struct pl_shares *shares)
{
    bool busy = pl_list_empty(&shares->line[0]) ||
                (!pl_list_empty(&shares->line[1]) && shares->ahead + 1 >= BUSY_EVERY);
    shares->ahead = busy || pl_list_empty(&shares->line[1]) ? 0 : shares->ahead + 1;
    return pl_container_of(pl_list_shift(&shares->line[busy]), struct pl_share, line);
}

/* Looks for events, for as long as the thread rests. Whoever looks from outside sees the plugin on
 * the CPU meanwhile: it is why nothing else is. */
static bool has_event(struct pl_engine *engine)
{
    struct pl_shares *shares = &engine->shares;
    struct pl_share *tired = shares->tired;
    shares->tired = NULL;
    if (tired == NULL || !pl_list_empty(&engine->ready))
        return pl_events_wait(shares->events, 0);
    tired->rests++;
    pl_watchdog_still(tired->name);
    uint64_t began = pl_now_ns();
    bool event = pl_events_wait(shares->events, REST_NS);
    tired->rest_ns -= (int64_t)(pl_now_ns() - began);
    pl_watchdog_running(NULL);
    return event;
}

/* What those who wait may take now, though events may be there: nothing before it is a slice. */
static uint64_t due(struct pl_shares *shares, uint64_t now)
{
    shares->owed_ns += (now - shares->ran_ns) / OWED_PART;
    if (shares->owed_ns > OWED_MAX_NS)
        shares->owed_ns = OWED_MAX_NS;
    if (shares->owed_ns < PL_SLICE_NS)
        return 0;
    uint64_t most = (now - shares->ran_ns) / OWED_PART;
    if (most < PL_SLICE_NS)
        most = PL_SLICE_NS;
    return shares->owed_ns < most ? shares->owed_ns : most;
}

void pl_shares_run(struct pl_engine *engine)
{
    struct pl_shares *shares = &engine->shares;
    if (!pl_shares_wait(shares))
        return;
    uint64_t began = pl_now_ns(), spent = 0;
    uint64_t owed = due(shares, began);
    shares->running = true;
    while (pl_shares_wait(shares) && (spent < owed || (spent < QUIET_NS && !has_event(engine)))) {
        if (spent >= owed)
            pl_collect_beside(engine);
        pl_preempt_give_way(spent < owed ? -1 : shares->events);
        run(next_in_line(shares));
        spent = pl_now_ns() - began;
    }
    shares->running = false;
    pl_preempt_give_way(-1);
    shares->owed_ns -= spent < shares->owed_ns ? spent : shares->owed_ns;
    shares->ran_ns = began + spent;
}
