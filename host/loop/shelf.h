/* The shelf: texts under keys, at hand for all workers of a host, in memory that they share. It
 * keeps what there is room for, for a while, and may forget anything at any time.
 *
 * Any worker may put any text at any time, or end while it does: what a reader gets is a whole text
 * that somebody has put under that key, not always the last one. */
#ifndef PL_LOOP_SHELF_H
#define PL_LOOP_SHELF_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PL_SHELF_TEXT_MAX 2016 /* bytes of a key and its text together */
#define PL_SHELF_AGE_S    600  /* what is older is not there any more */
#define PL_SHELF_SLOTS    8192 /* 16 MiB, taken page by page as they are filled */

struct pl_shelf {
    struct pl_shelf_slot *slots;
    uint64_t seed;
    bool own; /* not shared: unmapped at the end */
};

/* A new, empty shelf. Returns a descriptor (close on exec) by which workers map it, or -1 with
 * `err` when the kernel refuses. */
int pl_shelf_create(struct pl_err *err);

/* Maps the shelf that `fd` stands for as the one of this process, and closes `fd`. Returns 0, or -1
 * with `err`. It stays mapped as long as the process lives. */
int pl_shelf_attach(int fd, struct pl_err *err);

/* Opens the shelf of the process; in one that has attached none, a shelf of its own. Keys are those
 * of `name`: who opens it by another name sees other texts. Returns 0, or -1 with `err`; close it
 * by pl_shelf_close, which a zeroed one survives too. */
int pl_shelf_open(struct pl_shelf *shelf, const char *name, size_t len, struct pl_err *err);
void pl_shelf_close(struct pl_shelf *shelf);

/* Returns whether the text is there now: not when it is too large, or another worker writes in the
 * same place. A text that was there before may then be there still. */
bool pl_shelf_put(struct pl_shelf *shelf, const char *key, size_t key_len, const char *text,
                  size_t len);

/* Copies the text to `out`, of PL_SHELF_TEXT_MAX bytes. Returns its length, or -1 when there is
 * none. */
int pl_shelf_get(const struct pl_shelf *shelf, const char *key, size_t key_len, char *out);

void pl_shelf_drop(struct pl_shelf *shelf, const char *key, size_t key_len);

#endif
