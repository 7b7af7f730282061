/* Events: what goes out comes in, and nothing else does. */
#include "test_events.ev.h"
#include <crpc/event.h>
#include <crpc/id.h>
#include <errno.h>
#include <string.h>
#include <test.h>

struct test_listener {
	crpc_test_v1_ThingMade made;
	int result;
};

static struct test_listener listener;

static void setup(void)
{
	memset(&listener, 0, sizeof(listener));
}

static int thing_made(struct test_listener *self, struct rpc_call *call,
		      const crpc_test_v1_ThingMade *event, const struct rpc_event *meta)
{
	self->made = *event;
	return self->result;
}

static const struct test_events_ops ops = { .thing_made = thing_made };

static struct rpc_event *made(void)
{
	crpc_test_v1_ThingMade event;

	memset(&event, 0, sizeof(event));
	event_text(event.name, "things/tea");
	event.labels_count = 2;
	event_text(event.labels[0], "one");
	event_text(event.labels[1], "two");
	event.number = -5;
	event.has_first = true;
	event_text(event.first.note, "note");
	return test_event_thing_made(test_call(), &event);
}

TEST(an_event_arrives_as_it_was_sent)
{
	struct rpc_event *event = made();

	ck_assert_str_eq(event->type, "crpc.test.v1.ThingMade");
	ck_assert_str_eq(event->subject, "crpc.test.v1.thing.made");
	ck_assert_str_eq(event->about, "things/tea");
	ck_assert_uint_eq(strlen(event->id), RPC_ID_LENGTH);
	ck_assert_uint_eq(strlen(event->traceparent), 55);
	ck_assert_int_gt(event->time_ms, 0);

	ck_assert_int_eq(rpc_event_dispatch(&test_events, &ops, &listener, test_call(), event), 0);
	ck_assert_str_eq(listener.made.name, "things/tea");
	ck_assert_str_eq(listener.made.labels[1], "two");
	ck_assert_str_eq(listener.made.first.note, "note");
	ck_assert_int_eq(listener.made.number, -5);
}

TEST(the_result_is_the_handlers)
{
	listener.result = -EIO;
	ck_assert_int_eq(rpc_event_dispatch(&test_events, &ops, &listener, test_call(), made()),
			 -EIO);
	listener.result = RPC_FAILED_PRECONDITION;
	ck_assert_int_eq(rpc_event_dispatch(&test_events, &ops, &listener, test_call(), made()),
			 RPC_FAILED_PRECONDITION);
}

TEST(what_nobody_handles_is_told)
{
	crpc_test_v1_ThingLost lost;
	struct rpc_event *event;

	memset(&lost, 0, sizeof(lost));
	event = test_event_thing_lost(test_call(), &lost);
	ck_assert_int_eq(rpc_event_dispatch(&test_events, &ops, &listener, test_call(), event),
			 -ENOENT);
	event->type = "crpc.test.v1.Unheard";
	ck_assert_int_eq(rpc_event_dispatch(&test_events, &ops, &listener, test_call(), event),
			 -ENOENT);
}

static const struct {
	const char *bytes;
	size_t size;
} refused[] = {
	{ "\x0a\x05tea", 5 }, /* cut */
	{ "\x0a\x10"
	  "0123456789abcdef",
	  18 },                /* the name is longer than its bound */
	{ "\x0a\x01\xff", 3 }, /* not UTF-8 */
	{ "\x12\x01"
	  "a"
	  "\x12\x02\xc3\x28",
	  7 }, /* nor is a label */
	{ "\x12\x01"
	  "a"
	  "\x12\x01"
	  "b"
	  "\x12\x01"
	  "c"
	  "\x12\x01"
	  "d",
	  12 },                                        /* four labels */
	{ "\x22\x03\x0a\x01\xff", 5 },                 /* within a message */
	{ "\x1a\x02\x0a\x00\x1a\x03\x0a\x01\xff", 9 }, /* within the second of a list */
	{ "\x32\x01\xff", 3 },                         /* within a oneof */
	{ "\x3a\x03\x0a\x01\xff", 5 },                 /* within its message */
	{ "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 11 },
};

TEST_EACH(payloads_beyond_their_bounds_are_refused, refused)
{
	struct rpc_event *event = made();

	event->payload.data = rpc_memdup(test_call(), row->bytes, row->size);
	event->payload.len = row->size;
	ck_assert_int_eq(rpc_event_dispatch(&test_events, &ops, &listener, test_call(), event),
			 RPC_EVENT_UNREADABLE);
}

TEST(unknown_fields_of_later_versions_are_passed_over)
{
	struct rpc_event *event = made();

	event->payload.data = (uint8_t *)"\x0a\x01xz\x01y";
	event->payload.len = 6;
	ck_assert_int_eq(rpc_event_dispatch(&test_events, &ops, &listener, test_call(), event), 0);
	ck_assert_str_eq(listener.made.name, "x");
}

TEST(text_is_cut_at_a_character)
{
	char field[8];

	event_text(field, "1234567");
	ck_assert_str_eq(field, "1234567");
	event_text(field, "12345678");
	ck_assert_str_eq(field, "1234567");
	event_text(field, "12345\xe2\x82\xac");
	ck_assert_str_eq(field, "12345");
	event_text(field, "1234\xe2\x82\xac");
	ck_assert_str_eq(field, "1234\xe2\x82\xac");
}

TEST(ids_sort_by_the_order_in_which_they_were_made)
{
	const char *last = rpc_id_new(test_call());

	for (int i = 0; i < 20000; i++) {
		const char *next = rpc_id_new(test_call());

		ck_assert_uint_eq(strspn(next, "0123456789abcdefghjkmnpqrstvwxyz"), RPC_ID_LENGTH);
		ck_assert_uint_eq(strlen(next), RPC_ID_LENGTH);
		ck_assert_int_lt(strcmp(last, next), 0);
		last = next;
	}
}

TEST(derived_ids_depend_on_scope_and_key_alone)
{
	const char *id = rpc_id_derive(test_call(), "users/ann CreateOrder", "key");

	ck_assert_str_eq(id, rpc_id_derive(test_call(), "users/ann CreateOrder", "key"));
	ck_assert_str_ne(id, rpc_id_derive(test_call(), "users/bob CreateOrder", "key"));
	ck_assert_str_ne(id, rpc_id_derive(test_call(), "users/ann CreateOrder", "key2"));
	ck_assert_str_ne(rpc_id_derive(test_call(), "a", "bc"),
			 rpc_id_derive(test_call(), "ab", "c"));
	/* Kept in databases: it must never change. */
	ck_assert_str_eq(id, "3fyaaxn2tjh5xvbnrpypedcw8h");
}

TEST_MAIN("event", setup, NULL)
