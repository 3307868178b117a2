/* Requests that the intake takes by itself: what fits is what the main loop would take, too. */
#include "check.h"
#include "drivers/intake_impl.h"

#include <string.h>

static const struct pl_intake_config CONFIG = {.prefix = "/in/",
                                               .header = "X-Secret",
                                               .field = "n",
                                               .body_max = 4096,
                                               .depth_max = 8,
                                               .waiting_max = 10,
                                               .bytes_max = 100000};

static void check_body(const struct pl_buf *body)
{
    if (!pl_intake_body_fits(&CONFIG, body->data, body->len))
        return;
    CHECK(body->len >= strlen("{\"n\":0}"));
    CHECK(memchr(body->data, '{', body->len) != NULL &&
          memchr(body->data, '\0', body->len) == NULL);
}

static void check_request(struct pl_intake *in, const struct pl_http_request_data *r)
{
    char name[PL_INTAKE_NAME_MAX + 1];
    memset(name, 'x', sizeof name);
    if (!pl_intake_fits(in, r, name))
        return;
    CHECK(strcmp(name, "shop") == 0);
    CHECK(strcmp(pl_http_request_method(r), "POST") == 0);
    CHECK(r->target_len == 8 && memcmp(r->head.data + r->target, "/in/shop", 8) == 0);
    CHECK(pl_http_request_count(r, "x-secret", 8) == 1);
    CHECK(r->body.len <= CONFIG.body_max);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct pl_intake *in;
    if (in == NULL) {
        in = pl_xcalloc(1, sizeof *in);
        in->config = CONFIG;
        uv_mutex_init(&in->mutex);
        pl_intake_sources_init(&in->sources);
        pl_intake_sources_set(&in->sources, "shop", "s3cret", 6);
    }
    struct pl_http_limits limits = PL_HTTP_LIMITS_DEFAULT;
    struct pl_http_request_data r;
    struct pl_buf bytes = {0};
    /* Half of what is tried has a head that fits, so that its body is looked at. */
    if (size > 0 && data[0] % 2 == 0)
        pl_buf_puts(&bytes, "POST /in/shop HTTP/1.1\r\nHost: x\r\nX-Secret: s3cret\r\n"
                            "Content-Type: application/json\r\n");
    pl_buf_append(&bytes, data + (size > 0), size - (size > 0));
    pl_http_request_init(&r, &limits);
    enum pl_http_progress progress = PL_HTTP_HEAD_DONE;
    size_t used;
    while (progress == PL_HTTP_HEAD_DONE && bytes.len > 0) {
        progress = pl_http_request_feed(&r, bytes.data, bytes.len, &used);
        pl_buf_consume(&bytes, used);
    }
    if (progress == PL_HTTP_COMPLETE) {
        check_request(in, &r);
        check_body(&r.body);
    }
    check_body(&bytes);
    pl_http_request_free(&r);
    pl_buf_free(&bytes);
    return 0;
}
