#include "loop/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

void pl_process_harden(void)
{
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
#ifdef PARLEY_RELEASE
    prctl(PR_SET_DUMPABLE, 0);
#endif
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a write beyond the limit of files fails, as on a full disk */
}

void pl_process_raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

uint64_t pl_process_rss(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return 0;
    unsigned long long pages = 0;
    if (fscanf(f, "%*u %llu", &pages) != 1)
        pages = 0;
    fclose(f);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

void pl_process_sizes(uint64_t *address_space, uint64_t *data)
{
    unsigned long long size = 0, own = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    *address_space = *data = 0;
    if (f == NULL)
        return;
    if (fscanf(f, "%llu %*u %*u %*u %*u %llu", &size, &own) == 2) {
        *address_space = size * (uint64_t)sysconf(_SC_PAGESIZE);
        *data = own * (uint64_t)sysconf(_SC_PAGESIZE);
    }
    fclose(f);
}

void pl_process_cloexec(int fd, bool close_on_exec)
{
    fcntl(fd, F_SETFD, close_on_exec ? FD_CLOEXEC : 0);
}

static pid_t read_pid(int fd)
{
    char text[24];
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    if (n <= 0)
        return 0;
    text[n] = '\0';
    return (pid_t)strtol(text, NULL, 10);
}

/* The file is never removed: a second process could lock the name's next file while a third still
 * holds this one. Whoever finds it unlocked finds nobody running. */
int pl_process_lock(const char *path, pid_t *owner, struct pl_err *err)
{
    *owner = 0;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0)
        return pl_fail_errno(err, errno, "process.lock", path);
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        int errnum = errno;
        *owner = read_pid(fd);
        close(fd);
        if (errnum != EWOULDBLOCK)
            return pl_fail_errno(err, errnum, "process.lock", path);
        return pl_fail(err, PL_E_BUSY, true, "process.lock", "%s is locked by process %d", path,
                       (int)*owner);
    }
    char text[24];
    int n = snprintf(text, sizeof text, "%d\n", (int)getpid());
    if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)n, 0) != n) {
        pl_fail_errno(err, errno, "process.lock", path);
        close(fd);
        return -1;
    }
    return fd;
}
