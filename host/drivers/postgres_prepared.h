/* Which statements a connection keeps prepared on the server, by their texts. */
#ifndef PL_DRIVERS_POSTGRES_PREPARED_H
#define PL_DRIVERS_POSTGRES_PREPARED_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PL_PG_STATEMENTS 1024 /* prepared at once; a power of two */
#define PL_PG_NAME_MAX   16

struct pl_pg_prepared {
    uint64_t hash;
    char *sql; /* NULL: the place is free */
    size_t len;
    uint32_t id; /* its name on the server is p<id>; never given twice */
    bool ready;  /* the server has said that it is there */
};

struct pl_pg_prepared_all {
    struct pl_pg_prepared at[PL_PG_STATEMENTS];
    uint32_t last_id;
};

/* The place of a statement: its own (`known`), a free one, or that of another one, which must be
 * taken away on the server first. What the server has not confirmed never gives way: it may not be
 * there, and to take it away would be an error. NULL: there is no place. */
struct pl_pg_prepared *pl_pg_prepared_place(struct pl_pg_prepared_all *all, const char *sql,
                                            size_t len, bool *known);

/* Gives the place to a statement, under a new id. The text is copied. */
void pl_pg_prepared_take(struct pl_pg_prepared_all *all, struct pl_pg_prepared *p, const char *sql,
                         size_t len);

/* Writes the name, at most PL_PG_NAME_MAX bytes with its NUL. */
void pl_pg_prepared_name(const struct pl_pg_prepared *p, char *name);

/* The result of preparing, or of an execution: what failed is prepared anew the next time. `id`:
 * another statement may have the place by now. */
void pl_pg_prepared_note(struct pl_pg_prepared_all *all, uint32_t place, uint32_t id,
                         bool preparing, const PGresult *result);

void pl_pg_prepared_forget_all(struct pl_pg_prepared_all *all);

#endif
