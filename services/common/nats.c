/* The bus: the connection to NATS and the streams. */
#include "nats_private.h"
#include <crpc/log.h>
#include <crpc/metrics.h>
#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct {
	natsConnection *connection;
	jsCtx *js;
	char *service;
	const char *prefix; /* "" or "test1" */
} nats;

static struct {
	const char *url, *ca_file, *prefix;
	size_t stream_bytes;
	int64_t stream_age_ms, replicas;
} options = { .prefix = "",
	      .ca_file = "",
	      .stream_bytes = 1 << 30,
	      .stream_age_ms = 30LL * 24 * 3600 * 1000,
	      .replicas = 1 };

enum {
	RECONNECT_MS = 500,
	ANSWER_WAIT_MS = 5000,
	SERVERS_MAX = 16,
	DEDUPE_MS = 120000,
	STREAMS_MAX = 64
};

void (*nats_before_close)(void);

bool nats_connected(void)
{
	return nats.connection &&
	       natsConnection_Status(nats.connection) == NATS_CONN_STATUS_CONNECTED;
}

const char *nats_service(void)
{
	return nats.service;
}

jsCtx *nats_js(void)
{
	return nats.js;
}

void nats_subject(const char *subject, char ret[NATS_SUBJECT_MAX])
{
	snprintf(ret, NATS_SUBJECT_MAX, "%s%s%s", nats.prefix, *nats.prefix ? "." : "", subject);
}

const char *nats_unprefixed(const char *subject)
{
	size_t length = strlen(nats.prefix);

	return length && !strncmp(subject, nats.prefix, length) && subject[length] == '.'
		       ? subject + length + 1
		       : subject;
}

void nats_stream_name(const char *domain, char ret[NATS_NAME_MAX])
{
	int length = snprintf(ret, NATS_NAME_MAX, "%s%s", nats.prefix, *nats.prefix ? "_" : "");

	for (; *domain && length < NATS_NAME_MAX - 1; domain++)
		ret[length++] = (char)toupper((unsigned char)*domain);
	ret[length] = 0;
}

/*
 * Streams
 */

static struct {
	pthread_mutex_t lock;
	char names[STREAMS_MAX][NATS_NAME_MAX];
	size_t n;
} ensured = { .lock = PTHREAD_MUTEX_INITIALIZER };

void nats_forget_streams(void)
{
	pthread_mutex_lock(&ensured.lock);
	ensured.n = 0;
	pthread_mutex_unlock(&ensured.lock);
}

static bool is_ensured(const char *name)
{
	bool found = false;

	pthread_mutex_lock(&ensured.lock);
	for (size_t i = 0; i < ensured.n && !found; i++)
		found = !strcmp(ensured.names[i], name);
	pthread_mutex_unlock(&ensured.lock);
	return found;
}

static void note_ensured(const char *name)
{
	pthread_mutex_lock(&ensured.lock);
	if (ensured.n < STREAMS_MAX)
		snprintf(ensured.names[ensured.n++], NATS_NAME_MAX, "%s", name);
	pthread_mutex_unlock(&ensured.lock);
}

/* A stream that exists with other limits is the operator's wish, and is left as it is. */
int nats_ensure_stream(const char *domain, const char **why)
{
	char name[NATS_NAME_MAX], pattern[128], subjects[2][NATS_SUBJECT_MAX];
	const char *list[2] = { subjects[0], subjects[1] };
	jsStreamInfo *info = NULL;
	jsStreamConfig config;
	jsErrCode code = 0;
	natsStatus status;

	nats_stream_name(domain, name);
	if (is_ensured(name))
		return 0;
	if (!nats.js) {
		*why = "The bus is not open.";
		return -EAGAIN;
	}
	jsStreamConfig_Init(&config);
	snprintf(pattern, sizeof(pattern), "souk.%s.>", domain);
	nats_subject(pattern, subjects[0]);
	nats_subject("souk.replay.>", subjects[1]);
	config.Name = name;
	config.Subjects = list;
	config.SubjectsLen = strcmp(domain, "dlq") ? 1 : 2;
	config.Storage = js_FileStorage;
	config.Retention = js_LimitsPolicy;
	config.Discard = js_DiscardOld;
	config.MaxBytes = (int64_t)options.stream_bytes;
	config.MaxAge = options.stream_age_ms * 1000000;
	config.Duplicates = DEDUPE_MS * 1000000LL;
	config.Replicas = options.replicas;
	status = js_GetStreamInfo(&info, nats.js, name, NULL, &code);
	if (status == NATS_NOT_FOUND) {
		status = js_AddStream(&info, nats.js, &config, NULL, &code);
		if (code == JSStreamNameExistErr)
			status = NATS_OK;
	}
	jsStreamInfo_Destroy(info);
	if (status != NATS_OK) {
		*why = code == JSStorageResourcesExceededErr || code == JSInsufficientResourcesErr
			       ? "JetStream has no room for a stream; see SOUK_NATS_STREAM_BYTES "
				 "and the server's max_file_store"
			       : natsStatus_GetText(status);
		return -EAGAIN;
	}
	note_ensured(name);
	return 0;
}

/*
 * Module
 */

static natsStatus set_servers(natsOptions *settings, const char *url)
{
	char *copy = strdup(url), *save;
	const char *servers[SERVERS_MAX];
	int n = 0;
	natsStatus status;

	for (char *server = strtok_r(copy, ",", &save); server && n < SERVERS_MAX;
	     server = strtok_r(NULL, ",", &save))
		servers[n++] = server;
	status = natsOptions_SetServers(settings, servers, n);
	free(copy);
	return status;
}

/*
 * The bus has no say in readiness: a service without it sells as before, its events wait in the
 * outbox, and a peer that heeds health would refuse the sale. It is the operator's to hear of.
 */
static void note_connected(bool connected)
{
	metric_set(metric_gauge("nats_connected", NULL,
				"1 while the message bus answers; without it events wait."),
		   connected);
}

static void on_connected(natsConnection *connection, void *closure)
{
	(void)connection;
	(void)closure;
	/* A server that comes back may have lost what was in memory only. */
	nats_forget_streams();
	note_connected(true);
	log_info(NULL, "the message bus answers");
}

static void on_disconnected(natsConnection *connection, void *closure)
{
	(void)closure;
	if (natsConnection_IsClosed(connection))
		return; /* we stop */
	note_connected(false);
	log_warning(NULL, "the message bus is away; events wait until it is back");
}

static natsStatus connect_bus(const char *url)
{
	natsOptions *settings = NULL;
	jsOptions js;
	natsStatus status = natsOptions_Create(&settings);

	if (status == NATS_OK)
		status = set_servers(settings, url);
	if (status == NATS_OK)
		status = natsOptions_SetName(settings, nats.service);
	if (status == NATS_OK && *options.ca_file)
		status = natsOptions_LoadCATrustedCertificates(settings, options.ca_file);
	if (status == NATS_OK)
		status = natsOptions_SetMaxReconnect(settings, -1);
	if (status == NATS_OK)
		status = natsOptions_SetReconnectWait(settings, RECONNECT_MS);
	if (status == NATS_OK)
		status = natsOptions_SetReconnectedCB(settings, on_connected, NULL);
	if (status == NATS_OK)
		status = natsOptions_SetDisconnectedCB(settings, on_disconnected, NULL);
	if (status == NATS_OK)
		status = natsOptions_SetFailRequestsOnDisconnect(settings, true);
	/* Services start in any order: the first connection is retried like the later ones. */
	if (status == NATS_OK)
		status = natsOptions_SetRetryOnFailedConnect(settings, true, on_connected, NULL);
	if (status == NATS_OK)
		status = natsConnection_Connect(&nats.connection, settings);
	note_connected(status == NATS_OK);
	if (status == NATS_NOT_YET_CONNECTED)
		status = NATS_OK;
	natsOptions_Destroy(settings);
	if (status != NATS_OK)
		return status;
	jsOptions_Init(&js);
	js.Wait = ANSWER_WAIT_MS;
	status = natsConnection_JetStream(&nats.js, nats.connection, &js);
	return status == NATS_OK ? nats_publish_open() : status;
}

int nats_open(const char *url, const char *service, const char *prefix, char **error)
{
	natsStatus status;

	nats.service = strdup(service);
	nats.prefix = prefix;
	status = connect_bus(url);
	if (status == NATS_OK)
		return 0;
	/* The URL holds a password and stays out of the sentence. */
	if (asprintf(error, "SOUK_NATS_URL cannot be used: %s", natsStatus_GetText(status)) < 0)
		abort();
	nats_close();
	return -EINVAL;
}

void nats_close(void)
{
	if (nats_before_close)
		nats_before_close();
	nats_publish_close();
	jsCtx_Destroy(nats.js);
	natsConnection_Destroy(nats.connection);
	free(nats.service);
	nats.js = NULL;
	nats.connection = NULL;
	nats.service = NULL;
	nats_forget_streams();
}

static int start(struct service *service, char **error)
{
	return nats_open(options.url, service_name(service), options.prefix, error);
}

static void stop(void)
{
	nats_close();
	nats_Close(); /* the library's own threads */
}

natsConnection *nats_connection(void)
{
	return nats.connection;
}

static const struct option option_table[] = {
	{ "NATS_URL", OPTION_SECRET, &options.url, NULL,
	  "the bus: nats://user:password@host:port, several separated by commas" },
	{ "NATS_CA_FILE", OPTION_STRING, &options.ca_file, "",
	  "certificates to trust for tls:// URLs" },
	{ "NATS_PREFIX", OPTION_STRING, &options.prefix, "",
	  "before all subjects and streams, so that tests share a server" },
	{ "NATS_STREAM_BYTES", OPTION_SIZE, &options.stream_bytes, "1GiB",
	  "of a stream that is made; the oldest events go first" },
	{ "NATS_STREAM_AGE", OPTION_DURATION, &options.stream_age_ms, "30d",
	  "how long a stream that is made keeps events" },
	{ "NATS_REPLICAS", OPTION_INTEGER, &options.replicas, "1",
	  "copies of a stream that is made", 1, 5 },
	{ 0 },
};

const struct service_module nats_module = {
	.name = "nats",
	.options = option_table,
	.start = start,
	.stop = stop,
};
