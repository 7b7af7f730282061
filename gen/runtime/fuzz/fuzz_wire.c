/* Wire bytes: what is read is packed and read again as the same; validation takes whatever was
 * read. */
#include "fuzz.h"

static int validate(void *data, struct rpc_call *call)
{
	return rpc_validate(call, data);
}

int fuzz_one(void *data)
{
	struct fuzz_input *input = data;
	const char *error = "";
	ProtobufCMessage *message = rpc_unpack(input->arena, input->descriptor, input->bytes,
					       input->size, &error),
			 *again;
	ProtobufCBinaryData packed;
	struct rpc_call *call;

	if (!message)
		return 0;
	packed = rpc_pack(input->arena, message);
	again = rpc_unpack(input->arena, input->descriptor, packed.data, packed.len, &error);
	fuzz_require(again, "packed, but not read: %s", error);
	fuzz_require(rpc_message_equal(message, again), "packed and read, but not the same");
	again = rpc_message_copy(input->arena, message);
	fuzz_require(rpc_message_equal(message, again), "copied, but not the same");

	call = rpc_call_new("fuzz", 1000);
	rpc_call_run(call, validate, again);
	rpc_call_free(call);
	return 0;
}
