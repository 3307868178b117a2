#include "drivers/postgres_guard.h"

#include "drivers/postgres_impl.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* What the server quotes, in the marks of its language, when it is no number. */
#define WRONG     "changed "
#define NO_NUMBER "22P02" /* SQLSTATE: invalid text representation */

static bool begins(const char *sql, const char *with)
{
    return strncmp(sql, with, strlen(with)) == 0;
}

bool pl_pg_guard_plain(const struct pl_sql_request *r, uint32_t statement)
{
    const char *sql = r->bytes.data + r->statements[statement].sql;
    return (begins(sql, "UPDATE ") || begins(sql, "INSERT ") || begins(sql, "DELETE ")) &&
           strcasestr(sql, "RETURNING") == NULL;
}

void pl_pg_guard_write(const char *sql, size_t sql_len, int64_t expect, struct pl_buf *out)
{
    static const char with[] = "WITH changed AS (";
    char check[128];
    assert(expect >= 0);
    int len = snprintf(check, sizeof check,
                       " RETURNING 1) SELECT (CASE count(*) WHEN %" PRId64
                       " THEN '1' ELSE 'changed ' || count(*) END)::int FROM changed",
                       expect);
    pl_buf_append(out, with, sizeof with - 1);
    pl_buf_append(out, sql, sql_len);
    pl_buf_append(out, check, (size_t)len);
}

void pl_pg_guard_text(const struct pl_sql_request *r, uint32_t statement, struct pl_buf *out)
{
    const struct pl_sql_statement *s = &r->statements[statement];
    pl_pg_guard_write(r->bytes.data + s->sql, s->sql_len, s->expect, out);
}

int pl_pg_guard_take(struct pl_sql_request *r, uint32_t statement, const PGresult *result)
{
    struct pl_sql_statement *s = &r->statements[statement];
    if (PQresultStatus(result) == PGRES_TUPLES_OK) {
        s->changes = s->expect;
        return 0;
    }
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *wrong = state != NULL && strcmp(state, NO_NUMBER) == 0 && message != NULL
                            ? strstr(message, WRONG)
                            : NULL;
    if (wrong == NULL)
        return pl_pg_take_result(r, statement, result);
    s->changes = strtoll(wrong + strlen(WRONG), NULL, 10);
    return pl_sql_check_changes(s, &r->err);
}
