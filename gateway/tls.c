/* TLS towards clients. */
#include "tls.h"
#include <limits.h>
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* A context carries when its certificate was last changed. */
static int stamp_index = -1;

static long stamp_of(const char *folder)
{
	static const char *const files[] = { "tls.crt", "tls.key" };
	char path[PATH_MAX];
	struct stat status;
	long stamp = 0;

	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, files[i]);
		if (!stat(path, &status))
			stamp = stamp * 31 + status.st_mtim.tv_sec * 1000 +
				status.st_mtim.tv_nsec / 1000000 + (long)status.st_ino;
	}
	return stamp;
}

/* In the order of our preference, whatever the client's. */
static int choose_protocol(SSL *tls, const unsigned char **ret, unsigned char *length,
			   const unsigned char *offered, unsigned int offered_length, void *data)
{
	static const unsigned char ours[] = "\x02h2\x08http/1.1";

	(void)tls;
	(void)data;
	if (SSL_select_next_proto((unsigned char **)ret, length, ours, sizeof(ours) - 1, offered,
				  offered_length) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	return SSL_TLSEXT_ERR_OK;
}

SSL_CTX *tls_new(const char *folder, char **error)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());
	char certificate[PATH_MAX], key[PATH_MAX];

	if (stamp_index < 0)
		stamp_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
	snprintf(certificate, sizeof(certificate), "%s/tls.crt", folder);
	snprintf(key, sizeof(key), "%s/tls.key", folder);
	if (!context || !SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) ||
	    /* What HTTP/2 admits of TLS 1.2 (RFC 9113, 9.2.2). */
	    !SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20") ||
	    SSL_CTX_use_certificate_chain_file(context, certificate) != 1 ||
	    SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_check_private_key(context) != 1) {
		char reason[256];

		ERR_error_string_n(ERR_peek_last_error(), reason, sizeof(reason));
		ERR_clear_error();
		if (asprintf(error, "cannot use %s and %s: %s", certificate, key, reason) < 0)
			*error = NULL;
		SSL_CTX_free(context);
		return NULL;
	}
	SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
					     SSL_OP_CIPHER_SERVER_PREFERENCE |
					     SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE |
					  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
					  SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_read_ahead(context, 1);
	SSL_CTX_set_alpn_select_cb(context, choose_protocol, NULL);
	SSL_CTX_set_ex_data(context, stamp_index, (void *)stamp_of(folder));
	return context;
}

int tls_reload(SSL_CTX **context, const char *folder, char **error)
{
	SSL_CTX *fresh;

	if ((long)SSL_CTX_get_ex_data(*context, stamp_index) == stamp_of(folder))
		return 0;
	fresh = tls_new(folder, error);
	if (!fresh)
		return -1;
	SSL_CTX_free(*context); /* connections that use it hold it */
	*context = fresh;
	return 1;
}

SSL *tls_open(SSL_CTX *context, int fd)
{
	SSL *tls = SSL_new(context);

	if (tls && SSL_set_fd(tls, fd) == 1) {
		SSL_set_accept_state(tls);
		return tls;
	}
	SSL_free(tls);
	return NULL;
}

/* OpenSSL keeps errors by thread: one left over would speak for the next connection. */
static int outcome(SSL *tls, int r)
{
	int reason = SSL_get_error(tls, r);

	ERR_clear_error();
	return reason == SSL_ERROR_WANT_READ || reason == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

int tls_handshake(SSL *tls)
{
	int r = SSL_do_handshake(tls);

	if (r == 1)
		return 0;
	return outcome(tls, r) ? -1 : 1;
}

ssize_t tls_read(SSL *tls, char *bytes, size_t size)
{
	int n = SSL_read(tls, bytes, size > INT_MAX ? INT_MAX : (int)size);

	return n > 0 ? n : outcome(tls, n);
}

ssize_t tls_write(SSL *tls, const char *bytes, size_t size)
{
	int n = SSL_write(tls, bytes, size > INT_MAX ? INT_MAX : (int)size);

	return n > 0 ? n : outcome(tls, n);
}

void tls_shutdown(SSL *tls)
{
	if (SSL_is_init_finished(tls))
		SSL_shutdown(tls);
	ERR_clear_error();
}

void tls_close(SSL *tls)
{
	SSL_free(tls);
	ERR_clear_error();
}

bool tls_chose_http2(const SSL *tls)
{
	const unsigned char *name;
	unsigned int length;

	SSL_get0_alpn_selected(tls, &name, &length);
	return length == 2 && name[0] == 'h' && name[1] == '2';
}
