/* The platform under test, as ./dev has started it. */
#include "platform.h"
#include <check.h>
#include <errno.h>
#include <hiredis/hiredis.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

static struct {
	pthread_mutex_t lock;
	char **texts;
	size_t n_texts;
} kept = { .lock = PTHREAD_MUTEX_INITIALIZER };

char *text_list(const char *format, va_list arguments)
{
	char *formatted;

	if (vasprintf(&formatted, format, arguments) < 0)
		abort();
	pthread_mutex_lock(&kept.lock);
	kept.texts = realloc(kept.texts, (kept.n_texts + 1) * sizeof(*kept.texts));
	kept.texts[kept.n_texts++] = formatted;
	pthread_mutex_unlock(&kept.lock);
	return formatted;
}

char *text(const char *format, ...)
{
	va_list arguments;
	char *formatted;

	va_start(arguments, format);
	formatted = text_list(format, arguments);
	va_end(arguments);
	return formatted;
}

void platform_end(void)
{
	for (size_t i = 0; i < kept.n_texts; i++)
		free(kept.texts[i]);
	free(ptr_steal(kept.texts));
	kept.n_texts = 0;
}

const char *unique(const char *word)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";
	unsigned char chance[10];
	char suffix[sizeof(chance) + 1] = "";

	if (getrandom(chance, sizeof(chance), 0) != sizeof(chance))
		abort();
	for (size_t i = 0; i < sizeof(chance); i++)
		suffix[i] = letters[chance[i] % 32];
	return text("%s-%s", word, suffix);
}

const char *platform_variable(const char *name)
{
	const char *value = getenv(name);

	if (!value || !*value)
		ck_abort_msg("%s is not set: './dev test stories' sets it, or source "
			     ".souk/test/environment",
			     name);
	return value;
}

static int service_number(const char *service)
{
	static const char *const services[] = { "catalog",        "users",     "cart",
						"orders",         "payments",  "inventory",
						"recommendation", "search",    "reviews",
						"notification",   "analytics", "content",
						"auth",           "shipping",  "support" };

	for (size_t i = 0; i < sizeof(services) / sizeof(*services); i++)
		if (!strcmp(services[i], service))
			return i + 1;
	ck_abort_msg("there is no service '%s'", service);
	return 0;
}

int platform_grpc_port(const char *service, int replica)
{
	return 7000 + service_number(service) + 50 * (replica - 1) +
	       atoi(platform_variable("SOUK_PORT_OFFSET"));
}

int platform_http_port(const char *service, int replica)
{
	return platform_grpc_port(service, replica) + 100;
}

static int dev(const char *what)
{
	return WEXITSTATUS(
		system(text("SOUK_INSTANCE=%s %s %s >&2", platform_variable("SOUK_INSTANCE"),
			    platform_variable("SOUK_TEST_DEV"), what)));
}

void platform_do(const char *command, ...)
{
	va_list arguments;
	const char *what;
	int status;

	va_start(arguments, command);
	what = text_list(command, arguments);
	va_end(arguments);
	status = dev(what);
	if (status)
		ck_abort_msg("./dev %s failed (%d)", what, status);
}

void platform_try(const char *command, ...)
{
	va_list arguments;

	va_start(arguments, command);
	dev(text_list(command, arguments));
	va_end(arguments);
}

const char *platform_replicas(const char *service)
{
	const char *second = text("%s/run/%s-2/run", platform_variable("SOUK_TEST_STATE"), service);

	return access(second, F_OK) ? service : text("%s %s-2", service, service);
}

/* runit's finish script writes a line for each end: time, exit code or -1, signal. */
static int count_ends(const char *process, bool killed)
{
	cleanup(freep) char *line = NULL;
	FILE *file =
		fopen(text("%s/run/%s/exits", platform_variable("SOUK_TEST_STATE"), process), "re");
	size_t size = 0;
	int count = 0, code, signal;

	while (file && getline(&line, &size, file) > 0)
		count += sscanf(line, "%*s %d %d", &code, &signal) == 2 &&
			 (!killed || (code == -1 && signal == 9));
	if (file)
		fclose(file);
	return count;
}

int platform_ends(const char *process)
{
	return count_ends(process, false);
}

int platform_kills(const char *process)
{
	return count_ends(process, true);
}

void platform_await_ready(const char *process)
{
	eventually(60, system(text("curl --silent --fail --max-time 2 --output /dev/null \"$(cat "
				   "%s/run/%s/ready)\"",
				   platform_variable("SOUK_TEST_STATE"), process)) == 0);
}

void platform_redis(const char *command)
{
	char user[64], password[256], host[128];
	int port;
	redisContext *redis;
	redisReply *reply;

	if (sscanf(platform_variable("SOUK_TEST_REDIS_URL"), "redis://%63[^:]:%255[^@]@%127[^:]:%d",
		   user, password, host, &port) != 4)
		ck_abort_msg("SOUK_TEST_REDIS_URL is no redis://user:password@host:port");
	redis = redisConnect(host, port);
	ck_assert_msg(redis && !redis->err, "redis does not answer");
	reply = redisCommand(redis, "AUTH %s %s", user, password);
	ck_assert_msg(reply && reply->type != REDIS_REPLY_ERROR, "redis does not know the admin");
	freeReplyObject(reply);
	reply = redisCommand(redis, command);
	ck_assert_msg(reply && reply->type != REDIS_REPLY_ERROR, "redis refused %s", command);
	freeReplyObject(reply);
	redisFree(redis);
}

struct runner {
	pthread_t thread;
	pthread_barrier_t *start;
	void (*run)(int i, void *data);
	void *data;
	int i;
};

static void *runner_main(void *data)
{
	struct runner *runner = data;

	pthread_barrier_wait(runner->start);
	runner->run(runner->i, runner->data);
	return NULL;
}

void at_once(int n, void (*run)(int i, void *data), void *data)
{
	cleanup(freep) struct runner *runners = calloc(n, sizeof(*runners));
	pthread_barrier_t start;

	pthread_barrier_init(&start, NULL, n);
	for (int i = 0; i < n; i++) {
		runners[i] = (struct runner){ .start = &start, .run = run, .data = data, .i = i };
		if (pthread_create(&runners[i].thread, NULL, runner_main, &runners[i]))
			abort();
	}
	for (int i = 0; i < n; i++)
		pthread_join(runners[i].thread, NULL);
	pthread_barrier_destroy(&start);
}

int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

void pause_ms(int ms)
{
	struct timespec time = { ms / 1000, ms % 1000 * 1000000L };

	while (nanosleep(&time, &time) && errno == EINTR)
		;
}
