#include "drivers/postgres_connect.h"

#include "base/buf.h"
#include "base/clock.h"
#include "drivers/postgres_error.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define ATTEMPT_S 5
#define TICK_MS   50 /* how soon `stop` is seen */

/* Limits of a session that has none: a statement that hangs, or a worker that was stopped in the
 * middle of a transaction, must not hold rows for ever. synchronous_commit=off loses what was
 * confirmed. The last result is what check_durable looks at. */
#define SETUP(more)                                                                                \
    "SELECT set_config(name, value, false) FROM (VALUES"                                           \
    " ('statement_timeout', '0', '30000'), ('lock_timeout', '0', '5000'),"                         \
    " ('idle_in_transaction_session_timeout', '0', '15000'), ('synchronous_commit', 'off', "       \
    "'on')" more ") AS wanted (name, unset, value) WHERE current_setting(name) = unset;"           \
    "SELECT current_setting('fsync'), current_setting('full_page_writes')"

static const char setup[] = SETUP("");
static const char setup_read_only[] = SETUP(", ('default_transaction_read_only', 'off', 'on')");
/* Of a table that was small when the plan of a statement was made the planner would read the whole,
 * also when it has grown; and it would change the rows of a group in the order of the table, which
 * two groups that meet may not (pl_sql_key). */
static const char setup_by_index[] = SETUP(", ('enable_seqscan', 'on', 'off'), "
                                           "('enable_hashjoin', 'on', 'off'), "
                                           "('enable_mergejoin', 'on', 'off')");

static int failed(struct pl_pg_attempt *a, PGconn *pg)
{
    pl_pg_error_of_conn(pg, &a->err);
    return -1;
}

/* Waits for the socket; -1 when the attempt is to be given up. */
static int wait_for(struct pl_pg_attempt *a, PGconn *pg, short events, uint64_t deadline)
{
    while (!atomic_load(&a->stop) && pl_now_ns() < deadline) {
        struct pollfd fd = {.fd = PQsocket(pg), .events = events};
        int rc = poll(&fd, 1, TICK_MS);
        if (rc > 0)
            return 0;
        if (rc < 0 && errno != EINTR)
            break;
    }
    return pl_fail(&a->err, "unavailable", true, "postgres.connect",
                   "the server did not answer within %d seconds", ATTEMPT_S);
}

static int connect_to(struct pl_pg_attempt *a, PGconn *pg, uint64_t deadline)
{
    if (PQstatus(pg) == CONNECTION_BAD)
        return failed(a, pg);
    PostgresPollingStatusType next = PGRES_POLLING_WRITING;
    while (next != PGRES_POLLING_OK) {
        if (wait_for(a, pg, next == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline) < 0)
            return -1;
        next = PQconnectPoll(pg);
        if (next == PGRES_POLLING_FAILED)
            return failed(a, pg);
    }
    return 0;
}

static int check_durable(struct pl_pg_attempt *a, const PGresult *result)
{
    if (a->target.unsafe_allowed || PQnfields(result) != 2)
        return 0;
    static const char *const names[] = {"fsync", "full_page_writes"};
    for (int i = 0; i < 2; i++)
        if (strcmp(PQgetvalue(result, 0, i), "on") != 0)
            return pl_fail(
                &a->err, "unsafe", false, "postgres.connect",
                "the server runs with %s=off: it can lose what it has confirmed. Turn it "
                "on, or set database_unsafe when that is acceptable",
                names[i]);
    return 0;
}

static int take_result(struct pl_pg_attempt *a, PGresult *result)
{
    int rc = 0;
    if (PQresultStatus(result) == PGRES_TUPLES_OK) {
        rc = check_durable(a, result);
    } else {
        pl_pg_error_of_result(result, &a->err);
        rc = -1;
    }
    PQclear(result);
    return rc;
}

static int set_up(struct pl_pg_attempt *a, PGconn *pg, uint64_t deadline)
{
    const char *text = a->target.read_only  ? setup_read_only
                       : a->target.by_index ? setup_by_index
                                            : setup;
    if (PQsendQuery(pg, text) == 0)
        return failed(a, pg);
    for (;;) {
        while (PQisBusy(pg)) {
            if (wait_for(a, pg, POLLIN, deadline) < 0)
                return -1;
            if (PQconsumeInput(pg) == 0)
                return failed(a, pg);
        }
        PGresult *result = PQgetResult(pg);
        if (result == NULL)
            return 0;
        if (take_result(a, result) < 0)
            return -1;
    }
}

static void ignore_notice(void *arg, const PGresult *result)
{
    (void)arg;
    (void)result;
}

/* libpq quotes what it cannot read, which may be the password: what is between quotes is left out.
 */
static int unreadable(struct pl_pg_attempt *a, const char *problem)
{
    struct pl_buf told = {0};
    bool quoted = false;
    for (const char *p = problem; *p != '\0' && *p != '\n'; p++) {
        if (*p == '"') {
            quoted = !quoted;
            pl_buf_append(&told, "\"...", quoted ? 4 : 1);
        } else if (!quoted) {
            pl_buf_putc(&told, *p);
        }
    }
    pl_fail(&a->err, PL_E_INVALID, false, "postgres.connect", "the address cannot be read: %s",
            pl_buf_cstr(&told));
    pl_buf_free(&told);
    return -1;
}

/* A password with an @ or a slash that is not written as %XX ends early: what is left of it would
 * be looked up as a host, or be quoted as a port. */
static bool cut_wrongly(const PQconninfoOption *o)
{
    if (o->val == NULL)
        return false;
    if (strcmp(o->keyword, "port") == 0)
        return strspn(o->val, "0123456789,") != strlen(o->val);
    return strcmp(o->keyword, "host") == 0 && strchr(o->val, '@') != NULL;
}

static int check_url(struct pl_pg_attempt *a)
{
    char *problem = NULL;
    PQconninfoOption *options = PQconninfoParse(a->target.url, &problem);
    if (options == NULL) {
        unreadable(a, problem != NULL ? problem : "out of memory");
        PQfreemem(problem);
        return -1;
    }
    bool wrong = false;
    for (const PQconninfoOption *o = options; o->keyword != NULL; o++)
        wrong = wrong || cut_wrongly(o);
    PQconninfoFree(options);
    return wrong ? unreadable(a, "host or port are none; characters like @ and / in a password "
                                 "are written %40 and %2F")
                 : 0;
}

/* What comes after these, in the URL, wins. */
static PGconn *begin(const char *url)
{
    const char *const keys[] = {
        "fallback_application_name",
        "client_encoding",
        "target_session_attrs",
        "tcp_user_timeout",
        "keepalives_idle",
        "dbname",
        NULL,
    };
    const char *const values[] = {"parley", "UTF8", "read-write", "10000", "10", url, NULL};
    return PQconnectStartParams(keys, values, 1);
}

int pl_pg_attempt_run(struct pl_pg_attempt *a)
{
    if (check_url(a) < 0)
        return -1;
    uint64_t deadline = pl_now_ns() + ATTEMPT_S * PL_NS_PER_S;
    PGconn *pg = begin(a->target.url);
    if (pg == NULL)
        return pl_fail(&a->err, PL_E_NO_MEMORY, true, "postgres.connect", "out of memory");
    PQsetNoticeReceiver(pg, ignore_notice, NULL);
    if (connect_to(a, pg, deadline) == 0 && set_up(a, pg, deadline) == 0) {
        a->pg = pg;
        return 0;
    }
    PQfinish(pg);
    return -1;
}

/* --- in a thread of its own ----------------------------------------------------------------------
 */

enum {
    RUNNING,
    OVER,      /* the result is the owner's */
    ABANDONED, /* the thread's own: nobody waits for it */
};

static void attempt_free(struct pl_pg_attempt *a)
{
    if (a->pg != NULL)
        PQfinish(a->pg);
    free((char *)a->target.url);
    free(a);
}

static void attempt_main(void *arg)
{
    struct pl_pg_attempt *a = arg;
    pl_pg_attempt_run(a);
    /* The owner joins this thread before it closes the handle, once it has seen OVER. */
    uv_async_t *done = a->done_async;
    if (atomic_exchange(&a->state, OVER) == ABANDONED)
        attempt_free(a);
    else
        uv_async_send(done);
}

struct pl_pg_attempt *pl_pg_attempt_start(const struct pl_pg_target *target, uv_async_t *done,
                                          struct pl_err *err)
{
    struct pl_pg_attempt *a = pl_xcalloc(1, sizeof *a);
    a->target = *target;
    a->target.url = pl_xstrdup(target->url);
    a->done_async = done;
    int rc = uv_thread_create(&a->thread, attempt_main, a);
    if (rc == 0)
        return a;
    pl_fail_errno(err, -rc, "postgres.connect", "cannot start a thread");
    attempt_free(a);
    return NULL;
}

bool pl_pg_attempt_over(struct pl_pg_attempt *a)
{
    return atomic_load(&a->state) == OVER;
}

PGconn *pl_pg_attempt_take(struct pl_pg_attempt *a, struct pl_err *err)
{
    uv_thread_join(&a->thread);
    PGconn *pg = a->pg;
    a->pg = NULL;
    *err = a->err;
    attempt_free(a);
    return pg;
}

void pl_pg_attempt_abandon(struct pl_pg_attempt *a)
{
    uv_thread_t thread = a->thread; /* `a` may be gone after the exchange */
    atomic_store(&a->stop, true);
    if (atomic_exchange(&a->state, ABANDONED) == OVER) {
        uv_thread_join(&thread);
        attempt_free(a);
    } else {
        pthread_detach(thread);
    }
}
