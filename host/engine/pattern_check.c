#include "engine/pattern.h"
#include "engine/pattern_item.h"

/* A pattern has no alternatives: which captures are open at a place follows from the pattern alone,
 * so that one walk along it finds all that a run may ever stumble over. */
struct walk {
    bytes end;
    int captures, choices;
    bool open[PL_PATTERN_CAPTURES];
    const char *error;
};

static bytes fail(struct walk *w, const char *error)
{
    w->error = error;
    return NULL;
}

static bytes after_open(struct walk *w, bytes p)
{
    if (w->captures == PL_PATTERN_CAPTURES)
        return fail(w, "too many captures");
    w->choices++;
    w->open[w->captures++] = p[1] != ')';
    return p + (p[1] == ')' ? 2 : 1);
}

static bytes after_close(struct walk *w, bytes p)
{
    int i = w->captures;
    while (--i >= 0 && !w->open[i])
        continue;
    if (i < 0)
        return fail(w, "invalid pattern capture");
    w->choices++;
    w->open[i] = false;
    return p + 1;
}

static bytes after_reference(struct walk *w, bytes p)
{
    int i = p[1] - '1';
    if (i < 0 || i >= w->captures || w->open[i])
        return fail(w, "invalid capture index");
    return p + 2;
}

static bytes after_item(struct walk *w, bytes p)
{
    if (*p == '(')
        return after_open(w, p);
    if (*p == ')')
        return after_close(w, p);
    if (*p == '%' && p[1] == 'b')
        return p + 3 < w->end ? p + 4 : fail(w, "unbalanced pattern");
    if (*p == '%' && p[1] == 'f')
        return p[2] == '[' ? item_end(p + 2, w->end, &w->error)
                           : fail(w, "missing '[' after '%f' in pattern");
    if (*p == '%' && is_digit(p[1]))
        return after_reference(w, p);
    p = item_end(p, w->end, &w->error);
    if (p == NULL || p == w->end)
        return p;
    if (*p != '*' && *p != '+' && *p != '?' && *p != '-')
        return p;
    w->choices++;
    return p + 1;
}

const char *pl_pattern_check(const struct pl_search *search)
{
    struct walk w = {.end = search->pattern_end};
    for (bytes p = search->pattern; p != w.end;)
        if ((p = after_item(&w, p)) == NULL)
            return w.error;
    if (w.choices > PL_PATTERN_DEPTH)
        return "pattern too complex";
    for (int i = 0; i < w.captures; i++)
        if (w.open[i])
            return "unfinished capture";
    return NULL;
}
