/* Documents: whatever the database holds, reading ends; what is read is written and read again as
 * the same. */
#include "probe_store.msg.h"
#include <common/bson.h>
#include <stdlib.h>

struct input {
	const uint8_t *bytes;
	size_t size;
};

static int read_twice(void *data, struct rpc_call *call)
{
	struct input *input = data;
	ProtobufCMessage *message, *again;
	bson_t document;
	const char *why;

	if (!bson_init_static(&document, input->bytes, input->size))
		return 0;
	if (document_read(rpc_arena(call), &ProbeRecord_descriptor, &document, &message, &why))
		return 0;
	if (document_read(rpc_arena(call), &ProbeRecord_descriptor,
			  document_of_record(call, (ProbeRecord *)message), &again, &why) ||
	    !rpc_message_equal(message, again))
		abort();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct input input = { bytes, size };
	struct rpc_call *call = rpc_call_new("fuzz", 10000);

	rpc_call_run(call, read_twice, &input);
	rpc_call_free(call);
	return 0;
}
