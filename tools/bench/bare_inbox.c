/* The commit that a webhook has to wait for, and nothing else: bare_inbox DATABASE RATE SECONDS.
 * Rows of inbox come by chance, so many a second; those that have gathered while a commit was under
 * way are the next one. Prints rows per second, and the median and p99 of the time from a row's
 * coming to its being durable, in milliseconds. */
#include "turn_rows.h"

#include <math.h>
#include <sqlite3.h>
#include <stdlib.h>

static sqlite3 *db;

static void check(int rc)
{
    if (rc != SQLITE_OK && rc != SQLITE_DONE && rc != SQLITE_ROW) {
        fprintf(stderr, "bare_inbox: %s\n", sqlite3_errmsg(db));
        exit(1);
    }
}

static sqlite3_stmt *prepare(const char *sql)
{
    sqlite3_stmt *s;
    check(sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &s, NULL));
    return s;
}

static void run(sqlite3_stmt *s)
{
    check(sqlite3_step(s));
    sqlite3_reset(s);
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sleeps until shortly before, and spins then: a sleep wakes late by more than a commit's tenth. */
static void wait_until(double at)
{
    double left = at - now() - 1e-4;
    if (left > 0) {
        struct timespec ts = {(time_t)left, (long)((left - floor(left)) * 1e9)};
        nanosleep(&ts, NULL);
    }
    while (now() < at)
        ;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: bare_inbox DATABASE RATE SECONDS\n");
        return 64;
    }
    double rate = atof(argv[2]), seconds = atof(argv[3]);
    long max = (long)(rate * seconds), n = 0;
    if (max < 1)
        return 64;
    double *come = malloc((size_t)max * sizeof *come), *took = malloc((size_t)max * sizeof *took);
    if (!come || !took)
        return 1;
    check(sqlite3_open(argv[1], &db));
    check(sqlite3_exec(db,
                       "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"
                       "PRAGMA wal_autocheckpoint=4000;",
                       NULL, NULL, NULL));
    sqlite3_stmt *row =
        prepare("INSERT INTO inbox (source, key, dialog_id, state, payload, body_hash, trace_id, "
                "received_at, owner) VALUES ('tg:bare', $1, 'tg:bare:1', 'open', $2, "
                "'0123456789abcdef0123456789abcdef', $3, 1, 'bare/0') "
                "ON CONFLICT (source, key) DO NOTHING");
    sqlite3_stmt *begin = prepare("BEGIN IMMEDIATE"), *commit = prepare("COMMIT");
    double start = now() + 0.01, at = start;
    for (long i = 0; i < max; i++) {
        come[i] = at;
        at += -log(1 - drand48()) / rate;
    }
    while (n < max) {
        long first = n;
        wait_until(come[n]);
        double since = now();
        run(begin);
        do {
            char key[37];
            n++;
            check(sqlite3_bind_text(row, 1, next_id(key), -1, SQLITE_TRANSIENT));
            check(sqlite3_bind_text(row, 2, message, -1, SQLITE_STATIC));
            check(sqlite3_bind_text(row, 3, trace, -1, SQLITE_STATIC));
            run(row);
        } while (n < max && come[n] <= since);
        run(commit);
        double done = now();
        for (long i = first; i < n; i++)
            took[i] = done - come[i];
    }
    double all = now() - start;
    qsort(took, (size_t)max, sizeof *took, by_size);
    printf("%.0f %.2f %.2f\n", (double)max / all, took[max / 2] * 1e3,
           took[(long)((double)max * 0.99)] * 1e3);
    return 0;
}
