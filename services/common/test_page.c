/* Pages: every row once, in order, with tokens that nobody else can make. */
#include "errors.msg.h"
#include "page_token.msg.h"
#include "probe_store.msg.h"
#include <common/clock.h>
#include <common/page.h>
#include <stores.h>
#include <string.h>
#include <test.h>

static const struct mongo_index probe_indexes[] = {
	{ "user -time -_id" },
	{ "user state count _id" },
	{ 0 },
};
MONGO_COLLECTION(probes, .name = "probes", .type = &ProbeRecord_descriptor,
		 .indexes = probe_indexes);

static struct rpc_call *call;

enum { ROWS = 37 };

static void setup(void)
{
	stores_mongo("page");
	call = rpc_call_new("test", 60000);
}

static void teardown(void)
{
	call = rpc_call_free(call);
	stores_close();
}

/* Of ann, with times that several share. */
static void fill(void)
{
	for (int i = 0; i < ROWS; i++)
		ck_assert_int_eq(mongo_insert(call, &probes,
					      MSG(ProbeRecord, .id = rpc_printf(call, "p%02d", i),
						  .user = i % 12 ? "ann" : "bob", .count = i / 3,
						  .flag = i % 2, .fraction = i / 4 / 10.0,
						  .time = clock_timestamp(
							  call, 1700000000000 + i / 5 * 1000),
						  .state = i % 2 ? PROBE_RECORD_STATE_ACTIVE
								 : PROBE_RECORD_STATE_DONE)),
				 0);
}

static int list(const char *sort, int32_t size, const char *token, ProbeRecord ***records,
		size_t *n, const char **next)
{
	return page_list(
		call, &probes,
		MSG(ListProbesRequest, .user = "ann", .page_size = size, .page_token = token),
		records, n, next, .filter = DOC(call, "user", BCON_UTF8("ann")), .sort = sort);
}

static const struct {
	const char *sort;
	int32_t size;
} walks[] = {
	{ NULL, 5 },           { "-time", 7 },          { "time", 1 },
	{ "state -count", 4 }, { "-flag fraction", 6 }, { "-user state -count flag", 3 },
	{ "-time", 100 },
};

TEST_EACH(each_row_comes_once_in_order, walks)
{
	ProbeRecord **whole, **records;
	const char *next = "";
	size_t n_whole, n, at = 0;

	fill();
	ck_assert_int_eq(list(row->sort, 100, "", &whole, &n_whole, &next), 0);
	ck_assert_str_eq(next, "");
	ck_assert_uint_eq(n_whole, ROWS - 4);
	do {
		ck_assert_int_eq(list(row->sort, row->size, next, &records, &n, &next), 0);
		for (size_t i = 0; i < n; i++)
			ck_assert_str_eq(records[i]->id, whole[at++]->id);
		ck_assert_uint_le(n, (size_t)row->size);
	} while (*next);
	ck_assert_uint_eq(at, n_whole);
}

TEST(rows_that_come_and_go_move_no_other)
{
	ProbeRecord **records;
	const char *next;
	size_t n;

	fill();
	ck_assert_int_eq(list(NULL, 5, "", &records, &n, &next), 0);
	ck_assert_str_eq(records[4]->id, "p05");
	ck_assert_int_eq(mongo_insert(call, &probes, MSG(ProbeRecord, .id = "p00x", .user = "ann")),
			 0);
	ck_assert_int_eq(mongo_delete(call, &probes, "p05", NULL), 0);
	ck_assert_int_eq(list(NULL, 5, next, &records, &n, &next), 0);
	ck_assert_str_eq(records[0]->id, "p06");
}

TEST(a_first_page_is_whole_whatever_came_and_went_since_the_last)
{
	ProbeRecord **records;
	const char *next;
	size_t n;

	fill();
	for (int again = 0; again < 2; again++) {
		ck_assert_int_eq(list("-time", 5, "", &records, &n, &next), 0);
		ck_assert_uint_eq(n, 5);
		ck_assert_str_eq(records[0]->id, "p35");
		ck_assert_str_ne(next, "");
	}
	ck_assert_int_eq(mongo_insert(call, &probes,
				      MSG(ProbeRecord, .id = "newest", .user = "ann",
					  .time = clock_timestamp(call, 1800000000000))),
			 0);
	ck_assert_int_eq(list("-time", 5, "", &records, &n, &next), 0);
	ck_assert_uint_eq(n, 5);
	ck_assert_str_eq(records[0]->id, "newest");
	/* All that was shown goes, and what came after it. */
	for (int i = 20; i < ROWS; i++)
		if (i % 12)
			ck_assert_int_eq(
				mongo_delete(call, &probes, rpc_printf(call, "p%02d", i), NULL), 0);
	ck_assert_int_eq(list("-time", 5, "", &records, &n, &next), 0);
	ck_assert_uint_eq(n, 5);
	ck_assert_str_eq(records[0]->id, "newest");
	ck_assert_str_eq(records[1]->id, "p19");
	ck_assert_int_eq(list("-time", 5, next, &records, &n, &next), 0);
	ck_assert_str_eq(records[0]->id, "p15");
}

TEST(a_range_of_the_filter_holds_on_every_page)
{
	ProbeRecord **records;
	const char *next = "";
	size_t n, total = 0;

	fill();
	do {
		ck_assert_int_eq(
			page_list(call, &probes,
				  MSG(ListProbesRequest, .page_size = 2, .page_token = next),
				  &records, &n, &next, .sort = "count",
				  .filter = DOC(call, "count", "{", "$gte", BCON_INT32(3), "$lt",
						BCON_INT32(6), "}")),
			0);
		for (size_t i = 0; i < n; i++) {
			ck_assert_int_ge(records[i]->count, 3);
			ck_assert_int_lt(records[i]->count, 6);
		}
		total += n;
	} while (*next);
	ck_assert_uint_eq(total, 9);
}

TEST(a_value_that_the_filter_wants_is_wanted_on_every_page)
{
	ProbeRecord **records;
	const char *next = "";
	size_t n, total = 0;

	fill();
	do {
		ck_assert_int_eq(
			page_list(call, &probes,
				  MSG(ListProbesRequest, .page_size = 2, .page_token = next),
				  &records, &n, &next, .sort = "count -flag",
				  .filter = DOC(call, "count", BCON_INT32(3))),
			0);
		total += n;
	} while (*next);
	ck_assert_uint_eq(total, 3);
}

static const char *token_of(const char *user)
{
	PageToken *token =
		rpc_new(call, PageToken, .n_keys = 1, .keys = rpc_alloc(call, sizeof(PageKey *)));

	token->keys[0] = rpc_new(call, PageKey, .value_case = PAGE_KEY_VALUE_TEXT, .text = "p1");
	return page_token_write(call, &MSG(ListProbesRequest, .user = user)->base, token);
}

static int read_token(const char *token, const char *user, int32_t size)
{
	PageToken *read = NULL;

	return page_token_read(
		call,
		&MSG(ListProbesRequest, .user = user, .page_size = size, .page_token = token)->base,
		token, &read);
}

TEST(a_token_belongs_to_its_arguments_and_its_caller)
{
	const char *token = token_of("ann");

	ck_assert_int_eq(read_token(token, "ann", 0), 0);
	ck_assert_int_eq(read_token(token, "ann", 50), 0);
	ck_assert_int_eq(read_token(token, "bob", 0), RPC_INVALID_ARGUMENT);
	ck_assert(rpc_failed_with(call, PAGE_TOKEN_INVALID));
	rpc_call_set_caller(call, &(struct rpc_caller){ .user = "users/eve",
							.session = "",
							.merge_from = "",
							.scope = "",
							.service = "" });
	ck_assert_int_eq(read_token(token, "ann", 0), RPC_INVALID_ARGUMENT);
}

TEST(no_byte_of_a_token_can_be_changed)
{
	char *token = rpc_strdup(call, token_of("ann"));

	for (size_t i = 0; token[i]; i++) {
		char kept = token[i];

		token[i] = kept == 'A' ? 'B' : 'A';
		ck_assert_int_eq(read_token(token, "ann", 0), RPC_INVALID_ARGUMENT);
		token[i] = kept;
	}
	ck_assert_int_eq(read_token("x", "ann", 0), RPC_INVALID_ARGUMENT);
	ck_assert_int_eq(read_token("!!!!", "ann", 0), RPC_INVALID_ARGUMENT);
}

TEST(a_token_ends_after_a_day)
{
	const char *token;

	rpc_call_set_now(call, 1700000000000);
	token = token_of("ann");
	rpc_call_set_now(call, 1700000000000 + 24 * 3600 * 1000LL);
	ck_assert_int_eq(read_token(token, "ann", 0), 0);
	rpc_call_set_now(call, 1700000000001 + 24 * 3600 * 1000LL);
	ck_assert_int_eq(read_token(token, "ann", 0), RPC_INVALID_ARGUMENT);
}

static struct page_key key_of(const void *row)
{
	const ProbeRecord *record = row;

	return (struct page_key){ -clock_ms(record->time), record->id };
}

TEST(rows_at_hand_come_once_in_order)
{
	ProbeRecord **whole;
	const char *next = "", *before = "";
	int64_t last = INT64_MAX;
	size_t n_whole, seen = 0;

	fill();
	ck_assert_int_eq(list(NULL, 100, "", &whole, &n_whole, &next), 0);
	do {
		ProbeRecord **rows = whole;
		size_t n = n_whole;

		ck_assert_int_eq(
			page_rows(call, MSG(ListProbesRequest, .page_size = 4, .page_token = next),
				  &rows, &n, key_of, &next),
			0);
		ck_assert_uint_le(n, 4);
		for (size_t i = 0; i < n; i++, seen++) {
			int64_t time = clock_ms(rows[i]->time);

			ck_assert(time < last || (time == last && strcmp(before, rows[i]->id) < 0));
			last = time;
			before = rows[i]->id;
		}
	} while (*next);
	ck_assert_uint_eq(seen, n_whole);
}

/* A list of a collection has other tokens; a release may have moved from the one to the other. */
TEST(a_place_among_other_rows_is_no_place)
{
	ProbeRecord **rows;
	const char *next;
	size_t n;

	fill();
	ck_assert_int_eq(list("-time", 1, "", &rows, &n, &next), 0);
	ck_assert_int_eq(
		page_rows(call,
			  MSG(ListProbesRequest, .user = "ann", .page_size = 1, .page_token = next),
			  &rows, &n, key_of, &next),
		RPC_INVALID_ARGUMENT);
	ck_assert(rpc_failed_with(call, PAGE_TOKEN_INVALID));
}

TEST(a_page_has_24_rows_and_at_most_100)
{
	int32_t size;

	ck_assert_int_eq(page_size(call, 0, &size), 0);
	ck_assert_int_eq(size, 24);
	ck_assert_int_eq(page_size(call, 1000, &size), 0);
	ck_assert_int_eq(size, 100);
	ck_assert_int_eq(page_size(call, -1, &size), RPC_INVALID_ARGUMENT);
}

TEST_MAIN("page", setup, teardown)
