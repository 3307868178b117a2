#include "loop/board.h"

#include <errno.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define OP "board"

/* Two texts: one to read while the other is written. A writer that is killed in the middle has
 * spoilt the one that nobody reads. */
struct place {
    alignas(128) _Atomic uint64_t version; /* 0: none yet; its lowest bit says which text it is */
    size_t len[2];
    char text[2][PL_BOARD_TEXT_MAX];
};

static struct {
    struct place *places;
    uint32_t len, own;
} B;

int pl_board_create(uint32_t places, struct pl_err *err)
{
    int fd = memfd_create("parley-board", MFD_CLOEXEC);
    if (fd >= 0 && ftruncate(fd, (off_t)(places * sizeof(struct place))) == 0)
        return fd;
    int errnum = errno;
    if (fd >= 0)
        close(fd);
    return pl_fail_errno(err, errnum, OP, "cannot create the board");
}

int pl_board_attach(int fd, uint32_t index, uint32_t places, struct pl_err *err)
{
    void *memory =
        mmap(NULL, places * sizeof(struct place), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    int errnum = errno;
    close(fd);
    if (memory == MAP_FAILED)
        return pl_fail_errno(err, errnum, OP, "cannot map the board");
    B.places = memory;
    B.len = places;
    B.own = index;
    return 0;
}

int pl_board_publish(const char *text, size_t len, struct pl_err *err)
{
    if (B.places == NULL)
        return pl_fail(err, PL_E_INVALID, false, OP, "this process has no place on a board");
    if (len > PL_BOARD_TEXT_MAX)
        return pl_fail(err, PL_E_TOO_LARGE, false, OP, "%zu bytes, at most %u fit", len,
                       PL_BOARD_TEXT_MAX);
    struct place *p = &B.places[B.own];
    uint64_t next = atomic_load_explicit(&p->version, memory_order_relaxed) + 1;
    memcpy(p->text[next & 1], text, len);
    p->len[next & 1] = len;
    atomic_store_explicit(&p->version, next, memory_order_release);
    return 0;
}

/* Begins again when the writer has published meanwhile: it may have gone on to write the text that
 * was being copied. It publishes far less often than this takes. */
int pl_board_read(uint32_t index, struct pl_buf *out)
{
    if (index >= B.len)
        return 0;
    struct place *p = &B.places[index];
    size_t before = out->len;
    uint64_t version = atomic_load_explicit(&p->version, memory_order_acquire);
    while (version != 0) {
        size_t len = p->len[version & 1];
        if (len >
            PL_BOARD_TEXT_MAX) /* the memory is its writer's: a broken one breaks nobody else */
            return 0;
        pl_buf_append(out, p->text[version & 1], len);
        atomic_thread_fence(memory_order_acquire);
        uint64_t now = atomic_load_explicit(&p->version, memory_order_relaxed);
        if (now == version)
            return 1;
        out->len = before;
        version = now;
    }
    return 0;
}
