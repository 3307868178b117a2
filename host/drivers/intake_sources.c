#include "drivers/intake_sources.h"

#include "base/buf.h"
#include "drivers/crypto.h"
#include "drivers/sql.h"

#include <stdlib.h>
#include <string.h>

struct source {
    struct pl_list link; /* in its bucket */
    char *secret;        /* NULL: it may not bring anything */
    size_t secret_len;
    uint32_t rows; /* that wait */
    char name[PL_INTAKE_NAME_MAX + 1];
};

static const struct pl_list *bucket_of(const struct pl_intake_sources *s, const char *name)
{
    return &s->buckets[pl_sql_hash(name, strlen(name)) & (PL_INTAKE_BUCKETS - 1)];
}

static struct source *find(const struct pl_intake_sources *s, const char *name)
{
    const struct pl_list *bucket = bucket_of(s, name);
    for (struct pl_list *pos = bucket->next; pos != bucket; pos = pos->next) {
        struct source *source = pl_container_of(pos, struct source, link);
        if (strcmp(source->name, name) == 0)
            return source;
    }
    return NULL;
}

static struct source *find_or_make(struct pl_intake_sources *s, const char *name)
{
    struct source *source = find(s, name);
    if (source != NULL)
        return source;
    source = pl_xcalloc(1, sizeof *source);
    strncpy(source->name, name, PL_INTAKE_NAME_MAX);
    pl_list_push((struct pl_list *)bucket_of(s, source->name), &source->link);
    return source;
}

static void free_source(struct source *source)
{
    pl_list_remove(&source->link);
    free(source->secret);
    free(source);
}

static void free_when_idle(struct source *source)
{
    if (source->secret == NULL && source->rows == 0)
        free_source(source);
}

void pl_intake_sources_init(struct pl_intake_sources *s)
{
    memset(s, 0, sizeof *s);
    for (int i = 0; i < PL_INTAKE_BUCKETS; i++)
        pl_list_init(&s->buckets[i]);
}

void pl_intake_sources_free(struct pl_intake_sources *s)
{
    for (int i = 0; i < PL_INTAKE_BUCKETS; i++)
        while (!pl_list_empty(&s->buckets[i]))
            free_source(pl_container_of(s->buckets[i].next, struct source, link));
}

void pl_intake_sources_set(struct pl_intake_sources *s, const char *name, const char *secret,
                           size_t len)
{
    struct source *source = find_or_make(s, name);
    free(source->secret);
    source->secret = secret != NULL ? pl_xmemdup(secret, len) : NULL;
    source->secret_len = len;
    free_when_idle(source);
}

bool pl_intake_sources_may(const struct pl_intake_sources *s, const char *name, const char *secret,
                           size_t len)
{
    const struct source *source = find(s, name);
    return source != NULL && source->secret != NULL && source->secret_len > 0 &&
           pl_equal(secret, len, source->secret, source->secret_len);
}

uint32_t pl_intake_sources_waiting(const struct pl_intake_sources *s, const char *name)
{
    const struct source *source = find(s, name);
    return source != NULL ? source->rows : 0;
}

void pl_intake_sources_enter(struct pl_intake_sources *s, const char *name, size_t bytes)
{
    find_or_make(s, name)->rows++;
    s->rows++;
    s->bytes += bytes;
}

void pl_intake_sources_leave(struct pl_intake_sources *s, const char *name, size_t bytes)
{
    struct source *source = find(s, name);
    source->rows--;
    s->rows--;
    s->bytes -= bytes;
    free_when_idle(source);
}
