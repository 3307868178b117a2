#include "drivers/postgres_rows.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const char *wide_text(struct pl_pg_table *t, uint32_t width)
{
    assert(width >= 1 && width <= PL_PG_WIDTHS);
    char **text = &t->wide[width - 1];
    if (*text != NULL)
        return *text;
    struct pl_buf out = {0};
    pl_pg_wide_write(&t->text, 1u << width, &out);
    *text = pl_xmemdup(out.data, out.len);
    pl_buf_free(&out);
    return *text;
}

/* --- gathering
 * ------------------------------------------------------------------------------------- */

static struct pl_pg_table *table_of(struct pl_pg_rows *rows, const struct pl_sql_request *r,
                                    const struct pl_sql_statement *s)
{
    const char *sql = r->bytes.data + s->sql;
    uint64_t hash = pl_sql_hash(sql, s->sql_len);
    for (uint32_t i = 0; i < rows->tables_len; i++) {
        struct pl_pg_table *t = &rows->tables[i];
        if (t->hash == hash && t->len == s->sql_len && t->text.params == s->count &&
            memcmp(t->sql, sql, t->len) == 0)
            return t;
    }
    if (rows->tables_len == PL_PG_TABLES)
        return NULL;
    struct pl_pg_table *t = &rows->tables[rows->tables_len];
    *t = (struct pl_pg_table){.hash = hash, .sql = pl_xmemdup(sql, s->sql_len), .len = s->sql_len};
    t->types = s->types != 0 ? pl_xstrdup(r->bytes.data + s->types) : NULL;
    pl_pg_wide_read(&t->text, t->sql, t->types, s->count);
    if (t->text.kind != PL_PG_WIDE_NONE) {
        rows->tables_len++;
        return t;
    }
    free(t->sql);
    free(t->types);
    return NULL;
}

void pl_pg_rows_begin(struct pl_pg_rows *rows, bool guarded)
{
    rows->guarded = guarded;
    for (uint32_t i = 0; i < rows->tables_len; i++)
        rows->tables[i].parts_len = 0;
    rows->chunks_len = 0;
    rows->failed = false;
}

bool pl_pg_rows_may_take(const struct pl_sql_statement *s)
{
    return s->types != 0 || (s->append && s->expect < 0);
}

bool pl_pg_rows_take(struct pl_pg_rows *rows, struct pl_sql_request *r, uint32_t statement)
{
    const struct pl_sql_statement *s = &r->statements[statement];
    if (!pl_pg_rows_may_take(s))
        return false;
    struct pl_pg_table *t = table_of(rows, r, s);
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
    while (width > 0 && (1u << width > left || t->text.params << width > PL_PG_PARAMS_MAX))
        width--;
    return width;
}

static void send_table(struct pl_pg_rows *rows, struct pl_pg_table *t, struct pl_pg_conn *c)
{
    for (uint32_t at = 0; at < t->parts_len;) {
        uint32_t width = width_for(t, t->parts_len - at), count = 1u << width;
        const struct pl_pg_part *part = &t->parts[at];
        if (width == 0) { /* what fails is its own */
            if (rows->guarded && part->r->statements[part->statement].expect >= 0)
                pl_pg_conn_exec_guarded(c, part->r, part->statement);
            else
                pl_pg_conn_exec(c, part->r, part->statement);
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
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
        rows->failed = true;
        return;
    }
    /* An UPDATE that has not changed one row each has failed. */
    int64_t changes = chunk->table->text.kind == PL_PG_WIDE_INSERT
                          ? strtoll(PQcmdTuples((PGresult *)result), NULL, 10) / chunk->count
                          : 1;
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
        free(t->types);
        free(t->parts);
    }
    free(rows->chunks);
}
