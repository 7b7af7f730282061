/* What the outbox's relay does on the bus: batches of events, each waited for: publish URL COUNT
 * BATCH */
#include <common/nats.h>
#include <crpc/crpc.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { PAYLOAD = 300, BATCH_MAX = 512, TIMEOUT_MS = 30000 };

struct job {
	size_t count, batch;
};

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static double cpu(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static int publish_batch(void *data, struct rpc_call *call)
{
	static uint8_t payload[PAYLOAD];
	const struct job *job = data;
	struct rpc_event *events[BATCH_MAX];
	size_t n_acked;

	for (size_t i = 0; i < job->batch; i++) {
		events[i] = rpc_alloc(call, sizeof(**events));
		*events[i] = (struct rpc_event){
			.id = rpc_id_new(call),
			.type = "souk.peer.v1.OrderPaid",
			.subject = "souk.peer.v1.order.paid",
			.about = "orders/bench",
			.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
			.time_ms = rpc_now_ms(call),
			.payload = { PAYLOAD, payload },
		};
	}
	return nats_publish(call, events, job->batch, &n_acked);
}

int main(int argc, char **argv)
{
	struct job job;
	char *error = NULL;
	double began, spent;

	if (argc != 4)
		return EXIT_FAILURE;
	job = (struct job){ strtoul(argv[2], NULL, 10), strtoul(argv[3], NULL, 10) };
	/* As each service is scheduled, by service_run(). */
	sched_setscheduler(0, SCHED_BATCH, &(struct sched_param){ 0 });
	if (job.batch > BATCH_MAX || nats_open(argv[1], "peer", "", &error)) {
		fprintf(stderr, "publish: %s\n", error ? error : "the batch is too large");
		return EXIT_FAILURE;
	}
	began = now();
	spent = cpu();
	for (size_t sent = 0; sent < job.count; sent += job.batch) {
		cleanup(rpc_call_freep) struct rpc_call *call = rpc_call_new("publish", TIMEOUT_MS);

		if (rpc_call_run(call, publish_batch, &job)) {
			fprintf(stderr, "publish: %s\n", rpc_error_message(call));
			return EXIT_FAILURE;
		}
	}
	printf("{\"count\": %zu, \"seconds\": %.3f, \"cpu_seconds\": %.3f}\n",
	       (job.count + job.batch - 1) / job.batch * job.batch, now() - began, cpu() - spent);
	nats_close();
	return EXIT_SUCCESS;
}
