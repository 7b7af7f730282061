/* TLS towards clients: OpenSSL over a non-blocking socket, HTTP/2 by ALPN. */
#pragma once

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* tls.crt and tls.key of a folder; read again when they change. NULL with *error (malloc()ed). */
SSL_CTX *tls_new(const char *folder, char **error);
/* Whether the files changed and are good: the new context takes the place of *context. -1 with
 * *error: the old one stays. */
int tls_reload(SSL_CTX **context, const char *folder, char **error);

SSL *tls_open(SSL_CTX *context, int fd);
int tls_handshake(SSL *tls); /* 0: done; 1: waits for the client; -1: failed */
ssize_t tls_read(SSL *tls, char *bytes, size_t size);        /* 0: nothing now; -1: the end */
ssize_t tls_write(SSL *tls, const char *bytes, size_t size); /* 0: not now; -1: broken */
void tls_shutdown(SSL *tls);                                 /* says that no more will come */
void tls_close(SSL *tls);
bool tls_chose_http2(const SSL *tls);
