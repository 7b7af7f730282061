/* Path templates of google.api.http, such as "/v1/carts/{cart}:clear". */
#pragma once

#include "schema.h"
#include <crpc/route.h>

enum { TEMPLATE_SEGMENTS_MAX = 32, TEMPLATE_VARIABLES_MAX = 16, TEMPLATE_LITERAL_MAX = 255 };

struct template
{
	struct route_segment segments[TEMPLATE_SEGMENTS_MAX];
	size_t n_segments;
	struct route_variable variables[TEMPLATE_VARIABLES_MAX];
	size_t n_variables;
	const char *verb; /* or NULL */
};

/* NULL, or a sentence that says what is wrong. */
const char *template_parse(struct arena *arena, const char *text, struct template *ret);

/*
 * The order of routes: segment by segment, a literal before `*` before `**`, literals in strcmp()'s
 * order, the shorter first; then the verb (none first), then the HTTP method. 0: the same requests
 * would match both.
 */
int template_compare(const struct template *a, const char *a_method, const struct template *b,
		     const char *b_method);
