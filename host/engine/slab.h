/* The heap of one Lua state: small blocks by their size, of which those that are free are kept in
 * lists.
 *
 * Most of what Lua allocates has at most a few hundred bytes, and is gone soon. LuaJIT tells the
 * size of a block when it frees it, so that a block needs no header, and to give one out or to take
 * it back is to move one link. Large blocks are malloc's. What was once a small block stays one of
 * its size until the heap is closed: for a state that lives as long as its process, whose sizes do
 * not change much. */
#ifndef PL_ENGINE_SLAB_H
#define PL_ENGINE_SLAB_H

#include <stddef.h>

#define PL_SLAB_GRAIN 16u  /* bytes by which the sizes of blocks differ */
#define PL_SLAB_MAX   512u /* bytes of the largest block that is not malloc's */

struct pl_slab_chunk;

/* All zeros is an empty heap. */
struct pl_slab {
    void *free[PL_SLAB_MAX / PL_SLAB_GRAIN]; /* each begins with the link to the next */
    char *at, *end;                          /* what was never given out, of the last chunk */
    struct pl_slab_chunk *chunks;
};

/* A lua_Alloc whose `ud` is the heap: `osize` is the size that the block was given out with. NULL
 * when memory ends, and for `nsize` 0. */
void *pl_slab_resize(void *ud, void *ptr, size_t osize, size_t nsize);

/* Gives back what its small blocks were cut from; large blocks must have been freed before. */
void pl_slab_close(struct pl_slab *slab);

#endif
