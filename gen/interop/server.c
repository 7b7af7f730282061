/* The interop server: TestService in plain text on a port of loopback, until SIGTERM. */
#include "test_service.h"
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static int read_port(int argc, char **argv)
{
	static const struct option flags[] = { { "port", required_argument, NULL, 'p' }, { 0 } };
	int port = 0;

	if (getopt_long(argc, argv, "", flags, NULL) == 'p')
		port = atoi(optarg);
	if (port <= 0 || port > 65535 || optind != argc) {
		fprintf(stderr, "Usage: %s --port=PORT\n", argv[0]);
		exit(2);
	}
	return port;
}

int main(int argc, char **argv)
{
	struct rpc_server *server;
	char listen[32], *error = NULL;
	sigset_t signals;
	int r, number;

	snprintf(listen, sizeof(listen), "127.0.0.1:%d", read_port(argc, argv));
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	pthread_sigmask(SIG_BLOCK, &signals, NULL); /* before the first thread */
	server = rpc_server_new(&(struct rpc_server_options){ .listen = listen }, &error);
	test_service_serve(server, &test_service, NULL);
	r = rpc_server_start(server, &error);
	if (r) {
		fprintf(stderr, "%s\n", error);
	} else {
		printf("serving on %s\n", listen);
		fflush(stdout);
		sigwait(&signals, &number);
	}
	rpc_server_drain(server, 5000);
	rpc_server_free(server);
	free(error);
	return r ? 1 : 0;
}
