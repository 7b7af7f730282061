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
	const char *http_method; /* "GET", or what `custom` names */
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

/* All of a platform's routes and types; generated once over all protos (`--crpc_out=routes=souk`). */
extern const struct route souk_routes[];
extern const size_t n_souk_routes;
extern const struct rpc_type_registry souk_types;
extern const char souk_openapi[]; /* OpenAPI 3.1, JSON */
extern const size_t n_souk_openapi;
