/* HTTP routes: what the generator writes of google.api.http, for the gateway. */
#pragma once

#include <crpc/server.h>

/* A template's segment: a literal, `*` or `**`. */
struct route_segment {
	enum { SEGMENT_LITERAL, SEGMENT_ONE, SEGMENT_REST } kind;
	const char *literal;
};

/* A variable: a field path and the segments that it takes, [first, first + count). */
struct route_variable {
	const char *field;
	uint8_t first, count;
};

struct route {
	const char *http_method; /* "GET", or what `custom` names: "*" is any that no other route of
				    the path has, but OPTIONS */
	const char *template;    /* as written: "/v1/carts/{cart}:clear" */
	const struct route_segment *segments;
	uint8_t n_segments;
	const char *verb; /* "clear", or NULL */
	const struct route_variable *variables;
	uint8_t n_variables;
	const char *body;          /* "*", a field, or NULL: none */
	const char *response_body; /* a field, or NULL: the whole message */
	const struct rpc_service *service;
	const struct rpc_method *method;
};

/*
 * All routes and types of a set of protos, generated once over them: `--crpc_opt=...,aggregate=NAME` defines `NAME_routes[]`,
 * `n_NAME_routes`, `NAME_types` and the OpenAPI document `NAME_openapi[]`, `n_NAME_openapi`.
 */
