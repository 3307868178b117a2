/* What a fetch sends: its method, headers and body. */
#include "drivers/http_client_impl.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define OP "http.request"

bool pl_fetch_is_token(const char *s)
{
    if (*s == '\0')
        return false;
    for (; *s != '\0'; s++)
        if (!isalnum((unsigned char)*s) && strchr("!#$%&'*+-.^_`|~", *s) == NULL)
            return false;
    return true;
}

static void add_header(struct pl_fetch *fetch, const char *line)
{
    struct curl_slist *list = curl_slist_append(fetch->request_headers, line);
    if (list == NULL)
        abort(); /* like every other allocation of the host */
    fetch->request_headers = list;
}

int pl_fetch_header(struct pl_fetch *fetch, const char *name, const char *value, size_t len,
                    struct pl_err *err)
{
    if (!pl_fetch_is_token(name))
        return pl_fail(err, PL_E_INVALID, false, OP, "'%.60s' is not the name of a header", name);
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)value[i] < 32 && value[i] != '\t')
            return pl_fail(err, PL_E_INVALID, false, OP,
                           "header '%.60s': control characters in its value", name);
    struct pl_buf line = {0};
    /* "Name;" is how libcurl spells a header with an empty value. */
    pl_buf_printf(&line, len > 0 ? "%s: %.*s" : "%s;", name, (int)len, value);
    add_header(fetch, pl_buf_cstr(&line));
    pl_buf_free(&line);
    if (strcasecmp(name, "content-type") == 0)
        fetch->typed = true;
    return 0;
}

int pl_fetch_part(struct pl_fetch *fetch, const struct pl_http_part *part, struct pl_err *err)
{
    if (fetch->form == NULL)
        fetch->form = pl_http_form_new();
    return pl_http_form_add(fetch->form, part, err);
}

/* libcurl sends a request again when a pooled connection has died before a byte of the answer came,
 * also one that the server has carried out. */
static int not_again(void *arg, char *ip, char *local_ip, int port, int local_port)
{
    (void)ip, (void)local_ip, (void)port, (void)local_port;
    struct pl_fetch *fetch = arg;
    bool again = fetch->asked;
    fetch->asked = true;
    return again ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

/* A server closes idle connections without a word: one that has just been used is still there. */
#define FRESH_S 2L

static void send_once(struct pl_fetch *fetch)
{
    curl_easy_setopt(fetch->easy, CURLOPT_MAXAGE_CONN, FRESH_S);
    curl_easy_setopt(fetch->easy, CURLOPT_PREREQFUNCTION, not_again);
    curl_easy_setopt(fetch->easy, CURLOPT_PREREQDATA, fetch);
}

static void set_body(struct pl_fetch *fetch, const struct pl_fetch_options *o)
{
    CURL *easy = fetch->easy;
    const char *body = o->body != NULL ? o->body : "";
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)o->body_len);
    curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, body);
}

static int set_form(struct pl_fetch *fetch, const struct pl_fetch_options *o, struct pl_err *err)
{
    uint64_t size = pl_http_form_size(fetch->form);
    if (fetch->typed || o->body != NULL)
        return pl_fail(err, PL_E_INVALID, false, OP,
                       "a form has no other body, and a Content-Type of its own");
    if (size > o->max_upload)
        return pl_fail(err, PL_E_TOO_LARGE, false, OP,
                       "the form has %llu bytes, more than the %llu that are allowed",
                       (unsigned long long)size, (unsigned long long)o->max_upload);
    return pl_http_form_send(fetch->form, fetch->easy, o->once, err);
}

static void set_method(struct pl_fetch *fetch, const struct pl_fetch_options *o)
{
    CURL *easy = fetch->easy;
    bool head = strcmp(o->method, "HEAD") == 0;
    if (head)
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    else if (fetch->form == NULL &&
             (o->body != NULL || strcmp(o->method, "POST") == 0 || strcmp(o->method, "PUT") == 0 ||
              strcmp(o->method, "PATCH") == 0))
        set_body(fetch, o);
    if (!head)
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, o->method);
}

int pl_fetch_set_request(struct pl_fetch *fetch, const struct pl_fetch_options *o,
                         struct pl_err *err)
{
    if (fetch->form != NULL && set_form(fetch, o, err) < 0)
        return -1;
    add_header(fetch, "Expect:"); /* no round trip before a large body */
    if (!fetch->typed && fetch->form == NULL)
        add_header(fetch, "Content-Type:"); /* libcurl would call it a form */
    curl_easy_setopt(fetch->easy, CURLOPT_HTTPHEADER, fetch->request_headers);
    set_method(fetch, o);
    if (o->once)
        send_once(fetch);
    return 0;
}
