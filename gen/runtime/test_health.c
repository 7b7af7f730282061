/* grpc.health.v1, and how a server ends. */
#include "server_private.h"
#include "test.h"
#include "test/probe.h"
#include "test/waiter.h"
#include <health.rpc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char SERVICE[] = "crpc.test.v1.ProbeService";

static struct probe probe;
static struct health_client *health;
static struct rpc_call *call;
static struct waiter ended;
static int late_code;

static void setup(void)
{
	ended = (struct waiter)WAITER_INIT;
	probe_start(&probe, &(struct rpc_server_options){ .threads = 2 });
	health = health_client_new(probe.channel);
	call = rpc_call_new("test", 20000);
}

static void teardown(void)
{
	rpc_call_free(call);
	health_client_free(health);
	probe_stop(&probe);
}

static int check(const char *service)
{
	HealthCheckResponse *response;
	int r = health_client_check(health, call, MSG(HealthCheckRequest, .service = service),
				    &response);

	return r ? -r : (int)response->status;
}

static int watch_next(struct health_check_response_reader *reader)
{
	HealthCheckResponse *response;
	int r = health_check_response_reader_next(reader, &response);

	return r ? -r : (int)response->status;
}

TEST(check_tells_of_each_service_and_of_all)
{
	ck_assert_int_eq(check(""), HEALTH_CHECK_RESPONSE_SERVING_STATUS_SERVING);
	ck_assert_int_eq(check(SERVICE), HEALTH_CHECK_RESPONSE_SERVING_STATUS_SERVING);
	ck_assert_int_eq(check("no.such.Service"), -RPC_NOT_FOUND);
	rpc_server_set_serving(probe.server, SERVICE, false);
	ck_assert_int_eq(check(SERVICE), HEALTH_CHECK_RESPONSE_SERVING_STATUS_NOT_SERVING);
	ck_assert_int_eq(check(""), HEALTH_CHECK_RESPONSE_SERVING_STATUS_SERVING);
	rpc_server_set_serving(probe.server, "", false);
	ck_assert_int_eq(check(""), HEALTH_CHECK_RESPONSE_SERVING_STATUS_NOT_SERVING);
}

TEST(watch_tells_at_once_and_at_each_change)
{
	cleanup(health_check_response_reader_freep) struct health_check_response_reader *reader =
		NULL;

	ck_assert_int_eq(health_client_watch(health, call,
					     MSG(HealthCheckRequest, .service = SERVICE), &reader),
			 0);
	ck_assert_int_eq(watch_next(reader), HEALTH_CHECK_RESPONSE_SERVING_STATUS_SERVING);
	for (int i = 0; i < 20; i++) {
		rpc_server_set_serving(probe.server, SERVICE, i % 2);
		ck_assert_int_eq(watch_next(reader),
				 i % 2 ? HEALTH_CHECK_RESPONSE_SERVING_STATUS_SERVING
				       : HEALTH_CHECK_RESPONSE_SERVING_STATUS_NOT_SERVING);
	}
}

TEST(watching_an_unknown_service_says_so_and_goes_on)
{
	cleanup(health_check_response_reader_freep) struct health_check_response_reader *reader =
		NULL;

	ck_assert_int_eq(health_client_watch(health, call,
					     MSG(HealthCheckRequest, .service = "no.such.Service"),
					     &reader),
			 0);
	ck_assert_int_eq(watch_next(reader), HEALTH_CHECK_RESPONSE_SERVING_STATUS_SERVICE_UNKNOWN);
	rpc_server_set_serving(probe.server, "", true); /* no news for it */
}

TEST(watching_takes_no_thread_and_ends_when_the_watcher_goes)
{
	enum { WATCHERS = 200 };
	struct health_check_response_reader *readers[WATCHERS];

	for (int i = 0; i < WATCHERS; i++) {
		ck_assert_int_eq(
			health_client_watch(health, call, MSG(HealthCheckRequest), &readers[i]), 0);
		ck_assert_int_eq(watch_next(readers[i]),
				 HEALTH_CHECK_RESPONSE_SERVING_STATUS_SERVING);
	}
	rpc_server_set_serving(probe.server, "", false);
	for (int i = 0; i < WATCHERS; i++) {
		ck_assert_int_eq(watch_next(readers[i]),
				 HEALTH_CHECK_RESPONSE_SERVING_STATUS_NOT_SERVING);
		health_check_response_reader_free(readers[i]);
	}
}

TEST(a_channel_that_checks_health_does_not_call_who_does_not_serve)
{
	char target[64], *error = NULL;
	struct probe_client *client;
	struct rpc_channel *channel;
	ProbeResponse *response;
	int r;

	snprintf(target, sizeof(target), "ipv4:127.0.0.1:%d", rpc_server_port(probe.server));
	rpc_server_set_serving(probe.server, "", false);
	channel = rpc_channel_new(
		&(struct rpc_channel_options){ .target = target, .health_check = true }, &error);
	client = probe_client_new(channel);
	ck_assert_int_eq(probe_client_probe(client, call, MSG(ProbeRequest), &response),
			 RPC_UNAVAILABLE);
	ck_assert_int_eq(probe.service.calls, 0);
	rpc_server_set_serving(probe.server, "", true);
	do {
		nanosleep(&(struct timespec){ .tv_nsec = 10 * 1000000 }, NULL);
		r = probe_client_probe(client, call, MSG(ProbeRequest), &response);
	} while (r == RPC_UNAVAILABLE);
	ck_assert_int_eq(r, 0);
	probe_client_free(client);
	rpc_channel_free(channel);
}

/*
 * Drain
 */

static void done(void *data, struct rpc_call *of, int code, ProbeResponse *response)
{
	late_code = code;
	waiter_add(&ended);
}

static void *drain(void *data)
{
	rpc_server_drain(probe.server, *(int *)data);
	return NULL;
}

TEST(a_drain_lets_calls_in_flight_finish_and_ends_watches)
{
	cleanup(health_check_response_reader_freep) struct health_check_response_reader *reader =
		NULL;
	struct rpc_call *slow = rpc_call_new("test", 20000);
	ProbeResponse *response;
	pthread_t thread;
	int timeout = 20000;

	ck_assert_int_eq(health_client_watch(health, call, MSG(HealthCheckRequest), &reader), 0);
	ck_assert_int_eq(watch_next(reader), HEALTH_CHECK_RESPONSE_SERVING_STATUS_SERVING);
	ck_assert_int_eq(
		probe_client_probe_async(probe.client, slow,
					 MSG(ProbeRequest, .action = PROBE_REQUEST_ACTION_BLOCK),
					 done, NULL),
		0);
	probe_await_running(&probe.service, 1);
	pthread_create(&thread, NULL, drain, &timeout);
	ck_assert_int_eq(watch_next(reader), HEALTH_CHECK_RESPONSE_SERVING_STATUS_NOT_SERVING);
	ck_assert_int_eq(watch_next(reader), -RPC_UNAVAILABLE);
	/* New calls are not taken, the old one goes on. */
	ck_assert_int_eq(probe_client_probe(probe.client, call, MSG(ProbeRequest), &response),
			 RPC_UNAVAILABLE);
	probe_open(&probe.service);
	waiter_await(&ended, 1);
	ck_assert_int_eq(late_code, 0);
	pthread_join(thread, NULL);
	rpc_call_free(slow);
}

TEST(a_drain_cancels_what_does_not_end_in_time)
{
	struct rpc_call *slow = rpc_call_new("test", 20000);
	int timeout = 50;

	ck_assert_int_eq(probe_client_probe_async(
				 probe.client, slow,
				 MSG(ProbeRequest, .action = PROBE_REQUEST_ACTION_AWAIT_CANCEL),
				 done, NULL),
			 0);
	probe_await_running(&probe.service, 1);
	drain(&timeout);
	probe_await_cancelled(&probe.service, 1);
	waiter_await(&ended, 1);
	ck_assert_int_ne(late_code, 0);
	rpc_call_free(slow);
}

TEST(a_drain_ends_streams)
{
	cleanup(number_reader_freep) struct number_reader *reader = NULL;
	pthread_t thread;
	int timeout = 20000, r;
	Number *number;

	ck_assert_int_eq(probe_client_count(probe.client, call, MSG(CountRequest), &reader), 0);
	ck_assert_int_eq(number_reader_next(reader, &number), 0);
	pthread_create(&thread, NULL, drain, &timeout);
	while (!(r = number_reader_next(reader, &number)))
		;
	ck_assert_int_eq(r, RPC_UNAVAILABLE);
	ck_assert_str_eq(rpc_error_reason(call), "DRAINING");
	pthread_join(thread, NULL);
}

static enum serve_how always_inline(const struct rpc_method *method)
{
	return SERVE_INLINE;
}

static void *free_server(void *data)
{
	rpc_server_free(data);
	return NULL;
}

/* The core aborts when a batch is started on a queue that was shut down. */
TEST(a_server_is_freed_when_the_last_call_is_over_also_of_those_that_take_no_thread)
{
	struct rpc_call *slow = rpc_call_new("test", 20000);
	char target[64], *error = NULL;
	struct probe_client *client;
	struct rpc_channel *channel;
	struct rpc_server *server;
	pthread_t thread;

	server = rpc_server_new(&(struct rpc_server_options){ .listen = "127.0.0.1:0" }, &error);
	server_add(server, &probe_service_descriptor, &probe_service, &probe.service,
		   always_inline);
	ck_assert_int_eq(rpc_server_start(server, &error), 0);
	snprintf(target, sizeof(target), "ipv4:127.0.0.1:%d", rpc_server_port(server));
	channel = rpc_channel_new(&(struct rpc_channel_options){ .target = target }, &error);
	client = probe_client_new(channel);
	ck_assert_int_eq(
		probe_client_probe_async(client, slow,
					 MSG(ProbeRequest, .action = PROBE_REQUEST_ACTION_BLOCK),
					 done, NULL),
		0);
	probe_await_running(&probe.service, 1);
	pthread_create(&thread, NULL, free_server, server);
	waiter_await(&ended, 1);
	nanosleep(&(struct timespec){ .tv_nsec = 100 * 1000000 }, NULL); /* let it go too far */
	probe_open(&probe.service);
	pthread_join(thread, NULL);
	ck_assert_int_ne(late_code, 0);
	probe_client_free(client);
	rpc_channel_free(channel);
	rpc_call_free(slow);
}

TEST_MAIN("health", setup, teardown)
