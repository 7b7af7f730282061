/* The bus: the connection to NATS, streams, publishing. */
#include "errors.msg.h"
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
	ACK_WAIT_MS = 5000,
	PENDING_MAX = 1024,
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
 * Publishing
 */

/* One batch at a time is on its way; the callback finds it here. */
static struct {
	pthread_mutex_t one_at_a_time;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct rpc_event *const *events;
	bool *acked;
	size_t n, n_answered, next; /* acks come in order: look from `next` on */
	size_t n_awaited; /* so many wake who waits: one by one would cost a switch each */
} batch = { .one_at_a_time = PTHREAD_MUTEX_INITIALIZER,
	    .lock = PTHREAD_MUTEX_INITIALIZER,
	    .changed = PTHREAD_COND_INITIALIZER };

static void on_ack(jsCtx *js, natsMsg *message, jsPubAck *ack, jsPubAckErr *error, void *closure)
{
	const char *id = NULL;

	(void)js;
	(void)error;
	(void)closure;
	natsMsgHeader_Get(message, "Nats-Msg-Id", &id);
	pthread_mutex_lock(&batch.lock);
	for (size_t i = 0; id && i < batch.n; i++) {
		size_t at = (batch.next + i) % batch.n;

		if (strcmp(batch.events[at]->id, id))
			continue;
		batch.acked[at] = ack != NULL;
		batch.n_answered++;
		batch.next = at + 1;
		if (batch.n_answered == batch.n_awaited)
			pthread_cond_signal(&batch.changed);
		break;
	}
	pthread_mutex_unlock(&batch.lock);
	natsMsg_Destroy(message);
}

static int unavailable(struct rpc_call *call, const char *why)
{
	const char *bus = why ? rpc_printf(call, "message bus (%s)", why) : "message bus";
	int r = rpc_fail(call, DEPENDENCY_UNAVAILABLE, { "dependency", bus });

	rpc_retry_after(call, 1000);
	return r;
}

/* "souk.orders.v1.order.paid": "orders" */
static void domain_of(const char *subject, char ret[NATS_NAME_MAX])
{
	const char *start = strchr(subject, '.');

	start = start ? start + 1 : subject;
	snprintf(ret, NATS_NAME_MAX, "%.*s", (int)strcspn(start, "."), start);
}

static int send_batch(struct rpc_event *const *events, size_t n_events, size_t *n_sent,
		      const char **why)
{
	for (*n_sent = 0; *n_sent < n_events; ++*n_sent) {
		const struct rpc_event *event = events[*n_sent];
		char domain[NATS_NAME_MAX];
		natsMsg *message = NULL;
		jsPubOptions publish;
		natsStatus status;
		int r;

		domain_of(event->subject, domain);
		r = nats_ensure_stream(domain, why);
		if (!r)
			r = nats_event_write(event, &message);
		if (r)
			return r;
		jsPubOptions_Init(&publish);
		publish.MsgId = event->id;
		status = js_PublishMsgAsync(nats.js, &message, &publish);
		natsMsg_Destroy(message); /* NULL when the library has taken it */
		if (status != NATS_OK)
			return -EIO;
	}
	return 0;
}

static void wait_for_acks(size_t n_sent, int64_t timeout_ms)
{
	struct timespec until;
	int r = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += timeout_ms / 1000;
	until.tv_nsec += timeout_ms % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&batch.lock);
	batch.n_awaited = n_sent;
	while (batch.n_answered < n_sent && !r)
		r = pthread_cond_timedwait(&batch.changed, &batch.lock, &until);
	pthread_mutex_unlock(&batch.lock);
}

int nats_publish(struct rpc_call *call, struct rpc_event *const *events, size_t n_events,
		 size_t *n_ret)
{
	int64_t remaining = rpc_remaining_ms(call);
	bool *acked = rpc_alloc(call, n_events + 1);
	natsMsgList forgotten = { 0 };
	const char *why = NULL;
	size_t n_sent, n = 0;

	*n_ret = 0;
	if (!n_events)
		return 0;
	if (!nats_connected())
		return unavailable(call, NULL);
	pthread_mutex_lock(&batch.one_at_a_time);
	pthread_mutex_lock(&batch.lock);
	batch.events = events;
	batch.acked = acked;
	batch.n = n_events;
	batch.n_answered = batch.next = batch.n_awaited = 0;
	pthread_mutex_unlock(&batch.lock);

	send_batch(events, n_events, &n_sent, &why);
	wait_for_acks(n_sent, remaining < ACK_WAIT_MS ? remaining : ACK_WAIT_MS);

	pthread_mutex_lock(&batch.lock);
	batch.n = 0;
	pthread_mutex_unlock(&batch.lock);
	/* Acks that did not come in time are not waited for; the events go out again. The library crashes when nothing was ever sent. */
	if (n_sent && js_PublishAsyncGetPendingList(&forgotten, nats.js) == NATS_OK)
		natsMsgList_Destroy(&forgotten);
	pthread_mutex_unlock(&batch.one_at_a_time);

	while (n < n_events && acked[n])
		n++;
	*n_ret = n;
	if (n == n_events)
		return 0;
	nats_forget_streams();
	return unavailable(call, why);
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
	js.Wait = ACK_WAIT_MS;
	js.PublishAsync.MaxPending = PENDING_MAX;
	js.PublishAsync.AckHandler = on_ack;
	return natsConnection_JetStream(&nats.js, nats.connection, &js);
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
