/* The parameters of the supervisor: pairs of NUL-terminated strings in an anonymous file, which
 * survives the exec and shows up in no process list. */
#include "loop/process.h"
#include "loop/supervisor_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define OP        "supervisor.config"
#define BYTES_MAX (1u << 20)

void pl_supervisor_param(struct pl_buf *params, const char *key, const char *value)
{
    pl_buf_append(params, key, strlen(key) + 1);
    pl_buf_append(params, value, strlen(value) + 1);
}

int pl_supervisor_exec(const struct pl_buf *params, struct pl_err *err)
{
    int fd = memfd_create("parley-supervisor", MFD_CLOEXEC);
    if (fd < 0)
        return pl_fail_errno(err, errno, OP, "memfd_create");
    if (write(fd, params->data, params->len) != (ssize_t)params->len ||
        lseek(fd, 0, SEEK_SET) != 0) {
        pl_fail_errno(err, errno, OP, "cannot hand over the parameters");
        close(fd);
        return -1;
    }
    char number[16];
    snprintf(number, sizeof number, "%d", fd);
    char *argv[] = {"parley", "--supervise", number, NULL};
    fflush(NULL);
    pl_process_cloexec(fd, false);
    execv("/proc/self/exe", argv);
    pl_fail_errno(err, errno, OP, "cannot execute /proc/self/exe");
    close(fd);
    return -1;
}

static int add_listener(struct config *c, const char *name, const char *spec, struct pl_err *err)
{
    size_t n = strlen(name);
    if (n == 0 || n >= PL_LISTENER_NAME_MAX || strspn(name, "abcdefghijklmnopqrstuvwxyz_") != n)
        return pl_fail(err, PL_E_INVALID, false, OP, "listener \"%s\": a name is 1 to %d of a-z, _",
                       name, PL_LISTENER_NAME_MAX - 1);
    if (c->listeners_len == PL_LISTENERS_MAX)
        return pl_fail(err, PL_E_INVALID, false, OP, "more than %d listeners", PL_LISTENERS_MAX);
    struct listener *l = &c->listeners[c->listeners_len++];
    strcpy(l->name, name);
    l->spec = spec;
    l->fd = -1;
    return 0;
}

static int add_string(char **list, uint32_t *len, size_t max, const char *key, const char *value,
                      struct pl_err *err)
{
    if (*len + 1 >= max)
        return pl_fail(err, PL_E_INVALID, false, OP, "more than %zu times \"%s\"", max - 1, key);
    list[(*len)++] = (char *)value;
    list[*len] = NULL;
    return 0;
}

static int number(const char *key, const char *value, uint64_t least, uint64_t most, uint64_t *out,
                  struct pl_err *err)
{
    char *end;
    errno = 0;
    unsigned long long v = strtoull(value, &end, 10);
    if (errno != 0 || *value < '0' || *value > '9' || *end != '\0' || v < least || v > most)
        return pl_fail(err, PL_E_INVALID, false, OP,
                       "%s: expected a number from %llu to %llu, got %s", key,
                       (unsigned long long)least, (unsigned long long)most, value);
    *out = v;
    return 0;
}

static int milliseconds(const char *key, const char *value, uint64_t *ns, struct pl_err *err)
{
    uint64_t ms;
    if (number(key, value, 1, 86400000, &ms, err) < 0)
        return -1;
    *ns = ms * PL_NS_PER_MS;
    return 0;
}

static int set(struct config *c, const char *key, const char *value, struct pl_err *err)
{
    uint64_t n;
    if (strncmp(key, "listen.", 7) == 0)
        return add_listener(c, key + 7, value, err);
    if (strcmp(key, "arg") == 0)
        return add_string(c->argv, &c->argc, sizeof c->argv / sizeof *c->argv, key, value, err);
    if (strcmp(key, "env") == 0)
        return add_string(c->env, &c->env_len, sizeof c->env / sizeof *c->env, key, value, err);
    if (strcmp(key, "hang_ms") == 0)
        return milliseconds(key, value, &c->hang_ns, err);
    if (strcmp(key, "start_ms") == 0)
        return milliseconds(key, value, &c->start_ns, err);
    if (strcmp(key, "drain_ms") == 0)
        return milliseconds(key, value, &c->drain_ns, err);
    if (strcmp(key, "workers") == 0) {
        if (number(key, value, 1, PL_WORKERS_MAX, &n, err) < 0)
            return -1;
        c->workers = (uint32_t)n;
        return 0;
    }
    if (strcmp(key, "home") == 0)
        c->home = value;
    else if (strcmp(key, "ready_message") == 0)
        c->ready_message = value;
    else
        return pl_fail(err, PL_E_INVALID, false, OP, "unknown parameter \"%s\"", key);
    return 0;
}

static int read_all(int fd, struct pl_buf *out, struct pl_err *err)
{
    for (;;) {
        pl_buf_reserve(out, 4096);
        ssize_t n = read(fd, out->data + out->len, out->cap - out->len);
        if (n == 0)
            return 0;
        if (n < 0)
            return pl_fail_errno(err, errno, OP, "cannot read the parameters");
        out->len += (size_t)n;
        if (out->len > BYTES_MAX)
            return pl_fail(err, PL_E_TOO_LARGE, false, OP, "more than 1 MiB of parameters");
    }
}

int pl_sv_config_read(struct config *c, int fd, struct pl_err *err)
{
    *c = (struct config){.workers = 1,
                         .hang_ns = 2 * PL_NS_PER_S,
                         .start_ns = 120 * PL_NS_PER_S,
                         .drain_ns = 10 * PL_NS_PER_S,
                         .argv = {"parley"},
                         .argc = 1};
    int rc = read_all(fd, &c->text, err);
    close(fd);
    if (rc < 0)
        return -1;
    if (c->text.len == 0 || c->text.data[c->text.len - 1] != '\0')
        return pl_fail(err, PL_E_INVALID, false, OP, "no parameters: use `parley serve`");
    for (size_t at = 0; at < c->text.len;) {
        const char *key = c->text.data + at;
        at += strlen(key) + 1;
        if (at >= c->text.len)
            return pl_fail(err, PL_E_INVALID, false, OP, "\"%s\" has no value", key);
        const char *value = c->text.data + at;
        at += strlen(value) + 1;
        if (set(c, key, value, err) < 0)
            return -1;
    }
    if (c->home == NULL || c->listeners_len == 0 || c->argc < 2)
        return pl_fail(err, PL_E_INVALID, false, OP, "needs home, listen.NAME and arg");
    return 0;
}
