/* Any bytes from a client, HTTP/1.1 or HTTP/2. */
#include "client.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	exchange(bytes, size);
	return 0;
}
