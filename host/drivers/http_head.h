/* The head of a response: collected as libcurl hands over its lines, then read field by field. */
#ifndef PL_DRIVERS_HTTP_HEAD_H
#define PL_DRIVERS_HTTP_HEAD_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

#define PL_HTTP_HEAD_BYTES (64u << 10) /* status lines, headers, what comes before and after */

/* Fields of one name are joined, each time anew: 13 000 short ones took 50 ms. */
#define PL_HTTP_HEAD_LINES 200u

#define PL_HTTP_NAME_MAX 127u /* a field with a longer name is left out */

/* All zero is an empty one; free with pl_buf_free(&head->lines). */
struct pl_http_head {
    struct pl_buf
        lines; /* "Name: value" with line ends; of an interim response (1xx) none is left */
    size_t bytes;
    uint32_t count;
    bool done; /* set by who takes: this was the final response, what follows is left out */
};

enum pl_http_head_event {
    PL_HTTP_HEAD_MORE,
    PL_HTTP_HEAD_END, /* an empty line; the status says whether it was the final response */
    PL_HTTP_HEAD_TOO_LARGE,
};

/* Takes one line with its end, as CURLOPT_HEADERFUNCTION has it: status lines, headers, the empty
 * line, and trailers. */
enum pl_http_head_event pl_http_head_take(struct pl_http_head *head, const char *line, size_t n);

struct pl_http_head_field {
    char name[PL_HTTP_NAME_MAX + 1]; /* in lower case, with a NUL */
    const char *value;               /* in the lines; without white space around */
    size_t value_len;
};

/* The next field at or after `*at`, which moves behind it; false: there is none. Lines that are no
 * fields are left out. */
bool pl_http_head_next(const struct pl_buf *lines, size_t *at, struct pl_http_head_field *field);

#endif
