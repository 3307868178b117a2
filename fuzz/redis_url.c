/* The address of a Redis: what is taken is whole and within its bounds, what is refused is not
 * repeated. */
#include "drivers/redis_url.h"
#include "check.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* The message must be the same whatever the password was: it is made of our own words only. */
static bool is_ours(const char *message)
{
    return strstr(message, "; expected redis://[:password@]host") != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    memcpy(text, data, size);
    text[size] = '\0';
    struct pl_redis_url url;
    struct pl_err err;
    if (pl_redis_url_parse(text, &url, &err) < 0) {
        CHECK(strcmp(err.code, PL_E_INVALID) == 0);
        CHECK(is_ours(err.message));
    } else {
        CHECK((url.host[0] != '\0') != (url.path[0] != '\0'));
        CHECK(url.path[0] == '\0' || url.path[0] == '/');
        CHECK(url.path[0] != '\0' || (url.port >= 1 && url.port <= 65535));
        CHECK(url.database >= 0);
        CHECK(memchr(url.host, '\0', sizeof url.host) != NULL);
        CHECK(memchr(url.path, '\0', sizeof url.path) != NULL);
        CHECK(memchr(url.user, '\0', sizeof url.user) != NULL);
        CHECK(memchr(url.password, '\0', sizeof url.password) != NULL);
    }
    free(text);
    return 0;
}
