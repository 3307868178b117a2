/* The items of a pattern that stand for one character: a letter, '.', %a, [set]. Shared by the
 * matcher and the check of whole patterns. */
#ifndef PL_ENGINE_PATTERN_ITEM_H
#define PL_ENGINE_PATTERN_ITEM_H

#include <stdbool.h>
#include <stddef.h>

typedef const unsigned char *bytes;

/* What follows a '%'. ASCII only, whatever the locale says, as LuaJIT's. */
static inline bool is_class(unsigned c, unsigned letter)
{
    bool in;
    switch (letter | 0x20) {
    case 'a':
        in = (c | 0x20) - 'a' < 26;
        break;
    case 'c':
        in = c < 0x20 || c == 0x7f;
        break;
    case 'd':
        in = c - '0' < 10;
        break;
    case 'g':
        in = c - 0x21 < 0x5e;
        break;
    case 'l':
        in = c - 'a' < 26;
        break;
    case 'p':
        in = c - 0x21 < 0x5e && c - '0' >= 10 && (c | 0x20) - 'a' >= 26;
        break;
    case 's':
        in = c == ' ' || c - '\t' < 5;
        break;
    case 'u':
        in = c - 'A' < 26;
        break;
    case 'w':
        in = (c | 0x20) - 'a' < 26 || c - '0' < 10;
        break;
    case 'x':
        in = c - '0' < 10 || (c | 0x20) - 'a' < 6;
        break;
    case 'z':
        in = c == 0;
        break;
    default:
        return c == letter;
    }
    return in == ((letter & 0x20) != 0); /* a capital letter: all others */
}

/* `set` is at its '[', `last` at its ']'. */
static inline bool in_set(unsigned c, bytes set, bytes last)
{
    bool found = set[1] != '^';
    for (bytes p = set + (found ? 1 : 2); p < last; p++) {
        if (*p == '%') {
            if (is_class(c, *++p))
                return found;
        } else if (p[1] == '-' && p + 2 < last) {
            if (p[0] <= c && c <= p[2])
                return found;
            p += 2;
        } else if (*p == c) {
            return found;
        }
    }
    return !found;
}

/* Whether `c` fits the item from `p` to before `ep`. */
static inline bool fits(unsigned c, bytes p, bytes ep)
{
    switch (*p) {
    case '.':
        return true;
    case '%':
        return is_class(c, p[1]);
    case '[':
        return in_set(c, p, ep - 1);
    default:
        return *p == c;
    }
}

/* The first byte after the item at `p`, without what repeats it. NULL with *error: malformed. */
static inline bytes item_end(bytes p, bytes end, const char **error)
{
    if (*p == '%') {
        if (p + 1 < end)
            return p + 2;
        *error = "malformed pattern (ends with '%')";
        return NULL;
    }
    if (*p != '[')
        return p + 1;
    p += p[1] == '^' ? 2 : 1;
    do { /* a ']' that comes first stands for itself */
        if (p >= end) {
            *error = "malformed pattern (missing ']')";
            return NULL;
        }
        if (*p++ == '%' && p < end)
            p++;
    } while (*p != ']');
    return p + 1;
}

static inline bool is_digit(unsigned c)
{
    return c - '0' < 10;
}

#endif
