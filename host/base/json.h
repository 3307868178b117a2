/* A strict JSON reader (RFC 8259) for what comes from outside, and the escaping for what goes out.
 *
 * The reader is pulled, token by token, and keeps no more than its own depth; the caller builds
 * what it wants. Refused: invalid UTF-8, unpaired surrogates, control characters, numbers that JSON
 * does not know, integers beyond 2^53 (they would silently become others), trailing text. Whoever
 * builds objects refuses duplicate keys, which the reader cannot see. */
#ifndef PL_BASE_JSON_H
#define PL_BASE_JSON_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define PL_JSON_DEPTH_MAX 64
#define PL_JSON_EXACT     9007199254740992.0 /* 2^53: integers up to it are themselves */

enum pl_json_token {
    PL_JSON_ERROR, /* reader->err says what, where (line, column) and what was expected */
    PL_JSON_END,   /* the document is complete, only white space followed */
    PL_JSON_NULL,
    PL_JSON_TRUE,
    PL_JSON_FALSE,
    PL_JSON_NUMBER, /* reader->number */
    PL_JSON_STRING, /* reader->str, reader->len; valid until the next token */
    PL_JSON_KEY,    /* the same; a value follows */
    PL_JSON_ARRAY,
    PL_JSON_ARRAY_END,
    PL_JSON_OBJECT,
    PL_JSON_OBJECT_END,
};

struct pl_json_limits {
    uint32_t depth;  /* nested arrays and objects, at most PL_JSON_DEPTH_MAX */
    uint32_t nodes;  /* values in all */
    uint32_t string; /* bytes of one string */
};

#define PL_JSON_LIMITS_DEFAULT                                                                     \
    {                                                                                              \
        .depth = PL_JSON_DEPTH_MAX, .nodes = 100000, .string = 1 << 20                             \
    }

struct pl_json_reader {
    const char *text, *at, *end;
    struct pl_json_limits limits;
    uint32_t nodes;
    uint32_t depth;
    uint64_t is_object; /* bit d-1: what is open at depth d */
    uint8_t expect;     /* private */
    double number;
    const char *str;
    size_t len;
    struct pl_buf scratch; /* strings with escapes */
    struct pl_err err;     /* code: invalid_json, too_deep, too_large, number_out_of_range */
};

/* `text` must outlive the reader. */
void pl_json_open(struct pl_json_reader *r, const char *text, size_t len,
                  const struct pl_json_limits *limits);
enum pl_json_token pl_json_next(struct pl_json_reader *r);
void pl_json_close(struct pl_json_reader *r);

/* Makes the reader's error about the current place: for the caller's own refusals (duplicate key).
 */
void pl_json_refuse(struct pl_json_reader *r, const char *code, const char *what);

/* Appends a quoted string. Returns -1 (and appends nothing) when it is not valid UTF-8. */
int pl_json_put_string(struct pl_buf *out, const char *s, size_t len);

/* Appends a number in its shortest form that reads back the same. Returns -1 for NaN, infinity. */
int pl_json_put_number(struct pl_buf *out, double v);

#endif
