/* The peers behind the routes. */
#include "upstream.h"
#include "gateway.h"
#include "transcode.h"
#include <crpc/client.h>
#include <crpc/log.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct peer {
	struct peer *next;
	char domain[64];
	struct rpc_channel *channel; /* NULL: no address */
};

struct upstreams {
	const struct route *routes;
	size_t n_routes;
	struct peer *peers;
	struct rpc_client **clients; /* by route; shared by the routes of a service */
};

/* "souk.cart.v1.CartService": what stands before the version. */
static void domain_of(const struct rpc_service *service, char *ret, size_t size)
{
	const char *end = strrchr(service->name, '.'), *start;
	const char *version =
		end ? memrchr(service->name, '.', (size_t)(end - service->name)) : NULL;

	if (version && version[1] == 'v' && isdigit((unsigned char)version[2]))
		end = version;
	if (!end)
		end = service->name + strlen(service->name);
	start = memrchr(service->name, '.', (size_t)(end - service->name));
	start = start ? start + 1 : service->name;
	snprintf(ret, size, "%.*s", (int)(end - start), start);
}

static const char *address_of(const char *domain)
{
	char name[96] = "SOUK_PEER_";
	size_t length = strlen(name);

	for (; *domain && length < sizeof(name) - 1; domain++)
		name[length++] = (char)toupper((unsigned char)*domain);
	name[length] = '\0';
	return getenv(name);
}

static struct peer *find_peer(struct upstreams *upstreams, const struct gateway *gateway,
			      const char *domain, char **error)
{
	struct rpc_channel_options options = {
		.target = address_of(domain),
		.tls_dir = gateway->tls_dir && *gateway->tls_dir ? gateway->tls_dir : NULL,
		.authority = domain,
		.max_message_bytes = gateway->message_max,
		.health_check = true,
	};
	struct peer *peer;

	for (peer = upstreams->peers; peer; peer = peer->next)
		if (!strcmp(peer->domain, domain))
			return peer;
	peer = calloc(1, sizeof(*peer));
	if (!peer)
		return NULL;
	snprintf(peer->domain, sizeof(peer->domain), "%s", domain);
	if (options.target && *options.target) {
		peer->channel = rpc_channel_new(&options, error);
		if (!peer->channel) {
			free(peer);
			return NULL;
		}
		rpc_channel_ready(peer->channel, true);
	} else {
		log_warning(NULL, "a domain has no address: its routes will answer UNAVAILABLE",
			    { "domain", domain });
	}
	peer->next = upstreams->peers;
	upstreams->peers = peer;
	return peer;
}

struct upstreams *upstreams_new(const struct gateway *gateway, char **error)
{
	struct upstreams *upstreams = calloc(1, sizeof(*upstreams));
	char domain[64];

	*error = NULL;
	if (!upstreams)
		return NULL;
	upstreams->routes = gateway->routes;
	upstreams->n_routes = gateway->n_routes;
	upstreams->clients = calloc(gateway->n_routes + 1, sizeof(*upstreams->clients));
	for (size_t i = 0; upstreams->clients && i < gateway->n_routes; i++) {
		const struct rpc_service *service = gateway->routes[i].service;
		struct peer *peer;

		domain_of(service, domain, sizeof(domain));
		peer = find_peer(upstreams, gateway, domain, error);
		if (!peer)
			return upstreams_free(upstreams);
		for (size_t j = 0; j < i && !upstreams->clients[i]; j++)
			if (gateway->routes[j].service == service)
				upstreams->clients[i] = upstreams->clients[j];
		if (!upstreams->clients[i] && peer->channel)
			upstreams->clients[i] = rpc_client_new(peer->channel, service);
	}
	return upstreams;
}

struct upstreams *upstreams_free(struct upstreams *upstreams)
{
	struct peer *next;

	if (!upstreams)
		return NULL;
	for (size_t i = 0; upstreams->clients && i < upstreams->n_routes; i++) {
		struct rpc_client *client = upstreams->clients[i];

		if (!client)
			continue;
		for (size_t j = i; j < upstreams->n_routes; j++)
			if (upstreams->clients[j] == client)
				upstreams->clients[j] = NULL;
		rpc_client_free(client);
	}
	for (struct peer *peer = upstreams->peers; peer; peer = next) {
		next = peer->next;
		rpc_channel_free(peer->channel);
		free(peer);
	}
	free(upstreams->clients);
	free(upstreams);
	return NULL;
}

const char *upstreams_domain(const struct upstreams *upstreams, size_t i, bool *ready)
{
	const struct peer *peer = upstreams->peers;

	while (peer && i--)
		peer = peer->next;
	if (peer)
		/* Connects again what has been idle for long. */
		*ready = peer->channel && rpc_channel_ready(peer->channel, true);
	return peer ? peer->domain : NULL;
}

struct rpc_client *upstreams_client(const struct upstreams *upstreams, const struct route *route)
{
	return upstreams->clients[route - upstreams->routes];
}

static void answer_arrived(struct task *task)
{
	request_waited((void *)((char *)task - offsetof(struct request, arrived)), WAIT_CALL);
}

/* Within the turn's completions; the rest of the turn comes after them. */
static void call_done(void *data, struct rpc_call *call, int code, ProtobufCMessage *message)
{
	struct request *request = data;

	request->code = code;
	request->message = message;
	loop_post(&request->worker->loop, &request->arrived);
}

int upstream_missing(struct request *request)
{
	return rpc_fail_code(request->call, RPC_UNAVAILABLE,
			     "The service behind this path is not installed here.");
}

struct rpc_call *upstream_stream_call(struct request *request)
{
	const struct route *route = request->match.route;
	struct rpc_call *call = rpc_call_new(route->template, route->method->timeout_ms);

	rpc_call_set_completions(call, request->worker->completions);
	rpc_call_set_traceparent(call, rpc_traceparent(request->call));
	rpc_call_set_request_id(call, rpc_request_id(request->call));
	rpc_call_set_token(call, request->token);
	transcode_pass_headers(request, call);
	return call;
}

int upstream_start(struct request *request, const ProtobufCMessage *message)
{
	struct rpc_client *client =
		upstreams_client(request->worker->gateway->upstreams, request->match.route);

	if (!client)
		return upstream_missing(request);
	request->arrived = (struct task){ .run = answer_arrived };
	return rpc_client_start(client, request->match.route->method, request->call, message,
				call_done, request);
}

static int print_answer(void *data, struct rpc_call *call)
{
	struct request *request = data;

	return transcode_response(request, request->message);
}

void upstream_finish(struct request *request)
{
	if (request->code || rpc_call_run(request->call, print_answer, request))
		request_answer_error(request, 0);
	else
		request_answer(request);
}
