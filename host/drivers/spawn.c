#include "drivers/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define OP "process.spawn"

/* What the child reports when it cannot become the program; nothing when it can. */
struct failure {
    bool in_cwd; /* else: the program */
    int errnum;
};

static void close_all(int fds[3])
{
    for (int i = 0; i < 3; i++) {
        if (fds[i] > 2)
            close(fds[i]);
        fds[i] = -1;
    }
}

/* A descriptor among the first three would be overwritten while the streams are put in place. */
static int above_streams(int fd)
{
    if (fd < 0 || fd > 2)
        return fd;
    int moved = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    close(fd);
    return moved;
}

static int open_pipe(int stream, int *theirs, int *ours)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -1;
    *theirs = above_streams(ends[stream == 0 ? 0 : 1]);
    *ours = above_streams(ends[stream == 0 ? 1 : 0]);
    return *theirs < 0 || *ours < 0 ? -1 : 0;
}

static int open_socket(int *theirs, int *ours)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        return -1;
    *theirs = above_streams(ends[0]);
    *ours = above_streams(ends[1]);
    return *theirs < 0 || *ours < 0 ? -1 : 0;
}

static int open_stream(const struct pl_spawn_options *o, int i, int theirs[3], int ours[3],
                       struct pl_err *err)
{
    const char *path = o->streams[i].kind == PL_STREAM_FILE ? o->streams[i].path : "/dev/null";
    switch (o->streams[i].kind) {
    case PL_STREAM_PIPE:
        if (open_pipe(i, &theirs[i], &ours[i]) < 0)
            return pl_fail_errno(err, errno, OP, "pipe");
        return 0;
    case PL_STREAM_SOCKET:
        if (open_socket(&theirs[i], &ours[i]) < 0)
            return pl_fail_errno(err, errno, OP, "socketpair");
        return 0;
    case PL_STREAM_INHERIT:
        theirs[i] = i;
        return 0;
    case PL_STREAM_STDOUT:
        theirs[i] = 1;
        return 0;
    case PL_STREAM_NULL:
    case PL_STREAM_FILE:
        break;
    }
    int flags = i == 0 ? O_RDONLY : O_WRONLY | O_CREAT | O_TRUNC;
    theirs[i] = above_streams(open(path, flags | O_CLOEXEC, 0644));
    if (theirs[i] < 0)
        return pl_fail_errno(err, errno, OP, path);
    return 0;
}

/* In the child, which borrows the memory of its parent, whose thread waits meanwhile, and where
 * other threads may hold any lock: system calls only. */
static _Noreturn void become(const struct pl_spawn_options *o, const int theirs[3], int report,
                             pid_t parent)
{
    struct failure f = {.in_cwd = true};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127); /* it died before the line above */
    for (int i = 0; i < 3; i++) {
        if (theirs[i] != i)
            dup2(theirs[i], i);
    }
    close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
    /* Our handlers would write into pipes that we share with the parent. */
    for (int s = 1; s < NSIG; s++)
        signal(s, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (o->cwd == NULL || chdir(o->cwd) == 0) {
        f.in_cwd = false;
        execvpe(o->argv[0], o->argv, o->env != NULL ? o->env : environ);
    }
    f.errnum = errno;
    ssize_t n = write(report, &f, sizeof f);
    _exit(n < 0 ? 126 : 127);
}

/* Waits until the child has become the program. */
static int await_exec(const struct pl_spawn_options *o, pid_t pid, int report, struct pl_err *err)
{
    struct failure f;
    ssize_t n;
    do
        n = read(report, &f, sizeof f);
    while (n < 0 && errno == EINTR);
    if (n != (ssize_t)sizeof f)
        return 0;
    waitpid(pid, NULL, 0);
    return pl_fail_errno(err, f.errnum, OP, f.in_cwd ? o->cwd : o->argv[0]);
}

static pid_t start(const struct pl_spawn_options *o, const int theirs[3], struct pl_err *err)
{
    int report[2];
    if (pipe2(report, O_CLOEXEC) < 0)
        return pl_fail_errno(err, errno, OP, "pipe");
    report[1] = above_streams(report[1]);
    sigset_t all, before;
    sigfillset(&all);
    pid_t self = getpid();
    pthread_sigmask(SIG_SETMASK, &all, &before);
    /* A fork would copy the tables of all pages, milliseconds for a worker that is large, and have
     * each page that is written to later fault once. */
    pid_t pid = vfork();
    if (pid == 0)
        become(o, theirs, report[1], self);
    int errnum = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    close(report[1]);
    int rc = pid < 0 ? pl_fail_errno(err, errnum, OP, "fork") : await_exec(o, pid, report[0], err);
    close(report[0]);
    return rc < 0 ? -1 : pid;
}

pid_t pl_spawn(const struct pl_spawn_options *o, int ours[3], struct pl_err *err)
{
    int theirs[3] = {-1, -1, -1};
    ours[0] = ours[1] = ours[2] = -1;
    pid_t pid = 0;
    for (int i = 0; i < 3 && pid == 0; i++)
        pid = open_stream(o, i, theirs, ours, err);
    if (pid == 0) {
        signal(SIGPIPE, SIG_IGN);
        pid = start(o, theirs, err);
    }
    close_all(theirs);
    if (pid < 0)
        close_all(ours);
    return pid;
}
