/* grpc.reflection: the server says what it serves, so that tools need no .proto files. */
#pragma once

struct rpc_server;
void reflection_serve(struct rpc_server *server); /* v1 and v1alpha */
