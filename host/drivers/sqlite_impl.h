/* The inside of the SQLite driver, shared by its files only. */
#ifndef PL_DRIVERS_SQLITE_IMPL_H
#define PL_DRIVERS_SQLITE_IMPL_H

#include "base/handoff.h"
#include "drivers/sqlite.h"
#include "drivers/sqlite_checkpoint.h"
#include "drivers/sqlite_conn.h"

#define PL_SQLITE_READERS_MAX 16

struct pl_sqlite_worker {
    struct pl_sqlite *db;
    struct pl_sqlite_conn conn;
    uv_thread_t thread;
    bool started;
};

struct pl_sqlite {
    struct pl_sql sql;
    struct pl_sqlite_config config;
    char *path;
    uv_async_t async; /* work is done: finish the ops on the loop */
    /* The loop's thread only. */
    uint32_t refs;                        /* the handle, and each request that the workers hold */
    struct pl_list finish_urgent, finish; /* done, to be told so */

    /* Requests go to the writer and come back without a lock: see base/handoff.h. */
    struct pl_handoff writes, done, done_urgent;
    _Atomic uint32_t writes_len; /* that wait */
    atomic_bool writer_sleeps;   /* until write_sem is posted, by whoever takes this back */
    uv_sem_t write_sem;
    atomic_bool closing;

    uv_mutex_t read_mutex; /* these three */
    uv_cond_t read_cond;
    struct pl_list reads;
    uint32_t reads_len;

    _Atomic uint64_t reads_done;
    uv_mutex_t stats_mutex; /* the next; between the writer and who asks, seldom */
    struct pl_sql_stats stats;

    struct pl_sqlite_worker writer;
    struct pl_sqlite_checkpoint checkpoint;
    struct pl_sqlite_worker readers[PL_SQLITE_READERS_MAX];
};

/* sqlite_writer.c */

/* The thread that writes; `arg` is the writer. Ends when the database closes and nothing is left.
 */
void pl_sqlite_writer_main(void *arg);

/* Runs the statements of a request; -1 with the request's `err`. */
int pl_sqlite_run_statements(struct pl_sqlite_conn *c, struct pl_sql_request *r);

#endif
