#include "loop/shelf.h"

#include "base/clock.h"

#include <assert.h>
#include <errno.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define OP "shelf"
#define WAYS                                                                                       \
    4 /* slots that a key may be in: with one, keys would push each other out all the time */

/* Read as a seqlock: a version that is odd, or has changed meanwhile, makes what was read nothing.
 * The slot of a worker that is killed while it writes is lost until the host starts anew. */
struct pl_shelf_slot {
    alignas(64) _Atomic uint64_t version; /* odd: being written; 0: never written */
    uint64_t hash;
    uint64_t put_ns; /* 0: empty */
    uint32_t key_len, text_len;
    char bytes[PL_SHELF_TEXT_MAX]; /* the key, the text */
};

static_assert(sizeof(struct pl_shelf_slot) == 2048,
              "a slot is what PL_SHELF_TEXT_MAX leaves of it");

#define SIZE (PL_SHELF_SLOTS * sizeof(struct pl_shelf_slot))

static struct pl_shelf_slot *shared;

int pl_shelf_create(struct pl_err *err)
{
    int fd = memfd_create("parley-shelf", MFD_CLOEXEC);
    if (fd >= 0 && ftruncate(fd, SIZE) == 0)
        return fd;
    int errnum = errno;
    if (fd >= 0)
        close(fd);
    return pl_fail_errno(err, errnum, OP, "cannot create the shelf");
}

int pl_shelf_attach(int fd, struct pl_err *err)
{
    void *memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    int errnum = errno;
    close(fd);
    if (memory == MAP_FAILED)
        return pl_fail_errno(err, errnum, OP, "cannot map the shelf");
    shared = memory;
    return 0;
}

/* FNV-1a. Whoever chooses keys that meet in one place pushes out no other keys than theirs and a
 * few: nothing but speed is lost. */
static uint64_t hash_of(uint64_t seed, const char *s, size_t len)
{
    uint64_t h = seed;
    for (size_t i = 0; i < len; i++)
        h = (h ^ (unsigned char)s[i]) * 0x100000001b3ull;
    return h;
}

int pl_shelf_open(struct pl_shelf *shelf, const char *name, size_t len, struct pl_err *err)
{
    shelf->seed = hash_of(0xcbf29ce484222325ull, name, len);
    shelf->slots = shared;
    shelf->own = shared == NULL;
    if (!shelf->own)
        return 0;
    void *memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return pl_fail_errno(err, errno, OP, "there is no memory for a shelf");
    shelf->slots = memory;
    return 0;
}

void pl_shelf_close(struct pl_shelf *shelf)
{
    if (shelf->own && shelf->slots != NULL)
        munmap(shelf->slots, SIZE);
    shelf->slots = NULL;
}

/* The first of the slots that a key may be in. */
static struct pl_shelf_slot *place_of(const struct pl_shelf *shelf, uint64_t hash)
{
    return &shelf->slots[(hash ^ hash >> 32) % (PL_SHELF_SLOTS / WAYS) * WAYS];
}

/* Takes a slot to write in it. */
static bool begin(struct pl_shelf_slot *slot)
{
    uint64_t version = atomic_load_explicit(&slot->version, memory_order_relaxed);
    if ((version & 1) != 0 ||
        !atomic_compare_exchange_strong_explicit(&slot->version, &version, version + 1,
                                                 memory_order_acquire, memory_order_relaxed))
        return false;
    atomic_thread_fence(memory_order_release); /* odd before anything of it changes */
    return true;
}

static void end(struct pl_shelf_slot *slot)
{
    uint64_t version = atomic_load_explicit(&slot->version, memory_order_relaxed);
    atomic_store_explicit(&slot->version, version + 1, memory_order_release);
}

bool pl_shelf_put(struct pl_shelf *shelf, const char *key, size_t key_len, const char *text,
                  size_t len)
{
    if (key_len > PL_SHELF_TEXT_MAX || len > PL_SHELF_TEXT_MAX - key_len)
        return false;
    uint64_t hash = hash_of(shelf->seed, key, key_len);
    struct pl_shelf_slot *first = place_of(shelf, hash), *slot = first;
    for (int i = 0; i < WAYS; i++) {
        if (first[i].hash == hash) {
            slot = &first[i];
            break;
        }
        if (first[i].put_ns < slot->put_ns)
            slot = &first[i];
    }
    if (!begin(slot))
        return false;
    slot->hash = hash;
    slot->put_ns = pl_now_ns();
    slot->key_len = (uint32_t)key_len;
    slot->text_len = (uint32_t)len;
    memcpy(slot->bytes, key, key_len);
    memcpy(slot->bytes + key_len, text, len);
    end(slot);
    return true;
}

/* Copies the text out and looks afterwards whether it was one. */
static int read_slot(const struct pl_shelf_slot *slot, uint64_t hash, const char *key,
                     size_t key_len, char *out)
{
    uint64_t version = atomic_load_explicit(&slot->version, memory_order_acquire);
    if ((version & 1) != 0 || slot->hash != hash || slot->put_ns == 0 || slot->key_len != key_len)
        return -1;
    size_t len = slot->text_len;
    uint64_t put_ns = slot->put_ns;
    /* The lengths may be another worker's, half written, or broken. */
    if (key_len > PL_SHELF_TEXT_MAX || len > PL_SHELF_TEXT_MAX - key_len)
        return -1;
    bool same = memcmp(slot->bytes, key, key_len) == 0;
    memcpy(out, slot->bytes + key_len, len);
    atomic_thread_fence(memory_order_acquire);
    if (!same || atomic_load_explicit(&slot->version, memory_order_relaxed) != version ||
        pl_now_ns() - put_ns > PL_SHELF_AGE_S * PL_NS_PER_S)
        return -1;
    return (int)len;
}

int pl_shelf_get(const struct pl_shelf *shelf, const char *key, size_t key_len, char *out)
{
    uint64_t hash = hash_of(shelf->seed, key, key_len);
    const struct pl_shelf_slot *first = place_of(shelf, hash);
    int len = -1;
    for (int i = 0; i < WAYS && len < 0; i++)
        len = read_slot(&first[i], hash, key, key_len, out);
    return len;
}

/* Two workers may have put the same key into two slots at the same time. */
void pl_shelf_drop(struct pl_shelf *shelf, const char *key, size_t key_len)
{
    uint64_t hash = hash_of(shelf->seed, key, key_len);
    struct pl_shelf_slot *first = place_of(shelf, hash);
    for (int i = 0; i < WAYS; i++) {
        if (first[i].hash != hash || !begin(&first[i]))
            continue;
        if (first[i].hash == hash)
            first[i].hash = first[i].put_ns = 0;
        end(&first[i]);
    }
}
