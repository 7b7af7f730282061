/* Payloads: compression both ways, and what it must not be used for. */
#include "payload.h"
#include "test.h"
#include "test/probe.h"
#include <stdlib.h>
#include <string.h>

static struct probe probe;
static struct rpc_call *call;

static void setup(void)
{
	probe_start(&probe, &(struct rpc_server_options){ .threads = 2, .compress = true });
	call = rpc_call_new("test", 20000);
}

static void teardown(void)
{
	rpc_call_free(call);
	probe_stop(&probe);
}

/* A text that compresses well. */
static char *text(size_t size)
{
	char *result = rpc_alloc(call, size + 1);

	memset(result, 'a', size);
	return result;
}

static int ask(size_t size, ProbeResponse **response)
{
	return probe_client_probe(probe.client, call, MSG(ProbeRequest, .text = text(size)),
				  response);
}

TEST(messages_are_compressed_both_ways)
{
	ProbeResponse *response;

	rpc_set_request_compressed(call, true);
	ck_assert_int_eq(ask(50000, &response), 0);
	ck_assert_uint_eq(strlen(response->text), 50000);
	ck_assert(rpc_received_compressed(call));
}

TEST(a_small_message_is_not_compressed)
{
	ProbeResponse *response;

	ck_assert_int_eq(ask(100, &response), 0);
	ck_assert(!rpc_received_compressed(call));
}

TEST(a_request_is_measured_as_it_is_when_decompressed)
{
	ProbeResponse *response;

	rpc_set_request_compressed(call, true);
	ck_assert_int_eq(ask(100001, &response), RPC_RESOURCE_EXHAUSTED);
	ck_assert_str_eq(rpc_error_reason(call), "MESSAGE_TOO_LARGE");
	ck_assert_str_eq(rpc_error_meta(call, "size"), "over 100000");
}

TEST(a_message_of_a_stream_is_measured_too)
{
	cleanup(number_reader_freep) struct number_reader *reader = NULL;
	const size_t size = 2 << 20;
	struct number_writer *writer;
	Number *number;

	rpc_set_request_compressed(call, true);
	ck_assert_int_eq(probe_client_sum(probe.client, call, &writer, &reader), 0);
	number_writer_send(writer, MSG(Number, .padding = { size, (uint8_t *)text(size) }));
	ck_assert_int_eq(number_reader_next(reader, &number), RPC_RESOURCE_EXHAUSTED);
	ck_assert_str_eq(rpc_error_reason(call), "MESSAGE_TOO_LARGE");
}

static int unpack(const void *bytes, size_t size, size_t limit, struct payload *payload)
{
	grpc_slice slice = grpc_slice_from_copied_buffer(bytes, size);
	grpc_byte_buffer *buffer =
		grpc_raw_compressed_byte_buffer_create(&slice, 1, GRPC_COMPRESS_GZIP);
	int r;

	*payload = (struct payload){ .type = &Number_descriptor, .limit = limit };
	r = payload_unpack(rpc_arena(call), buffer, payload);
	grpc_byte_buffer_destroy(buffer);
	grpc_slice_unref(slice);
	return r;
}

TEST(what_does_not_decompress_is_refused)
{
	/* Number{value: 5}, by gzip */
	static const uint8_t good[] = { 0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00,
					0x02, 0x03, 0xe3, 0x60, 0x05, 0x00, 0x78, 0x6c,
					0x6a, 0xf9, 0x02, 0x00, 0x00, 0x00 };
	struct payload payload;
	uint8_t bad[sizeof(good)];

	ck_assert_int_eq(unpack(good, sizeof(good), 0, &payload), 0);
	ck_assert_int_eq(((Number *)payload.message)->value, 5);
	for (size_t i = 0; i < sizeof(good); i++) /* cut off */
		ck_assert_int_eq(unpack(good, i, 0, &payload), PAYLOAD_MALFORMED);
	for (size_t i = 10; i < sizeof(good); i++) { /* its length and checksum count */
		memcpy(bad, good, sizeof(bad));
		bad[i] ^= 0x55;
		ck_assert_int_eq(unpack(bad, sizeof(bad), 0, &payload), PAYLOAD_MALFORMED);
	}
	ck_assert_int_eq(unpack("not gzip", 8, 0, &payload), PAYLOAD_MALFORMED);
}

TEST_MAIN("payload", setup, teardown)
