/* Events: payloads in and out of nanopb structs, and who handles them. */
#include "text.h"
#include <crpc/event.h>
#include <crpc/id.h>
#include <errno.h>
#include <pb_common.h>
#include <pb_decode.h>
#include <pb_encode.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool check_strings(const pb_msgdesc_t *fields, const void *message);

static bool check_string(const char *string, size_t size)
{
	size_t length = strnlen(string, size);

	return length < size && utf8_valid_prefix(string, length) == length;
}

/* nanopb bounds arrays and terminates strings; UTF-8 it checks only where it was built to. Elements
 * lie one after another. */
static bool check_field(const pb_field_iter_t *field)
{
	size_t n = 1;

	if (PB_HTYPE(field->type) == PB_HTYPE_FIXARRAY)
		n = field->array_size;
	else if (PB_HTYPE(field->type) == PB_HTYPE_REPEATED)
		n = *(const pb_size_t *)field->pSize;
	else if (PB_HTYPE(field->type) == PB_HTYPE_ONEOF &&
		 *(const pb_size_t *)field->pSize != field->tag)
		return true;
	else if (PB_HTYPE(field->type) == PB_HTYPE_OPTIONAL && field->pSize &&
		 !*(const bool *)field->pSize)
		return true;
	if (PB_ATYPE(field->type) != PB_ATYPE_STATIC)
		return false; /* events are bounded, with nothing behind a pointer */
	for (size_t i = 0; i < n; i++) {
		const char *at = (const char *)field->pData + i * field->data_size;

		if (PB_LTYPE(field->type) == PB_LTYPE_STRING && !check_string(at, field->data_size))
			return false;
		if (PB_LTYPE_IS_SUBMSG(field->type) && !check_strings(field->submsg_desc, at))
			return false;
	}
	return true;
}

static bool check_strings(const pb_msgdesc_t *fields, const void *message)
{
	pb_field_iter_t field;

	if (!pb_field_iter_begin_const(&field, fields, message))
		return true; /* no fields */
	do {
		if (!check_field(&field))
			return false;
	} while (pb_field_iter_next(&field));
	return true;
}

struct rpc_event *rpc_event_new(struct rpc_call *call, const struct rpc_event_type *type,
				const void *message)
{
	struct rpc_event *event = rpc_alloc(call, sizeof(*event));
	uint8_t *bytes = rpc_alloc(call, type->encoded_size + 1);
	pb_ostream_t stream = pb_ostream_from_buffer(bytes, type->encoded_size);

	/* Only a struct that was not filled by event_text() and its bounds gets here. */
	if (!check_strings(type->fields, message) || !pb_encode(&stream, type->fields, message)) {
		fprintf(stderr, "event: a %s breaks the bounds of its own type: %s\n", type->type,
			PB_GET_ERROR(&stream));
		abort();
	}
	*event = (struct rpc_event){
		.id = rpc_id_new(call),
		.type = type->type,
		.subject = type->subject,
		.about = rpc_strdup(call, (const char *)message + type->about_offset),
		.traceparent = rpc_traceparent(call),
		.time_ms = rpc_now_ms(call),
		.payload = { stream.bytes_written, bytes },
	};
	return event;
}

void event_text_(char *field, size_t size, const char *text)
{
	size_t length = utf8_valid_prefix(
		text, strnlen(text, size - 1)); /* a character that was cut is left out */

	memcpy(field, text, length);
	memset(field + length, 0, size - length);
}

static const struct rpc_event_handler *find_handler(const struct rpc_event_domain *domain,
						    const char *type)
{
	for (size_t i = 0; i < domain->n_handlers; i++)
		if (!strcmp(domain->handlers[i].type->type, type))
			return &domain->handlers[i];
	return NULL;
}

int rpc_event_dispatch(const struct rpc_event_domain *domain, const void *ops, void *self,
		       struct rpc_call *call, const struct rpc_event *event)
{
	const struct rpc_event_handler *handler = find_handler(domain, event->type);
	pb_istream_t stream;
	void *message;

	if (!handler || !*(void *const *)((const char *)ops + handler->member))
		return -ENOENT;
	message = rpc_alloc(call, handler->type->size);
	stream = pb_istream_from_buffer(event->payload.data, event->payload.len);
	if (!pb_decode(&stream, handler->type->fields, message) ||
	    !check_strings(handler->type->fields, message))
		return RPC_EVENT_UNREADABLE;
	return handler->invoke(ops, self, call, message, event);
}
