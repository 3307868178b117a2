/* JSON: what the reader accepts, the writer writes so that the reader reads the same again. */
#include "base/json.h"
#include "base/utf8.h"
#include "check.h"

#include <string.h>

/* Reads the document and writes it again without spaces. False when it was refused. */
static bool rewrite(const char *text, size_t len, struct pl_buf *out)
{
    struct pl_json_limits limits = PL_JSON_LIMITS_DEFAULT;
    struct pl_json_reader r;
    pl_json_open(&r, text, len, &limits);
    bool first = true, ok = false;
    for (;;) {
        enum pl_json_token token = pl_json_next(&r);
        bool ends = token == PL_JSON_ARRAY_END || token == PL_JSON_OBJECT_END;
        if (token == PL_JSON_END || token == PL_JSON_ERROR) {
            ok = token == PL_JSON_END;
            break;
        }
        if (!first && !ends)
            pl_buf_putc(out, ',');
        first = false;
        switch (token) {
        case PL_JSON_NULL:
            pl_buf_puts(out, "null");
            break;
        case PL_JSON_TRUE:
            pl_buf_puts(out, "true");
            break;
        case PL_JSON_FALSE:
            pl_buf_puts(out, "false");
            break;
        case PL_JSON_NUMBER:
            CHECK(pl_json_put_number(out, r.number) == 0);
            break;
        case PL_JSON_STRING:
        case PL_JSON_KEY:
            CHECK(pl_utf8_valid(r.str, r.len) == r.len);
            CHECK(pl_json_put_string(out, r.str, r.len) == 0);
            if (token == PL_JSON_KEY) {
                pl_buf_putc(out, ':');
                first = true;
            }
            break;
        case PL_JSON_ARRAY:
        case PL_JSON_OBJECT:
            CHECK(r.depth <= PL_JSON_DEPTH_MAX);
            pl_buf_putc(out, token == PL_JSON_ARRAY ? '[' : '{');
            first = true;
            break;
        default:
            pl_buf_putc(out, token == PL_JSON_ARRAY_END ? ']' : '}');
        }
    }
    CHECK(ok == (r.err.code == NULL));
    if (!ok) {
        CHECK(strncmp(r.err.message, "line ", 5) == 0);
        CHECK(pl_json_next(&r) == PL_JSON_ERROR); /* it stays refused */
    }
    pl_json_close(&r);
    return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* An exact copy, so that one byte read beyond the end is seen. */
    char *text = malloc(size ? size : 1);
    memcpy(text, data, size);
    struct pl_buf once = {0}, twice = {0};
    if (rewrite(text, size, &once)) {
        CHECK(rewrite(once.data, once.len, &twice));
        CHECK(once.len == twice.len && memcmp(once.data, twice.data, once.len) == 0);
    }
    pl_buf_free(&once);
    pl_buf_free(&twice);
    free(text);
    return 0;
}
