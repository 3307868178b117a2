#include "base/redact.h"

#include <string.h>
#include <strings.h>

#define BEARER_MIN   16 /* shorter ones are words: "bearer authentication" */
#define TELEGRAM_MIN 30 /* the secret half has 35 characters today */

static bool is_token_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
}

static size_t token_run(const char *s, size_t n, const char *also)
{
    size_t i = 0;
    while (i < n && s[i] != '\0' && (is_token_char(s[i]) || strchr(also, s[i]) != NULL))
        i++;
    return i;
}

/* Case is ignored, and '-' is '_': header names are fields too. */
static char fold(char c)
{
    return c == '-' ? '_' : c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static bool key_has(const char *key, size_t len, const char *word)
{
    size_t n = strlen(word);
    for (size_t i = 0; i + n <= len; i++) {
        size_t k = 0;
        while (k < n && fold(key[i + k]) == word[k])
            k++;
        if (k == n)
            return true;
    }
    return false;
}

bool pl_redact_key(const char *key, size_t len)
{
    static const char *const words[] = {"token",  "secret",        "password",
                                        "passwd", "authorization", "api_key",
                                        "apikey", "private_key",   "cookie"};
    /* The public half of a token, which every audit line names. */
    if (len == 8 && memcmp(key, "token_id", 8) == 0)
        return false;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (key_has(key, len, words[i]))
            return true;
    return false;
}

/* prl_KIND_SECRET at s: the length of all of it, or 0. */
static size_t parley_token(const char *s, size_t n)
{
    if (n < 8 || memcmp(s, "prl_", 4) != 0)
        return 0;
    size_t i = 4;
    while (i < n && i < 12 && s[i] >= 'a' && s[i] <= 'z')
        i++;
    if (i == 4 || i == n || s[i] != '_')
        return 0;
    size_t run = token_run(s + i + 1, n - i - 1, "");
    return run > 0 ? i + 1 + run : 0;
}

/* "Bearer SECRET" at s: the length of SECRET, which begins at s + 7, or 0. */
static size_t bearer(const char *s, size_t n)
{
    if (n < 7 + BEARER_MIN || strncasecmp(s, "bearer ", 7) != 0)
        return 0;
    size_t run = token_run(s + 7, n - 7, ".~+/=");
    return run >= BEARER_MIN ? run : 0;
}

/* "://user:PASSWORD@" at s: sets *at to PASSWORD and returns its length, or 0. */
static size_t url_password(const char *s, size_t n, size_t *at)
{
    if (n < 6 || memcmp(s, "://", 3) != 0)
        return 0;
    size_t colon = 0, host = 0;
    for (size_t i = 3; i < n && (unsigned char)s[i] > ' ' && strchr("/?#\"'<>", s[i]) == NULL;
         i++) {
        if (s[i] == ':' && colon == 0)
            colon = i;
        if (s[i] == '@')
            host = i;
    }
    if (colon == 0 || host <= colon + 1)
        return 0;
    *at = colon + 1;
    return host - colon - 1;
}

/* "DIGITS:SECRET" with the colon at s[i]: the length of SECRET, or 0. */
static size_t telegram_token(const char *s, size_t n, size_t i)
{
    if (i < 6)
        return 0;
    for (size_t k = i - 6; k < i; k++)
        if (s[k] < '0' || s[k] > '9')
            return 0;
    size_t run = token_run(s + i + 1, n - i - 1, "");
    return run >= TELEGRAM_MIN ? run : 0;
}

size_t pl_redact_find(const char *s, size_t n, size_t *at)
{
    for (size_t i = 0; i < n; i++) {
        size_t len = 0;
        switch (s[i]) {
        case 'p':
            *at = i;
            len = parley_token(s + i, n - i);
            break;
        case 'b':
        case 'B':
            *at = i + 7;
            len = bearer(s + i, n - i);
            break;
        case ':': {
            size_t in = 0;
            len = url_password(s + i, n - i, &in);
            *at = i + in;
            if (len == 0) {
                *at = i + 1;
                len = telegram_token(s, n, i);
            }
            break;
        }
        default:
            break;
        }
        if (len > 0)
            return len;
    }
    return 0;
}
