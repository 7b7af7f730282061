/* grpc.channelz.v1: the process's servers, channels and sockets, as the core counts them. */
#include "channelz.h"
#include "core.h"
#include "server_private.h"
#include <channelz.rpc.h>
#include <crpc/json.h>
#include <grpc/support/alloc.h>

static void json_free(char **json)
{
	gpr_free(*json);
}

/* The core tells in proto3 JSON, and nothing of what it does not know. Takes over `told`. */
static int answer(struct rpc_call *call, char *told, const ProtobufCMessageDescriptor *type,
		  void *ret)
{
	/* A field that a later core adds is no reason to hold back the others. */
	const struct rpc_json_options options = { .ignore_unknown_fields = true };
	cleanup(json_free) char *json = told;
	ProtobufCMessage *message = NULL;
	struct rpc_json_error error;

	if (!json)
		return rpc_fail_code(call, RPC_NOT_FOUND, "The process has nothing of that id.");
	if (rpc_json_parse(rpc_arena(call), &options, type, json, strlen(json), &message, &error))
		return rpc_fail_code(call, RPC_INTERNAL, "The core tells what is no %s: %s: %s",
				     type->short_name, error.field, error.message);
	*(ProtobufCMessage **)ret = message;
	return 0;
}

static int get_top_channels(struct channelz_service *self, struct rpc_call *call,
			    const ChannelzGetTopChannelsRequest *req,
			    ChannelzGetTopChannelsResponse **ret)
{
	return answer(call, grpc_channelz_get_top_channels(req->start_channel_id),
		      &ChannelzGetTopChannelsResponse_descriptor, ret);
}

static int get_servers(struct channelz_service *self, struct rpc_call *call,
		       const ChannelzGetServersRequest *req, ChannelzGetServersResponse **ret)
{
	return answer(call, grpc_channelz_get_servers(req->start_server_id),
		      &ChannelzGetServersResponse_descriptor, ret);
}

static int get_server(struct channelz_service *self, struct rpc_call *call,
		      const ChannelzGetServerRequest *req, ChannelzGetServerResponse **ret)
{
	return answer(call, grpc_channelz_get_server(req->server_id),
		      &ChannelzGetServerResponse_descriptor, ret);
}

static int get_server_sockets(struct channelz_service *self, struct rpc_call *call,
			      const ChannelzGetServerSocketsRequest *req,
			      ChannelzGetServerSocketsResponse **ret)
{
	return answer(call,
		      grpc_channelz_get_server_sockets(req->server_id, req->start_socket_id,
						       req->max_results),
		      &ChannelzGetServerSocketsResponse_descriptor, ret);
}

static int get_channel(struct channelz_service *self, struct rpc_call *call,
		       const ChannelzGetChannelRequest *req, ChannelzGetChannelResponse **ret)
{
	return answer(call, grpc_channelz_get_channel(req->channel_id),
		      &ChannelzGetChannelResponse_descriptor, ret);
}

static int get_subchannel(struct channelz_service *self, struct rpc_call *call,
			  const ChannelzGetSubchannelRequest *req,
			  ChannelzGetSubchannelResponse **ret)
{
	return answer(call, grpc_channelz_get_subchannel(req->subchannel_id),
		      &ChannelzGetSubchannelResponse_descriptor, ret);
}

static int get_socket(struct channelz_service *self, struct rpc_call *call,
		      const ChannelzGetSocketRequest *req, ChannelzGetSocketResponse **ret)
{
	return answer(call, grpc_channelz_get_socket(req->socket_id),
		      &ChannelzGetSocketResponse_descriptor, ret);
}

static const struct channelz_service_ops channelz_ops = {
	.get_top_channels = get_top_channels,
	.get_servers = get_servers,
	.get_server = get_server,
	.get_server_sockets = get_server_sockets,
	.get_channel = get_channel,
	.get_subchannel = get_subchannel,
	.get_socket = get_socket,
};

void channelz_serve(struct rpc_server *server)
{
	server_add(server, &channelz_service_descriptor, &channelz_ops, NULL, NULL);
}
