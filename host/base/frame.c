#include "base/frame.h"

#include "base/err.h"

#include <string.h>

/* The first one stands for all that are not here. */
static const char *const codes[] = {
    "exception",    "cpu_limit",    "memory_limit",     "syntax",     "disabled",
    PL_E_TIMEOUT,   PL_E_CANCELLED, "invalid_response", PL_E_INVALID, PL_E_TOO_LARGE,
    PL_E_NOT_FOUND, PL_E_BUSY,      PL_E_PERMISSION,    PL_E_IO,      PL_E_NO_MEMORY,
};

#define CODES ((uint32_t)(sizeof codes / sizeof codes[0]))

uint32_t pl_frame_code_index(const char *code)
{
    for (uint32_t i = 0; i < CODES; i++)
        if (strcmp(codes[i], code) == 0)
            return i;
    return 0;
}

const char *pl_frame_code(uint32_t index)
{
    return index < CODES ? codes[index] : NULL;
}
