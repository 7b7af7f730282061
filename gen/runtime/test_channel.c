/* Channels: which backend a call goes to, how often it is tried, and connections that end. */
#include "test.h"
#include "test/net.h"
#include "test/probe.h"
#include <channelz.rpc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct rpc_call *call;

static void setup(void)
{
	call = rpc_call_new("test", 60000);
}

static void teardown(void)
{
	rpc_call_free(call);
}

static struct probe_client *client_of(struct rpc_channel_options options)
{
	struct rpc_channel *channel;
	struct probe_client *client;
	char *error = NULL;

	channel = rpc_channel_new(&options, &error);
	ck_assert_msg(channel != NULL, "%s", error);
	client = probe_client_new(channel);
	rpc_channel_free(channel); /* the client has it */
	return client;
}

static int calls_of(struct probe *probe)
{
	int calls;

	pthread_mutex_lock(&probe->service.lock);
	calls = probe->service.calls;
	pthread_mutex_unlock(&probe->service.lock);
	return calls;
}

/*
 * Where to
 */

/* Until both have been asked: then ten more are five for each. */
static void expect_turns(struct probe_client *client, struct probe probes[2])
{
	ProbeResponse *response;
	int before[2];

	while (!calls_of(&probes[0]) || !calls_of(&probes[1]))
		ck_assert_int_eq(probe_client_probe(client, call, MSG(ProbeRequest), &response), 0);
	for (int i = 0; i < 2; i++)
		before[i] = calls_of(&probes[i]);
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(probe_client_probe(client, call, MSG(ProbeRequest), &response), 0);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(calls_of(&probes[i]) - before[i], 5);
}

TEST(backends_take_turns)
{
	struct probe probes[2];
	struct probe_client *client;
	char target[80];

	for (int i = 0; i < 2; i++)
		probe_start(&probes[i], &(struct rpc_server_options){ 0 });
	snprintf(target, sizeof(target), "ipv4:127.0.0.1:%d,127.0.0.1:%d",
		 rpc_server_port(probes[0].server), rpc_server_port(probes[1].server));
	client = client_of((struct rpc_channel_options){ .target = target });
	expect_turns(client, probes);
	probe_client_free(client);
	for (int i = 0; i < 2; i++)
		probe_stop(&probes[i]);
}

TEST(the_addresses_of_a_name_take_turns_and_one_that_goes_is_left_out)
{
	struct probe probes[2];
	struct probe_client *client;
	ProbeResponse *response;
	struct names names;
	char listen[32], target[80];

	probe_start(&probes[0], &(struct rpc_server_options){ 0 });
	snprintf(listen, sizeof(listen), "127.0.0.2:%d", rpc_server_port(probes[0].server));
	probe_start(&probes[1], &(struct rpc_server_options){ .listen = listen });
	names_start(&names);
	snprintf(target, sizeof(target), "dns://127.0.0.1:%d/probe.test:%d", names.port,
		 rpc_server_port(probes[0].server));
	client = client_of((struct rpc_channel_options){ .target = target });
	expect_turns(client, probes);
	probe_stop(&probes[1]);
	/* The connection says that it ends before it does: no call is lost. */
	for (int i = 0; i < 20; i++)
		ck_assert_int_eq(probe_client_probe(client, call, MSG(ProbeRequest), &response), 0);
	probe_client_free(client);
	names_stop(&names);
	probe_stop(&probes[0]);
}

/*
 * How often
 */

TEST(tries_end_with_the_budget)
{
	enum { CALLS = 30, ATTEMPTS = 3 };
	struct probe probe;
	ProbeResponse *response;

	probe_start(&probe, &(struct rpc_server_options){ 0 });
	for (int i = 0; i < CALLS; i++)
		ck_assert_int_eq(probe_client_look(probe.client, call,
						   MSG(ProbeRequest,
						       .action = PROBE_REQUEST_ACTION_UNAVAILABLE,
						       .number = INT32_MAX),
						   &response),
				 RPC_UNAVAILABLE);
	/* Ten tokens, of which each failure takes one: below half of them nothing is tried again. */
	ck_assert_int_gt(calls_of(&probe), CALLS);
	ck_assert_int_le(calls_of(&probe), CALLS + 6);
	probe_stop(&probe);
}

TEST(a_server_that_asks_not_to_be_tried_again_is_not)
{
	struct probe probe;
	ProbeResponse *response;

	probe_start(&probe, &(struct rpc_server_options){ 0 });
	ck_assert_int_eq(
		probe_client_look(probe.client, call,
				  MSG(ProbeRequest, .action = PROBE_REQUEST_ACTION_UNAVAILABLE,
				      .number = INT32_MAX, .text = "-1"),
				  &response),
		RPC_UNAVAILABLE);
	ck_assert_int_eq(calls_of(&probe), 1);
	probe_stop(&probe);
}

/*
 * Connections
 */

static int64_t socket_id(struct channelz_client *client)
{
	ChannelzGetServerSocketsResponse *sockets;
	ChannelzGetServersResponse *servers;

	ck_assert_int_eq(
		channelz_client_get_servers(client, call, MSG(ChannelzGetServersRequest), &servers),
		0);
	ck_assert_int_eq(channelz_client_get_server_sockets(
				 client, call,
				 MSG(ChannelzGetServerSocketsRequest,
				     .server_id = servers->server[0]->ref->server_id),
				 &sockets),
			 0);
	ck_assert_uint_ge(sockets->n_socket_ref, 1);
	return sockets->socket_ref[sockets->n_socket_ref - 1]->socket_id;
}

TEST(a_connection_that_is_old_enough_is_replaced_and_no_call_is_lost)
{
	struct channelz_client *channelz;
	struct probe probe;
	ProbeResponse *response;
	int64_t first;

	probe_start(&probe,
		    &(struct rpc_server_options){ .channelz = true, .max_connection_age_ms = 100 });
	channelz = channelz_client_new(probe.channel);
	first = socket_id(channelz);
	while (socket_id(channelz) == first)
		ck_assert_int_eq(
			probe_client_probe(probe.client, call, MSG(ProbeRequest), &response), 0);
	channelz_client_free(channelz);
	probe_stop(&probe);
}

TEST(a_peer_that_has_fallen_silent_is_noticed_before_the_deadline)
{
	struct probe probe;
	struct probe_client *client;
	ProbeResponse *response;
	struct wire wire;
	char target[64];

	probe_start(&probe, &(struct rpc_server_options){ 0 });
	wire_start(&wire, rpc_server_port(probe.server));
	snprintf(target, sizeof(target), "ipv4:127.0.0.1:%d", wire.port);
	client = client_of((struct rpc_channel_options){ .target = target, .keepalive_ms = 300 });
	ck_assert_int_eq(probe_client_probe(client, call, MSG(ProbeRequest), &response), 0);
	atomic_store(&wire.frozen, true);
	/* The deadline is that of the method, 20 s, or a minute: it would be DEADLINE_EXCEEDED. */
	ck_assert_int_eq(probe_client_probe(client, call, MSG(ProbeRequest), &response),
			 RPC_UNAVAILABLE);
	probe_client_free(client);
	wire_stop(&wire);
	probe_stop(&probe);
}

TEST_MAIN("channel", setup, teardown)
