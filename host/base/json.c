#include "base/json.h"

#include "base/utf8.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define OP "json"

enum { VALUE, VALUE_OR_END, KEY, KEY_OR_END, COMMA_OR_END, DONE };

void pl_json_open(struct pl_json_reader *r, const char *text, size_t len,
                  const struct pl_json_limits *limits)
{
    memset(r, 0, sizeof *r);
    r->text = r->at = text;
    r->end = text + len;
    r->limits = *limits;
    if (r->limits.depth > PL_JSON_DEPTH_MAX)
        r->limits.depth = PL_JSON_DEPTH_MAX;
    r->expect = VALUE;
}

void pl_json_close(struct pl_json_reader *r)
{
    pl_buf_free(&r->scratch);
}

void pl_json_refuse(struct pl_json_reader *r, const char *code, const char *what)
{
    unsigned line = 1;
    const char *begin = r->text;
    for (const char *p = r->text; p < r->at; p++)
        if (*p == '\n') {
            line++;
            begin = p + 1;
        }
    pl_fail(&r->err, code, false, OP, "line %u, column %zu: %s", line, (size_t)(r->at - begin) + 1,
            what);
}

static enum pl_json_token refuse(struct pl_json_reader *r, const char *code, const char *what)
{
    pl_json_refuse(r, code, what);
    return PL_JSON_ERROR;
}

static enum pl_json_token syntax(struct pl_json_reader *r, const char *what)
{
    return refuse(r, "invalid_json", r->at == r->end ? "unexpected end of the document" : what);
}

/* --- strings
 * --------------------------------------------------------------------------------------- */

static int hex4(const char *p, const char *end)
{
    if (end - p < 4)
        return -1;
    int v = 0;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        int d = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                       : -1;
        if (d < 0)
            return -1;
        v = v << 4 | d;
    }
    return v;
}

/* r->at stands behind the backslash. */
static bool escape(struct pl_json_reader *r)
{
    static const char from[] = "\"\\/bfnrt";
    static const char to[] = "\"\\/\b\f\n\r\t";
    if (r->at == r->end)
        return false;
    char c = *r->at;
    const char *simple = c != '\0' ? strchr(from, c) : NULL;
    if (simple != NULL) {
        pl_buf_putc(&r->scratch, to[simple - from]);
        r->at++;
        return true;
    }
    if (c != 'u')
        return false;
    int code = hex4(r->at + 1, r->end);
    if (code < 0 || (code >= 0xDC00 && code <= 0xDFFF))
        return false;
    r->at += 5;
    uint32_t full = (uint32_t)code;
    if (code >= 0xD800 && code <= 0xDBFF) {
        int low = r->end - r->at >= 6 && r->at[0] == '\\' && r->at[1] == 'u'
                      ? hex4(r->at + 2, r->end)
                      : -1;
        if (low < 0xDC00 || low > 0xDFFF)
            return false;
        full = 0x10000 + (((uint32_t)code - 0xD800) << 10) + ((uint32_t)low - 0xDC00);
        r->at += 6;
    }
    char out[4];
    pl_buf_append(&r->scratch, out, pl_utf8_encode(full, out));
    return true;
}

/* r->at stands behind the opening quote. */
static bool string(struct pl_json_reader *r)
{
    const char *from = r->at;
    bool copied = false;
    pl_buf_clear(&r->scratch);
    for (;;) {
        if (r->at == r->end) {
            syntax(r, "");
            return false;
        }
        unsigned char c = (unsigned char)*r->at;
        if (c == '"')
            break;
        if (c == '\\') {
            pl_buf_append(&r->scratch, from, (size_t)(r->at - from));
            copied = true;
            r->at++;
            if (!escape(r)) {
                syntax(r, "not an escape that JSON knows, or half of a surrogate pair");
                return false;
            }
            from = r->at;
        } else if (c < 0x20) {
            syntax(r, "control character in a string: write it as \\u00XX");
            return false;
        } else if (c < 0x80) {
            r->at++;
        } else {
            size_t n = pl_utf8_char((const unsigned char *)r->at, (size_t)(r->end - r->at));
            if (n == 0) {
                refuse(r, "invalid_utf8", "invalid UTF-8");
                return false;
            }
            r->at += n;
        }
    }
    if (copied) {
        pl_buf_append(&r->scratch, from, (size_t)(r->at - from));
        r->str = r->scratch.data;
        r->len = r->scratch.len;
    } else {
        r->str = from;
        r->len = (size_t)(r->at - from);
    }
    if (r->len > r->limits.string) {
        refuse(r, PL_E_TOO_LARGE, "the string is too long");
        return false;
    }
    r->at++;
    return true;
}

/* --- numbers
 * --------------------------------------------------------------------------------------- */

static bool is_digit(const struct pl_json_reader *r)
{
    return r->at < r->end && *r->at >= '0' && *r->at <= '9';
}

static const char *digits(struct pl_json_reader *r)
{
    while (is_digit(r))
        r->at++;
    return r->at;
}

static enum pl_json_token number(struct pl_json_reader *r)
{
    const char *from = r->at;
    if (*r->at == '-')
        r->at++;
    if (!is_digit(r))
        return syntax(r, "a digit was expected");
    if (*r->at == '0')
        r->at++;
    else
        digits(r);
    if (is_digit(r))
        return syntax(r, "a number may not begin with 0");
    size_t int_len = (size_t)(r->at - from);
    bool integer = true;
    if (r->at < r->end && *r->at == '.') {
        integer = false;
        r->at++;
        if (!is_digit(r))
            return syntax(r, "a digit was expected");
        digits(r);
    }
    if (r->at < r->end && (*r->at == 'e' || *r->at == 'E')) {
        integer = false;
        r->at++;
        if (r->at < r->end && (*r->at == '+' || *r->at == '-'))
            r->at++;
        if (!is_digit(r))
            return syntax(r, "a digit was expected");
        digits(r);
    }
    size_t len = (size_t)(r->at - from);
    if (integer && int_len <= 15) { /* below 10^15: exact without strtod */
        int64_t v = 0;
        for (const char *p = from + (*from == '-'); p < r->at; p++)
            v = v * 10 + (*p - '0');
        r->number = *from == '-' ? -(double)v : (double)v;
        return PL_JSON_NUMBER;
    }
    char buf[400];
    if (len >= sizeof buf)
        return refuse(r, "number_out_of_range", "the number has too many digits");
    memcpy(buf, from, len);
    buf[len] = '\0';
    r->number = strtod(buf, NULL); /* the host never leaves the C locale */
    if (!isfinite(r->number))
        return refuse(r, "number_out_of_range", "the number is too large");
    if (integer && fabs(r->number) > PL_JSON_EXACT)
        return refuse(r, "number_out_of_range",
                      "integers beyond 2^53 cannot be kept exactly: send it as a string");
    /* 2^53 + 1 reads as 2^53: only the digits tell them apart. */
    if (integer && fabs(r->number) == PL_JSON_EXACT &&
        strcmp(buf + (*from == '-'), "9007199254740992") != 0)
        return refuse(r, "number_out_of_range",
                      "integers beyond 2^53 cannot be kept exactly: send it as a string");
    return PL_JSON_NUMBER;
}

/* --- structure
 * ------------------------------------------------------------------------------------- */

static void skip_space(struct pl_json_reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\n' || *r->at == '\r' || *r->at == '\t'))
        r->at++;
}

static enum pl_json_token open(struct pl_json_reader *r, bool object)
{
    if (r->depth == r->limits.depth)
        return refuse(r, "too_deep", "nested too deep");
    uint64_t bit = 1ull << r->depth;
    r->is_object = object ? r->is_object | bit : r->is_object & ~bit;
    r->depth++;
    r->at++;
    r->expect = object ? KEY_OR_END : VALUE_OR_END;
    return object ? PL_JSON_OBJECT : PL_JSON_ARRAY;
}

static bool in_object(const struct pl_json_reader *r)
{
    return r->is_object >> (r->depth - 1) & 1;
}

static enum pl_json_token shut(struct pl_json_reader *r)
{
    enum pl_json_token token = in_object(r) ? PL_JSON_OBJECT_END : PL_JSON_ARRAY_END;
    r->at++;
    r->depth--;
    r->expect = r->depth == 0 ? DONE : COMMA_OR_END;
    return token;
}

static enum pl_json_token word(struct pl_json_reader *r, const char *text, enum pl_json_token token)
{
    size_t n = strlen(text);
    if ((size_t)(r->end - r->at) < n || memcmp(r->at, text, n) != 0)
        return syntax(r, "a value was expected");
    r->at += n;
    return token;
}

static enum pl_json_token value(struct pl_json_reader *r)
{
    if (++r->nodes > r->limits.nodes)
        return refuse(r, PL_E_TOO_LARGE, "too many values");
    switch (*r->at) {
    case '{':
        return open(r, true);
    case '[':
        return open(r, false);
    default:
        r->expect = r->depth == 0 ? DONE : COMMA_OR_END;
    }
    switch (*r->at) {
    case '"':
        r->at++;
        return string(r) ? PL_JSON_STRING : PL_JSON_ERROR;
    case 't':
        return word(r, "true", PL_JSON_TRUE);
    case 'f':
        return word(r, "false", PL_JSON_FALSE);
    case 'n':
        return word(r, "null", PL_JSON_NULL);
    case '-':
    case '0' ... '9':
        return number(r);
    default:
        return syntax(r, "a value was expected");
    }
}

static enum pl_json_token key(struct pl_json_reader *r)
{
    if (*r->at != '"')
        return syntax(r, "a key in double quotes was expected");
    r->at++;
    if (!string(r))
        return PL_JSON_ERROR;
    skip_space(r);
    if (r->at == r->end || *r->at != ':')
        return syntax(r, "':' was expected");
    r->at++;
    r->expect = VALUE;
    return PL_JSON_KEY;
}

enum pl_json_token pl_json_next(struct pl_json_reader *r)
{
    if (r->err.code != NULL)
        return PL_JSON_ERROR;
    skip_space(r);
    if (r->at == r->end)
        return r->expect == DONE ? PL_JSON_END : syntax(r, "");
    switch (r->expect) {
    case DONE:
        return syntax(r, "nothing may follow the document");
    case COMMA_OR_END:
        if (*r->at == (in_object(r) ? '}' : ']'))
            return shut(r);
        if (*r->at != ',')
            return syntax(r, in_object(r) ? "',' or '}' was expected" : "',' or ']' was expected");
        r->at++;
        skip_space(r);
        if (r->at == r->end)
            return syntax(r, "");
        return in_object(r) ? key(r) : value(r);
    case KEY_OR_END:
        return *r->at == '}' ? shut(r) : key(r);
    case VALUE_OR_END:
        return *r->at == ']' ? shut(r) : value(r);
    default:
        return value(r);
    }
}
