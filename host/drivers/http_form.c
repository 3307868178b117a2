#include "drivers/http_form.h"

#include "base/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OP "http.request"

struct part {
    char *name, *filename, *content_type;
    struct pl_http_form *form;
    char *data; /* NULL: fd */
    int fd;     /* -1: data */
    uint64_t size, at;
};

struct pl_http_form {
    struct part parts[PL_HTTP_FORM_PARTS];
    size_t count;
    uint64_t size;
    curl_mime *mime;
    char problem[160]; /* empty: none */
};

struct pl_http_form *pl_http_form_new(void)
{
    return pl_xcalloc(1, sizeof(struct pl_http_form));
}

uint64_t pl_http_form_size(const struct pl_http_form *form)
{
    return form->size;
}

const char *pl_http_form_problem(const struct pl_http_form *form)
{
    return form->problem[0] != '\0' ? form->problem : NULL;
}

/* --- adding --------------------------------------------------------------------------------------
 */

/* They become header lines of the part: a line break would begin another one. */
static bool is_line(const char *s)
{
    for (; *s != '\0'; s++)
        if ((unsigned char)*s < 32 || *s == 127)
            return false;
    return true;
}

static int check(const struct pl_http_form *form, const struct pl_http_part *part,
                 struct pl_err *err)
{
    if (form->count == PL_HTTP_FORM_PARTS)
        return pl_fail(err, PL_E_TOO_LARGE, false, OP, "a form has at most %d parts",
                       PL_HTTP_FORM_PARTS);
    if (part->name[0] == '\0' || !is_line(part->name))
        return pl_fail(err, PL_E_INVALID, false, OP,
                       "the name of a part is empty, or has control characters");
    if (part->filename != NULL && !is_line(part->filename))
        return pl_fail(err, PL_E_INVALID, false, OP,
                       "part '%.60s': control characters in its file name", part->name);
    if (part->content_type != NULL && !is_line(part->content_type))
        return pl_fail(err, PL_E_INVALID, false, OP,
                       "part '%.60s': control characters in its content type", part->name);
    return 0;
}

/* Returns a descriptor, and the size of its file. */
static int open_file(const char *path, uint64_t *size, struct pl_err *err)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); /* a FIFO must not block */
    if (fd < 0 || fstat(fd, &st) < 0) {
        pl_fail_errno(err, errno, OP, path);
        if (fd >= 0)
            close(fd);
        return -1;
    }
    if (!S_ISREG(st.st_mode)) {
        close(fd);
        return pl_fail(err, PL_E_INVALID, false, OP, "%s: not a regular file", path);
    }
    *size = (uint64_t)st.st_size;
    return fd;
}

static char *copy_or_null(const char *s)
{
    return s != NULL ? pl_xstrdup(s) : NULL;
}

static const char *last_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

int pl_http_form_add(struct pl_http_form *form, const struct pl_http_part *part, struct pl_err *err)
{
    if (check(form, part, err) < 0)
        return -1;
    struct part p = {.form = form, .fd = -1, .size = part->len};
    const char *filename = part->filename;
    if (part->path != NULL) {
        p.fd = open_file(part->path, &p.size, err);
        if (p.fd < 0)
            return -1;
        if (filename == NULL && is_line(last_name(part->path)))
            filename = last_name(part->path);
    } else {
        p.data = pl_xmemdup(part->data, part->len);
    }
    p.name = pl_xstrdup(part->name);
    p.filename = copy_or_null(filename);
    p.content_type = copy_or_null(part->content_type);
    form->parts[form->count++] = p;
    form->size += p.size;
    return 0;
}

/* --- sending -------------------------------------------------------------------------------------
 */

static size_t fail_reading(struct part *p, const char *why)
{
    snprintf(p->form->problem, sizeof p->form->problem, "part '%.60s': %s", p->name, why);
    return CURL_READFUNC_ABORT;
}

/* Reads of a file block for as long as the disk takes: pieces are of 64 KiB at most, of files that
 * were mostly written a moment ago. */
static size_t give(char *out, size_t size, size_t count, void *arg)
{
    struct part *p = arg;
    size_t n = size * count;
    if (n > p->size - p->at)
        n = (size_t)(p->size - p->at);
    if (n == 0)
        return 0;
    if (p->data != NULL) {
        memcpy(out, p->data + p->at, n);
    } else {
        ssize_t got;
        do
            got = pread(p->fd, out, n, (off_t)p->at);
        while (got < 0 && errno == EINTR);
        if (got < 0)
            return fail_reading(p, strerror(errno));
        if (got == 0) /* its length was promised */
            return fail_reading(p, "the file became shorter while it was sent");
        n = (size_t)got;
    }
    p->at += n;
    return n;
}

static int go_back(void *arg, curl_off_t offset, int origin)
{
    struct part *p = arg;
    if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > p->size)
        return CURL_SEEKFUNC_FAIL;
    p->at = (uint64_t)offset;
    return CURL_SEEKFUNC_OK;
}

static CURLcode send_part(struct part *p, curl_mimepart *to, bool once)
{
    CURLcode code = curl_mime_name(to, p->name);
    if (code == CURLE_OK && p->filename != NULL)
        code = curl_mime_filename(to, p->filename);
    if (code == CURLE_OK && p->content_type != NULL)
        code = curl_mime_type(to, p->content_type);
    if (code == CURLE_OK)
        code = curl_mime_data_cb(to, (curl_off_t)p->size, give, once ? NULL : go_back, NULL, p);
    return code;
}

int pl_http_form_send(struct pl_http_form *form, CURL *easy, bool once, struct pl_err *err)
{
    CURLcode code = CURLE_OUT_OF_MEMORY;
    form->mime = curl_mime_init(easy);
    if (form->mime != NULL)
        code = CURLE_OK;
    for (size_t i = 0; i < form->count && code == CURLE_OK; i++) {
        curl_mimepart *to = curl_mime_addpart(form->mime);
        code = to != NULL ? send_part(&form->parts[i], to, once) : CURLE_OUT_OF_MEMORY;
    }
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_MIMEPOST, form->mime);
    if (code != CURLE_OK)
        return pl_fail(err, PL_E_NO_MEMORY, true, OP, "libcurl: %s", curl_easy_strerror(code));
    return 0;
}

void pl_http_form_free(struct pl_http_form *form)
{
    if (form == NULL)
        return;
    curl_mime_free(form->mime);
    for (size_t i = 0; i < form->count; i++) {
        struct part *p = &form->parts[i];
        free(p->name);
        free(p->filename);
        free(p->content_type);
        free(p->data);
        if (p->fd >= 0)
            close(p->fd);
    }
    free(form);
}
