#include "base/decimal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t pl_decimal(int64_t n, char *out)
{
    char digits[PL_DECIMAL_MAX], *p = digits + sizeof digits;
    uint64_t rest = n < 0 ? -(uint64_t)n : (uint64_t)n;
    do {
        *--p = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest != 0);
    if (n < 0)
        *--p = '-';
    size_t len = (size_t)(digits + sizeof digits - p);
    memcpy(out, p, len);
    out[len] = '\0';
    return len;
}

/* Durations in milliseconds have three digits behind the point. A quotient of two exact numbers is
 * the double that is nearest to it, as is the one that its text is read back to. */
static size_t thousandths(double v, char *out)
{
    double n = nearbyint(fabs(v) * 1000);
    if (!(n < 1e12) || n / 1000 != fabs(v))
        return 0;
    size_t len = 0;
    if (v < 0)
        out[len++] = '-';
    uint64_t whole = (uint64_t)n / 1000, part = (uint64_t)n % 1000;
    len += pl_decimal((int64_t)whole, out + len);
    if (part != 0)
        out[len++] = '.';
    for (uint64_t unit = 100; part != 0; unit /= 10) {
        out[len++] = (char)('0' + part / unit);
        part %= unit;
    }
    out[len] = '\0';
    return len;
}

size_t pl_decimal_real(double v, char *out)
{
    size_t len = thousandths(v, out);
    for (int precision = 15; len == 0; precision++) {
        int n = snprintf(out, PL_DECIMAL_MAX, "%.*g", precision, v);
        if (precision == 17 || strtod(out, NULL) == v)
            len = (size_t)n;
    }
    return len;
}
