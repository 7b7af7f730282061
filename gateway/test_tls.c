/* TLS towards clients: both protocols by ALPN, a certificate renewed without a restart. */
#include "test/fixture.h"
#include "tls.h"
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/gateway-tls-XXXXXX";

static void write_pem(const char *name, X509 *certificate, EVP_PKEY *key)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	if (certificate)
		PEM_write_X509(file, certificate);
	else
		PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL);
	fclose(file);
}

static void make_certificate(const char *name)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = X509_new();
	X509_NAME *subject = X509_get_subject_name(certificate);

	X509_set_version(certificate, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
	X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
	X509_set_pubkey(certificate, key);
	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1,
				   0);
	X509_set_issuer_name(certificate, subject);
	X509_sign(certificate, key, EVP_sha256());
	write_pem("tls.crt", certificate, NULL);
	write_pem("tls.key", NULL, key);
	X509_free(certificate);
	EVP_PKEY_free(key);
}

static void setup(void)
{
	snprintf(folder, sizeof(folder), "/tmp/gateway-tls-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	make_certificate("one");
	fixture_reset();
	fixture_gateway.http_tls_dir = folder;
	fixture_start();
}

static void teardown(void)
{
	char command[128];

	fixture_stop();
	snprintf(command, sizeof(command), "rm -r %s", folder);
	ck_assert_int_eq(system(command), 0);
}

static SSL *connect_tls(int fd, const unsigned char *protocols, unsigned length)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	SSL *tls;

	SSL_CTX_set_alpn_protos(context, protocols, length);
	tls = SSL_new(context);
	SSL_CTX_free(context);
	SSL_set_fd(tls, fd);
	if (SSL_connect(tls) == 1)
		return tls;
	SSL_free(tls);
	return NULL;
}

static size_t exchange(SSL *tls, const char *request, char *answer, size_t size)
{
	size_t used = 0;
	int n;

	ck_assert_int_eq(SSL_write(tls, request, (int)strlen(request)), (int)strlen(request));
	while ((n = SSL_read(tls, answer + used, (int)(size - used - 1))) > 0)
		used += (size_t)n;
	answer[used] = '\0';
	return used;
}

TEST(http_1_1_over_tls)
{
	int fd = fixture_connect(fixture_port);
	SSL *tls = connect_tls(fd, (const unsigned char *)"\x08http/1.1", 9);
	char answer[16384];

	ck_assert_ptr_nonnull(tls);
	exchange(tls,
		 "GET /v1/shelves/a/books/long HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
		 answer, sizeof(answer));
	ck_assert_ptr_nonnull(strstr(answer, "HTTP/1.1 200 OK"));
	ck_assert_ptr_nonnull(strstr(answer, "strict-transport-security: "));
	ck_assert_ptr_nonnull(strstr(answer, "\"etag\":\"\\\"7\\\"\"}"));
	SSL_free(tls);
	close(fd);
}

TEST(http_2_is_chosen_by_alpn)
{
	int fd = fixture_connect(fixture_port);
	SSL *tls = connect_tls(fd, (const unsigned char *)"\x08http/1.1\x02h2", 12);
	const unsigned char *chosen;
	unsigned length;
	char frame[9];

	ck_assert_ptr_nonnull(tls);
	SSL_get0_alpn_selected(tls, &chosen, &length);
	ck_assert(length == 2 && !memcmp(chosen, "h2", 2));
	ck_assert_int_eq(SSL_write(tls, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 33),
			 33);
	ck_assert_int_eq(SSL_read(tls, frame, 9), 9);
	ck_assert_int_eq(frame[3], 4); /* its SETTINGS */
	SSL_free(tls);
	close(fd);
}

TEST(a_client_that_speaks_neither_is_refused)
{
	int fd = fixture_connect(fixture_port);

	ck_assert_ptr_null(connect_tls(fd, (const unsigned char *)"\x04spdy", 5));
	close(fd);
	fd = fixture_connect(fixture_port);
	fixture_send(fd, "GET / HTTP/1.1\r\nHost: plain\r\n\r\n");
	ck_assert(fixture_closed(fd));
	close(fd);
}

TEST(a_new_certificate_takes_the_place_of_the_old_one)
{
	EVP_PKEY *other;
	char *error = NULL;
	SSL_CTX *context = tls_new(folder, &error), *old = context;

	ck_assert_ptr_nonnull(context);
	ck_assert_int_eq(tls_reload(&context, folder, &error), 0);
	make_certificate("two");
	ck_assert_int_eq(tls_reload(&context, folder, &error), 1);
	ck_assert_ptr_ne(context, old);
	other = EVP_EC_gen("P-256");
	write_pem("tls.key", NULL, other); /* of another certificate */
	EVP_PKEY_free(other);
	old = context;
	ck_assert_int_eq(tls_reload(&context, folder, &error), -1);
	ck_assert_ptr_eq(context, old);
	ck_assert_ptr_nonnull(strstr(error, "tls.key"));
	free(error);
	SSL_CTX_free(context);
}

TEST_MAIN("tls", setup, teardown)
