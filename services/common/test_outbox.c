/* The outbox: whatever stops in between, each event is published, in order, and then gone from its
 * document. */
#include "errors.msg.h"
#include "probe_store.msg.h"
#include <common/nats.h>
#include <common/outbox.h>
#include <errno.h>
#include <pthread.h>
#include <stores.h>
#include <string.h>
#include <test.h>
#include <unistd.h>

#include "probe.h" /* behind whatever has a `call` of its own */

MONGO_COLLECTION(probes, .name = "probes", .type = &ProbeRecord_descriptor, .outbox = true);

/* What the bus has delivered, told by a listener's thread. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	char ids[256][32];
	char about[256][80];
	size_t n;
} heard = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static void hear(void *data, const struct rpc_event *event)
{
	(void)data;
	pthread_mutex_lock(&heard.lock);
	if (heard.n < 256) {
		snprintf(heard.ids[heard.n], sizeof(heard.ids[0]), "%s", event->id);
		snprintf(heard.about[heard.n], sizeof(heard.about[0]), "%s", event->about);
		heard.n++;
	}
	pthread_cond_signal(&heard.changed);
	pthread_mutex_unlock(&heard.lock);
}

static void await_heard(size_t n)
{
	pthread_mutex_lock(&heard.lock);
	while (heard.n < n)
		pthread_cond_wait(&heard.changed, &heard.lock); /* the test's time limit ends it */
	pthread_mutex_unlock(&heard.lock);
}

static struct nats_listener *listener;

static void setup(void)
{
	stores_mongo("outbox");
	stores_nats();
	call = rpc_call_new("test", 60000);
	heard.n = 0;
	ck_assert_int_eq(nats_listen("souk.probe.>", hear, NULL, &listener), 0);
}

static void teardown(void)
{
	listener = nats_listener_free(listener);
	call = rpc_call_free(call);
	stores_close();
}

static size_t waiting(const char *id)
{
	ProbeRecord *record = NULL;

	ck_assert_int_eq(mongo_get(call, &probes, id, &record), 0);
	return record->n_outbox;
}

static void relay_all(void)
{
	while (outbox_relay(NULL, call) > 0)
		;
	ck_assert_int_eq(outbox_settle(call), 0);
}

TEST(events_go_out_in_order_and_leave_version_and_state_alone)
{
	struct rpc_event *events[5];
	ProbeRecord *record;

	for (int i = 0; i < 5; i++)
		events[i] = changed("probes/p1", i + 1);
	ck_assert_int_eq(mongo_insert(call, &probes, MSG(ProbeRecord, .id = "p1"),
				      .events = EVENTS(events[0], events[1])),
			 0);
	for (int i = 2; i < 5; i++)
		ck_assert_int_eq(
			mongo_update(call, &probes, .id = "p1", .events = EVENTS(events[i])), 0);
	ck_assert_uint_eq(waiting("p1"), 5);
	relay_all();
	await_heard(5);
	for (int i = 0; i < 5; i++) {
		ck_assert_str_eq(heard.ids[i], events[i]->id);
		ck_assert_str_eq(heard.about[i], "probes/p1");
	}
	ck_assert_int_eq(mongo_get(call, &probes, "p1", &record), 0);
	ck_assert_uint_eq(record->n_outbox, 0);
	ck_assert_int_eq(record->version, 4);
}

TEST(a_change_that_is_refused_publishes_nothing)
{
	ck_assert_int_eq(mongo_insert(call, &probes, MSG(ProbeRecord, .id = "p1")), 0);
	ck_assert_int_eq(mongo_update(call, &probes, .id = "p1",
				      .filter = DOC(call, "version", BCON_INT64(7)),
				      .events = EVENTS(changed("probes/p1", 2))),
			 MONGO_NOT_MATCHED);
	ck_assert_uint_eq(waiting("p1"), 0);
}

TEST(more_documents_than_one_turn_takes_are_all_relayed)
{
	for (int i = 0; i < 150; i++)
		ck_assert_int_eq(mongo_insert(call, &probes,
					      MSG(ProbeRecord, .id = rpc_printf(call, "p%d", i)),
					      .events = EVENTS(changed("probes/x", i))),
				 0);
	relay_all();
	await_heard(150);
	for (int i = 0; i < 150; i++)
		ck_assert_uint_eq(waiting(rpc_printf(call, "p%d", i)), 0);
}

TEST(what_is_out_is_taken_out_later_and_does_not_go_again)
{
	ck_assert_int_eq(mongo_insert(call, &probes, MSG(ProbeRecord, .id = "p1"),
				      .events = EVENTS(changed("probes/p1", 1))),
			 0);
	while (outbox_relay(NULL, call) > 0)
		;
	ck_assert_uint_eq(stores_stream_messages("probe"), 1);
	ck_assert_int_eq(
		mongo_update(call, &probes, .id = "p1", .events = EVENTS(changed("probes/p1", 2))),
		0);
	ck_assert_uint_eq(waiting("p1"), 2);
	relay_all();
	await_heard(2);
	ck_assert_uint_eq(stores_stream_messages("probe"), 2);
	ck_assert_uint_eq(waiting("p1"), 0);
}

/* An outbox has room for 100, those included that are out. */
TEST(a_document_that_changes_often_does_not_wait_for_room)
{
	ck_assert_int_eq(mongo_insert(call, &probes, MSG(ProbeRecord, .id = "p1")), 0);
	for (int i = 0; i < 2 * MONGO_OUTBOX_MAX; i++) {
		ck_assert_int_eq(mongo_update(call, &probes, .id = "p1",
					      .events = EVENTS(changed("probes/p1", i))),
				 0);
		while (outbox_relay(NULL, call) > 0)
			;
	}
	ck_assert_uint_lt(waiting("p1"), MONGO_OUTBOX_MAX / 2);
	relay_all();
	await_heard(2 * MONGO_OUTBOX_MAX);
}

/* As a relay that dies between the ack and the pull: the event is published again, and the bus
 * drops it. */
TEST(an_event_that_was_published_but_not_pulled_reaches_the_stream_once)
{
	struct rpc_event *event = changed("probes/p1", 1);
	size_t n = 0;

	ck_assert_int_eq(
		mongo_insert(call, &probes, MSG(ProbeRecord, .id = "p1"), .events = EVENTS(event)),
		0);
	ck_assert_int_eq(nats_publish(call, EVENTS(event), 1, &n), 0);
	ck_assert_uint_eq(n, 1);
	relay_all();
	ck_assert_uint_eq(waiting("p1"), 0);
	ck_assert_uint_eq(stores_stream_messages("probe"), 1);
}

TEST(what_is_pushed_while_the_relay_works_stays)
{
	struct rpc_event *first = changed("probes/p1", 1), *second = changed("probes/p1", 2);

	ck_assert_int_eq(
		mongo_insert(call, &probes, MSG(ProbeRecord, .id = "p1"), .events = EVENTS(first)),
		0);
	/* Pulling goes by id, whatever came behind. */
	ck_assert_int_eq(mongo_update(call, &probes, .id = "p1", .events = EVENTS(second)), 0);
	ck_assert_int_eq(mongo_update(call, &probes, .id = "p1", .keep_version = true,
				      .update = DOC(call, "$pull", "{", "outbox", "{", "id",
						    BCON_UTF8(first->id), "}", "}")),
			 0);
	relay_all();
	await_heard(1);
	ck_assert_str_eq(heard.ids[0], second->id);
}

/* Behind the relay's back: what it publishes now it has not read. */
static void take_out(const char *id)
{
	ck_assert_int_eq(mongo_update(call, &probes, .id = id, .keep_version = true,
				      .update = DOC(call, "$set", "{", "outbox", "[", "]", "}")),
			 0);
}

static int change_at(const char *id, int64_t version, struct rpc_event *event)
{
	return mongo_update(call, &probes, .id = id,
			    .filter = DOC(call, "version", BCON_INT64(version)),
			    .events = EVENTS(event));
}

/* As another process would, of which nobody here is told. */
static void change_elsewhere(const char *id, const struct rpc_event *event)
{
	ck_assert_int_eq(
		mongo_update(call, &probes, .id = id,
			     .update = DOC(call, "$push", "{", "outbox", "{", "id",
					   BCON_UTF8(event->id), "type", BCON_UTF8(event->type),
					   "bus_subject", BCON_UTF8(event->subject), "subject",
					   BCON_UTF8(event->about), "time",
					   BCON_DATE_TIME(event->time_ms), "}", "}")),
		0);
}

TEST(what_was_written_at_the_version_known_goes_out_without_being_read)
{
	struct rpc_event *events[4];

	while (outbox_relay(NULL, call) > 0) /* the first turns look at everything */
		;
	for (int i = 0; i < 4; i++)
		events[i] = changed("probes/p1", i + 1);
	ck_assert_int_eq(mongo_insert(call, &probes, MSG(ProbeRecord, .id = "p1"),
				      .events = EVENTS(events[0])),
			 0);
	ck_assert_int_eq(change_at("p1", 1, events[1]), 0);
	take_out("p1");
	relay_all();
	await_heard(2);
	ck_assert_int_eq(change_at("p1", 2, events[2]), 0);
	ck_assert_int_eq(change_at("p1", 3, events[3]), 0);
	take_out("p1");
	relay_all();
	await_heard(4);
	for (int i = 0; i < 4; i++)
		ck_assert_str_eq(heard.ids[i], events[i]->id);
}

TEST(a_document_that_was_read_without_events_is_known_at_its_version)
{
	ProbeRecord *record;

	relay_all();
	ck_assert_int_eq(mongo_insert(call, &probes, MSG(ProbeRecord, .id = "p1")), 0);
	ck_assert_int_eq(mongo_get(call, &probes, "p1", &record), 0);
	ck_assert_int_eq(change_at("p1", record->version, changed("probes/p1", 2)), 0);
	take_out("p1");
	relay_all();
	await_heard(1);
}

TEST(a_change_without_events_leaves_known_what_was_known)
{
	relay_all();
	ck_assert_int_eq(mongo_insert(call, &probes, MSG(ProbeRecord, .id = "p1")), 0);
	ck_assert_int_eq(
		mongo_update(call, &probes, .id = "p1",
			     .filter = DOC(call, "version", BCON_INT64(1)),
			     .update = DOC(call, "$set", "{", "state", BCON_UTF8("ACTIVE"), "}")),
		0);
	ck_assert_int_eq(change_at("p1", 2, changed("probes/p1", 3)), 0);
	take_out("p1");
	relay_all();
	await_heard(1);
}

TEST(a_change_without_events_after_another_process_leaves_it_unknown)
{
	struct rpc_event *first = changed("probes/p1", 2), *second = changed("probes/p1", 4);

	relay_all();
	ck_assert_int_eq(mongo_insert(call, &probes, MSG(ProbeRecord, .id = "p1")), 0);
	change_elsewhere("p1", first);
	ck_assert_int_eq(mongo_update(call, &probes, .id = "p1",
				      .filter = DOC(call, "version", BCON_INT64(2))),
			 0);
	ck_assert_int_eq(change_at("p1", 3, second), 0);
	relay_all();
	await_heard(2);
	ck_assert_str_eq(heard.ids[0], first->id);
	ck_assert_str_eq(heard.ids[1], second->id);
}

TEST(what_another_process_pushed_in_between_goes_first)
{
	struct rpc_event *events[3];

	relay_all();
	for (int i = 0; i < 3; i++)
		events[i] = changed("probes/p1", i + 1);
	ck_assert_int_eq(mongo_insert(call, &probes, MSG(ProbeRecord, .id = "p1"),
				      .events = EVENTS(events[0])),
			 0);
	change_elsewhere("p1", events[1]);
	ck_assert_int_eq(change_at("p1", 2, events[2]), 0);
	relay_all();
	await_heard(3);
	for (int i = 0; i < 3; i++)
		ck_assert_str_eq(heard.ids[i], events[i]->id);
	ck_assert_uint_eq(waiting("p1"), 0);
}

TEST(a_document_that_was_read_with_events_of_another_is_not_known)
{
	struct rpc_event *first = changed("probes/p1", 2), *second = changed("probes/p1", 3);

	relay_all();
	ck_assert_int_eq(mongo_insert(call, &probes, MSG(ProbeRecord, .id = "p1")), 0);
	change_elsewhere("p1", first);
	ck_assert_uint_eq(waiting("p1"), 1);
	ck_assert_int_eq(change_at("p1", 2, second), 0);
	relay_all();
	await_heard(2);
	ck_assert_str_eq(heard.ids[0], first->id);
	ck_assert_str_eq(heard.ids[1], second->id);
}

TEST(what_follows_an_event_that_did_not_go_out_waits_behind_it)
{
	struct rpc_event *events[3];

	relay_all();
	for (int i = 0; i < 3; i++)
		events[i] = changed("probes/p1", i + 1);
	ck_assert_int_eq(mongo_insert(call, &probes, MSG(ProbeRecord, .id = "p1"),
				      .events = EVENTS(events[0])),
			 0);
	listener = nats_listener_free(listener);
	stores_close_nats();
	ck_assert_int_eq(outbox_relay(NULL, call), 0);
	ck_assert_int_eq(change_at("p1", 1, events[1]), 0);
	stores_nats();
	ck_assert_int_eq(nats_listen("souk.probe.>", hear, NULL, &listener), 0);
	ck_assert_int_eq(change_at("p1", 2, events[2]), 0);
	relay_all();
	await_heard(3);
	for (int i = 0; i < 3; i++)
		ck_assert_str_eq(heard.ids[i], events[i]->id);
	ck_assert_uint_eq(waiting("p1"), 0);
}

TEST(a_change_with_events_counts_the_version_up)
{
	ck_assert_int_eq(mongo_insert(call, &probes, MSG(ProbeRecord, .id = "p1")), 0);
	ck_assert_int_eq(mongo_update(call, &probes, .id = "p1", .keep_version = true,
				      .events = EVENTS(changed("probes/p1", 2))),
			 -EINVAL);
	ck_assert_uint_eq(waiting("p1"), 0);
}

TEST(without_the_bus_events_wait)
{
	size_t n = 7;

	ck_assert_int_eq(mongo_insert(call, &probes, MSG(ProbeRecord, .id = "p1"),
				      .events = EVENTS(changed("probes/p1", 1))),
			 0);
	listener = nats_listener_free(listener);
	stores_close_nats();
	ck_assert_int_eq(outbox_relay(NULL, call), 0);
	ck_assert_uint_eq(waiting("p1"), 1);
	ck_assert_int_eq(nats_publish(call, EVENTS(changed("probes/p1", 1)), 1, &n),
			 RPC_UNAVAILABLE);
	ck_assert(rpc_failed_with(call, DEPENDENCY_UNAVAILABLE));
	ck_assert_uint_eq(n, 0);
	stores_nats();
	ck_assert_int_eq(nats_listen("souk.probe.>", hear, NULL, &listener), 0);
	relay_all();
	await_heard(1);
	ck_assert_uint_eq(waiting("p1"), 0);
}

TEST(names_that_are_not_ascii_go_through_headers)
{
	struct rpc_event *event = changed("probes/\xc3\xa4 \"100%\"", 1);

	ck_assert_int_eq(
		mongo_insert(call, &probes, MSG(ProbeRecord, .id = "p1"), .events = EVENTS(event)),
		0);
	relay_all();
	await_heard(1);
	ck_assert_str_eq(heard.about[0], "probes/\xc3\xa4 \"100%\"");
}

TEST_MAIN("outbox", setup, teardown)
