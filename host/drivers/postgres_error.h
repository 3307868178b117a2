/* What PostgreSQL's errors mean for the host. Source: "PostgreSQL Error Codes" (appendix A). */
#ifndef PL_DRIVERS_POSTGRES_ERROR_H
#define PL_DRIVERS_POSTGRES_ERROR_H

#include "base/err.h"

#include <libpq-fe.h>

/* Fills `err` from a failed result. */
void pl_pg_error_of_result(const PGresult *result, struct pl_err *err);

/* Fills `err` from a connection that could not be made or has gone. */
void pl_pg_error_of_conn(PGconn *pg, struct pl_err *err);

/* The transaction may well go through when it is tried again as it is: a deadlock, a serialization
 * failure, a prepared statement that is of no use any more. */
bool pl_pg_error_is_transient(const PGresult *result);

/* A prepared statement is gone, or its table has other columns now: it must be prepared anew. */
bool pl_pg_error_is_of_prepared(const PGresult *result);

/* This server will not take writes any more, or is going down: find another, or wait for it. */
bool pl_pg_error_ends_connection(const PGresult *result);

#endif
