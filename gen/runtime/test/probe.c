/* A service that answers in every way that a method can, its server and a client, for tests. */
#include "probe.h"
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int wait_open(struct probe_service *self)
{
	pthread_mutex_lock(&self->lock);
	while (!self->open)
		pthread_cond_wait(&self->changed, &self->lock);
	pthread_mutex_unlock(&self->lock);
	return 0;
}

static int wait_cancel(struct probe_service *self, struct rpc_call *call)
{
	while (!rpc_call_cancelled(call))
		usleep(1000);
	pthread_mutex_lock(&self->lock);
	self->cancelled++;
	pthread_cond_broadcast(&self->changed);
	pthread_mutex_unlock(&self->lock);
	return rpc_fail_code(call, RPC_CANCELLED, "The caller has gone.");
}

static int call_peer(struct probe_service *self, struct rpc_call *call, ProbeResponse *response)
{
	ProbeResponse *peers;
	int r = probe_client_probe(self->peer, call,
				   MSG(ProbeRequest, .action = PROBE_REQUEST_ACTION_AWAIT_CANCEL),
				   &peers);

	if (r)
		return r;
	response->text = peers->text;
	return 0;
}

static int tell_remaining(struct probe_service *self, struct rpc_call *call,
			  const ProbeRequest *req, ProbeResponse *response)
{
	ProbeResponse *peers;
	int r;

	response->text = rpc_printf(call, "%d", (int)rpc_remaining_ms(call));
	if (req->number) /* we are the peer */
		return 0;
	r = probe_client_probe(
		self->peer, call,
		MSG(ProbeRequest, .action = PROBE_REQUEST_ACTION_REMAINING, .number = 1), &peers);
	if (!r)
		response->text = rpc_printf(call, "%s %s", response->text, peers->text);
	return r;
}

static const char *who(struct rpc_call *call)
{
	const struct rpc_caller *caller = rpc_caller(call);

	return rpc_printf(call, "user=%s guest=%d service=%s", caller->user, caller->guest,
			  caller->service);
}

static int act(struct probe_service *self, struct rpc_call *call, const ProbeRequest *req,
	       ProbeResponse *response)
{
	const char *header;

	response->text = req->text;
	switch (req->action) {
	case PROBE_REQUEST_ACTION_FAIL:
		return rpc_fail(call, PROBE_FAILED, { "text", req->text }, { "extra", "more" });
	case PROBE_REQUEST_ACTION_BREAK:
		return (int)req->number;
	case PROBE_REQUEST_ACTION_ALLOCATE:
		rpc_alloc(call, (size_t)req->number);
		return 0;
	case PROBE_REQUEST_ACTION_BLOCK:
		return wait_open(self);
	case PROBE_REQUEST_ACTION_AWAIT_CANCEL:
		return wait_cancel(self, call);
	case PROBE_REQUEST_ACTION_CALL_PEER:
		return call_peer(self, call, response);
	case PROBE_REQUEST_ACTION_METADATA:
		header = rpc_header(call, "x-probe");
		response->text = header ? header : "(none)";
		rpc_set_header(call, "x-answer", "header");
		rpc_set_trailer(call, "x-end", "trailer");
		rpc_set_header_bin(call, "x-header-bin", rpc_header_bin(call, "x-probe-bin"));
		rpc_set_trailer_bin(call, "x-trailer-bin", rpc_header_bin(call, "x-probe-bin"));
		rpc_set_trailer(call, "x-illegal", "line\nbreak");
		return 0;
	case PROBE_REQUEST_ACTION_WHO:
		response->text = who(call);
		return 0;
	case PROBE_REQUEST_ACTION_TRACE:
		response->text =
			rpc_printf(call, "%s %s", rpc_traceparent(call), rpc_request_id(call));
		return 0;
	case PROBE_REQUEST_ACTION_UNAVAILABLE:
		if (response->calls < req->number) {
			rpc_fail(call, PROBE_UNAVAILABLE);
			rpc_retry_after(call, 1500);
			if (*req->text)
				rpc_set_trailer(call, "grpc-retry-pushback-ms", req->text);
			return RPC_UNAVAILABLE;
		}
		return 0;
	case PROBE_REQUEST_ACTION_REMAINING:
		return tell_remaining(self, call, req, response);
	default:
		return 0;
	}
}

static int probe(struct probe_service *self, struct rpc_call *call, const ProbeRequest *req,
		 ProbeResponse **ret)
{
	ProbeResponse *response = rpc_new(call, ProbeResponse);
	int r;

	pthread_mutex_lock(&self->lock);
	response->calls = ++self->calls;
	if (++self->running > self->most)
		self->most = self->running;
	pthread_cond_broadcast(&self->changed);
	pthread_mutex_unlock(&self->lock);

	r = act(self, call, req, response);

	pthread_mutex_lock(&self->lock);
	self->running--;
	pthread_cond_broadcast(&self->changed);
	pthread_mutex_unlock(&self->lock);
	if (!r)
		*ret = response;
	return r;
}

static int for_friend(struct probe_service *self, struct rpc_call *call, const ProbeRequest *req,
		      Empty **ret)
{
	return 0;
}

static int count_to(struct probe_service *self, struct rpc_call *call, const CountRequest *req,
		    struct number_writer *out)
{
	const int32_t large = req->large_padding ? req->large_padding : req->padding;
	uint8_t *padding =
		rpc_alloc(call, (size_t)(large > req->padding ? large : req->padding) + 1);

	for (int64_t i = 1; !req->last || i <= req->last; i++) {
		size_t size = (size_t)(i % 7 ? req->padding : large);
		int r;

		if (i == req->fail_at)
			return rpc_fail(call, PROBE_FAILED, { "text", "count" });
		memset(padding, (int)i, size);
		r = number_writer_send(out, MSG(Number, .value = i, .padding = { size, padding }));
		pthread_mutex_lock(&self->lock);
		self->calls++;
		self->cancelled += r == RPC_CANCELLED;
		pthread_cond_broadcast(&self->changed);
		pthread_mutex_unlock(&self->lock);
		if (r)
			return r;
		while (i == req->wait_after && !rpc_call_cancelled(call))
			nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
	return 0;
}

static int read_no_more(struct probe_service *self, struct rpc_call *call)
{
	pthread_mutex_lock(&self->lock);
	self->running++;
	pthread_cond_broadcast(&self->changed);
	pthread_mutex_unlock(&self->lock);
	return wait_cancel(self, call);
}

static int sum(struct probe_service *self, struct rpc_call *call, struct number_reader *in,
	       Number **ret)
{
	Number *number;
	int64_t total = 0;
	int r;

	while (!(r = number_reader_next(in, &number))) {
		if (number->value == INT64_MIN)
			return read_no_more(self, call);
		if (number->value < 0)
			return rpc_fail(call, PROBE_FAILED, { "text", "sum" });
		total += number->value;
	}
	if (r != RPC_STREAM_END) {
		pthread_mutex_lock(&self->lock);
		self->cancelled += r == RPC_CANCELLED;
		pthread_cond_broadcast(&self->changed);
		pthread_mutex_unlock(&self->lock);
		return r;
	}
	*ret = rpc_new(call, Number, .value = total);
	return 0;
}

static int double_each(struct probe_service *self, struct rpc_call *call, struct number_reader *in,
		       struct number_writer *out)
{
	Number *number;
	int r;

	while (!(r = number_reader_next(in, &number))) {
		if (number->value < 0)
			return 0;
		r = number_writer_send(
			out, MSG(Number, .value = number->value * 2, .padding = number->padding));
		if (r)
			return r;
	}
	return r == RPC_STREAM_END ? 0 : r;
}

const struct probe_service_ops probe_service = {
	.probe = probe,
	.look = probe,
	.hurry = probe,
	.for_sessions = probe,
	.for_users = probe,
	.for_owner = probe,
	.for_friend = for_friend,
	.count = count_to,
	.sum = sum,
	.double_ = double_each,
};

static int authenticate(void *data, struct rpc_call *call, const char *token,
			struct rpc_caller *ret)
{
	const char *name = token, *plus = strchr(token, '+');

	if (!strncmp(token, "guest:", 6)) {
		ret->guest = true;
		name += 6;
	} else if (strncmp(token, "user:", 5)) {
		return rpc_fail_code(call, RPC_UNAUTHENTICATED, "The token has expired.");
	} else {
		name += 5;
	}
	ret->user = plus ? rpc_printf(call, "users/%.*s", (int)(plus - name), name)
			 : rpc_printf(call, "users/%s", name);
	ret->scope = plus ? rpc_strdup(call, plus + 1) : "";
	return 0;
}

const struct rpc_authenticator probe_authenticator = { .authenticate = authenticate };

struct rpc_channel *probe_channel(const struct probe *probe, const char *tls_dir,
				  const char *authority)
{
	char target[64], *error = NULL;
	struct rpc_channel *channel;

	snprintf(target, sizeof(target), "ipv4:127.0.0.1:%d", rpc_server_port(probe->server));
	channel = rpc_channel_new(&(struct rpc_channel_options){ .target = target,
								 .tls_dir = tls_dir,
								 .authority = authority },
				  &error);
	ck_assert_msg(channel != NULL, "%s", error);
	return channel;
}

void probe_start(struct probe *probe, const struct rpc_server_options *options)
{
	struct rpc_server_options with_port = *options;
	char *error = NULL;

	*probe = (struct probe){ 0 };
	pthread_mutex_init(&probe->service.lock, NULL);
	pthread_cond_init(&probe->service.changed, NULL);
	if (!with_port.listen)
		with_port.listen = "127.0.0.1:0";
	probe->server = rpc_server_new(&with_port, &error);
	ck_assert_msg(probe->server != NULL, "%s", error);
	probe_service_serve(probe->server, &probe_service, &probe->service);
	ck_assert_msg(rpc_server_start(probe->server, &error) == 0, "%s", error);
	probe->channel =
		probe_channel(probe, with_port.tls_dir, with_port.tls_dir ? "probe" : NULL);
	probe->client = probe_client_new(probe->channel);
	probe->service.peer = probe->client;
}

void probe_stop(struct probe *probe)
{
	probe_open(&probe->service);
	rpc_server_drain(probe->server, 5000);
	rpc_server_free(probe->server); /* before the client that its handlers call with */
	probe_client_free(probe->client);
	rpc_channel_free(probe->channel);
	pthread_cond_destroy(&probe->service.changed);
	pthread_mutex_destroy(&probe->service.lock);
}

void probe_open(struct probe_service *service)
{
	pthread_mutex_lock(&service->lock);
	service->open = true;
	pthread_cond_broadcast(&service->changed);
	pthread_mutex_unlock(&service->lock);
}

void probe_await_running(struct probe_service *service, int running)
{
	pthread_mutex_lock(&service->lock);
	while (service->running < running)
		pthread_cond_wait(&service->changed, &service->lock);
	pthread_mutex_unlock(&service->lock);
}

void probe_await_cancelled(struct probe_service *service, int cancelled)
{
	pthread_mutex_lock(&service->lock);
	while (service->cancelled < cancelled)
		pthread_cond_wait(&service->changed, &service->lock);
	pthread_mutex_unlock(&service->lock);
}

int probe_ask(struct probe *probe, struct rpc_call *call, const ProbeRequest *request)
{
	ProbeResponse *response;

	return probe_client_probe(probe->client, call, request, &response);
}
