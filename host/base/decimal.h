/* Numbers as decimal text, for JSON and for parameters of SQL: each message has a dozen, which
 * printf, with its formats, takes several times as long for. */
#ifndef PL_BASE_DECIMAL_H
#define PL_BASE_DECIMAL_H

#include <stddef.h>
#include <stdint.h>

#define PL_DECIMAL_MAX 32 /* bytes of the longest, with its NUL */

/* Writes the digits and a NUL; returns how many characters stand before that. */
size_t pl_decimal(int64_t n, char *out);

/* The same for a finite number: a text of at most 17 digits, 15 where they are enough,
 * that reads back the same. */
size_t pl_decimal_real(double v, char *out);

#endif
