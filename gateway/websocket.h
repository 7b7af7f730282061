/* Streams from the client, and both ways, as a WebSocket (RFC 6455): each text message is the JSON
 * of one message. */
#pragma once

#include "request.h"

/*
 * What the path names is set in each message of the client. An empty text says that it has no more
 * to say, and waits for what the method still answers. The socket ends with the call: code 1000 if
 * it went well, else 4000 and the gRPC code, with the reason and the sentence; 1001 when the
 * gateway stops or nothing was heard of the client, and RFC 6455's own for what is no WebSocket. A
 * client that closes or goes cancels the call.
 *
 * One message is under way in each direction. A client that reads slowly stops the peer, and a peer
 * that reads slowly stops the client: its bytes stay with the kernel. Pings keep the socket alive;
 * with each of them the session is looked at again.
 */

/* 0: the handshake is answered soon; or an error, recorded. */
int websocket_start(struct request *request);
/* One of the request's waits is over. */
void websocket_waited(struct request *request, unsigned what);
void websocket_cancel(struct request *request);
void websocket_free(struct request *request);
