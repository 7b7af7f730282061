/* Requests against their schema: what the proto says of a field is checked here, before the
 * handler. */
#include "json_private.h"
#include "message_private.h"
#include "validate_private.h"
#include <crpc/call.h>
#include <math.h>
#include <string.h>

enum {
	DEFAULT_MAX_LEN = 1024,
	DEFAULT_MAX_ITEMS = 1000,
	VIOLATIONS_MAX = 20,
	PATH_MAX_LENGTH = 512
};

/* Where an update's mask says which fields of the resource count. */
struct update {
	const ProtobufCFieldDescriptor *resource; /* of the request; NULL: this is no update */
	const char *const *paths;
	size_t n_paths;
};

struct validator {
	struct rpc_call *call;
	const struct field_path *path;
	struct update update;
	unsigned violations;
};

static const struct rpc_rules default_rules = { .max_len = DEFAULT_MAX_LEN,
						.max_items = DEFAULT_MAX_ITEMS };

static void check_message(struct validator *validator, ProtobufCMessage *message,
			  const struct rpc_rules *rules);

static bool is_done(const struct validator *validator)
{
	return validator->violations >= VIOLATIONS_MAX;
}

static void print_path(const struct validator *validator, char ret[PATH_MAX_LENGTH])
{
	struct text text = { .data = ret, .capacity = PATH_MAX_LENGTH - 1 };

	field_path_print(validator->path, &text);
	ret[text.length] = '\0';
}

#define violate(validator, ...)                                                                    \
	do {                                                                                       \
		char path_[PATH_MAX_LENGTH];                                                       \
		print_path((validator), path_);                                                    \
		(validator)->violations++;                                                         \
		rpc_violate((validator)->call, path_, __VA_ARGS__);                                \
	} while (0)

/* --- values ---------------------------------------------------------------------------------- */

static void check_number(struct validator *validator, double value, const struct rpc_rules *rules)
{
	bool below = rules->has_min && !(value >= rules->min),
	     above = rules->has_max && !(value <= rules->max);

	if (!below && !above)
		return;
	if (rules->has_min && rules->has_max)
		violate(validator, "Must be from %.15g to %.15g.", rules->min, rules->max);
	else if (rules->has_min)
		violate(validator, "Must be at least %.15g.", rules->min);
	else
		violate(validator, "Must be at most %.15g.", rules->max);
}

static size_t count_characters(const char *text)
{
	size_t count = 0;

	for (; *text; text++)
		count += (*text & 0xc0) != 0x80;
	return count;
}

/* `size` is in bytes: no string has more characters than bytes. */
static bool check_length(struct validator *validator, size_t length, const struct rpc_rules *rules,
			 const char *unit)
{
	bool above = rules->max_len && length > rules->max_len;

	if (length >= rules->min_len && !above)
		return true;
	if (above)
		violate(validator, "Must not be longer than %u %s.", rules->max_len, unit);
	else
		violate(validator, "Must not be shorter than %u %s.", rules->min_len, unit);
	return false;
}

static void check_string(struct validator *validator, const char **value,
			 const struct rpc_rules *rules)
{
	size_t bytes = *value ? strlen(*value) : 0;
	const char *must;

	if (!*value)
		return;
	if (bytes < rules->min_len || (rules->max_len && bytes > rules->max_len) ||
	    rules->min_len > 1) {
		if (!check_length(validator, count_characters(*value), rules, "characters"))
			return;
	}
	if (rules->resource) {
		const char *name =
			resource_normalise(rpc_arena(validator->call), *value, rules->resource);

		if (name)
			*value = name;
		else
			violate(validator, "Must be a name like %s.", rules->resource);
		return;
	}
	must = format_check(rules->format, *value);
	if (must)
		violate(validator, "%s", must);
}

static void check_value(struct validator *validator, const ProtobufCFieldDescriptor *field,
			void *value, const struct rpc_rules *rules)
{
	switch (field->type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
		check_number(validator, *(int32_t *)value, rules);
		break;
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		check_number(validator, *(uint32_t *)value, rules);
		break;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
		check_number(validator, (double)*(int64_t *)value, rules);
		break;
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		check_number(validator, (double)*(uint64_t *)value, rules);
		break;
	case PROTOBUF_C_TYPE_FLOAT:
		check_number(validator, (double)*(float *)value, rules);
		break;
	case PROTOBUF_C_TYPE_DOUBLE:
		check_number(validator, *(double *)value, rules);
		break;
	case PROTOBUF_C_TYPE_ENUM:
		if (!protobuf_c_enum_descriptor_get_value(field->descriptor, *(int32_t *)value))
			violate(validator, "Must be a value of %s.",
				((const ProtobufCEnumDescriptor *)field->descriptor)->short_name);
		break;
	case PROTOBUF_C_TYPE_STRING:
		check_string(validator, value, rules);
		break;
	case PROTOBUF_C_TYPE_BYTES: /* by default as long as the request may be */
		if (rules == &default_rules)
			break;
		check_length(validator, ((ProtobufCBinaryData *)value)->len, rules, "bytes");
		break;
	case PROTOBUF_C_TYPE_MESSAGE:
		check_message(validator, *(ProtobufCMessage **)value, rules);
		break;
	case PROTOBUF_C_TYPE_BOOL:
		break;
	}
}

/* --- updates --------------------------------------------------------------------------------- */

/* Whether a path of the mask covers `path`: the same, or a message around it. */
static bool mask_covers(const struct update *update, const char *path)
{
	for (size_t i = 0; i < update->n_paths; i++) {
		size_t length = strlen(update->paths[i]);

		if (!strcmp(update->paths[i], "*") || (!strncmp(update->paths[i], path, length) &&
						       (!path[length] || path[length] == '.')))
			return true;
	}
	return false;
}

/* In an update, what is not named is not asked for; without a mask, what is given is named. */
static bool is_asked_for(const struct validator *validator)
{
	const struct update *update = &validator->update;
	char path[PATH_MAX_LENGTH];
	size_t length;

	if (!update->resource)
		return true;
	print_path(validator, path);
	length = strlen(update->resource->name);
	if (strncmp(path, update->resource->name, length) || path[length] != '.')
		return true;
	if (!update->n_paths)
		return strchr(path + length + 1, '.') != NULL;
	return mask_covers(update, path + length + 1);
}

static const ProtobufCFieldDescriptor *find_mask(const ProtobufCMessageDescriptor *descriptor)
{
	const ProtobufCFieldDescriptor *mask =
		field_by_name(descriptor, "update_mask", strlen("update_mask"));

	return mask && mask->type == PROTOBUF_C_TYPE_MESSAGE &&
			       mask->label != PROTOBUF_C_LABEL_REPEATED &&
			       message_kind(mask->descriptor) == RPC_KIND_FIELD_MASK
		       ? mask
		       : NULL;
}

/* The first field that is one message of the schema's own. */
static const ProtobufCFieldDescriptor *find_resource(const ProtobufCMessageDescriptor *descriptor)
{
	for (unsigned i = 0; i < descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &descriptor->fields[i];

		if (field->type == PROTOBUF_C_TYPE_MESSAGE &&
		    field->label != PROTOBUF_C_LABEL_REPEATED &&
		    message_kind(field->descriptor) == RPC_KIND_MESSAGE)
			return field;
	}
	return NULL;
}

static bool path_exists(const ProtobufCMessageDescriptor *descriptor, const char *path)
{
	for (;;) {
		size_t length = strcspn(path, ".");
		const ProtobufCFieldDescriptor *field = field_by_name(descriptor, path, length);

		if (!field)
			return false;
		if (!path[length])
			return true;
		path += length + 1;
		if (field_is_map(field))
			return *path != '\0'; /* a key */
		if (field->type != PROTOBUF_C_TYPE_MESSAGE ||
		    field->label == PROTOBUF_C_LABEL_REPEATED)
			return false;
		descriptor = field->descriptor;
	}
}

static void check_update(struct validator *validator, const ProtobufCMessage *request)
{
	const ProtobufCFieldDescriptor *field = find_mask(request->descriptor), *resource;
	struct field_path step = { .length = PATH_TERMINATED };
	const ProtobufCMessage *mask;
	struct update *update = &validator->update;

	resource = field ? find_resource(request->descriptor) : NULL;
	if (!resource)
		return;
	update->resource = resource;
	mask = *(ProtobufCMessage **)rpc_field_value(request, field);
	if (!mask)
		return;
	update->paths = *(const char *const **)rpc_field_value(mask, &mask->descriptor->fields[0]);
	update->n_paths = *rpc_field_count(mask, &mask->descriptor->fields[0]);
	step.name = field->name;
	validator->path = &step;
	for (size_t i = 0; i < update->n_paths && !is_done(validator); i++)
		if (strcmp(update->paths[i], "*") &&
		    !path_exists(resource->descriptor, update->paths[i]))
			violate(validator, "Must name fields of %s: there is no %.100s.",
				((const ProtobufCMessageDescriptor *)resource->descriptor)
					->short_name,
				update->paths[i]);
	validator->path = NULL;
}

/* --- fields ---------------------------------------------------------------------------------- */

static bool is_number(const ProtobufCFieldDescriptor *field)
{
	return field->type != PROTOBUF_C_TYPE_STRING && field->type != PROTOBUF_C_TYPE_BYTES &&
	       field->type != PROTOBUF_C_TYPE_MESSAGE && field->type != PROTOBUF_C_TYPE_ENUM &&
	       field->type != PROTOBUF_C_TYPE_BOOL;
}

/*
 * A REQUIRED field that is not set. A number without presence cannot tell 0 from unset: 0 is taken
 * where the rules say by a minimum that it may be. false is as good as true.
 */
static void check_missing(struct validator *validator, const ProtobufCFieldDescriptor *field,
			  const struct rpc_rules *rules)
{
	bool has_presence = field->label != PROTOBUF_C_LABEL_NONE ||
			    (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF);

	if ((!has_presence && field->type == PROTOBUF_C_TYPE_BOOL) || !is_asked_for(validator))
		return;
	if (!has_presence && is_number(field) && rules->has_min)
		check_number(validator, 0, rules);
	else
		violate(validator, "Must be given.");
}

static void check_map(struct validator *validator, ProtobufCMessage **entries, size_t n)
{
	const ProtobufCFieldDescriptor *fields = entries[0]->descriptor->fields;
	/* What the map's rules say of values, the generator writes to the entry's value. */
	const struct rpc_rules *rules = rpc_message_info(entries[0]->descriptor)->fields[1].rules;
	struct field_path step = { .outer = validator->path,
				   .is_key = true,
				   .length = PATH_TERMINATED };

	validator->path = &step;
	for (size_t i = 0; i < n && !is_done(validator); i++) {
		if (fields[0].type == PROTOBUF_C_TYPE_STRING)
			step.name = *(const char **)rpc_field_value(entries[i], &fields[0]);
		else
			step.index = i;
		if (fields[0].type == PROTOBUF_C_TYPE_STRING)
			check_value(validator, &fields[0], rpc_field_value(entries[i], &fields[0]),
				    &default_rules);
		if (rpc_field_present(entries[i], &fields[1]))
			check_value(validator, &fields[1], rpc_field_value(entries[i], &fields[1]),
				    rules ? rules : &default_rules);
	}
	validator->path = step.outer;
}

static void check_repeated(struct validator *validator, ProtobufCMessage *message,
			   const ProtobufCFieldDescriptor *field, const struct rpc_rules *rules)
{
	size_t n = *rpc_field_count(message, field), size = rpc_type_size(field->type);
	char *elements = *(char **)rpc_field_value(message, field);
	struct field_path step = { .outer = validator->path };

	if (rules->max_items && n > rules->max_items) {
		violate(validator, "Must not have more than %u elements.", rules->max_items);
		return;
	}
	if (n < rules->min_items)
		violate(validator, "Must have at least %u elements.", rules->min_items);
	if (field_is_map(field)) {
		check_map(validator, (ProtobufCMessage **)elements, n);
		return;
	}
	validator->path = &step;
	for (step.index = 0; step.index < n && !is_done(validator); step.index++)
		check_value(validator, field, elements + step.index * size, rules);
	validator->path = step.outer;
}

/* Set, by presence, to nothing. */
static bool is_empty_string(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
	const char *string;

	if (field->type != PROTOBUF_C_TYPE_STRING)
		return false;
	string = *(const char **)rpc_field_value(message, field);
	return !string || !*string;
}

static void check_fields(struct validator *validator, ProtobufCMessage *message)
{
	const ProtobufCMessageDescriptor *descriptor = message->descriptor;
	const struct rpc_field_info *infos = rpc_message_info(descriptor)->fields;
	struct field_path step = { .outer = validator->path, .length = PATH_TERMINATED };

	validator->path = &step;
	for (unsigned i = 0; i < descriptor->n_fields && !is_done(validator); i++) {
		const ProtobufCFieldDescriptor *field = &descriptor->fields[i];
		const struct rpc_rules *rules = infos[i].rules ? infos[i].rules : &default_rules;

		step.name = field->name;
		if (infos[i].flags & RPC_FIELD_OUTPUT_ONLY)
			rpc_field_clear(message, field);
		else if (!rpc_field_present(message, field)) {
			if (infos[i].flags & RPC_FIELD_REQUIRED)
				check_missing(validator, field, rules);
		} else if (field->label == PROTOBUF_C_LABEL_REPEATED) {
			check_repeated(validator, message, field, rules);
		} else if (!is_empty_string(message, field)) {
			check_value(validator, field, rpc_field_value(message, field), rules);
		}
	}
	validator->path = step.outer;
}

/* --- messages -------------------------------------------------------------------------------- */

static bool is_money(const ProtobufCMessageDescriptor *descriptor)
{
	return descriptor->n_fields == 3 && !strcmp(descriptor->name, "google.type.Money");
}

static void check_money(struct validator *validator, const ProtobufCMessage *message)
{
	const ProtobufCFieldDescriptor *fields = message->descriptor->fields;
	const char *currency = *(const char **)rpc_field_value(message, &fields[0]);
	int64_t units = *(int64_t *)rpc_field_value(message, &fields[1]);
	int32_t nanos = *(int32_t *)rpc_field_value(message, &fields[2]);
	struct field_path step = { .outer = validator->path,
				   .name = "currency_code",
				   .length = PATH_TERMINATED };
	const char *must = format_check(RPC_FORMAT_CURRENCY, currency ? currency : "");

	validator->path = &step;
	if (must)
		violate(validator, "%s", must);
	step.name = "nanos";
	if (nanos <= -1000000000 || nanos >= 1000000000)
		violate(validator, "Must be from -999999999 to 999999999.");
	else if ((units > 0 && nanos < 0) || (units < 0 && nanos > 0))
		violate(validator, "Must have the same sign as units.");
	validator->path = step.outer;
}

static void check_time(struct validator *validator, const ProtobufCMessage *message,
		       bool is_timestamp)
{
	const ProtobufCFieldDescriptor *fields = message->descriptor->fields;
	int64_t seconds = *(int64_t *)rpc_field_value(message, &fields[0]);
	int32_t nanos = *(int32_t *)rpc_field_value(message, &fields[1]);

	if (is_timestamp && !timestamp_is_valid(seconds, nanos))
		violate(validator, "Must be a time from the year 1 to 9999.");
	else if (!is_timestamp && !duration_is_valid(seconds, nanos))
		violate(validator, "Must be a duration of at most 10,000 years, seconds and nanos "
				   "of one sign.");
}

static void check_message(struct validator *validator, ProtobufCMessage *message,
			  const struct rpc_rules *rules)
{
	const ProtobufCFieldDescriptor *first = message->descriptor->fields;

	switch (message_kind(message->descriptor)) {
	case RPC_KIND_TIMESTAMP:
		check_time(validator, message, true);
		return;
	case RPC_KIND_DURATION:
		check_time(validator, message, false);
		return;
	case RPC_KIND_WRAPPER:
		/* What is said of the field is said of what it wraps. */
		check_value(validator, first, rpc_field_value(message, first), rules);
		return;
	case RPC_KIND_MESSAGE:
		break;
	case RPC_KIND_ANY:
	case RPC_KIND_STRUCT:
	case RPC_KIND_VALUE:
	case RPC_KIND_LIST_VALUE:
	case RPC_KIND_NULL_VALUE:
	case RPC_KIND_FIELD_MASK:
	case RPC_KIND_EMPTY:
	case RPC_KIND_HTTP_BODY:
		return; /* whatever they hold; the message's size bounds it */
	}
	if (is_money(message->descriptor))
		check_money(validator, message);
	else
		check_fields(validator, message);
}

int rpc_validate(struct rpc_call *call, ProtobufCMessage *request)
{
	struct validator validator = { .call = call };

	if (message_kind(request->descriptor) != RPC_KIND_MESSAGE)
		return 0;
	check_update(&validator, request);
	check_fields(&validator, request);
	return rpc_violations(call);
}
