/* grpc.channelz.v1: the process's servers, channels and sockets, as the core counts them. */
#pragma once

struct rpc_server;

void channelz_serve(struct rpc_server *server);
