#include "drivers/files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Appends what is to be read until its end. */
static int read_all(int fd, const char *path, size_t max, struct pl_buf *out, struct pl_err *err)
{
    size_t begin = out->len;
    for (;;) {
        pl_buf_reserve(out, 65536);
        ssize_t n = read(fd, out->data + out->len, out->cap - out->len);
        if (n == 0)
            return 0;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return pl_fail_errno(err, errno, "file.read", path);
        out->len += (size_t)n;
        if (out->len - begin > max)
            return pl_fail(err, PL_E_TOO_LARGE, false, "file.read", "%s has more than %zu bytes",
                           path, max);
    }
}

static int check_regular(int fd, const char *path, struct pl_err *err)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return pl_fail_errno(err, errno, "file.read", path);
    if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)) /* of a folder, reading says what it is */
        return 0;
    return pl_fail(err, PL_E_INVALID, false, "file.read", "%s: not a regular file", path);
}

int pl_file_read(const char *path, size_t max, struct pl_buf *out, struct pl_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); /* a FIFO must not block */
    if (fd < 0)
        return pl_fail_errno(err, errno, "file.read", path);
    int rc = check_regular(fd, path, err);
    if (rc == 0)
        rc = read_all(fd, path, max, out, err);
    close(fd);
    return rc;
}

int pl_file_read_any(const char *path, size_t max, struct pl_buf *out, struct pl_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return pl_fail_errno(err, errno, "file.read", path);
    int rc = read_all(fd, path, max, out, err);
    close(fd);
    return rc;
}

static int write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        data += n;
        len -= (size_t)n;
    }
    return fsync(fd);
}

static void sync_folder(const char *path)
{
    char folder[PATH_MAX];
    snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    if (slash == folder)
        slash++;
    if (slash != NULL)
        *slash = '\0';
    int fd = open(slash != NULL ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
}

int pl_file_write(const char *path, const char *data, size_t len, int mode, struct pl_err *err)
{
    char temporary[PATH_MAX];
    if (snprintf(temporary, sizeof temporary, "%s.tmp.%d", path, (int)getpid()) >=
        (int)sizeof temporary)
        return pl_fail(err, PL_E_INVALID, false, "file.write", "the path is too long");
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, (mode_t)mode);
    if (fd < 0)
        return pl_fail_errno(err, errno, "file.write", path);
    int rc = write_all(fd, data, len);
    int saved = errno;
    close(fd);
    if (rc == 0 && rename(temporary, path) < 0) {
        rc = -1;
        saved = errno;
    }
    if (rc < 0) {
        unlink(temporary);
        return pl_fail_errno(err, saved, "file.write", path);
    }
    sync_folder(path);
    return 0;
}

int pl_file_mkdir(const char *path, int mode, struct pl_err *err)
{
    char part[PATH_MAX];
    if (snprintf(part, sizeof part, "%s", path) >= (int)sizeof part)
        return pl_fail(err, PL_E_INVALID, false, "file.mkdir", "the path is too long");
    for (char *p = part + 1;; p++) {
        if (*p != '/' && *p != '\0')
            continue;
        char c = *p;
        *p = '\0';
        if (mkdir(part, (mode_t)mode) < 0 && errno != EEXIST)
            return pl_fail_errno(err, errno, "file.mkdir", part);
        *p = c;
        if (c == '\0')
            return 0;
    }
}
