/* HTTP requests: the same bytes mean the same requests however the network cuts them, and what is
 * accepted keeps the promises that the rest of the host builds on. */
#include "drivers/http_request.h"
#include "base/buf.h"
#include "check.h"

#include <string.h>
#include <strings.h>

static void check_accepted(const struct pl_http_request_data *r)
{
    int hosts = 0, lengths = 0, codings = 0;
    for (uint32_t i = 0; i < r->fields_len; i++) {
        const struct pl_http_field *f = &r->fields[i];
        CHECK(f->name_len > 0);
        CHECK(f->name + f->name_len <= r->head.len && f->value + f->value_len <= r->head.len);
        CHECK(memchr(r->head.data + f->value, '\n', f->value_len) == NULL);
        CHECK(memchr(r->head.data + f->value, '\r', f->value_len) == NULL);
        CHECK(memchr(r->head.data + f->value, '\0', f->value_len) == NULL);
        const char *name = r->head.data + f->name;
        hosts += f->name_len == 4 && strncasecmp(name, "host", 4) == 0;
        lengths += f->name_len == 14 && strncasecmp(name, "content-length", 14) == 0;
        codings += f->name_len == 17 && strncasecmp(name, "transfer-encoding", 17) == 0;
    }
    CHECK(r->target_len > 0 && r->target + r->target_len <= r->head.len);
    CHECK(r->minor <= 1);
    CHECK(hosts == 1 || (hosts == 0 && r->minor == 0));
    CHECK(lengths + codings <= 1);
    CHECK(pl_http_request_method(r) != NULL);
    CHECK(r->body.len <= r->limits->body_bytes);
}

static void record(const struct pl_http_request_data *r, struct pl_buf *seen)
{
    pl_buf_printf(seen, "%s 1.%u keep=%d %u ", pl_http_request_method(r), r->minor, r->keep_alive,
                  r->fields_len);
    pl_buf_append(seen, r->head.data + r->target, r->target_len);
    pl_buf_puts(seen, "\n");
    pl_buf_append(seen, r->body.data, r->body.len);
    pl_buf_puts(seen, "\n");
}

/* Reads a connection's bytes, which come in pieces of `piece`, as a connection does. */
static void run(const uint8_t *data, size_t size, size_t piece, struct pl_buf *seen)
{
    struct pl_http_limits limits = {
        .line_bytes = 200, .head_bytes = 600, .head_lines = 10, .body_bytes = 300};
    struct pl_http_request_data r;
    struct pl_buf in = {0};
    pl_http_request_init(&r, &limits);
    bool refused = false;
    while (size > 0 && !refused) {
        size_t n = size < piece ? size : piece;
        pl_buf_append(&in, data, n);
        data += n;
        size -= n;
        enum pl_http_progress progress = PL_HTTP_HEAD_DONE;
        while (in.len > 0 && progress != PL_HTTP_NEED_MORE && !refused) {
            size_t used;
            bool had_head = r.head_done;
            progress = pl_http_request_feed(&r, in.data, in.len, &used);
            CHECK(used <= in.len);
            pl_buf_consume(&in, used);
            switch (progress) {
            case PL_HTTP_NEED_MORE:
                break;
            case PL_HTTP_HEAD_DONE:
                CHECK(used > 0 || !had_head); /* or it would go round for ever */
                check_accepted(&r);
                break;
            case PL_HTTP_COMPLETE:
                check_accepted(&r);
                record(&r, seen);
                pl_http_request_reset(&r);
                break;
            case PL_HTTP_REFUSED:
                CHECK(r.status >= 400 && r.status < 600 && r.detail != NULL);
                /* Which fault is met first may depend on the cuts. */
                pl_buf_puts(seen, "refused\n");
                refused = true;
            }
        }
    }
    pl_http_request_free(&r);
    pl_buf_free(&in);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pl_buf whole = {0}, cut = {0};
    size_t piece = size > 0 ? 1 + data[size - 1] % 16 : 1;
    run(data, size, size + 1, &whole);
    run(data, size, piece, &cut);
    CHECK(whole.len == cut.len && (whole.len == 0 || memcmp(whole.data, cut.data, whole.len) == 0));
    pl_buf_free(&whole);
    pl_buf_free(&cut);
    return 0;
}
