/* Consuming: nothing is lost, nothing blocks for ever, what cannot be handled is kept and can be
 * replayed. */
#include "events_private.h"
#include "store.msg.h"
#include <common/dead_letters.h>
#include <common/events.h>
#include <errno.h>
#include <stores.h>
#include <string.h>
#include <test.h>
#include <unistd.h>

#include "probe.h" /* behind whatever has a `call` of its own */

MONGO_COLLECTION(inbox, .name = "inbox", .type = &SeenEvent_descriptor,
		 .indexes = events_inbox_indexes);

static void freep(char **text)
{
	free(*text);
}

/* What the handler shall answer, and what it saw. */
struct probe_listener {
	int results[16], n_calls;
	char probes[64][65];
	char traceparent[64];
};
static struct probe_listener seen;

static int probe_changed(struct probe_listener *self, struct rpc_call *own,
			 const souk_probe_v1_ProbeChanged *event, const struct rpc_event *meta)
{
	int r = self->n_calls < 16 ? self->results[self->n_calls] : 0;

	(void)meta;
	snprintf(self->probes[self->n_calls % 64], sizeof(self->probes[0]), "%s", event->probe);
	snprintf(self->traceparent, sizeof(self->traceparent), "%s", rpc_traceparent(own));
	self->n_calls++;
	return r > 0 ? rpc_fail_code(own, (enum rpc_code)r, "No.") : r;
}

static const struct probe_events_ops ops = { .probe_changed = probe_changed };
static struct events_consumer *consumer;

static void setup(void)
{
	char *error = NULL;

	stores_mongo("events");
	stores_nats();
	call = rpc_call_new("test", 60000);
	memset(&seen, 0, sizeof(seen));
	consumer = events_consumer_new("cart", &probe_events, &ops, &seen, &error);
	ck_assert_ptr_nonnull(consumer);
}

static void teardown(void)
{
	consumer = events_consumer_free(consumer);
	call = rpc_call_free(call);
	stores_close();
}

static struct rpc_event *dropped(const char *probe)
{
	souk_probe_v1_ProbeDropped event = { 0 };

	event_text(event.probe, probe);
	return probe_event_probe_dropped(call, &event);
}

static void publish(struct rpc_event *event)
{
	size_t n;

	ck_assert_int_eq(nats_publish(call, EVENTS(event), 1, &n), 0);
}

/* Until so many events were handled. */
static void handle(int n)
{
	while (n > 0) {
		int handled = events_consumer_turn(consumer, 1000);

		ck_assert_int_ge(handled, 0);
		n -= handled;
	}
}

TEST(an_event_reaches_its_handler_with_its_trace)
{
	struct rpc_event *event = changed("probes/p1", 1);

	publish(event);
	handle(1);
	ck_assert_int_eq(seen.n_calls, 1);
	ck_assert_str_eq(seen.probes[0], "probes/p1");
	/* The same trace, another span. */
	ck_assert_int_eq(strncmp(seen.traceparent, event->traceparent, 36), 0);
	ck_assert_str_ne(seen.traceparent, event->traceparent);
	ck_assert_int_eq(events_consumer_turn(consumer, 200), 0);
}

TEST(events_that_nobody_asked_for_are_passed_over)
{
	publish(dropped("probes/p1"));
	publish(changed("probes/p2", 1));
	handle(2);
	ck_assert_int_eq(seen.n_calls, 1);
	ck_assert_str_eq(seen.probes[0], "probes/p2");
}

static int64_t unacknowledged(void)
{
	char stream[NATS_NAME_MAX];
	jsConsumerInfo *info = NULL;
	int64_t n;

	nats_stream_name("probe", stream);
	ck_assert_int_eq(js_GetConsumerInfo(&info, nats_js(), stream, "cart_probe", NULL, NULL),
			 NATS_OK);
	n = info->NumAckPending;
	jsConsumerInfo_Destroy(info);
	return n;
}

TEST(what_is_handled_is_acknowledged_soon)
{
	for (int i = 0; i < 40; i++)
		publish(changed("probes/p1", 1));
	handle(40);
	while (unacknowledged())
		ck_assert_int_eq(events_consumer_turn(consumer, 100), 0);
}

TEST(who_stops_acknowledges_what_is_handled)
{
	publish(changed("probes/p1", 1));
	handle(1);
	consumer = events_consumer_free(consumer);
	while (unacknowledged())
		usleep(10000);
}

TEST(many_events_come_in_the_order_of_their_publishing)
{
	for (int i = 0; i < 40; i++)
		publish(changed(rpc_printf(call, "probes/p%d", i), 1));
	handle(40);
	for (int i = 0; i < 40; i++)
		ck_assert_str_eq(seen.probes[i], rpc_printf(call, "probes/p%d", i));
}

TEST(while_what_it_needs_is_away_an_event_is_tried_again_and_nothing_overtakes_it)
{
	seen.results[0] = -EIO;
	seen.results[1] = RPC_UNAVAILABLE;
	seen.results[2] = RPC_ABORTED;
	publish(changed("probes/p1", 1));
	publish(changed("probes/p2", 1));
	handle(2);
	ck_assert_int_eq(seen.n_calls, 5);
	for (int i = 0; i < 4; i++)
		ck_assert_str_eq(seen.probes[i], "probes/p1");
	ck_assert_str_eq(seen.probes[4], "probes/p2");
	ck_assert_uint_eq(stores_stream_messages("dlq"), 0);
}

TEST(a_refused_event_comes_again_later_and_others_pass_it)
{
	seen.results[0] = RPC_FAILED_PRECONDITION;
	publish(changed("probes/p1", 1));
	publish(changed("probes/p2", 1));
	handle(3);
	ck_assert_int_eq(seen.n_calls, 3);
	ck_assert_str_eq(seen.probes[1], "probes/p2");
	ck_assert_str_eq(seen.probes[2], "probes/p1");
}

TEST(a_document_that_cannot_be_read_holds_up_its_own_event_only)
{
	cleanup(freep) char *reason = NULL;

	for (int i = 0; i < 6; i++)
		seen.results[i] = i == 1 ? 0 : -EBADMSG;
	test_expect_log("an event went to the dead letters");
	events_refusal_delays_set(10);
	publish(changed("probes/p1", 1));
	publish(changed("probes/p2", 1));
	handle(6);
	ck_assert_int_eq(seen.n_calls, 6);
	ck_assert_str_eq(seen.probes[1], "probes/p2");
	reason = stores_stream_header("dlq", 1, "souk-reason");
	ck_assert_ptr_nonnull(strstr(reason, "stored"));
	ck_assert_int_eq(events_consumer_turn(consumer, 200), 0);
}

static struct rpc_event *broken(void)
{
	static uint8_t bytes[] = { 0xff, 0xff, 0xff };
	struct rpc_event *event = changed("probes/p1", 1);

	event->payload = (ProtobufCBinaryData){ .data = bytes, .len = sizeof(bytes) };
	return event;
}

TEST(what_cannot_be_decoded_is_a_dead_letter_at_once)
{
	test_expect_log("an event went to the dead letters");
	publish(broken());
	publish(changed("probes/p2", 1));
	handle(2);
	ck_assert_int_eq(seen.n_calls, 1);
	ck_assert_uint_eq(stores_stream_messages("dlq"), 1);
	ck_assert_int_eq(events_consumer_turn(consumer, 200), 0);
}

TEST(what_is_refused_five_times_is_a_dead_letter_with_its_reason)
{
	cleanup(freep) char *reason = NULL, *subject = NULL;

	for (int i = 0; i < 5; i++)
		seen.results[i] = RPC_FAILED_PRECONDITION;
	test_expect_log("an event went to the dead letters");
	events_refusal_delays_set(10);
	publish(changed("probes/p1", 1));
	handle(5);
	ck_assert_int_eq(seen.n_calls, 5);
	ck_assert_uint_eq(stores_stream_messages("dlq"), 1);
	reason = stores_stream_header("dlq", 1, "souk-reason");
	ck_assert_str_eq(reason, "FAILED_PRECONDITION:%20No.");
	subject = stores_stream_header("dlq", 1, "souk-subject");
	ck_assert_str_eq(subject, "souk.probe.v1.probe.changed");
	ck_assert_int_eq(events_consumer_turn(consumer, 200), 0);
}

TEST(a_dead_letter_that_is_replayed_reaches_its_service_again)
{
	struct events_consumer *replayed;
	size_t n = 0;

	for (int i = 0; i < 5; i++)
		seen.results[i] = RPC_FAILED_PRECONDITION;
	test_expect_log("an event went to the dead letters");
	events_refusal_delays_set(10);
	publish(changed("probes/p1", 1));
	handle(5);
	ck_assert_int_eq(dead_letters_replay("cart", &n), 0);
	ck_assert_uint_eq(n, 1);
	ck_assert_int_eq(dead_letters_replay("cart", &n), 0);
	ck_assert_uint_eq(n, 0); /* each once */
	replayed = events_replay_consumer_new("cart", &probe_events, &ops, &seen);
	while (!events_consumer_turn(replayed, 1000))
		;
	ck_assert_int_eq(seen.n_calls, 6);
	ck_assert_str_eq(seen.probes[5], "probes/p1");
	events_consumer_free(replayed);
}

TEST(a_letter_that_nobody_listens_to_is_not_lost)
{
	static const struct probe_events_ops deaf;
	struct events_consumer *replayed;
	size_t n = 0;

	for (int i = 0; i < 5; i++)
		seen.results[i] = RPC_FAILED_PRECONDITION;
	test_expect_log("an event went to the dead letters");
	events_refusal_delays_set(10);
	publish(changed("probes/p1", 1));
	handle(5);
	ck_assert_int_eq(dead_letters_replay("cart", &n), 0);
	replayed = events_replay_consumer_new("cart", &probe_events, &deaf, &seen);
	for (int refused = 0; refused < 5;)
		refused += events_consumer_turn(replayed, 1000);
	ck_assert_uint_eq(stores_stream_messages("dlq"),
			  3); /* two letters, and one on its way back */
	events_consumer_free(replayed);
}

TEST(an_effect_is_noted_by_its_event)
{
	struct rpc_event *event = changed("probes/p1", 1);
	bool done = true;

	ck_assert_int_eq(events_seen(call, &inbox, event, &done), 0);
	ck_assert(!done);
	ck_assert_int_eq(events_note(call, &inbox, event), 0);
	ck_assert_int_eq(events_note(call, &inbox, event), 0);
	ck_assert_int_eq(events_seen(call, &inbox, event, &done), 0);
	ck_assert(done);
}

TEST_MAIN("events", setup, teardown)
