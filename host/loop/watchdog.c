#include "loop/watchdog.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

static struct pl_watchdog_slot own;
struct pl_watchdog_slot *pl_watchdog_slot = &own;

static unsigned char own_secret[PL_WATCHDOG_SECRET_LEN];
static const unsigned char *secret; /* NULL: nobody has asked for it so far */

static size_t size_of(uint32_t slots)
{
    return slots * sizeof(struct pl_watchdog_slot) + PL_WATCHDOG_SECRET_LEN;
}

static void fill_secret(unsigned char *out)
{
    while (getrandom(out, PL_WATCHDOG_SECRET_LEN, 0) != PL_WATCHDOG_SECRET_LEN)
        continue; /* so few bytes come at once, or a signal was first */
}

static struct pl_watchdog_slot *map(int fd, uint32_t slots, struct pl_err *err)
{
    size_t size = size_of(slots);
    void *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (page == MAP_FAILED) {
        pl_fail_errno(err, errno, "watchdog", "cannot map the watchdog page");
        return NULL;
    }
    return page;
}

struct pl_watchdog_slot *pl_watchdog_create(uint32_t slots, int *fd, struct pl_err *err)
{
    *fd = memfd_create("parley-watchdog", MFD_CLOEXEC);
    if (*fd < 0 || ftruncate(*fd, (off_t)size_of(slots)) < 0) {
        pl_fail_errno(err, errno, "watchdog", "cannot create the watchdog page");
        return NULL;
    }
    struct pl_watchdog_slot *page = map(*fd, slots, err);
    if (page != NULL)
        fill_secret((unsigned char *)&page[slots]);
    return page;
}

int pl_watchdog_attach(int fd, uint32_t index, uint32_t slots, struct pl_err *err)
{
    struct pl_watchdog_slot *page = map(fd, slots, err);
    close(fd);
    if (page == NULL)
        return -1;
    pl_watchdog_slot = &page[index];
    secret = (const unsigned char *)&page[slots];
    return 0;
}

const unsigned char *pl_watchdog_secret(void)
{
    if (secret == NULL) {
        fill_secret(own_secret);
        secret = own_secret;
    }
    return secret;
}

const char *pl_worker_state_name(uint32_t state)
{
    static const char *const names[] = {"down", "starting", "ready", "draining"};
    return state < sizeof names / sizeof *names ? names[state] : "unknown";
}
