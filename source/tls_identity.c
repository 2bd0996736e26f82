/* Owns finding out what is wrong with certificates and private keys: the TLS libraries say no more than that something is. */

#include "io.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <limits.h>

/* Certificates are handed over in the order of the text; NULL at the end, or at one that cannot be read. */
static X509 *s_next_certificate(BIO *text) {
    return PEM_read_bio_X509(text, NULL, NULL, NULL);
}

static BIO *s_open(struct aws_byte_cursor text) {
    return text.len <= INT_MAX ? BIO_new_mem_buf(text.ptr, (int)text.len) : NULL;
}

static bool s_at_end(void) {
    unsigned long last = ERR_peek_last_error(); /* its type where libcrypto is OpenSSL; 32 bits in any case */
    uint32_t error = (uint32_t)last;
    return ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
}

/* The first of a text of certificates, all of which are readable; NULL if one is not or if there is none. */
static X509 *s_read_certificates(struct aws_byte_cursor text) {
    BIO *bio = s_open(text);
    if (!bio) {
        return NULL;
    }
    ERR_clear_error();
    X509 *first = s_next_certificate(bio);
    if (first) {
        X509 *next;
        while ((next = s_next_certificate(bio))) {
            X509_free(next);
        }
        if (!s_at_end()) {
            X509_free(first);
            first = NULL;
        }
    }
    ERR_clear_error();
    BIO_free(bio);
    return first;
}

/* Asked for only if the key is encrypted. libcrypto's own function would ask whoever sits at the terminal. */
/* NOLINTNEXTLINE(readability-non-const-parameter): the type is libcrypto's */
static int s_no_password(char *buffer, int size, int writing, void *asked) {
    (void)buffer;
    (void)size;
    (void)writing;
    *(bool *)asked = true;
    return -1;
}

static EVP_PKEY *s_read_key(struct aws_byte_cursor text, bool *encrypted) {
    *encrypted = false;
    BIO *bio = s_open(text);
    if (!bio) {
        return NULL;
    }
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, s_no_password, encrypted);
    ERR_clear_error();
    BIO_free(bio);
    return key;
}

/* Keys of different kinds are left to the TLS library: one kind may stand for another (RSA and RSA-PSS). */
static bool s_is_mismatch(X509 *certificate, EVP_PKEY *key, bool *same_kind) {
    ERR_clear_error();
    bool mismatch = X509_check_private_key(certificate, key) != 1;
    *same_kind = !mismatch || ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH;
    ERR_clear_error();
    return mismatch;
}

const char *
awscrt_tls_identity_fault(struct aws_byte_cursor certificate, struct aws_byte_cursor key, bool mismatch_only) {
    bool encrypted;
    X509 *first = s_read_certificates(certificate);
    EVP_PKEY *secret = s_read_key(key, &encrypted);
    const char *fault = NULL;
    if (first && secret) {
        bool same_kind;
        if (s_is_mismatch(first, secret, &same_kind) && (same_kind || !mismatch_only)) {
            fault = "the private key does not match the certificate";
        }
    } else if (mismatch_only) {
        fault = NULL;
    } else if (!first) {
        fault = "the certificate is not a PEM certificate";
    } else {
        fault = encrypted ? "the private key is encrypted; only one without a password can be used"
                          : "the private key is not a PEM private key";
    }
    X509_free(first);
    EVP_PKEY_free(secret);
    return fault;
}

const char *awscrt_tls_trust_fault(struct aws_byte_cursor certificates) {
    X509 *first = s_read_certificates(certificates);
    X509_free(first);
    return first ? NULL : "the certificates to trust (the CA) are not PEM certificates";
}
