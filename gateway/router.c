/* Routes. */
#include "router.h"
#include "percent.h"
#include <common/hash.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { METHODS_MAX = 32, LITERAL_MAX = 255 };

/* A route that ends here, one for each method. */
struct end {
	struct end *next;
	uint32_t method; /* a bit */
	const struct route *route;
};

struct node {
	struct node *one;  /* `*` */
	struct node *rest; /* `**`: the last segments; only verbs go on from there */
	struct end *ends;
	uint32_t methods;        /* of `ends` */
	const struct route *any; /* of the methods that they leave */
	bool branches;           /* has literal edges */
};

struct edge {
	struct edge *next;
	const struct node *from;
	struct node *to;
	uint32_t hash;
	uint32_t length;
	char text[];
};

struct router {
	struct node root;
	struct edge **edges; /* buckets */
	size_t n_buckets;
	const char *methods[METHODS_MAX]; /* names, by bit */
	unsigned n_methods;
};

static uint32_t hash_edge(const struct node *from, const char *text, size_t length)
{
	return (uint32_t)hash_bytes((uintptr_t)from, text, length);
}

static struct node *find_edge(const struct router *router, const struct node *from,
			      const char *text, size_t length, unsigned *looks)
{
	uint32_t hash;

	if (!from->branches)
		return NULL;
	hash = hash_edge(from, text, length);
	for (const struct edge *edge = router->edges[hash & (router->n_buckets - 1)]; edge;
	     edge = edge->next) {
		++*looks;
		if (edge->hash == hash && edge->from == from && edge->length == length &&
		    !memcmp(edge->text, text, length))
			return edge->to;
	}
	return NULL;
}

static struct node *add_edge(struct router *router, struct node *from, const char *text,
			     size_t length)
{
	unsigned looks = 0;
	struct node *node = find_edge(router, from, text, length, &looks);
	struct edge *edge, **bucket;

	if (node)
		return node;
	edge = malloc(sizeof(*edge) + length);
	node = calloc(1, sizeof(*node));
	if (!edge || !node) {
		free(edge);
		free(node);
		return NULL;
	}
	*edge = (struct edge){ .from = from,
			       .to = node,
			       .hash = hash_edge(from, text, length),
			       .length = (uint32_t)length };
	memcpy(edge->text, text, length);
	bucket = &router->edges[edge->hash & (router->n_buckets - 1)];
	edge->next = *bucket;
	*bucket = edge;
	from->branches = true;
	return node;
}

static uint32_t method_bit(const struct router *router, const char *name)
{
	for (unsigned i = 0; i < router->n_methods; i++)
		if (!strcmp(router->methods[i], name))
			return UINT32_C(1) << i;
	return 0;
}

static int add_method(struct router *router, const char *name, uint32_t *ret)
{
	uint32_t bit = method_bit(router, name);

	if (!bit) {
		if (router->n_methods == METHODS_MAX)
			return -ENOSPC;
		bit = UINT32_C(1) << router->n_methods;
		router->methods[router->n_methods++] = name;
	}
	*ret = bit;
	return 0;
}

static struct node *child(struct node **slot)
{
	if (!*slot)
		*slot = calloc(1, sizeof(**slot));
	return *slot;
}

static struct node *add_verb(struct router *router, struct node *node, const char *verb)
{
	char text[LITERAL_MAX + 2];
	int length = snprintf(text, sizeof(text), ":%s", verb);

	return length > LITERAL_MAX ? NULL : add_edge(router, node, text, (size_t)length);
}

/* 0, -ENOMEM, or -EEXIST with *ret the route that is there already. */
static int add_route(struct router *router, const struct route *route, const struct route **ret)
{
	struct node *node = &router->root;
	struct end *end;
	uint32_t method;
	int r;

	for (unsigned i = 0; i < route->n_segments && node; i++) {
		const struct route_segment *segment = &route->segments[i];

		if (segment->kind == SEGMENT_ONE)
			node = child(&node->one);
		else if (segment->kind == SEGMENT_REST)
			node = child(&node->rest);
		else
			node = add_edge(router, node, segment->literal, strlen(segment->literal));
	}
	if (node && route->verb)
		node = add_verb(router, node, route->verb);
	if (!node)
		return -ENOMEM;

	if (!strcmp(route->http_method, "*")) {
		*ret = node->any;
		node->any = route;
		return *ret ? -EEXIST : 0;
	}
	r = add_method(router, route->http_method, &method);
	if (r)
		return r;
	for (end = node->ends; end; end = end->next) {
		if (end->method == method) {
			*ret = end->route;
			return -EEXIST;
		}
	}
	end = malloc(sizeof(*end));
	if (!end)
		return -ENOMEM;
	*end = (struct end){ node->ends, method, route };
	node->ends = end;
	node->methods |= method;
	/* A stream has no HEAD. For Allow alone: whoever asks for HEAD is given the route of GET. */
	if (strcmp(route->http_method, "GET") || route->method->server_streaming ||
	    route->method->client_streaming)
		return 0;
	r = add_method(router, "HEAD", &method);
	if (!r)
		node->methods |= method;
	return r;
}

struct router *router_new(const struct route *routes, size_t n_routes, char **error)
{
	struct router *router = calloc(1, sizeof(*router));
	const struct route *other = NULL;
	size_t i;
	int r = -ENOMEM;

	if (!router)
		goto fail;
	/* Two buckets an edge, on average fewer than two edges a route. */
	for (router->n_buckets = 64; router->n_buckets < n_routes * 4; router->n_buckets *= 2)
		;
	router->edges = calloc(router->n_buckets, sizeof(*router->edges));
	if (!router->edges)
		goto fail;
	for (i = 0; i < n_routes; i++) {
		r = add_route(router, &routes[i], &other);
		if (r)
			goto fail;
	}
	return router;
fail:
	if (r == -EEXIST) {
		if (asprintf(error, "%s and %s both answer %s %s", other->method->path,
			     routes[i].method->path, routes[i].http_method, routes[i].template) < 0)
			*error = NULL;
	} else if (asprintf(error, "cannot make the route table: %s", strerror(-r)) < 0) {
		*error = NULL;
	}
	return router_free(router);
}

static void node_deinit(struct node *node)
{
	struct end *next;

	for (struct end *end = node->ends; end; end = next) {
		next = end->next;
		free(end);
	}
	if (node->one)
		node_deinit(node->one);
	if (node->rest)
		node_deinit(node->rest);
	free(node->one);
	free(node->rest);
}

struct router *router_free(struct router *router)
{
	struct edge *next;

	if (!router)
		return NULL;
	for (size_t i = 0; router->edges && i < router->n_buckets; i++) {
		for (struct edge *edge = router->edges[i]; edge; edge = next) {
			next = edge->next;
			node_deinit(edge->to);
			free(edge->to);
			free(edge);
		}
	}
	node_deinit(&router->root);
	free(router->edges);
	free(router);
	return NULL;
}

bool router_path_valid(const char *path, size_t length)
{
	if (!length || path[0] != '/')
		return false;
	for (size_t i = 0; i < length; i++) {
		if (path[i] <= ' ' || path[i] > '~')
			return false;
		if (path[i] != '%')
			continue;
		if (length - i < 3 || percent_byte(path + i) <= 0)
			return false;
		i += 2;
	}
	return true;
}

/* A path has too many segments for any route: false. */
static bool split(const char *path, size_t length, struct router_match *match)
{
	const char *end = path + length;

	match->n_segments = 0;
	for (const char *at = path; at < end;) {
		const char *start = at + 1; /* behind the '/' */
		const char *slash = memchr(start, '/', (size_t)(end - start));

		at = slash ? slash : end;
		if (match->n_segments == ROUTER_SEGMENTS_MAX)
			return false;
		match->segments[match->n_segments++] =
			(struct router_segment){ start, (size_t)(at - start) };
	}
	return true;
}

struct search {
	const struct router *router;
	const struct router_match *match;
	const struct router_segment *verb; /* with its colon; or NULL */
	uint32_t method;
	uint32_t methods; /* found on the way */
	bool takes_any;
	unsigned looks;
	const struct route *route;
};

static void find_end(struct search *search, const struct node *node)
{
	if (search->verb)
		node = find_edge(search->router, node, search->verb->text, search->verb->length,
				 &search->looks);
	if (!node)
		return;
	search->methods |= node->methods;
	if (!(node->methods & search->method)) {
		if (search->takes_any)
			search->route = node->any;
		return;
	}
	for (const struct end *end = node->ends; end && !search->route; end = end->next)
		if (end->method == search->method)
			search->route = end->route;
}

static const struct node *find_literal(struct search *search, const struct node *node,
				       const struct router_segment *segment)
{
	char plain[LITERAL_MAX];
	size_t length;

	if (!memchr(segment->text, '%', segment->length))
		return find_edge(search->router, node, segment->text, segment->length,
				 &search->looks);
	if (segment->length > sizeof(plain) * 3)
		return NULL;
	length = percent_decode(plain, sizeof(plain), segment->text, segment->length, NULL);
	return length > sizeof(plain)
		       ? NULL
		       : find_edge(search->router, node, plain, length, &search->looks);
}

/* Each node is visited at most once: what it costs is bounded by the trie's branches that the path
 * fits, not by its size. */
static void descend(struct search *search, const struct node *node, unsigned depth)
{
	const struct router_segment *segment = &search->match->segments[depth];
	const struct node *next;

	if (depth == search->match->n_segments) {
		find_end(search, node);
	} else {
		next = find_literal(search, node, segment);
		if (next)
			descend(search, next, depth + 1);
		if (!search->route && node->one && segment->length)
			descend(search, node->one, depth + 1);
	}
	if (!search->route && node->rest)
		find_end(search, node->rest);
}

void router_match(const struct router *router, const char *method, const char *path, size_t length,
		  struct router_match *ret)
{
	struct search search = { .router = router,
				 .match = ret,
				 .method = method_bit(router, method),
				 .takes_any = strcmp(method, "OPTIONS") != 0 };
	struct router_segment *last, whole, verb;
	const char *colon;

	ret->route = NULL;
	ret->methods = 0;
	ret->n_looks = 0;
	if (!split(path, length, ret) || !ret->n_segments)
		return;

	/* A colon in the last segment begins a verb, if a route has it; else it is part of an id.
	 */
	last = &ret->segments[ret->n_segments - 1];
	colon = memrchr(last->text, ':', last->length);
	if (colon) {
		whole = *last;
		verb = (struct router_segment){ colon,
						(size_t)(last->text + last->length - colon) };
		last->length -= verb.length;
		search.verb = &verb;
		descend(&search, &router->root, 0);
		if (!search.methods && !search.route) {
			*last = whole;
			search.verb = NULL;
		}
	}
	if (!search.methods && !search.route)
		descend(&search, &router->root, 0);
	ret->route = search.route;
	ret->methods = search.methods;
	ret->n_looks = search.looks;
}

const char *router_allow(const struct router *router, uint32_t methods, struct arena *arena)
{
	const char *allow = "OPTIONS";
	uint32_t head = method_bit(router, "HEAD");

	for (unsigned i = 0; i < router->n_methods; i++)
		if (methods >> i & 1 && UINT32_C(1) << i != head)
			allow = arena_printf(arena, "%s, %s", router->methods[i], allow);
	return methods & head ? arena_printf(arena, "HEAD, %s", allow) : allow;
}

char *router_variable(const struct router_match *match, const struct route_variable *variable,
		      struct arena *arena, size_t *length)
{
	const struct route_segment *segments = match->route->segments;
	unsigned last = variable->first + variable->count;
	bool several = variable->count > 1;
	size_t size = 0, used = 0;
	char *text;

	/* `**` stands at the end of a template and takes whatever is left. */
	if (variable->count && segments[last - 1].kind == SEGMENT_REST) {
		last = match->n_segments;
		several = true;
	}
	for (unsigned i = variable->first; i < last; i++)
		size += match->segments[i].length + 1;
	text = arena_alloc(arena, size + 1);
	for (unsigned i = variable->first; i < last; i++) {
		const struct router_segment *segment = &match->segments[i];

		if (i > variable->first)
			text[used++] = '/';
		used += percent_decode(text + used, segment->length, segment->text, segment->length,
				       several ? "/" : NULL);
	}
	text[used] = '\0';
	*length = used;
	return text;
}
