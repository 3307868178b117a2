/* Rows that the transactions of a group append to the same table, or change in it by their keys,
 * sent as one statement.
 *
 * Every statement has its price on the server, whatever it does: a portal, an executor, a result,
 * CHECK constraints that are read anew. Twenty turns that insert two audit rows each pay it once
 * instead of twenty times; of the server's time for a turn that saves two fifths, and an UPDATE in
 * company takes 5 instead of 13 microseconds. What may be put together says so itself
 * (pl_sql_append, pl_sql_join). Texts exist for 2, 4, ... 32 times the rows, so that each is
 * prepared once. */
#ifndef PL_DRIVERS_POSTGRES_ROWS_H
#define PL_DRIVERS_POSTGRES_ROWS_H

#include "drivers/postgres_conn.h"
#include "drivers/postgres_wide.h"

#define PL_PG_TABLES 32 /* texts that are put together; statements with others go alone */
#define PL_PG_WIDTHS 5  /* 2 to the power of 1 to 5 */

/* Statements of one text. */
struct pl_pg_table {
    uint64_t hash;
    char *sql, *types; /* types: NULL when there are none */
    size_t len;
    struct pl_pg_wide text;
    char *wide[PL_PG_WIDTHS]; /* made when they are needed first */
    struct pl_pg_part *parts; /* those of the group that is being sent */
    uint32_t parts_len, parts_cap;
};

/* Parts that went together. */
struct pl_pg_chunk {
    struct pl_pg_table *table;
    uint32_t first, count;
};

struct pl_pg_rows {
    struct pl_pg_table tables[PL_PG_TABLES];
    uint32_t tables_len;
    struct pl_pg_chunk *chunks;
    uint32_t chunks_len, chunks_cap;
    bool guarded; /* what is sent alone after all is guarded, see pl_pg_conn_exec_guarded */
    bool failed;  /* a chunk; whose row it was, the server does not say */
};

/* Begins a group: forgets what the last one has put together. */
void pl_pg_rows_begin(struct pl_pg_rows *rows, bool guarded);

/* Whether pl_pg_rows_take may take a statement: it has the marks. */
bool pl_pg_rows_may_take(const struct pl_sql_statement *s);

/* Keeps a statement for pl_pg_rows_send. False: it must go alone. */
bool pl_pg_rows_take(struct pl_pg_rows *rows, struct pl_sql_request *r, uint32_t statement);

/* Sends what was taken. The requests must live until the group has ended. */
void pl_pg_rows_send(struct pl_pg_rows *rows, struct pl_pg_conn *c);

/* The result of a unit of kind PL_PG_ROWS: the changes of its statements, or `failed`. */
void pl_pg_rows_result(struct pl_pg_rows *rows, const struct pl_pg_unit *unit,
                       const PGresult *result);

void pl_pg_rows_free(struct pl_pg_rows *rows);

#endif
