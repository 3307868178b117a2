#include "drivers/http_head.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>

enum pl_http_head_event pl_http_head_take(struct pl_http_head *head, const char *line, size_t n)
{
    head->bytes += n;
    head->count++;
    if (head->bytes > PL_HTTP_HEAD_BYTES || head->count > PL_HTTP_HEAD_LINES)
        return PL_HTTP_HEAD_TOO_LARGE;
    if (head->done || n == 0) /* trailers are nobody's business here */
        return PL_HTTP_HEAD_MORE;
    if (n > 5 && memcmp(line, "HTTP/", 5) == 0) { /* another one after a 1xx */
        pl_buf_clear(&head->lines);
        return PL_HTTP_HEAD_MORE;
    }
    if (n <= 2 && (line[0] == '\r' || line[0] == '\n'))
        return PL_HTTP_HEAD_END;
    pl_buf_append(&head->lines, line, n);
    return PL_HTTP_HEAD_MORE;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool read_field(const char *line, const char *end, struct pl_http_head_field *field)
{
    const char *colon = memchr(line, ':', (size_t)(end - line));
    if (colon == NULL || colon == line || (size_t)(colon - line) > PL_HTTP_NAME_MAX)
        return false;
    size_t n = (size_t)(colon - line);
    for (size_t i = 0; i < n; i++)
        field->name[i] = (char)tolower((unsigned char)line[i]);
    field->name[n] = '\0';
    if (strlen(field->name) != n)
        return false;
    const char *value = colon + 1;
    while (value < end && is_space(*value))
        value++;
    while (end > value && is_space(end[-1]))
        end--;
    field->value = value;
    field->value_len = (size_t)(end - value);
    return true;
}

bool pl_http_head_next(const struct pl_buf *lines, size_t *at, struct pl_http_head_field *field)
{
    assert(*at <= lines->len);
    while (*at < lines->len) {
        const char *line = lines->data + *at;
        const char *newline = memchr(line, '\n', lines->len - *at);
        const char *end = newline != NULL ? newline + 1 : lines->data + lines->len;
        *at = (size_t)(end - lines->data);
        if (read_field(line, end, field))
            return true;
    }
    return false;
}
