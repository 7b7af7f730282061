/* Any bytes as a path: matched or not, its variables taken out, within bounds. */
#include "../router.h"
#include "../test_template.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static struct route routes[8];
	static struct router *router;
	static struct arena *table, *memory;
	struct router_match match;
	const char *path = (const char *)bytes;

	if (!router) {
		static const char *const templates[] = {
			"/v1/a",
			"/v1/{name=a/*}",
			"/v1/{name=a/*}:verb",
			"/v1/*/b/{c=d/**}",
			"/v1/a/{b}",
			"/v1/{x}/{y=b/*}/{z}",
			"/v1/{rest=**}:describe",
			"/{deep.field.path=a/b/*/c}/**",
		};

		table = arena_new(1 << 24);
		memory = arena_new(1 << 24);
		for (int i = 0; i < 8; i++)
			routes[i] = template_route(table, i == 4 ? "POST" : "GET", templates[i]);
		router = router_new(routes, 8, &(char *){ NULL });
		if (!router)
			abort();
	}
	if (!router_path_valid(path, size))
		return 0;
	router_match(router, "GET", path, size, &match);
	if (match.methods)
		router_allow(router, match.methods, memory);
	for (unsigned i = 0; match.route && i < match.route->n_variables; i++) {
		size_t length;
		char *text = router_variable(&match, &match.route->variables[i], memory, &length);

		if (length > size || strlen(text) != length)
			abort();
	}
	arena_reset(memory);
	return 0;
}
