/* What one thread hands to another without a lock: whoever is taken off its core while it holds one
 * holds up the other, for as long as the kernel lets others run there. Any threads may put; one
 * takes all at once, in the order in which they were put. */
#ifndef PL_BASE_HANDOFF_H
#define PL_BASE_HANDOFF_H

#include "base/list.h"

#include <stdatomic.h>

struct pl_handoff {
    _Atomic(struct pl_list *) newest; /* each one's `next` is the one before it; the first's NULL */
};

/* `n` must be in no list. */
static inline void pl_handoff_put(struct pl_handoff *h, struct pl_list *n)
{
    struct pl_list *before = atomic_load(&h->newest);
    do
        n->next = before;
    while (!atomic_compare_exchange_weak(&h->newest, &before, n));
}

static inline bool pl_handoff_empty(struct pl_handoff *h)
{
    return atomic_load(&h->newest) == NULL;
}

/* Moves all to the tail of `list`. */
static inline void pl_handoff_take(struct pl_handoff *h, struct pl_list *list)
{
    if (pl_handoff_empty(h))
        return;
    struct pl_list *n = atomic_exchange(&h->newest, NULL), *last = list->prev;
    while (n != NULL) {
        struct pl_list *before = n->next;
        pl_list_push_front(last, n);
        n = before;
    }
}

#endif
