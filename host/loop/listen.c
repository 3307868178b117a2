#include "loop/listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define OP      "listen"
#define BACKLOG 1024 /* the kernel cuts it at net.core.somaxconn */

static int fail(struct pl_err *err, int errnum, const char *spec)
{
    const char *hint = "";
    if (errnum == EADDRINUSE)
        hint = " (another program listens there)";
    else if (errnum == EACCES)
        hint = " (ports below 1024 need privileges)";
    else if (errnum == EADDRNOTAVAIL)
        hint = " (no interface of this machine has this address)";
    pl_fail_errno(err, errnum, OP, "");
    return pl_fail(err, err->code, false, OP, "cannot listen on %s: %s%s", spec, strerror(errnum),
                   hint);
}

/* Binds and listens; closes `fd` on failure. */
static int bind_and_listen(int fd, const struct sockaddr *addr, socklen_t len, const char *spec,
                           struct pl_err *err)
{
    if (bind(fd, addr, len) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int errnum = errno;
    close(fd);
    return fail(err, errnum, spec);
}

/* A socket file that nobody listens on is left over from a host that was killed. */
static bool is_stale(const struct sockaddr_un *addr)
{
    struct stat st; /* connect() answers the same for an ordinary file, which is not ours */
    if (lstat(addr->sun_path, &st) < 0 || !S_ISSOCK(st.st_mode))
        return false;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    bool refused =
        connect(fd, (const struct sockaddr *)addr, sizeof *addr) < 0 && errno == ECONNREFUSED;
    close(fd);
    return refused;
}

static int open_unix(const char *spec, const char *path, struct pl_err *err)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    if (*path == '\0' || strlen(path) >= sizeof addr.sun_path)
        return pl_fail(err, PL_E_INVALID, false, OP,
                       "cannot listen on %s: a socket's path has 1 to %zu characters", spec,
                       sizeof addr.sun_path - 1);
    strcpy(addr.sun_path, path);
    if (is_stale(&addr))
        unlink(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return fail(err, errno, spec);
    return bind_and_listen(fd, (struct sockaddr *)&addr, sizeof addr, spec, err);
}

static int open_tcp(const char *spec, const struct addrinfo *ai, struct pl_err *err)
{
    int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return fail(err, errno, spec);
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    return bind_and_listen(fd, ai->ai_addr, ai->ai_addrlen, spec, err);
}

/* Splits "host:port", copied into `text`; brackets around the host are taken off. */
static int split(const char *spec, char *text, size_t size, char **host, char **port)
{
    if (strlen(spec) >= size)
        return -1;
    strcpy(text, spec);
    char *colon = strrchr(text, ':');
    if (colon == NULL)
        return -1;
    *colon = '\0';
    *port = colon + 1;
    *host = text;
    size_t n = strlen(text);
    if (text[0] == '[' && text[n - 1] == ']') {
        text[n - 1] = '\0';
        *host = text + 1;
    } else if (strchr(text, ':') != NULL) {
        return -1; /* an IPv6 address needs its brackets, or its end is taken for the port */
    }
    char *end;
    unsigned long number = strtoul(*port, &end, 10);
    return **port < '0' || **port > '9' || *end != '\0' || number > 65535 ? -1 : 0;
}

int pl_listen_open(const char *spec, struct pl_err *err)
{
    if (strncmp(spec, "unix:", 5) == 0)
        return open_unix(spec, spec + 5, err);
    char text[300], *host, *port;
    if (split(spec, text, sizeof text, &host, &port) < 0)
        return pl_fail(err, PL_E_INVALID, false, OP,
                       "cannot listen on %s: expected host:port, [IPv6]:port or unix:path", spec);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *list;
    int rc = getaddrinfo(*host != '\0' ? host : NULL, port, &hints, &list);
    if (rc != 0)
        return pl_fail(err, PL_E_INVALID, false, OP, "cannot listen on %s: %s", spec,
                       gai_strerror(rc));
    int fd = open_tcp(spec, list, err);
    freeaddrinfo(list);
    return fd;
}

void pl_listen_name(int fd, char *out, size_t size)
{
    struct sockaddr_storage addr;
    socklen_t len = sizeof addr;
    char host[NI_MAXHOST], port[NI_MAXSERV];
    snprintf(out, size, "?");
    if (getsockname(fd, (struct sockaddr *)&addr, &len) < 0)
        return;
    if (addr.ss_family == AF_UNIX) {
        snprintf(out, size, "unix:%s", ((struct sockaddr_un *)&addr)->sun_path);
        return;
    }
    if (getnameinfo((struct sockaddr *)&addr, len, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) == 0)
        snprintf(out, size, addr.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}
