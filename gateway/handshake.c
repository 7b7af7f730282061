/* The HTTP request that asks for a WebSocket, and the answer that grants it. */
#include "handshake.h"
#include "cors.h"
#include "response.h"
#include <openssl/evp.h>
#include <string.h>
#include <strings.h>

enum { KEY_LENGTH = 24, KEY_BYTES = 16 };
static const char magic[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
static const char bearer[] = "bearer.";

/* The next of a list such as "keep-alive, Upgrade"; false: no more. */
static bool next_token(const char **list, const char **token, size_t *length)
{
	*list += strspn(*list, ", \t");
	*token = *list;
	*length = strcspn(*list, ", \t");
	*list += *length;
	return *length > 0;
}

/* Whether a header, which may come in several lines, names the token. */
static bool has_token(const struct request *request, const char *name, const char *wanted)
{
	size_t length;
	const char *token;

	for (unsigned i = 0; i < request->n_headers; i++) {
		const char *list = request->headers[i].value;

		if (strcmp(request->headers[i].name, name))
			continue;
		while (next_token(&list, &token, &length))
			if (length == strlen(wanted) && !strncasecmp(token, wanted, length))
				return true;
	}
	return false;
}

static void find_token(struct request *request)
{
	const char *token;
	size_t length;

	for (unsigned i = 0; i < request->n_headers; i++) {
		const char *list = request->headers[i].value;

		if (strcmp(request->headers[i].name, "sec-websocket-protocol"))
			continue;
		while (next_token(&list, &token, &length))
			if (length > sizeof(bearer) - 1 &&
			    !memcmp(token, bearer, sizeof(bearer) - 1))
				request->offered_token = arena_strndup(
					rpc_arena(request->call), token + sizeof(bearer) - 1,
					length - (sizeof(bearer) - 1));
	}
}

static bool key_is_right(const char *key)
{
	unsigned char bytes[KEY_BYTES + 2];

	return key && strlen(key) == KEY_LENGTH && !strcmp(key + KEY_LENGTH - 2, "==") &&
	       EVP_DecodeBlock(bytes, (const unsigned char *)key, KEY_LENGTH) == sizeof(bytes);
}

/* A page of this very host, or one of the list. */
static bool origin_is_right(const struct request *request)
{
	const char *origin = request_header(request, "origin"), *host;

	if (!origin || cors_admits(request))
		return true;
	host = strstr(origin, "://");
	return host && request->authority && !strcasecmp(host + 3, request->authority);
}

static void refuse(struct request *request, int status, enum rpc_code code, const char *why)
{
	rpc_fail_code(request->call, code, "%s", why);
	request->refused = true;
	request->refused_status = status;
}

void handshake_check(struct request *request)
{
	struct response *response = &request->response;

	if (request->connection->protocol != &http1_protocol) {
		refuse(request, 0, RPC_UNIMPLEMENTED,
		       "The method streams from the client: it is reached by a WebSocket over "
		       "HTTP/1.1, or by gRPC.");
	} else if (!has_token(request, "connection", "upgrade") ||
		   !has_token(request, "upgrade", "websocket") ||
		   !has_token(request, "sec-websocket-version", "13")) {
		response_literal(response, "connection", "upgrade");
		response_literal(response, "upgrade", "websocket");
		response_literal(response, "sec-websocket-version", "13");
		refuse(request, 426, RPC_FAILED_PRECONDITION,
		       "The method streams from the client: ask for a WebSocket of version 13.");
	} else if (!key_is_right(request_header(request, "sec-websocket-key"))) {
		refuse(request, 0, RPC_INVALID_ARGUMENT,
		       "Sec-WebSocket-Key must be 16 bytes in base64.");
	} else if (request->query_length) {
		refuse(request, 0, RPC_INVALID_ARGUMENT,
		       "A WebSocket takes no query: the fields come in its messages.");
	} else if (!origin_is_right(request)) {
		refuse(request, 0, RPC_PERMISSION_DENIED, "Pages of this origin may not call.");
	} else if (request_header(request, "sec-websocket-protocol") &&
		   !has_token(request, "sec-websocket-protocol", HANDSHAKE_PROTOCOL)) {
		refuse(request, 0, RPC_INVALID_ARGUMENT,
		       "Of the subprotocols " HANDSHAKE_PROTOCOL " must be offered.");
	} else {
		find_token(request);
	}
}

void handshake_answer(struct request *request)
{
	const char *key = request_header(request, "sec-websocket-key");
	unsigned char hash[EVP_MAX_MD_SIZE], text[32];
	struct response *response = &request->response;
	char joined[KEY_LENGTH + sizeof(magic)];
	unsigned length = 0;

	memcpy(joined, key, KEY_LENGTH);
	memcpy(joined + KEY_LENGTH, magic, sizeof(magic));
	EVP_Digest(joined, sizeof(joined) - 1, hash, &length, EVP_sha1(), NULL);
	EVP_EncodeBlock(text, hash, (int)length);
	response->status = 101;
	response_literal(response, "connection", "upgrade");
	response_literal(response, "upgrade", "websocket");
	response_header(
		response, "sec-websocket-accept",
		arena_strndup(rpc_arena(request->call), (char *)text, strlen((char *)text)));
	if (request_header(request, "sec-websocket-protocol"))
		response_literal(response, "sec-websocket-protocol", HANDSHAKE_PROTOCOL);
	response_header(response, "x-request-id", rpc_request_id(request->call));
}
