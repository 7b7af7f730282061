/* JSON out of whatever the wire brings: it is JSON, and reads back. */
#include "fuzz.h"
#include <string.h>

int fuzz_one(void *data)
{
	struct fuzz_input *input = data;
	struct rpc_json_options options = { .types = &fuzz_registry,
					    .always_print_fields = input->size & 1 };
	ProtobufCMessage *message, *again = NULL;
	struct rpc_json_error error;
	const char *reason;
	size_t length;
	char *text;

	message = rpc_unpack(input->arena, input->descriptor, input->bytes, input->size, &reason);
	if (!message)
		return 0;
	text = rpc_json_print(input->arena, &options, message, &length, &error);
	if (!text)
		return 0;
	fuzz_require(strlen(text) == length, "a NUL in the text");
	fuzz_require(!rpc_json_parse(input->arena, &options, input->descriptor, text, length,
				     &again, &error) ||
			     strstr(error.message, "nested"),
		     "printed %s, but not read: %s: %s", text, error.field, error.message);
	return 0;
}
