#include "engine/pattern.h"

#include "engine/pattern_item.h"

#include <assert.h>
#include <string.h>

enum phase {
    SKIP,    /* look for the next `start` where a match may begin */
    TRY,     /* begin there */
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
        if (m->search.anchored || m->start == m->search.subject_end)
            return NONE;
        m->start++;
        return m->search.first != NULL ? SKIP : TRY;
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
        if (c->at == m->search.subject_end || !fits(*c->at, c->edge, c->rest - 1))
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
    if (m->p + 3 >= m->search.pattern_end)
        return fail(m, "unbalanced pattern");
    if (m->s == m->search.subject_end || *m->s != m->p[2])
        return BACK;
    m->nesting = 1;
    m->s++;
    return BALANCE;
}

static enum phase go_on_balancing(struct pl_pattern *m)
{
    unsigned open = m->p[2], close = m->p[3];
    for (; m->s < m->search.subject_end && m->steps > 0; m->s++, m->steps--) {
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
    return m->s == m->search.subject_end ? BACK : BALANCE;
}

/* %f[set] */
static enum phase frontier(struct pl_pattern *m)
{
    bytes set = m->p + 2;
    if (*set != '[')
        return fail(m, "missing '[' after '%f' in pattern");
    bytes ep = item_end(set, m->search.pattern_end, &m->error);
    if (ep == NULL)
        return FAILED;
    m->steps -= ep - set;
    unsigned before = m->s == m->search.subject ? 0 : m->s[-1];
    unsigned here = m->s == m->search.subject_end ? 0 : *m->s;
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
    if (len == PL_CAPTURE_POSITION || m->search.subject_end - m->s < len)
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
    bytes s = m->s, p = m->p, ep = m->ep, stop = m->search.subject_end;
    ptrdiff_t cost = ep - p, affordable = m->steps > cost ? m->steps / cost : 1;
    if (stop - s > affordable)
        stop = s + affordable;
    while (s < stop && fits(*s, p, ep))
        s++;
    m->steps -= (s - m->s) * cost;
    m->s = s;
    return s < stop || s == m->search.subject_end;
}

/* Takes all that fits, then chooses how much of it to keep, most first. */
static enum phase repeat(struct pl_pattern *m)
{
    if (*m->p == '.')
        m->s = m->search.subject_end;
    else if (!take(m))
        return REPEAT;
    return choose(
        m, (struct pl_choice){.kind = GREEDY, .at = m->s, .edge = m->item_from, .rest = m->ep + 1});
}

/* An item that is followed by what repeats it; `ep` is at that. */
static enum phase repeated(struct pl_pattern *m, bytes s, bytes p, bytes ep)
{
    if (*ep == '-')
        return choose(m, (struct pl_choice){.kind = LAZY, .at = s, .edge = p, .rest = ep + 1});
    bool fit = s < m->search.subject_end && fits(*s, p, ep);
    if (*ep == '?') {
        m->s = s + fit;
        m->p = ep + 1;
        if (!fit)
            return ITEM;
        return choose(m, (struct pl_choice){.kind = OPTIONAL, .at = s, .rest = ep + 1});
    }
    if (*ep == '+' && !fit)
        return BACK;
    m->item_from = *ep == '+' ? s + 1 : s;
    m->s = s + fit;
    m->ep = ep;
    return repeat(m);
}

/* What is not a single character. */
static enum phase special(struct pl_pattern *m)
{
    switch (m->p[0]) {
    case '(':
        return open_capture(m);
    case ')':
        return close_capture(m);
    default:
        break;
    }
    if (m->p[1] == 'b')
        return balance(m);
    return m->p[1] == 'f' ? frontier(m) : back_reference(m);
}

static inline bool is_special(bytes p)
{
    if (*p == '%')
        return p[1] == 'b' || p[1] == 'f' || is_digit(p[1]);
    return *p == '(' || *p == ')';
}

/* Matches single characters, as far as they are not repeated. */
static enum phase item(struct pl_pattern *m)
{
    bytes s = m->s, p = m->p;
    enum phase next = FOUND;
    while (p != m->search.pattern_end && !(*p == '$' && p + 1 == m->search.pattern_end)) {
        m->s = s;
        m->p = p;
        if (is_special(p))
            return special(m);
        bytes ep = item_end(p, m->search.pattern_end, &m->error);
        if (ep == NULL)
            return FAILED;
        m->steps -= ep - p;
        if (*ep == '*' || *ep == '+' || *ep == '?' || *ep == '-')
            return repeated(m, s, p, ep);
        if (s == m->search.subject_end || !fits(*s, p, ep))
            return BACK;
        s++;
        p = ep;
    }
    if (p != m->search.pattern_end && s != m->search.subject_end)
        next = BACK;
    m->s = s;
    return next;
}

/* --- the search ----------------------------------------------------------------------------------
 */

/* Moves `start` to where a match may begin, as far as the steps reach. */
static enum phase skip(struct pl_pattern *m)
{
    bytes at = m->start;
    if (m->search.literal) {
        size_t left = (size_t)(m->search.subject_end - at);
        at = left > 0 ? memchr(at, *m->search.first, left) : NULL;
        m->steps -= (at != NULL ? at - m->start : (ptrdiff_t)left) / 16;
    } else {
        ptrdiff_t cost = m->search.first_end - m->search.first;
        while (at < m->search.subject_end && m->steps > 0 &&
               !fits(*at, m->search.first, m->search.first_end)) {
            at++;
            m->steps -= cost;
        }
    }
    if (at == NULL || at == m->search.subject_end)
        return NONE;
    m->start = at;
    return m->steps > 0 ? TRY : SKIP;
}

static enum phase begin(struct pl_pattern *m)
{
    m->s = m->start;
    m->p = m->search.pattern;
    m->captures = 0;
    return ITEM;
}

/* Finds the single character that every match begins with, if the pattern says. Most places of a
 * subject are passed over by it alone. */
static void find_first(struct pl_search *search)
{
    bytes p = search->pattern;
    const char *error;
    search->first = NULL;
    if (*p == '(' && p[1] != ')')
        p++; /* a capture begins with it */
    if (search->anchored || p == search->pattern_end || is_special(p) || *p == '$')
        return;
    bytes ep = item_end(p, search->pattern_end, &error);
    if (ep == NULL || *ep == '*' || *ep == '?' || *ep == '-')
        return;
    search->first = p;
    search->first_end = ep;
    search->literal = *p != '[' && *p != '%' && *p != '.';
}

void pl_search_init(struct pl_search *search, const char *subject, size_t subject_len,
                    const char *pattern, size_t pattern_len, bool anchors)
{
    bytes nul = pattern_len > 0 ? memchr(pattern, '\0', pattern_len) : NULL;
    search->subject = (bytes)subject;
    search->subject_end = search->subject + subject_len;
    search->pattern = (bytes)pattern;
    search->pattern_end = nul != NULL ? nul : search->pattern + pattern_len;
    search->anchored = anchors && *pattern == '^';
    search->pattern += search->anchored;
    search->literal = false;
    find_first(search);
}

void pl_pattern_from(struct pl_pattern *m, const unsigned char *from)
{
    assert(from >= m->search.subject && from <= m->search.subject_end);
    m->start = from;
    m->checked = false;
    m->spent = 0;
    m->depth = 0;
    m->phase = m->search.literal ? SKIP : TRY;
}

static enum pl_pattern_result run(struct pl_pattern *m)
{
    enum phase phase = (enum phase)m->phase;
    do {
        m->steps--;
        switch (phase) {
        case SKIP:
            phase = skip(m);
            break;
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

enum pl_pattern_result pl_pattern_run(struct pl_pattern *m, int64_t steps)
{
    m->steps = steps;
    enum pl_pattern_result result = run(m);
    m->spent += steps - m->steps;
    return result;
}

bool pl_pattern_is_plain(const char *pattern, size_t len)
{
    static const bool special[256] = {
        ['^'] = true, ['$'] = true, ['*'] = true, ['+'] = true, ['?'] = true,
        ['.'] = true, ['('] = true, ['['] = true, ['%'] = true, ['-'] = true,
    };
    for (size_t i = 0; i < len; i++)
        if (special[(unsigned char)pattern[i]])
            return false;
    return true;
}
