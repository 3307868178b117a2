/* What the intake takes: everything that is not plainly good is for somebody who can say why. */
#include "base/json.h"
#include "drivers/intake_impl.h"

#include <string.h>

/* Of these, two in one request are refused by the main loop (parley.http.app): a proxy in front may
 * have looked at the other one. A packed body is, too. */
static const char *const SINGLE[] = {
    "Authorization", "X-Bot-Token",     "X-Plugin-Token",   "X-API-Key",
    "X-Admin-Token", "Idempotency-Key", "Content-Encoding",
};

static bool is_text(const char *at, size_t len, const char *text)
{
    return strlen(text) == len && memcmp(at, text, len) == 0;
}

static bool is_json(const struct pl_http_request_data *r)
{
    static const char type[] = "Content-Type";
    if (pl_http_request_count(r, type, sizeof type - 1) != 1)
        return false;
    const struct pl_http_field *f = pl_http_request_field(r, type, sizeof type - 1);
    return is_text(r->head.data + f->value, f->value_len, "application/json");
}

static bool is_plain(const struct pl_http_request_data *r)
{
    for (size_t i = 0; i < sizeof SINGLE / sizeof *SINGLE; i++)
        if (pl_http_request_count(r, SINGLE[i], strlen(SINGLE[i])) > 0)
            return false;
    return true;
}

static bool name_of(const struct pl_intake_config *c, const struct pl_http_request_data *r,
                    char name[PL_INTAKE_NAME_MAX + 1])
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.";
    const char *target = r->head.data + r->target;
    size_t prefix = strlen(c->prefix);
    if (r->target_len <= prefix || memcmp(target, c->prefix, prefix) != 0 ||
        r->target_len - prefix > PL_INTAKE_NAME_MAX)
        return false;
    memcpy(name, target + prefix, r->target_len - prefix);
    name[r->target_len - prefix] = '\0';
    return strspn(name, plain) == r->target_len - prefix;
}

bool pl_intake_fits(struct pl_intake *in, const struct pl_http_request_data *r,
                    char name[PL_INTAKE_NAME_MAX + 1])
{
    const struct pl_intake_config *c = &in->config;
    size_t header = strlen(c->header);
    if (r->parser.method != HTTP_POST || r->minor != 1 || !name_of(c, r, name) ||
        r->body.len > c->body_max || pl_http_request_count(r, c->header, header) != 1 ||
        !is_json(r) || !is_plain(r))
        return false;
    const struct pl_http_field *f = pl_http_request_field(r, c->header, header);
    const struct pl_intake_sources *s = &in->sources;
    uv_mutex_lock(&in->mutex);
    bool may = pl_intake_sources_may(s, name, r->head.data + f->value, f->value_len) &&
               pl_intake_sources_waiting(s, name) < c->waiting_max && s->bytes < c->bytes_max;
    uv_mutex_unlock(&in->mutex);
    return may;
}

/* The field, at the top, once, and a whole number. */
static bool has_field(const struct pl_intake_config *c, struct pl_json_reader *r)
{
    uint32_t times = 0;
    bool good = true;
    enum pl_json_token token = pl_json_next(r);
    if (token != PL_JSON_OBJECT)
        return false;
    while (token != PL_JSON_END) {
        token = pl_json_next(r);
        if (token == PL_JSON_ERROR)
            return false;
        if (token != PL_JSON_KEY || r->depth != 1 || !is_text(r->str, r->len, c->field))
            continue;
        times++;
        token = pl_json_next(r);
        good = token == PL_JSON_NUMBER && r->number >= 0 && r->number <= PL_JSON_EXACT &&
               r->number == (double)(int64_t)r->number;
        if (!good)
            return false;
    }
    return times == 1;
}

bool pl_intake_body_fits(const struct pl_intake_config *c, const char *body, size_t len)
{
    struct pl_json_limits limits = PL_JSON_LIMITS_DEFAULT;
    if (len == 0)
        return false;
    limits.depth = c->depth_max;
    struct pl_json_reader reader;
    pl_json_open(&reader, body, len, &limits);
    bool fits = has_field(c, &reader);
    pl_json_close(&reader);
    return fits;
}
