/* Documents in a real database: conditions, duplicates, conflicts, leases. */
#include "errors.msg.h"
#include "probe_store.msg.h"
#include <common/lease.h>
#include <common/mongo.h>
#include <crpc/metrics.h>
#include <pthread.h>
#include <stdlib.h>
#include <stores.h>
#include <string.h>
#include <test.h>

static const struct mongo_index probe_indexes[] = {
	{ "user -time" },
	{ "user", .unique = true, .partial = MONGO_JSON({ "state" : "ACTIVE" }),
	  .name = "one_active" },
	{ "note", .unique = true, .partial = MONGO_JSON({ "note" : { "$gt" : "" } }) },
	{ 0 },
};
MONGO_COLLECTION(probes, .name = "probes", .type = &ProbeRecord_descriptor,
		 .indexes = probe_indexes, .outbox = true);

MONGO_COLLECTION(leases_of_others, .name = "leases", .type = &ProbeRecord_descriptor);

static struct rpc_call *call;

static void setup(void)
{
	stores_mongo("common");
	call = rpc_call_new("test", 60000);
}

static void teardown(void)
{
	call = rpc_call_free(call);
	stores_close();
}

static int insert(const char *id, const char *user, ProbeRecordState state)
{
	return mongo_insert(call, &probes,
			    MSG(ProbeRecord, .id = id, .user = user, .state = state));
}

static ProbeRecord *get(const char *id)
{
	ProbeRecord *record = NULL;

	ck_assert_int_eq(mongo_get(call, &probes, id, &record), 0);
	return record;
}

TEST(a_new_record_has_version_1)
{
	ck_assert_int_eq(insert("p1", "ann", PROBE_RECORD_STATE_ACTIVE), 0);
	ck_assert_int_eq(get("p1")->version, 1);
	ck_assert_str_eq(get("p1")->user, "ann");
}

TEST(what_is_not_there_is_not_found)
{
	ProbeRecord *record = NULL;

	ck_assert_int_eq(mongo_get(call, &probes, "nothing", &record), MONGO_NOT_FOUND);
	ck_assert_ptr_null(record);
}

static int counted(const char *operation)
{
	char *page = metrics_print(&(size_t){ 0 }), line[160], *at;
	int n = 0;

	snprintf(line, sizeof(line),
		 "db_client_operation_duration_seconds_count{db_collection_name=\"probes\","
		 "db_operation_name=\"%s\"} ",
		 operation);
	at = strstr(page, line);
	if (at)
		n = atoi(at + strlen(line));
	free(page);
	return n;
}

TEST(what_is_asked_of_the_database_is_counted)
{
	ck_assert_int_eq(counted("find"), 0);
	ck_assert_int_eq(insert("p1", "ann", PROBE_RECORD_STATE_ACTIVE), 0);
	get("p1");
	get("p1");
	ck_assert_int_eq(counted("insert"), 1);
	ck_assert_int_eq(counted("find"), 2);
}

TEST(a_duplicate_names_the_index)
{
	ck_assert_int_eq(insert("p1", "ann", PROBE_RECORD_STATE_ACTIVE), 0);
	ck_assert_int_eq(insert("p1", "bob", PROBE_RECORD_STATE_DONE), MONGO_DUPLICATE);
	ck_assert_str_eq(mongo_duplicate_index(call), "_id");
	ck_assert_int_eq(insert("p2", "ann", PROBE_RECORD_STATE_ACTIVE), MONGO_DUPLICATE);
	ck_assert_str_eq(mongo_duplicate_index(call), "one_active");
	ck_assert_int_eq(insert("p3", "ann", PROBE_RECORD_STATE_DONE), 0);
	ck_assert_int_eq(mongo_insert(call, &probes, MSG(ProbeRecord, .id = "p4", .note = "x")), 0);
	ck_assert_int_eq(mongo_insert(call, &probes, MSG(ProbeRecord, .id = "p5", .note = "x")),
			 MONGO_DUPLICATE);
	ck_assert_str_eq(mongo_duplicate_index(call), "note");
	ck_assert_int_eq(
		mongo_update(call, &probes, .id = "p3",
			     .update = DOC(call, "$set", "{", "state", BCON_UTF8("ACTIVE"), "}")),
		MONGO_DUPLICATE);
	ck_assert_str_eq(mongo_duplicate_index(call), "one_active");
}

TEST(an_update_whose_condition_does_not_hold_changes_nothing)
{
	bool modified = true;

	ck_assert_int_eq(insert("p1", "ann", PROBE_RECORD_STATE_ACTIVE), 0);
	ck_assert_int_eq(
		mongo_update(call, &probes, .id = "p1",
			     .filter = DOC(call, "version", BCON_INT64(2)),
			     .update = DOC(call, "$set", "{", "count", BCON_INT32(5), "}")),
		MONGO_NOT_MATCHED);
	ck_assert_int_eq(
		mongo_update(call, &probes, .id = "p1",
			     .filter = DOC(call, "version", BCON_INT64(1)),
			     .update = DOC(call, "$set", "{", "count", BCON_INT32(5), "}")),
		0);
	ck_assert_int_eq(get("p1")->count, 5);
	ck_assert_int_eq(get("p1")->version, 2);
	ck_assert_int_eq(
		mongo_update(call, &probes, .id = "p1", .keep_version = true, .modified = &modified,
			     .update = DOC(call, "$set", "{", "count", BCON_INT32(5), "}")),
		0);
	ck_assert(!modified);
}

TEST(an_upsert_says_whether_it_inserted)
{
	bool upserted = false;

	ck_assert_int_eq(
		mongo_update(call, &probes, .id = "p1", .upsert = true, .upserted = &upserted,
			     .update = DOC(call, "$set", "{", "user", BCON_UTF8("ann"), "}")),
		0);
	ck_assert(upserted);
	ck_assert_int_eq(
		mongo_update(call, &probes, .id = "p1", .upsert = true, .upserted = &upserted,
			     .update = DOC(call, "$inc", "{", "count", BCON_INT32(2), "}")),
		0);
	ck_assert(!upserted);
	ck_assert_int_eq(get("p1")->version, 2);
	ck_assert_int_eq(get("p1")->count, 2);
}

TEST(a_sub_message_goes_into_an_array_and_changes_there)
{
	ck_assert_int_eq(insert("p1", "ann", PROBE_RECORD_STATE_ACTIVE), 0);
	for (int i = 1; i <= 2; i++) {
		ProbeLine *line =
			rpc_new(call, ProbeLine, .id = rpc_printf(call, "l%d", i), .quantity = i);

		ck_assert_int_eq(
			mongo_update(call, &probes, .id = "p1",
				     .update = DOC(call, "$push", "{", "lines",
						   BCON_DOCUMENT(document_of(call, line)), "}")),
			0);
	}
	ck_assert_int_eq(mongo_update(call, &probes, .id = "p1",
				      .filter = DOC(call, "lines.id", BCON_UTF8("l2")),
				      .update = DOC(call, "$inc", "{", "lines.$.quantity",
						    BCON_INT32(5), "}")),
			 0);
	ck_assert_int_eq(
		mongo_update(call, &probes, .id = "p1",
			     .array_filters = DOC(call, "0", "{", "l.id", BCON_UTF8("l1"), "}"),
			     .update = DOC(call, "$inc", "{", "lines.$[l].quantity", BCON_INT32(5),
					   "}")),
		0);
	ck_assert_uint_eq(get("p1")->n_lines, 2);
	ck_assert_int_eq(get("p1")->lines[0]->quantity, 6);
	ck_assert_int_eq(get("p1")->lines[1]->quantity, 7);
}

TEST(an_event_is_taken_into_a_document_once)
{
	struct rpc_event event = { .id = "e1" };
	bool seen = true;

	ck_assert_int_eq(insert("p1", "ann", PROBE_RECORD_STATE_ACTIVE), 0);
	ck_assert_int_eq(mongo_event_seen(call, &probes, "p1", &event, &seen), 0);
	ck_assert(!seen);
	ck_assert_int_eq(
		mongo_update(call, &probes, .id = "p1", .cause = &event,
			     .update = DOC(call, "$inc", "{", "count", BCON_INT32(1), "}")),
		0);
	ck_assert_int_eq(
		mongo_update(call, &probes, .id = "p1", .cause = &event,
			     .update = DOC(call, "$inc", "{", "count", BCON_INT32(1), "}")),
		MONGO_NOT_MATCHED);
	ck_assert_int_eq(mongo_event_seen(call, &probes, "p1", &event, &seen), 0);
	ck_assert(seen);
	ck_assert_int_eq(get("p1")->count, 1);
}

TEST(an_upsert_does_not_take_an_event_twice_either)
{
	struct rpc_event event = { .id = "e1" };

	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(
			mongo_update(call, &probes, .id = "p1", .cause = &event, .upsert = true,
				     .update = DOC(call, "$inc", "{", "count", BCON_INT32(1), "}")),
			i ? MONGO_NOT_MATCHED : 0);
	ck_assert_int_eq(get("p1")->count, 1);
}

TEST(seen_events_have_a_bound)
{
	ck_assert_int_eq(insert("p1", "ann", PROBE_RECORD_STATE_ACTIVE), 0);
	for (int i = 0; i < MONGO_SEEN_MAX + 3; i++)
		ck_assert_int_eq(
			mongo_update(
				call, &probes, .id = "p1",
				.cause = &(struct rpc_event){ .id = rpc_printf(call, "e%d", i) }),
			0);
	ck_assert_uint_eq(get("p1")->n_seen_events, MONGO_SEEN_MAX);
	ck_assert_str_eq(get("p1")->seen_events[0]->id, "e3");
}

static struct rpc_event *event_of(int i)
{
	struct rpc_event *event = rpc_alloc(call, sizeof(*event));

	*event = (struct rpc_event){ .id = rpc_printf(call, "e%03d", i),
				     .type = "souk.probe.v1.ProbeChanged",
				     .subject = "souk.probe.v1.probe.changed",
				     .about = "probes/p1",
				     .time_ms = 1000 };
	return event;
}

TEST(a_document_whose_events_wait_cannot_change)
{
	ck_assert_int_eq(insert("p1", "ann", PROBE_RECORD_STATE_ACTIVE), 0);
	for (int i = 0; i < MONGO_OUTBOX_MAX; i++)
		ck_assert_int_eq(
			mongo_update(call, &probes, .id = "p1", .events = EVENTS(event_of(i))), 0);
	ck_assert_int_eq(mongo_update(call, &probes, .id = "p1",
				      .events = EVENTS(event_of(MONGO_OUTBOX_MAX))),
			 RPC_UNAVAILABLE);
	ck_assert(rpc_failed_with(call, OUTBOX_FULL));
	ck_assert_int_eq(mongo_update(call, &probes, .id = "p2", .events = EVENTS(event_of(1))),
			 MONGO_NOT_MATCHED);
	ck_assert_uint_eq(get("p1")->n_outbox, MONGO_OUTBOX_MAX);
	ck_assert_str_eq(get("p1")->outbox[99]->bus_subject, "souk.probe.v1.probe.changed");
}

TEST(of_many_documents_those_are_inserted_that_are_missing)
{
	const ProbeRecord *records[] = { MSG(ProbeRecord, .id = "p1", .user = "ann"),
					 MSG(ProbeRecord, .id = "p2", .user = "bob"),
					 MSG(ProbeRecord, .id = "p3", .user = "eve") };
	const ProtobufCMessage *messages[] = { &records[0]->base, &records[1]->base,
					       &records[2]->base };

	ck_assert_int_eq(insert("p2", "ann", PROBE_RECORD_STATE_ACTIVE), 0);
	ck_assert_int_eq(mongo_insert_missing(call, &probes, messages, 3), 0);
	ck_assert_int_eq(mongo_insert_missing(call, &probes, messages, 3), 0);
	ck_assert_int_eq(mongo_insert_missing(call, &probes, messages, 0), 0);
	ck_assert_str_eq(get("p1")->user, "ann");
	ck_assert_str_eq(get("p2")->user, "ann");
	ck_assert_str_eq(get("p3")->user, "eve");
	ck_assert_int_eq(get("p3")->version, 1);
}

TEST(documents_are_found_sorted_and_bounded)
{
	ProbeRecord **records;
	size_t n;
	int64_t count;

	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(insert(rpc_printf(call, "p%d", i), "ann", PROBE_RECORD_STATE_DONE),
				 0);
	ck_assert_int_eq(mongo_find(call, &probes, &records, &n,
				    .filter = DOC(call, "user", BCON_UTF8("ann")),
				    .sort = DOC(call, "_id", BCON_INT32(-1)), .limit = 3),
			 0);
	ck_assert_uint_eq(n, 3);
	ck_assert_str_eq(records[0]->id, "p4");
	ck_assert_int_eq(mongo_find(call, &probes, &records, &n,
				    .filter = DOC(call, "user", BCON_UTF8("bob"))),
			 0);
	ck_assert_uint_eq(n, 0);
	ck_assert_int_eq(mongo_count(call, &probes, NULL, 4, &count), 0);
	ck_assert_int_eq(count, 4);
	ck_assert_int_eq(mongo_update_many(call, &probes, DOC(call, "user", BCON_UTF8("ann")),
					   DOC(call, "$set", "{", "count", BCON_INT32(1), "}"),
					   &count),
			 0);
	ck_assert_int_eq(count, 5);
	ck_assert_int_eq(mongo_delete(call, &probes, "p0", DOC(call, "count", BCON_INT32(2))),
			 MONGO_NOT_MATCHED);
	ck_assert_int_eq(mongo_delete(call, &probes, "p0", NULL), 0);
	ck_assert_int_eq(
		mongo_delete_many(call, &probes, DOC(call, "user", BCON_UTF8("ann")), &count), 0);
	ck_assert_int_eq(count, 4);
}

static int add_up(void *data, struct rpc_call *c, const bson_t *document)
{
	bson_iter_t iter;

	(void)c;
	if (bson_iter_init_find(&iter, document, "sum"))
		*(int64_t *)data += bson_iter_as_int64(&iter);
	return 0;
}

TEST(an_aggregation_hands_on_its_rows)
{
	int64_t sum = 0;

	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(mongo_insert(call, &probes,
					      MSG(ProbeRecord, .id = rpc_printf(call, "p%d", i),
						  .count = 7)),
				 0);
	ck_assert_int_eq(mongo_aggregate(call, &probes,
					 DOC(call, "0", "{", "$group", "{", "_id", BCON_NULL, "sum",
					     "{", "$sum", BCON_UTF8("$count"), "}", "}", "}"),
					 add_up, &sum),
			 0);
	ck_assert_int_eq(sum, 21);
}

/* Adds 1, each thread 20 times, under the version that it read. */
static void *add_concurrently(void *data)
{
	struct rpc_call *own = rpc_call_new("test", 60000);
	int *failures = data;

	for (int i = 0; i < 20; i++) {
		bool done = false;

		while (!done) {
			int r = 0;

			for (int attempt = 0;
			     !done && !(r = mongo_attempt(own, &attempt, "probes/p1"));) {
				ProbeRecord *record;

				if (mongo_get(own, &probes, "p1", &record))
					break;
				done = !mongo_update(
					own, &probes, .id = "p1",
					.filter = DOC(own, "version", BCON_INT64(record->version)),
					.update = DOC(own, "$set", "{", "count",
						      BCON_INT32(record->count + 1), "}"));
			}
			if (!done && r != RPC_ABORTED)
				__atomic_add_fetch(failures, 1, __ATOMIC_RELAXED);
			if (r && r != RPC_ABORTED)
				break;
		}
	}
	rpc_call_free(own);
	return NULL;
}

TEST(no_change_is_lost_between_writers)
{
	pthread_t threads[4];
	int failures = 0;

	ck_assert_int_eq(insert("p1", "ann", PROBE_RECORD_STATE_ACTIVE), 0);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, add_concurrently, &failures), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	ck_assert_int_eq(failures, 0);
	ck_assert_int_eq(get("p1")->count, 80);
	ck_assert_int_eq(get("p1")->version, 81);
}

TEST(the_seventeenth_conflict_aborts)
{
	int attempt = 0, n = 0, r;

	while (!(r = mongo_attempt(call, &attempt, "probes/p1")))
		n++;
	ck_assert_int_eq(n, 16);
	ck_assert_int_eq(r, RPC_ABORTED);
	ck_assert(rpc_failed_with(call, WRITE_CONFLICT));
}

TEST(a_lease_is_held_until_it_is_released_or_ends)
{
	ck_assert(lease_take(call, "sweep", 60000));
	ck_assert(lease_take(call, "sweep", 60000)); /* its own, again */
	lease_release(call, "sweep");
	ck_assert(lease_take(call, "sweep", 60000));
}

TEST(a_lease_that_another_holds_is_not_taken_before_it_ends)
{
	rpc_call_set_now(call, 1700000000000);
	ck_assert(lease_take(call, "sweep", 60000));
	/* As if another process had taken it. */
	ck_assert_int_eq(
		mongo_update(call, &leases_of_others, .id = "sweep", .keep_version = true,
			     .update = DOC(call, "$set", "{", "holder", BCON_UTF8("another"), "}")),
		0);
	ck_assert(!lease_take(call, "sweep", 60000));
	lease_release(call, "sweep");
	ck_assert(!lease_take(call, "sweep", 60000));
	rpc_call_set_now(call, 1700000060001);
	ck_assert(lease_take(call, "sweep", 60000));
}

TEST_MAIN("mongo", setup, teardown)
