/* Entity tags. */
#include "etag.h"
#include "response.h"
#include <crpc/json.h>
#include <inttypes.h>
#include <string.h>

enum { HASH_DIGITS = 16 };

static uint64_t mix(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Eight bytes at a time, in the manner of wyhash. The same in every replica; nobody gains from two
 * bodies with one tag but who made them. */
static uint64_t hash_bytes(const char *bytes, size_t length)
{
	const uint64_t k0 = UINT64_C(0xA0761D6478BD642F), k1 = UINT64_C(0xE7037ED1A0B428DB);
	uint64_t hash = k0 ^ length, word;

	for (; length >= 8; bytes += 8, length -= 8) {
		memcpy(&word, bytes, 8);
		hash = mix(hash ^ word ^ k1, k0);
	}
	word = 0;
	memcpy(&word, bytes, length);
	return mix(hash ^ word ^ k0, k1);
}

/* Whether a list of tags has it, compared weakly; "*" has all. */
static bool list_has(const char *list, const char *tag)
{
	size_t length = strlen(tag);

	while (*list) {
		list += strspn(list, " \t,");
		if (*list == '*')
			return true;
		if (!strncmp(list, "W/", 2))
			list += 2;
		if (!strncmp(list, tag, length) && (!list[length] || strchr(" \t,", list[length])))
			return true;
		/* A tag may hold a comma: over the quoted part first. */
		if (*list == '"') {
			const char *end = strchr(list + 1, '"');

			list = end ? end + 1 : list + strlen(list);
		}
		list += strcspn(list, ",");
	}
	return false;
}

static const char *print_tag(struct request *request, const char *prefix, size_t length,
			     uint64_t hash)
{
	static const char digits[] = "0123456789abcdef";
	char *tag = rpc_alloc(request->call, length + HASH_DIGITS + 4), *to = tag;

	*to++ = '"';
	memcpy(to, prefix, length);
	to += length;
	if (length)
		*to++ = '~';
	for (int shift = 60; shift >= 0; shift -= 4)
		*to++ = digits[hash >> shift & 15];
	*to = '"';
	return tag;
}

static const char *tag_of(struct request *request, const char *resource_etag)
{
	uint64_t hash = hash_bytes(request->response.body, request->response.length);
	size_t length;

	if (!resource_etag)
		return print_tag(request, "", 0, hash);
	length = strlen(resource_etag);
	if (length >= 2 && resource_etag[0] == '"' && resource_etag[length - 1] == '"') {
		resource_etag++;
		length -= 2;
	}
	/* What may not stand in a tag is not put there. */
	for (size_t i = 0; i < length; i++)
		if (resource_etag[i] <= ' ' || resource_etag[i] > '~' || resource_etag[i] == '"')
			return print_tag(request, "", 0, hash);
	return print_tag(request, resource_etag, length, hash);
}

void etag_apply(struct request *request, const char *resource_etag)
{
	const char *if_none_match = request_header(request, "if-none-match");
	struct response *response = &request->response;
	const char *tag = response_find(response, "etag");

	if (!tag) {
		tag = tag_of(request, resource_etag);
		response_header(response, "etag", tag);
	}
	if (!if_none_match || !list_has(if_none_match, strncmp(tag, "W/", 2) ? tag : tag + 2))
		return;
	response->status = 304;
	response->content_type = NULL;
	response->body = NULL;
	response->length = 0;
}

void etag_weaken(struct request *request)
{
	for (unsigned i = 0; i < request->response.n_headers; i++) {
		struct header *header = &request->response.headers[i];

		if (strcmp(header->name, "etag") || !strncmp(header->value, "W/", 2))
			continue;
		header->value = rpc_printf(request->call, "W/%s", header->value);
		header->value_length += 2;
	}
}

/* The field `etag` of the message, else of the resource that is its body. What POST makes has had
 * none. */
static const char *etag_path(const struct request *request, const ProtobufCMessage *message)
{
	const ProtobufCMessageDescriptor *descriptor = message->descriptor;
	const char *body = request->match.route->body;
	const ProtobufCFieldDescriptor *field;

	if (protobuf_c_message_descriptor_get_field_by_name(descriptor, "etag"))
		return "etag";
	if (!body || !strcmp(body, "*") || !strcmp(request->method, "POST"))
		return NULL;
	field = protobuf_c_message_descriptor_get_field_by_name(descriptor, body);
	if (!field || field->type != PROTOBUF_C_TYPE_MESSAGE ||
	    !protobuf_c_message_descriptor_get_field_by_name(field->descriptor, "etag"))
		return NULL;
	return rpc_printf(request->call, "%s.etag", body);
}

int etag_apply_if_match(struct request *request, ProtobufCMessage *message)
{
	const char *tag = request_header(request, "if-match"), *path, *tilde;
	struct rpc_json_error error;
	size_t length;

	if (!tag || !strcmp(tag, "*"))
		return 0;
	path = etag_path(request, message);
	if (!path)
		return rpc_fail_code(request->call, RPC_INVALID_ARGUMENT,
				     "%s %s does not take If-Match.", request->method,
				     request->match.route->template);
	if (!strncmp(tag, "W/", 2))
		tag += 2;
	length = strlen(tag);
	if (length < 2 || tag[0] != '"' || tag[length - 1] != '"' ||
	    memchr(tag + 1, '"', length - 2))
		return rpc_fail_code(request->call, RPC_INVALID_ARGUMENT,
				     "If-Match takes one entity tag, in its quotes.");
	/* Back to the resource's own. */
	tilde = memrchr(tag, '~', length);
	if (tilde && tag + length - tilde == HASH_DIGITS + 2)
		tag = rpc_printf(request->call, "%.*s\"", (int)(tilde - tag), tag);
	if (rpc_json_set(rpc_arena(request->call), message, path, strlen(path), tag, strlen(tag),
			 &error)) {
		rpc_violate(request->call, path, "%s", error.message);
		return rpc_violations(request->call);
	}
	return 0;
}
