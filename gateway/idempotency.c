/* Idempotency-Key. */
#include "idempotency.h"
#include <crpc/json.h>
#include <string.h>

enum { KEY_MAX = 255 };

int idempotency_apply(struct request *request, ProtobufCMessage *message)
{
	const struct rpc_method *method = request->match.route->method;
	const char *key = request_header(request, "idempotency-key"), *given = NULL;
	const ProtobufCFieldDescriptor *field = NULL;
	struct rpc_json_error error;
	size_t length;

	if (method->request_id)
		field = protobuf_c_message_descriptor_get_field_by_name(message->descriptor,
									method->request_id);
	if (!field || field->type != PROTOBUF_C_TYPE_STRING)
		return 0;
	memcpy(&given, (char *)message + field->offset, sizeof(given));
	if (!key) {
		if (!method->request_id_required || (given && *given))
			return 0;
		rpc_violate(request->call, method->request_id,
			    "the header Idempotency-Key must be sent: a key of your own making, "
			    "the same one when you try again");
		return rpc_violations(request->call);
	}

	length = strlen(key);
	/* The draft has it as a quoted string; most clients send it bare. */
	if (length >= 2 && key[0] == '"' && key[length - 1] == '"') {
		key++;
		length -= 2;
	}
	if (!length || length > KEY_MAX) {
		rpc_violate(request->call, method->request_id,
			    "Idempotency-Key must have 1 to %d characters", KEY_MAX);
		return rpc_violations(request->call);
	}
	for (size_t i = 0; i < length; i++) {
		if (key[i] < ' ' || key[i] > '~') {
			rpc_violate(request->call, method->request_id,
				    "Idempotency-Key must be printable ASCII");
			return rpc_violations(request->call);
		}
	}
	if (given && *given && (strlen(given) != length || memcmp(given, key, length))) {
		rpc_violate(request->call, method->request_id,
			    "the header Idempotency-Key and the field in the body differ");
		return rpc_violations(request->call);
	}
	if (rpc_json_set(rpc_arena(request->call), message, method->request_id,
			 strlen(method->request_id), key, length, &error)) {
		rpc_violate(request->call, method->request_id, "%s", error.message);
		return rpc_violations(request->call);
	}
	return 0;
}
