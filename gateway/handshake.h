/* The HTTP request that asks for a WebSocket (RFC 6455, 4), and the answer that grants it. */
#pragma once

#include "request.h"

/*
 * A method whose client streams is reached by a WebSocket. Browsers send no Authorization with it:
 * they offer the subprotocols "crpc.json", which is chosen, and "bearer.<access token>". They do
 * send their Origin, which must be this host's or one of the CORS list.
 */
#define HANDSHAKE_PROTOCOL "crpc.json"

/* Refuses the request if it asks for no WebSocket that it may have; else `request->offered_token`
 * is the token among its subprotocols, if there is one. */
void handshake_check(struct request *request);
/* The head of the answer. */
void handshake_answer(struct request *request);
