/* What is written of a schema, one function a file of ours. */
#pragma once

#include "output.h"
#include "template.h"

/* Messages, enums and reasons: .msg.h and .msg.c. */
void write_messages(struct outputs *outputs, const struct file *file);
void print_enumeration_header(struct output *out, const struct enumeration *enumeration);
void print_enumeration(struct output *out, const struct enumeration *enumeration);
void print_reasons_header(struct output *out, const struct enumeration *enumeration);
void print_reasons(struct output *out, const struct schema *schema,
		   const struct enumeration *enumeration);
void print_descriptor(struct output *out, const struct message *message);

/* Services: .rpc.h and .rpc.c. */
void write_services(struct outputs *outputs, const struct file *file);
void print_service_header(struct output *out, const struct service *service);
void print_service(struct output *out, const struct service *service);
void print_client_header(struct output *out, const struct service *service);
void print_client(struct output *out, const struct service *service);
void print_streams(struct output *out, const struct file *file, struct schema *schema);
/* The file's descriptor for reflection, with all that it imports. */
void print_files(struct output *out, struct schema *schema, const struct file *file);

/* Events: .ev.h and .ev.c. */
void write_events(struct outputs *outputs, const struct file *file);

/* Over all files: routes, types and the OpenAPI document. */
void write_routes(struct outputs *outputs);
void write_openapi(struct outputs *outputs);

/* A binding of a method, its template parsed. */
struct binding {
	const struct method *method;
	const struct http_rule *rule;
	struct template template;
};
/* All bindings of the files that are generated, in the order of template_compare(). */
const struct binding *routes_collect(struct schema *schema, size_t *ret);

/* Refuses what the rules forbid. */
void check_schema(struct schema *schema);
void check_routes(struct schema *schema, const struct method *method);
void check_ambiguous_routes(struct schema *schema);
