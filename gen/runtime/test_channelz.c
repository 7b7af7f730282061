/* grpc.channelz.v1: what it tells of the server that answers it and of the channel that asks. */
#include "test.h"
#include "test/probe.h"
#include <channelz.rpc.h>
#include <stdio.h>
#include <string.h>

static struct probe probe;
static struct rpc_channel *channel;
static struct channelz_client *client;
static struct rpc_call *call;

static void setup(void)
{
	char target[64], *error = NULL;

	probe_start(&probe, &(struct rpc_server_options){ .channelz = true });
	snprintf(target, sizeof(target), "ipv4:127.0.0.1:%d", rpc_server_port(probe.server));
	channel = rpc_channel_new(
		&(struct rpc_channel_options){ .target = target, .channelz = true }, &error);
	ck_assert_msg(channel != NULL, "%s", error);
	client = channelz_client_new(channel);
	call = rpc_call_new("test", 20000);
}

static void teardown(void)
{
	rpc_call_free(call);
	channelz_client_free(client);
	rpc_channel_free(channel);
	probe_stop(&probe);
}

static int64_t server_id(void)
{
	ChannelzGetServersResponse *servers;

	ck_assert_int_eq(
		channelz_client_get_servers(client, call, MSG(ChannelzGetServersRequest), &servers),
		0);
	ck_assert_uint_eq(servers->n_server, 1);
	ck_assert(servers->end);
	return servers->server[0]->ref->server_id;
}

TEST(a_server_counts_its_calls)
{
	ChannelzGetServerResponse *server;
	const ChannelzServerData *data;

	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(probe_ask(&probe, call, MSG(ProbeRequest)), 0);
	ck_assert_int_eq(channelz_client_get_server(
				 client, call,
				 MSG(ChannelzGetServerRequest, .server_id = server_id()), &server),
			 0);
	data = server->server->data;
	ck_assert_int_ge(data->calls_started, 4); /* this one too */
	ck_assert_int_ge(data->calls_succeeded, 3);
	ck_assert_int_eq(data->calls_failed, 0);
	ck_assert_ptr_nonnull(data->last_call_started_timestamp);
	ck_assert_int_gt(data->last_call_started_timestamp->seconds, 0);
	ck_assert_uint_eq(server->server->n_listen_socket, 1);
}

TEST(a_socket_tells_its_addresses_and_messages)
{
	ChannelzGetServerSocketsResponse *sockets;
	ChannelzGetSocketResponse *socket;
	const ChannelzAddress *local;

	ck_assert_int_eq(channelz_client_get_server_sockets(
				 client, call,
				 MSG(ChannelzGetServerSocketsRequest, .server_id = server_id()),
				 &sockets),
			 0);
	ck_assert_uint_ge(sockets->n_socket_ref, 1);
	ck_assert_int_eq(
		channelz_client_get_socket(client, call,
					   MSG(ChannelzGetSocketRequest,
					       .socket_id = sockets->socket_ref[0]->socket_id),
					   &socket),
		0);
	local = socket->socket->local;
	ck_assert_int_eq(local->tcpip_address->port, rpc_server_port(probe.server));
	ck_assert_uint_eq(local->tcpip_address->ip_address.len, 4);
	ck_assert_mem_eq(local->tcpip_address->ip_address.data, "\x7f\0\0\1", 4);
	ck_assert_int_ge(socket->socket->data->streams_started, 1);
}

TEST(a_channel_names_its_target_and_its_subchannels)
{
	ChannelzGetTopChannelsResponse *channels;
	ChannelzGetSubchannelResponse *subchannel;
	const ChannelzChannel *top;

	server_id(); /* a call: it is connected now */
	ck_assert_int_eq(channelz_client_get_top_channels(
				 client, call, MSG(ChannelzGetTopChannelsRequest), &channels),
			 0);
	ck_assert_uint_eq(channels->n_channel, 1);
	top = channels->channel[0];
	ck_assert_ptr_nonnull(strstr(top->data->target, "127.0.0.1"));
	ck_assert_int_eq(top->data->state->state, CHANNELZ_CHANNEL_CONNECTIVITY_STATE_STATE_READY);
	ck_assert_uint_eq(top->n_subchannel_ref, 1);
	ck_assert_int_eq(channelz_client_get_subchannel(
				 client, call,
				 MSG(ChannelzGetSubchannelRequest,
				     .subchannel_id = top->subchannel_ref[0]->subchannel_id),
				 &subchannel),
			 0);
	ck_assert_int_ge(subchannel->subchannel->data->calls_started, 2);
}

TEST(what_is_not_there_is_not_found)
{
	ChannelzGetSocketResponse *socket;
	ChannelzGetServerResponse *server;

	ck_assert_int_eq(
		channelz_client_get_socket(
			client, call, MSG(ChannelzGetSocketRequest, .socket_id = 1 << 30), &socket),
		RPC_NOT_FOUND);
	ck_assert_int_eq(channelz_client_get_server(client, call,
						    MSG(ChannelzGetServerRequest, .server_id = -1),
						    &server),
			 RPC_NOT_FOUND);
}

TEST_MAIN("channelz", setup, teardown)
