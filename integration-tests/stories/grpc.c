/* gRPC by hand: HTTP/2 from libcurl, five bytes before the message, the status in the trailers. */
#include "grpc.h"
#include "platform.h"
#include <check.h>
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void wire_raw(struct wire *wire, const void *bytes, size_t size)
{
	if (wire->size + size > wire->capacity) {
		uint8_t *old = wire->bytes;

		wire->capacity = 2 * (wire->size + size) + 64;
		wire->bytes = (uint8_t *)text("%*s", (int)wire->capacity, "");
		if (wire->size)
			memcpy(wire->bytes, old, wire->size);
	}
	if (size)
		memcpy(wire->bytes + wire->size, bytes, size);
	wire->size += size;
}

static void varint(struct wire *wire, uint64_t value)
{
	do {
		uint8_t byte = (value & 0x7f) | (value > 0x7f ? 0x80 : 0);

		wire_raw(wire, &byte, 1);
		value >>= 7;
	} while (value);
}

void wire_varint(struct wire *wire, int field, uint64_t value)
{
	varint(wire, field << 3);
	varint(wire, value);
}

void wire_bytes(struct wire *wire, int field, const void *bytes, size_t size)
{
	varint(wire, field << 3 | 2);
	varint(wire, size);
	wire_raw(wire, bytes, size);
}

void wire_text(struct wire *wire, int field, const char *value)
{
	wire_bytes(wire, field, value, strlen(value));
}

void wire_nest(struct wire *wire, int field, const struct wire *inner)
{
	wire_bytes(wire, field, inner->bytes, inner->size);
}

/* From the inside out, since each length stands before what it counts. */
void wire_deep(struct wire *wire, int field, int depth)
{
	size_t room = 8 * (size_t)depth, size = 0;
	cleanup(freep) uint8_t *bytes = malloc(room);

	for (int i = 0; i < depth; i++) {
		struct wire head = {};

		varint(&head, field << 3 | 2);
		varint(&head, size);
		size += head.size;
		memcpy(bytes + room - size, head.bytes, head.size);
	}
	wire_raw(wire, bytes + room - size, size);
}

static size_t take_body(char *bytes, size_t one, size_t count, void *data)
{
	wire_raw(data, bytes, one * count);
	return one * count;
}

static size_t take_header(char *line, size_t one, size_t count, void *data)
{
	struct grpc_answer *answer = data;
	size_t size = one * count;
	const char *value = text("%.*s", (int)size, line);

	if (!strncasecmp(value, "grpc-status:", 12)) {
		answer->status = atoi(value + 12);
	} else if (!strncasecmp(value, "grpc-message:", 13)) {
		char *plain;

		value += 13 + strspn(value + 13, " ");
		plain = curl_easy_unescape(NULL, value, strcspn(value, "\r\n"), NULL);
		answer->message = text("%s", plain);
		curl_free(plain);
	}
	return size;
}

static struct grpc_answer send_once(const struct grpc_call *call)
{
	struct grpc_answer answer = { .status = -1, .message = text("%s", "") };
	const char *root = platform_variable("SOUK_TEST_TLS_DIR");
	size_t size = call->message ? call->message->size : 0;
	uint8_t prefix[5] = { 0, size >> 24, size >> 16, size >> 8, size };
	struct wire request = {}, body = {};
	struct curl_slist *headers = NULL, *hosts;
	CURL *curl = curl_easy_init();
	int port = platform_grpc_port(call->service, 1);

	wire_raw(&request, prefix, sizeof(prefix));
	if (size)
		wire_raw(&request, call->message->bytes, size);
	headers = curl_slist_append(headers, "Content-Type: application/grpc");
	headers = curl_slist_append(headers, "TE: trailers");
	headers = curl_slist_append(headers, "Expect:");
	if (call->token)
		headers = curl_slist_append(headers, text("authorization: Bearer %s", call->token));
	hosts = curl_slist_append(NULL, text("%s:%d:127.0.0.1", call->service, port));
	curl_easy_setopt(curl, CURLOPT_RESOLVE, hosts);
	curl_easy_setopt(curl, CURLOPT_URL,
			 text("https://%s:%d%s", call->service, port, call->method));
	curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
	curl_easy_setopt(curl, CURLOPT_CAINFO, text("%s/ca.crt", root));
	if (call->certificate) {
		curl_easy_setopt(curl, CURLOPT_SSLCERT,
				 text("%s/../%s/tls.crt", root, call->certificate));
		curl_easy_setopt(curl, CURLOPT_SSLKEY,
				 text("%s/../%s/tls.key", root, call->certificate));
	}
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 30000L);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_POST, 1L);
	curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request.size);
	curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request.bytes);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);
	curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
	curl_easy_setopt(curl, CURLOPT_HEADERDATA, &answer);
	answer.transport = curl_easy_perform(curl);
	curl_easy_cleanup(curl);
	curl_slist_free_all(headers);
	curl_slist_free_all(hosts);
	if (body.size >= sizeof(prefix)) {
		answer.body = body.bytes + sizeof(prefix);
		answer.size = body.size - sizeof(prefix);
	}
	return answer;
}

/*
 * A server may answer and reset the stream before it has seen the message; libcurl 7.88 then drops
 * the answer with the stream.
 */
struct grpc_answer grpc_send(const struct grpc_call *call)
{
	struct grpc_answer answer = { 0 };

	for (int tries = 0; tries < 200; tries++) {
		answer = send_once(call);
		if (answer.transport != CURLE_HTTP2_STREAM || answer.status != -1)
			break;
		pause_ms(20);
	}
	return answer;
}

static bool read_varint(const uint8_t **at, const uint8_t *end, uint64_t *ret)
{
	uint64_t value = 0;

	for (int shift = 0; *at < end && shift < 64; shift += 7) {
		uint8_t byte = *(*at)++;

		value |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80) {
			*ret = value;
			return true;
		}
	}
	return false;
}

const uint8_t *grpc_field(const struct grpc_answer *answer, int field, size_t *size)
{
	const uint8_t *at = answer->body, *end = at + answer->size;
	uint64_t key, value;

	while (at && at < end && read_varint(&at, end, &key)) {
		switch (key & 7) {
		case 0:
			if (!read_varint(&at, end, &value))
				return NULL;
			break;
		case 1:
			at += 8;
			break;
		case 5:
			at += 4;
			break;
		case 2:
			if (!read_varint(&at, end, &value) || value > (uint64_t)(end - at))
				return NULL;
			if (key >> 3 == (uint64_t)field) {
				*size = value;
				return at;
			}
			at += value;
			break;
		default:
			return NULL;
		}
	}
	return NULL;
}
