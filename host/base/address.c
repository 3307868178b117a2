#include "base/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct block4 {
    uint32_t base;
    int bits;
    const char *kind;
};

#define IP4(a, b, c, d) ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (d))

static const struct block4 special4[] = {
    {IP4(0, 0, 0, 0), 8, "unspecified"},      /* "this network"; 0.0.0.0 reaches this machine */
    {IP4(10, 0, 0, 0), 8, "private"},         /* RFC 1918 */
    {IP4(100, 64, 0, 0), 10, "shared"},       /* RFC 6598, carrier-grade NAT */
    {IP4(127, 0, 0, 0), 8, "loopback"},       /* RFC 1122 */
    {IP4(168, 63, 129, 16), 32, "metadata"},  /* public by number; inside Azure, its own services */
    {IP4(169, 254, 0, 0), 16, "link-local"},  /* RFC 3927; the metadata services of clouds */
    {IP4(172, 16, 0, 0), 12, "private"},      /* RFC 1918 */
    {IP4(192, 0, 0, 0), 24, "reserved"},      /* RFC 6890, protocol assignments */
    {IP4(192, 0, 2, 0), 24, "documentation"}, /* RFC 5737 */
    {IP4(192, 88, 99, 0), 24, "reserved"},    /* RFC 7526, 6to4 relays */
    {IP4(192, 168, 0, 0), 16, "private"},     /* RFC 1918 */
    {IP4(198, 18, 0, 0), 15, "benchmarking"}, /* RFC 2544 */
    {IP4(198, 51, 100, 0), 24, "documentation"},
    {IP4(203, 0, 113, 0), 24, "documentation"},
    {IP4(224, 0, 0, 0), 4, "multicast"}, /* RFC 5771 */
    {IP4(240, 0, 0, 0), 4, "reserved"},  /* RFC 1112, and the broadcast address */
};

static const char *special_ip4(uint32_t address)
{
    for (size_t i = 0; i < sizeof special4 / sizeof *special4; i++)
        if ((address ^ special4[i].base) >> (32 - special4[i].bits) == 0)
            return special4[i].kind;
    return NULL;
}

struct block6 {
    uint8_t base[16];
    int bits;
    const char *kind;
    int ip4_at; /* where an IPv4 address stands that decides, 0: none */
};

static const struct block6 special6[] = {
    {{[15] = 1}, 128, "loopback", 0},
    {{0}, 128, "unspecified", 0},
    {{[10] = 0xff, 0xff}, 96, NULL, 12},                      /* IPv4-mapped */
    {{0}, 96, NULL, 12},                                      /* IPv4-compatible, deprecated */
    {{0x00, 0x64, 0xff, 0x9b}, 96, NULL, 12},                 /* RFC 6052, NAT64 */
    {{0x00, 0x64, 0xff, 0x9b, 0x00, 0x01}, 48, "private", 0}, /* RFC 8215, local NAT64 */
    {{0x01, 0x00}, 64, "reserved", 0},                        /* RFC 6666, discard only */
    {{0x20, 0x01, 0x00, 0x00}, 32, "reserved", 0}, /* RFC 4380, Teredo: hides an IPv4 address */
    {{0x20, 0x01, 0x0d, 0xb8}, 32, "documentation", 0},
    {{0x20, 0x01}, 23, "reserved", 0},      /* RFC 2928, protocol assignments */
    {{0x20, 0x02}, 16, NULL, 2},            /* RFC 3056, 6to4 */
    {{0x3f, 0xff}, 20, "documentation", 0}, /* RFC 9637 */
    {{0x5f, 0x00}, 16, "reserved", 0},      /* RFC 9602, segment routing */
    {{0xfc, 0x00}, 7, "private", 0},        /* RFC 4193, unique local */
    {{0xfe, 0x80}, 10, "link-local", 0},
    {{0xfe, 0xc0}, 10, "private", 0}, /* RFC 3879, site-local, deprecated */
    {{0xff, 0x00}, 8, "multicast", 0},
};

static int inside(const uint8_t *address, const struct block6 *b)
{
    int bytes = b->bits / 8, rest = b->bits % 8;
    if (memcmp(address, b->base, (size_t)bytes) != 0)
        return 0;
    return rest == 0 || (address[bytes] ^ b->base[bytes]) >> (8 - rest) == 0;
}

static const char *special_ip6(const uint8_t *a)
{
    for (size_t i = 0; i < sizeof special6 / sizeof *special6; i++) {
        const struct block6 *b = &special6[i];
        if (!inside(a, b))
            continue;
        const uint8_t *v4 = a + b->ip4_at;
        return b->ip4_at == 0 ? b->kind : special_ip4(IP4(v4[0], v4[1], v4[2], v4[3]));
    }
    return NULL;
}

const char *pl_address_special(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return special_ip4(ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr));
    if (address->sa_family == AF_INET6)
        return special_ip6(((const struct sockaddr_in6 *)address)->sin6_addr.s6_addr);
    return "local";
}

const char *pl_address_special_text(const char *text)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
        return pl_address_special((const struct sockaddr *)&v4);
    if (inet_pton(AF_INET6, text, &v6.sin6_addr) == 1)
        return pl_address_special((const struct sockaddr *)&v6);
    return "invalid";
}
