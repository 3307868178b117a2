/* The parts of a multipart/form-data request (RFC 7578): texts in memory, and files that are read
 * from the disk while they are sent, so that a large one is never in memory. */
#ifndef PL_DRIVERS_HTTP_FORM_H
#define PL_DRIVERS_HTTP_FORM_H

#include "base/err.h"

#include <curl/curl.h>
#include <stddef.h>
#include <stdint.h>

#define PL_HTTP_FORM_PARTS 64

struct pl_http_form;

struct pl_http_part {
    const char *name;
    const char *filename;     /* what the receiver is told; NULL: none, or the end of `path` */
    const char *content_type; /* NULL: what libcurl says for such a part */
    const char *path;         /* a regular file to read; NULL: `data` */
    const char *data;
    size_t len; /* of data */
};

/* Never NULL. */
struct pl_http_form *pl_http_form_new(void);

/* Adds a part; everything is copied, a file is opened now and sent with the size that it has now.
 * -1 with "not_found", "permission" or "io" (the file), "too_large" (too many parts), "invalid" (a
 * name without characters or with control characters, a path that is no regular file). */
int pl_http_form_add(struct pl_http_form *form, const struct pl_http_part *part,
                     struct pl_err *err);

/* Bytes of all parts, without what stands between them. */
uint64_t pl_http_form_size(const struct pl_http_form *form);

/* Gives the form to `easy`, once. With `once` libcurl cannot read the parts a second time, and so
 * does not send the request again on another connection. -1 with `err`. */
int pl_http_form_send(struct pl_http_form *form, CURL *easy, bool once, struct pl_err *err);

/* Why a part could not be read to its end, NULL when none failed. Until the form is freed. */
const char *pl_http_form_problem(const struct pl_http_form *form);

/* After the easy handle has been cleaned up. NULL is nothing. */
void pl_http_form_free(struct pl_http_form *form);

#endif
