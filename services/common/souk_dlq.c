/* souk-dlq: shows a service's dead letters and sends them back to it. */
#include "nats_private.h"
#include <common/dead_letters.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char usage[] =
	"souk-dlq list SERVICE      shows the events that the service could not handle, and why\n"
	"souk-dlq replay SERVICE    sends those that were not sent back yet to the service once "
	"more\n"
	"\n"
	"The bus is at SOUK_NATS_URL. After `replay` the service handles them as it handles any "
	"event: what is\n"
	"refused five times comes back here.\n";

static int print(void *data, const struct dead_letter *letter)
{
	time_t seconds = letter->time_ms / 1000;
	char moment[32];
	struct tm tm;

	++*(size_t *)data;
	gmtime_r(&seconds, &tm);
	strftime(moment, sizeof(moment), "%Y-%m-%dT%H:%M:%SZ", &tm);
	printf("%" PRIu64 "  %s  %s  %s  %s\n    %s\n", letter->sequence, moment, letter->type,
	       letter->about, letter->id, letter->reason);
	return 0;
}

static int run(const char *command, const char *service)
{
	size_t n = 0;
	int r;

	if (!strcmp(command, "list")) {
		r = dead_letters_list(service, print, &n);
		if (!r)
			printf("%zu dead letters of %s.\n", n, service);
	} else {
		r = dead_letters_replay(service, &n);
		printf("%zu sent back to %s.\n", n, service);
	}
	if (r)
		fprintf(stderr,
			"souk-dlq: the bus did not answer in time; try again, nothing is lost.\n");
	return r;
}

int main(int argc, char **argv)
{
	const char *url = getenv("SOUK_NATS_URL"), *prefix = getenv("SOUK_NATS_PREFIX");
	char *error = NULL;
	int r;

	if (argc != 3 || (strcmp(argv[1], "list") && strcmp(argv[1], "replay"))) {
		fputs(usage, argc == 2 && !strcmp(argv[1], "--help") ? stdout : stderr);
		return argc == 2 && !strcmp(argv[1], "--help") ? 0 : 2;
	}
	if (!url) {
		fprintf(stderr, "souk-dlq: SOUK_NATS_URL is not set.\n");
		return 2;
	}
	if (nats_open(url, "souk-dlq", prefix ? prefix : "", &error)) {
		fprintf(stderr, "souk-dlq: %s\n", error);
		return 1;
	}
	for (int i = 0; i < 50 && !nats_connected(); i++)
		usleep(100000);
	r = run(argv[1], argv[2]);
	nats_close();
	return r ? 1 : 0;
}
