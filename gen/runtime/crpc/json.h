/* The proto3 JSON mapping, driven by descriptors. */
#pragma once

#include <crpc/message.h>

struct rpc_json_options {
	bool ignore_unknown_fields;            /* default: an unknown field is an error */
	bool always_print_fields;              /* default: fields at their default are left out */
	bool preserve_proto_field_names;       /* default: lowerCamelCase */
	const struct rpc_type_registry *types; /* for Any; NULL: an Any cannot be read or printed */
};

struct rpc_json_error {
	char field[128];   /* path in proto spelling, of rpc_json_set() as it was given; "" when the
			      text itself is broken */
	char message[192]; /* a sentence */
	size_t offset;     /* byte of the text */
};

/*
 * Reads `text` into a message of the arena. `into` NULL: a new one; else fields are set in it (path
 * and query parameters of a request may be set before or after). Depth at most 100. 0, or -EINVAL
 * with *error filled.
 */
int rpc_json_parse(struct arena *arena, const struct rpc_json_options *options,
		   const ProtobufCMessageDescriptor *descriptor, const char *text, size_t length,
		   ProtobufCMessage **into, struct rpc_json_error *error);

/* Sets one field, given by a dotted path in either spelling, from text as in a URL's query;
 * repeated fields append. */
int rpc_json_set(struct arena *arena, ProtobufCMessage *message, const char *path,
		 size_t path_length, const char *text, size_t text_length,
		 struct rpc_json_error *error);

/* One field of a message as a body: google.api.http's `body: "field"` and `response_body`. */
int rpc_json_parse_field(struct arena *arena, const struct rpc_json_options *options,
			 ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
			 const char *text, size_t length, struct rpc_json_error *error);

/* A text of the arena, NUL-terminated; *length without the NUL. NULL with *error when an Any is of
 * an unknown type or a Timestamp or Duration is out of range. */
char *rpc_json_print(struct arena *arena, const struct rpc_json_options *options,
		     const ProtobufCMessage *message, size_t *length, struct rpc_json_error *error);
char *rpc_json_print_field(struct arena *arena, const struct rpc_json_options *options,
			   const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
			   size_t *length, struct rpc_json_error *error);
