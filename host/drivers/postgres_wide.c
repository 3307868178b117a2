#include "drivers/postgres_wide.h"

#include "drivers/postgres_guard.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char insert[] = "INSERT INTO ", values[] = ") VALUES ";
static const char update[] = "UPDATE ", where[] = " WHERE ";

static bool begins(const char *sql, const char *with)
{
    return strncmp(sql, with, strlen(with)) == 0;
}

/* "INSERT INTO t (a, b) VALUES ($1, $2), ($3, 'x')", and nothing after the rows. */
static void read_insert(struct pl_pg_wide *w)
{
    const char *at = strstr(w->sql, values);
    if (at == NULL || w->sql[strlen(w->sql) - 1] != ')' || strstr(w->sql, " ON CONFLICT ") != NULL)
        return;
    w->kind = PL_PG_WIDE_INSERT;
    w->rows = (size_t)(at - w->sql) + strlen(values);
}

/* "UPDATE t SET a = $3, version = $2 + 1 WHERE id = $1 AND version = $2", and nothing after it. */
static void read_update(struct pl_pg_wide *w)
{
    const char *condition = strstr(w->sql, where);
    if (w->types == NULL || condition == NULL || strcasestr(w->sql, "RETURNING") != NULL ||
        strcasestr(w->sql, " FROM ") != NULL)
        return;
    w->kind = PL_PG_WIDE_UPDATE;
    w->where = (size_t)(condition - w->sql) + strlen(where);
}

void pl_pg_wide_read(struct pl_pg_wide *w, const char *sql, const char *types, uint32_t params)
{
    *w = (struct pl_pg_wide){.sql = sql, .types = types, .params = params};
    if (begins(sql, insert))
        read_insert(w);
    else if (begins(sql, update))
        read_update(w);
}

/* Appends `len` bytes of SQL in which parameter n is written as `prefix` and n + `by`. */
static void put_sql(struct pl_buf *out, const char *sql, size_t len, const char *prefix,
                    uint32_t by)
{
    const char *end = sql + len;
    bool quoted = false;
    while (sql < end) {
        char c = *sql++;
        quoted ^= c == '\'';
        if (c != '$' || quoted || !isdigit((unsigned char)*sql)) {
            pl_buf_putc(out, c);
            continue;
        }
        char *after, number[32];
        unsigned long n = strtoul(sql, &after, 10) + by;
        pl_buf_append(out, number, (size_t)snprintf(number, sizeof number, "%s%lu", prefix, n));
        sql = after;
    }
}

static void put_insert(const struct pl_pg_wide *w, uint32_t count, struct pl_buf *out)
{
    const char *rows = w->sql + w->rows;
    pl_buf_append(out, w->sql, w->rows);
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0)
            pl_buf_puts(out, ", ");
        put_sql(out, rows, strlen(rows), "$", i * w->params);
    }
}

/* The parameters of one statement as a row. The server takes the types of a column from its first
 * row. */
static void put_row(const struct pl_pg_wide *w, uint32_t row, struct pl_buf *out)
{
    const char *type = w->types;
    char text[32];
    for (uint32_t i = 1; i <= w->params; i++) {
        int len = snprintf(text, sizeof text, "%s$%u", i == 1 ? "(" : ", ", row * w->params + i);
        pl_buf_append(out, text, (size_t)len);
        size_t word = strcspn(type, " ");
        if (row == 0) {
            pl_buf_puts(out, "::");
            pl_buf_append(out, type, word);
        }
        type += word + (type[word] == ' ');
    }
    pl_buf_putc(out, ')');
}

static void put_names(uint32_t params, struct pl_buf *out)
{
    char text[32];
    for (uint32_t i = 1; i <= params; i++) {
        int len = snprintf(text, sizeof text, "%sp%u", i == 1 ? " AS given (" : ", ", i);
        pl_buf_append(out, text, (size_t)len);
    }
    pl_buf_putc(out, ')');
}

/* A row that two of the statements are about is found once, so that it counts as missing. */
static void put_update(const struct pl_pg_wide *w, uint32_t count, struct pl_buf *out)
{
    struct pl_buf sql = {0};
    put_sql(&sql, w->sql, w->where - strlen(where), "given.p", 0);
    pl_buf_puts(&sql, " FROM (VALUES ");
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0)
            pl_buf_puts(&sql, ", ");
        put_row(w, i, &sql);
    }
    pl_buf_putc(&sql, ')');
    put_names(w->params, &sql);
    pl_buf_puts(&sql, where);
    put_sql(&sql, w->sql + w->where, strlen(w->sql + w->where), "given.p", 0);
    pl_pg_guard_write(sql.data, sql.len, count, out);
    pl_buf_free(&sql);
}

void pl_pg_wide_write(const struct pl_pg_wide *w, uint32_t count, struct pl_buf *out)
{
    assert(w->kind != PL_PG_WIDE_NONE);
    if (w->kind == PL_PG_WIDE_INSERT)
        put_insert(w, count, out);
    else
        put_update(w, count, out);
    pl_buf_putc(out, '\0');
}
