/* Intrusive doubly linked list with a head node. No allocation; a node knows how to leave. */
#ifndef PL_BASE_LIST_H
#define PL_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct pl_list {
    struct pl_list *next, *prev; /* both point to the node itself when it is in no list */
};

#define pl_container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

/* Safe against removal of `pos` itself, not of the node after it. */
#define pl_list_each(pos, tmp, head)                                                               \
    for ((pos) = (head)->next, (tmp) = (pos)->next; (pos) != (head);                               \
         (pos) = (tmp), (tmp) = (pos)->next)

static inline void pl_list_init(struct pl_list *n)
{
    n->next = n->prev = n;
}

static inline bool pl_list_empty(const struct pl_list *n)
{
    return n->next == n;
}

/* Adds at the tail. `n` must be in no list. */
static inline void pl_list_push(struct pl_list *head, struct pl_list *n)
{
    n->prev = head->prev;
    n->next = head;
    head->prev->next = n;
    head->prev = n;
}

/* Adds at the head. `n` must be in no list. */
static inline void pl_list_push_front(struct pl_list *head, struct pl_list *n)
{
    pl_list_push(head->next, n);
}

/* Leaves whatever list `n` is in; harmless when it is in none. */
static inline void pl_list_remove(struct pl_list *n)
{
    n->prev->next = n->next;
    n->next->prev = n->prev;
    pl_list_init(n);
}

/* Takes the first node, NULL when empty. */
static inline struct pl_list *pl_list_shift(struct pl_list *head)
{
    if (pl_list_empty(head))
        return NULL;
    struct pl_list *n = head->next;
    pl_list_remove(n);
    return n;
}

#endif
