/* Texts that do for many rows what one statement does for its own. */
#ifndef PL_DRIVERS_POSTGRES_WIDE_H
#define PL_DRIVERS_POSTGRES_WIDE_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pl_pg_wide_kind {
    PL_PG_WIDE_NONE,   /* no such text can be made */
    PL_PG_WIDE_INSERT, /* rows after rows */
    PL_PG_WIDE_UPDATE, /* one row each; the statement fails unless each is found */
};

struct pl_pg_wide {
    enum pl_pg_wide_kind kind;
    const char *sql, *types; /* the caller's; types: of pl_sql_join, NULL: none were given */
    size_t rows;             /* of an INSERT: where they begin */
    size_t where;            /* of an UPDATE: where its condition begins */
    uint32_t params;
};

/* Looks at the text of a statement with `params` parameters; NUL-terminated, as `types` is. */
void pl_pg_wide_read(struct pl_pg_wide *w, const char *sql, const char *types, uint32_t params);

/* Writes the text for `count` statements, whose parameters follow one another, and a NUL. */
void pl_pg_wide_write(const struct pl_pg_wide *w, uint32_t count, struct pl_buf *out);

#endif
