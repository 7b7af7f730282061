/* Routes: from an HTTP method and a path to a generated route, and the variables in the path. */
#pragma once

#include <crpc/arena.h>
#include <crpc/route.h>

/*
 * A trie over the segments of all templates. Its edges stand in one hash table, keyed by node and
 * text, so that a match costs the same with 20 routes and with 2,000. A literal wins over `*`, and
 * `*` over `**`; where the better edge leads nowhere the next one is tried. A verb is an edge as
 * well: ":cancel".
 */
struct router;

/* Routes must outlive the router. NULL with *error (malloc()ed) when two routes answer to the same
 * requests. */
struct router *router_new(const struct route *routes, size_t n_routes, char **error);
struct router *router_free(struct router *router);

enum { ROUTER_SEGMENTS_MAX = 32 };

struct router_segment {
	const char *text; /* of the path, as it came */
	size_t length;
};

struct router_match {
	const struct route *route; /* NULL: the path has no route for this method */
	uint32_t methods;    /* bits of the methods that the path has routes for; 0: unknown path */
	unsigned n_segments; /* without the verb */
	unsigned n_looks;    /* edges compared: what the match cost */
	struct router_segment segments[ROUTER_SEGMENTS_MAX];
};

/* `path` begins with '/', is without query. Its escapes must be well formed: router_path_valid().
 */
void router_match(const struct router *router, const char *method, const char *path, size_t length,
		  struct router_match *ret);
/* Whether all is printable ASCII and each '%' begins an escape of a byte other than NUL. */
bool router_path_valid(const char *path, size_t length);

/* "GET, POST" for the header Allow; HEAD and OPTIONS come with it. */
const char *router_allow(const struct router *router, uint32_t methods, struct arena *arena);

/*
 * The text of a variable: one segment unescaped, several joined with '/'. An escaped slash among
 * several stays escaped, so that no id can pose as a path.
 */
char *router_variable(const struct router_match *match, const struct route_variable *variable,
		      struct arena *arena, size_t *length);
