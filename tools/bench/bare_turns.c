/* The rows of a turn and nothing else: bare_turns DATABASE GROUP SECONDS. The database has Parley's
 * schema; each group of turns is one durable transaction, with the statements that Parley uses.
 * Prints turns per second. */
#include "turn_rows.h"

#include <sqlite3.h>
#include <stdlib.h>

static sqlite3 *db;

static void check(int rc)
{
    if (rc != SQLITE_OK && rc != SQLITE_DONE && rc != SQLITE_ROW) {
        fprintf(stderr, "bare_turns: %s\n", sqlite3_errmsg(db));
        exit(1);
    }
}

static sqlite3_stmt *prepare(const char *sql)
{
    sqlite3_stmt *s;
    check(sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &s, NULL));
    return s;
}

static void text(sqlite3_stmt *s, int i, const char *value)
{
    check(sqlite3_bind_text(s, i, value, -1, SQLITE_STATIC));
}

static void run(sqlite3_stmt *s)
{
    check(sqlite3_step(s));
    sqlite3_reset(s);
}

static sqlite3_stmt *inbox, *dialog, *messages, *calls, *audit;

static void turn(long n)
{
    char key[32], name[32], a[37], b[37], c[37], d[37], e[37];
    snprintf(key, sizeof key, "m-%ld", n);
    snprintf(name, sizeof name, "bench-%ld", n % DIALOGS);
    text(inbox, 1, name), text(inbox, 2, key), text(inbox, 3, name), text(inbox, 4, trace);
    text(inbox, 5, response), text(inbox, 6, trace),
        sqlite3_bind_int64(inbox, 7, 1700000000000 + n);
    run(inbox);
    text(dialog, 1, name), sqlite3_bind_int64(dialog, 2, n);
    text(dialog, 3, "{\"echo\":{\"count\":5}}"), sqlite3_bind_int64(dialog, 4, 1700000000000 + n);
    run(dialog);
    text(messages, 1, name), text(messages, 2, next_id(a)), text(messages, 3, message);
    text(messages, 4, trace), sqlite3_bind_int64(messages, 5, 1700000000000 + n);
    text(messages, 6, next_id(b)), text(messages, 7, reply);
    run(messages);
    text(calls, 1, next_id(c)), text(calls, 2, name), text(calls, 3, trace);
    sqlite3_bind_int64(calls, 4, 1700000000000 + n);
    run(calls);
    text(audit, 1, next_id(d)), text(audit, 2, trace), text(audit, 3, next_id(e));
    sqlite3_bind_int64(audit, 4, 1700000000000 + n);
    run(audit);
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: bare_turns DATABASE GROUP SECONDS\n");
        return 64;
    }
    long group = atol(argv[2]), n = 0;
    double seconds = atof(argv[3]);
    check(sqlite3_open(argv[1], &db));
    check(sqlite3_exec(db,
                       "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"
                       "PRAGMA temp_store=MEMORY; PRAGMA cache_size=-8000;"
                       "PRAGMA wal_autocheckpoint=4000;",
                       NULL, NULL, NULL));
    for (int i = 0; i < DIALOGS; i++) {
        char sql[256];
        snprintf(sql, sizeof sql,
                 "INSERT OR IGNORE INTO dialogs (id, user_id, channel, status, reset_version, "
                 "version, created_at, last_message_at) VALUES ('bench-%d', 'u', 'api', 'active', "
                 "0, 1, 1, 1)",
                 i);
        if (i == 0)
            check(sqlite3_exec(db, "BEGIN", NULL, NULL, NULL));
        check(sqlite3_exec(db, sql, NULL, NULL, NULL));
    }
    check(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL));
    inbox = prepare("INSERT INTO inbox (source, key, dialog_id, state, body_hash, response, "
                    "trace_id, received_at) VALUES ($1, $2, $3, 'done', $4, $5, $6, $7)");
    dialog = prepare("UPDATE dialogs SET status = 'active', reset_version = 0, state = $3, "
                     "version = $2, last_message_at = $4 WHERE id = $1");
    messages = prepare("INSERT INTO messages (dialog_id, id, reset_version, sender_type, payload, "
                       "trace_id, created_at) VALUES ($1, $2, 0, 'user', $3, $4, $5), "
                       "($1, $6, 0, 'plugin', $7, $4, $5)");
    calls = prepare("INSERT INTO plugin_calls (id, plugin_id, dialog_id, attempt, status, "
                    "latency_ms, error_code, trace_id, started_at, finished_at) VALUES ($1, "
                    "'echo', $2, 1, 'ok', 0.1, NULL, $3, $4, $4)");
    audit = prepare("INSERT INTO audit_logs (id, source, action, severity, trace_id, details, "
                    "created_at) VALUES ($1, 'echo', 'plugin_invocation_started', 'info', $2, "
                    "'{\"invocation_id\":\"01a1fcce-897d-729f-bd01-262bc42736da\"}', $4), ($3, "
                    "'echo', 'plugin_invocation_completed', 'info', $2, "
                    "'{\"invocation_id\":\"01a1fcce-897d-729f-bd01-262bc42736da\"}', $4)");
    sqlite3_stmt *begin = prepare("BEGIN IMMEDIATE"), *commit = prepare("COMMIT");
    double start = now(), end = start + seconds;
    while (now() < end) {
        run(begin);
        for (long i = 0; i < group; i++)
            turn(n++);
        run(commit);
    }
    printf("%.0f\n", (double)n / (now() - start));
    return 0;
}
