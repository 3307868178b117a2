#include "drivers/resolve.h"

#include "base/address.h"
#include "base/buf.h"
#include "loop/work.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

struct resolve {
    struct pl_work work;
    char name[PL_RESOLVE_NAME + 1];
    struct pl_resolved found[PL_RESOLVE_MAX];
    size_t n;
};

static struct resolve *resolve_of(struct pl_op *op)
{
    return pl_container_of(op, struct resolve, work.op);
}

static void destroy(struct pl_op *op)
{
    free(resolve_of(op));
}

static int add(struct resolve *r, const struct sockaddr *address)
{
    if (r->n == PL_RESOLVE_MAX)
        return -1;
    struct pl_resolved *found = &r->found[r->n++];
    const void *bytes = address->sa_family == AF_INET6
                            ? (const void *)&((const struct sockaddr_in6 *)address)->sin6_addr
                            : (const void *)&((const struct sockaddr_in *)address)->sin_addr;
    inet_ntop(address->sa_family, bytes, found->text, sizeof found->text);
    found->special = pl_address_special(address);
    return 0;
}

static void run(struct pl_work *w)
{
    struct resolve *r = pl_container_of(w, struct resolve, work);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
    int rc = getaddrinfo(r->name, NULL, &hints, &list);
    if (rc != 0) {
        pl_fail(&w->err, PL_E_RESOLVE, rc == EAI_AGAIN, "resolve", "%s: %s", r->name,
                gai_strerror(rc));
        return;
    }
    for (struct addrinfo *a = list; a != NULL; a = a->ai_next)
        if (add(r, a->ai_addr) < 0) {
            pl_fail(&w->err, PL_E_RESOLVE, false, "resolve", "%s has more than %d addresses",
                    r->name, PL_RESOLVE_MAX);
            break;
        }
    freeaddrinfo(list);
}

struct pl_op *pl_resolve(struct pl_loop *loop, struct pl_owner *owner, const char *name,
                         uint64_t deadline_ns)
{
    static const struct pl_op_class class = {pl_work_cancel, destroy};
    struct resolve *r = pl_xcalloc(1, sizeof *r);
    assert(strlen(name) <= PL_RESOLVE_NAME);
    strcpy(r->name, name);
    pl_work_start(&r->work, loop, owner, "resolve", deadline_ns, run, &class);
    return &r->work.op;
}

const struct pl_resolved *pl_resolve_addresses(struct pl_op *op, size_t *n)
{
    struct resolve *r = resolve_of(op);
    *n = r->n;
    return r->found;
}
