#include "drivers/postgres_error.h"

#include <string.h>

#define E_UNAVAILABLE "unavailable"

/* A SQLSTATE, or a class of them by its first two characters. The first match counts. */
static const struct {
    const char *state, *code;
    bool retryable;
} CODES[] = {
    {"23505", "unique", false},
    {"23503", "foreign_key", false},
    {"23", "constraint", false},
    {"25006", "read_only", true}, /* a standby, or a primary that was demoted */
    {"25P03", PL_E_TIMEOUT, true},
    {"40", PL_E_BUSY, true}, /* serialization failure, deadlock */
    {"53100", "disk_full", true},
    {"53200", PL_E_NO_MEMORY, true},
    {"53300", PL_E_BUSY, true}, /* too many connections */
    {"53", PL_E_BUSY, true},
    {"55P03", PL_E_BUSY, true}, /* lock_timeout */
    {"57014", PL_E_TIMEOUT, true},
    {"57P04", PL_E_NOT_FOUND, false}, /* the database was dropped */
    {"57", E_UNAVAILABLE, true},      /* shutdown, crash of another session, starting up */
    {"58", PL_E_IO, true},
    {"08", E_UNAVAILABLE, true},
    {"28", PL_E_PERMISSION, false},
    {"42501", PL_E_PERMISSION, false},
    {"3D000", PL_E_NOT_FOUND, false},
    {"XX001", "corrupt", false},
    {"XX002", "corrupt", false},
};

static const char *state_of(const PGresult *result)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    return state != NULL ? state : "";
}

static const char *code_of(const char *state, bool *retryable)
{
    for (size_t i = 0; i < sizeof CODES / sizeof *CODES; i++)
        if (strncmp(state, CODES[i].state, strlen(CODES[i].state)) == 0) {
            *retryable = CODES[i].retryable;
            return CODES[i].code;
        }
    *retryable = false;
    return PL_E_INVALID;
}

/* libpq ends its messages with a line feed and may give several lines. */
static int line_len(const char *message)
{
    return (int)strcspn(message, "\n");
}

void pl_pg_error_of_result(const PGresult *result, struct pl_err *err)
{
    const char *state = state_of(result);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    if (message == NULL)
        message = PQresultErrorMessage(result);
    if (PQresultStatus(result) == PGRES_EMPTY_QUERY) {
        pl_fail(err, PL_E_INVALID, false, "postgres", "the statement is empty");
        return;
    }
    if (*state == '\0') { /* libpq's own: the connection is gone */
        pl_fail(err, E_UNAVAILABLE, true, "postgres", "%.*s", line_len(message), message);
        return;
    }
    bool retryable;
    const char *code = code_of(state, &retryable);
    pl_fail(err, code, retryable, "postgres", "%.*s (%s)", line_len(message), message, state);
}

/* A refused connection carries no SQLSTATE that libpq 15 would give away: the server's words are
 * not translated when lc_messages is C, but may be. What is not recognised can be tried again. */
void pl_pg_error_of_conn(PGconn *pg, struct pl_err *err)
{
    const char *message = PQerrorMessage(pg);
    const char *code = E_UNAVAILABLE;
    bool retryable = true;
    bool role = strstr(message, "role \"") != NULL && strstr(message, "does not exist") != NULL;
    if (strstr(message, "password") != NULL || strstr(message, "authentication failed") != NULL ||
        strstr(message, "pg_hba.conf") != NULL || PQconnectionNeedsPassword(pg) || role) {
        code = PL_E_PERMISSION;
        retryable = false;
    } else if (strstr(message, "database \"") != NULL && strstr(message, "does not exist")) {
        code = PL_E_NOT_FOUND;
        retryable = false;
    }
    pl_fail(err, code, retryable, "postgres.connect", "%.*s", line_len(message), message);
}

bool pl_pg_error_is_transient(const PGresult *result)
{
    const char *state = state_of(result);
    return strncmp(state, "40", 2) == 0 || pl_pg_error_is_of_prepared(result);
}

bool pl_pg_error_is_of_prepared(const PGresult *result)
{
    const char *state = state_of(result);
    return strcmp(state, "26000") == 0 || strcmp(state, "0A000") == 0;
}

bool pl_pg_error_ends_connection(const PGresult *result)
{
    const char *state = state_of(result);
    return *state == '\0' || strncmp(state, "57P", 3) == 0 || strncmp(state, "08", 2) == 0 ||
           strcmp(state, "25006") == 0;
}
