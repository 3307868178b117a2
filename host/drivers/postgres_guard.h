/* A statement that fails on the server when it has not changed as many rows as it had to.
 *
 * The number of changed rows is known when the answer is there, and then the COMMIT is one more
 * journey to the server and back. A group saves it so: the server counts, and takes a wrong count,
 * in words, for a number: in its log a conflict is an error. */
#ifndef PL_DRIVERS_POSTGRES_GUARD_H
#define PL_DRIVERS_POSTGRES_GUARD_H

#include "drivers/sql.h"

#include <libpq-fe.h>

/* Whether the statement writes and gives no rows back: then nothing but its number of changes can
 * be wrong with its result. */
bool pl_pg_guard_plain(const struct pl_sql_request *r, uint32_t statement);

/* Puts the guarded form of a plain statement, without a NUL, into `out`. */
void pl_pg_guard_write(const char *sql, size_t sql_len, int64_t expect, struct pl_buf *out);
void pl_pg_guard_text(const struct pl_sql_request *r, uint32_t statement, struct pl_buf *out);

/* Takes the result of the guarded text. -1 with r->err: "conflict", or what went wrong. */
int pl_pg_guard_take(struct pl_sql_request *r, uint32_t statement, const PGresult *result);

#endif
