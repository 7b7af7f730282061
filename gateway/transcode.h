/* Between HTTP and messages: path, query and body to a request, a response to a body;
 * google.api.http. */
#pragma once

#include "request.h"
#include <crpc/json.h>

/* Whether the body is of a type that the method reads; if not, the request is refused with 415. */
void transcode_check_type(struct request *request);

/*
 * Within rpc_call_run(). 0, or a code with the error recorded: INVALID_ARGUMENT naming the field.
 * *ret is of the call's arena.
 */
int transcode_request(struct request *request, ProtobufCMessage **ret);
/* One message of a stream from the client, in `arena`: its JSON, and what the path names. */
int transcode_message(struct request *request, struct arena *arena, const char *json, size_t length,
		      ProtobufCMessage **ret);
/* The HTTP headers that the method wants, as metadata of `call`. */
int transcode_pass_headers(const struct request *request, struct rpc_call *call);
/* Fills request->response. */
int transcode_response(struct request *request, const ProtobufCMessage *message);
/* The JSON of an answer, in the arena; NULL with *error. Changes nothing of the request: streams
 * print with it before their turn has come to send. */
const char *transcode_print(const struct request *request, struct arena *arena,
			    const ProtobufCMessage *message, size_t *length,
			    struct rpc_json_error *error);
int transcode_fail_print(struct request *request, const struct rpc_json_error *error);
/* The string field `etag` of a message, NULL when it has none or it is empty. */
const char *transcode_etag(const ProtobufCMessage *message);
/* The id of an event of a method that can go on, else NULL. Changes nothing either. */
const char *transcode_event_id(const struct request *request, const ProtobufCMessage *message);
