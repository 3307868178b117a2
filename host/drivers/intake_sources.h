/* Who may bring something to the intake, and how much of each one's waits. Not for several threads
 * at once. */
#ifndef PL_DRIVERS_INTAKE_SOURCES_H
#define PL_DRIVERS_INTAKE_SOURCES_H

#include "base/list.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PL_INTAKE_NAME_MAX 64
#define PL_INTAKE_BUCKETS  1024

struct pl_intake_sources {
    struct pl_list buckets[PL_INTAKE_BUCKETS];
    uint64_t rows, bytes; /* that wait, of all */
};

void pl_intake_sources_init(struct pl_intake_sources *s);
void pl_intake_sources_free(struct pl_intake_sources *s);

/* secret NULL: it may not bring anything any more. */
void pl_intake_sources_set(struct pl_intake_sources *s, const char *name, const char *secret,
                           size_t len);

/* Whether it may, with this secret; compared in time that does not depend on where they differ. */
bool pl_intake_sources_may(const struct pl_intake_sources *s, const char *name, const char *secret,
                           size_t len);

uint32_t pl_intake_sources_waiting(const struct pl_intake_sources *s, const char *name);

/* One more row waits; one less. */
void pl_intake_sources_enter(struct pl_intake_sources *s, const char *name, size_t bytes);
void pl_intake_sources_leave(struct pl_intake_sources *s, const char *name, size_t bytes);

#endif
