/* For the sandboxes' tests: the program under test, and a server that it talks to. */
#include "testing.h"

#include <check.h>
#include <microhttpd.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static char program_url[64], other_url[64];
static pid_t program;

const char *program_start(const char *const *arguments)
{
	const char *path = getenv("SANDBOX_PROGRAM");
	const char *argv[16] = { path, "--port", "0" };
	unsigned port = 0;
	int out[2];
	FILE *lines;

	ck_assert_msg(path, "SANDBOX_PROGRAM is not set: run this through meson test.");
	for (size_t i = 0; arguments[i]; i++) {
		ck_assert_uint_lt(i + 4, 16);
		argv[i + 3] = arguments[i];
	}
	ck_assert_int_eq(pipe(out), 0);
	program = fork();
	ck_assert_int_ge(program, 0);
	if (program == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that is ended leaves nothing behind */
		dup2(out[1], 1);
		close(out[0]);
		execv(path, (char *const *)argv);
		_exit(127);
	}
	close(out[1]);
	lines = fdopen(out[0], "r");
	ck_assert_int_eq(fscanf(lines, "listening on 127.0.0.1:%u", &port), 1);
	fclose(lines);
	snprintf(program_url, sizeof(program_url), "http://127.0.0.1:%u", port);
	return program_url;
}

void program_stop(void)
{
	int status;

	if (!program)
		return;
	kill(program, SIGTERM);
	ck_assert_int_eq(waitpid(program, &status, 0), program);
	program = 0;
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "it ended with status %#x",
		      (unsigned)status);
}

/*
 * The other side
 */

unsigned other_side_status = 200;
static struct MHD_Daemon *other_side;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct heard heard[HEARD_MAX];
static size_t n_heard;

static void hear(struct MHD_Connection *connection, const char *method, const char *path,
		 const char *body)
{
	const char *signature;
	struct heard *next;

	signature = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Carrier-Signature");
	if (!signature)
		signature = MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
							"Stripe-Signature");
	pthread_mutex_lock(&lock);
	if (n_heard < HEARD_MAX) {
		next = &heard[n_heard++];
		snprintf(next->method, sizeof(next->method), "%s", method);
		snprintf(next->path, sizeof(next->path), "%s", path);
		snprintf(next->body, sizeof(next->body), "%s", body);
		snprintf(next->signature, sizeof(next->signature), "%s",
			 signature ? signature : "");
		next->at_ms = sandbox_now_ms();
	}
	pthread_mutex_unlock(&lock);
}

static enum MHD_Result answer(void *data, struct MHD_Connection *connection, const char *path,
			      const char *method, const char *version, const char *piece,
			      size_t *piece_length, void **state)
{
	struct MHD_Response *response;
	char text[300];
	char *body = *state;
	enum MHD_Result r;

	if (!body) {
		*state = calloc(1, sizeof(heard->body));
		return *state ? MHD_YES : MHD_NO;
	}
	if (*piece_length) {
		snprintf(body + strlen(body), sizeof(heard->body) - strlen(body), "%.*s",
			 (int)*piece_length, piece);
		*piece_length = 0;
		return MHD_YES;
	}
	hear(connection, method, path, body);
	free(body);
	*state = NULL;
	snprintf(text, sizeof(text), "{\"path\": \"%s\"}", path);
	response = MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_COPY);
	r = MHD_queue_response(connection, other_side_status, response);
	MHD_destroy_response(response);
	return r;
}

const char *other_side_start(void)
{
	n_heard = 0;
	other_side_status = 200;
	other_side =
		MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION, 0,
				 NULL, NULL, answer, NULL, MHD_OPTION_END);
	ck_assert_ptr_nonnull(other_side);
	snprintf(other_url, sizeof(other_url), "http://127.0.0.1:%u",
		 MHD_get_daemon_info(other_side, MHD_DAEMON_INFO_BIND_PORT)->port);
	return other_url;
}

void other_side_stop(void)
{
	MHD_stop_daemon(other_side);
}

size_t other_side_count(void)
{
	size_t n;

	pthread_mutex_lock(&lock);
	n = n_heard;
	pthread_mutex_unlock(&lock);
	return n;
}

const struct heard *other_side_wait(size_t n)
{
	for (int i = 0; i < 1000; i++) {
		if (other_side_count() >= n)
			return heard;
		sandbox_sleep_ms(10);
	}
	ck_abort_msg("%zu of %zu requests were heard in 10 s.", other_side_count(), n);
	return NULL;
}

json_t *ask(const char *method, const char *path, const char *const *headers, const char *body,
	    long *status)
{
	struct sandbox_reply reply = { 0 };
	json_t *json = NULL;
	char url[512];

	snprintf(url, sizeof(url), "%s%s", program_url, path);
	if (sandbox_send(method, url, headers, body, body ? strlen(body) : 0, 20000, &reply) == 0)
		json = json_loadb(reply.body ? reply.body : "", reply.body_length, JSON_DECODE_ANY,
				  NULL);
	if (status)
		*status = reply.status;
	sandbox_reply_done(&reply);
	return json;
}

void control(const char *body)
{
	long status;

	json_decref(ask("POST", "/_control", NULL, body, &status));
	ck_assert_int_eq(status, 200);
}

void assert_signed(const char *secret, const char *signature, const char *body)
{
	char expected[SANDBOX_SIGNATURE_SIZE];
	long long seconds;

	ck_assert_int_eq(sscanf(signature, "t=%lld,v1=", &seconds), 1);
	ck_assert_int_le(llabs(seconds - (long long)(sandbox_now_ms() / 1000)), 60);
	sandbox_sign(secret, seconds, body, strlen(body), expected);
	ck_assert_str_eq(signature, expected);
}
