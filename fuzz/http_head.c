/* Heads of responses, which whoever is called writes: nothing outside of the lines is read, no
 * limit is passed, and the fields are those that a plain reading finds. */
#include "drivers/http_head.h"
#include "check.h"

#include <string.h>

/* The plain reading: how many lines have a colon behind 1 to 127 bytes without a NUL. */
static size_t count_fields(const struct pl_buf *lines)
{
    size_t fields = 0, name = 0;
    bool in_name = true;
    for (size_t i = 0; i < lines->len; i++) {
        char c = lines->data[i];
        if (in_name && c == ':') {
            fields += name > 0 && name <= PL_HTTP_NAME_MAX;
            in_name = false;
        } else if (c == '\n') {
            in_name = true;
            name = 0;
        } else if (c == '\0') {
            in_name = false;
        } else {
            name++;
        }
    }
    return fields;
}

static void check_field(const struct pl_buf *lines, const struct pl_http_head_field *f)
{
    size_t n = strlen(f->name);
    CHECK(n > 0 && n <= PL_HTTP_NAME_MAX && strpbrk(f->name, ":\n") == NULL);
    for (size_t i = 0; i < n; i++)
        CHECK(f->name[i] < 'A' || f->name[i] > 'Z');
    CHECK(f->value >= lines->data && f->value + f->value_len <= lines->data + lines->len);
    if (f->value_len == 0)
        return;
    CHECK(memchr(f->value, '\n', f->value_len) == NULL);
    CHECK(strchr(" \t\r", f->value[0]) == NULL || f->value[0] == '\0');
    CHECK(strchr(" \t\r", f->value[f->value_len - 1]) == NULL ||
          f->value[f->value_len - 1] == '\0');
}

static void check_head(const struct pl_http_head *head)
{
    struct pl_http_head_field field;
    size_t at = 0, fields = 0;
    while (pl_http_head_next(&head->lines, &at, &field)) {
        check_field(&head->lines, &field);
        fields++;
    }
    CHECK(at == head->lines.len);
    CHECK(fields == count_fields(&head->lines));
}

/* The first byte says which of the empty lines ends the final response. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct pl_http_head head = {0};
    unsigned ends = 0, last = data[0] % 4;
    size_t taken = 0, at = 1;
    while (at < size) {
        const uint8_t *newline = memchr(data + at, '\n', size - at);
        size_t n = newline != NULL ? (size_t)(newline - (data + at)) + 1 : size - at;
        /* A copy of just this size: a byte read behind it is seen. */
        char *line = malloc(n);
        memcpy(line, data + at, n);
        size_t before = head.lines.len;
        enum pl_http_head_event event = pl_http_head_take(&head, line, n);
        free(line);
        at += n;
        taken += n;
        CHECK(head.lines.len <= before + n);
        if (head.done)
            CHECK(head.lines.len == before && event != PL_HTTP_HEAD_END);
        CHECK((event == PL_HTTP_HEAD_TOO_LARGE) ==
              (taken > PL_HTTP_HEAD_BYTES || head.count > PL_HTTP_HEAD_LINES));
        if (event == PL_HTTP_HEAD_TOO_LARGE)
            break;
        if (event == PL_HTTP_HEAD_END)
            head.done = ends++ == last;
    }
    check_head(&head);
    pl_buf_free(&head.lines);
    return 0;
}
