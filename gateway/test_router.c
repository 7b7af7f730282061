/* Which request goes to which route. */
#include "router.h"
#include "test_template.h"
#include <stdlib.h>
#include <test.h>

static struct arena *memory;
static struct route routes[32];
static size_t n_routes;
static struct router *router;

static void setup(void)
{
	static const char *const templates[][2] = {
		{ "GET", "/v1/products" },
		{ "POST", "/v1/products" },
		{ "GET", "/v1/products:search" },
		{ "GET", "/v1/{name=products/*}" },
		{ "PATCH", "/v1/{product.name=products/*}" },
		{ "POST", "/v1/{name=products/*}:publish" },
		{ "GET", "/v1/{parent=products/*}/images/{image}" },
		{ "GET", "/v1/products/featured" },
		{ "GET", "/v1/users/me" },
		{ "POST", "/v1/users/*/{rest=addresses/**}" },
		{ "GET", "/v1/files/{path=**}" },
		{ "GET", "/v1/files/{path=**}:describe" },
		{ "SUBSCRIBE", "/v1/topics/{topic}" },
		{ "*", "/v1/pages/{page}" },
		{ "PUT", "/v1/pages/{page}" },
		{ "GET", "/v1/{name=shelves/*/books/**}" },
		{ "GET", "/v1/{name=*}/{item=*}/parts" },
	};

	memory = arena_new(16 << 20);
	n_routes = sizeof(templates) / sizeof(*templates);
	for (size_t i = 0; i < n_routes; i++)
		routes[i] = template_route(memory, templates[i][0], templates[i][1]);
	router = router_new(routes, n_routes, &(char *){ NULL });
	ck_assert_ptr_nonnull(router);
}

static void teardown(void)
{
	router = router_free(router);
	memory = arena_free(memory);
}

static struct router_match match(const char *method, const char *path)
{
	struct router_match match;

	ck_assert(router_path_valid(path, strlen(path)));
	router_match(router, method, path, strlen(path), &match);
	return match;
}

static const struct {
	const char *method, *path, *template,
		*variable; /* "name=products/tea", or NULL: no variable */
} matches[] = {
	{ "GET", "/v1/products", "/v1/products", NULL },
	{ "POST", "/v1/products", "/v1/products", NULL },
	{ "GET", "/v1/products:search", "/v1/products:search", NULL },
	{ "GET", "/v1/products/tea", "/v1/{name=products/*}", "name=products/tea" },
	{ "PATCH", "/v1/products/tea", "/v1/{product.name=products/*}",
	  "product.name=products/tea" },
	{ "POST", "/v1/products/tea:publish", "/v1/{name=products/*}:publish",
	  "name=products/tea" },
	{ "GET", "/v1/products/tea/images/front", "/v1/{parent=products/*}/images/{image}",
	  "parent=products/tea" },
	/* a literal wins over a wildcard, for its method */
	{ "GET", "/v1/products/featured", "/v1/products/featured", NULL },
	{ "PATCH", "/v1/products/featured", "/v1/{product.name=products/*}",
	  "product.name=products/featured" },
	{ "GET", "/v1/products/featured/images/1", "/v1/{parent=products/*}/images/{image}",
	  "parent=products/featured" },
	/* a colon that is no verb belongs to the id */
	{ "GET", "/v1/products/a:b", "/v1/{name=products/*}", "name=products/a:b" },
	{ "GET", "/v1/products/a:b:", "/v1/{name=products/*}", "name=products/a:b:" },
	/* escapes */
	{ "GET", "/v1/products/gr%C3%BCn%20tee", "/v1/{name=products/*}",
	  "name=products/gr\xC3\xBCn tee" },
	{ "GET", "/v1/%70roducts", "/v1/products", NULL },
	{ "GET", "/v1/products/a%2Fimages%2Fb", "/v1/{name=products/*}",
	  "name=products/a%2Fimages%2Fb" },
	{ "SUBSCRIBE", "/v1/topics/a%2fb", "/v1/topics/{topic}", "topic=a/b" },
	/* the rest */
	{ "GET", "/v1/files/a/b/c.txt", "/v1/files/{path=**}", "path=a/b/c.txt" },
	{ "GET", "/v1/files/a%2Fb/c", "/v1/files/{path=**}", "path=a%2Fb/c" },
	{ "GET", "/v1/files", "/v1/files/{path=**}", "path=" },
	{ "GET", "/v1/files/a/b:describe", "/v1/files/{path=**}:describe", "path=a/b" },
	{ "GET", "/v1/shelves/a/books", "/v1/{name=shelves/*/books/**}", "name=shelves/a/books" },
	{ "GET", "/v1/shelves/a/books/b/c", "/v1/{name=shelves/*/books/**}",
	  "name=shelves/a/books/b/c" },
	{ "GET", "/v1/a/b/parts", "/v1/{name=*}/{item=*}/parts", "name=a" },
	/* any method that no other route takes */
	{ "GET", "/v1/pages/a", "/v1/pages/{page}", "page=a" },
	{ "NONSENSE", "/v1/pages/a", "/v1/pages/{page}", "page=a" },
	{ "PUT", "/v1/pages/a", "/v1/pages/{page}", "page=a" },
	{ "POST", "/v1/users/7/addresses/1/2", "/v1/users/*/{rest=addresses/**}",
	  "rest=addresses/1/2" },
};

TEST_EACH(a_request_finds_its_route, matches)
{
	struct router_match found = match(row->method, row->path);
	const struct route_variable *variable;
	size_t length;

	ck_assert_msg(found.route, "no route for %s %s", row->method, row->path);
	ck_assert_str_eq(found.route->template, row->template);
	if (!row->variable)
		return;
	variable = &found.route->variables[0];
	ck_assert_str_eq(arena_printf(memory, "%s=%s", variable->field,
				      router_variable(&found, variable, memory, &length)),
			 row->variable);
	ck_assert_uint_eq(length, strlen(row->variable) - strlen(variable->field) - 1);
}

static const struct {
	const char *method, *path, *allow; /* NULL: the path is unknown */
} misses[] = {
	{ "DELETE", "/v1/products", "HEAD, POST, GET, OPTIONS" },
	{ "GET", "/v1/products/tea:publish", "POST, OPTIONS" },
	{ "POST", "/v1/products:search", "HEAD, GET, OPTIONS" },
	{ "OPTIONS", "/v1/pages/a", "PUT, OPTIONS" },
	{ "NONSENSE", "/v1/topics/x", "SUBSCRIBE, OPTIONS" },
	{ "GET", "/", NULL },
	{ "GET", "/v1", NULL },
	{ "GET", "/v1/", NULL },
	{ "GET", "/v1/products/", NULL },
	{ "GET", "/v1//products", NULL },
	{ "GET", "/v1/products/tea/images", NULL },
	{ "GET", "/v1/products/tea/images/", NULL },
	{ "GET", "/v1/products/tea/images/1/2", NULL },
	{ "GET", "/v2/products", NULL },
	{ "GET", "/v1/Products", NULL },
	{ "GET", "/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5", NULL },
};

TEST_EACH(a_request_without_a_route_learns_what_is_allowed, misses)
{
	struct router_match found = match(row->method, row->path);

	ck_assert_ptr_null(found.route);
	if (!row->allow)
		ck_assert_uint_eq(found.methods, 0);
	else
		ck_assert_str_eq(router_allow(router, found.methods, memory), row->allow);
}

static const struct {
	const char *path;
	bool valid;
} paths[] = {
	{ "/", true },     { "/a%20b", true },     { "/%41%fF", true }, { "", false },
	{ "v1", false },   { "*", false },         { "/a b", false },   { "/a\x7f", false },
	{ "/a\n", false }, { "/\xC3\xBC", false }, { "/%", false },     { "/%4", false },
	{ "/%zz", false }, { "/%4g", false },      { "/%00", false },
};

TEST_EACH(a_path_is_printable_ascii_with_whole_escapes, paths)
{
	ck_assert_int_eq(router_path_valid(row->path, strlen(row->path)), row->valid);
}

TEST(a_methods_own_route_wins_over_one_for_all)
{
	ck_assert_str_eq(match("PUT", "/v1/pages/a").route->http_method, "PUT");
	ck_assert_str_eq(match("DELETE", "/v1/pages/a").route->http_method, "*");
}

TEST(two_methods_with_one_route_are_refused)
{
	struct route same[] = { template_route(memory, "GET", "/v1/{name=carts/*}"),
				template_route(memory, "GET", "/v1/carts/{cart}") };
	char *error = NULL;

	ck_assert_ptr_null(router_new(same, 2, &error));
	ck_assert_str_eq(
		error, "/v1/{name=carts/*} and /v1/carts/{cart} both answer GET /v1/carts/{cart}");
	free(error);
}

/* Finds each of so many routes; how many edges a match looked at, on average, in hundredths. */
static unsigned find_all(int n)
{
	static struct route many[2000];
	struct router_match found;
	struct router *large;
	char template[64];
	unsigned looks = 0;

	for (int i = 0; i < n; i++) {
		snprintf(template, sizeof(template), "/v1/{name=things%d/*}/parts:verb%d", i / 4,
			 i % 4);
		many[i] = template_route(memory, "GET", template);
	}
	large = router_new(many, (size_t)n, &(char *){ NULL });
	for (int i = 0; i < n; i++) {
		snprintf(template, sizeof(template), "/v1/things%d/x/parts:verb%d", i / 4, i % 4);
		router_match(large, "GET", template, strlen(template), &found);
		ck_assert_ptr_eq(found.route, &many[i]);
		looks += found.n_looks;
	}
	router_free(large);
	return looks * 100 / (unsigned)n;
}

TEST(a_match_costs_the_same_among_twenty_routes_and_two_thousand)
{
	unsigned few = find_all(20), many = find_all(2000);

	/* Three literals and a verb, and now and then another edge in the same bucket. */
	ck_assert_uint_ge(few, 400);
	ck_assert_uint_lt(few, 600);
	ck_assert_uint_lt(many, 600);
}

TEST_MAIN("router", setup, teardown)
