/* Brings what is committed from SQLite's log, the WAL, into the database file. A commit that does
 * it takes 5 ms on a quick disk, and all turns behind it wait. So a thread with a connection of its
 * own does it beside the commits, until all but a few pages are there; the writer adds those in
 * between two groups, because the log can only begin anew when nothing of it is missing. */
#ifndef PL_DRIVERS_SQLITE_CHECKPOINT_H
#define PL_DRIVERS_SQLITE_CHECKPOINT_H

#include "drivers/sqlite_conn.h"

#include <stdbool.h>
#include <uv.h>

/* Functions of an open file, of which one is another. */
struct pl_sqlite_gentle {
    sqlite3_io_methods methods;
    const sqlite3_io_methods *real;
    uint32_t pages; /* written so far */
};

struct pl_sqlite_checkpoint {
    struct pl_sqlite_conn conn; /* the thread's */
    struct pl_sqlite_gentle gentle;
    sqlite3_file *file; /* the database's, of `conn` */
    uv_thread_t thread;
    bool started;

    int frames;  /* of the log, after the writer's last commit; the writer's alone, as the next */
    int next_at; /* so many frames are the next reason to begin */
    int passes;  /* of the thread, since the log has begun */

    uv_mutex_t mutex; /* all below */
    uv_cond_t wake;
    bool wanted, closing;
    int reached; /* frames that are in the file, by the thread's last pass; -1: none has ended */
};

/* Opens the connection and starts the thread, once the writer's is open. */
int pl_sqlite_checkpoint_start(struct pl_sqlite_checkpoint *ck,
                               const struct pl_sqlite_config *config, struct pl_sqlite_conn *writer,
                               struct pl_err *err);

/* Called by the writer after each group, whose callers know by then. */
void pl_sqlite_checkpoint_go_on(struct pl_sqlite_checkpoint *ck, struct pl_sqlite_conn *writer);

/* Ends the thread and closes its connection. The last connection of all brings the rest home. */
void pl_sqlite_checkpoint_stop(struct pl_sqlite_checkpoint *ck);

#endif
