#include "drivers/sqlite_conn.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

static const char *code_of(int rc, bool *retryable)
{
    *retryable = false;
    switch (rc & 0xFF) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        *retryable = true;
        return PL_E_BUSY;
    case SQLITE_FULL:
        *retryable = true;
        return "disk_full";
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return "corrupt";
    case SQLITE_CONSTRAINT:
        switch (rc) {
        case SQLITE_CONSTRAINT_UNIQUE:
        case SQLITE_CONSTRAINT_PRIMARYKEY:
        case SQLITE_CONSTRAINT_ROWID:
            return "unique";
        case SQLITE_CONSTRAINT_FOREIGNKEY:
            return "foreign_key";
        default:
            return "constraint";
        }
    case SQLITE_READONLY:
        return "read_only";
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return PL_E_PERMISSION;
    case SQLITE_NOMEM:
        *retryable = true;
        return PL_E_NO_MEMORY;
    case SQLITE_INTERRUPT:
        *retryable = true;
        return PL_E_TIMEOUT;
    case SQLITE_IOERR:
        *retryable = true;
        return PL_E_IO;
    default:
        return PL_E_INVALID;
    }
}

int pl_sqlite_conn_fail(struct pl_sqlite_conn *c, int rc, const char *op, struct pl_err *err)
{
    bool retryable;
    int extended = c->db != NULL ? sqlite3_extended_errcode(c->db) : rc;
    if ((extended & 0xFF) != (rc & 0xFF))
        extended = rc;
    const char *code = code_of(extended, &retryable);
    return pl_fail(err, code, retryable, op, "%s",
                   c->db != NULL ? sqlite3_errmsg(c->db) : sqlite3_errstr(rc));
}

int pl_sqlite_conn_exec(struct pl_sqlite_conn *c, const char *sql, struct pl_err *err)
{
    int rc = sqlite3_exec(c->db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? 0 : pl_sqlite_conn_fail(c, rc, "sqlite.exec", err);
}

/* SQLite does not wait, as it does elsewhere, for another process that makes a log just then, or
 * that closes the last connection and removes it. */
static int set_up(struct pl_sqlite_conn *c, const char *pragmas, int busy_ms, struct pl_err *err)
{
    uint64_t until = pl_now_ns() + (uint64_t)busy_ms * PL_NS_PER_MS;
    while (pl_sqlite_conn_exec(c, pragmas, err) < 0) {
        if (strcmp(err->code, PL_E_BUSY) != 0 || pl_now_ns() > until)
            return -1;
        sqlite3_sleep(1);
        err->code = NULL;
    }
    return 0;
}

int pl_sqlite_conn_open(struct pl_sqlite_conn *c, const struct pl_sqlite_config *config,
                        bool writer, struct pl_err *err)
{
    memset(c, 0, sizeof *c);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
    if (writer && config->create)
        flags |= SQLITE_OPEN_CREATE;
    int rc = sqlite3_open_v2(config->path, &c->db, flags, NULL);
    if (rc != SQLITE_OK) {
        pl_sqlite_conn_fail(c, rc, "sqlite.open", err);
        goto out;
    }
    sqlite3_extended_result_codes(c->db, 1);
    sqlite3_busy_timeout(c->db, config->busy_ms);
    /* FULL: a commit is on disk when it returns. trusted_schema off: a file that somebody else
     * wrote may not call functions by its views. No commit makes a checkpoint: see
     * sqlite_checkpoint.h. */
    static const char pragmas[] = "PRAGMA journal_mode=WAL;"
                                  "PRAGMA synchronous=FULL;"
                                  "PRAGMA foreign_keys=ON;"
                                  "PRAGMA trusted_schema=OFF;"
                                  "PRAGMA cell_size_check=ON;"
                                  "PRAGMA temp_store=MEMORY;"
                                  "PRAGMA cache_size=-8000;"
                                  "PRAGMA wal_autocheckpoint=0;";
    if (set_up(c, pragmas, config->busy_ms, err) < 0)
        goto out;
    if (config->scratch && pl_sqlite_conn_exec(c, "PRAGMA synchronous=OFF;", err) < 0)
        goto out;
    if (!writer && pl_sqlite_conn_exec(c, "PRAGMA query_only=ON;", err) < 0)
        goto out;
    if (writer && config->pages_max > 0) {
        char sql[64];
        snprintf(sql, sizeof sql, "PRAGMA max_page_count=%u;", config->pages_max);
        if (pl_sqlite_conn_exec(c, sql, err) < 0)
            goto out;
    }
    return 0;
out:
    pl_sqlite_conn_close(c);
    return -1;
}

/* --- prepared statements
 * --------------------------------------------------------------------------- */

static void drop(struct pl_sqlite_cached *e)
{
    sqlite3_finalize(e->stmt);
    free(e->sql);
    free(e->map);
    memset(e, 0, sizeof *e);
}

void pl_sqlite_conn_close(struct pl_sqlite_conn *c)
{
    for (int i = 0; i < PL_SQLITE_CACHE; i++)
        drop(&c->cache[i]);
    sqlite3_close(c->db);
    c->db = NULL;
}

/* $3 may stand before $1, and twice: SQLite numbers by first appearance. */
static int map_parameters(struct pl_sqlite_cached *e, struct pl_err *err)
{
    e->params = sqlite3_bind_parameter_count(e->stmt);
    e->map = pl_xcalloc((size_t)e->params + 1, 1);
    for (int i = 1; i <= e->params; i++) {
        const char *name = sqlite3_bind_parameter_name(e->stmt, i);
        int n = name != NULL && (name[0] == '$' || name[0] == '?') ? atoi(name + 1) : 0;
        if (n < 1 || n > 255)
            return pl_fail(err, PL_E_INVALID, false, "sqlite.prepare",
                           "parameters are written $1 to $255");
        e->map[i - 1] = (uint8_t)n;
    }
    return 0;
}

/* A slot by hash; a statement that finds its slot taken replaces it. */
static struct pl_sqlite_cached *prepare(struct pl_sqlite_conn *c, const char *sql, size_t len,
                                        struct pl_err *err)
{
    uint64_t hash = pl_sql_hash(sql, len);
    struct pl_sqlite_cached *e = &c->cache[hash & (PL_SQLITE_CACHE - 1)];
    if (e->stmt != NULL && e->hash == hash && e->len == len && memcmp(e->sql, sql, len) == 0)
        return e;
    drop(e);
    const char *tail;
    int rc = sqlite3_prepare_v3(c->db, sql, (int)len, SQLITE_PREPARE_PERSISTENT, &e->stmt, &tail);
    if (rc != SQLITE_OK) {
        pl_sqlite_conn_fail(c, rc, "sqlite.prepare", err);
        return NULL;
    }
    if (e->stmt == NULL) {
        pl_fail(err, PL_E_INVALID, false, "sqlite.prepare", "the statement is empty");
        return NULL;
    }
    if (tail[strspn(tail, "; \t\r\n")] != '\0') { /* the SQL of a request ends with a NUL */
        drop(e);
        pl_fail(err, PL_E_INVALID, false, "sqlite.prepare", "more than one statement: '%.40s'",
                tail);
        return NULL;
    }
    if (map_parameters(e, err) < 0) {
        drop(e);
        return NULL;
    }
    e->hash = hash;
    e->len = len;
    e->sql = pl_xmemdup(sql, len);
    return e;
}

/* --- running
 * --------------------------------------------------------------------------------------- */

static int bind_all(struct pl_sqlite_cached *e, const struct pl_sql_request *r,
                    const struct pl_sql_statement *s, struct pl_err *err)
{
    for (int i = 1; i <= e->params; i++) {
        uint32_t n = e->map[i - 1];
        if (n > s->count)
            return pl_fail(err, PL_E_INVALID, false, "sqlite.bind",
                           "the statement has $%u, but %u parameters were given", n, s->count);
        const struct pl_sql_value *v = &r->params[s->first + n - 1];
        switch (v->type) {
        case PL_SQL_NULL:
            sqlite3_bind_null(e->stmt, i);
            break;
        case PL_SQL_INTEGER:
            sqlite3_bind_int64(e->stmt, i, v->integer);
            break;
        case PL_SQL_REAL:
            sqlite3_bind_double(e->stmt, i, v->real);
            break;
        case PL_SQL_TEXT: /* the request outlives the run: no copy */
            sqlite3_bind_text(e->stmt, i, r->bytes.data + v->offset, (int)v->len, SQLITE_STATIC);
            break;
        }
    }
    return 0;
}

static void put_cell(struct pl_sql_request *r, sqlite3_stmt *stmt, int i)
{
    switch (sqlite3_column_type(stmt, i)) {
    case SQLITE_INTEGER:
        pl_sql_put_integer(r, sqlite3_column_int64(stmt, i));
        break;
    case SQLITE_FLOAT:
        pl_sql_put_real(r, sqlite3_column_double(stmt, i));
        break;
    case SQLITE_NULL:
        pl_sql_put_null(r);
        break;
    default: { /* the text first, then its length: SQLite may convert it */
        const void *text = sqlite3_column_blob(stmt, i);
        pl_sql_put_text(r, text, (uint32_t)sqlite3_column_bytes(stmt, i));
    }
    }
}

static int step_all(struct pl_sqlite_conn *c, struct pl_sql_request *r, struct pl_sql_statement *s,
                    sqlite3_stmt *stmt, struct pl_err *err)
{
    int rc;
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        int columns = sqlite3_column_count(stmt);
        for (int i = 0; s->rows == 0 && i < columns; i++)
            pl_sql_put_name(r, s, sqlite3_column_name(stmt, i));
        if (pl_sql_put_row(r, s, err) < 0)
            return -1;
        for (int i = 0; i < columns; i++)
            put_cell(r, stmt, i);
    }
    if (rc != SQLITE_DONE)
        return pl_sqlite_conn_fail(c, rc, "sqlite.step", err);
    s->changes = sqlite3_stmt_readonly(stmt) ? 0 : sqlite3_changes64(c->db);
    return 0;
}

int pl_sqlite_conn_step(struct pl_sqlite_conn *c, const char *sql, struct pl_err *err)
{
    struct pl_sqlite_cached *e = prepare(c, sql, strlen(sql), err);
    if (e == NULL)
        return -1;
    int rc = sqlite3_step(e->stmt);
    rc = rc == SQLITE_DONE ? 0 : pl_sqlite_conn_fail(c, rc, "sqlite.step", err);
    sqlite3_reset(e->stmt);
    return rc;
}

int pl_sqlite_conn_run(struct pl_sqlite_conn *c, struct pl_sql_request *r,
                       struct pl_sql_statement *s, struct pl_err *err)
{
    struct pl_sqlite_cached *e = prepare(c, r->bytes.data + s->sql, s->sql_len, err);
    if (e == NULL)
        return -1;
    int rc = bind_all(e, r, s, err);
    if (rc == 0)
        rc = step_all(c, r, s, e->stmt, err);
    sqlite3_reset(e->stmt);
    sqlite3_clear_bindings(e->stmt);
    return rc < 0 ? rc : pl_sql_check_changes(s, err);
}
