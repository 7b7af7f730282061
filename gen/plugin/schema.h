/* The schema as the products read it: types resolved, options decoded, C names chosen. Strings are
 * never NULL. */
#pragma once

#include "google/protobuf/compiler/plugin.pb-c.h"
#include <crpc/message.h>
#include <crpc/server.h>
#include <stdio.h>

typedef Google__Protobuf__Compiler__CodeGeneratorRequest CodeGeneratorRequest;
typedef Google__Protobuf__FileDescriptorProto FileDescriptorProto;
typedef Google__Protobuf__DescriptorProto DescriptorProto;
typedef Google__Protobuf__FieldDescriptorProto FieldDescriptorProto;
typedef Google__Protobuf__EnumDescriptorProto EnumDescriptorProto;
typedef Google__Protobuf__ServiceDescriptorProto ServiceDescriptorProto;
typedef Google__Protobuf__MethodDescriptorProto MethodDescriptorProto;
typedef Google__Protobuf__SourceCodeInfo__Location Location;

struct file;
struct message;
struct service;

/* Where something stands, for sentences: `file:line`. */
struct place {
	const struct file *file;
	int line;
};

struct value {
	const char *name, *c_name, *comment;
	int32_t number;
	struct place place;
	bool has_reason;
	int code; /* crpc.v1.Reason */
	const char *message;
};

struct enumeration {
	struct file *file;
	struct message *parent;
	const char *name, *full_name, *c_name, *comment;
	struct place place;
	struct value *values; /* in the order of the file */
	size_t n_values;
	bool is_reasons; /* named `<Service>ErrorReason` */
};

struct oneof {
	const char *name, *c_name, *comment;
	const char *case_type, *case_name; /* CartKindCase, kind_case */
	const char *not_set;               /* CART_KIND_NOT_SET */
	struct message *message;
	struct place place;
};

struct field {
	const char *name, *c_name, *json_name, *comment;
	const char *count_name;    /* n_items, of repeated fields */
	const char *has_name;      /* has_x, where presence is a flag of its own */
	const char *case_constant; /* CART_KIND_CARD, of members of a oneof */
	struct message *parent;
	struct place place;
	int32_t number;
	ProtobufCType type;
	bool repeated, packed, proto3_optional, is_group;
	struct message *message; /* of that type, or NULL */
	struct enumeration *enumeration;
	struct oneof *oneof; /* not of proto3 optional */
	uint32_t behaviors;  /* enum rpc_field_flag */
	bool has_behavior;
	const struct rpc_rules *rules; /* as written, or NULL */
};

struct message {
	struct file *file;
	struct message *parent;
	const char *name, *full_name, *c_name, *snake_name, *comment;
	struct place place;
	struct field *fields;  /* in the order of the file */
	struct field **sorted; /* by number */
	size_t n_fields;
	struct oneof *oneofs;
	size_t n_oneofs;
	bool map_entry, is_event;
	const char *event_subject;
	enum rpc_kind kind;
};

/* One binding of google.api.http. */
struct http_rule {
	const char *http_method, *template, *body, *response_body;
};

struct method {
	const char *name, *c_name, *comment;
	struct service *service;
	struct place place;
	struct message *request, *response;
	bool client_streaming, server_streaming;
	enum rpc_idempotency idempotency;
	bool has_access;
	struct rpc_access access;
	bool has_timeout;
	int64_t timeout_ms;
	bool has_rate_limit;
	int64_t rate_requests, rate_seconds;
	const char **http_headers;
	size_t n_http_headers;
	int64_t max_request_bytes;
	bool resumes;
	const char *resume_request, *resume_response;
	struct http_rule *rules;
	size_t n_rules;
	struct field *request_id; /* the request's, or NULL */
};

struct service {
	struct file *file;
	const char *name, *full_name, *c_name, *comment;
	struct place place;
	struct method *methods;
	size_t n_methods;
};

struct file {
	size_t index; /* in schema->files */
	const FileDescriptorProto *proto;
	const char *name, *package, *prefix;
	const char *stem; /* of what is written: "cart", "acme/cart/v1/cart" */
	struct file **dependencies;
	size_t n_dependencies;
	struct message **messages; /* nested ones too, parents first */
	size_t n_messages;
	struct enumeration **enumerations;
	size_t n_enumerations;
	struct service *services;
	size_t n_services;
	const Location **locations; /* sorted by path */
	size_t n_locations;
	bool generate, proto3, has_events;
	bool used; /* generated, or its types stand in what is generated */
};

/* What protoc hands on by --crpc_opt. */
struct setting {
	const char *kind, *key, *value; /* prefix, google.rpc, Rpc */
};

struct schema {
	struct arena *arena;
	const CodeGeneratorRequest *request;
	struct file *files;
	size_t n_files;
	struct setting *settings;
	size_t n_settings;
	bool flat;
	const char *aggregate; /* or NULL */
	/* Refusals, a line each. */
	FILE *errors;
	unsigned n_errors;
};

/* Builds the schema of `schema->request`. 0, or -EINVAL with the refusals in `errors`. */
int schema_load(struct schema *schema);
int schema_resolve(struct schema *schema);
int schema_read_parameter(struct schema *schema, const char *parameter);
/* Records a refusal: `file:line: sentence`. */
void refuse(struct schema *schema, struct place place, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Decodes extension options. */
void options_read_message(struct schema *schema, struct message *message,
			  const DescriptorProto *proto);
void options_read_field(struct schema *schema, struct field *field,
			const FieldDescriptorProto *proto);
void options_read_value(struct schema *schema, struct value *value,
			const ProtobufCMessage *options);
void options_read_method(struct schema *schema, struct method *method,
			 const MethodDescriptorProto *proto);

/* The value of the setting whose key is `name` or the longest of its parents: "google.rpc" for
 * "google.rpc.Status"; or NULL. */
const char *schema_setting(const struct schema *schema, const char *kind, const char *name);
/* The field of a path such as "item.product", or NULL. */
struct field *schema_find_field(const struct message *message, const char *path);
/* "cart" of acme.cart.v1, "acme" of it. */
const char *schema_domain(const struct schema *schema, const struct file *file);
const char *schema_platform(const struct schema *schema, const struct file *file);
