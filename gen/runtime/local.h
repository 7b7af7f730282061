/* Clients of an ops table in this process: tests call a service as its peers do, rules included,
 * without a network. */
#pragma once

#include "channel_private.h"

int local_call(struct rpc_client *client, const struct rpc_method *method, struct rpc_call *call,
	       const ProtobufCMessage *request, ProtobufCMessage **ret);
int local_stream_open(struct rpc_client *client, const struct rpc_method *method,
		      struct rpc_call *call, const ProtobufCMessage *request,
		      struct rpc_stream **ret);
int local_stream_send(struct rpc_stream *stream, const ProtobufCMessage *message);
int local_stream_next(struct rpc_stream *stream, ProtobufCMessage **ret);
void local_stream_free(struct rpc_stream *stream);
