/* Channels: where a peer is, how to reach it, and what to do when it does not answer. */
#include "channel_private.h"
#include "tls.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	KEEPALIVE_MS = 30 * 1000,
	RECONNECT_FIRST_MS = 100,
	RECONNECT_MAX_MS = 2000,
	CONNECT_TIMEOUT_MS = 5000,
	METADATA_MAX = 16 * 1024,
	MESSAGE_MAX = 16 * 1024 * 1024,
};

static char *copy(const char *text)
{
	char *result = text ? strdup(text) : NULL;

	if (text && !result)
		abort();
	return result;
}

struct rpc_channel *channel_ref(struct rpc_channel *channel)
{
	pthread_mutex_lock(&channel->lock);
	channel->references++;
	pthread_mutex_unlock(&channel->lock);
	return channel;
}

struct rpc_channel *rpc_channel_free(struct rpc_channel *channel)
{
	int left;

	if (!channel)
		return NULL;
	pthread_mutex_lock(&channel->lock);
	left = --channel->references;
	pthread_mutex_unlock(&channel->lock);
	if (left)
		return NULL; /* the last client frees it */
	if (channel->first && !channel->first_is_clients)
		grpc_channel_destroy(channel->first);
	grpc_channel_credentials_release(channel->credentials);
	breaker_deinit(&channel->breaker);
	pthread_mutex_destroy(&channel->lock);
	free((char *)channel->options.target);
	free((char *)channel->options.authority);
	free((char *)channel->options.tls_dir);
	free(channel);
	core_unref();
	return NULL;
}

/*
 * The service config, JSON. Retries only where the schema says that a repeat does no harm, and only
 * while at least half of the calls succeed: retryThrottling stops a storm on a peer that is down.
 * Attempts wait 50 ms, 100 ms at most at random.
 */
static char *service_config(const struct rpc_channel *channel, const struct rpc_service *service)
{
	size_t size, n = 0;
	char *json;
	FILE *out = open_memstream(&json, &size);

	if (!out)
		abort();
	fputs("{\"loadBalancingConfig\":[{\"round_robin\":{}}]", out);
	if (channel->options.health_check)
		fputs(",\"healthCheckConfig\":{\"serviceName\":\"\"}", out);
	for (size_t i = 0; service && i < service->n_methods; i++) {
		const struct rpc_method *method = &service->methods[i];

		if (method->idempotency == RPC_NOT_IDEMPOTENT || method->client_streaming)
			continue;
		fputs(n++ ? ","
			  : ",\"retryThrottling\":{\"maxTokens\":10,\"tokenRatio\":0.1},"
			    "\"methodConfig\":[{\"name\":[",
		      out);
		fprintf(out, "{\"service\":\"%s\",\"method\":\"%s\"}", service->name, method->name);
	}
	if (n)
		fputs("],\"retryPolicy\":{\"maxAttempts\":3,\"initialBackoff\":\"0.05s\","
		      "\"maxBackoff\":\"0.5s\","
		      "\"backoffMultiplier\":2,\"retryableStatusCodes\":[\"UNAVAILABLE\"]}}]",
		      out);
	fputs("}", out);
	if (fclose(out))
		abort();
	return json;
}

static grpc_arg integer(const char *key, int64_t value)
{
	return (grpc_arg){ GRPC_ARG_INTEGER,
			   (char *)key,
			   { .integer = value > INT32_MAX ? INT32_MAX : (int)value } };
}

static grpc_arg string(const char *key, const char *value)
{
	return (grpc_arg){ GRPC_ARG_STRING, (char *)key, { .string = (char *)value } };
}

grpc_channel *channel_core_new(struct rpc_channel *channel, const struct rpc_service *service)
{
	char *config = service_config(channel, service);
	grpc_channel *core;
	grpc_arg list[20];
	grpc_channel_args args = { 0, list };

	list[args.num_args++] = string(GRPC_ARG_SERVICE_CONFIG, config);
	list[args.num_args++] = integer(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION,
					1); /* ours, not a DNS record's */
	list[args.num_args++] = integer(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH,
					(int64_t)channel->options.max_message_bytes);
	list[args.num_args++] = integer(GRPC_ARG_MAX_METADATA_SIZE, METADATA_MAX);
	list[args.num_args++] =
		integer(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0); /* payload.c does */
	list[args.num_args++] = integer(GRPC_ARG_KEEPALIVE_TIME_MS, channel->options.keepalive_ms);
	list[args.num_args++] =
		integer(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, channel->options.keepalive_ms / 3);
	list[args.num_args++] = integer(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
	list[args.num_args++] = integer(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
	list[args.num_args++] = integer(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, RECONNECT_FIRST_MS);
	list[args.num_args++] = integer(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, CONNECT_TIMEOUT_MS);
	list[args.num_args++] = integer(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, RECONNECT_MAX_MS);
	list[args.num_args++] =
		integer(GRPC_ARG_DNS_MIN_TIME_BETWEEN_RESOLUTIONS_MS, RECONNECT_MAX_MS);
	list[args.num_args++] = integer(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
	list[args.num_args++] = integer(GRPC_ARG_ENABLE_CHANNELZ, channel->options.channelz);
	if (channel->options.authority) {
		list[args.num_args++] =
			string(GRPC_ARG_DEFAULT_AUTHORITY, channel->options.authority);
		if (channel->options.tls_dir)
			list[args.num_args++] = string(GRPC_SSL_TARGET_NAME_OVERRIDE_ARG,
						       channel->options.authority);
	}
	core = grpc_channel_create(channel->options.target, channel->credentials, &args);
	free(config);
	return core;
}

/* Of a target that it does not understand the core makes a channel that has failed from the start.
 */
static bool target_is_good(struct rpc_channel *channel)
{
	grpc_channel *core = channel_core_new(channel, NULL);
	bool good = grpc_channel_check_connectivity_state(core, 0) == GRPC_CHANNEL_IDLE;

	grpc_channel_destroy(core);
	return good;
}

struct rpc_channel *rpc_channel_new(const struct rpc_channel_options *options, char **error)
{
	struct rpc_channel *channel = calloc(1, sizeof(*channel));

	if (!channel)
		abort();
	core_ref();
	channel->credentials = tls_channel_credentials(options->tls_dir, error);
	if (!channel->credentials) {
		free(channel);
		core_unref();
		return NULL;
	}
	channel->options = *options;
	channel->options.target = copy(options->target);
	channel->options.authority = copy(options->authority);
	channel->options.tls_dir = copy(options->tls_dir);
	if (!channel->options.keepalive_ms)
		channel->options.keepalive_ms = KEEPALIVE_MS;
	if (!channel->options.max_message_bytes)
		channel->options.max_message_bytes = MESSAGE_MAX;
	channel->peer =
		channel->options.authority ? channel->options.authority : channel->options.target;
	channel->references = 1;
	breaker_init(&channel->breaker, channel->peer);
	pthread_mutex_init(&channel->lock, NULL);
	if (!target_is_good(channel)) {
		if (asprintf(error,
			     "the target '%s' is no address; it may be such as dns:///cart:7003",
			     channel->options.target) < 0)
			abort();
		return rpc_channel_free(channel);
	}
	return channel;
}

void channel_know(struct rpc_channel *channel, grpc_channel *core)
{
	pthread_mutex_lock(&channel->lock);
	if (!channel->first) {
		channel->first = core;
		channel->first_is_clients = true;
	}
	pthread_mutex_unlock(&channel->lock);
}

void channel_forget(struct rpc_channel *channel, grpc_channel *core)
{
	pthread_mutex_lock(&channel->lock);
	if (channel->first == core) {
		channel->first = NULL;
		channel->first_is_clients = false;
	}
	grpc_channel_destroy(core); /* under the lock: rpc_channel_ready() may be asking it */
	pthread_mutex_unlock(&channel->lock);
}

bool rpc_channel_ready(struct rpc_channel *channel, bool connect)
{
	bool ready;

	pthread_mutex_lock(&channel->lock);
	if (!channel->first)
		channel->first = channel_core_new(channel, NULL);
	ready = grpc_channel_check_connectivity_state(channel->first, connect) ==
		GRPC_CHANNEL_READY;
	pthread_mutex_unlock(&channel->lock);
	return ready;
}
