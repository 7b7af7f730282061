/* A service's process from outside: options, readiness, timers, stopping. */
#include "test.h"
#include "test/probe.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <health.rpc.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Of the process under test. */
static char root[64], environment[16][160];
static int n_environment, grpc_port, http_port;
static pid_t process;

static void set(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void set(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(environment[n_environment++], sizeof(environment[0]), format, arguments);
	va_end(arguments);
}

static int free_port(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &length), 0);
	close(fd);
	return ntohs(address.sin_port);
}

static void setup(void)
{
	snprintf(root, sizeof(root), "/tmp/crpc-service-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(root));
	n_environment = 0;
	grpc_port = free_port();
	http_port = free_port();
	set("PROBE_GRPC_LISTEN=127.0.0.1:%d", grpc_port);
	set("PROBE_HTTP_LISTEN=127.0.0.1:%d", http_port);
	set("PROBE_READY_FILE=%s/ready", root);
	set("PROBE_STOP_FILE=%s/stopped", root);
	for (char **variable = environ; *variable; variable++)
		if (strstr(*variable, "SAN_OPTIONS=")) /* a sanitizer's */
			set("%s", *variable);
	process = 0;
}

static void teardown(void)
{
	char command[128];

	if (process) {
		kill(process, SIGKILL);
		waitpid(process, NULL, 0);
	}
	snprintf(command, sizeof(command), "rm -r %s", root);
	ck_assert_int_eq(system(command), 0);
}

/* Its stdout and stderr go to files of these names in `root`. */
static void start(char *argument)
{
	char *list[17] = { NULL }, output[96], errors[96];
	char *arguments[] = { (char *)PROBE_PROGRAM, argument, NULL };

	for (int i = 0; i < n_environment; i++)
		list[i] = environment[i];
	snprintf(output, sizeof(output), "%s/out", root);
	snprintf(errors, sizeof(errors), "%s/err", root);
	process = fork();
	if (!process) {
		dup2(open(output, O_CREAT | O_WRONLY, 0600), STDOUT_FILENO);
		dup2(open(errors, O_CREAT | O_WRONLY, 0600), STDERR_FILENO);
		execve(PROBE_PROGRAM, arguments, list);
		_exit(127);
	}
}

static int end(void)
{
	int status;

	ck_assert_int_eq(waitpid(process, &status, 0), process);
	process = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static bool file_has(const char *name, const char *text)
{
	char path[96], content[64 * 1024];
	ssize_t length;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", root, name);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return false;
	length = read(fd, content, sizeof(content) - 1);
	close(fd);
	content[length > 0 ? length : 0] = '\0';
	return strstr(content, text);
}

static void touch(const char *name)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/%s", root, name);
	close(open(path, O_CREAT | O_WRONLY, 0600));
}

/* A connection for HTTP; negative when nobody listens yet. */
static int http_connect(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				       .sin_port = htons((uint16_t)http_port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (!connect(fd, (struct sockaddr *)&address, sizeof(address)))
		return fd;
	close(fd);
	return -1;
}

/* Sends what is asked; the status of the answer and the whole of it. */
static int ask(int fd, const char *bytes, size_t size_of_bytes, char *answer, size_t size)
{
	size_t length = 0;
	ssize_t n;

	if (send(fd, bytes, size_of_bytes, MSG_NOSIGNAL) < 0)
		ck_abort_msg("closed before the request was sent");
	while (length < size - 1 && (n = read(fd, answer + length, size - 1 - length)) > 0)
		length += (size_t)n;
	answer[length] = '\0';
	close(fd);
	return atoi(answer + strcspn(answer, " "));
}

/* The status of GET, 0 when nobody answers yet. */
static int get(const char *url, char *answer, size_t size)
{
	char request[256];
	int fd = http_connect();

	if (fd < 0)
		return 0;
	return ask(fd, request,
		   (size_t)snprintf(request, sizeof(request),
				    "GET %s HTTP/1.1\r\nHost: test\r\n\r\n", url),
		   answer, size);
}

static void await_status(const char *url, int status)
{
	char answer[4096];

	while (get(url, answer, sizeof(answer)) != status)
		nanosleep(&(struct timespec){ .tv_nsec = 20 * 1000000 }, NULL);
}

TEST(help_lists_every_option_and_ends)
{
	start((char *)"--help");
	ck_assert_int_eq(end(), 0);
	ck_assert(file_has("out", "PROBE_GRPC_LISTEN"));
	ck_assert(file_has("out", "PROBE_READY_FILE"));
	ck_assert(file_has("out", "PROBE_PEER_"));
}

static const struct {
	const char *variable, *said;
} mistakes[] = {
	{ "PROBE_THREADS=none", "PROBE_THREADS" },
	{ "PROBE_THREADS=0", "PROBE_THREADS" },
	{ "PROBE_LOG_LEVEL=loud", "LOG_LEVEL" },
	{ "PROBE_NONSENSE=1", "PROBE_NONSENSE" },
	{ "PROBE_GRPC_LISTEN=0.0.0.0:1", "PROBE_TLS_DIR" },
};

TEST_EACH(a_bad_option_ends_the_start_with_a_line_that_names_it, mistakes)
{
	if (!strncmp(row->variable, "PROBE_GRPC_LISTEN", 17))
		snprintf(environment[0], sizeof(environment[0]), "%s", row->variable);
	else
		set("%s", row->variable);
	start(NULL);
	ck_assert_int_eq(end(), 2);
	ck_assert(file_has("err", row->said));
}

TEST(a_port_in_use_ends_the_start)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				       .sin_port = htons((uint16_t)grpc_port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	start(NULL);
	ck_assert_int_eq(end(), 1);
	ck_assert(file_has("err", "cannot listen"));
	close(fd);
}

TEST(readiness_follows_the_modules_and_tells_grpc_health)
{
	char target[64], answer[4096], *error = NULL;
	struct rpc_call *call = rpc_call_new("test", 20000);
	struct health_check_response_reader *reader;
	struct rpc_channel *channel;
	struct health_client *health;
	HealthCheckResponse *response;

	start(NULL);
	await_status("/healthz", 200);
	await_status("/readyz", 503);
	while (get("/readyz", answer, sizeof(answer)),
	       !strstr(answer, "file: The file is not there."))
		;
	snprintf(target, sizeof(target), "ipv4:127.0.0.1:%d", grpc_port);
	channel = rpc_channel_new(&(struct rpc_channel_options){ .target = target }, &error);
	health = health_client_new(channel);
	ck_assert_int_eq(health_client_watch(health, call, MSG(HealthCheckRequest), &reader), 0);
	ck_assert_int_eq(health_check_response_reader_next(reader, &response), 0);
	ck_assert_int_eq(response->status, HEALTH_CHECK_RESPONSE_SERVING_STATUS_NOT_SERVING);
	touch("ready");
	ck_assert_int_eq(health_check_response_reader_next(reader, &response), 0);
	ck_assert_int_eq(response->status, HEALTH_CHECK_RESPONSE_SERVING_STATUS_SERVING);
	await_status("/readyz", 200);
	kill(process, SIGTERM);
	ck_assert_int_eq(health_check_response_reader_next(reader, &response), 0);
	ck_assert_int_eq(response->status, HEALTH_CHECK_RESPONSE_SERVING_STATUS_NOT_SERVING);
	ck_assert_int_eq(end(), 0);
	ck_assert(!access(strcat(strcpy(answer, root), "/stopped"), F_OK));
	health_check_response_reader_free(reader);
	health_client_free(health);
	rpc_channel_free(channel);
	rpc_call_free(call);
}

TEST(answers_are_compressed_where_the_operator_wants_it)
{
	char target[64], *text, *error = NULL;
	struct rpc_call *call = rpc_call_new("test", 20000);
	struct probe_client *client;
	struct rpc_channel *channel;
	ProbeResponse *response;

	set("PROBE_COMPRESS=true");
	touch("ready");
	start(NULL);
	await_status("/readyz", 200);
	snprintf(target, sizeof(target), "ipv4:127.0.0.1:%d", grpc_port);
	channel = rpc_channel_new(&(struct rpc_channel_options){ .target = target }, &error);
	client = probe_client_new(channel);
	text = rpc_alloc(call, 50001);
	memset(text, 'a', 50000);
	ck_assert_int_eq(
		probe_client_probe(client, call, MSG(ProbeRequest, .text = text), &response), 0);
	ck_assert_str_eq(response->text, text);
	ck_assert(rpc_received_compressed(call));
	kill(process, SIGTERM);
	ck_assert_int_eq(end(), 0);
	probe_client_free(client);
	rpc_channel_free(channel);
	rpc_call_free(call);
}

TEST(timers_turn_and_metrics_say_so)
{
	char answer[64 * 1024];

	touch("ready");
	start(NULL);
	await_status("/readyz", 200);
	do
		ck_assert_int_eq(get("/metrics", answer, sizeof(answer)), 200);
	while (!strstr(answer, "probe_turns_total 3"));
	ck_assert_int_eq(get("/nothing", answer, sizeof(answer)), 404);
	kill(process, SIGINT);
	ck_assert_int_eq(end(), 0);
}

static const struct {
	const char *request;
	int status;
	const char *has, *has_not;
} requests[] = {
	{ "GET /healthz?why HTTP/1.0\r\n\r\n", 200, "\r\nContent-Length: 6\r\n", NULL },
	{ "HEAD /healthz HTTP/1.1\r\n\r\n", 200, "\r\nContent-Length: 6\r\n", "alive" },
	{ "POST /healthz HTTP/1.1\r\nContent-Length: 9\r\n\r\nnot looked at", 405, "GET", NULL },
	{ "GET /healthz HTTP/1.1\r\n\r\nGET /readyz HTTP/1.1\r\n\r\n", 200, "alive", "ready" },
	{ "GET /healthzz HTTP/1.1\r\n\r\n", 404, "/metrics", NULL },
	{ "\x16\x03\x01 a hand for TLS\r\n\r\n", 400, "no HTTP/1 request", NULL },
	{ "GET /healthz HTTP/1.1\r\nno header\r\n\r\n", 400, "no HTTP/1 request", NULL },
};

TEST_EACH(a_page_is_asked_for_by_one_request_a_connection, requests)
{
	char answer[4096];

	start(NULL);
	await_status("/healthz", 200);
	ck_assert_int_eq(
		ask(http_connect(), row->request, strlen(row->request), answer, sizeof(answer)),
		row->status);
	ck_assert_ptr_nonnull(strstr(answer, row->has));
	ck_assert(!row->has_not || !strstr(answer, row->has_not));
	kill(process, SIGTERM);
	ck_assert_int_eq(end(), 0);
}

TEST(a_head_or_a_path_without_end_is_refused)
{
	char request[8192], answer[4096];

	start(NULL);
	await_status("/healthz", 200);
	memset(request, 'a', sizeof(request));
	memcpy(request, "GET /a", 6);
	ck_assert_int_eq(ask(http_connect(), request, sizeof(request), answer, sizeof(answer)),
			 431);
	memcpy(request + 1000, " HTTP/1.1\r\n\r\n", 13);
	ck_assert_int_eq(ask(http_connect(), request, 1013, answer, sizeof(answer)), 404);
	memset(request, 'a', sizeof(request));
	memcpy(request, "GET /healthz HTTP/1.1\r\nX: ", 26);
	ck_assert_int_eq(ask(http_connect(), request, sizeof(request), answer, sizeof(answer)),
			 431);
	kill(process, SIGTERM);
	ck_assert_int_eq(end(), 0);
}

TEST(who_only_holds_connections_keeps_no_probe_out)
{
	char answer[4096];
	int held[100];

	start(NULL);
	await_status("/healthz", 200);
	for (size_t i = 0; i < 100; i++) {
		held[i] = http_connect();
		ck_assert_int_ge(held[i], 0);
		ck_assert_int_eq(send(held[i], "GET ", 4, MSG_NOSIGNAL), 4);
	}
	ck_assert_int_eq(get("/healthz", answer, sizeof(answer)), 200);
	for (size_t i = 0; i < 100; i++)
		close(held[i]);
	kill(process, SIGTERM);
	ck_assert_int_eq(end(), 0);
}

TEST_MAIN("service", setup, teardown)
