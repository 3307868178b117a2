#include "engine/profile.h"

#include "base/clock.h"
#include "engine/task_impl.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SLOTS     8192 /* a power of two, twice STACKS */
#define STACKS    4096
#define TEXT_MAX  (1u << 20)
#define FRAMES    48  /* the innermost ones */
#define LEVELS    160 /* of one coroutine that are looked at */
#define FRAME_MAX 80

/* What is to come so soon is due: a timer that is set to less is late anyway. */
#define NEAR_NS (20 * 1000ull)

/* Instructions, on average: they take a few microseconds. */
#define COUNT 1000

struct stack {
    uint32_t at, len; /* its text in `text` */
    uint32_t hash;
    uint64_t cpu_ns, samples, bytes;
};

/* A line has three numbers before its text. */
_Static_assert(TEXT_MAX + STACKS * 64 <= PL_PROFILE_TEXT_MAX, "a report fits");

struct pl_profile {
    uint64_t every_ns, every_bytes;
    uint64_t random;
    bool inside;          /* a task is in the state */
    uint64_t due_ns;      /* when the next sample is, while inside; pl_now_ns */
    uint64_t wait_ns;     /* until then, while outside */
    uint64_t cpu_mark;    /* CPU time of the thread when `cpu_ns` was counted */
    uint64_t cpu_ns;      /* since the last sample */
    uint64_t bytes;       /* since the last sample */
    uint64_t bytes_limit; /* when one is due */
    uint32_t count;
    struct pl_buf text;
    struct stack stacks[STACKS];
    uint16_t slots[SLOTS]; /* index + 1 */
};

static uint64_t thread_cpu(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * PL_NS_PER_S + (uint64_t)t.tv_nsec;
}

/* Around `mean`: what a plugin does in a rhythm must not always be met at the same beat. */
static uint64_t about(struct pl_profile *p, uint64_t mean)
{
    p->random ^= p->random << 13;
    p->random ^= p->random >> 7;
    p->random ^= p->random << 17;
    return mean / 2 + p->random % (mean + 1);
}

/* --- life ----------------------------------------------------------------------------------------
 */

void pl_profile_begin(struct pl_state *state, uint64_t every_ns, uint64_t every_bytes)
{
    assert(state->sandboxed && every_ns > 0);
    struct pl_profile *p = state->profile;
    if (p == NULL) {
        p = pl_xcalloc(1, sizeof *p);
        p->random = pl_now_ns() | 1;
        p->wait_ns = every_ns / 2;
    }
    p->every_ns = every_ns;
    p->every_bytes = every_bytes;
    p->bytes_limit = every_bytes != 0 ? about(p, every_bytes) : 0;
    state->profile = p;
}

void pl_profile_end(struct pl_state *state)
{
    if (state->profile == NULL)
        return;
    pl_buf_free(&state->profile->text);
    free(state->profile);
    state->profile = NULL;
}

/* --- what is kept --------------------------------------------------------------------------------
 */

static uint32_t hash_of(const char *s, size_t len)
{
    uint32_t h = 2166136261u; /* FNV-1a */
    for (size_t i = 0; i < len; i++)
        h = (h ^ (unsigned char)s[i]) * 16777619u;
    return h;
}

/* The slot of a text: that which has it, or an empty one. */
static uint32_t find_slot(const struct pl_profile *p, const char *s, size_t len, uint32_t hash)
{
    uint32_t at = hash & (SLOTS - 1);
    for (; p->slots[at] != 0; at = (at + 1) & (SLOTS - 1)) {
        const struct stack *k = &p->stacks[p->slots[at] - 1];
        if (k->hash == hash && k->len == len && memcmp(p->text.data + k->at, s, len) == 0)
            break;
    }
    return at;
}

static struct stack *keep(struct pl_profile *p, const char *s, size_t len)
{
    uint32_t hash = hash_of(s, len), slot = find_slot(p, s, len, hash);
    if (p->slots[slot] != 0)
        return &p->stacks[p->slots[slot] - 1];
    static const char other[] = "0 [other]";
    bool last = strcmp(s, other) == 0; /* there is always room for this one */
    if (!last && (p->count == STACKS - 1 || p->text.len + len > TEXT_MAX))
        return keep(p, other, sizeof other - 1);
    struct stack *k = &p->stacks[p->count++];
    *k = (struct stack){.at = (uint32_t)p->text.len, .len = (uint32_t)len, .hash = hash};
    pl_buf_append(&p->text, s, len);
    p->slots[slot] = (uint16_t)p->count;
    return k;
}

void pl_profile_report(struct pl_state *state, struct pl_buf *out)
{
    struct pl_profile *p = state->profile;
    if (p == NULL)
        return;
    for (uint32_t i = 0; i < p->count; i++) {
        const struct stack *k = &p->stacks[i];
        pl_buf_printf(out, "%llu %llu %llu ", (unsigned long long)(k->cpu_ns / 1000),
                      (unsigned long long)k->samples, (unsigned long long)k->bytes);
        pl_buf_append(out, p->text.data + k->at, k->len);
        pl_buf_putc(out, '\n');
    }
    p->count = 0;
    pl_buf_clear(&p->text);
    memset(p->slots, 0, sizeof p->slots);
}

/* --- time and memory -----------------------------------------------------------------------------
 */

void pl_profile_enter(struct pl_profile *p)
{
    p->due_ns = pl_now_ns() + p->wait_ns;
    p->cpu_mark = thread_cpu();
    p->inside = true;
}

static void count_cpu(struct pl_profile *p)
{
    uint64_t now = thread_cpu();
    p->cpu_ns += now - p->cpu_mark;
    p->cpu_mark = now;
}

/* What is due and has found no instruction is so when the state is entered again. */
void pl_profile_leave(struct pl_profile *p)
{
    if (!p->inside)
        return; /* it was asked for in the middle of a slice */
    count_cpu(p);
    p->wait_ns = pl_profile_wait(p);
    p->inside = false;
}

uint64_t pl_profile_wait(const struct pl_profile *p)
{
    if (!p->inside)
        return p->every_ns;
    uint64_t now = pl_now_ns();
    return now + NEAR_NS < p->due_ns ? p->due_ns - now : 0;
}

int pl_profile_count(struct pl_profile *p)
{
    return pl_profile_wait(p) == 0 ? 1 + (int)about(p, COUNT) : 0;
}

bool pl_profile_allocated(struct pl_profile *p, size_t n)
{
    if (!p->inside || p->every_bytes == 0)
        return false;
    p->bytes += n;
    return p->bytes >= p->bytes_limit;
}

/* --- samples -------------------------------------------------------------------------------------
 */

struct frames {
    char text[FRAMES][FRAME_MAX]; /* innermost first */
    int count;
    int line;     /* in the innermost */
    bool sdk;     /* what is innermost is the host's */
    bool reached; /* a frame of the author's was met */
};

/* The end of the chunk's name: what it is in the plugin's folder. */
static const char *file_of(const char *source)
{
    const char *slash = strchr(source, '/');
    return slash != NULL ? slash + 1 : source + 1;
}

static void put_frame(struct frames *f, const lua_Debug *ar)
{
    char *text = f->text[f->count++];
    snprintf(text, FRAME_MAX, "%.60s:%d", file_of(ar->source), ar->linedefined);
    for (char *c = text; *c != '\0'; c++)
        if ((unsigned char)*c < ' ' || *c == ';' || *c == 0x7f)
            *c = '_';
}

static void look(struct frames *f, lua_State *L)
{
    lua_Debug ar;
    for (int level = 0; level < LEVELS && f->count < FRAMES && lua_getstack(L, level, &ar);
         level++) {
        lua_getinfo(L, "Sl", &ar);
        bool own = *ar.source == '@';
        if (own) {
            if (!f->reached)
                f->line = f->sdk ? 0 : ar.currentline;
            f->reached = true;
            put_frame(f, &ar);
        } else if (!f->reached && *ar.what != 'C') {
            f->sdk = true;
        }
    }
}

static struct stack *sample(struct pl_profile *p, struct pl_task *task, lua_State *L)
{
    struct frames f = {.count = 0};
    char text[16 + (FRAMES + 1) * FRAME_MAX];
    look(&f, L);
    for (uint32_t i = task->depth; i > 0; i--) {
        lua_State *outer = i > 1 ? task->nested[i - 2] : task->co;
        if (outer != L)
            look(&f, outer);
    }
    int len = snprintf(text, sizeof text, "%d ", f.line);
    for (int i = f.count - 1; i >= 0; i--)
        len += snprintf(text + len, sizeof text - (size_t)len, "%s%s", f.text[i],
                        i > 0 || f.sdk ? ";" : "");
    if (f.sdk || f.count == 0)
        len += snprintf(text + len, sizeof text - (size_t)len, "[sdk]");
    return keep(p, text, (size_t)len);
}

void pl_profile_take(struct pl_task *task, lua_State *L)
{
    struct pl_profile *p = task->state->profile;
    if (p == NULL || !p->inside)
        return;
    bool by_time = pl_profile_wait(p) == 0;
    bool by_bytes = p->every_bytes != 0 && p->bytes >= p->bytes_limit;
    if (!by_time && !by_bytes)
        return;
    struct stack *k = sample(p, task, L);
    if (by_time) {
        count_cpu(p);
        k->cpu_ns += p->cpu_ns;
        k->samples++;
        p->cpu_ns = 0;
        p->due_ns = pl_now_ns() + about(p, p->every_ns);
        p->cpu_mark = thread_cpu(); /* its own cost is not the plugin's */
    }
    if (by_bytes) {
        k->bytes += p->bytes;
        p->bytes = 0;
        p->bytes_limit = about(p, p->every_bytes);
    }
}
