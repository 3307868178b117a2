#include "engine/slab.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK (256u * 1024)

struct pl_slab_chunk {
    struct pl_slab_chunk *next;
    max_align_t bytes[];
};

static inline size_t class_of(size_t size)
{
    return (size - 1) / PL_SLAB_GRAIN;
}

static inline void keep(struct pl_slab *slab, void *ptr, size_t class)
{
    memcpy(ptr, &slab->free[class], sizeof(void *));
    slab->free[class] = ptr;
}

/* What is left of a chunk is too short for what is wanted, and a block of another size. */
static char *cut(struct pl_slab *slab, size_t size)
{
    if ((size_t)(slab->end - slab->at) < size) {
        size_t left = (size_t)(slab->end - slab->at);
        if (left > 0)
            keep(slab, slab->at, class_of(left));
        slab->at = slab->end = NULL;
        struct pl_slab_chunk *chunk = malloc(sizeof *chunk + CHUNK);
        if (chunk == NULL)
            return NULL;
        chunk->next = slab->chunks;
        slab->chunks = chunk;
        slab->at = (char *)chunk->bytes;
        slab->end = slab->at + CHUNK;
    }
    char *block = slab->at;
    slab->at += size;
    return block;
}

static inline void *take(struct pl_slab *slab, size_t size)
{
    if (size > PL_SLAB_MAX)
        return malloc(size);
    size_t class = class_of(size);
    void *block = slab->free[class];
    if (block == NULL)
        return cut(slab, (class + 1) * PL_SLAB_GRAIN);
    memcpy(&slab->free[class], block, sizeof(void *));
    return block;
}

static inline void give(struct pl_slab *slab, void *ptr, size_t size)
{
    if (size > PL_SLAB_MAX)
        free(ptr);
    else
        keep(slab, ptr, class_of(size));
}

void *pl_slab_resize(void *ud, void *ptr, size_t osize, size_t nsize)
{
    struct pl_slab *slab = ud;
    if (ptr == NULL)
        return nsize > 0 ? take(slab, nsize) : NULL;
    assert(osize > 0);
    if (nsize == 0) {
        give(slab, ptr, osize);
        return NULL;
    }
    if (osize > PL_SLAB_MAX && nsize > PL_SLAB_MAX)
        return realloc(ptr, nsize);
    if (osize <= PL_SLAB_MAX && nsize <= PL_SLAB_MAX && class_of(osize) == class_of(nsize))
        return ptr;
    void *block = take(slab, nsize);
    if (block == NULL)
        return NULL;
    memcpy(block, ptr, osize < nsize ? osize : nsize);
    give(slab, ptr, osize);
    return block;
}

void pl_slab_close(struct pl_slab *slab)
{
    while (slab->chunks != NULL) {
        struct pl_slab_chunk *next = slab->chunks->next;
        free(slab->chunks);
        slab->chunks = next;
    }
    memset(slab, 0, sizeof *slab);
}
