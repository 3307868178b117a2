/* Which addresses a name has, asked of the system's resolver on the thread pool. */
#ifndef PL_DRIVERS_RESOLVE_H
#define PL_DRIVERS_RESOLVE_H

#include "loop/loop.h"

#include <netinet/in.h>

#define PL_RESOLVE_MAX  32
#define PL_RESOLVE_NAME 253

struct pl_resolved {
    char text[INET6_ADDRSTRLEN];
    const char *special; /* as pl_address_special() has it; NULL: on the public internet */
};

/* Starts an op of `owner` that finds the addresses of `name` (at most PL_RESOLVE_NAME bytes;
 * copied): a name, or an address in any of the notations that the system takes, such as "127.1" or
 * "2130706433". Ends with "resolve" when there are none now, or more than PL_RESOLVE_MAX. */
struct pl_op *pl_resolve(struct pl_loop *loop, struct pl_owner *owner, const char *name,
                         uint64_t deadline_ns);

/* The addresses of an op that has ended without error, `*n` of them; they live as long as it. */
const struct pl_resolved *pl_resolve_addresses(struct pl_op *op, size_t *n);

#endif
