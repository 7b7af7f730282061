/* Options of crpc.v1 and google.api: they are extensions, so libprotobuf-c leaves them as unknown
 * bytes. */
#include "schema.h"
#include "wire.h"
#include <string.h>

enum {
	OPTION_HTTP = 72295728,
	OPTION_FIELD_BEHAVIOR = 1052,
	OPTION_ACCESS = 51400,
	OPTION_TIMEOUT = 51401,
	OPTION_RATE_LIMIT = 51402,
	OPTION_HTTP_HEADERS = 51403,
	OPTION_MAX_REQUEST_BYTES = 51404,
	OPTION_RESUME = 51405,
	OPTION_RULES = 51410,
	OPTION_REASON = 51420,
	OPTION_EVENT = 51430,
};

static const char *text_of(struct schema *schema, const struct wire_field *part)
{
	return part->bytes ? arena_strndup(schema->arena, (const char *)part->bytes, part->size)
			   : "";
}

/* What stands in an unknown field: its bytes begin with their length. */
static bool payload(const ProtobufCMessageUnknownField *unknown, struct wire *ret)
{
	struct wire wire = { unknown->data, unknown->data + unknown->len };
	uint64_t size;

	if (unknown->wire_type != PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED ||
	    !wire_varint(&wire, &size) || size > (uint64_t)(wire.end - wire.at))
		return false;
	*ret = (struct wire){ wire.at, wire.at + size };
	return true;
}

/* An option that is a message may be written in parts, each an occurrence: together they are one.
 */
static bool find_message(struct schema *schema, const ProtobufCMessage *options, uint32_t tag,
			 struct wire *ret)
{
	uint8_t *bytes = NULL;
	size_t size = 0;
	bool found = false;

	for (unsigned i = 0; options && i < options->n_unknown_fields; i++) {
		struct wire part;
		uint8_t *joined;
		size_t length;

		if (options->unknown_fields[i].tag != tag ||
		    !payload(&options->unknown_fields[i], &part))
			continue;
		length = (size_t)(part.end - part.at);
		joined = arena_alloc(schema->arena, size + length + 1);
		if (size)
			memcpy(joined, bytes, size);
		if (length)
			memcpy(joined + size, part.at, length);
		bytes = joined;
		size += length;
		found = true;
	}
	if (found)
		*ret = (struct wire){ bytes, bytes + size };
	return found;
}

static bool find_number(const ProtobufCMessage *options, uint32_t tag, uint64_t *ret)
{
	bool found = false;

	for (unsigned i = 0; options && i < options->n_unknown_fields; i++) {
		const ProtobufCMessageUnknownField *unknown = &options->unknown_fields[i];
		struct wire wire = { unknown->data, unknown->data + unknown->len };

		if (unknown->tag == tag && unknown->wire_type == PROTOBUF_C_WIRE_TYPE_VARINT)
			found = wire_varint(&wire, ret) || found;
	}
	return found;
}

static double as_double(uint64_t bits)
{
	double value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

/* google.protobuf.Duration in ms. Saturates: what is out of range is refused later. */
static int64_t read_duration(struct wire wire)
{
	struct wire_field part;
	int64_t seconds = 0, nanos = 0;

	while (wire_next(&wire, &part)) {
		if (part.number == 1)
			seconds = (int64_t)part.value;
		else if (part.number == 2)
			nanos = (int32_t)part.value;
	}
	if (seconds > INT64_MAX / 2000)
		return INT64_MAX;
	if (seconds < -(INT64_MAX / 2000))
		return INT64_MIN;
	return seconds * 1000 + nanos / 1000000;
}

static const char **append_text(struct schema *schema, const char *const *list, size_t n,
				const char *text)
{
	const char **longer = arena_alloc(schema->arena, (n + 2) * sizeof(*longer));

	if (n)
		memcpy(longer, list, n * sizeof(*longer));
	longer[n] = text;
	return longer;
}

static void read_access(struct schema *schema, struct wire wire, struct rpc_access *ret)
{
	struct wire_field part;
	size_t n_callers = 0;

	while (wire_next(&wire, &part)) {
		switch (part.number) {
		case 1:
			ret->level = (enum rpc_level)part.value;
			break;
		case 2:
			ret->owner = part.size ? text_of(schema, &part) : NULL;
			break;
		case 3:
			ret->permission = part.size ? text_of(schema, &part) : NULL;
			break;
		case 4:
			ret->callers = append_text(schema, ret->callers, n_callers++,
						   text_of(schema, &part));
			break;
		}
	}
}

static struct rpc_rules *read_rules(struct schema *schema, struct wire wire)
{
	struct rpc_rules *rules = arena_alloc(schema->arena, sizeof(*rules));
	struct wire_field part;

	while (wire_next(&wire, &part)) {
		switch (part.number) {
		case 1:
			rules->has_min = true;
			rules->min = as_double(part.value);
			break;
		case 2:
			rules->has_max = true;
			rules->max = as_double(part.value);
			break;
		case 3:
			rules->min_len = (uint32_t)part.value;
			break;
		case 4:
			rules->max_len = (uint32_t)part.value;
			break;
		case 5:
			rules->min_items = (uint32_t)part.value;
			break;
		case 6:
			rules->max_items = (uint32_t)part.value;
			break;
		case 7:
			rules->format = (enum rpc_format)part.value;
			break;
		case 8:
			rules->resource = part.size ? text_of(schema, &part) : NULL;
			break;
		}
	}
	return rules;
}

/* google.api.FieldBehavior's numbers */
static uint32_t behavior_flag(uint64_t number)
{
	switch (number) {
	case 2:
		return RPC_FIELD_REQUIRED;
	case 3:
		return RPC_FIELD_OUTPUT_ONLY;
	case 4:
		return RPC_FIELD_INPUT_ONLY;
	case 5:
		return RPC_FIELD_IMMUTABLE;
	case 8:
		return RPC_FIELD_IDENTIFIER;
	default:
		return 0; /* OPTIONAL and what says something about lists */
	}
}

static void read_behavior(struct field *field, const ProtobufCMessage *options)
{
	for (unsigned i = 0; options && i < options->n_unknown_fields; i++) {
		const ProtobufCMessageUnknownField *unknown = &options->unknown_fields[i];
		struct wire wire = { unknown->data, unknown->data + unknown->len };
		uint64_t number;

		if (unknown->tag != OPTION_FIELD_BEHAVIOR)
			continue;
		/* one number an occurrence, or all in one, packed */
		if (unknown->wire_type != PROTOBUF_C_WIRE_TYPE_VARINT && !payload(unknown, &wire))
			continue;
		while (wire_varint(&wire, &number)) {
			field->behaviors |= behavior_flag(number);
			field->has_behavior = true;
		}
	}
}

/* The first in `rules` is the rule itself, the others its additional bindings. */
static void read_http(struct schema *schema, struct wire wire, struct method *method,
		      bool additional)
{
	struct wire_field part, inner;
	struct http_rule rule = { .http_method = "", .template = "" };
	struct wire outer = wire, custom;
	struct http_rule *rules;

	while (wire_next(&wire, &part)) {
		static const char *const names[] = {
			[2] = "GET", [3] = "PUT", [4] = "POST", [5] = "DELETE", [6] = "PATCH"
		};

		if (part.number >= 2 && part.number <= 6) {
			rule.http_method = names[part.number];
			rule.template = text_of(schema, &part);
		} else if (part.number == 7) {
			rule.body = part.size ? text_of(schema, &part) : NULL;
		} else if (part.number == 12) {
			rule.response_body = part.size ? text_of(schema, &part) : NULL;
		} else if (part.number == 8 && part.bytes) {
			custom = (struct wire){ part.bytes, part.bytes + part.size };
			while (wire_next(&custom, &inner)) {
				if (inner.number == 1)
					rule.http_method = text_of(schema, &inner);
				else if (inner.number == 2)
					rule.template = text_of(schema, &inner);
			}
		}
	}
	rules = arena_alloc(schema->arena, (method->n_rules + 1) * sizeof(*rules));
	if (method->n_rules)
		memcpy(rules, method->rules, method->n_rules * sizeof(*rules));
	rules[method->n_rules++] = rule;
	method->rules = rules;

	while (!additional && wire_next(&outer, &part))
		if (part.number == 11 && part.bytes)
			read_http(schema, (struct wire){ part.bytes, part.bytes + part.size },
				  method, true);
}

void options_read_message(struct schema *schema, struct message *message,
			  const DescriptorProto *proto)
{
	const ProtobufCMessage *options = proto->options ? &proto->options->base : NULL;
	struct wire_field part;
	struct wire wire;

	message->event_subject = "";
	message->is_event = find_message(schema, options, OPTION_EVENT, &wire);
	while (message->is_event && wire_next(&wire, &part))
		if (part.number == 1)
			message->event_subject = text_of(schema, &part);
}

/* What others publish was not written with our limits on strings and lists in mind. */
static struct rpc_rules *no_rules(struct schema *schema, const struct field *field,
				  const FieldDescriptorProto *proto)
{
	bool repeated = proto->label ==
			GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__LABEL__LABEL_REPEATED,
	     text = proto->type == GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_STRING;
	struct rpc_rules *rules;

	if ((!repeated && !text) || !schema_setting(schema, "rules", field->parent->full_name))
		return NULL;
	rules = arena_alloc(schema->arena, sizeof(*rules));
	if (repeated)
		rules->max_items = UINT32_MAX;
	if (text) {
		rules->max_len = UINT32_MAX;
		rules->format = RPC_FORMAT_ANY;
	}
	return rules;
}

void options_read_field(struct schema *schema, struct field *field,
			const FieldDescriptorProto *proto)
{
	const ProtobufCMessage *options = proto->options ? &proto->options->base : NULL;
	struct wire wire;

	read_behavior(field, options);
	if (find_message(schema, options, OPTION_RULES, &wire))
		field->rules = read_rules(schema, wire);
	else
		field->rules = no_rules(schema, field, proto);
}

void options_read_value(struct schema *schema, struct value *value, const ProtobufCMessage *options)
{
	struct wire_field part;
	struct wire wire;

	value->message = "";
	value->has_reason = find_message(schema, options, OPTION_REASON, &wire);
	while (value->has_reason && wire_next(&wire, &part)) {
		if (part.number == 1)
			value->code = (int32_t)part.value;
		else if (part.number == 2)
			value->message = text_of(schema, &part);
	}
}

void options_read_method(struct schema *schema, struct method *method,
			 const MethodDescriptorProto *proto)
{
	const ProtobufCMessage *options = proto->options ? &proto->options->base : NULL;
	struct wire_field part;
	struct wire wire;
	uint64_t number;

	if (proto->options && proto->options->has_idempotency_level)
		method->idempotency = (enum rpc_idempotency)proto->options->idempotency_level;
	method->has_access = find_message(schema, options, OPTION_ACCESS, &wire);
	if (method->has_access)
		read_access(schema, wire, &method->access);
	method->has_timeout = find_message(schema, options, OPTION_TIMEOUT, &wire);
	if (method->has_timeout)
		method->timeout_ms = read_duration(wire);
	method->has_rate_limit = find_message(schema, options, OPTION_RATE_LIMIT, &wire);
	while (method->has_rate_limit && wire_next(&wire, &part)) {
		if (part.number == 1)
			method->rate_requests = (int32_t)part.value;
		else if (part.number == 2 && part.bytes)
			method->rate_seconds =
				read_duration((struct wire){ part.bytes, part.bytes + part.size }) /
				1000;
	}
	for (unsigned i = 0; options && i < options->n_unknown_fields; i++) {
		if (options->unknown_fields[i].tag != OPTION_HTTP_HEADERS ||
		    !payload(&options->unknown_fields[i], &wire))
			continue;
		method->http_headers =
			append_text(schema, method->http_headers, method->n_http_headers++,
				    arena_strndup(schema->arena, (const char *)wire.at,
						  (size_t)(wire.end - wire.at)));
	}
	if (find_number(options, OPTION_MAX_REQUEST_BYTES, &number))
		method->max_request_bytes = (int32_t)number;
	method->resumes = find_message(schema, options, OPTION_RESUME, &wire);
	while (method->resumes && wire_next(&wire, &part)) {
		if (part.number == 1)
			method->resume_request = text_of(schema, &part);
		else if (part.number == 2)
			method->resume_response = text_of(schema, &part);
	}
	if (find_message(schema, options, OPTION_HTTP, &wire))
		read_http(schema, wire, method, false);
}
