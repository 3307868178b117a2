#include "drivers/spool.h"

#include <stdlib.h>
#include <string.h>

#define OP "spool"

/* Commits since the log was brought home. The table is almost empty all the time: they are a few
 * pages again and again, so that bringing them home writes little. */
#define LONG 1000

static const char SET_UP[] = "PRAGMA locking_mode=EXCLUSIVE;"
                             "CREATE TABLE IF NOT EXISTS updates ("
                             " id INTEGER PRIMARY KEY, source TEXT NOT NULL, body TEXT NOT NULL);"
                             "BEGIN EXCLUSIVE; COMMIT;"; /* the lock is taken here */
static const char INSERT[] = "INSERT INTO updates (id, source, body) VALUES (?1, ?2, ?3)";
static const char REMOVE[] = "DELETE FROM updates WHERE id BETWEEN ?1 AND ?2";
static const char EACH[] = "SELECT id, source, body FROM updates ORDER BY id";

static int prepare(struct pl_spool *s, const char *sql, sqlite3_stmt **stmt, struct pl_err *err)
{
    int rc = sqlite3_prepare_v3(s->conn.db, sql, -1, SQLITE_PREPARE_PERSISTENT, stmt, NULL);
    return rc == SQLITE_OK ? 0 : pl_sqlite_conn_fail(&s->conn, rc, OP, err);
}

static int on_commit(void *arg, sqlite3 *db, const char *name, int frames)
{
    (void)db, (void)name, (void)frames;
    ((struct pl_spool *)arg)->commits++;
    return SQLITE_OK;
}

int pl_spool_open(struct pl_spool *s, const struct pl_sqlite_config *file, struct pl_err *err)
{
    struct pl_sqlite_config config = *file;
    config.busy_ms = 0; /* who has it has it for long */
    memset(s, 0, sizeof *s);
    if (pl_sqlite_conn_open(&s->conn, &config, true, err) < 0)
        return -1;
    if (pl_sqlite_conn_exec(&s->conn, SET_UP, err) == 0 &&
        prepare(s, INSERT, &s->insert, err) == 0 && prepare(s, REMOVE, &s->remove, err) == 0) {
        sqlite3_wal_hook(s->conn.db, on_commit, s);
        return 0;
    }
    pl_spool_close(s);
    return -1;
}

void pl_spool_close(struct pl_spool *s)
{
    sqlite3_finalize(s->insert);
    sqlite3_finalize(s->remove);
    s->insert = s->remove = NULL;
    if (s->conn.db != NULL)
        pl_sqlite_conn_close(&s->conn);
}

int pl_spool_each(struct pl_spool *s,
                  bool (*fn)(int64_t id, const char *source, const char *body, size_t len,
                             void *arg),
                  void *arg, struct pl_err *err)
{
    sqlite3_stmt *stmt;
    if (prepare(s, EACH, &stmt, err) < 0)
        return -1;
    int rc;
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        const char *source = (const char *)sqlite3_column_text(stmt, 1);
        const char *body = (const char *)sqlite3_column_text(stmt, 2);
        s->last = sqlite3_column_int64(stmt, 0);
        if (!fn(s->last, source, body, (size_t)sqlite3_column_bytes(stmt, 2), arg))
            break;
    }
    if (rc != SQLITE_DONE && rc != SQLITE_ROW)
        pl_sqlite_conn_fail(&s->conn, rc, OP, err);
    sqlite3_finalize(stmt);
    return rc == SQLITE_DONE || rc == SQLITE_ROW ? 0 : -1;
}

/* --- transactions --------------------------------------------------------------------------------
 */

void pl_spool_rollback(struct pl_spool *s)
{
    struct pl_err ignored;
    if (!sqlite3_get_autocommit(s->conn.db)) /* some errors have ended it already */
        pl_sqlite_conn_exec(&s->conn, "ROLLBACK", &ignored);
}

static int settle(struct pl_spool *s, int rc)
{
    if (rc < 0)
        pl_spool_rollback(s);
    return rc;
}

int pl_spool_begin(struct pl_spool *s, struct pl_err *err)
{
    return settle(s, pl_sqlite_conn_step(&s->conn, "BEGIN IMMEDIATE", err));
}

int pl_spool_commit(struct pl_spool *s, struct pl_err *err)
{
    return settle(s, pl_sqlite_conn_step(&s->conn, "COMMIT", err));
}

static int step(struct pl_spool *s, sqlite3_stmt *stmt, struct pl_err *err)
{
    int rc = sqlite3_step(stmt);
    if (rc != SQLITE_DONE)
        pl_sqlite_conn_fail(&s->conn, rc, OP, err);
    sqlite3_reset(stmt);
    return settle(s, rc == SQLITE_DONE ? 0 : -1);
}

int pl_spool_add(struct pl_spool *s, const char *source, const char *body, size_t len, int64_t *id,
                 struct pl_err *err)
{
    *id = ++s->last;
    sqlite3_bind_int64(s->insert, 1, *id);
    sqlite3_bind_text(s->insert, 2, source, -1, SQLITE_STATIC);
    sqlite3_bind_text(s->insert, 3, body, (int)len, SQLITE_STATIC);
    return step(s, s->insert, err);
}

int pl_spool_remove(struct pl_spool *s, int64_t first, int64_t last, struct pl_err *err)
{
    sqlite3_bind_int64(s->remove, 1, first);
    sqlite3_bind_int64(s->remove, 2, last);
    return step(s, s->remove, err);
}

void pl_spool_tidy(struct pl_spool *s)
{
    if (s->commits < LONG)
        return;
    sqlite3_wal_checkpoint_v2(s->conn.db, "main", SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    s->commits = 0; /* or it could not be now: it is tried again after as many */
}
