/* A whole service's process, for tests: the probe service, a module that is as ready as a file
 * says, work on a timer. */
#include "probe.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct probe_service service_state = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER };
static const char *ready_file, *stop_file;
static struct metric *turns;

static const struct option options[] = {
	{ "READY_FILE", OPTION_STRING, &ready_file, NULL,
	  "the module is ready while this file exists" },
	{ "STOP_FILE", OPTION_STRING, &stop_file, NULL, "made when the module is stopped" },
	{ 0 },
};

static bool module_ready(const char **why)
{
	*why = "The file is not there.";
	return !access(ready_file, F_OK);
}

static void module_stop(void)
{
	FILE *file = fopen(stop_file, "w");

	if (file)
		fclose(file);
}

static const struct service_module module = { .name = "file",
					      .ready = module_ready,
					      .stop = module_stop };

static int take_turn(void *data, struct rpc_call *call)
{
	(void)data;
	(void)call;
	metric_add(turns, 1);
	return 0;
}

static int start(struct service *service, char **error)
{
	(void)error;
	probe_service_serve(service_server(service), &probe_service, &service_state);
	turns = metric_counter("probe_turns_total", NULL, "Turns of the timer.");
	service_every(service, "turn", 50, take_turn, NULL);
	return 0;
}

SERVICE_MAIN(.name = "probe", .summary = "Answers as it is told to.", .options = options,
	     .prefix = "PROBE_", .modules = (const struct service_module *const[]){ &module, NULL },
	     .start = start)
