/* Events: functions that make them, tables that consume them. The structs are nanopb's. */
#include "naming.h"
#include "products.h"
#include <ctype.h>
#include <string.h>

/* acme_cart_v1_CartUpdated, as nanopb calls it */
static const char *nanopb_name(struct arena *arena, const struct message *message)
{
	char *name = arena_printf(arena, "%s%s%s", message->file->package,
				  *message->file->package ? "." : "", message->name);

	for (char *at = name; *at; at++)
		if (*at == '.')
			*at = '_';
	return name;
}

/* "acme.cart.v1.cart.updated": the last word is the verb, the noun may have several */
static const char *subject_of(struct arena *arena, const struct message *message)
{
	char *words = arena_printf(arena, "%s", name_snake(arena, message->name));
	char *last = strrchr(words, '_');

	for (char *at = words; *at; at++)
		if (*at == '_')
			*at = at == last ? '.' : '-';
	return arena_printf(arena, "%s%s%s", message->file->package,
			    *message->file->package ? "." : "", words);
}

static void print_event(struct output *out, struct arena *arena, const char *domain,
			const struct message *message)
{
	const char *event = name_snake(arena, message->name), *type = nanopb_name(arena, message);

	print(out,
	      "\nstatic const struct rpc_event_type %s_type = {\n"
	      "\t.type = \"%s\",\n\t.subject = \"%s\",\n\t.fields = %s_fields,\n\t.size = "
	      "sizeof(%s),\n"
	      "\t.encoded_size = %s_size,\n\t.about_offset = offsetof(%s, %s),\n};\n",
	      event, message->full_name, subject_of(arena, message), type, type, type, type,
	      message->event_subject);
	print(out,
	      "\nstruct rpc_event *%s_event_%s(struct rpc_call *call, const %s *event)\n{\n"
	      "\treturn rpc_event_new(call, &%s_type, event);\n}\n",
	      domain, event, type, event);
	print(out,
	      "\nstatic int %s_invoke(const void *table, void *self, struct rpc_call *call, const "
	      "void *message,\n"
	      "\t\tconst struct rpc_event *event)\n{\n"
	      "\tconst struct %s_events_ops *ops = table;\n\n"
	      "\treturn ops->%s(self, call, message, event);\n}\n",
	      event, domain, name_member(arena, event));
}

static void print_header(struct output *out, struct arena *arena, const struct file *file,
			 const char *domain)
{
	print_head(out, file->name);
	print(out, "#pragma once\n\n#include <crpc/event.h>\n#include \"%s.pb.h\"\n", file->stem);
	for (size_t i = 0; i < file->n_messages; i++) {
		const struct message *message = file->messages[i];

		if (!message->is_event)
			continue;
		print(out, "\n");
		print_comment(out, "", message->comment);
		print(out,
		      "struct rpc_event *%s_event_%s(struct rpc_call *call, const %s *event);\n",
		      domain, name_snake(arena, message->name), nanopb_name(arena, message));
	}
	print(out, "\nstruct %s_listener; /* yours to define */\n", domain);
	print(out, "/* A member that is NULL is not subscribed to. */\nstruct %s_events_ops {\n",
	      domain);
	for (size_t i = 0; i < file->n_messages; i++) {
		const struct message *message = file->messages[i];

		if (!message->is_event)
			continue;
		print_comment(out, "\t", message->comment);
		print(out,
		      "\tint (*%s)(struct %s_listener *self, struct rpc_call *call, const %s "
		      "*event,\n"
		      "\t\t\tconst struct rpc_event *meta);\n",
		      name_member(arena, name_snake(arena, message->name)), domain,
		      nanopb_name(arena, message));
	}
	print(out, "};\n\nextern const struct rpc_event_domain %s_events;\n", domain);
}

void write_events(struct outputs *outputs, const struct file *file)
{
	struct schema *schema = outputs->schema;
	struct arena *arena = schema->arena;
	struct output *header = output_new(outputs, arena_printf(arena, "%s.ev.h", file->stem));
	struct output *source = output_new(outputs, arena_printf(arena, "%s.ev.c", file->stem));
	const char *domain = schema_domain(schema, file);
	size_t n_events = 0;

	print_header(header, arena, file, domain);

	print_head(source, file->name);
	print(source, "#include \"%s.ev.h\"\n", file->stem);
	for (size_t i = 0; i < file->n_messages; i++)
		if (file->messages[i]->is_event)
			print_event(source, arena, domain, file->messages[i]);
	print(source, "\nstatic const struct rpc_event_handler handlers[] = {\n");
	for (size_t i = 0; i < file->n_messages; i++) {
		const char *event = name_snake(arena, file->messages[i]->name);

		if (!file->messages[i]->is_event)
			continue;
		print(source, "\t{ &%s_type, %s_invoke, offsetof(struct %s_events_ops, %s) },\n",
		      event, event, domain, name_member(arena, event));
		n_events++;
	}
	print(source,
	      "};\n\nconst struct rpc_event_domain %s_events = { \"%s\", handlers, %zu };\n",
	      domain, domain, n_events);
}
