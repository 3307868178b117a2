#include "engine/pattern.h"

#include "engine/pattern_item.h"

#include <assert.h>
#include <string.h>

enum phase {
    TRY,     /* begin at `start` */
    ITEM,    /* match the rest of the pattern at `p` with the subject at `s` */
    REPEAT,  /* take as many of the item at `p` as there are */
    BALANCE, /* look for the end of %b */
    BACK,    /* what was tried does not match: take back the last choice */
    FOUND,
    NONE,
    FAILED, /* with `error` */
};

enum kind { OPTIONAL, GREEDY, LAZY, OPENED, CLOSED };

static enum phase fail(struct pl_pattern *m, const char *error)
{
    m->error = error;
    return FAILED;
}

/* --- choices -------------------------------------------------------------------------------------
 */

/* Notes a choice, after which the search goes on with the pattern at `rest`. */
static enum phase choose(struct pl_pattern *m, struct pl_choice choice)
{
    if (m->depth == PL_PATTERN_DEPTH)
        return fail(m, "pattern too complex");
    m->choice[m->depth++] = choice;
    m->p = choice.rest;
    return ITEM;
}

static enum phase back(struct pl_pattern *m)
{
    if (m->depth == 0) {
        if (m->anchored || m->start == m->subject_end)
            return NONE;
        m->start++;
        return TRY;
    }
    struct pl_choice *c = &m->choice[m->depth - 1];
    switch ((enum kind)c->kind) {
    case GREEDY:
        if (c->at == c->edge)
            break;
        m->s = --c->at;
        m->p = c->rest;
        return ITEM;
    case LAZY:
        m->steps -= c->rest - c->edge;
        if (c->at == m->subject_end || !fits(*c->at, c->edge, c->rest - 1))
            break;
        m->s = ++c->at;
        m->p = c->rest;
        return ITEM;
    case OPTIONAL:
        m->s = c->at;
        m->p = c->rest;
        m->depth--;
        return ITEM;
    case OPENED:
        m->captures--;
        break;
    case CLOSED:
        m->capture[c->capture].len = PL_CAPTURE_OPEN;
        break;
    }
    m->depth--;
    return BACK;
}

static enum phase open_capture(struct pl_pattern *m)
{
    if (m->captures == PL_PATTERN_CAPTURES)
        return fail(m, "too many captures");
    bool position = m->p[1] == ')';
    m->capture[m->captures].start = m->s;
    m->capture[m->captures].len = position ? PL_CAPTURE_POSITION : PL_CAPTURE_OPEN;
    m->captures++;
    return choose(m, (struct pl_choice){.kind = OPENED, .rest = m->p + (position ? 2 : 1)});
}

static enum phase close_capture(struct pl_pattern *m)
{
    int i = m->captures;
    while (--i >= 0 && m->capture[i].len != PL_CAPTURE_OPEN)
        continue;
    if (i < 0)
        return fail(m, "invalid pattern capture");
    m->capture[i].len = m->s - m->capture[i].start;
    return choose(m, (struct pl_choice){.kind = CLOSED, .capture = i, .rest = m->p + 1});
}

/* --- items ---------------------------------------------------------------------------------------
 */

/* %bxy */
static enum phase balance(struct pl_pattern *m)
{
    if (m->p + 3 >= m->pattern_end)
        return fail(m, "unbalanced pattern");
    if (m->s == m->subject_end || *m->s != m->p[2])
        return BACK;
    m->nesting = 1;
    m->s++;
    return BALANCE;
}

static enum phase go_on_balancing(struct pl_pattern *m)
{
    unsigned open = m->p[2], close = m->p[3];
    for (; m->s < m->subject_end && m->steps > 0; m->s++, m->steps--) {
        if (*m->s == close) {
            if (--m->nesting > 0)
                continue;
            m->s++;
            m->p += 4;
            return ITEM;
        }
        if (*m->s == open)
            m->nesting++;
    }
    return m->s == m->subject_end ? BACK : BALANCE;
}

/* %f[set] */
static enum phase frontier(struct pl_pattern *m)
{
    bytes set = m->p + 2;
    if (*set != '[')
        return fail(m, "missing '[' after '%f' in pattern");
    bytes ep = item_end(set, m->pattern_end, &m->error);
    if (ep == NULL)
        return FAILED;
    m->steps -= ep - set;
    unsigned before = m->s == m->subject ? 0 : m->s[-1];
    unsigned here = m->s == m->subject_end ? 0 : *m->s;
    if (in_set(before, set, ep - 1) || !in_set(here, set, ep - 1))
        return BACK;
    m->p = ep;
    return ITEM;
}

/* %1 */
static enum phase back_reference(struct pl_pattern *m)
{
    int i = m->p[1] - '1';
    if (i < 0 || i >= m->captures || m->capture[i].len == PL_CAPTURE_OPEN)
        return fail(m, "invalid capture index");
    ptrdiff_t len = m->capture[i].len;
    if (len == PL_CAPTURE_POSITION || m->subject_end - m->s < len)
        return BACK;
    m->steps -= len / 16; /* memcmp is that much faster than we are */
    if (memcmp(m->s, m->capture[i].start, (size_t)len) != 0)
        return BACK;
    m->s += len;
    m->p += 2;
    return ITEM;
}

/* Takes what fits an item, as far as the steps reach. Returns whether that was all. */
static bool take(struct pl_pattern *m)
{
    bytes s = m->s, p = m->p, ep = m->ep, stop = m->subject_end;
    ptrdiff_t cost = ep - p, affordable = m->steps > cost ? m->steps / cost : 1;
    if (stop - s > affordable)
        stop = s + affordable;
    while (s < stop && fits(*s, p, ep))
        s++;
    m->steps -= (s - m->s) * cost;
    m->s = s;
    return s < stop || s == m->subject_end;
}

/* Takes all that fits, then chooses how much of it to keep, most first. */
static enum phase repeat(struct pl_pattern *m)
{
    if (*m->p == '.')
        m->s = m->subject_end;
    else if (!take(m))
        return REPEAT;
    return choose(
        m, (struct pl_choice){.kind = GREEDY, .at = m->s, .edge = m->item_from, .rest = m->ep + 1});
}

static enum phase single(struct pl_pattern *m)
{
    bytes p = m->p, s = m->s, ep = item_end(p, m->pattern_end, &m->error);
    if (ep == NULL)
        return FAILED;
    m->steps -= ep - p;
    if (*ep == '-')
        return choose(m, (struct pl_choice){.kind = LAZY, .at = s, .edge = p, .rest = ep + 1});
    bool fit = s < m->subject_end && fits(*s, p, ep);
    switch (*ep) {
    case '*':
    case '+':
        if (*ep == '+') {
            if (!fit)
                return BACK;
            s++;
        }
        m->s = m->item_from = s;
        m->ep = ep;
        return REPEAT;
    case '?':
        if (!fit) {
            m->p = ep + 1;
            return ITEM;
        }
        m->s = s + 1;
        return choose(m, (struct pl_choice){.kind = OPTIONAL, .at = s, .rest = ep + 1});
    default:
        m->s = s + 1;
        m->p = ep;
        return fit ? ITEM : BACK;
    }
}

static inline enum phase item(struct pl_pattern *m)
{
    bytes p = m->p;
    if (p == m->pattern_end)
        return FOUND;
    switch (*p) {
    case '(':
        return open_capture(m);
    case ')':
        return close_capture(m);
    case '$':
        if (p + 1 == m->pattern_end)
            return m->s == m->subject_end ? FOUND : BACK;
        return single(m);
    case '%':
        if (p[1] == 'b')
            return balance(m);
        if (p[1] == 'f')
            return frontier(m);
        if (is_digit(p[1]))
            return back_reference(m);
        return single(m);
    default:
        return single(m);
    }
}

/* --- the search ----------------------------------------------------------------------------------
 */

static enum phase begin(struct pl_pattern *m)
{
    if (m->literal >= 0 && !m->anchored) {
        size_t left = (size_t)(m->subject_end - m->start);
        bytes at = memchr(m->start, m->literal, left);
        m->steps -= (at != NULL ? at - m->start : (ptrdiff_t)left) / 16;
        if (at == NULL)
            return NONE;
        m->start = at;
    }
    m->s = m->start;
    m->p = m->pattern;
    m->captures = 0;
    return ITEM;
}

/* The byte that every match begins with, -1 when the pattern does not say. */
static int leading_literal(bytes p, bytes end)
{
    if (p == end || strchr("()%[.$", *p) != NULL)
        return -1;
    return p + 1 < end && strchr("*?-", p[1]) != NULL ? -1 : *p;
}

void pl_pattern_init(struct pl_pattern *m, const char *subject, size_t subject_len,
                     const char *pattern, size_t pattern_len, bool anchors)
{
    m->subject = (bytes)subject;
    m->subject_end = m->subject + subject_len;
    m->pattern = (bytes)pattern;
    m->pattern_end = m->pattern + strnlen(pattern, pattern_len);
    m->anchored = anchors && *pattern == '^';
    m->pattern += m->anchored;
    m->literal = leading_literal(m->pattern, m->pattern_end);
    m->checked = false;
    m->error = NULL;
    pl_pattern_from(m, m->subject);
}

void pl_pattern_from(struct pl_pattern *m, const unsigned char *from)
{
    assert(from >= m->subject && from <= m->subject_end);
    m->start = from;
    m->depth = 0;
    m->phase = TRY;
}

enum pl_pattern_result pl_pattern_run(struct pl_pattern *m, int64_t steps)
{
    enum phase phase = (enum phase)m->phase;
    m->steps = steps;
    do {
        m->steps--;
        switch (phase) {
        case TRY:
            phase = begin(m);
            break;
        case ITEM:
            phase = item(m);
            break;
        case REPEAT:
            phase = repeat(m);
            break;
        case BALANCE:
            phase = go_on_balancing(m);
            break;
        case BACK:
            phase = back(m);
            break;
        case FOUND:
            m->end = m->s;
            return PL_PATTERN_FOUND;
        case NONE:
            return PL_PATTERN_NONE;
        case FAILED:
            return PL_PATTERN_ERROR;
        }
    } while (m->steps > 0 || phase >= FOUND);
    m->phase = phase;
    return PL_PATTERN_MORE;
}

bool pl_pattern_is_plain(const char *pattern, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (pattern[i] != '\0' && strchr("^$*+?.([%-", pattern[i]) != NULL)
            return false;
    return true;
}
