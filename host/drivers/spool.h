/* What was taken in and is not worked off: a SQLite file of its own, with one table, that one
 * thread uses. Its commits wait for nobody else's. */
#ifndef PL_DRIVERS_SPOOL_H
#define PL_DRIVERS_SPOOL_H

#include "drivers/sqlite_conn.h"

struct pl_spool {
    struct pl_sqlite_conn conn;
    sqlite3_stmt *insert, *remove;
    int64_t last; /* the highest id that was given out */
    int commits;  /* since the log was brought home */
};

/* Opens the file, or makes it. It is locked until it is closed: "busy" when another process has it.
 * Of the configuration counts what is about the file. Blocks for the file system. */
int pl_spool_open(struct pl_spool *s, const struct pl_sqlite_config *file, struct pl_err *err);
void pl_spool_close(struct pl_spool *s);

/* What is there, oldest first. `fn` may end it by returning false. */
int pl_spool_each(struct pl_spool *s,
                  bool (*fn)(int64_t id, const char *source, const char *body, size_t len,
                             void *arg),
                  void *arg, struct pl_err *err);

/* A transaction: begun, then rows are added and removed, then it is made durable. After an error
 * nothing of it is there, and it is over. */
int pl_spool_begin(struct pl_spool *s, struct pl_err *err);
int pl_spool_add(struct pl_spool *s, const char *source, const char *body, size_t len, int64_t *id,
                 struct pl_err *err);
int pl_spool_remove(struct pl_spool *s, int64_t first, int64_t last, struct pl_err *err);
int pl_spool_commit(struct pl_spool *s, struct pl_err *err);
void pl_spool_rollback(struct pl_spool *s);

/* Brings the log home when it is long: between transactions, when nobody waits. */
void pl_spool_tidy(struct pl_spool *s);

#endif
