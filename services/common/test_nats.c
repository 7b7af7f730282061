/* Publishing: what counts as sent is in the stream, whatever becomes of the rest. */
#include "nats_private.h"
#include <stores.h>
#include <string.h>
#include <test.h>

#include "probe.h" /* behind whatever has a `call` of its own */

enum { MANY = 1500, TOO_LARGE = 2 << 20 };

static void setup(void)
{
	stores_nats();
	call = rpc_call_new("test", 60000);
}

static void teardown(void)
{
	call = rpc_call_free(call);
	stores_close();
}

static void delete_stream(void)
{
	char name[NATS_NAME_MAX];

	nats_stream_name("probe", name);
	ck_assert_int_eq(js_DeleteStream(nats_js(), name, NULL, NULL), NATS_OK);
}

TEST(a_batch_may_be_longer_than_what_is_on_its_way_at_once)
{
	static struct rpc_event *events[MANY];
	size_t n = 0;

	for (size_t i = 0; i < MANY; i++)
		events[i] = changed("probes/p1", 1);
	ck_assert_int_eq(nats_publish(call, events, MANY, &n), 0);
	ck_assert_uint_eq(n, MANY);
	ck_assert_uint_eq(stores_stream_messages("probe"), MANY);
}

TEST(events_are_stored_in_the_order_in_which_they_are_given)
{
	struct rpc_event *events[] = { changed("probes/p1", 1), changed("probes/p2", 1),
				       changed("probes/p3", 1) };
	size_t n = 0;

	ck_assert_int_eq(nats_publish(call, events, 3, &n), 0);
	for (size_t i = 0; i < 3; i++) {
		char *id = stores_stream_header("probe", i + 1, "ce-id");

		ck_assert_str_eq(id, events[i]->id);
		free(id);
	}
}

/* As the binding of CloudEvents to NATS has them: each a header of its own, percent-encoded. */
TEST(an_event_travels_with_the_headers_of_cloudevents)
{
	struct rpc_event *event = changed("probes/p1\r\nx: y", 1);
	const char *const headers[][2] = {
		{ "Nats-Msg-Id", event->id },
		{ "ce-specversion", "1.0" },
		{ "ce-id", event->id },
		{ "ce-source", "/services/probe" },
		{ "ce-type", event->type },
		{ "ce-subject", "probes/p1%0D%0Ax:%20y" },
		{ "traceparent", event->traceparent },
		{ "ce-datacontenttype", "application/protobuf" },
	};
	size_t n = 0;

	ck_assert_int_eq(nats_publish(call, &event, 1, &n), 0);
	for (size_t i = 0; i < sizeof(headers) / sizeof(*headers); i++) {
		char *value = stores_stream_header("probe", 1, headers[i][0]);

		ck_assert_str_eq(value, headers[i][1]);
		free(value);
	}
}

TEST(what_is_before_an_event_that_cannot_be_sent_is_counted)
{
	struct rpc_event *events[] = { changed("probes/p1", 1), changed("probes/p2", 1),
				       changed("probes/p3", 1) };
	static uint8_t payload[TOO_LARGE];
	size_t n = 0;

	events[1]->payload = (ProtobufCBinaryData){ TOO_LARGE, payload };
	ck_assert_int_eq(nats_publish(call, events, 3, &n), RPC_UNAVAILABLE);
	ck_assert_uint_eq(n, 1);
	ck_assert_uint_eq(stores_stream_messages("probe"), 1);
}

/* The first batch finds that nobody answers for the stream, the next one makes it again. */
TEST(a_stream_that_is_gone_is_made_again)
{
	struct rpc_event *events[] = { changed("probes/p1", 1), changed("probes/p2", 1) };
	size_t n = 7;

	ck_assert_int_eq(nats_publish(call, events, 2, &n), 0);
	delete_stream();
	ck_assert_int_eq(nats_publish(call, events, 2, &n), RPC_UNAVAILABLE);
	ck_assert_uint_eq(n, 0);
	ck_assert_int_eq(nats_publish(call, events, 2, &n), 0);
	ck_assert_uint_eq(n, 2);
	ck_assert_uint_eq(stores_stream_messages("probe"), 2);
}

TEST_MAIN("nats", setup, teardown)
