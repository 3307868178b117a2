#include "drivers/redis_url.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_PORT 6379
#define MAX_DATABASE 1000000 /* far beyond what anybody configures */

static int invalid(struct pl_err *err, const char *what)
{
    return pl_fail(err, PL_E_INVALID, false, "redis.url",
                   "%s; expected redis://[:password@]host[:port][/database] or "
                   "redis+unix://[:password@]/path[?db=database]",
                   what);
}

static int digit_of(char c)
{
    if (isdigit((unsigned char)c))
        return c - '0';
    return isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10 : -1;
}

/* Copies with %XX decoded. -1: too long, a broken %XX, or a zero byte. */
static int decode(const char *from, size_t len, char *out, size_t room)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++, n++) {
        char c = from[i];
        if (c == '%') {
            if (len - i < 3 || digit_of(from[i + 1]) < 0 || digit_of(from[i + 2]) < 0)
                return -1;
            c = (char)(digit_of(from[i + 1]) * 16 + digit_of(from[i + 2]));
            i += 2;
        }
        if (c == '\0' || n + 1 >= room)
            return -1;
        out[n] = c;
    }
    out[n] = '\0';
    return 0;
}

/* The whole of `text` as a number from `low` to `high`, -1 when it is none. */
static int number(const char *text, int low, int high)
{
    char *end;
    long n = strtol(text, &end, 10);
    return isdigit((unsigned char)text[0]) && *end == '\0' && n >= low && n <= high ? (int)n : -1;
}

static int parse_login(const char *text, size_t len, struct pl_redis_url *out)
{
    const char *colon = memchr(text, ':', len);
    if (colon == NULL)
        return -1; /* a user alone opens nothing: most likely the colon was forgotten */
    size_t user = (size_t)(colon - text);
    if (decode(text, user, out->user, sizeof out->user) < 0)
        return -1;
    return decode(colon + 1, len - user - 1, out->password, sizeof out->password);
}

static int parse_socket(char *rest, struct pl_redis_url *out, struct pl_err *err)
{
    char *query = strchr(rest, '?');
    if (query != NULL) {
        *query++ = '\0';
        out->database = strncmp(query, "db=", 3) == 0 ? number(query + 3, 0, MAX_DATABASE) : -1;
        if (out->database < 0)
            return invalid(err, "what follows ? is not db= with a number");
    }
    if (rest[0] != '/' || decode(rest, strlen(rest), out->path, sizeof out->path) < 0)
        return invalid(err, "the socket is not an absolute path of at most 107 bytes");
    return 0;
}

static int parse_host(char *rest, struct pl_redis_url *out, struct pl_err *err)
{
    char *slash = strchr(rest, '/');
    if (slash != NULL) {
        *slash++ = '\0';
        out->database = *slash != '\0' ? number(slash, 0, MAX_DATABASE) : 0;
        if (out->database < 0)
            return invalid(err, "the database is not a number");
    }
    char *host = rest, *end = rest + strcspn(rest, ":");
    if (rest[0] == '[') {
        host = rest + 1;
        end = strchr(host, ']');
        if (end == NULL)
            return invalid(err, "the bracket of the address is not closed");
        *end++ = '\0';
    }
    out->port = DEFAULT_PORT;
    if (*end == ':')
        out->port = number(end + 1, 1, 65535);
    else if (*end != '\0')
        out->port = -1;
    if (out->port < 0)
        return invalid(err, "the port is not a number from 1 to 65535");
    *end = '\0';
    if (host[0] == '\0' || strlen(host) >= sizeof out->host)
        return invalid(err, "the host is missing, or too long");
    strcpy(out->host, host);
    return 0;
}

int pl_redis_url_parse(const char *text, struct pl_redis_url *out, struct pl_err *err)
{
    static const char tcp[] = "redis://", local[] = "redis+unix://";
    char rest[2048];
    memset(out, 0, sizeof *out);
    int is_local = strncmp(text, local, sizeof local - 1) == 0;
    if (!is_local && strncmp(text, tcp, sizeof tcp - 1) != 0)
        return invalid(err, "not a URL of Redis");
    text += is_local ? sizeof local - 1 : sizeof tcp - 1;
    /* The password may hold what looks like a path only as %2F: an @ after the first slash is part
     * of the path. */
    const char *at = memchr(text, '@', strcspn(text, "/"));
    if (at != NULL && parse_login(text, (size_t)(at - text), out) < 0)
        return invalid(err, "the login is not [user]:password with %XX for special characters");
    if (at != NULL)
        text = at + 1;
    if (strlen(text) >= sizeof rest)
        return invalid(err, "the URL is too long");
    strcpy(rest, text);
    return is_local ? parse_socket(rest, out, err) : parse_host(rest, out, err);
}
