/* One error, as every layer of the host reports it.
 *
 * A C function that can fail because of its environment returns 0 or a negative number and, when it
 * fails, fills the `struct pl_err` that its caller passed (NULL is allowed: "I only want to know
 * that"). Lua sees the same four fields as `nil, {code, message, retryable, op}`.
 */
#ifndef PL_BASE_ERR_H
#define PL_BASE_ERR_H

#include <stdbool.h>

#define PL_ERR_MESSAGE_MAX 256

struct pl_err {
    const char *code; /* stable, static storage, e.g. "timeout"; never freed */
    const char *op;   /* what was being done, static storage, e.g. "sqlite.commit" */
    bool retryable;   /* the same call may succeed later without any change */
    char message[PL_ERR_MESSAGE_MAX]; /* for people; NUL-terminated UTF-8, cut when longer */
};

/* Codes that more than one driver uses. A driver may add its own as static strings. */
#define PL_E_TIMEOUT    "timeout"
#define PL_E_CANCELLED  "cancelled"
#define PL_E_RESOLVE    "resolve"
#define PL_E_CONNECT    "connect"
#define PL_E_CLOSED     "closed"
#define PL_E_TOO_LARGE  "too_large"
#define PL_E_INVALID    "invalid"
#define PL_E_NOT_FOUND  "not_found"
#define PL_E_PERMISSION "permission"
#define PL_E_BUSY       "busy"
#define PL_E_NO_MEMORY  "no_memory"
#define PL_E_IO         "io"

/* Fills `e` (which may be NULL) and returns -1, so that `return pl_fail(e, ...)` reads as one step.
 * `code` and `op` must have static storage. */
int pl_fail(struct pl_err *e, const char *code, bool retryable, const char *op, const char *fmt,
            ...) __attribute__((format(printf, 5, 6)));

/* Like pl_fail, from an errno value: the code is chosen from it (ETIMEDOUT -> "timeout", ...). */
int pl_fail_errno(struct pl_err *e, int errnum, const char *op, const char *what);

#endif
