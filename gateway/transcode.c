/* Between HTTP and messages. */
#include "transcode.h"
#include "etag.h"
#include "gateway.h"
#include "idempotency.h"
#include "query.h"
#include "response.h"
#include <crpc/client.h>
#include <crpc/json.h>
#include <httpbody.msg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const ProtobufCFieldDescriptor *find_field(const ProtobufCMessageDescriptor *descriptor,
						  const char *name)
{
	return protobuf_c_message_descriptor_get_field_by_name(descriptor, name);
}

static bool is_http_body(const ProtobufCMessageDescriptor *descriptor)
{
	return rpc_message_info(descriptor) &&
	       rpc_message_info(descriptor)->kind == RPC_KIND_HTTP_BODY;
}

/* Where the body goes to: the message's descriptor, or NULL for a field that is no message. */
static const ProtobufCMessageDescriptor *body_type(const struct route *route)
{
	const ProtobufCFieldDescriptor *field;

	if (!strcmp(route->body, "*"))
		return route->method->request;
	field = find_field(route->method->request, route->body);
	return field && field->type == PROTOBUF_C_TYPE_MESSAGE &&
			       field->label != PROTOBUF_C_LABEL_REPEATED
		       ? field->descriptor
		       : NULL;
}

/* What `curl --data` says of any text is taken at its content: without cookies no form of another
 * site can act for anyone. */
static bool is_json(const char *type)
{
	size_t length = strcspn(type, "; \t");

	return (length == 16 && !strncasecmp(type, "application/json", length)) ||
	       (length == 33 && !strncasecmp(type, "application/x-www-form-urlencoded", length)) ||
	       (length > 17 && !strncasecmp(type, "application/", 12) &&
		!strncasecmp(type + length - 5, "+json", 5));
}

void transcode_check_type(struct request *request)
{
	const struct route *route = request->match.route;
	const char *type = request_header(request, "content-type"),
		   *encoding = request_header(request, "content-encoding");
	const ProtobufCMessageDescriptor *target;

	if (!route || !route->body)
		return; /* what comes of a body is known when it is here */
	if (encoding && strcasecmp(encoding, "identity")) {
		rpc_fail_code(request->call, RPC_INVALID_ARGUMENT,
			      "The body must not be compressed.");
		request->refused = true;
		request->refused_status = 415;
		return;
	}
	target = body_type(route);
	if (!type || (target && is_http_body(target)) || is_json(type))
		return;
	rpc_fail_code(request->call, RPC_INVALID_ARGUMENT,
		      "The body must be JSON: send 'content-type: application/json'.");
	request->refused = true;
	request->refused_status = 415;
}

static int fail(struct rpc_call *call, const char *where, const struct rpc_json_error *error)
{
	if (!error->field[0])
		return rpc_fail_code(call, RPC_INVALID_ARGUMENT, "%s: %s (byte %zu)", where,
				     error->message, error->offset);
	rpc_violate(call, error->field, "%s", error->message);
	return rpc_violations(call);
}

static void fill_http_body(struct request *request, HttpBody *body)
{
	const char *type = request_header(request, "content-type");

	body->content_type = type ? type : "application/octet-stream";
	body->data.data = (uint8_t *)request->body.data;
	body->data.len = request->body.length;
}

static ProtobufCMessage *message_new(struct rpc_call *call,
				     const ProtobufCMessageDescriptor *descriptor)
{
	ProtobufCMessage *message = rpc_alloc(call, descriptor->sizeof_message);

	protobuf_c_message_init(descriptor, message);
	return message;
}

static int read_body(struct request *request, ProtobufCMessage *message)
{
	const struct route *route = request->match.route;
	const struct rpc_json_options options = { .types = request->worker->gateway->types };
	const struct buffer *body = &request->body;
	const ProtobufCMessageDescriptor *target;
	const ProtobufCFieldDescriptor *field;
	struct rpc_json_error error;
	int r;

	if (!route->body)
		return body->length ? rpc_fail_code(request->call, RPC_INVALID_ARGUMENT,
						    "%s %s takes no body.", request->method,
						    route->template)
				    : 0;
	target = body_type(route);
	if (!strcmp(route->body, "*")) {
		if (is_http_body(target)) {
			fill_http_body(request, (HttpBody *)message);
			return 0;
		}
		if (!body->length)
			return 0; /* as "{}" */
		r = rpc_json_parse(rpc_arena(request->call), &options, target, body->data,
				   body->length, &message, &error);
		return r ? fail(request->call, "The body is not valid JSON", &error) : 0;
	}

	field = find_field(route->method->request, route->body);
	if (target && is_http_body(target)) {
		ProtobufCMessage *inner = message_new(request->call, target);

		fill_http_body(request, (HttpBody *)inner);
		memcpy((char *)message + field->offset, &inner, sizeof(inner));
		return 0;
	}
	if (!body->length)
		return 0; /* if it must be there, the service says so and names it */
	r = rpc_json_parse_field(rpc_arena(request->call), &options, message, field, body->data,
				 body->length, &error);
	return r ? fail(request->call, "The body is not valid JSON", &error) : 0;
}

/* Whether a name in the query reaches into what path or body have set: "product.name" after
 * {product.name=...}. */
static bool within(const char *path, const char *name, size_t length)
{
	size_t size = strlen(path);

	return length >= size && !strncmp(name, path, size) &&
	       (length == size || name[size] == '.');
}

static int check_query_name(struct request *request, const struct query_pair *pair)
{
	const struct route *route = request->match.route;
	const char *why = NULL;

	if (!pair->name_length)
		why = "a parameter needs a name";
	else if (route->body && !strcmp(route->body, "*"))
		why = "this method takes its fields from the body, none from the query";
	else if (route->body && within(route->body, pair->name, pair->name_length))
		why = "the field comes from the body";
	for (unsigned i = 0; !why && i < route->n_variables; i++)
		if (within(route->variables[i].field, pair->name, pair->name_length))
			why = "the field comes from the path";
	if (!why)
		return 0;
	rpc_violate(request->call, pair->name_length <= 128 ? pair->name : "", "%s", why);
	return rpc_violations(request->call);
}

static int read_query(struct request *request, ProtobufCMessage *message)
{
	struct query query;
	struct query_pair pair;
	int pairs = 0, r;

	if (!request->query)
		return 0;
	query = (struct query){ request->query, request->query + request->query_length };
	while ((r = query_next(&query, rpc_arena(request->call), &pair))) {
		struct rpc_json_error error = { 0 };

		if (r < 0)
			return rpc_fail_code(request->call, RPC_INVALID_ARGUMENT,
					     "The query has a broken escape.");
		if (++pairs > QUERY_PAIRS_MAX)
			return rpc_fail_code(request->call, RPC_INVALID_ARGUMENT,
					     "The query has more than %d parameters.",
					     QUERY_PAIRS_MAX);
		r = check_query_name(request, &pair);
		if (r)
			return r;
		if (rpc_json_set(rpc_arena(request->call), message, pair.name, pair.name_length,
				 pair.value, pair.value_length, &error))
			return fail(request->call, "The query cannot be used", &error);
	}
	return 0;
}

static int read_path(struct request *request, struct arena *arena, ProtobufCMessage *message)
{
	const struct route *route = request->match.route;

	for (unsigned i = 0; i < route->n_variables; i++) {
		const struct route_variable *variable = &route->variables[i];
		struct rpc_json_error error = { 0 };
		size_t length;
		char *text = router_variable(&request->match, variable, arena, &length);

		if (rpc_json_set(arena, message, variable->field, strlen(variable->field), text,
				 length, &error))
			return fail(request->call, "The path cannot be used", &error);
	}
	return 0;
}

/* Where a client was cut off: what it asked for then may stand in the query, too, and is older. */
static int read_last_event(struct request *request, ProtobufCMessage *message)
{
	const char *name = request->match.route->method->resume_request,
		   *last = request_header(request, "last-event-id");
	struct rpc_json_error error = { 0 };

	if (!name || !last)
		return 0;
	return rpc_json_set(rpc_arena(request->call), message, name, strlen(name), last,
			    strlen(last), &error)
		       ? fail(request->call, "Last-Event-ID cannot be used", &error)
		       : 0;
}

static bool printable(const char *text)
{
	for (; *text; text++)
		if ((*text < ' ' && *text != '\t') || *text > '~')
			return false;
	return true;
}

/*
 * How a header is called among the services, and its value. user-agent is gRPC's own there.
 * x-forwarded-for is who we believe the client to be, whatever it says itself.
 */
static const char *forwarded_name(const char *name)
{
	return !strcmp(name, "user-agent") ? "x-forwarded-user-agent" : name;
}

static const char *forwarded_value(const struct request *request, const char *name)
{
	if (strcmp(name, "x-forwarded-for"))
		return request_header(request, name);
	return request->address + 3;
}

int transcode_pass_headers(const struct request *request, struct rpc_call *call)
{
	const struct rpc_method *method = request->match.route->method;

	for (const char *const *name = method->http_headers; name && *name; name++) {
		const char *value = forwarded_value(request, *name);

		if (value && !printable(value))
			return rpc_fail_code(call, RPC_INVALID_ARGUMENT,
					     "The header %s must be ASCII.", *name);
		if (value)
			rpc_set_request_header(call, forwarded_name(*name), value);
	}
	return 0;
}

int transcode_request(struct request *request, ProtobufCMessage **ret)
{
	ProtobufCMessage *message =
		message_new(request->call, request->match.route->method->request);
	int r;

	r = read_body(request, message);
	if (!r)
		r = read_query(request, message);
	if (!r)
		r = read_path(request, rpc_arena(request->call), message);
	if (!r)
		r = read_last_event(request, message);
	if (!r)
		r = idempotency_apply(request, message);
	if (!r)
		r = etag_apply_if_match(request, message);
	if (!r)
		r = transcode_pass_headers(request, request->call);
	if (r)
		return r;
	*ret = message;
	return 0;
}

int transcode_message(struct request *request, struct arena *arena, const char *json, size_t length,
		      ProtobufCMessage **ret)
{
	const struct rpc_json_options options = { .types = request->worker->gateway->types };
	ProtobufCMessage *message = NULL;
	struct rpc_json_error error;
	int r;

	if (rpc_json_parse(arena, &options, request->match.route->method->request, json, length,
			   &message, &error))
		return fail(request->call, "The message is not valid JSON", &error);
	r = read_path(request, arena, message);
	if (!r)
		*ret = message;
	return r;
}

/*
 * Answers
 */

static const char *text_of(const ProtobufCMessage *message, const char *name)
{
	const ProtobufCFieldDescriptor *field = find_field(message->descriptor, name);
	const char *text;

	if (!field || field->type != PROTOBUF_C_TYPE_STRING ||
	    field->label == PROTOBUF_C_LABEL_REPEATED)
		return NULL;
	memcpy(&text, (const char *)message + field->offset, sizeof(text));
	return text && *text ? text : NULL;
}

const char *transcode_etag(const ProtobufCMessage *message)
{
	return text_of(message, "etag");
}

const char *transcode_event_id(const struct request *request, const ProtobufCMessage *message)
{
	const char *name = request->match.route->method->resume_response;

	return name ? text_of(message, name) : NULL;
}

/* The response headers that a service may set, by the metadata that sets them. */
static const struct {
	const char *metadata, *header;
} service_headers[] = {
	{ "http-cache-control", "cache-control" },
	{ "http-content-disposition", "content-disposition" },
	{ "http-content-language", "content-language" },
	{ "http-content-security-policy", "content-security-policy" },
	{ "http-etag", "etag" },
	{ "http-idempotent-replayed", "idempotent-replayed" },
	{ "http-last-modified", "last-modified" },
	{ "http-link", "link" },
	{ "http-location", "location" },
};

static void take_headers(struct request *request)
{
	const char *status = rpc_response_header(request->call, "http-status");

	for (size_t i = 0; i < sizeof(service_headers) / sizeof(*service_headers); i++) {
		const char *value = rpc_response_header(request->call, service_headers[i].metadata);

		if (value && printable(value))
			response_header(&request->response, service_headers[i].header, value);
	}
	request->response.status = 200;
	if (status && strlen(status) == 3 && strspn(status, "0123456789") == 3 &&
	    status[0] >= '2' && status[0] <= '5')
		request->response.status = atoi(status);
}

const char *transcode_print(const struct request *request, struct arena *arena,
			    const ProtobufCMessage *message, size_t *length,
			    struct rpc_json_error *error)
{
	const struct rpc_json_options options = { .types = request->worker->gateway->types };
	const char *name = request->match.route->response_body;

	if (name)
		return rpc_json_print_field(arena, &options, message,
					    find_field(message->descriptor, name), length, error);
	return rpc_json_print(arena, &options, message, length, error);
}

int transcode_fail_print(struct request *request, const struct rpc_json_error *error)
{
	return rpc_fail_code(request->call, RPC_INTERNAL,
			     "The answer cannot be written as JSON: %s: %s", error->field,
			     error->message);
}

int transcode_response(struct request *request, const ProtobufCMessage *message)
{
	struct response *response = &request->response;
	const HttpBody *body = (const HttpBody *)message;
	struct rpc_json_error error = { 0 };

	if (!is_http_body(message->descriptor)) {
		response->body = transcode_print(request, rpc_arena(request->call), message,
						 &response->length, &error);
		if (!response->body)
			return transcode_fail_print(request, &error);
		response->content_type = "application/json";
	} else {
		if (!printable(body->content_type))
			return rpc_fail_code(request->call, RPC_INTERNAL,
					     "The answer's content type is not ASCII.");
		response->body = (const char *)body->data.data;
		response->length = body->data.len;
		response->content_type =
			*body->content_type ? body->content_type : "application/octet-stream";
	}
	take_headers(request);
	if (response->status == 200 && !strcmp(request->match.route->http_method, "GET"))
		etag_apply(request,
			   is_http_body(message->descriptor) ? NULL : transcode_etag(message));
	return 0;
}
