/* Hashes, random numbers, identifiers and their encodings, over OpenSSL and libxcrypt. */
#ifndef PL_DRIVERS_CRYPTO_H
#define PL_DRIVERS_CRYPTO_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PL_SHA256_LEN 32
#define PL_SHA1_HEX   40 /* text, without the NUL */
#define PL_UUID_LEN   36 /* text, without the NUL */
#define PL_BCRYPT_MAX 72 /* bcrypt ignores what follows: longer secrets are refused */
#define PL_GCM_KEY    32
#define PL_GCM_NONCE  12
#define PL_GCM_TAG    16

/* Has OpenSSL leave its memory to the kernel when the process ends: threads of the pool may still
 * be in it then, connecting to a database that nobody waits for any more. Before anything else uses
 * it. */
void pl_crypto_stay(void);

void pl_sha256(const void *data, size_t len, unsigned char out[PL_SHA256_LEN]);
void pl_hmac_sha256(const void *key, size_t key_len, const void *data, size_t len,
                    unsigned char out[PL_SHA256_LEN]);

/* What Redis calls a script by. SHA-1 is fit for names that nobody attacks, and for nothing else.
 * Writes PL_SHA1_HEX characters and a NUL. */
void pl_sha1_hex(const void *data, size_t len, char *out);

/* From the kernel. */
void pl_random(void *out, size_t len);

/* In time that depends on the lengths only. */
bool pl_equal(const void *a, size_t a_len, const void *b, size_t b_len);

/* UUID version 7 (RFC 9562 5.7), growing within this process even inside one millisecond: 12 bits
 * of counter behind the time. Writes PL_UUID_LEN characters and a NUL; returns the milliseconds in
 * it, which may be ahead of the clock. */
uint64_t pl_uuid7(char *out);

/* A new trace id (W3C Trace Context): 32 hex digits and a NUL. */
void pl_trace_id(char *out);

/* A UUID of version 7 whose random bits are the SHA-256 of `data`: the same every time, and ordered
 * by `ms` like the others. `out` holds PL_UUID_LEN + 1. */
void pl_uuid7_derived(uint64_t ms, const void *data, size_t len, char *out);

/* Lower-case hexadecimal; out holds 2 * len + 1. */
void pl_hex(const void *data, size_t len, char *out);

/* Base64 (RFC 4648), standard with padding or URL-safe without. Decoding is strict: no white space,
 * no stray bits, the padding that belongs there. Returns -1 when the text is not that. */
void pl_base64_put(struct pl_buf *out, const void *data, size_t len, bool url);
int pl_base64_get(struct pl_buf *out, const char *text, size_t len, bool url);

/* AES-256-GCM (NIST SP 800-38D): encrypts `len` bytes and appends them, then the tag of
 * PL_GCM_TAG bytes, to `out`. `extra` is not encrypted, but opening needs the same. A nonce is used
 * once for a key. Up to 2 GiB. */
void pl_gcm_seal(const unsigned char key[PL_GCM_KEY], const unsigned char nonce[PL_GCM_NONCE],
                 const void *data, size_t len, const void *extra, size_t extra_len,
                 struct pl_buf *out);

/* The other way round: -1 when the key, the nonce, `extra` or any bit of `data` is another one;
 * nothing is appended then. */
int pl_gcm_open(const unsigned char key[PL_GCM_KEY], const unsigned char nonce[PL_GCM_NONCE],
                const void *data, size_t len, const void *extra, size_t extra_len,
                struct pl_buf *out);

/* bcrypt ($2b$), for a thread of the pool: cost 10 takes 50 ms. `out` holds 64. */
int pl_bcrypt_hash(const char *secret, size_t len, int cost, char *out, struct pl_err *err);
bool pl_bcrypt_check(const char *secret, size_t len, const char *hash);

#endif
