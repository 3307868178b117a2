#include "loop/confine.h"

#include "base/sanitized.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/futex.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define OP "confine"

static int limit(int resource, rlim_t value, struct pl_err *err)
{
    struct rlimit r = {value, value};
    if (setrlimit(resource, &r) < 0)
        return pl_fail_errno(err, errno, OP, "setrlimit");
    return 0;
}

/* How much memory and CPU time it may have depends on the plugin, and its worker sees to that from
 * outside (drivers/cell.c). */
static int limit_all(struct pl_err *err)
{
    if (limit(RLIMIT_CORE, 0, err) < 0 || limit(RLIMIT_NPROC, 0, err) < 0 ||
        limit(RLIMIT_FSIZE, 0, err) < 0)
        return -1;
    return limit(RLIMIT_NOFILE, PL_SANITIZED ? 3 : 1, err);
}

static int close_descriptors(struct pl_err *err)
{
    if (syscall(SYS_close_range, PL_SANITIZED ? 3u : 1u, ~0u, 0) < 0)
        return pl_fail_errno(err, errno, OP, "close_range");
    return 0;
}

/* Root without capabilities is just another owner of files. */
static int drop_privileges(struct pl_err *err)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2];
    memset(none, 0, sizeof none);
    if (prctl(PR_SET_DUMPABLE, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return pl_fail_errno(err, errno, OP, "prctl");
    if (syscall(SYS_capset, &head, none) < 0)
        return pl_fail_errno(err, errno, OP, "capset");
    return 0;
}

/* --- Landlock ------------------------------------------------------------------------------------
 */

/* The rules of the newest kernel that this file knows; headers may be older than kernels. */
struct ruleset {
    uint64_t files, network, scopes;
};

static struct ruleset all_of(uint32_t version)
{
    static const unsigned file_rights[] = {0, 13, 14, 15, 15, 16}; /* by version */
    uint32_t known = sizeof file_rights / sizeof file_rights[0] - 1;
    unsigned rights = file_rights[version < known ? version : known];
    return (struct ruleset){
        .files = (1ull << rights) - 1,
        .network = version >= 4 ? 3 : 0, /* bind and connect of TCP */
        .scopes = version >= 6 ? 3 : 0,  /* abstract sockets and signals to others */
    };
}

/* Without a rule that allows something, everything that a ruleset handles is refused. */
int pl_confine_files(uint32_t *landlock, struct pl_err *err)
{
    long version =
        syscall(SYS_landlock_create_ruleset, NULL, 0, (uint32_t)LANDLOCK_CREATE_RULESET_VERSION);
    *landlock = version > 0 ? (uint32_t)version : 0;
    if (*landlock == 0)
        return 0;
    struct ruleset rules = all_of(*landlock);
    /* An older kernel refuses a structure that is longer than its own, unless the rest is zero. */
    int fd = (int)syscall(SYS_landlock_create_ruleset, &rules, sizeof rules, 0u);
    if (fd < 0)
        return pl_fail_errno(err, errno, OP, "landlock_create_ruleset");
    long rc = syscall(SYS_landlock_restrict_self, fd, 0u);
    int errnum = errno;
    close(fd);
    return rc < 0 ? pl_fail_errno(err, errnum, OP, "landlock_restrict_self") : 0;
}

/* --- system calls --------------------------------------------------------------------------------
 */

static const int plain[] = {
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(timer_settime),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(brk),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(getrandom),
    SCMP_SYS(exit_group),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(restart_syscall),
#if PL_SANITIZED
    /* The sanitizer's own locks, stacks and report. It cannot look up names of functions: that
     * would take files and a program. */
    SCMP_SYS(futex),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(gettid),
    SCMP_SYS(getpid),
    SCMP_SYS(write),
    SCMP_SYS(sched_yield),
    SCMP_SYS(prctl),
#endif
};

/* Of an argument, the bits of `mask` must be `value`. */
static struct scmp_arg_cmp bits(unsigned argument, uint64_t mask, uint64_t value)
{
    return (struct scmp_arg_cmp){
        .arg = argument, .op = SCMP_CMP_MASKED_EQ, .datum_a = mask, .datum_b = value};
}

static int allow(scmp_filter_ctx filter)
{
    int rc = 0;
    struct scmp_arg_cmp socket = {.arg = 0, .op = SCMP_CMP_EQ, .datum_a = 0, .datum_b = 0};
    struct scmp_arg_cmp not_exec = bits(2, PROT_EXEC, 0);
    struct scmp_arg_cmp no_file = bits(3, MAP_ANONYMOUS, MAP_ANONYMOUS);
    /* What raises an error (libgcc's unwinder) wakes waiters of its own process, even if there are
     * none. */
    struct scmp_arg_cmp own = bits(1, FUTEX_PRIVATE_FLAG, FUTEX_PRIVATE_FLAG);
    rc |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(futex), 1, own);
    rc |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(recvfrom), 1, socket);
    rc |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(sendto), 1, socket);
    rc |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, not_exec);
    rc |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 2, not_exec, no_file);
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
        rc |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, plain[i], 0);
    /* What each call of a plugin makes comes first. */
    rc |= seccomp_syscall_priority(filter, SCMP_SYS(recvfrom), 255);
    rc |= seccomp_syscall_priority(filter, SCMP_SYS(sendto), 254);
    rc |= seccomp_syscall_priority(filter, SCMP_SYS(timer_settime), 253);
    rc |= seccomp_syscall_priority(filter, SCMP_SYS(rt_sigreturn), 252);
    return rc;
}

static int leave_few_calls(struct pl_err *err)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (filter == NULL)
        return pl_fail(err, PL_E_NO_MEMORY, true, OP, "seccomp_init");
    int rc = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (rc == 0)
        rc = allow(filter);
    if (rc == 0)
        rc = seccomp_load(filter);
    seccomp_release(filter);
    if (rc != 0)
        return pl_fail_errno(err, rc < 0 ? -rc : EINVAL, OP,
                             "the kernel takes no filter of system calls (seccomp)");
    return 0;
}

int pl_confine(uint32_t *landlock, struct pl_err *err)
{
    if (drop_privileges(err) < 0 || pl_confine_files(landlock, err) < 0 ||
        close_descriptors(err) < 0 || limit_all(err) < 0)
        return -1;
    return leave_few_calls(err);
}
