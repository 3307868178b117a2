#include "drivers/folder.h"

#include "drivers/crypto.h"
#include "drivers/files.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OPEN_FOLDERS 8 /* that the walk keeps open at once */

bool pl_folder_name_ok(const char *name)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    for (;;) {
        size_t len = strspn(name, plain);
        if (len == 0 || name[0] == '.')
            return false;
        if (name[len] == '\0')
            return true;
        if (name[len] != '/')
            return false;
        name += len + 1;
    }
}

static int join(char out[PATH_MAX], const char *folder, const char *name, struct pl_err *err)
{
    if (snprintf(out, PATH_MAX, "%s/%s", folder, name) < PATH_MAX)
        return 0;
    return pl_fail(err, PL_E_INVALID, false, "folder", "the path of '%.100s' is too long", name);
}

/* A name beside `path` that nobody else uses: FOLDER/.KIND.RANDOM. */
static int beside(char out[PATH_MAX], const char *path, const char *kind, struct pl_err *err)
{
    unsigned char bytes[6];
    char random[2 * sizeof bytes + 1];
    pl_random(bytes, sizeof bytes);
    pl_hex(bytes, sizeof bytes, random);
    const char *slash = strrchr(path, '/');
    int folder = slash != NULL ? (int)(slash - path) : 1;
    int len =
        snprintf(out, PATH_MAX, "%.*s/.%s.%s", folder, slash != NULL ? path : ".", kind, random);
    if (len < PATH_MAX)
        return 0;
    return pl_fail(err, PL_E_INVALID, false, "folder", "the path is too long");
}

static int sync_path(const char *path, struct pl_err *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = fd < 0 ? -1 : fsync(fd);
    if (rc < 0)
        pl_fail_errno(err, errno, "folder.write", path);
    if (fd >= 0)
        close(fd);
    return rc;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

static int remove_all(const char *path)
{
    return nftw(path, remove_one, OPEN_FOLDERS, FTW_DEPTH | FTW_PHYS);
}

/* Its folder is made first; pl_file_write leaves file and folder on the disk. */
static int write_file(const char *folder, const struct pl_folder_file *f, struct pl_err *err)
{
    char path[PATH_MAX];
    if (!pl_folder_name_ok(f->name))
        return pl_fail(err, PL_E_INVALID, false, "folder.write", "'%.100s' is not a plain name",
                       f->name);
    if (join(path, folder, f->name, err) < 0)
        return -1;
    char *slash = strrchr(path, '/');
    *slash = '\0';
    if (pl_file_mkdir(path, 0700, err) < 0)
        return -1;
    *slash = '/';
    return pl_file_write(path, f->data, f->len, 0600, err);
}

static int write_all(const char *folder, const struct pl_folder_file *files, size_t n,
                     struct pl_err *err)
{
    if (mkdir(folder, 0700) < 0)
        return pl_fail_errno(err, errno, "folder.write", folder);
    for (size_t i = 0; i < n; i++)
        if (write_file(folder, &files[i], err) < 0)
            return -1;
    return sync_path(folder, err); /* for the names of the folders in it */
}

static int sync_above(const char *path, struct pl_err *err)
{
    char above[PATH_MAX];
    return join(above, path, "..", err) < 0 ? -1 : sync_path(above, err);
}

int pl_folder_write(const char *path, const struct pl_folder_file *files, size_t n,
                    struct pl_err *err)
{
    char fresh[PATH_MAX];
    if (beside(fresh, path, "new", err) < 0)
        return -1;
    int rc = write_all(fresh, files, n, err);
    if (rc == 0 && rename(fresh, path) == 0)
        return sync_above(path, err);
    if (rc == 0 && errno != EEXIST && errno != ENOTEMPTY)
        rc = pl_fail_errno(err, errno, "folder.write", path);
    remove_all(fresh);
    return rc;
}

int pl_folder_remove(const char *path, struct pl_err *err)
{
    char old[PATH_MAX];
    if (beside(old, path, "old", err) < 0)
        return -1;
    if (rename(path, old) < 0)
        return errno == ENOENT ? 0 : pl_fail_errno(err, errno, "folder.remove", path);
    if (remove_all(old) < 0)
        return pl_fail_errno(err, errno, "folder.remove", path);
    return 0;
}
