/* JSON in: what is read is written, and read again as the same. */
#include "fuzz.h"
#include <string.h>

int fuzz_one(void *data)
{
	struct fuzz_input *input = data;
	struct rpc_json_options options = { .types = &fuzz_registry,
					    .ignore_unknown_fields = input->size & 1 };
	ProtobufCMessage *message = NULL, *again = NULL;
	struct rpc_json_error error;
	size_t length;
	char *text;

	if (rpc_json_parse(input->arena, &options, input->descriptor, (const char *)input->bytes,
			   input->size, &message, &error)) {
		fuzz_require(strlen(error.message) > 0 && error.offset <= input->size,
			     "refused without a reason");
		return 0;
	}
	text = rpc_json_print(input->arena, &options, message, &length, &error);
	if (!text)
		return 0; /* an Any nested deeper than the wire format may be */
	fuzz_require(!rpc_json_parse(input->arena, &options, input->descriptor, text, length,
				     &again, &error),
		     "printed %s, but not read: %s: %s", text, error.field, error.message);
	fuzz_require(rpc_message_equal(message, again), "printed %s and read, but not the same",
		     text);
	return 0;
}
