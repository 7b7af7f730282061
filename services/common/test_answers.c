/* Request ids: the work is done once, the answer is given as often as it is asked for. */
#include "errors.msg.h"
#include "probe_store.msg.h"
#include "store.msg.h"
#include <common/answers.h>
#include <common/clock.h>
#include <stores.h>
#include <string.h>
#include <test.h>

static const struct mongo_index probe_indexes[] = {
	{ "answers.time", .partial = ANSWERS_PARTIAL },
	{ 0 },
};
MONGO_COLLECTION(probes, .name = "probes", .type = &ProbeRecord_descriptor,
		 .indexes = probe_indexes);

static struct rpc_call *call;

static void setup(void)
{
	stores_mongo("answers");
	call = rpc_call_new("test", 60000);
}

static void teardown(void)
{
	call = rpc_call_free(call);
	stores_close();
}

/* A create as a handler does it. */
static int create(const char *request_id, const char *note, Probe **ret)
{
	CreateProbeRequest *request =
		rpc_new(call, CreateProbeRequest, .note = note, .request_id = request_id);
	struct answers_key key;
	ProbeRecord *record;
	Probe *probe;
	int r;

	answers_key(call, request, &key);
	record = rpc_new(call, ProbeRecord, .id = key.id);
	probe = rpc_new(call, Probe, .name = rpc_printf(call, "probes/%s", key.id), .count = 1);
	r = mongo_insert(call, &probes, record, .answer = answers_store(call, &key, probe));
	if (r == MONGO_DUPLICATE)
		return answers_repeat(call, &probes, key.id, &key, &Probe_descriptor, ret);
	*ret = probe;
	return r;
}

/* An update that adds one, or refuses when it would be more than `most`. */
static int add(const char *request_id, const char *note, int most, Probe **ret)
{
	CreateProbeRequest *request =
		rpc_new(call, CreateProbeRequest, .note = note, .request_id = request_id);
	const struct stored_answer *answer;
	struct answers_key key;
	ProbeRecord *record;
	Probe *probe;
	int r, refusal;

	answers_key(call, request, &key);
	ck_assert_int_eq(mongo_get(call, &probes, "p1", &record), 0);
	r = answers_find(call, &key, record, &Probe_descriptor, ret);
	if (r != ANSWERS_NONE)
		return r;
	if (record->count >= most) {
		refusal = rpc_fail_code(call, RPC_FAILED_PRECONDITION, "No more than %d.", most);
		answer = answers_store_error(call, &key);
		r = mongo_update(call, &probes, .id = "p1", .answer = answer);
		return r ? r : refusal;
	}
	probe = rpc_new(call, Probe, .name = "probes/p1", .count = record->count + 1);
	r = mongo_update(call, &probes, .id = "p1",
			 .filter = DOC(call, "version", BCON_INT64(record->version)),
			 .update = DOC(call, "$inc", "{", "count", BCON_INT32(1), "}"),
			 .answer = answers_store(call, &key, probe));
	*ret = probe;
	return r;
}

static int64_t count_all(void)
{
	int64_t n = -1;

	ck_assert_int_eq(mongo_count(call, &probes, NULL, 0, &n), 0);
	return n;
}

TEST(a_create_that_is_repeated_makes_one_document_and_gives_the_first_answer)
{
	Probe *first = NULL, *second = NULL;

	ck_assert_int_eq(create("r1", "a", &first), 0);
	ck_assert_int_eq(create("r1", "a", &second), 0);
	ck_assert_str_eq(first->name, second->name);
	ck_assert_int_eq(count_all(), 1);
}

TEST(another_body_under_the_same_id_is_refused)
{
	Probe *probe;

	ck_assert_int_eq(create("r1", "a", &probe), 0);
	ck_assert_int_eq(create("r1", "b", &probe), RPC_FAILED_PRECONDITION);
	ck_assert(rpc_failed_with(call, REQUEST_ID_REUSED));
	ck_assert_str_eq(rpc_error_meta(call, "requestId"), "r1");
}

TEST(an_id_belongs_to_its_caller)
{
	Probe *first, *second;

	ck_assert_int_eq(create("r1", "a", &first), 0);
	rpc_call_set_caller(call, &(struct rpc_caller){ .user = "users/eve",
							.session = "",
							.merge_from = "",
							.scope = "",
							.service = "" });
	ck_assert_int_eq(create("r1", "a", &second), 0);
	ck_assert_str_ne(first->name, second->name);
}

TEST(without_an_id_every_request_is_a_new_one)
{
	Probe *first, *second;

	ck_assert_int_eq(create("", "a", &first), 0);
	ck_assert_int_eq(create("", "a", &second), 0);
	ck_assert_str_ne(first->name, second->name);
	ck_assert_int_eq(count_all(), 2);
}

TEST(an_update_that_is_repeated_is_done_once)
{
	Probe *probe;

	ck_assert_int_eq(mongo_insert(call, &probes, MSG(ProbeRecord, .id = "p1")), 0);
	ck_assert_int_eq(add("r1", "a", 9, &probe), 0);
	ck_assert_int_eq(add("r2", "a", 9, &probe), 0);
	ck_assert_int_eq(probe->count, 2);
	ck_assert_int_eq(add("r1", "a", 9, &probe), 0);
	ck_assert_int_eq(probe->count, 1); /* the first answer, not the present state */
	ck_assert_int_eq(add("r1", "b", 9, &probe), RPC_FAILED_PRECONDITION);
	ck_assert(rpc_failed_with(call, REQUEST_ID_REUSED));
}

TEST(a_refusal_is_an_answer_too)
{
	Probe *probe;

	ck_assert_int_eq(mongo_insert(call, &probes, MSG(ProbeRecord, .id = "p1")), 0);
	ck_assert_int_eq(add("r1", "a", 0, &probe), RPC_FAILED_PRECONDITION);
	rpc_error_clear(call);
	ck_assert_int_eq(add("r1", "a", 9, &probe), RPC_FAILED_PRECONDITION);
	ck_assert_str_eq(rpc_error_message(call), "No more than 0.");
	ck_assert_int_eq(add("r2", "a", 9, &probe), 0);
}

TEST(what_a_retry_may_better_is_not_stored)
{
	struct answers_key key;

	answers_key(call, MSG(CreateProbeRequest, .request_id = "r1"), &key);
	rpc_fail_code(call, RPC_UNAVAILABLE, "Away.");
	ck_assert_ptr_null(answers_store_error(call, &key));
	rpc_fail_code(call, RPC_INTERNAL, "Broken.");
	ck_assert_ptr_null(answers_store_error(call, &key));
	rpc_fail_code(call, RPC_ABORTED, "Changed.");
	ck_assert_ptr_null(answers_store_error(call, &key));
}

TEST(an_answer_is_kept_for_a_day)
{
	Probe *probe;

	rpc_call_set_now(call, 1700000000000);
	ck_assert_int_eq(mongo_insert(call, &probes, MSG(ProbeRecord, .id = "p1")), 0);
	ck_assert_int_eq(add("r1", "a", 9, &probe), 0);
	rpc_call_set_now(call, 1700000000000 + 24 * 3600 * 1000LL - 1);
	ck_assert_int_eq(add("r1", "a", 9, &probe), 0);
	ck_assert_int_eq(probe->count, 1);
	rpc_call_set_now(call, 1700000000000 + 24 * 3600 * 1000LL + 1);
	ck_assert_int_eq(add("r1", "a", 9, &probe), 0);
	ck_assert_int_eq(probe->count, 2);
}

TEST(old_answers_are_swept)
{
	ProbeRecord *record;
	Probe *probe;

	rpc_call_set_now(call, 1700000000000);
	ck_assert_int_eq(mongo_insert(call, &probes, MSG(ProbeRecord, .id = "p1")), 0);
	ck_assert_int_eq(add("r1", "a", 9, &probe), 0);
	rpc_call_set_now(call, 1700000000000 + 24 * 3600 * 1000LL + 1);
	ck_assert_int_eq(add("r2", "a", 9, &probe), 0);
	ck_assert_int_eq(answers_sweep(call, &probes), 0);
	ck_assert_int_eq(mongo_get(call, &probes, "p1", &record), 0);
	ck_assert_uint_eq(record->n_answers, 1);
	ck_assert_int_eq(record->version, 3);
}

TEST(a_request_of_several_steps_is_in_progress_until_its_last)
{
	CreateProbeRequest *request = rpc_new(call, CreateProbeRequest, .request_id = "r1");
	struct answers_key key;
	ProbeRecord *record;
	Probe *probe = NULL;

	answers_key(call, request, &key);
	ck_assert_int_eq(mongo_insert(call, &probes, MSG(ProbeRecord, .id = "p1"),
				      .answer = answers_store_pending(call, &key)),
			 0);
	ck_assert_int_eq(mongo_get(call, &probes, "p1", &record), 0);
	ck_assert_int_eq(answers_find(call, &key, record, &Probe_descriptor, &probe),
			 ANSWERS_PENDING);
	ck_assert_int_eq(answers_in_progress(call, &key), RPC_ABORTED);
	ck_assert(rpc_failed_with(call, REQUEST_IN_PROGRESS));
	ck_assert_int_eq(answers_finish(call, &probes, "p1", &key,
					answers_store(call, &key, MSG(Probe, .count = 7))),
			 0);
	ck_assert_int_eq(mongo_get(call, &probes, "p1", &record), 0);
	ck_assert_int_eq(answers_find(call, &key, record, &Probe_descriptor, &probe), 0);
	ck_assert_int_eq(probe->count, 7);
	/* The second to finish finds it finished. */
	ck_assert_int_eq(answers_finish(call, &probes, "p1", &key,
					answers_store(call, &key, MSG(Probe, .count = 8))),
			 MONGO_NOT_MATCHED);
}

TEST(answers_have_a_bound)
{
	ProbeRecord *record;
	Probe *probe;

	ck_assert_int_eq(mongo_insert(call, &probes, MSG(ProbeRecord, .id = "p1")), 0);
	for (int i = 0; i < MONGO_ANSWERS_MAX + 2; i++)
		ck_assert_int_eq(add(rpc_printf(call, "r%d", i), "a", 1000, &probe), 0);
	ck_assert_int_eq(mongo_get(call, &probes, "p1", &record), 0);
	ck_assert_uint_eq(record->n_answers, MONGO_ANSWERS_MAX);
}

TEST_MAIN("answers", setup, teardown)
