#include "drivers/postgres_prepared.h"

#include "base/buf.h"
#include "drivers/postgres_error.h"
#include "drivers/sql.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROBES 8 /* places that a statement may be in, from its hash on */

static void forget(struct pl_pg_prepared *p)
{
    free(p->sql);
    memset(p, 0, sizeof *p);
}

struct pl_pg_prepared *pl_pg_prepared_place(struct pl_pg_prepared_all *all, const char *sql,
                                            size_t len, bool *known)
{
    uint64_t hash = pl_sql_hash(sql, len);
    struct pl_pg_prepared *free_one = NULL, *other = NULL;
    for (uint32_t i = 0; i < PROBES; i++) {
        struct pl_pg_prepared *p = &all->at[(hash + i) & (PL_PG_STATEMENTS - 1)];
        *known =
            p->sql != NULL && p->hash == hash && p->len == len && memcmp(p->sql, sql, len) == 0;
        if (*known)
            return p;
        if (p->sql == NULL && free_one == NULL)
            free_one = p;
        if (p->ready && other == NULL)
            other = p;
    }
    return free_one != NULL ? free_one : other;
}

void pl_pg_prepared_take(struct pl_pg_prepared_all *all, struct pl_pg_prepared *p, const char *sql,
                         size_t len)
{
    forget(p);
    p->id = ++all->last_id;
    p->hash = pl_sql_hash(sql, len);
    p->len = len;
    p->sql = pl_xmemdup(sql, len);
}

void pl_pg_prepared_name(const struct pl_pg_prepared *p, char *name)
{
    snprintf(name, PL_PG_NAME_MAX, "p%" PRIu32, p->id);
}

void pl_pg_prepared_note(struct pl_pg_prepared_all *all, uint32_t place, uint32_t id,
                         bool preparing, const PGresult *result)
{
    struct pl_pg_prepared *p = &all->at[place];
    if (p->id != id)
        return;
    bool useless =
        preparing ? PQresultStatus(result) != PGRES_COMMAND_OK : pl_pg_error_is_of_prepared(result);
    if (useless)
        forget(p);
    else if (preparing)
        p->ready = true;
}

void pl_pg_prepared_forget_all(struct pl_pg_prepared_all *all)
{
    for (uint32_t i = 0; i < PL_PG_STATEMENTS; i++)
        forget(&all->at[i]);
}
