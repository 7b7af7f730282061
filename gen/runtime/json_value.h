/* Single values of fields from JSON and from query strings. Internal to the runtime. */
#pragma once

#include "json_lex.h"

union json_value {
	int32_t int32;
	uint32_t uint32;
	int64_t int64;
	uint64_t uint64;
	float float_;
	double double_;
	protobuf_c_boolean boolean;
	char *string;
	ProtobufCBinaryData bytes;
	ProtobufCMessage *message;
};

enum json_result {
	JSON_FAILED,
	JSON_SET,
	JSON_SKIPPED /* an unknown enum name, where unknown things are ignored */
};

/* A value that is no message: from the JSON at hand, or from a text that stands for it (a map's
 * key, a query's value). */
enum json_result json_scalar(struct json_parser *parser, const ProtobufCFieldDescriptor *field,
			     union json_value *ret);
enum json_result json_scalar_from_text(struct json_parser *parser,
				       const ProtobufCFieldDescriptor *field,
				       const struct slice *text, union json_value *ret);
/* Timestamp, Duration and FieldMask, whose JSON is a string. */
bool json_text_message(struct json_parser *parser, ProtobufCMessage *message,
		       const struct slice *text);
/* Writes the value where the field stands. */
void json_store(struct json_parser *parser, ProtobufCMessage *message,
		const ProtobufCFieldDescriptor *field, const union json_value *value);
