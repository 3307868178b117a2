/* The inside of the intake: what its thread has, what the main loop has, and what both use. */
#ifndef PL_DRIVERS_INTAKE_IMPL_H
#define PL_DRIVERS_INTAKE_IMPL_H

#include "base/handoff.h"
#include "drivers/intake.h"
#include "drivers/intake_sources.h"
#include "drivers/spool.h"

#include <stdatomic.h>
#include <uv.h>

#define PL_INTAKE_SERVERS 4

/* A request that waits for the next commit. */
struct pl_intake_item {
    struct pl_http_exchange *x;
    struct pl_intake_row *row;
    uint64_t since;
};

/* Rows that are done, first to last. */
struct pl_intake_range {
    int64_t first, last;
};

struct pl_intake_ranges {
    struct pl_intake_range *at;
    size_t len, cap;
};

struct pl_intake {
    struct pl_intake_config config; /* its strings are copies */

    /* both */
    struct pl_handoff parcels, parcels_home, rows_home;
    uv_async_t wake; /* in the thread's loop */
    uv_async_t come; /* in the main loop */
    _Atomic bool draining, closing;
    uv_mutex_t mutex; /* of what follows; held for moments */
    int socket;       /* to accept from; -1: none, or the thread has it */
    struct pl_intake_sources sources;
    struct pl_intake_ranges done;
    struct pl_intake_stats stats;

    /* the thread's */
    uv_thread_t thread;
    struct pl_loop loop;
    uv_check_t check;
    uv_timer_t clean;
    struct pl_http_server *server;
    struct pl_spool spool;
    bool fits; /* the request that was looked at last, of this source */
    char name[PL_INTAKE_NAME_MAX + 1];
    struct pl_intake_item *batch;
    size_t batch_len, batch_cap;
    struct pl_intake_ranges removing;
    uint64_t stored, commits;

    /* the main loop's */
    struct pl_loop *main;
    struct pl_list rows;   /* that nobody has taken */
    struct pl_op *waiting; /* pending; a reference is held */
    struct pl_http_server *servers[PL_INTAKE_SERVERS];
    int servers_len;
    struct pl_http_server *shared; /* of those: its socket is the thread's, too */
    uint32_t refs;                 /* the owner, the handle, who is in a callback */
};

/* --- intake_thread.c */

/* Makes what the thread runs, in the calling thread, which starts it. */
void pl_intake_thread_init(struct pl_intake *in);
void pl_intake_thread_main(void *arg);

/* Has its loop end. */
void pl_intake_thread_stop(struct pl_intake *in);

/* --- intake_fit.c */

/* Whether a request is one that a source may bring, and there is room for it; `name` gets the
 * source's. In any thread. */
bool pl_intake_fits(struct pl_intake *in, const struct pl_http_request_data *r,
                    char name[PL_INTAKE_NAME_MAX + 1]);

/* Whether a body may be stored. */
bool pl_intake_body_fits(const struct pl_intake_config *c, const char *body, size_t len);

/* --- intake_ranges.c */

void pl_intake_ranges_add(struct pl_intake_ranges *r, int64_t id);
void pl_intake_ranges_move(struct pl_intake_ranges *to, struct pl_intake_ranges *from);

#endif
