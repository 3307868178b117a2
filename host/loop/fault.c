#include "loop/fault.h"

#include "loop/watchdog.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STACK_SIZE (64 * 1024)

static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};

#define SIGNALS (sizeof signals / sizeof *signals)

static struct {
    pid_t thread;
    struct sigaction before[SIGNALS];
} F;

static _Thread_local const char *blamed;

void pl_fault_blame(const char *name)
{
    blamed = name;
}

/* The kernel's own have a positive code. abort() sends its signal by tgkill, as anybody may: then
 * the sender must be this process. */
static bool is_own(int signo, const siginfo_t *info)
{
    if (signo == SIGABRT)
        return info->si_code == SI_TKILL && info->si_pid == getpid();
    return info->si_code > 0;
}

/* What the code on the CPU has broken is unknown here: nothing is touched but the page. */
static void on_fault(int signo, siginfo_t *info, void *context)
{
    (void)context;
    bool own = is_own(signo, info);
    if (own && blamed != NULL)
        strncpy(pl_watchdog_slot->failed, blamed, PL_WATCHDOG_NAME_MAX - 1);
    if (own && (blamed != NULL || (pid_t)syscall(SYS_gettid) == F.thread))
        atomic_store(&pl_watchdog_slot->fault, signo);
    for (size_t i = 0; i < SIGNALS; i++)
        if (signals[i] == signo)
            sigaction(signo, &F.before[i], NULL);
    /* A fault is met again where it was, an abort() goes on; what was sent is sent again. */
    if (!own)
        raise(signo);
}

int pl_fault_watch(struct pl_err *err)
{
    F.thread = (pid_t)syscall(SYS_gettid);
    /* A stack that has overflowed has no room for a handler. A sanitizer has its own. */
    stack_t stack;
    if (sigaltstack(NULL, &stack) == 0 && (stack.ss_flags & SS_DISABLE) != 0) {
        static char memory[STACK_SIZE];
        stack = (stack_t){.ss_sp = memory, .ss_size = sizeof memory};
        if (sigaltstack(&stack, NULL) < 0)
            return pl_fail_errno(err, errno, "fault", "sigaltstack");
    }
    struct sigaction sa = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigemptyset(&sa.sa_mask);
    for (size_t i = 0; i < SIGNALS; i++)
        if (sigaction(signals[i], &sa, &F.before[i]) < 0)
            return pl_fail_errno(err, errno, "fault", "sigaction");
    return 0;
}
