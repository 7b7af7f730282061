/* Tests: runs what TEST() has registered. */
#include "test.h"
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The linker's: where the section `tests` begins and ends. */
extern const struct test_entry __start_tests[], __stop_tests[];

enum { EXPECTED_MAX = 8, TIMEOUT_S = 60, CALL_TIMEOUT_MS = 30000 };

static struct {
	pthread_mutex_t lock; /* any thread logs */
	struct {
		const char *sentence;
		bool seen;
	} expected[EXPECTED_MAX];
	size_t n_expected;
	char unexpected[1024]; /* the first line */
} logged = { .lock = PTHREAD_MUTEX_INITIALIZER };

static struct rpc_call *the_call;

struct rpc_call *test_call(void)
{
	if (!the_call)
		the_call = rpc_call_new("test", CALL_TIMEOUT_MS);
	return the_call;
}

void test_expect_log(const char *sentence)
{
	pthread_mutex_lock(&logged.lock);
	if (logged.n_expected == EXPECTED_MAX)
		abort();
	logged.expected[logged.n_expected].sentence = sentence;
	logged.expected[logged.n_expected++].seen = false;
	pthread_mutex_unlock(&logged.lock);
}

static void see_log(enum log_level level, const char *line)
{
	bool expected = false;

	if (level < LOG_LEVEL_ERROR)
		return;
	pthread_mutex_lock(&logged.lock);
	for (size_t i = 0; i < logged.n_expected; i++) {
		if (strstr(line, logged.expected[i].sentence))
			expected = logged.expected[i].seen = true;
	}
	if (!expected && !*logged.unexpected)
		snprintf(logged.unexpected, sizeof(logged.unexpected), "%s", line);
	pthread_mutex_unlock(&logged.lock);
}

static void begin(void)
{
	pthread_mutex_lock(&logged.lock);
	logged.n_expected = 0;
	*logged.unexpected = '\0';
	pthread_mutex_unlock(&logged.lock);
	log_set_hook(see_log);
}

static void finish(void)
{
	static char unexpected[sizeof(logged.unexpected)];
	const char *missing = NULL;

	the_call = rpc_call_free(the_call);
	log_set_hook(NULL);
	pthread_mutex_lock(&logged.lock);
	memcpy(unexpected, logged.unexpected, sizeof(unexpected));
	for (size_t i = 0; i < logged.n_expected; i++)
		if (!logged.expected[i].seen)
			missing = logged.expected[i].sentence;
	pthread_mutex_unlock(&logged.lock);
	if (*unexpected)
		ck_abort_msg("an error was logged: %s", unexpected);
	if (missing)
		ck_abort_msg("this error was not logged: %s", missing);
}

/* A sanitizer reports at the end of the process that failed; one process shows it once and runs
 * faster. */
static bool must_not_fork(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	return true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
	__has_feature(memory_sanitizer)
	return true;
#endif
#endif
	return false;
}

int test_main(const char *suite_name, void (*setup)(void), void (*teardown)(void))
{
	Suite *suite = suite_create(suite_name);
	TCase *test_case = tcase_create(suite_name);
	SRunner *runner;
	int failed;

	tcase_set_timeout(test_case, TIMEOUT_S);
	/* Teardowns run last to first: what the test's own teardown logs counts too. */
	tcase_add_checked_fixture(test_case, begin, finish);
	tcase_add_checked_fixture(test_case, setup, teardown);
	for (const struct test_entry *entry = __start_tests; entry < __stop_tests; entry++) {
		if (entry->rows == 1)
			tcase_add_test(test_case, entry->test);
		else
			tcase_add_loop_test(test_case, entry->test, 0, entry->rows);
	}
	suite_add_tcase(suite, test_case);
	runner = srunner_create(suite);
	if (must_not_fork())
		srunner_set_fork_status(runner, CK_NOFORK);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
