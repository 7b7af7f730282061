/* What reading and writing JSON share: paths for errors, and values that stand as text. */
#pragma once

#include "message_private.h"
#include "text.h"
#include <crpc/json.h>
#include <stdarg.h>

void json_error_set(struct rpc_json_error *error, const struct field_path *path, size_t offset,
		    const char *format, va_list arguments) __attribute__((format(printf, 4, 0)));

/*
 * Values as text. Parsers take all of the text or return false and do not touch *ret. Printers
 * return false when the value has no JSON form.
 */
bool json_parse_integer(const char *text, size_t length, bool *negative, uint64_t *magnitude);
bool json_parse_double(struct arena *arena, const char *text, size_t length, double *ret);
bool json_parse_float(struct arena *arena, const char *text, size_t length, float *ret);
bool json_parse_base64(struct arena *arena, const char *text, size_t length,
		       ProtobufCBinaryData *ret);
bool json_parse_timestamp(const char *text, size_t length, int64_t *seconds, int32_t *nanos);
bool json_parse_duration(const char *text, size_t length, int64_t *seconds, int32_t *nanos);
/* One path of a FieldMask: "unitPrice.currencyCode" to "unit_price.currency_code"; NULL when there
 * is an underscore. */
char *json_parse_mask_path(struct arena *arena, const char *text, size_t length);

/* The length of the JSON number that the text begins with; 0 when it begins with none. */
size_t json_number_length(const char *text, const char *end);

void json_print_double(struct text *text, double value); /* finite */
void json_print_float(struct text *text, float value);   /* finite */
void json_print_base64(struct text *text, const ProtobufCBinaryData *bytes);
bool json_print_timestamp(struct text *text, int64_t seconds, int32_t nanos);
bool json_print_duration(struct text *text, int64_t seconds, int32_t nanos);
bool json_print_mask_path(struct text *text, const char *path);

/* Whether they are in the range that the well-known types allow. */
bool timestamp_is_valid(int64_t seconds, int32_t nanos);
bool duration_is_valid(int64_t seconds, int32_t nanos);

static inline bool is_null_value(const ProtobufCFieldDescriptor *field)
{
	const ProtobufCEnumDescriptor *type = field->descriptor;

	return field->type == PROTOBUF_C_TYPE_ENUM && type->n_values == 1 &&
	       !strcmp(type->name, "google.protobuf.NullValue");
}

/* google.protobuf.Value's members, in the order of its fields. */
enum { VALUE_NULL, VALUE_NUMBER, VALUE_STRING, VALUE_BOOL, VALUE_STRUCT, VALUE_LIST };
