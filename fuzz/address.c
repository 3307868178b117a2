/* Which addresses are public, as text and as bytes: an IPv4 address is judged alike however it is
 * written into an IPv6 one, and nothing that is no address is ever public. */
#include "base/address.h"
#include "check.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

static const char *judge6(const uint8_t bytes[16])
{
    struct sockaddr_in6 a = {.sin6_family = AF_INET6};
    memcpy(&a.sin6_addr, bytes, 16);
    char text[INET6_ADDRSTRLEN];
    CHECK(inet_ntop(AF_INET6, &a.sin6_addr, text, sizeof text) != NULL);
    const char *kind = pl_address_special((const struct sockaddr *)&a);
    CHECK(pl_address_special_text(text) == kind);
    return kind;
}

static void check_ip4(const uint8_t bytes[4])
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    memcpy(&a.sin_addr, bytes, 4);
    char text[INET_ADDRSTRLEN];
    CHECK(inet_ntop(AF_INET, &a.sin_addr, text, sizeof text) != NULL);
    const char *kind = pl_address_special((const struct sockaddr *)&a);
    CHECK(pl_address_special_text(text) == kind);
    uint8_t mapped[16] = {[10] = 0xff, 0xff}, nat64[16] = {0x00, 0x64, 0xff, 0x9b},
            sixto4[16] = {0x20, 0x02};
    memcpy(mapped + 12, bytes, 4);
    memcpy(nat64 + 12, bytes, 4);
    memcpy(sixto4 + 2, bytes, 4);
    CHECK(judge6(mapped) == kind && judge6(nat64) == kind && judge6(sixto4) == kind);
    if (bytes[0] == 127 || bytes[0] == 10 || bytes[0] == 0 || bytes[0] >= 224)
        CHECK(kind != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 4) {
        check_ip4(data);
    } else if (size == 16) {
        judge6(data);
    } else {
        char *text = malloc(size + 1);
        memcpy(text, data, size);
        text[size] = '\0';
        const char *kind = pl_address_special_text(text);
        struct in6_addr any;
        if (inet_pton(AF_INET, text, &any) != 1 && inet_pton(AF_INET6, text, &any) != 1)
            CHECK(kind != NULL && strcmp(kind, "invalid") == 0);
        free(text);
    }
    return 0;
}
