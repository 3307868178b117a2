#include "drivers/crypto.h"

#include "base/clock.h"

#include <crypt.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

void pl_crypto_stay(void)
{
    OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL);
}

/* OpenSSL's one-call functions look their algorithm up by name each time, which takes longer than
 * to hash a short text. These are looked up once for each thread, and live as long as the process.
 */
static _Thread_local EVP_MD_CTX *sha256;
static _Thread_local EVP_MAC_CTX *hmac_sha256;

/* An OpenSSL without SHA-256, or without memory: no hash is better than a wrong one. */
static void must_work(bool ok)
{
    if (!ok)
        abort();
}

void pl_sha256(const void *data, size_t len, unsigned char out[PL_SHA256_LEN])
{
    if (sha256 == NULL) {
        sha256 = EVP_MD_CTX_new();
        EVP_DigestInit_ex2(sha256, EVP_MD_fetch(NULL, "SHA256", NULL), NULL);
    }
    bool ok = EVP_DigestInit_ex2(sha256, NULL, NULL) == 1 &&
              EVP_DigestUpdate(sha256, data, len) == 1 &&
              EVP_DigestFinal_ex(sha256, out, NULL) == 1;
    must_work(ok);
}

void pl_hmac_sha256(const void *key, size_t key_len, const void *data, size_t len,
                    unsigned char out[PL_SHA256_LEN])
{
    size_t out_len;
    if (hmac_sha256 == NULL) {
        char digest[] = "SHA256";
        OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                               OSSL_PARAM_construct_end()};
        hmac_sha256 = EVP_MAC_CTX_new(EVP_MAC_fetch(NULL, "HMAC", NULL));
        EVP_MAC_CTX_set_params(hmac_sha256, params);
    }
    bool ok = EVP_MAC_init(hmac_sha256, key, key_len, NULL) == 1 &&
              EVP_MAC_update(hmac_sha256, data, len) == 1 &&
              EVP_MAC_final(hmac_sha256, out, &out_len, PL_SHA256_LEN) == 1;
    must_work(ok);
}

/* Rare enough to look the algorithm up each time. */
static EVP_CIPHER_CTX *gcm_start(bool seal, const unsigned char *key, const unsigned char *nonce,
                                 const void *extra, size_t extra_len)
{
    int done;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    bool ok = EVP_CipherInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, nonce, seal) == 1 &&
              EVP_CipherUpdate(ctx, NULL, &done, extra, (int)extra_len) == 1;
    must_work(ok);
    return ctx;
}

void pl_gcm_seal(const unsigned char key[PL_GCM_KEY], const unsigned char nonce[PL_GCM_NONCE],
                 const void *data, size_t len, const void *extra, size_t extra_len,
                 struct pl_buf *out)
{
    int done;
    EVP_CIPHER_CTX *ctx = gcm_start(true, key, nonce, extra, extra_len);
    pl_buf_reserve(out, len + PL_GCM_TAG);
    unsigned char *at = (unsigned char *)out->data + out->len;
    bool ok = EVP_CipherUpdate(ctx, at, &done, data, (int)len) == 1 &&
              EVP_CipherFinal_ex(ctx, at + len, &done) == 1 &&
              EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, PL_GCM_TAG, at + len) == 1;
    must_work(ok);
    out->len += len + PL_GCM_TAG;
    EVP_CIPHER_CTX_free(ctx);
}

int pl_gcm_open(const unsigned char key[PL_GCM_KEY], const unsigned char nonce[PL_GCM_NONCE],
                const void *data, size_t len, const void *extra, size_t extra_len,
                struct pl_buf *out)
{
    int done;
    unsigned char tag[PL_GCM_TAG];
    if (len < PL_GCM_TAG)
        return -1;
    len -= PL_GCM_TAG;
    memcpy(tag, (const char *)data + len, sizeof tag);
    EVP_CIPHER_CTX *ctx = gcm_start(false, key, nonce, extra, extra_len);
    pl_buf_reserve(out, len + 1);
    unsigned char *at = (unsigned char *)out->data + out->len;
    bool ok = EVP_CipherUpdate(ctx, at, &done, data, (int)len) == 1 &&
              EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, PL_GCM_TAG, tag) == 1;
    must_work(ok);
    bool same = EVP_CipherFinal_ex(ctx, at + len, &done) == 1;
    if (same)
        out->len += len;
    else
        explicit_bzero(at, len);
    EVP_CIPHER_CTX_free(ctx);
    return same ? 0 : -1;
}

void pl_sha1_hex(const void *data, size_t len, char *out)
{
    unsigned char hash[SHA_DIGEST_LENGTH];
    SHA1(data, len, hash);
    pl_hex(hash, sizeof hash, out);
}

void pl_random(void *out, size_t len)
{
    char *p = out;
    while (len > 0) {
        ssize_t n = getrandom(p, len, 0);
        if (n > 0) {
            p += n;
            len -= (size_t)n;
        }
    }
}

bool pl_equal(const void *a, size_t a_len, const void *b, size_t b_len)
{
    return a_len == b_len && CRYPTO_memcmp(a, b, a_len) == 0;
}

void pl_hex(const void *data, size_t len, char *out)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *p = data;
    for (size_t i = 0; i < len; i++) {
        out[2 * i] = digits[p[i] >> 4];
        out[2 * i + 1] = digits[p[i] & 15];
    }
    out[2 * len] = '\0';
}

/* Random bytes for identifiers come from a pool: one system call for 64 of them. */
static void id_random(unsigned char *out, size_t len)
{
    static _Thread_local unsigned char pool[512];
    static _Thread_local size_t left;
    if (left < len) {
        pl_random(pool, sizeof pool);
        left = sizeof pool;
    }
    left -= len;
    memcpy(out, pool + left, len);
}

void pl_trace_id(char *out)
{
    unsigned char raw[16];
    id_random(raw, sizeof raw);
    pl_hex(raw, sizeof raw, out);
}

static void uuid_text(const unsigned char *id, char *out)
{
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *out++ = '-';
        *out++ = "0123456789abcdef"[id[i] >> 4];
        *out++ = "0123456789abcdef"[id[i] & 15];
    }
    *out = '\0';
}

uint64_t pl_uuid7(char *out)
{
    static uint64_t last_ms;
    static uint16_t counter;
    unsigned char id[16];
    uint64_t ms = pl_wall_ms();
    id_random(id + 6, 10);
    if (ms > last_ms) {
        last_ms = ms;
        counter = (uint16_t)((id[6] << 8 | id[7]) & 0x7FF); /* room to grow in */
    } else if (++counter > 0xFFF) {
        counter = 0;
        last_ms++; /* the clock stands or ran back: the order is kept by running ahead of it */
    }
    for (int i = 0; i < 6; i++)
        id[i] = (unsigned char)(last_ms >> (8 * (5 - i)));
    id[6] = (unsigned char)(0x70 | counter >> 8);
    id[7] = (unsigned char)counter;
    id[8] = (unsigned char)((id[8] & 0x3F) | 0x80);
    uuid_text(id, out);
    return last_ms;
}

void pl_uuid7_derived(uint64_t ms, const void *data, size_t len, char *out)
{
    unsigned char id[16], hash[PL_SHA256_LEN];
    pl_sha256(data, len, hash);
    for (int i = 0; i < 6; i++)
        id[i] = (unsigned char)(ms >> (8 * (5 - i)));
    memcpy(id + 6, hash, 10);
    id[6] = (unsigned char)(0x70 | (id[6] & 0x0F));
    id[8] = (unsigned char)((id[8] & 0x3F) | 0x80);
    uuid_text(id, out);
}

/* --- base64
 * ------------------------------------------------------------------------------------------ */

static const char standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void pl_base64_put(struct pl_buf *out, const void *data, size_t len, bool url)
{
    const unsigned char *p = data;
    const char *digits = url ? url_safe : standard;
    for (size_t i = 0; i < len; i += 3) {
        size_t n = len - i < 3 ? len - i : 3;
        uint32_t v =
            (uint32_t)p[i] << 16 | (n > 1 ? (uint32_t)p[i + 1] << 8 : 0) | (n > 2 ? p[i + 2] : 0u);
        for (size_t k = 0; k < 4; k++) {
            if (k <= n)
                pl_buf_putc(out, digits[v >> (18 - 6 * k) & 63]);
            else if (!url)
                pl_buf_putc(out, '=');
        }
    }
}

int pl_base64_get(struct pl_buf *out, const char *text, size_t len, bool url)
{
    const char *digits = url ? url_safe : standard;
    if (!url) {
        if (len % 4 != 0)
            return -1;
        for (int pads = 0; pads < 2 && len > 0 && text[len - 1] == '='; pads++)
            len--;
    }
    if (len % 4 == 1)
        return -1;
    for (size_t i = 0; i < len; i += 4) {
        size_t n = len - i < 4 ? len - i : 4;
        uint32_t v = 0;
        for (size_t k = 0; k < 4; k++) {
            const char *d = k < n && text[i + k] != '\0' ? strchr(digits, text[i + k]) : NULL;
            if (k < n && d == NULL)
                return -1;
            v = v << 6 | (d != NULL ? (uint32_t)(d - digits) : 0);
        }
        if ((n == 2 && (v & 0xFFFF)) || (n == 3 && (v & 0xFF)))
            return -1; /* bits that no byte has */
        for (size_t k = 0; k + 1 < n; k++)
            pl_buf_putc(out, (char)(v >> (16 - 8 * k)));
    }
    return 0;
}

/* --- bcrypt
 * ------------------------------------------------------------------------------------------ */

int pl_bcrypt_hash(const char *secret, size_t len, int cost, char *out, struct pl_err *err)
{
    static const char op[] = "crypto.bcrypt";
    if (len > PL_BCRYPT_MAX || memchr(secret, '\0', len) != NULL)
        return pl_fail(err, PL_E_INVALID, false, op,
                       "a secret has at most %d bytes, none of them 0", PL_BCRYPT_MAX);
    char salt[16], setting[CRYPT_GENSALT_OUTPUT_SIZE];
    pl_random(salt, sizeof salt);
    if (crypt_gensalt_rn("$2b$", (unsigned long)cost, salt, sizeof salt, setting, sizeof setting) ==
        NULL)
        return pl_fail(err, PL_E_INVALID, false, op, "cost %d is not possible", cost);
    struct crypt_data data = {0};
    char *copy = pl_xmemdup(secret, len);
    const char *hash = crypt_r(copy, setting, &data);
    OPENSSL_cleanse(copy, len);
    free(copy);
    if (hash == NULL || hash[0] == '*')
        return pl_fail(err, PL_E_INVALID, false, op, "hashing failed");
    snprintf(out, 64, "%s", hash);
    return 0;
}

bool pl_bcrypt_check(const char *secret, size_t len, const char *hash)
{
    if (len > PL_BCRYPT_MAX || memchr(secret, '\0', len) != NULL)
        return false;
    struct crypt_data data = {0};
    char *copy = pl_xmemdup(secret, len);
    const char *got = crypt_r(copy, hash, &data);
    bool same = got != NULL && got[0] != '*' && pl_equal(got, strlen(got), hash, strlen(hash));
    OPENSSL_cleanse(copy, len);
    free(copy);
    return same;
}
