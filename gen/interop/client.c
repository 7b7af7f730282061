/* The interop client: runs one case against a server, with the flags of the official clients. */
#include "cases.h"
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

enum { CASE_TIMEOUT_MS = 30000 };

struct rpc_channel *interop_channel(const struct interop *interop)
{
	struct rpc_channel *channel;
	char *error = NULL;

	channel =
		rpc_channel_new(&(struct rpc_channel_options){ .target = interop->target }, &error);
	if (!channel)
		fprintf(stderr, "%s\n", error);
	free(error);
	return channel;
}

static const char *test_case = "large_unary", *host = "localhost", *port = "10000";
static struct interop interop = {
	.soak_iterations = 10,
	.soak_latency_ms = 1000,
	.soak_timeout_s = 10,
	.soak_request_size = 271828,
	.soak_response_size = 314159,
};

static const struct {
	const char *name;
	const char **text;
	int *number;
} flags[] = {
	{ "test_case", &test_case, NULL },
	{ "server_host", &host, NULL },
	{ "server_port", &port, NULL },
	{ "target", &interop.target, NULL },
	{ "soak_iterations", NULL, &interop.soak_iterations },
	{ "soak_max_failures", NULL, &interop.soak_max_failures },
	{ "soak_per_iteration_max_acceptable_latency_ms", NULL, &interop.soak_latency_ms },
	{ "soak_overall_timeout_seconds", NULL, &interop.soak_timeout_s },
	{ "soak_min_time_ms_between_rpcs", NULL, &interop.soak_pause_ms },
	{ "soak_request_size", NULL, &interop.soak_request_size },
	{ "soak_response_size", NULL, &interop.soak_response_size },
};
enum { N_FLAGS = sizeof(flags) / sizeof(flags[0]) };

static int read_flags(int argc, char **argv)
{
	struct option options[N_FLAGS + 1] = { 0 };
	int which, index;

	for (int i = 0; i < N_FLAGS; i++)
		options[i] = (struct option){ flags[i].name, required_argument, NULL, 1 };
	while ((which = getopt_long(argc, argv, "", options, &index)) == 1) {
		if (flags[index].text)
			*flags[index].text = optarg;
		else
			*flags[index].number = atoi(optarg);
	}
	return which == -1 && optind == argc ? 0 : -1;
}

static const struct interop_case *find_case(const char *name)
{
	for (const struct interop_case *one = interop_cases; one->name; one++)
		if (!strcmp(one->name, name))
			return one;
	return NULL;
}

static int run(const struct interop_case *one)
{
	cleanup(rpc_call_freep) struct rpc_call *call = NULL;
	int r = -1;

	interop.channel = interop_channel(&interop);
	if (!interop.channel)
		return -1;
	interop.client = test_client_new(interop.channel);
	interop.unimplemented = test_unimplemented_client_new(interop.channel);
	call = rpc_call_new(one->name, CASE_TIMEOUT_MS);
	r = one->run(&interop, call);
	test_unimplemented_client_free(interop.unimplemented);
	test_client_free(interop.client);
	rpc_channel_free(interop.channel);
	return r;
}

int main(int argc, char **argv)
{
	const struct interop_case *one = read_flags(argc, argv) ? NULL : find_case(test_case);
	char target[300];

	if (!one) {
		fprintf(stderr,
			"Usage: %s --test_case=CASE --server_host=HOST --server_port=PORT "
			"[--soak_...=N]\nCases:",
			argv[0]);
		for (one = interop_cases; one->name; one++)
			fprintf(stderr, " %s", one->name);
		fputc('\n', stderr);
		return 2;
	}
	if (!interop.target) { /* --target=xds:///interop instead of a host */
		snprintf(target, sizeof(target), "dns:///%s:%s", host, port);
		interop.target = target;
	}
	return run(one) ? 1 : 0;
}
