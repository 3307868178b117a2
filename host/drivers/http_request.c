#include "drivers/http_request.h"

#include <string.h>
#include <strings.h>
#include <sys/types.h>

/* --- llhttp callbacks: the head is one piece of memory that stays in place, so spans are whole
 * ------ */

static int on_url(llhttp_t *p, const char *at, size_t len)
{
    struct pl_http_request_data *r = p->data;
    r->target = (uint32_t)(at - r->head.data);
    r->target_len = (uint32_t)len;
    return 0;
}

static int on_field(llhttp_t *p, const char *at, size_t len)
{
    struct pl_http_request_data *r = p->data;
    if (r->head_done)
        return 0; /* a trailer: read and dropped */
    struct pl_http_field *f = &r->fields[r->fields_len];
    *f = (struct pl_http_field){.name = (uint32_t)(at - r->head.data), .name_len = (uint32_t)len};
    return 0;
}

static int on_value(llhttp_t *p, const char *at, size_t len)
{
    struct pl_http_request_data *r = p->data;
    if (r->head_done)
        return 0;
    struct pl_http_field *f = &r->fields[r->fields_len];
    f->value = (uint32_t)(at - r->head.data);
    f->value_len = (uint32_t)len;
    return 0;
}

static int on_value_complete(llhttp_t *p)
{
    struct pl_http_request_data *r = p->data;
    if (!r->head_done)
        r->fields_len++;
    return 0;
}

static int refuse(struct pl_http_request_data *r, int status, const char *detail)
{
    if (r->status == 0) {
        r->status = status;
        r->detail = detail;
    }
    return HPE_USER;
}

static bool same(const struct pl_http_request_data *r, uint32_t at, uint32_t len, const char *text)
{
    return strlen(text) == len && strncasecmp(r->head.data + at, text, len) == 0;
}

static bool all_digits(const struct pl_http_request_data *r, const struct pl_http_field *f)
{
    for (uint32_t i = 0; i < f->value_len; i++)
        if (r->head.data[f->value + i] < '0' || r->head.data[f->value + i] > '9')
            return false;
    return f->value_len > 0;
}

/* reg-name, IPv4 or [IPv6] and an optional port (RFC 9110 7.2): no list, no user, no path. */
static bool valid_host(const char *s, uint32_t len)
{
    for (uint32_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s[i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  strchr("-._~:[]%", c) != NULL;
        if (!ok || c == '\0')
            return false;
    }
    return len > 0;
}

static int check_fields(struct pl_http_request_data *r)
{
    int hosts = 0, lengths = 0, codings = 0;
    for (uint32_t i = 0; i < r->fields_len; i++) {
        const struct pl_http_field *f = &r->fields[i];
        if (same(r, f->name, f->name_len, "host")) {
            hosts++;
            if (!valid_host(r->head.data + f->value, f->value_len))
                return refuse(r, 400, "the Host header is not a host and optional port");
        } else if (same(r, f->name, f->name_len, "content-length")) {
            lengths++;
            if (!all_digits(r, f))
                return refuse(r, 400, "Content-Length is not a number");
        } else if (same(r, f->name, f->name_len, "transfer-encoding")) {
            codings++;
            if (!same(r, f->value, f->value_len, "chunked"))
                return refuse(r, 501, "the only transfer coding understood is chunked");
        } else if (same(r, f->name, f->name_len, "expect")) {
            if (!same(r, f->value, f->value_len, "100-continue"))
                return refuse(r, 417, "the only expectation understood is 100-continue");
            r->expects_continue = r->minor == 1;
        }
    }
    if (lengths > 1 || codings > 1 || (lengths > 0 && codings > 0))
        return refuse(r, 400, "more than one header says how long the body is");
    if (codings > 0 && r->minor == 0)
        return refuse(r, 400, "HTTP/1.0 has no chunked transfer coding");
    if (hosts > 1 || (hosts == 0 && r->minor == 1))
        return refuse(r, 400, "exactly one Host header is needed");
    return 0;
}

static int on_headers_complete(llhttp_t *p)
{
    struct pl_http_request_data *r = p->data;
    if (p->http_major != 1 || p->http_minor > 1)
        return refuse(r, 505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
    r->minor = p->http_minor;
    switch (p->method) {
    case HTTP_GET:
    case HTTP_HEAD:
    case HTTP_POST:
    case HTTP_PUT:
    case HTTP_PATCH:
    case HTTP_DELETE:
    case HTTP_OPTIONS:
        break;
    default:
        return refuse(r, 501, "the method is not known here");
    }
    int rc = check_fields(r);
    if (rc != 0)
        return rc;
    if (p->content_length > r->limits->body_bytes && p->content_length != UINT64_MAX &&
        (p->flags & F_CONTENT_LENGTH))
        return refuse(r, 413, "the body is larger than the limit");
    p->upgrade = 0; /* no other protocol is spoken here: the header is ignored (RFC 9110 7.8) */
    r->keep_alive = llhttp_should_keep_alive(p) != 0;
    r->head_done = true;
    return 0;
}

static int on_body(llhttp_t *p, const char *at, size_t len)
{
    struct pl_http_request_data *r = p->data;
    if (r->body.len + len > r->limits->body_bytes)
        return refuse(r, 413, "the body is larger than the limit");
    pl_buf_append(&r->body, at, len);
    return 0;
}

static int on_complete(llhttp_t *p)
{
    struct pl_http_request_data *r = p->data;
    r->complete = true;
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_url = on_url,
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_header_value_complete = on_value_complete,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_complete,
};

/* --- the head
 * ---------------------------------------------------------------------------------------- */

/* method SP target SP version (RFC 9112 3): llhttp lets more spaces pass. */
static bool valid_request_line(const char *line, size_t len)
{
    int spaces = 0;
    for (size_t i = 0; i < len; i++)
        spaces += line[i] == ' ';
    return spaces == 2;
}

/* Looks for the end of the head. Returns its length, 0 when it is incomplete, -1 when refused. */
static ssize_t find_head(struct pl_http_request_data *r, const char *data, size_t len)
{
    size_t begin = 0;
    uint32_t lines = 0;
    while (begin < len) {
        const char *lf = memchr(data + begin, '\n', len - begin);
        size_t end = lf != NULL ? (size_t)(lf - data) : len;
        size_t line = end - begin;
        if (lines == 0 && line > r->limits->line_bytes)
            return refuse(r, 414, "the request line is too long"), -1;
        if (end > r->limits->head_bytes)
            return refuse(r, 431, "the headers are too large"), -1;
        const char *cr = memchr(data + begin, '\r', line);
        if (cr != NULL && cr + 1 != data + end && !(lf == NULL && cr + 1 == data + len))
            return refuse(r, 400, "a carriage return stands inside a line"), -1;
        if (lf == NULL)
            return 0;
        if (cr == NULL)
            return refuse(r, 400, "a line does not end with CR LF"), -1;
        if (line == 1)
            return (ssize_t)end + 1;
        if (lines == 0 && !valid_request_line(data, line))
            return refuse(r, 400, "the request line is not METHOD TARGET VERSION"), -1;
        if (lines > 0 && (data[begin] == ' ' || data[begin] == '\t'))
            return refuse(r, 400, "a header is folded over two lines"), -1;
        if (lines > 0 && data[begin] == ':')
            return refuse(r, 400, "a header has no name"), -1;
        if (lines++ > r->limits->head_lines || lines > 101)
            return refuse(r, 431, "there are too many headers"), -1;
        begin = end + 1;
    }
    return 0;
}

static int status_of(llhttp_errno_t e)
{
    switch (e) {
    case HPE_INVALID_METHOD:
        return 501;
    case HPE_INVALID_VERSION:
        return 505;
    default:
        return 400;
    }
}

static enum pl_http_progress execute(struct pl_http_request_data *r, const char *data, size_t len,
                                     size_t *used)
{
    llhttp_errno_t e = llhttp_execute(&r->parser, data, len);
    *used = len;
    if (e == HPE_OK)
        return r->head_done ? PL_HTTP_HEAD_DONE : PL_HTTP_NEED_MORE;
    if (e == HPE_PAUSED && r->complete) {
        *used = (size_t)(llhttp_get_error_pos(&r->parser) - data);
        return PL_HTTP_COMPLETE;
    }
    if (r->status == 0) {
        r->status = status_of(e);
        r->detail = r->status == 501   ? "the method is not known here"
                    : r->status == 505 ? "only HTTP/1.0 and HTTP/1.1 are spoken here"
                                       : "the request is not valid HTTP/1.1";
    }
    return PL_HTTP_REFUSED;
}

enum pl_http_progress pl_http_request_feed(struct pl_http_request_data *r, const char *data,
                                           size_t len, size_t *used)
{
    *used = 0;
    if (r->head_done)
        return execute(r, data, len, used);
    /* One empty line before a request is tolerated (RFC 9112 2.2). */
    size_t skip = len >= 2 && data[0] == '\r' && data[1] == '\n' ? 2 : 0;
    ssize_t head = find_head(r, data + skip, len - skip);
    if (head < 0)
        return PL_HTTP_REFUSED;
    if (head == 0)
        return PL_HTTP_NEED_MORE;
    if (head == 2) {
        refuse(r, 400, "empty lines where a request should be");
        return PL_HTTP_REFUSED;
    }
    pl_buf_append(&r->head, data + skip, (size_t)head);
    size_t taken;
    enum pl_http_progress progress = execute(r, r->head.data, r->head.len, &taken);
    *used = skip + (size_t)head;
    if (progress == PL_HTTP_NEED_MORE) {
        refuse(r, 400, "the request is not valid HTTP/1.1");
        return PL_HTTP_REFUSED;
    }
    return progress;
}

/* --- life
 * -------------------------------------------------------------------------------------------- */

void pl_http_request_init(struct pl_http_request_data *r, const struct pl_http_limits *limits)
{
    pl_buf_init(&r->head);
    pl_buf_init(&r->body);
    r->limits = limits;
    pl_http_request_reset(r);
}

void pl_http_request_reset(struct pl_http_request_data *r)
{
    llhttp_init(&r->parser, HTTP_REQUEST, &settings);
    r->parser.data = r;
    pl_buf_clear(&r->head);
    pl_buf_clear(&r->body);
    r->fields_len = 0;
    r->target = r->target_len = 0;
    r->head_done = r->complete = r->keep_alive = r->expects_continue = false;
    r->minor = 1;
    r->status = 0;
    r->detail = NULL;
}

void pl_http_request_free(struct pl_http_request_data *r)
{
    pl_buf_free(&r->head);
    pl_buf_free(&r->body);
}

const char *pl_http_request_method(const struct pl_http_request_data *r)
{
    return llhttp_method_name((llhttp_method_t)r->parser.method);
}

static bool is_named(const struct pl_http_request_data *r, const struct pl_http_field *f,
                     const char *name, size_t len)
{
    return f->name_len == len && strncasecmp(r->head.data + f->name, name, len) == 0;
}

const struct pl_http_field *pl_http_request_field(const struct pl_http_request_data *r,
                                                  const char *name, size_t len)
{
    for (uint32_t i = 0; i < r->fields_len; i++)
        if (is_named(r, &r->fields[i], name, len))
            return &r->fields[i];
    return NULL;
}

uint32_t pl_http_request_count(const struct pl_http_request_data *r, const char *name, size_t len)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < r->fields_len; i++)
        n += is_named(r, &r->fields[i], name, len);
    return n;
}
