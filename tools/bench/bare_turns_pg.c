/* The rows of a turn and nothing else: bare_turns_pg URL CONNECTIONS GROUP SECONDS [RATE]. The
 * database has Parley's schema; each group of turns is one durable transaction in one pipeline,
 * with the statements that Parley uses, and a connection has the next group on its way while the
 * server works on one. With RATE a connection starts so many groups a second, one at a time, which
 * shows what a commit takes without load. Prints turns per second, then the median and the 99th
 * percentile of a group's time in milliseconds. */
#include "turn_rows.h"

#include <libpq-fe.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define CONNECTIONS_MAX 16
#define DEPTH           2
#define TIMES_MAX       1000000

struct statement {
    const char *name, *sql;
    int params;
};

enum { INBOX, DIALOG, MESSAGES, CALLS, AUDIT, BEGIN, COMMIT, STATEMENTS };

static const struct statement statements[STATEMENTS] = {
    [INBOX] = {"inbox",
               "INSERT INTO inbox (source, key, dialog_id, state, body_hash, response, trace_id, "
               "received_at) VALUES ($1, $2, $3, 'done', $4, $5, $6, $7)",
               7},
    [DIALOG] = {"dialog",
                "UPDATE dialogs SET status = $3, reset_version = $4, state = $5, version = $2 + 1, "
                "last_message_at = $6 WHERE id = $1 AND version = $2",
                6},
    [MESSAGES] = {"messages",
                  "INSERT INTO messages (dialog_id, id, reset_version, sender_type, payload, "
                  "trace_id, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7), ($8, $9, $10, $11, "
                  "$12, $13, $14)",
                  14},
    [CALLS] = {"calls",
               "INSERT INTO plugin_calls (id, plugin_id, dialog_id, attempt, status, latency_ms, "
               "error_code, trace_id, started_at, finished_at) VALUES ($1, $2, $3, $4, $5, $6, $7, "
               "$8, $9, $10)",
               10},
    [AUDIT] = {"audit",
               "INSERT INTO audit_logs (id, source, action, severity, trace_id, details, "
               "created_at) VALUES ($1, $2, $3, $4, $5, $6, $7), ($8, $9, $10, $11, $12, $13, $14)",
               14},
    [BEGIN] = {"begin", "BEGIN", 0},
    [COMMIT] = {"commit", "COMMIT", 0},
};

struct connection {
    PGconn *pg;
    int index, flying;         /* groups on their way */
    long sent, done;           /* turns */
    double since[DEPTH], next; /* when the groups on their way began; when the next may */
};

static struct connection connections[CONNECTIONS_MAX];
static int connections_len;
static long group;
static double times[TIMES_MAX];
static long times_len;

static void check(bool ok, PGconn *pg)
{
    if (ok)
        return;
    fprintf(stderr, "bare_turns_pg: %s", PQerrorMessage(pg));
    exit(1);
}

static void send(PGconn *pg, int which, const char *const *values)
{
    const struct statement *s = &statements[which];
    check(PQsendQueryPrepared(pg, s->name, s->params, values, NULL, NULL, 0), pg);
}

/* Turn number `n` of a connection. Each has dialogs of its own, as each dialog has one worker. */
static void turn(struct connection *c, long n)
{
    char key[32], name[32], version[24], at[24], a[37], b[37], d[37], e[37], f[37];
    static const char details[] = "{\"invocation_id\":\"01a1fcce-897d-729f-bd01-262bc42736da\"}";
    snprintf(key, sizeof key, "m-%ld", n);
    snprintf(name, sizeof name, "bench-%d-%ld", c->index, n % DIALOGS);
    snprintf(version, sizeof version, "%ld", n / DIALOGS);
    snprintf(at, sizeof at, "%lld", 1700000000000LL + n);
    next_id(a), next_id(b), next_id(d), next_id(e), next_id(f);
    send(c->pg, INBOX, (const char *[]){name, key, name, trace, response, trace, at});
    send(c->pg, DIALOG,
         (const char *[]){name, version, "active", "0", "{\"echo\":{\"count\":5}}", at});
    send(c->pg, MESSAGES,
         (const char *[]){name, a, "0", "user", message, trace, at, name, b, "0", "plugin", reply,
                          trace, at});
    send(c->pg, CALLS, (const char *[]){d, "echo", name, "1", "ok", "0.1", NULL, trace, at, at});
    send(c->pg, AUDIT,
         (const char *[]){e, "echo", "plugin_invocation_started", "info", trace, details, at, f,
                          "echo", "plugin_invocation_completed", "info", trace, details, at});
}

static void send_group(struct connection *c)
{
    send(c->pg, BEGIN, NULL);
    for (long i = 0; i < group; i++)
        turn(c, c->sent++);
    send(c->pg, COMMIT, NULL);
    check(PQpipelineSync(c->pg), c->pg);
    c->since[c->flying++] = now();
}

/* Every result counts: a statement that failed, or a dialog that was not there, ends the program.
 */
static void take(struct connection *c, const PGresult *r)
{
    ExecStatusType status = PQresultStatus(r);
    if (status == PGRES_PIPELINE_SYNC) {
        if (times_len < TIMES_MAX)
            times[times_len++] = now() - c->since[0];
        memmove(c->since, c->since + 1, sizeof c->since - sizeof c->since[0]);
        c->flying--;
        c->done += group;
        return;
    }
    check(status == PGRES_COMMAND_OK, c->pg);
    if (strncmp(PQcmdStatus((PGresult *)r), "UPDATE", 6) == 0 &&
        strcmp(PQcmdTuples((PGresult *)r), "1") != 0) {
        fprintf(stderr, "bare_turns_pg: a dialog was not updated\n");
        exit(1);
    }
}

static void receive(struct connection *c)
{
    check(PQconsumeInput(c->pg), c->pg);
    while (c->flying > 0 && !PQisBusy(c->pg)) {
        PGresult *r = PQgetResult(c->pg);
        /* NULL ends the results of one statement. */
        if (r)
            take(c, r);
        PQclear(r);
    }
}

static void open_connection(struct connection *c, const char *url, int index)
{
    char sql[512];
    c->index = index;
    c->pg = PQconnectdb(url);
    check(PQstatus(c->pg) == CONNECTION_OK, c->pg);
    snprintf(sql, sizeof sql,
             "INSERT INTO dialogs (id, user_id, channel, status, version, created_at, "
             "last_message_at) SELECT 'bench-%d-' || n, 'u', 'api', 'active', 0, 1, 1 FROM "
             "generate_series(0, %d) n",
             index, DIALOGS - 1);
    PGresult *r = PQexec(c->pg, sql);
    check(PQresultStatus(r) == PGRES_COMMAND_OK, c->pg);
    PQclear(r);
    for (int i = 0; i < STATEMENTS; i++) {
        r = PQprepare(c->pg, statements[i].name, statements[i].sql, 0, NULL);
        check(PQresultStatus(r) == PGRES_COMMAND_OK, c->pg);
        PQclear(r);
    }
    check(PQsetnonblocking(c->pg, 1) == 0 && PQenterPipelineMode(c->pg), c->pg);
}

/* Starts what may start, and waits for the servers. Returns false when nothing is on its way. */
static bool step(double end, int rate)
{
    struct pollfd fds[CONNECTIONS_MAX];
    bool flying = false;
    for (int i = 0; i < connections_len; i++) {
        struct connection *c = &connections[i];
        double t = now();
        while (t < end && c->flying < (rate ? 1 : DEPTH) && t >= c->next) {
            send_group(c);
            if (rate)
                c->next = t + 1.0 / rate;
        }
        int unsent = PQflush(c->pg);
        check(unsent >= 0, c->pg);
        fds[i] =
            (struct pollfd){.fd = PQsocket(c->pg), .events = unsent ? POLLIN | POLLOUT : POLLIN};
        flying = flying || c->flying > 0;
    }
    if (!flying && now() >= end)
        return false;
    poll(fds, (nfds_t)connections_len, 1);
    for (int i = 0; i < connections_len; i++)
        if (fds[i].revents & (POLLIN | POLLERR | POLLHUP))
            receive(&connections[i]);
    return true;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    if (argc < 5 || atoi(argv[2]) < 1 || atoi(argv[2]) > CONNECTIONS_MAX || atol(argv[3]) < 1) {
        fprintf(stderr, "usage: bare_turns_pg URL CONNECTIONS(1..%d) GROUP SECONDS [RATE]\n",
                CONNECTIONS_MAX);
        return 64;
    }
    connections_len = atoi(argv[2]);
    group = atol(argv[3]);
    for (int i = 0; i < connections_len; i++)
        open_connection(&connections[i], argv[1], i);
    double start = now(), end = start + atof(argv[4]);
    while (step(end, argc > 5 ? atoi(argv[5]) : 0))
        ;
    double taken = now() - start;
    long done = 0;
    for (int i = 0; i < connections_len; i++) {
        done += connections[i].done;
        PQfinish(connections[i].pg);
    }
    qsort(times, (size_t)times_len, sizeof times[0], ascending);
    printf("%.0f %.2f %.2f\n", (double)done / taken, 1000 * times[times_len / 2],
           1000 * times[times_len * 99 / 100]);
    return 0;
}
