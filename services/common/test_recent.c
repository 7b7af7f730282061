/* What a process remembers of its own: documents written last, and what it is in the middle of. */
#include "probe_store.msg.h"
#include <common/doing.h>
#include <common/recent.h>
#include <string.h>
#include <test.h>

static struct recent recent = RECENT_INIT(&ProbeRecord_descriptor);
static struct doing doing = DOING_INIT;
static struct rpc_call *call;

static void setup(void)
{
	call = rpc_call_new("test", 10000);
	recent.keep_ms = 0;
}

static void teardown(void)
{
	recent_forget(&recent);
	call = rpc_call_free(call);
}

static void note(const char *id, int64_t version)
{
	recent_note(&recent, call, id,
		    &rpc_new(call, ProbeRecord, .id = id, .version = version)->base);
}

static int64_t version_of(const char *id)
{
	const ProbeRecord *found = (const ProbeRecord *)recent_find(&recent, call, id);

	return found ? found->version : 0;
}

TEST(what_was_written_last_is_found)
{
	note("a", 1);
	note("a", 2);
	ck_assert_int_eq(version_of("a"), 2);
	ck_assert_int_eq(version_of("b"), 0);
}

TEST(many_displace_each_other_and_none_is_taken_for_another)
{
	for (int64_t i = 1; i <= 1000; i++)
		note(rpc_printf(call, "%d", (int)i), i);
	for (int64_t i = 1; i <= 1000; i++) {
		int64_t found = version_of(rpc_printf(call, "%d", (int)i));

		ck_assert(found == i || !found);
	}
}

TEST(what_is_older_than_it_may_be_is_not_given_out)
{
	note("a", 1);
	recent.keep_ms = -1;
	ck_assert_int_eq(version_of("a"), 0);
}

TEST(what_is_too_large_is_forgotten_and_not_left_as_it_was)
{
	ProbeRecord *large = rpc_new(call, ProbeRecord, .id = "a");
	char *text = rpc_alloc(call, RECENT_BYTES_MAX + 1);

	note("a", 1);
	memset(text, 'x', RECENT_BYTES_MAX);
	text[RECENT_BYTES_MAX] = '\0';
	large->id = text;
	recent_note(&recent, call, "a", &large->base);
	ck_assert_int_eq(version_of("a"), 0);
}

TEST(what_is_begun_is_being_done_until_it_ends)
{
	doing_begin(&doing, "a", 60000);
	ck_assert(doing_is(&doing, "a"));
	ck_assert(!doing_is(&doing, "b"));
	doing_end(&doing, "a");
	ck_assert(!doing_is(&doing, "a"));
	doing_wait(&doing, "a", 60000);
}

TEST(a_mark_that_nobody_takes_away_ends_by_itself)
{
	doing_begin(&doing, "a", 20);
	doing_wait(&doing, "a", 60000);
	ck_assert(!doing_is(&doing, "a"));
}

TEST(one_too_many_is_not_marked_and_takes_no_place)
{
	for (int i = 0; i <= DOING_MAX; i++)
		doing_begin(&doing, rpc_printf(call, "%d", i), 60000);
	ck_assert(doing_is(&doing, "0"));
	ck_assert(!doing_is(&doing, rpc_printf(call, "%d", DOING_MAX)));
	for (int i = 0; i < DOING_MAX; i++)
		doing_end(&doing, rpc_printf(call, "%d", i));
	doing_begin(&doing, "", 60000);
	ck_assert(!doing_is(&doing, ""));
}

TEST_MAIN("recent", setup, teardown)
