/* Page tokens: none that we did not sign is taken; what we sign comes back. */
#include "page_token.msg.h"
#include "probe_store.msg.h"
#include <common/page.h>
#include <common/secrets.h>
#include <stdlib.h>

struct input {
	const uint8_t *bytes;
	size_t size;
};

static int read_token(void *data, struct rpc_call *call)
{
	struct input *input = data;
	const ProtobufCMessage *request = &MSG(ListProbesRequest, .user = "ann")->base;
	const char *text = arena_strndup(rpc_arena(call), (const char *)input->bytes, input->size),
		   *why;
	PageToken *token = NULL, *read = NULL;

	if (!page_token_read(call, request, text, &read) && read)
		abort();
	token = (PageToken *)rpc_unpack(rpc_arena(call), &PageToken_descriptor, input->bytes,
					input->size, &why);
	if (token && input->size < 1024)
		if (page_token_read(call, request, page_token_write(call, request, token), &read) ||
		    !rpc_message_equal(&token->base, &read->base))
			abort();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct input input = { bytes, size };
	struct rpc_call *call = rpc_call_new("fuzz", 10000);

	secret_set("the secret of tests, which is none at all");
	rpc_call_run(call, read_token, &input);
	rpc_call_free(call);
	return 0;
}
