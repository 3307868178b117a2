#include "base/err.h"

#include "base/utf8.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int pl_fail(struct pl_err *e, const char *code, bool retryable, const char *op, const char *fmt,
            ...)
{
    if (e == NULL)
        return -1;
    e->code = code;
    e->op = op;
    e->retryable = retryable;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(e->message, sizeof e->message, fmt, ap);
    va_end(ap);
    pl_utf8_repair(e->message, strlen(e->message));
    return -1;
}

static const char *code_of(int errnum, bool *retryable)
{
    *retryable = false;
    switch (errnum) {
    case ETIMEDOUT:
        *retryable = true;
        return PL_E_TIMEOUT;
    case ECONNREFUSED:
    case ECONNRESET:
    case EPIPE:
    case ENETUNREACH:
    case EHOSTUNREACH:
        *retryable = true;
        return PL_E_CONNECT;
    case ENOENT:
        return PL_E_NOT_FOUND;
    case EACCES:
    case EPERM:
        return PL_E_PERMISSION;
    case ENOMEM:
        *retryable = true;
        return PL_E_NO_MEMORY;
    case EAGAIN:
    case EBUSY:
    case EMFILE:
    case ENFILE:
        *retryable = true;
        return PL_E_BUSY;
    case EINVAL:
        return PL_E_INVALID;
    default:
        return PL_E_IO;
    }
}

int pl_fail_errno(struct pl_err *e, int errnum, const char *op, const char *what)
{
    bool retryable;
    const char *code = code_of(errnum, &retryable);
    return pl_fail(e, code, retryable, op, "%s: %s", what, strerror(errnum));
}
