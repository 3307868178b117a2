/* What a sandboxed state spends its time and memory on, by function: samples of its stacks.
 *
 * A profile is made when somebody asks, and costs a state that has none one comparison in each
 * slice and in each allocation. While it is there, the hook that ends slices (engine/preempt.c)
 * also comes a few thousand times in a second of the state's own time, and after so many bytes that
 * it has allocated, and takes a sample: which functions of the plugin are on the stack. A sample
 * stands for all CPU time, or all bytes, since the one before, so that what runs in C for long, or
 * allocates much at once, counts in full for the function that has called it.
 *
 * What is kept is bounded: stacks beyond the bound are counted together, as "[other]". */
#ifndef PL_ENGINE_PROFILE_H
#define PL_ENGINE_PROFILE_H

#include "base/buf.h"

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

/* Bytes of a report. */
#define PL_PROFILE_TEXT_MAX (2u << 20)

struct pl_profile;
struct pl_state;
struct pl_task;

/* Begins to sample the state, or goes on: about every `every_ns` of its time, and about every
 * `every_bytes` that it allocates (0: never). */
void pl_profile_begin(struct pl_state *state, uint64_t every_ns, uint64_t every_bytes);

/* Ends it and forgets what was sampled. Harmless on a state that has none. */
void pl_profile_end(struct pl_state *state);

/* Appends what was sampled since the last report and begins anew. A line for each stack:
 *
 *     MICROSECONDS SAMPLES BYTES LINE FRAME;FRAME;...\n
 *
 * with the innermost frame last and LINE the one in it. A frame is "file:line", where the line is
 * that of the function's definition; "[sdk]" is what the host has put into the state. Frames have
 * no control characters. */
void pl_profile_report(struct pl_state *state, struct pl_buf *out);

/* --- for engine/preempt.c and engine/state.c ----------------------------------------------------
 */

/* The state is entered, or left, by a task. */
void pl_profile_enter(struct pl_profile *p);
void pl_profile_leave(struct pl_profile *p);

/* Nanoseconds until the next sample is due; 0: it is. May be called by a signal handler. */
uint64_t pl_profile_wait(const struct pl_profile *p);

/* When a sample is due as the state is entered: after how many instructions it is to be taken, so
 * that code which is too quick for any timer is met too, and not always at its beginning. 0: none
 * is. */
int pl_profile_count(struct pl_profile *p);

/* `n` bytes were allocated. Returns whether a sample is due. */
bool pl_profile_allocated(struct pl_profile *p, size_t n);

/* Takes what is due, in a hook of `L`, the innermost coroutine of the task that runs. Allocates
 * nothing in the state, and never raises. */
void pl_profile_take(struct pl_task *task, lua_State *L);

#endif
