/* From libpq's results to those of a request. */
#include "drivers/postgres_error.h"
#include "drivers/postgres_impl.h"

#include <stdlib.h>
#include <string.h>

#define TRANSIENT_MAX 3 /* times that a request alone may meet a deadlock or the like */

/* Type OIDs of pg_type.dat: they never change. */
enum {
    OID_BOOL = 16,
    OID_INT8 = 20,
    OID_INT2 = 21,
    OID_INT4 = 23,
    OID_OID = 26,
    OID_FLOAT4 = 700,
    OID_FLOAT8 = 701,
    OID_NUMERIC = 1700,
};

static void put_cell(struct pl_sql_request *r, const PGresult *result, int row, int column)
{
    if (PQgetisnull(result, row, column)) {
        pl_sql_put_null(r);
        return;
    }
    const char *text = PQgetvalue(result, row, column);
    switch (PQftype(result, column)) {
    case OID_BOOL:
        pl_sql_put_integer(r, *text == 't');
        break;
    case OID_INT2:
    case OID_INT4:
    case OID_INT8:
    case OID_OID:
        pl_sql_put_integer(r, strtoll(text, NULL, 10));
        break;
    case OID_NUMERIC: /* sum() of integers is one */
        if (strpbrk(text, ".eEN") == NULL) {
            pl_sql_put_integer(r, strtoll(text, NULL, 10));
            break;
        }
        /* fallthrough */
    case OID_FLOAT4:
    case OID_FLOAT8:
        pl_sql_put_real(r, strtod(text, NULL));
        break;
    default:
        pl_sql_put_text(r, text, (uint32_t)PQgetlength(result, row, column));
    }
}

static int take_rows(struct pl_sql_request *r, struct pl_sql_statement *s, const PGresult *result)
{
    int rows = PQntuples(result), columns = PQnfields(result);
    for (int i = 0; rows > 0 && i < columns; i++)
        pl_sql_put_name(r, s, PQfname(result, i));
    for (int row = 0; row < rows; row++) {
        if (pl_sql_put_row(r, s, &r->err) < 0)
            return -1;
        for (int i = 0; i < columns; i++)
            put_cell(r, result, row, i);
    }
    return 0;
}

bool pl_pg_try_again(struct pl_sql_request *r)
{
    return r->err.code != NULL && r->transient && pl_op_pending(&r->op) &&
           r->attempts++ < TRANSIENT_MAX;
}

int pl_pg_take_result(struct pl_sql_request *r, uint32_t statement, const PGresult *result)
{
    if (r->err.code != NULL)
        return -1;
    struct pl_sql_statement *s = &r->statements[statement];
    switch (PQresultStatus(result)) {
    case PGRES_TUPLES_OK:
        if (take_rows(r, s, result) < 0)
            return -1;
        break;
    case PGRES_COMMAND_OK:
        break;
    default:
        r->transient = pl_pg_error_is_transient(result);
        pl_pg_error_of_result(result, &r->err);
        return -1;
    }
    /* "SELECT 3" counts rows that were read: nothing has changed. */
    const char *tag = PQcmdStatus((PGresult *)result);
    if (strncmp(tag, "SELECT", 6) != 0)
        s->changes = strtoll(PQcmdTuples((PGresult *)result), NULL, 10);
    return pl_sql_check_changes(s, &r->err);
}
