/* Folders written and removed whole, so that nobody ever sees a part of one. Blocking: for a pool
 * thread. */
#ifndef PL_DRIVERS_FOLDER_H
#define PL_DRIVERS_FOLDER_H

#include "base/err.h"

#include <stddef.h>

struct pl_folder_file {
    char *name; /* below the folder, "main.lua" or "lib/shop.lua"; its parts are plain names */
    char *data;
    size_t len;
};

/* Whether `name` may name a file below a folder: parts of [A-Za-z0-9._-], none empty or beginning
 * with a dot, parted by '/'. */
bool pl_folder_name_ok(const char *name);

/* Makes the folder with these files: beside it under another name, fsync of all of it, rename,
 * fsync of the folder above, which must be there. Folders and files are the owner's alone. One that
 * is there already with something in it is left as it is: 0. What a kill leaves behind begins with
 * ".new." and is in nobody's way. */
int pl_folder_write(const char *path, const struct pl_folder_file *files, size_t n,
                    struct pl_err *err);

/* Takes the folder away with all that is in it, symbolic links as links; first its name, in one
 * step, then (as ".old...") the rest. One that is not there: 0. */
int pl_folder_remove(const char *path, struct pl_err *err);

#endif
