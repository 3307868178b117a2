/* Secrets in what people read: log lines, audit rows, problem documents.
 *
 * The last line of defence, not the first: whoever has a secret does not log it. */
#ifndef PL_BASE_REDACT_H
#define PL_BASE_REDACT_H

#include <stdbool.h>
#include <stddef.h>

#define PL_REDACTED "[redacted]"

/* True when the value of a field of this name is a secret, whatever it looks like. */
bool pl_redact_key(const char *key, size_t len);

/* Finds the first secret in free text: a token of Parley (`prl_bot_...`), what follows `Bearer`,
 * the password of a URL, the secret half of a Telegram bot token. Returns its length and sets *at;
 * 0 when there is none. Linear in n. */
size_t pl_redact_find(const char *s, size_t n, size_t *at);

#endif
