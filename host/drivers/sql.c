#include "drivers/sql.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct pl_sql_request *pl_sql_request(struct pl_sql *db)
{
    struct pl_sql_request *r = pl_xcalloc(1, sizeof *r);
    r->db = db;
    r->failed_statement = -1;
    pl_list_init(&r->link);
    return r;
}

void pl_sql_discard(struct pl_sql_request *r)
{
    pl_buf_free(&r->bytes);
    pl_buf_free(&r->out);
    free(r->params);
    free(r->statements);
    free(r);
}

void pl_sql_add(struct pl_sql_request *r, const char *sql, size_t len, int64_t expect)
{
    if (r->statements_len == r->statements_cap) {
        r->statements_cap = r->statements_cap ? r->statements_cap * 2 : 8;
        r->statements = pl_xrealloc(r->statements, r->statements_cap * sizeof *r->statements);
    }
    struct pl_sql_statement *s = &r->statements[r->statements_len++];
    memset(s, 0, sizeof *s);
    s->sql = (uint32_t)r->bytes.len;
    s->sql_len = (uint32_t)len;
    s->first = r->params_len;
    s->expect = expect;
    pl_buf_append(&r->bytes, sql, len);
    pl_buf_putc(&r->bytes, '\0');
}

void pl_sql_append(struct pl_sql_request *r)
{
    assert(r->statements_len > 0);
    r->statements[r->statements_len - 1].append = true;
}

void pl_sql_join(struct pl_sql_request *r, const char *types, size_t len)
{
    assert(r->statements_len > 0);
    struct pl_sql_statement *s = &r->statements[r->statements_len - 1];
    assert(s->expect == 1);
    s->types = (uint32_t)r->bytes.len;
    pl_buf_append(&r->bytes, types, len);
    pl_buf_putc(&r->bytes, '\0');
}

void pl_sql_param(struct pl_sql_request *r, enum pl_sql_type type, int64_t integer, double real,
                  const char *text, size_t len)
{
    assert(r->statements_len > 0);
    if (r->params_len == r->params_cap) {
        r->params_cap = r->params_cap ? r->params_cap * 2 : 64;
        r->params = pl_xrealloc(r->params, r->params_cap * sizeof *r->params);
    }
    struct pl_sql_value *v = &r->params[r->params_len++];
    *v = (struct pl_sql_value){.type = type, .integer = integer, .real = real};
    if (type == PL_SQL_TEXT) {
        v->offset = (uint32_t)r->bytes.len;
        v->len = (uint32_t)len;
        pl_buf_append(&r->bytes, text, len);
        pl_buf_putc(&r->bytes, '\0'); /* libpq reads parameters to their NUL */
    }
    r->statements[r->statements_len - 1].count++;
}

/* FNV-1a of eights of bytes, with the high half folded in, which multiplying does not bring down.
 * The texts of statements are long, and are hashed each time. */
uint64_t pl_sql_hash(const char *s, size_t len)
{
    uint64_t h = 14695981039346656037ull ^ len, word = 0;
    for (; len >= sizeof word; s += sizeof word, len -= sizeof word) {
        memcpy(&word, s, sizeof word);
        h = (h ^ word) * 1099511628211ull;
        h ^= h >> 32;
    }
    word = 0;
    memcpy(&word, s, len);
    h = (h ^ word) * 1099511628211ull;
    return h ^ h >> 32;
}

void pl_sql_key(struct pl_sql_request *r, const char *key, size_t len)
{
    uint64_t h = pl_sql_hash(key, len);
    r->key = (uint32_t)(h ^ h >> 32);
}

void pl_sql_urgent(struct pl_sql_request *r)
{
    r->urgent = true;
}

void pl_sql_finish(struct pl_sql_request *r)
{
    if (r->err.code != NULL)
        pl_op_fail(&r->op, &r->err);
    else
        pl_op_finish(&r->op);
    pl_op_unref(&r->op);
}

void pl_sql_rewind(struct pl_sql_request *r)
{
    pl_buf_clear(&r->out);
    for (uint32_t i = 0; i < r->statements_len; i++) {
        struct pl_sql_statement *s = &r->statements[i];
        s->changes = 0;
        s->columns = s->rows = s->names = s->cells = 0;
    }
    r->err.code = NULL;
    r->transient = false;
    r->failed_statement = -1;
}

int pl_sql_commit(struct pl_sql_request *r, struct pl_owner *owner, uint64_t deadline_ns,
                  struct pl_err *err)
{
    r->write = true;
    return r->db->driver->submit(r, owner, deadline_ns, err);
}

int pl_sql_read(struct pl_sql_request *r, struct pl_owner *owner, uint64_t deadline_ns,
                struct pl_err *err)
{
    assert(r->statements_len == 1);
    return r->db->driver->submit(r, owner, deadline_ns, err);
}

/* --- results
 * --------------------------------------------------------------------------------------- */

void pl_sql_put_name(struct pl_sql_request *r, struct pl_sql_statement *s, const char *name)
{
    if (s->columns++ == 0)
        s->names = (uint32_t)r->out.len;
    pl_buf_append(&r->out, name, strlen(name) + 1);
    s->cells = (uint32_t)r->out.len;
}

void pl_sql_put_null(struct pl_sql_request *r)
{
    pl_buf_putc(&r->out, PL_SQL_NULL);
}

void pl_sql_put_integer(struct pl_sql_request *r, int64_t v)
{
    pl_buf_putc(&r->out, PL_SQL_INTEGER);
    pl_buf_append(&r->out, &v, sizeof v);
}

void pl_sql_put_real(struct pl_sql_request *r, double v)
{
    pl_buf_putc(&r->out, PL_SQL_REAL);
    pl_buf_append(&r->out, &v, sizeof v);
}

void pl_sql_put_text(struct pl_sql_request *r, const void *text, uint32_t len)
{
    pl_buf_putc(&r->out, PL_SQL_TEXT);
    pl_buf_append(&r->out, &len, sizeof len);
    pl_buf_append(&r->out, text, len);
}

int pl_sql_put_row(struct pl_sql_request *r, struct pl_sql_statement *s, struct pl_err *err)
{
    if (++s->rows <= PL_SQL_ROWS_MAX && r->out.len <= PL_SQL_RESULT_MAX)
        return 0;
    return pl_fail(err, PL_E_TOO_LARGE, false, "sql.query",
                   "the result has more than %d rows or %u bytes: add a LIMIT", PL_SQL_ROWS_MAX,
                   PL_SQL_RESULT_MAX);
}

int pl_sql_check_changes(const struct pl_sql_statement *s, struct pl_err *err)
{
    if (s->expect < 0 || s->changes == s->expect)
        return 0;
    return pl_fail(err, "conflict", true, "sql.commit",
                   "a statement changed %lld rows where %lld were expected", (long long)s->changes,
                   (long long)s->expect);
}

void pl_sql_cell(const struct pl_sql_request *r, uint32_t *at, struct pl_sql_value *value)
{
    const char *p = r->out.data + *at;
    value->type = (enum pl_sql_type)(unsigned char)*p++;
    switch (value->type) {
    case PL_SQL_NULL:
        break;
    case PL_SQL_INTEGER:
        memcpy(&value->integer, p, sizeof value->integer);
        p += sizeof value->integer;
        break;
    case PL_SQL_REAL:
        memcpy(&value->real, p, sizeof value->real);
        p += sizeof value->real;
        break;
    case PL_SQL_TEXT:
        memcpy(&value->len, p, sizeof value->len);
        p += sizeof value->len;
        value->offset = (uint32_t)(p - r->out.data);
        p += value->len;
        break;
    }
    *at = (uint32_t)(p - r->out.data);
}
