/* Log lines: whatever a message and a field hold, the line is one line of strict JSON within its
 * size, and redacting what was redacted changes nothing. */
#include "base/log.h"
#include "base/json.h"
#include "base/redact.h"
#include "check.h"

#include <string.h>

static void redact(const char *s, size_t n, struct pl_buf *out)
{
    size_t at, len;
    while ((len = pl_redact_find(s, n, &at)) > 0) {
        CHECK(at + len <= n);
        pl_buf_append(out, s, at);
        pl_buf_puts(out, PL_REDACTED);
        s += at + len;
        n -= at + len;
    }
    pl_buf_append(out, s, n);
}

static void check_line(const char *key, const char *s, size_t n, enum pl_log_form form)
{
    static struct pl_log_line line;
    pl_log_begin(&line, form, PL_LOG_INFO, "0123456789abcdef0123456789abcdef", s, n);
    pl_log_string(&line, key, s, n);
    if (pl_log_nest(&line, "o", '{')) {
        pl_log_string(&line, key, s, n);
        if (pl_log_nest(&line, "a", '['))
            pl_log_string(&line, NULL, s, n);
    }
    while (line.depth > 0)
        pl_log_unnest(&line);
    pl_log_number(&line, "n", (double)n / 3);
    pl_log_end(&line);
    CHECK(line.len <= PL_LOG_LINE_MAX);
    CHECK(memchr(line.data, '\n', line.len) == line.data + line.len - 1);
    if (form != PL_LOG_JSON)
        return;
    struct pl_json_limits limits = PL_JSON_LIMITS_DEFAULT;
    struct pl_json_reader r;
    pl_json_open(&r, line.data, line.len, &limits);
    enum pl_json_token token;
    do
        token = pl_json_next(&r);
    while (token != PL_JSON_END && token != PL_JSON_ERROR);
    CHECK(token == PL_JSON_END);
    pl_json_close(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char key[40];
    size_t key_len = size < sizeof key - 1 ? size : sizeof key - 1;
    memcpy(key, data, key_len);
    key[key_len] = '\0';
    /* Long enough to fill a line now and then, which a fuzzer's inputs are not. */
    struct pl_buf text = {0}, once = {0}, twice = {0};
    size_t repeat = size > 0 && data[size - 1] % 32 == 1 ? 1 + 6000 / size : 1;
    for (size_t i = 0; i < repeat; i++)
        pl_buf_append(&text, data, size);
    check_line(key, text.data ? text.data : "", text.len, PL_LOG_JSON);
    check_line(key, text.data ? text.data : "", text.len, PL_LOG_HUMAN);
    redact(text.data, text.len, &once);
    redact(once.data, once.len, &twice);
    CHECK(once.len == twice.len && (once.len == 0 || memcmp(once.data, twice.data, once.len) == 0));
    pl_buf_free(&text);
    pl_buf_free(&once);
    pl_buf_free(&twice);
    return 0;
}
