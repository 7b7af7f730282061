/* Mutual TLS: credentials from a folder of files that may change, and who the peer is. */
#include "tls.h"
#include <crpc/log.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { REFRESH_SECONDS = 1 };

/*
 * A provider has a thread that looks at the files; server and channels of a process use the same
 * folder, and share one. It stays until the process ends, as the folder does.
 */
struct provider {
	struct provider *next;
	char *dir;
	grpc_tls_certificate_provider *core;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct provider *providers;

static char *join(const char *dir, const char *name)
{
	char *path;

	if (asprintf(&path, "%s/%s", dir, name) < 0)
		abort();
	return path;
}

/* The core only logs what it cannot read and goes on without. */
static int check_files(const char *dir, char **error)
{
	static const char *const names[] = { "tls.crt", "tls.key", "ca.crt" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char *path = join(dir, names[i]);
		int r = access(path, R_OK) ? -errno : 0;

		if (r && asprintf(error, "cannot read the certificate file %s: %s", path,
				  log_errno(r)) < 0)
			abort();
		free(path);
		if (r)
			return r;
	}
	return 0;
}

static grpc_tls_certificate_provider *provider_new(const char *dir)
{
	char *certificate = join(dir, "tls.crt"), *key = join(dir, "tls.key"),
	     *authority = join(dir, "ca.crt");
	grpc_tls_certificate_provider *core = grpc_tls_certificate_provider_file_watcher_create(
		key, certificate, authority, REFRESH_SECONDS);

	free(certificate);
	free(key);
	free(authority);
	return core;
}

static grpc_tls_certificate_provider *find_provider(const char *dir)
{
	grpc_tls_certificate_provider *core = NULL;
	struct provider *provider;

	pthread_mutex_lock(&lock);
	for (provider = providers; provider && !core; provider = provider->next)
		if (!strcmp(provider->dir, dir))
			core = provider->core;
	if (!core) {
		provider = calloc(1, sizeof(*provider));
		if (!provider)
			abort();
		core = provider_new(dir);
		*provider = (struct provider){ providers, strdup(dir), core };
		providers = provider;
	}
	pthread_mutex_unlock(&lock);
	return core;
}

static grpc_tls_credentials_options *options_new(const char *dir)
{
	grpc_tls_credentials_options *options = grpc_tls_credentials_options_create();

	grpc_tls_credentials_options_set_certificate_provider(options, find_provider(dir));
	grpc_tls_credentials_options_watch_root_certs(options);
	grpc_tls_credentials_options_watch_identity_key_cert_pairs(options);
	return options;
}

grpc_server_credentials *tls_server_credentials(const char *dir, char **error)
{
	grpc_tls_credentials_options *options;

	if (!dir)
		return grpc_insecure_server_credentials_create();
	if (check_files(dir, error))
		return NULL;
	options = options_new(dir);
	grpc_tls_credentials_options_set_cert_request_type(
		options, GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
	return grpc_tls_server_credentials_create(options);
}

grpc_channel_credentials *tls_channel_credentials(const char *dir, char **error)
{
	grpc_tls_credentials_options *options;

	if (!dir)
		return grpc_insecure_credentials_create();
	if (check_files(dir, error))
		return NULL;
	options = options_new(dir); /* the server's name is checked by default */
	grpc_tls_credentials_options_set_verify_server_cert(options, 1);
	return grpc_tls_credentials_create(options);
}

const char *tls_peer_service(struct arena *arena, grpc_call *call)
{
	static const char SCHEME[] = "spiffe://";
	grpc_auth_context *context = grpc_call_auth_context(call);
	grpc_auth_property_iterator iterator;
	const grpc_auth_property *property;
	const char *service = "";

	if (!context)
		return service;
	iterator = grpc_auth_context_find_properties_by_name(context,
							     GRPC_PEER_SPIFFE_ID_PROPERTY_NAME);
	property = grpc_auth_property_iterator_next(&iterator);
	if (property && !strncmp(property->value, SCHEME, sizeof(SCHEME) - 1)) {
		const char *path = strchr(property->value + sizeof(SCHEME) - 1, '/');

		/* One segment is the service; anything longer is no name of ours. */
		if (path && path[1] && !strchr(path + 1, '/'))
			service = arena_strndup(arena, path + 1, strlen(path + 1));
	}
	grpc_auth_context_release(context);
	return service;
}
