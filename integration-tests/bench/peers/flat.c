/* What must not grow: nanoseconds of a route's match among few and many, and of a printed byte of
 * small and large JSON. */
#include "../../../gateway/router.h"
#include "../../../gateway/test_template.h"
#include "catalog.msg.h"
#include <crpc/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MATCHES = 400000, ARENA = 256 << 20, PRINTED = 64 << 20 };

static double now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static double match_ns(int n)
{
	struct arena *arena = arena_new(ARENA);
	struct route *routes = arena_alloc(arena, (size_t)n * sizeof(*routes));
	struct router *router;
	struct router_match match;
	char *error = NULL, path[64];
	double began;

	for (int i = 0; i < n; i++) {
		char *template = arena_alloc(arena, 64);

		snprintf(template, 64, "/v1/{name=things%d/*}:go%d", i / 4, i % 4);
		routes[i] = template_route(arena, "POST", template);
	}
	router = router_new(routes, (size_t)n, &error);
	if (!router)
		exit(EXIT_FAILURE);
	began = now_ns();
	for (int i = 0; i < MATCHES; i++) {
		int at = (int)((unsigned)i * 2654435761u % (unsigned)n);
		int length = snprintf(path, sizeof(path), "/v1/things%d/x:go%d", at / 4, at % 4);

		router_match(router, "POST", path, (size_t)length, &match);
		if (match.route != &routes[at])
			exit(EXIT_FAILURE);
	}
	began = (now_ns() - began) / MATCHES;
	router_free(router);
	arena_free(arena);
	return began;
}

static double print_ns_a_byte(size_t n)
{
	struct arena *memory = arena_new(ARENA), *arena = arena_new(ARENA);
	Product **products = arena_alloc(memory, n * sizeof(*products));
	ListProductsResponse *list =
		MSG(ListProductsResponse, .n_products = n, .products = products);
	struct rpc_json_error error;
	size_t printed = 0, length;
	double began;

	for (size_t i = 0; i < n; i++)
		products[i] = arena_memdup(
			memory,
			MSG(Product, .name = "products/mint-tea",
			    .display_name = "Moroccan Mint Tea",
			    .description = "Gunpowder green tea, rolled \"tight\", with nana mint.",
			    .etag = "\"17\"", .tax_class = PRODUCT_TAX_CLASS_REDUCED),
			sizeof(Product));
	began = now_ns();
	while (printed < PRINTED) {
		if (!rpc_json_print(arena, &(struct rpc_json_options){ 0 }, &list->base, &length,
				    &error))
			exit(EXIT_FAILURE);
		printed += length;
		arena_reset(arena);
	}
	began = (now_ns() - began) / (double)printed;
	arena_free(arena);
	arena_free(memory);
	return began;
}

int main(void)
{
	printf("{\"match_ns\": {\"20\": %.1f, \"2000\": %.1f}, \"print_ns_a_byte\": {",
	       match_ns(20), match_ns(2000));
	for (size_t n = 10; n <= 20000; n *= n < 10000 ? 10 : 2)
		printf("%s\"%zu\": %.3f", n > 10 ? ", " : "", n, print_ns_a_byte(n));
	puts("}}");
	return EXIT_SUCCESS;
}
