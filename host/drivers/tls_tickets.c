#include "drivers/tls_tickets.h"

#include "drivers/crypto.h"
#include "loop/watchdog.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/ssl.h>
#include <string.h>
#include <time.h>

/* A key serves for an hour, and opens what it has sealed for as long as a session lives. */
#define EPOCH_S    3600
#define EPOCHS_OLD (PL_TLS_SESSION_S / EPOCH_S)

struct keys {
    unsigned char name[16], cipher[PL_SHA256_LEN], mac[PL_SHA256_LEN];
};

static void derive(const char *purpose, uint64_t epoch, unsigned char out[PL_SHA256_LEN])
{
    char label[48];
    int n = snprintf(label, sizeof label, "tls ticket %s %llu", purpose, (unsigned long long)epoch);
    pl_hmac_sha256(pl_watchdog_secret(), PL_WATCHDOG_SECRET_LEN, label, (size_t)n, out);
}

static void make(struct keys *keys, uint64_t epoch)
{
    unsigned char name[PL_SHA256_LEN];
    derive("name", epoch, name);
    memcpy(keys->name, name, sizeof keys->name);
    derive("cipher", epoch, keys->cipher);
    derive("mac", epoch, keys->mac);
}

static int use(struct keys *keys, const unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac,
               bool seal)
{
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, keys->mac, sizeof keys->mac),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    return EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, keys->cipher, iv, seal) == 1 &&
           EVP_MAC_CTX_set_params(mac, params) == 1;
}

/* What OpenSSL asks for, SSL_CTX_set_tlsext_ticket_key_evp_cb(3): 1 it can be used, 2 and a new one
 * is to be issued, 0 it is unknown, -1 failure. */
static int on_ticket(SSL *ssl, unsigned char name[16], unsigned char *iv, EVP_CIPHER_CTX *cipher,
                     EVP_MAC_CTX *mac, int seal)
{
    (void)ssl;
    uint64_t epoch = (uint64_t)time(NULL) / EPOCH_S;
    struct keys keys;
    int result = 0;
    if (seal) {
        make(&keys, epoch);
        memcpy(name, keys.name, sizeof keys.name);
        pl_random(iv, (size_t)EVP_CIPHER_get_iv_length(EVP_aes_256_cbc()));
        result = use(&keys, iv, cipher, mac, true) ? 1 : -1;
    }
    for (uint64_t age = 0; !seal && age <= EPOCHS_OLD && result == 0; age++) {
        make(&keys, epoch - age);
        if (pl_equal(name, sizeof keys.name, keys.name, sizeof keys.name))
            result = !use(&keys, iv, cipher, mac, false) ? -1 : age == 0 ? 1 : 2;
    }
    OPENSSL_cleanse(&keys, sizeof keys);
    return result;
}

void pl_tls_tickets_use(SSL_CTX *ssl)
{
    static const unsigned char id[] = "parley";
    SSL_CTX_set_session_id_context(ssl, id, sizeof id - 1);
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF); /* tickets need none */
    SSL_CTX_set_timeout(ssl, PL_TLS_SESSION_S);
    SSL_CTX_set_tlsext_ticket_key_evp_cb(ssl, on_ticket);
}
