/* HTTP requests at a fixed rate, whether those before are answered or not:
 * paced PORT RATE SECONDS CONNECTIONS FIRST HEAD BODY. HEAD is the request's first line and its
 * headers but Content-Length, lines ended by \n. In both %n is the number of the request, counted
 * from FIRST, and %c that of one of CHATS. A request goes out when it is due, on a connection on
 * which none is under way; the time of each counts from when it was due. Prints p50 and p99 in ms,
 * how many were not answered with 200, the p99 of how late they were sent, and requests per second.
 *
 * In C, because what measures must not pause: a load in Lua was late by 2 ms at 2000/s. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CHATS      500
#define FIRST_CHAT 500000000
#define MAX_TEXT   8192
#define GIVE_UP_S  30

struct conn {
    int fd;
    double due; /* of the request under way; 0: none */
    size_t have;
    char answer[MAX_TEXT];
};

static double *took, *late;
static long answered, failed;

static double now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static void die(const char *what)
{
    fprintf(stderr, "paced: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile(double *values, long n, double q)
{
    qsort(values, (size_t)n, sizeof *values, by_size);
    return values[(long)ceil((double)n * q) - 1] * 1000;
}

static int connected(int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) < 0)
        die("cannot connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

/* A text with its numbers. */
static size_t fill(char *out, const char *text, long n)
{
    size_t len = 0;
    for (const char *p = text; *p != '\0' && len < MAX_TEXT - 32; p++)
        if (*p == '%' && (p[1] == 'n' || p[1] == 'c'))
            len += (size_t)sprintf(out + len, "%ld", *++p == 'n' ? n : FIRST_CHAT + n % CHATS);
        else
            out[len++] = *p;
    out[len] = '\0';
    return len;
}

static void ask(struct conn *c, const char *head, const char *body, long n)
{
    char start[MAX_TEXT], text[MAX_TEXT], request[2 * MAX_TEXT + 64];
    fill(start, head, n);
    size_t len = fill(text, body, n);
    int all =
        snprintf(request, sizeof request, "%sContent-Length: %zu\r\n\r\n%s", start, len, text);
    if (write(c->fd, request, (size_t)all) != all)
        die("cannot send");
    c->have = 0;
}

/* Whether all of an answer is there. */
static bool is_whole(struct conn *c)
{
    c->answer[c->have] = '\0';
    char *end = strstr(c->answer, "\r\n\r\n");
    if (end == NULL)
        return false;
    char *length = strcasestr(c->answer, "\ncontent-length:");
    size_t body = length != NULL && length < end ? (size_t)atol(length + 16) : 0;
    return c->have >= (size_t)(end + 4 - c->answer) + body;
}

static void hear(struct conn *c)
{
    ssize_t n = read(c->fd, c->answer + c->have, MAX_TEXT - 1 - c->have);
    if (n <= 0)
        die("a connection was closed");
    c->have += (size_t)n;
    if (!is_whole(c))
        return;
    took[answered++] = now() - c->due;
    failed += strncmp(c->answer, "HTTP/1.1 200", 12) != 0;
    c->due = 0;
}

static void with_line_ends(char *out, const char *lines)
{
    for (; *lines != '\0'; lines++) {
        if (*lines == '\n')
            *out++ = '\r';
        *out++ = *lines;
    }
    *out = '\0';
}

int main(int argc, char **argv)
{
    if (argc != 8 || strlen(argv[6]) > MAX_TEXT / 2 || strlen(argv[7]) > MAX_TEXT / 2) {
        fprintf(stderr, "usage: paced PORT RATE SECONDS CONNECTIONS FIRST HEAD BODY\n");
        return 64;
    }
    double rate = atof(argv[2]);
    long total = (long)(rate * atof(argv[3])), count = atol(argv[4]), first = atol(argv[5]),
         sent = 0;
    if (total < 1 || count < 1)
        return 64;
    char head[MAX_TEXT];
    with_line_ends(head, argv[6]);
    took = calloc((size_t)total, sizeof *took);
    late = calloc((size_t)total, sizeof *late);
    struct conn *conns = calloc((size_t)count, sizeof *conns);
    int events = epoll_create1(0);
    if (took == NULL || late == NULL || conns == NULL || events < 0)
        die("no memory");
    prctl(PR_SET_TIMERSLACK, 1000);
    /* What is measured is the host, not how long this program waits for a core that the host has:
     * where it may, it goes first. */
    struct sched_param first_of_all = {.sched_priority = 1};
    sched_setscheduler(0, SCHED_FIFO, &first_of_all);
    for (long i = 0; i < count; i++) {
        conns[i].fd = connected(atoi(argv[1]));
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = &conns[i]};
        if (epoll_ctl(events, EPOLL_CTL_ADD, conns[i].fd, &e) < 0)
            die("cannot watch a connection");
    }
    double begin = now() + 0.05;
    for (long next = 0; answered < total;) {
        double due = begin + (double)sent / rate;
        while (sent < total && now() >= due) {
            long tried = 0;
            while (tried < count && conns[next].due != 0) {
                next = (next + 1) % count;
                tried++;
            }
            if (tried == count)
                break; /* it goes out, late, with the next answer */
            late[sent] = now() - due;
            conns[next].due = due;
            ask(&conns[next], head, argv[7], first + sent++);
            due = begin + (double)sent / rate;
        }
        double wait = sent < total ? fmax(due - now(), 0) : 0.001;
        struct timespec ts = {(time_t)wait, (long)((wait - floor(wait)) * 1e9)};
        struct epoll_event ready[64];
        int n = epoll_pwait2(events, ready, 64, &ts, NULL);
        for (int i = 0; i < n; i++)
            hear(ready[i].data.ptr);
        if (now() > begin + (double)total / rate + GIVE_UP_S) {
            errno = ETIMEDOUT;
            die("answers are missing");
        }
    }
    double seconds = now() - begin;
    double p50 = quantile(took, answered, 0.5), p99 = quantile(took, answered, 0.99);
    printf("%.2f %.2f %ld %.2f %.0f\n", p50, p99, failed, quantile(late, total, 0.99),
           (double)total / seconds);
    return 0;
}
