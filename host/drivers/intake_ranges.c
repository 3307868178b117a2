/* Rows that are done: those that follow each other are one range. */
#include "drivers/intake_impl.h"

static struct pl_intake_range *push(struct pl_intake_ranges *r)
{
    if (r->len == r->cap) {
        r->cap = r->cap > 0 ? 2 * r->cap : 64;
        r->at = pl_xrealloc(r->at, r->cap * sizeof *r->at);
    }
    return &r->at[r->len++];
}

void pl_intake_ranges_add(struct pl_intake_ranges *r, int64_t id)
{
    if (r->len > 0 && r->at[r->len - 1].last + 1 == id)
        r->at[r->len - 1].last = id;
    else
        *push(r) = (struct pl_intake_range){id, id};
}

void pl_intake_ranges_move(struct pl_intake_ranges *to, struct pl_intake_ranges *from)
{
    for (size_t i = 0; i < from->len; i++)
        *push(to) = from->at[i];
    from->len = 0;
}
