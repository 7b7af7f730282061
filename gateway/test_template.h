/* For tests: routes out of templates, as protoc-gen-crpc compiles them. */
#pragma once

#include <crpc/arena.h>
#include <crpc/route.h>
#include <stdio.h>
#include <string.h>

enum { TEMPLATE_SEGMENTS = 16, TEMPLATE_VARIABLES = 4 };

struct template
{
	struct rpc_method method;
	struct route_segment segments[TEMPLATE_SEGMENTS];
	struct route_variable variables[TEMPLATE_VARIABLES];
	char text[256];
};

static char *template_segments(struct arena *memory, struct template *template, struct route *route,
			       char *at, const char *end_at)
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
			segment->literal = arena_strndup(memory, at, length);
		at = *end == '/' ? end + 1 : end;
	}
	return at;
}

/* "/v1/carts/{cart}:clear" */
static inline struct route template_route(struct arena *memory, const char *http_method,
					  const char *text)
{
	struct template *template = arena_alloc(memory, sizeof(*template));
	struct route route = { .http_method = http_method,
			       .segments = template->segments,
			       .variables = template->variables,
			       .method = &template->method };
	char *at = template->text + 1;

	snprintf(template->text, sizeof(template->text), "%s", text);
	template->method.path = route.template = arena_strndup(memory, text, strlen(text));
	while (*at && *at != ':') {
		if (*at == '{') {
			struct route_variable *variable = &template->variables[route.n_variables++];
			char *end = at + strcspn(at, "=}");

			variable->field = arena_strndup(memory, at + 1, (size_t)(end - at - 1));
			variable->first = route.n_segments;
			if (*end == '=')
				end = template_segments(memory, template, &route, end + 1, "}");
			else
				template->segments[route.n_segments++].kind = SEGMENT_ONE;
			variable->count = (uint8_t)(route.n_segments - variable->first);
			at = end + 1;
			at += *at == '/';
		} else {
			at = template_segments(memory, template, &route, at, "{:");
		}
	}
	if (*at == ':')
		route.verb = arena_strndup(memory, at + 1, strlen(at + 1));
	return route;
}
