#include "drivers/sqlite_checkpoint.h"

#include <time.h>

/* Frames, each a page of 4 KiB. At BEGIN the thread begins; of what it leaves, because commits went
 * on, the writer takes FEW; at MOST the writer does all of it: a log that only grows would fill the
 * disk. A reader of an old snapshot keeps the log from beginning anew: it is tried after AGAIN
 * more.
 */
#define BEGIN  4000
#define FEW    100
#define AGAIN  1000
#define MOST   32000
#define PASSES 3

/* The pass of the thread is made of small pieces: after so many pages it sleeps for REST_US, and
 * after so many it waits for the disk. What the kernel does on its core for a commit's flush would
 * wait for all of its 3 ms, and the flush itself for all that the disk has to write. */
#define REST_PAGES 8
#define REST_US    50
#define SYNC_PAGES 16

static int write_gently(sqlite3_file *file, const void *data, int len, sqlite3_int64 at)
{
    struct pl_sqlite_gentle *gentle =
        pl_container_of(file->pMethods, struct pl_sqlite_gentle, methods);
    int rc = gentle->real->xWrite(file, data, len, at);
    if (rc != SQLITE_OK || ++gentle->pages % REST_PAGES != 0)
        return rc;
    if (gentle->pages % SYNC_PAGES == 0)
        return gentle->real->xSync(file, SQLITE_SYNC_NORMAL | SQLITE_SYNC_DATAONLY);
    struct timespec rest = {.tv_nsec = REST_US * 1000};
    nanosleep(&rest, NULL);
    return SQLITE_OK;
}

/* Puts write_gently in front of the file's own functions, for this connection. */
static int make_gentle(struct pl_sqlite_checkpoint *ck, struct pl_err *err)
{
    sqlite3_file *file = NULL;
    if (sqlite3_file_control(ck->conn.db, "main", SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK ||
        file->pMethods == NULL)
        return pl_fail(err, PL_E_IO, false, "sqlite.open", "the database file is not open");
    ck->gentle = (struct pl_sqlite_gentle){*file->pMethods, file->pMethods, 0};
    ck->gentle.methods.xWrite = write_gently;
    file->pMethods = &ck->gentle.methods;
    ck->file = file;
    return 0;
}

/* Frames that are in the file; -1: it was not possible now. Whatever failed - the disk is full, a
 * reader has the file - is no loss: the log has it all, and the next pass takes it. */
static int checkpoint(struct pl_sqlite_conn *c)
{
    int frames, copied;
    int rc = sqlite3_wal_checkpoint_v2(c->db, "main", SQLITE_CHECKPOINT_PASSIVE, &frames, &copied);
    return rc == SQLITE_OK ? copied : -1;
}

static void thread_main(void *arg)
{
    struct pl_sqlite_checkpoint *ck = arg;
    uv_mutex_lock(&ck->mutex);
    for (;;) {
        while (!ck->wanted && !ck->closing)
            uv_cond_wait(&ck->wake, &ck->mutex);
        if (ck->closing)
            break;
        uv_mutex_unlock(&ck->mutex);
        int reached = checkpoint(&ck->conn);
        /* SQLite waits for the disk only when nothing is left to be copied. */
        if (reached > 0 && ck->file->pMethods->xSync(ck->file, SQLITE_SYNC_NORMAL) != SQLITE_OK)
            reached = -1;
        uv_mutex_lock(&ck->mutex);
        ck->reached = reached;
        ck->wanted = false;
    }
    uv_mutex_unlock(&ck->mutex);
}

static int on_commit(void *arg, sqlite3 *db, const char *name, int frames)
{
    (void)db, (void)name;
    struct pl_sqlite_checkpoint *ck = arg;
    if (frames < ck->frames) { /* it has begun anew */
        ck->next_at = BEGIN;
        ck->passes = 0;
    }
    ck->frames = frames;
    return SQLITE_OK;
}

int pl_sqlite_checkpoint_start(struct pl_sqlite_checkpoint *ck,
                               const struct pl_sqlite_config *config, struct pl_sqlite_conn *writer,
                               struct pl_err *err)
{
    ck->next_at = BEGIN;
    ck->reached = -1;
    if (pl_sqlite_conn_open(&ck->conn, config, false, err) < 0)
        return -1;
    if (make_gentle(ck, err) < 0) {
        pl_sqlite_conn_close(&ck->conn);
        return -1;
    }
    uv_mutex_init(&ck->mutex);
    uv_cond_init(&ck->wake);
    int rc = uv_thread_create(&ck->thread, thread_main, ck);
    if (rc < 0) {
        uv_mutex_destroy(&ck->mutex);
        uv_cond_destroy(&ck->wake);
        pl_sqlite_conn_close(&ck->conn);
        return pl_fail_errno(err, -rc, "sqlite.open", "cannot start a thread");
    }
    ck->started = true;
    sqlite3_wal_hook(writer->db, on_commit, ck);
    return 0;
}

/* What the thread has reached; -1 before its first pass. False: it is at it. */
static bool ask(struct pl_sqlite_checkpoint *ck, int *reached)
{
    uv_mutex_lock(&ck->mutex);
    bool at_it = ck->wanted;
    *reached = ck->reached;
    uv_mutex_unlock(&ck->mutex);
    return !at_it;
}

static void begin_pass(struct pl_sqlite_checkpoint *ck)
{
    ck->passes++;
    uv_mutex_lock(&ck->mutex);
    ck->wanted = true;
    uv_cond_signal(&ck->wake);
    uv_mutex_unlock(&ck->mutex);
}

void pl_sqlite_checkpoint_go_on(struct pl_sqlite_checkpoint *ck, struct pl_sqlite_conn *writer)
{
    int reached;
    if (ck->frames < ck->next_at || (!ask(ck, &reached) && ck->frames < MOST))
        return;
    bool few = ck->passes > 0 && reached >= 0 && ck->frames - reached <= FEW;
    if (!few && ck->passes < PASSES && ck->frames < MOST) {
        begin_pass(ck);
        return;
    }
    checkpoint(writer);
    ck->passes = 0;
    ck->next_at = ck->frames + AGAIN; /* unless the next commit begins the log anew */
}

void pl_sqlite_checkpoint_stop(struct pl_sqlite_checkpoint *ck)
{
    if (!ck->started)
        return;
    uv_mutex_lock(&ck->mutex);
    ck->closing = true;
    uv_cond_signal(&ck->wake);
    uv_mutex_unlock(&ck->mutex);
    uv_thread_join(&ck->thread);
    uv_mutex_destroy(&ck->mutex);
    uv_cond_destroy(&ck->wake);
    pl_sqlite_conn_close(&ck->conn);
    ck->started = false;
}
