/* Strings and numbers as JSON. */
#include "base/json.h"

#include "base/decimal.h"
#include "base/utf8.h"

#include <math.h>
#include <string.h>

static void put_escaped(struct pl_buf *out, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    static const char from[] = "\"\\\n\r\t";
    static const char to[] = "\"\\nrt";
    const char *simple = c != '\0' ? strchr(from, c) : NULL;
    char u[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
    if (simple != NULL)
        u[1] = to[simple - from];
    pl_buf_append(out, u, simple != NULL ? 2 : sizeof u);
}

/* How many bytes at the front of `s` stand in JSON as they are, by eights: the rest of them is for
 * whoever looks at single characters. Whether one of eight bytes is less than n, or is n, is found
 * as in Hacker's Delight, 6-1: in each byte apart, as none has its highest bit. */
static size_t plain(const char *s, size_t len)
{
    const uint64_t ones = 0x0101010101010101ull, high = 0x8080808080808080ull;
    size_t i = 0;
    uint64_t w;
    for (; len - i >= sizeof w; i += sizeof w) {
        memcpy(&w, s + i, sizeof w);
        uint64_t quote = w ^ ones * '"', backslash = w ^ ones * '\\', del = w ^ ones * 0x7F;
        uint64_t special =
            w | (w - ones * 0x20) | (quote - ones) | (backslash - ones) | (del - ones);
        if ((special & high) != 0)
            break;
    }
    return i;
}

int pl_json_put_string(struct pl_buf *out, const char *s, size_t len)
{
    size_t start = out->len, from = 0, i = 0;
    pl_buf_reserve(out, len + 2);
    pl_buf_putc(out, '"');
    while ((i += plain(s + i, len - i)) < len) {
        unsigned char c = (unsigned char)s[i];
        if (c >= 0x80) {
            size_t n = pl_utf8_char((const unsigned char *)s + i, len - i);
            if (n == 0) {
                out->len = start;
                return -1;
            }
            i += n;
            continue;
        }
        i++;
        if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7F)
            continue;
        pl_buf_append(out, s + from, i - 1 - from);
        put_escaped(out, c);
        from = i;
    }
    pl_buf_append(out, s + from, len - from);
    pl_buf_putc(out, '"');
    return 0;
}

int pl_json_put_number(struct pl_buf *out, double v)
{
    if (!isfinite(v))
        return -1;
    bool exact = v == floor(v) && fabs(v) <= PL_JSON_EXACT;
    pl_buf_reserve(out, PL_DECIMAL_MAX + 2);
    char *text = out->data + out->len;
    out->len += exact ? pl_decimal((int64_t)v, text) : pl_decimal_real(v, text);
    /* Beyond 2^53 without a fraction it would look like an integer, which no strict reader takes.
     */
    if (!exact && strpbrk(text, ".e") == NULL)
        pl_buf_puts(out, ".0");
    return 0;
}
