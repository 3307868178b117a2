#include "drivers/http_peers.h"

#include "base/buf.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define BUCKET_BITS 10

_Static_assert(PL_HTTP_PEERS_BUCKETS == 1 << BUCKET_BITS, "the bits are those of the buckets");

/* IPv4 behind a prefix that no network has. */
static uint64_t key_of_ipv4(const void *bytes)
{
    uint32_t address;
    memcpy(&address, bytes, sizeof address);
    return UINT64_C(0xffff) << 32 | ntohl(address);
}

static uint64_t key_of(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return key_of_ipv4(&((const struct sockaddr_in *)address)->sin_addr);
    if (address->sa_family != AF_INET6)
        return 0;
    const struct in6_addr *six = &((const struct sockaddr_in6 *)address)->sin6_addr;
    if (IN6_IS_ADDR_V4MAPPED(six)) /* a socket of both families shows IPv4 so */
        return key_of_ipv4(six->s6_addr + 12);
    uint64_t key = 0;
    for (int i = 0; i < 8; i++)
        key = key << 8 | six->s6_addr[i];
    return key;
}

void pl_http_peers_init(struct pl_http_peers *peers)
{
    for (int i = 0; i < PL_HTTP_PEERS_BUCKETS; i++)
        pl_list_init(&peers->buckets[i]);
    while (getrandom(&peers->factor, sizeof peers->factor, 0) != sizeof peers->factor)
        continue;
    peers->factor |= 1;
}

struct pl_http_peer *pl_http_peers_enter(struct pl_http_peers *peers,
                                         const struct sockaddr *address)
{
    uint64_t key = key_of(address);
    struct pl_list *bucket = &peers->buckets[key * peers->factor >> (64 - BUCKET_BITS)];
    struct pl_list *pos, *tmp;
    pl_list_each (pos, tmp, bucket) {
        struct pl_http_peer *peer = pl_container_of(pos, struct pl_http_peer, link);
        if (peer->key == key) {
            peer->connections++;
            return peer;
        }
    }
    struct pl_http_peer *peer = pl_xcalloc(1, sizeof *peer);
    peer->key = key;
    peer->connections = 1;
    pl_list_push(bucket, &peer->link);
    return peer;
}

void pl_http_peers_leave(struct pl_http_peer *peer)
{
    assert(peer->connections > 0);
    if (--peer->connections > 0)
        return;
    pl_list_remove(&peer->link);
    free(peer);
}
