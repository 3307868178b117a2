/* UTF-8: the table-driven checker against the definition of RFC 3629, written the long way. */
#include "base/utf8.h"
#include "check.h"

#include <string.h>

/* Decodes one character by arithmetic alone; 0 when there is none. */
static size_t decode(const unsigned char *s, size_t n, uint32_t *code)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t len = s[0] < 0x80           ? 1
                 : (s[0] >> 5) == 6    ? 2
                 : (s[0] >> 4) == 0xE  ? 3
                 : (s[0] >> 3) == 0x1E ? 4
                                       : 0;
    if (len == 0 || len > n)
        return 0;
    *code = len == 1 ? s[0] : s[0] & (0x7Fu >> len);
    for (size_t i = 1; i < len; i++) {
        if ((s[i] >> 6) != 2)
            return 0;
        *code = *code << 6 | (s[i] & 0x3F);
    }
    if (*code < least[len] || *code > 0x10FFFF || (*code >= 0xD800 && *code <= 0xDFFF))
        return 0;
    return len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t at = 0;
    while (at < size) {
        uint32_t code = 0;
        size_t len = decode(data + at, size - at, &code);
        CHECK(pl_utf8_char(data + at, size - at) == len);
        if (len == 0)
            break;
        char again[4];
        CHECK(pl_utf8_encode(code, again) == len);
        CHECK(memcmp(again, data + at, len) == 0);
        at += len;
    }
    CHECK(pl_utf8_valid((const char *)data, size) == at);

    char *text = malloc(size ? size : 1);
    memcpy(text, data, size);
    pl_utf8_repair(text, size);
    CHECK(pl_utf8_valid(text, size) == size);
    CHECK(memcmp(text, data, at) == 0);
    free(text);
    return 0;
}
