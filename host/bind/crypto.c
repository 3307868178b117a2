/* host.crypto: hashes, random numbers, identifiers, encodings. */
#include "drivers/crypto.h"
#include "bind/bind.h"
#include "engine/engine.h"
#include "loop/work.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#define GCM_MAX (1024 * 1024) /* of what is sealed: on the loop's own thread */

/* sha256(s) -> 32 bytes */
static int crypto_sha256(lua_State *L)
{
    size_t len;
    const char *s = luaL_checklstring(L, 1, &len);
    unsigned char out[PL_SHA256_LEN];
    pl_sha256(s, len, out);
    lua_pushlstring(L, (char *)out, sizeof out);
    return 1;
}

/* hmac_sha256(key, s) -> 32 bytes */
static int crypto_hmac(lua_State *L)
{
    size_t key_len, len;
    const char *key = luaL_checklstring(L, 1, &key_len);
    const char *s = luaL_checklstring(L, 2, &len);
    unsigned char out[PL_SHA256_LEN];
    pl_hmac_sha256(key, key_len, s, len, out);
    lua_pushlstring(L, (char *)out, sizeof out);
    return 1;
}

/* random(n) -> n bytes from the kernel */
static int crypto_random(lua_State *L)
{
    int n = (int)luaL_checkinteger(L, 1);
    luaL_argcheck(L, n > 0 && n <= 4096, 1, "1 to 4096 bytes");
    char out[4096];
    pl_random(out, (size_t)n);
    lua_pushlstring(L, out, (size_t)n);
    return 1;
}

/* equal(a, b) -> boolean, in constant time */
static int crypto_equal(lua_State *L)
{
    size_t a_len, b_len;
    const char *a = luaL_checklstring(L, 1, &a_len);
    const char *b = luaL_checklstring(L, 2, &b_len);
    lua_pushboolean(L, pl_equal(a, a_len, b, b_len));
    return 1;
}

/* What both ways of AES-256-GCM take: key, nonce, text, extra (default ""). */
struct gcm_args {
    const unsigned char *key, *nonce;
    const char *text, *extra;
    size_t len, extra_len;
};

static void check_gcm(lua_State *L, struct gcm_args *a)
{
    size_t key_len, nonce_len;
    a->key = (const unsigned char *)luaL_checklstring(L, 1, &key_len);
    a->nonce = (const unsigned char *)luaL_checklstring(L, 2, &nonce_len);
    a->text = luaL_checklstring(L, 3, &a->len);
    a->extra = luaL_optlstring(L, 4, "", &a->extra_len);
    luaL_argcheck(L, key_len == PL_GCM_KEY, 1, "32 bytes expected");
    luaL_argcheck(L, nonce_len == PL_GCM_NONCE, 2, "12 bytes expected");
    luaL_argcheck(L, a->len <= GCM_MAX, 3, "at most 1 MiB");
    luaL_argcheck(L, a->extra_len <= GCM_MAX, 4, "at most 1 MiB");
}

static int push_and_wipe(lua_State *L, struct pl_buf *out)
{
    lua_pushlstring(L, out->len > 0 ? out->data : "", out->len);
    if (out->len > 0)
        explicit_bzero(out->data, out->len);
    pl_buf_free(out);
    return 1;
}

/* aes_gcm_seal(key, nonce, text[, extra]) -> what is encrypted, with its tag. A nonce is used once
 * for a key; opening needs the same `extra`, which is not in the result. */
static int crypto_aes_gcm_seal(lua_State *L)
{
    struct gcm_args a;
    struct pl_buf out = {0};
    check_gcm(L, &a);
    pl_gcm_seal(a.key, a.nonce, a.text, a.len, a.extra, a.extra_len, &out);
    return push_and_wipe(L, &out);
}

/* aes_gcm_open(key, nonce, sealed[, extra]) -> text | nil, err */
static int crypto_aes_gcm_open(lua_State *L)
{
    struct gcm_args a;
    struct pl_buf out = {0};
    check_gcm(L, &a);
    if (pl_gcm_open(a.key, a.nonce, a.text, a.len, a.extra, a.extra_len, &out) == 0)
        return push_and_wipe(L, &out);
    pl_buf_free(&out);
    struct pl_err err;
    pl_fail(&err, PL_E_INVALID, false, "crypto.aes_gcm_open",
            "it was sealed with another key, or has been changed since");
    return pl_lua_push_fail(L, &err);
}

static int crypto_uuid7(lua_State *L)
{
    char out[PL_UUID_LEN + 1];
    pl_uuid7(out);
    lua_pushlstring(L, out, PL_UUID_LEN);
    return 1;
}

/* timed_uuid7() -> a UUID of version 7, the milliseconds in it */
static int crypto_timed_uuid7(lua_State *L)
{
    char out[PL_UUID_LEN + 1];
    uint64_t ms = pl_uuid7(out);
    lua_pushlstring(L, out, PL_UUID_LEN);
    lua_pushnumber(L, (lua_Number)ms);
    return 2;
}

/* uuid7_derived(ms, text, ...) -> a UUID of version 7 that is the same for the same arguments */
static int crypto_uuid7_derived(lua_State *L)
{
    char out[PL_UUID_LEN + 1];
    size_t len;
    double ms = luaL_checknumber(L, 1);
    luaL_argcheck(L, ms >= 0 && ms < 281474976710656.0, 1, "milliseconds in 48 bits");
    struct pl_buf data = {0};
    for (int i = 2; i <= lua_gettop(L); i++) {
        const char *s = lua_tolstring(L, i, &len);
        if (s == NULL) {
            pl_buf_free(&data);
            return luaL_argerror(L, i, "text expected");
        }
        pl_buf_append(&data, s, len + 1); /* the NUL parts them */
    }
    pl_uuid7_derived((uint64_t)ms, data.data, data.len, out);
    pl_buf_free(&data);
    lua_pushlstring(L, out, PL_UUID_LEN);
    return 1;
}

/* trace_id() -> 32 hex digits */
static int crypto_trace_id(lua_State *L)
{
    char out[33];
    pl_trace_id(out);
    lua_pushlstring(L, out, 32);
    return 1;
}

/* hex(s) -> text */
static int crypto_hex(lua_State *L)
{
    size_t len;
    const char *s = luaL_checklstring(L, 1, &len);
    luaL_argcheck(L, len <= 4096, 1, "at most 4096 bytes");
    struct pl_buf out = {0};
    pl_buf_reserve(&out, 2 * len + 1);
    pl_hex(s, len, out.data);
    lua_pushlstring(L, out.data, 2 * len);
    pl_buf_free(&out);
    return 1;
}

static int encode(lua_State *L, bool url)
{
    size_t len;
    const char *s = luaL_checklstring(L, 1, &len);
    struct pl_buf out = {0};
    pl_base64_put(&out, s, len, url);
    lua_pushlstring(L, out.len > 0 ? out.data : "", out.len);
    pl_buf_free(&out);
    return 1;
}

static int decode(lua_State *L, bool url)
{
    size_t len;
    const char *s = luaL_checklstring(L, 1, &len);
    struct pl_buf out = {0};
    int rc = pl_base64_get(&out, s, len, url);
    if (rc == 0)
        lua_pushlstring(L, out.len > 0 ? out.data : "", out.len);
    pl_buf_free(&out);
    if (rc == 0)
        return 1;
    struct pl_err err;
    pl_fail(&err, PL_E_INVALID, false, "crypto.base64", "not valid base64");
    return pl_lua_push_fail(L, &err);
}

static int crypto_base64(lua_State *L)
{
    return encode(L, false);
}

static int crypto_base64url(lua_State *L)
{
    return encode(L, true);
}

static int crypto_unbase64(lua_State *L)
{
    return decode(L, false);
}

static int crypto_unbase64url(lua_State *L)
{
    return decode(L, true);
}

/* --- bcrypt, on the thread pool
 * -------------------------------------------------------------------- */

struct bcrypt_work {
    struct pl_work work;
    char *secret, *hash;
    size_t len;
    int cost;
    bool same;
    char out[64];
};

static void bcrypt_destroy(struct pl_op *op)
{
    struct bcrypt_work *b = pl_container_of(op, struct bcrypt_work, work.op);
    explicit_bzero(b->secret, b->len);
    free(b->secret);
    free(b->hash);
    free(b);
}

static const struct pl_op_class bcrypt_class = {pl_work_cancel, bcrypt_destroy};

static void run_hash(struct pl_work *w)
{
    struct bcrypt_work *b = pl_container_of(w, struct bcrypt_work, work);
    pl_bcrypt_hash(b->secret, b->len, b->cost, b->out, &w->err);
}

static void run_check(struct pl_work *w)
{
    struct bcrypt_work *b = pl_container_of(w, struct bcrypt_work, work);
    b->same = pl_bcrypt_check(b->secret, b->len, b->hash);
}

static int push_hash(lua_State *L, struct pl_op *op)
{
    if (op->err.code != NULL)
        return pl_lua_push_fail(L, &op->err);
    lua_pushstring(L, pl_container_of(op, struct bcrypt_work, work.op)->out);
    return 1;
}

static int push_check(lua_State *L, struct pl_op *op)
{
    if (op->err.code != NULL)
        return pl_lua_push_fail(L, &op->err);
    lua_pushboolean(L, pl_container_of(op, struct bcrypt_work, work.op)->same);
    return 1;
}

static int start_bcrypt(lua_State *L, const char *hash, int cost)
{
    size_t len;
    const char *secret = luaL_checklstring(L, 1, &len);
    struct bcrypt_work *b = pl_xcalloc(1, sizeof *b);
    b->secret = pl_xmemdup(secret, len);
    b->len = len;
    b->hash = hash != NULL ? pl_xstrdup(hash) : NULL;
    b->cost = cost;
    struct pl_task *task = pl_task_current();
    pl_work_start(&b->work, pl_task_loop(task), pl_task_owner(task), "crypto.bcrypt",
                  pl_task_deadline(task, 30000), hash != NULL ? run_check : run_hash,
                  &bcrypt_class);
    return pl_task_wait(L, &b->work.op, hash != NULL ? push_check : push_hash);
}

/* bcrypt_hash(secret[, cost = 10]) -> hash | nil, err. Waits. */
static int crypto_bcrypt_hash(lua_State *L)
{
    int cost = (int)luaL_optinteger(L, 2, 10);
    luaL_argcheck(L, cost >= 4 && cost <= 15, 2, "a cost from 4 to 15");
    return start_bcrypt(L, NULL, cost);
}

/* bcrypt_check(secret, hash) -> boolean | nil, err. Waits. */
static int crypto_bcrypt_check(lua_State *L)
{
    return start_bcrypt(L, luaL_checkstring(L, 2), 0);
}

int pl_bind_crypto(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"sha256", crypto_sha256},
        {"hmac_sha256", crypto_hmac},
        {"random", crypto_random},
        {"equal", crypto_equal},
        {"aes_gcm_seal", crypto_aes_gcm_seal},
        {"aes_gcm_open", crypto_aes_gcm_open},
        {"uuid7", crypto_uuid7},
        {"timed_uuid7", crypto_timed_uuid7},
        {"uuid7_derived", crypto_uuid7_derived},
        {"trace_id", crypto_trace_id},
        {"hex", crypto_hex},
        {"base64", crypto_base64},
        {"base64url", crypto_base64url},
        {"unbase64", crypto_unbase64},
        {"unbase64url", crypto_unbase64url},
        {"bcrypt_hash", crypto_bcrypt_hash},
        {"bcrypt_check", crypto_bcrypt_check},
        {NULL, NULL},
    };
    lua_newtable(L);
    luaL_register(L, NULL, functions);
    return 1;
}
