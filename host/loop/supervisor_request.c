/* A request at the control socket, as it is read. */
#include "loop/supervisor_control.h"

#include "base/json.h"

#include <string.h>

/* Reads past the value that begins with `token`. */
static int skip(struct pl_json_reader *r, enum pl_json_token token)
{
    uint32_t depth = r->depth;
    if (token != PL_JSON_ARRAY && token != PL_JSON_OBJECT)
        return token == PL_JSON_ERROR ? -1 : 0;
    do {
        token = pl_json_next(r);
        if (token == PL_JSON_ERROR)
            return -1;
    } while (r->depth >= depth);
    return 0;
}

static int read_member(struct pl_json_reader *r, struct request *out)
{
    char key[16] = "";
    if (r->len < sizeof key)
        memcpy(key, r->str, r->len);
    enum pl_json_token token = pl_json_next(r);
    if (strcmp(key, "cmd") == 0) {
        if (token != PL_JSON_STRING || r->len == 0 || r->len >= sizeof out->cmd) {
            pl_json_refuse(r, PL_E_INVALID, "cmd: expected a short string");
            return -1;
        }
        memcpy(out->cmd, r->str, r->len);
        out->cmd[r->len] = '\0';
    } else if (strcmp(key, "worker") == 0 && token == PL_JSON_NUMBER) {
        out->worker = r->number;
    } else if (strcmp(key, "wait") == 0) {
        out->wait = token == PL_JSON_TRUE;
    } else if (strcmp(key, "now") == 0) {
        out->now = token == PL_JSON_TRUE;
    }
    return skip(r, token);
}

int pl_sv_request_read(const char *line, size_t len, struct request *out, struct pl_err *err)
{
    *out = (struct request){.worker = -1, .wait = true};
    struct pl_json_limits limits = PL_JSON_LIMITS_DEFAULT;
    struct pl_json_reader r;
    pl_json_open(&r, line, len, &limits);
    int rc = 0;
    enum pl_json_token token = pl_json_next(&r);
    if (token != PL_JSON_OBJECT) {
        if (token != PL_JSON_ERROR)
            pl_json_refuse(&r, PL_E_INVALID, "expected an object");
        rc = -1;
    }
    while (rc == 0 && (token = pl_json_next(&r)) == PL_JSON_KEY)
        rc = read_member(&r, out);
    if (rc == 0 && (token == PL_JSON_ERROR || pl_json_next(&r) != PL_JSON_END))
        rc = -1;
    if (rc == 0 && strspn(out->cmd, "abcdefghijklmnopqrstuvwxyz_.") != strlen(out->cmd)) {
        pl_json_refuse(&r, PL_E_INVALID, "cmd: a-z, _ and . only");
        rc = -1;
    }
    if (rc == 0 && out->cmd[0] == '\0') {
        pl_json_refuse(&r, PL_E_INVALID, "cmd is missing");
        rc = -1;
    }
    if (rc < 0)
        *err = r.err;
    pl_json_close(&r);
    return rc;
}
