/* For tests: routes out of templates, as protoc-gen-crpc compiles them. */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <crpc/route.h>

enum { TEMPLATE_SEGMENTS = 16, TEMPLATE_VARIABLES = 4 };

struct template {
	struct rpc_method method;
	struct route_segment segments[TEMPLATE_SEGMENTS];
	struct route_variable variables[TEMPLATE_VARIABLES];
	char text[256];
};

static char *template_segments(struct template *template, struct route *route, char *at, const char *end_at)
{
	while (*at && !strchr(end_at, *at)) {
		char *end = at + strcspn(at, "/}:");
		struct route_segment *segment = &template->segments[route->n_segments++];
		size_t length = (size_t)(end - at);

		if (length == 1 && *at == '*')
			segment->kind = SEGMENT_ONE;
		else if (length == 2 && !memcmp(at, "**", 2))
			segment->kind = SEGMENT_REST;
		else
			segment->literal = strndup(at, length);
		at = *end == '/' ? end + 1 : end;
	}
	return at;
}

/* "/v1/carts/{cart}:clear". What it allocates lives as long as the test. */
static inline struct route template_route(const char *http_method, const char *text)
{
	struct template *template = calloc(1, sizeof(*template));
	struct route route = { .http_method = http_method, .segments = template->segments,
	                       .variables = template->variables, .method = &template->method };
	char *at = template->text + 1;

	snprintf(template->text, sizeof(template->text), "%s", text);
	template->method.path = route.template = strdup(text);
	while (*at && *at != ':') {
		if (*at == '{') {
			struct route_variable *variable = &template->variables[route.n_variables++];
			char *end = at + strcspn(at, "=}");

			variable->field = strndup(at + 1, (size_t)(end - at - 1));
			variable->first = route.n_segments;
			if (*end == '=')
				end = template_segments(template, &route, end + 1, "}");
			else
				template->segments[route.n_segments++].kind = SEGMENT_ONE;
			variable->count = (uint8_t)(route.n_segments - variable->first);
			at = end + 1;
			at += *at == '/';
		} else {
			at = template_segments(template, &route, at, "{:");
		}
	}
	if (*at == ':')
		route.verb = strdup(at + 1);
	return route;
}
