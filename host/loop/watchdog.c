#include "loop/watchdog.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

static struct pl_watchdog_slot own;
struct pl_watchdog_slot *pl_watchdog_slot = &own;

static struct pl_watchdog_slot *map(int fd, uint32_t slots, struct pl_err *err)
{
    size_t size = slots * sizeof(struct pl_watchdog_slot);
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
    if (*fd < 0 || ftruncate(*fd, (off_t)(slots * sizeof(struct pl_watchdog_slot))) < 0) {
        pl_fail_errno(err, errno, "watchdog", "cannot create the watchdog page");
        return NULL;
    }
    return map(*fd, slots, err);
}

int pl_watchdog_attach(int fd, uint32_t index, uint32_t slots, struct pl_err *err)
{
    struct pl_watchdog_slot *page = map(fd, slots, err);
    close(fd);
    if (page == NULL)
        return -1;
    pl_watchdog_slot = &page[index];
    return 0;
}

const char *pl_worker_state_name(uint32_t state)
{
    static const char *const names[] = {"down", "starting", "ready", "draining"};
    return state < sizeof names / sizeof *names ? names[state] : "unknown";
}
