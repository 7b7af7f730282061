/* Any bytes as the headers, and what follows them, of a request that would be good without: routes
 * of each kind, chosen by the first byte. */
#include "client.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static const char *const heads[] = {
		"GET /v1/shelves/1/books/2 HTTP/1.1\r\nHost: a\r\n",
		"GET /v1/shelves/1/books/2:watch HTTP/1.1\r\nHost: a\r\n",
		"POST /v1/shelves/1/books HTTP/1.1\r\nHost: a\r\n",
		"PATCH /v1/shelves/1/books/2 HTTP/1.1\r\nHost: a\r\n",
		"POST /v1/shelves/1/books/2/scans HTTP/1.1\r\nHost: a\r\n",
		"OPTIONS /v1/shelves/1/books/2 HTTP/1.1\r\nHost: a\r\n",
		"GET /openapi.json HTTP/1.1\r\nHost: a\r\n",
		"HEAD /docs HTTP/1.1\r\nHost: a\r\n",
	};
	static uint8_t request[1 << 16];
	const char *head;
	size_t length;

	if (!size)
		return 0;
	head = heads[bytes[0] % (sizeof(heads) / sizeof(*heads))];
	length = strlen(head);
	if (length + size > sizeof(request))
		return 0;
	memcpy(request, head, length);
	memcpy(request + length, bytes + 1, size - 1);
	exchange(request, length + size - 1);
	return 0;
}
