#include "drivers/blob.h"

#include "base/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OP "blob"

struct pl_blob {
    int fd;
    uint64_t size;
    EVP_MD_CTX *hash;
    char name[PL_BLOB_NAME];
    char folder[PATH_MAX - PL_BLOB_NAME - 8];
    char temporary[PATH_MAX]; /* "": it has its name */
};

struct pl_blob *pl_blob_new(const char *folder, struct pl_err *err)
{
    struct pl_blob *blob = pl_xcalloc(1, sizeof *blob);
    blob->fd = -1;
    if (snprintf(blob->folder, sizeof blob->folder, "%s", folder) >= (int)sizeof blob->folder) {
        pl_fail(err, PL_E_INVALID, false, OP, "the path of the folder is too long");
        goto fail;
    }
    blob->hash = EVP_MD_CTX_new();
    if (blob->hash == NULL || EVP_DigestInit_ex(blob->hash, EVP_sha256(), NULL) != 1) {
        pl_fail(err, PL_E_NO_MEMORY, true, OP, "there is no memory for a hash");
        goto fail;
    }
    snprintf(blob->temporary, sizeof blob->temporary, "%s/.new.XXXXXX", folder);
    blob->fd = mkostemp(blob->temporary, O_CLOEXEC);
    if (blob->fd < 0) {
        pl_fail_errno(err, errno, OP, folder);
        blob->temporary[0] = '\0';
        goto fail;
    }
    return blob;
fail:
    pl_blob_free(blob);
    return NULL;
}

int pl_blob_write(struct pl_blob *blob, const void *data, size_t len, struct pl_err *err)
{
    const char *at = data;
    for (size_t left = len; left > 0;) {
        ssize_t n = write(blob->fd, at, left);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return pl_fail_errno(err, errno, OP, blob->temporary);
        at += n;
        left -= (size_t)n;
    }
    EVP_DigestUpdate(blob->hash, data, len);
    blob->size += len;
    return 0;
}

static int sync_folder(const char *path, struct pl_err *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return pl_fail_errno(err, errno, OP, path);
    int rc = fsync(fd) < 0 ? pl_fail_errno(err, errno, OP, path) : 0;
    close(fd);
    return rc;
}

static void set_name(struct pl_blob *blob)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    EVP_DigestFinal_ex(blob->hash, digest, NULL);
    for (size_t i = 0; i < (PL_BLOB_NAME - 1) / 2; i++)
        snprintf(blob->name + 2 * i, 3, "%02x", digest[i]);
}

int pl_blob_finish(struct pl_blob *blob, struct pl_err *err)
{
    char shelf[PATH_MAX], path[PATH_MAX];
    if (fsync(blob->fd) < 0)
        return pl_fail_errno(err, errno, OP, blob->temporary);
    set_name(blob);
    snprintf(shelf, sizeof shelf, "%s/%.2s", blob->folder, blob->name);
    snprintf(path, sizeof path, "%s/%.2s/%s", blob->folder, blob->name, blob->name);
    if (mkdir(shelf, 0700) < 0 && errno != EEXIST)
        return pl_fail_errno(err, errno, OP, shelf);
    if (rename(blob->temporary, path) < 0)
        return pl_fail_errno(err, errno, OP, path);
    blob->temporary[0] = '\0';
    return sync_folder(shelf, err) < 0 ? -1 : sync_folder(blob->folder, err);
}

const char *pl_blob_name(const struct pl_blob *blob)
{
    return blob->name;
}

uint64_t pl_blob_size(const struct pl_blob *blob)
{
    return blob->size;
}

void pl_blob_free(struct pl_blob *blob)
{
    if (blob == NULL)
        return;
    if (blob->temporary[0] != '\0' && blob->fd >= 0)
        unlink(blob->temporary);
    if (blob->fd >= 0)
        close(blob->fd);
    EVP_MD_CTX_free(blob->hash);
    free(blob);
}
