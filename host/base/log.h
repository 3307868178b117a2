/* The log: one line per event on stderr, as JSON, or in a form for people on a terminal.
 *
 * A line is built in place, field by field, without allocation, and written by one write(2), so
 * that lines of threads and of processes that share the descriptor do not mix. What does not fit is
 * cut and the line says `"truncated":true`. Secrets are replaced (base/redact.h). Invalid UTF-8
 * becomes U+FFFD and control characters are escaped, so a line can neither break a reader nor drive
 * the terminal. All functions may be called from any thread; none fails, none raises.
 *
 *     struct pl_log_line line;
 *     if (pl_log_open(&line, PL_LOG_WARN, trace, "plugin disabled")) {
 *         pl_log_string(&line, "plugin", name, strlen(name));
 *         pl_log_close(&line);
 *     }
 */
#ifndef PL_BASE_LOG_H
#define PL_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PL_LOG_LINE_MAX  16384 /* bytes, with the newline */
#define PL_LOG_DEPTH_MAX 5     /* of arrays and objects in a field */

enum pl_log_level { PL_LOG_DEBUG, PL_LOG_INFO, PL_LOG_WARN, PL_LOG_ERROR };

enum pl_log_form {
    PL_LOG_AUTO, /* for people when the descriptor is a terminal, else JSON */
    PL_LOG_JSON,
    PL_LOG_HUMAN,
};

struct pl_log_line {
    enum pl_log_level level;
    bool human, colour;
    bool full; /* something did not fit: later fields are dropped */
    uint8_t depth;
    char closers[PL_LOG_DEPTH_MAX];
    char trace[33];
    size_t len;
    char data[PL_LOG_LINE_MAX];
};

/* Call before other threads log. `process` ("worker 1"; NULL or "": none) is copied and becomes a
 * field of each line. Colour is used on a terminal unless NO_COLOR is set. */
void pl_log_setup(int fd, enum pl_log_form form, const char *process);

/* What is below is dropped; the default is PL_LOG_INFO. May be called at any time. */
void pl_log_set_level(enum pl_log_level level);
enum pl_log_level pl_log_get_level(void);

/* Names are "debug", "info", "warn", "error"; -1 for others. */
int pl_log_level_named(const char *name);
const char *pl_log_level_name(enum pl_log_level level);

/* One line with a formatted message of at most 2 KiB. `trace`: 32 hex digits; what is no letter,
 * digit or '-' makes it void; NULL and "" are none. */
void pl_log(enum pl_log_level level, const char *trace, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Begins a line in the form that was set up. False (and nothing to close) when its level is below
 * the threshold. */
bool pl_log_open(struct pl_log_line *line, enum pl_log_level level, const char *trace,
                 const char *message);

/* The same in a given form (PL_LOG_AUTO is PL_LOG_JSON), whatever the threshold, never coloured. */
void pl_log_begin(struct pl_log_line *line, enum pl_log_form form, enum pl_log_level level,
                  const char *trace, const char *message, size_t message_len);

/* Fields. `key` is copied, cut at 64 bytes; inside an array it is NULL. A key that the log uses
 * itself (time, level, msg, trace_id, process) gets a `_` behind it. */
void pl_log_string(struct pl_log_line *line, const char *key, const char *s, size_t len);
void pl_log_number(struct pl_log_line *line, const char *key, double v);
void pl_log_word(struct pl_log_line *line, const char *key, const char *word); /* true, null */
/* Begins a nested object ('{') or array ('['). False, and nothing to end, when too deep. */
bool pl_log_nest(struct pl_log_line *line, const char *key, char bracket);
void pl_log_unnest(struct pl_log_line *line);

/* Completes data[0..len) with the newline. */
void pl_log_end(struct pl_log_line *line);

/* Completes and writes the line. */
void pl_log_close(struct pl_log_line *line);

/* Lines lost because the descriptor took no more (a pipe that nobody reads). */
uint64_t pl_log_dropped(void);

#endif
