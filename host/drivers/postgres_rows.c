#include "drivers/postgres_rows.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* --- texts
 * ----------------------------------------------------------------------------------------- */

/* Where the rows begin in "INSERT INTO t (a, b) VALUES ($1, $2), ($3, 'x')"; 0 when the text is
 * anything else. */
static size_t values_of(const char *sql, size_t len)
{
    static const char insert[] = "INSERT INTO ", values[] = ") VALUES ";
    if (strncmp(sql, insert, strlen(insert)) != 0 || sql[len - 1] != ')' ||
        strstr(sql, " ON CONFLICT ") != NULL)
        return 0;
    const char *at = strstr(sql, values);
    return at != NULL ? (size_t)(at - sql) + strlen(values) : 0;
}

/* Appends the rows with `by` added to the number of each parameter. */
static void put_rows(struct pl_buf *out, const char *rows, uint32_t by)
{
    bool quoted = false;
    while (*rows != '\0') {
        char c = *rows++;
        pl_buf_putc(out, c);
        quoted ^= c == '\'';
        if (c == '$' && !quoted && isdigit((unsigned char)*rows)) {
            char *end, number[16];
            unsigned long n = strtoul(rows, &end, 10) + by;
            pl_buf_append(out, number, (size_t)snprintf(number, sizeof number, "%lu", n));
            rows = end;
        }
    }
}

static const char *wide_text(struct pl_pg_table *t, uint32_t width)
{
    assert(width >= 1 && width <= PL_PG_WIDTHS);
    char **text = &t->wide[width - 1];
    if (*text != NULL)
        return *text;
    struct pl_buf out = {0};
    pl_buf_append(&out, t->sql, t->values);
    for (uint32_t i = 0; i < 1u << width; i++) {
        if (i > 0)
            pl_buf_append(&out, ", ", 2);
        put_rows(&out, t->sql + t->values, i * t->params);
    }
    pl_buf_putc(&out, '\0');
    *text = pl_xmemdup(out.data, out.len);
    pl_buf_free(&out);
    return *text;
}

/* --- gathering
 * ------------------------------------------------------------------------------------- */

static struct pl_pg_table *table_of(struct pl_pg_rows *rows, const char *sql,
                                    const struct pl_sql_statement *s)
{
    uint64_t hash = pl_sql_hash(sql, s->sql_len);
    for (uint32_t i = 0; i < rows->tables_len; i++) {
        struct pl_pg_table *t = &rows->tables[i];
        if (t->hash == hash && t->len == s->sql_len && t->params == s->count &&
            memcmp(t->sql, sql, t->len) == 0)
            return t;
    }
    size_t values = values_of(sql, s->sql_len);
    if (values == 0 || rows->tables_len == PL_PG_TABLES)
        return NULL;
    struct pl_pg_table *t = &rows->tables[rows->tables_len++];
    *t = (struct pl_pg_table){.hash = hash,
                              .sql = pl_xmemdup(sql, s->sql_len),
                              .len = s->sql_len,
                              .values = values,
                              .params = s->count};
    return t;
}

void pl_pg_rows_begin(struct pl_pg_rows *rows)
{
    for (uint32_t i = 0; i < rows->tables_len; i++)
        rows->tables[i].parts_len = 0;
    rows->chunks_len = 0;
    rows->failed = false;
}

bool pl_pg_rows_take(struct pl_pg_rows *rows, struct pl_sql_request *r, uint32_t statement)
{
    const struct pl_sql_statement *s = &r->statements[statement];
    if (!s->append || s->expect >= 0)
        return false;
    struct pl_pg_table *t = table_of(rows, r->bytes.data + s->sql, s);
    if (t == NULL)
        return false;
    if (t->parts_len == t->parts_cap) {
        t->parts_cap = t->parts_cap ? t->parts_cap * 2 : 32;
        t->parts = pl_xrealloc(t->parts, t->parts_cap * sizeof *t->parts);
    }
    t->parts[t->parts_len++] = (struct pl_pg_part){r, statement};
    return true;
}

/* --- sending
 * --------------------------------------------------------------------------------------- */

static uint32_t push_chunk(struct pl_pg_rows *rows, struct pl_pg_chunk chunk)
{
    if (rows->chunks_len == rows->chunks_cap) {
        rows->chunks_cap = rows->chunks_cap ? rows->chunks_cap * 2 : 16;
        rows->chunks = pl_xrealloc(rows->chunks, rows->chunks_cap * sizeof *rows->chunks);
    }
    rows->chunks[rows->chunks_len] = chunk;
    return rows->chunks_len++;
}

/* The greatest width that `left` parts fill and the limit of parameters allows; 0: none. */
static uint32_t width_for(const struct pl_pg_table *t, uint32_t left)
{
    uint32_t width = PL_PG_WIDTHS;
    while (width > 0 && (1u << width > left || t->params << width > PL_PG_PARAMS_MAX))
        width--;
    return width;
}

static void send_table(struct pl_pg_rows *rows, struct pl_pg_table *t, struct pl_pg_conn *c)
{
    for (uint32_t at = 0; at < t->parts_len;) {
        uint32_t width = width_for(t, t->parts_len - at), count = 1u << width;
        if (width == 0) { /* what fails is its own */
            pl_pg_conn_exec(c, t->parts[at].r, t->parts[at].statement);
        } else {
            uint32_t chunk = push_chunk(rows, (struct pl_pg_chunk){t, at, count});
            pl_pg_conn_exec_parts(c, wide_text(t, width), t->parts + at, count, chunk);
        }
        at += count;
    }
}

void pl_pg_rows_send(struct pl_pg_rows *rows, struct pl_pg_conn *c)
{
    for (uint32_t i = 0; i < rows->tables_len; i++)
        send_table(rows, &rows->tables[i], c);
}

void pl_pg_rows_result(struct pl_pg_rows *rows, const struct pl_pg_unit *unit,
                       const PGresult *result)
{
    assert(unit->kind == PL_PG_ROWS && unit->at < rows->chunks_len);
    const struct pl_pg_chunk *chunk = &rows->chunks[unit->at];
    if (PQresultStatus(result) != PGRES_COMMAND_OK) {
        rows->failed = true;
        return;
    }
    int64_t changes = strtoll(PQcmdTuples((PGresult *)result), NULL, 10) / chunk->count;
    for (uint32_t i = 0; i < chunk->count; i++) {
        const struct pl_pg_part *p = &chunk->table->parts[chunk->first + i];
        p->r->statements[p->statement].changes = changes;
    }
}

void pl_pg_rows_free(struct pl_pg_rows *rows)
{
    for (uint32_t i = 0; i < rows->tables_len; i++) {
        struct pl_pg_table *t = &rows->tables[i];
        for (uint32_t k = 0; k < PL_PG_WIDTHS; k++)
            free(t->wide[k]);
        free(t->sql);
        free(t->parts);
    }
    free(rows->chunks);
}
