#include "base/log.h"

#include "base/clock.h"
#include "base/redact.h"
#include "base/utf8.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Kept free for what ends a line that is full: "...", a quote, closers, the mark, the trace. */
#define TAIL    128
#define KEY_MAX 64

static struct {
    int fd;
    bool human, colour;
    char process[32];
} target = {.fd = STDERR_FILENO};

static atomic_int threshold = PL_LOG_INFO;
static atomic_bool was_cut; /* the last line lost its end: the next one begins on a new line */
static atomic_ullong dropped;

static const char *const level_names[] = {"debug", "info", "warn", "error"};

void pl_log_setup(int fd, enum pl_log_form form, const char *process)
{
    bool terminal = isatty(fd);
    const char *no_colour = getenv("NO_COLOR");
    target.fd = fd;
    target.human = form == PL_LOG_HUMAN || (form == PL_LOG_AUTO && terminal);
    target.colour = target.human && terminal && (no_colour == NULL || *no_colour == '\0');
    snprintf(target.process, sizeof target.process, "%s", process != NULL ? process : "");
}

void pl_log_set_level(enum pl_log_level level)
{
    atomic_store(&threshold, level);
}

enum pl_log_level pl_log_get_level(void)
{
    return (enum pl_log_level)atomic_load(&threshold);
}

int pl_log_level_named(const char *name)
{
    for (int i = PL_LOG_DEBUG; i <= PL_LOG_ERROR; i++)
        if (strcmp(name, level_names[i]) == 0)
            return i;
    return -1;
}

const char *pl_log_level_name(enum pl_log_level level)
{
    return level_names[level];
}

uint64_t pl_log_dropped(void)
{
    return atomic_load(&dropped);
}

/* --- text --------------------------------------------------------------------------------------
 */

static bool room(struct pl_log_line *l, size_t n)
{
    if (!l->full && l->len + n <= PL_LOG_LINE_MAX - TAIL)
        return true;
    l->full = true;
    return false;
}

/* The caller has made sure that there is room, or this is what TAIL is for. */
static void raw(struct pl_log_line *l, const char *s, size_t n)
{
    assert(l->len + n <= PL_LOG_LINE_MAX);
    memcpy(l->data + l->len, s, n);
    l->len += n;
}

static void raws(struct pl_log_line *l, const char *s)
{
    raw(l, s, strlen(s));
}

/* One character at s as it is to stand in the line; returns how many bytes of s it was. */
static size_t character(const char *s, size_t n, bool quoted, char *out, size_t *out_len)
{
    static const char hex[] = "0123456789abcdef";
    unsigned char c = (unsigned char)*s;
    size_t width = pl_utf8_char((const unsigned char *)s, n);
    unsigned code = width == 2 && c == 0xC2 ? (unsigned char)s[1] : c;
    if (width == 0) {
        memcpy(out, "\xEF\xBF\xBD", *out_len = 3);
        return 1;
    }
    if (quoted && (c == '"' || c == '\\')) {
        out[0] = '\\';
        out[1] = (char)c;
        *out_len = 2;
    } else if (c == '\n' || c == '\t') {
        memcpy(out, c == '\n' ? "\\n" : "\\t", *out_len = 2);
    } else if (c < 0x20 || c == 0x7F || (c == 0xC2 && code < 0xA0)) { /* C0, DEL, C1 */
        char u[] = {'\\', 'u', '0', '0', hex[code >> 4], hex[code & 15]};
        memcpy(out, u, *out_len = sizeof u);
    } else {
        memcpy(out, s, *out_len = width);
    }
    return width;
}

static void escaped(struct pl_log_line *l, const char *s, size_t n, bool quoted)
{
    for (size_t i = 0; i < n;) {
        char out[8];
        size_t out_len;
        i += character(s + i, n - i, quoted, out, &out_len);
        if (!room(l, out_len)) {
            raws(l, "...");
            return;
        }
        raw(l, out, out_len);
    }
}

static void redacted(struct pl_log_line *l, const char *s, size_t n, bool quoted)
{
    size_t at, len;
    while (!l->full && (len = pl_redact_find(s, n, &at)) > 0) {
        escaped(l, s, at, quoted);
        if (!l->full)
            escaped(l, PL_REDACTED, sizeof PL_REDACTED - 1, quoted);
        s += at + len;
        n -= at + len;
    }
    if (!l->full)
        escaped(l, s, n, quoted);
}

/* --- fields ------------------------------------------------------------------------------------
 */

static bool is_reserved(const char *key, size_t len)
{
    static const char *const names[] = {"time", "level", "msg", "trace_id", "process"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strlen(names[i]) == len && memcmp(names[i], key, len) == 0)
            return true;
    return false;
}

/* Whether the line's fields are written as key=value here. */
static bool bare(const struct pl_log_line *l)
{
    return l->human && l->depth == 0;
}

/* Writes the separator and the key; false when there is no room for them and a short value. */
static bool begin_field(struct pl_log_line *l, const char *key)
{
    if (!room(l, KEY_MAX * 6 + 64))
        return false;
    if (!bare(l) && l->data[l->len - 1] != '{' && l->data[l->len - 1] != '[')
        raws(l, ",");
    if (key == NULL)
        return true;
    size_t len = strnlen(key, KEY_MAX);
    if (bare(l)) {
        raws(l, l->colour ? " \x1b[2m" : " ");
        escaped(l, key, len, false);
        raws(l, l->colour ? "=\x1b[0m" : "=");
        return true;
    }
    raws(l, "\"");
    escaped(l, key, len, true);
    if (l->depth == 0 && is_reserved(key, len))
        raws(l, "_");
    raws(l, "\":");
    return true;
}

static bool needs_quotes(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)s[i] <= ' ' || strchr("\"=\\", s[i]) != NULL)
            return true;
    return n == 0;
}

void pl_log_string(struct pl_log_line *l, const char *key, const char *s, size_t len)
{
    if (!begin_field(l, key))
        return;
    bool quoted = !bare(l) || needs_quotes(s, len);
    if (key != NULL && pl_redact_key(key, strlen(key))) {
        s = PL_REDACTED;
        len = sizeof PL_REDACTED - 1;
    }
    if (quoted)
        raws(l, "\"");
    redacted(l, s, len, quoted);
    if (quoted)
        raws(l, "\"");
}

void pl_log_number(struct pl_log_line *l, const char *key, double v)
{
    char text[32];
    if (!isfinite(v)) {
        pl_log_string(l, key, isnan(v) ? "nan" : v > 0 ? "inf" : "-inf", isnan(v) || v > 0 ? 3 : 4);
        return;
    }
    /* 2^53: up to there every integer is exact */
    bool integer = v == floor(v) && fabs(v) <= 9007199254740992.0;
    snprintf(text, sizeof text, integer ? "%.0f" : "%.15g", v == 0 ? 0.0 : v);
    pl_log_word(l, key, text);
}

void pl_log_word(struct pl_log_line *l, const char *key, const char *word)
{
    if (begin_field(l, key))
        raws(l, word);
}

bool pl_log_nest(struct pl_log_line *l, const char *key, char bracket)
{
    assert(bracket == '{' || bracket == '[');
    if (key != NULL && pl_redact_key(key, strlen(key))) {
        pl_log_string(l, key, "", 0);
        return false;
    }
    if (l->depth == PL_LOG_DEPTH_MAX) {
        pl_log_string(l, key, "[nested too deep]", 17);
        return false;
    }
    if (!begin_field(l, key))
        return false;
    raw(l, &bracket, 1);
    l->closers[l->depth++] = bracket == '{' ? '}' : ']';
    return true;
}

void pl_log_unnest(struct pl_log_line *l)
{
    assert(l->depth > 0);
    raw(l, &l->closers[--l->depth], 1);
}

/* --- lines -------------------------------------------------------------------------------------
 */

static void begin_human(struct pl_log_line *l, const char *time)
{
    static const char *const colours[] = {"\x1b[2m", "\x1b[32m", "\x1b[33m", "\x1b[31m"};
    raw(l, time + 11, 12); /* the time of the day; the date is on the wall */
    raws(l, " ");
    if (l->colour)
        raws(l, colours[l->level]);
    raws(l, level_names[l->level]);
    if (l->colour)
        raws(l, "\x1b[0m");
    raws(l, strlen(level_names[l->level]) == 4 ? "  " : " ");
}

/* It may come from a client's header, and is written as it is. */
static void set_trace(struct pl_log_line *l, const char *trace)
{
    size_t n = 0;
    if (trace != NULL)
        while (n < sizeof l->trace - 1 && (isalnum((unsigned char)trace[n]) || trace[n] == '-'))
            n++;
    if (trace != NULL && trace[n] == '\0')
        memcpy(l->trace, trace, n);
    else
        n = 0;
    l->trace[n] = '\0';
}

static void begin(struct pl_log_line *l, enum pl_log_level level, const char *trace,
                  const char *message, size_t len)
{
    char time[PL_RFC3339_LEN + 1];
    pl_rfc3339(pl_wall_ms(), time);
    l->level = level;
    l->full = false;
    l->depth = 0;
    l->len = 0;
    set_trace(l, trace);
    if (l->human) {
        begin_human(l, time);
        redacted(l, message, len, false);
        return;
    }
    raws(l, "{\"time\":\"");
    raws(l, time);
    raws(l, "\",\"level\":\"");
    raws(l, level_names[level]);
    raws(l, "\",\"msg\":\"");
    redacted(l, message, len, true);
    raws(l, "\"");
    if (l->trace[0] != '\0') { /* 46 bytes: TAIL has them when the message filled the line */
        raws(l, ",\"trace_id\":\"");
        raws(l, l->trace);
        raws(l, "\"");
    }
}

void pl_log_begin(struct pl_log_line *l, enum pl_log_form form, enum pl_log_level level,
                  const char *trace, const char *message, size_t len)
{
    l->human = form == PL_LOG_HUMAN;
    l->colour = false;
    begin(l, level, trace, message, len);
}

/* Continues a line that pl_log_begin or `begin` started for the target. */
static void add_process(struct pl_log_line *l)
{
    if (target.process[0] == '\0' || !room(l, 64))
        return;
    raws(l, l->human ? " process=" : ",\"process\":\"");
    escaped(l, target.process, strlen(target.process), true);
    if (!l->human)
        raws(l, "\"");
}

bool pl_log_open(struct pl_log_line *l, enum pl_log_level level, const char *trace,
                 const char *message)
{
    if ((int)level < atomic_load_explicit(&threshold, memory_order_relaxed))
        return false;
    l->human = target.human;
    l->colour = target.colour;
    begin(l, level, trace, message, strlen(message));
    add_process(l);
    return true;
}

void pl_log_end(struct pl_log_line *l)
{
    while (l->depth > 0)
        pl_log_unnest(l);
    if (l->human) {
        if (l->trace[0] != '\0') {
            raws(l, " trace_id=");
            raws(l, l->trace);
        }
        raws(l, l->full ? " (truncated)\n" : "\n");
        return;
    }
    raws(l, l->full ? ",\"truncated\":true}\n" : "}\n");
}

/* A line that is not taken whole at once is continued while the descriptor takes more. One that
 * does not block (a terminal shared with a program that set it so) may lose the end. */
static void write_all(int fd, const char *s, size_t n)
{
    bool clean = !atomic_exchange(&was_cut, false);
    if (!clean && write(fd, "\n", 1) != 1) {
        atomic_store(&was_cut, true);
        atomic_fetch_add(&dropped, 1);
        return;
    }
    size_t done = 0;
    while (done < n) {
        ssize_t got = write(fd, s + done, n - done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            atomic_store(&was_cut, done > 0);
            atomic_fetch_add(&dropped, 1);
            return;
        }
        done += (size_t)got;
    }
}

void pl_log_close(struct pl_log_line *l)
{
    int saved = errno;
    pl_log_end(l);
    write_all(target.fd, l->data, l->len);
    errno = saved;
}

void pl_log(enum pl_log_level level, const char *trace, const char *fmt, ...)
{
    if ((int)level < atomic_load_explicit(&threshold, memory_order_relaxed))
        return;
    char message[2048];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(message, sizeof message, fmt, ap);
    va_end(ap);
    struct pl_log_line line;
    if (pl_log_open(&line, level, trace, message))
        pl_log_close(&line);
}
