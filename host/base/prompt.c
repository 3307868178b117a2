#include "base/prompt.h"

#include <linux/sched/types.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NICE     (-10)
#define SLICE_NS 100000

void pl_prompt(void)
{
    struct sched_attr attr = {.size = sizeof attr, .sched_runtime = SLICE_NS};
    setpriority(PRIO_PROCESS, (id_t)gettid(), NICE);
    attr.sched_nice = getpriority(PRIO_PROCESS, (id_t)gettid());
    syscall(SYS_sched_setattr, 0, &attr, 0);
}
