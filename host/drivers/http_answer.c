#include "drivers/http_answer.h"

#include "base/json.h"

#include <llhttp.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

static const char *reason(int status)
{
    switch (status) {
#define XX(num, name, string)                                                                      \
    case num:                                                                                      \
        return #string;
        HTTP_STATUS_MAP(XX)
#undef XX
    default:
        return "Unknown";
    }
}

/* IMF-fixdate (RFC 9110 5.6.7), made once a second. */
static const char *date(void)
{
    static _Thread_local char text[40];
    static _Thread_local time_t made;
    time_t now = time(NULL);
    if (now != made) {
        struct tm tm;
        gmtime_r(&now, &tm);
        strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &tm);
        made = now;
    }
    return text;
}

void pl_http_put_head(struct pl_buf *out, int status, bool close, bool keep_alive_10)
{
    if (status == 200)
        pl_buf_puts(out, "HTTP/1.1 200 OK\r\nDate: ");
    else
        pl_buf_printf(out, "HTTP/1.1 %d %s\r\nDate: ", status, reason(status));
    pl_buf_puts(out, date());
    pl_buf_puts(out, "\r\n");
    if (close)
        pl_buf_puts(out, "Connection: close\r\n");
    else if (keep_alive_10)
        pl_buf_puts(out, "Connection: keep-alive\r\n");
}

static const char *problem_code(int status)
{
    switch (status) {
    case 408:
        return "request_timeout";
    case 413:
        return "body_too_large";
    case 414:
        return "uri_too_long";
    case 417:
        return "expectation_failed";
    case 431:
        return "headers_too_large";
    case 501:
        return "not_implemented";
    case 503:
        return "unavailable";
    case 505:
        return "http_version";
    default:
        return "bad_request";
    }
}

static void random_hex(char *out, size_t bytes)
{
    unsigned char raw[16];
    while (getrandom(raw, bytes, 0) != (ssize_t)bytes)
        continue;
    for (size_t i = 0; i < bytes; i++)
        snprintf(out + 2 * i, 3, "%02x", raw[i]);
}

void pl_http_put_problem(struct pl_buf *out, int status, const char *detail)
{
    char trace[33];
    random_hex(trace, 16);
    struct pl_buf body = {0};
    pl_buf_printf(&body, "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%d,\"detail\":",
                  reason(status), status);
    pl_json_put_string(&body, detail, strlen(detail));
    pl_buf_printf(&body, ",\"code\":\"%s\",\"trace_id\":\"%s\"}", problem_code(status), trace);
    pl_http_put_head(out, status, true, false);
    if (status == 503)
        pl_buf_puts(out, "Retry-After: 1\r\n");
    pl_buf_printf(out,
                  "Content-Type: application/problem+json\r\nX-Trace-Id: %s\r\n"
                  "Content-Length: %zu\r\n\r\n",
                  trace, body.len);
    pl_buf_append(out, body.data, body.len);
    pl_buf_free(&body);
}
