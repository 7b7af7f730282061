/* Any bytes as a query: pairs that are no longer than it, an end. */
#include "../query.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static struct arena *memory;
	struct query query = { (const char *)bytes, (const char *)bytes + size };
	struct query_pair pair;
	size_t total = 0;

	if (!memory)
		memory = arena_new(1 << 26);
	while (query_next(&query, memory, &pair) > 0) {
		total += pair.name_length + pair.value_length;
		if (total > size || pair.name[pair.name_length] || pair.value[pair.value_length])
			abort();
	}
	arena_reset(memory);
	return 0;
}
