/* Streams, waiting for each message. */
#include "test.h"
#include "test/probe.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct probe probe;
static struct rpc_call *call;

static void setup(void)
{
	probe_start(&probe, &(struct rpc_server_options){ .threads = 2, .streams = 2 });
	call = rpc_call_new("test", 20000);
}

static void teardown(void)
{
	rpc_call_free(call);
	probe_stop(&probe);
}

TEST(a_server_stream_brings_every_message_and_then_ends)
{
	cleanup(number_reader_freep) struct number_reader *reader = NULL;
	Number *number;
	int64_t expected = 0;
	int r;

	ck_assert_int_eq(probe_client_count(probe.client, call,
					    MSG(CountRequest, .last = 500, .padding = 100),
					    &reader),
			 0);
	while (!(r = number_reader_next(reader, &number))) {
		ck_assert_int_eq(number->value, ++expected);
		ck_assert_uint_eq(number->padding.len, 100);
	}
	ck_assert_int_eq(r, RPC_STREAM_END);
	ck_assert_int_eq(expected, 500);
	ck_assert_int_eq(number_reader_next(reader, &number), RPC_STREAM_END);
}

/* All sizes, so that messages lie in blocks, across their ends and beside them. */
TEST(each_message_of_a_burst_keeps_its_bytes)
{
	static const int32_t sizes[][2] = { { 3, 0 },       { 90, 0 },    { 90, 1500 }, { 700, 30 },
					    { 1010, 9000 }, { 1500, 90 }, { 0, 20000 } };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		cleanup(number_reader_freep) struct number_reader *reader = NULL;
		const int32_t small = sizes[i][0], large = sizes[i][1] ? sizes[i][1] : small;
		Number *number;

		ck_assert_int_eq(probe_client_count(probe.client, call,
						    MSG(CountRequest, .last = 500, .padding = small,
							.large_padding = sizes[i][1]),
						    &reader),
				 0);
		for (int value = 1; value <= 500; value++) {
			ck_assert_int_eq(number_reader_next(reader, &number), 0);
			ck_assert_int_eq(number->value, value);
			ck_assert_uint_eq(number->padding.len, (size_t)(value % 7 ? small : large));
			for (size_t at = 0; at < number->padding.len; at++)
				ck_assert(number->padding.data[at] == (uint8_t)value);
		}
		ck_assert_int_eq(number_reader_next(reader, &number), RPC_STREAM_END);
	}
}

TEST(messages_in_quick_succession_arrive_although_the_handler_then_waits)
{
	cleanup(number_reader_freep) struct number_reader *reader = NULL;
	enum { N = 1000 };
	Number *number;

	ck_assert_int_eq(probe_client_count(probe.client, call,
					    MSG(CountRequest, .last = N + 1, .wait_after = N),
					    &reader),
			 0);
	for (int i = 1; i <= N; i++) {
		ck_assert_int_eq(number_reader_next(reader, &number), 0);
		ck_assert_int_eq(number->value, i);
	}
}

TEST(a_server_stream_ends_with_the_handlers_error)
{
	cleanup(number_reader_freep) struct number_reader *reader = NULL;
	Number *number;

	ck_assert_int_eq(probe_client_count(probe.client, call,
					    MSG(CountRequest, .last = 9, .fail_at = 2), &reader),
			 0);
	ck_assert_int_eq(number_reader_next(reader, &number), 0);
	ck_assert_int_eq(number_reader_next(reader, &number), RPC_FAILED_PRECONDITION);
	ck_assert(rpc_failed_with(call, PROBE_FAILED));
	ck_assert_int_eq(number_reader_next(reader, &number), RPC_FAILED_PRECONDITION);
}

TEST(a_server_does_not_run_ahead_of_a_reader_that_does_not_read)
{
	cleanup(number_reader_freep) struct number_reader *reader = NULL;
	enum { PADDING = 64 * 1024, MUCH = 64 * 1024 * 1024 };
	Number *number;
	int before, after = 0;

	ck_assert_int_eq(probe_client_count(probe.client, call,
					    MSG(CountRequest, .padding = PADDING), &reader),
			 0);
	ck_assert_int_eq(number_reader_next(reader, &number), 0);
	/* It stops by itself: twice the same count, although it would count for ever. */
	do {
		before = after;
		nanosleep(&(struct timespec){ .tv_nsec = 100 * 1000000 }, NULL);
		pthread_mutex_lock(&probe.service.lock);
		after = probe.service.calls;
		pthread_mutex_unlock(&probe.service.lock);
		ck_assert_int_lt(after, MUCH / PADDING);
	} while (after != before);
	/* And goes on when it is read. */
	for (int i = 0; i <= after; i++)
		ck_assert_int_eq(number_reader_next(reader, &number), 0);
}

TEST(a_stream_that_is_given_up_cancels_its_handler)
{
	struct number_reader *reader;
	Number *number;

	ck_assert_int_eq(probe_client_count(probe.client, call, MSG(CountRequest), &reader), 0);
	ck_assert_int_eq(number_reader_next(reader, &number), 0);
	number_reader_free(reader);
	probe_await_cancelled(&probe.service, 1);
}

TEST(a_client_stream_is_answered_after_its_end)
{
	cleanup(number_reader_freep) struct number_reader *in = NULL;
	struct number_writer *out;
	Number *total = NULL;

	ck_assert_int_eq(probe_client_sum(probe.client, call, &out, &in), 0);
	for (int i = 1; i <= 100; i++)
		ck_assert_int_eq(number_writer_send(out, MSG(Number, .value = i)), 0);
	ck_assert_int_eq(number_writer_close(out), 0);
	ck_assert_int_eq(number_reader_next(in, &total), 0);
	ck_assert_int_eq(total->value, 5050);
	ck_assert_int_eq(number_reader_next(in, &total), RPC_STREAM_END);
}

TEST(both_sides_stream_in_turn)
{
	cleanup(number_reader_freep) struct number_reader *in = NULL;
	struct number_writer *out;
	Number *number = NULL;

	ck_assert_int_eq(probe_client_double_(probe.client, call, &out, &in), 0);
	for (int i = 1; i <= 100; i++) {
		ck_assert_int_eq(number_writer_send(out, MSG(Number, .value = i)), 0);
		ck_assert_int_eq(number_reader_next(in, &number), 0);
		ck_assert_int_eq(number->value, 2 * i);
	}
	ck_assert_int_eq(number_writer_close(out), 0);
	ck_assert_int_eq(number_reader_next(in, &number), RPC_STREAM_END);
}

/* Until the stream takes no more: what it says then. */
static int send_on(struct number_writer *writer)
{
	static uint8_t weight[60000];
	int r;

	do
		r = number_writer_send(
			writer, MSG(Number, .value = 1, .padding = { sizeof(weight), weight }));
	while (!r);
	return r;
}

TEST(a_client_that_still_sends_learns_the_handlers_error)
{
	cleanup(number_reader_freep) struct number_reader *reader = NULL;
	struct number_writer *writer;
	Number *number;

	ck_assert_int_eq(probe_client_sum(probe.client, call, &writer, &reader), 0);
	ck_assert_int_eq(number_writer_send(writer, MSG(Number, .value = -1)), 0);
	ck_assert_int_eq(send_on(writer), RPC_FAILED_PRECONDITION);
	ck_assert(rpc_failed_with(call, PROBE_FAILED));
	ck_assert_int_eq(number_writer_send(writer, MSG(Number)), RPC_FAILED_PRECONDITION);
	ck_assert_int_eq(number_reader_next(reader, &number), RPC_FAILED_PRECONDITION);
}

TEST(what_a_server_said_before_it_ended_is_read_although_the_client_still_sends)
{
	cleanup(number_reader_freep) struct number_reader *reader = NULL;
	struct number_writer *writer;
	Number *number;

	ck_assert_int_eq(probe_client_double_(probe.client, call, &writer, &reader), 0);
	for (int i = 1; i <= 3; i++)
		ck_assert_int_eq(number_writer_send(writer, MSG(Number, .value = i)), 0);
	ck_assert_int_eq(number_writer_send(writer, MSG(Number, .value = -1)), 0);
	ck_assert_int_eq(send_on(writer), RPC_STREAM_END);
	for (int i = 1; i <= 3; i++) {
		ck_assert_int_eq(number_reader_next(reader, &number), 0);
		ck_assert_int_eq(number->value, 2 * i);
	}
	ck_assert_int_eq(number_reader_next(reader, &number), RPC_STREAM_END);
}

TEST(streams_beyond_the_limit_are_refused_and_one_that_ended_makes_room)
{
	struct number_reader *first, *second, *third;
	Number *number;

	ck_assert_int_eq(probe_client_count(probe.client, call, MSG(CountRequest), &first), 0);
	ck_assert_int_eq(number_reader_next(first, &number), 0);
	ck_assert_int_eq(probe_client_count(probe.client, call, MSG(CountRequest), &second), 0);
	ck_assert_int_eq(number_reader_next(second, &number), 0);
	ck_assert_int_eq(probe_client_count(probe.client, call, MSG(CountRequest), &third), 0);
	ck_assert_int_eq(number_reader_next(third, &number), RPC_RESOURCE_EXHAUSTED);
	number_reader_free(third);
	number_reader_free(first);
	for (;;) { /* until the server has seen it */
		int r;

		ck_assert_int_eq(probe_client_count(probe.client, call, MSG(CountRequest), &third),
				 0);
		r = number_reader_next(third, &number);
		number_reader_free(third);
		if (!r)
			break;
		ck_assert_int_eq(r, RPC_RESOURCE_EXHAUSTED);
	}
	number_reader_free(second);
}

TEST(a_call_that_ends_without_its_message_is_refused_and_the_server_lives_on)
{
	/* The same path, called as a stream: half-closed at once. */
	static const struct rpc_method methods[] = { { .name = "Probe",
						       .path = "/crpc.test.v1.ProbeService/Probe",
						       .request = &ProbeRequest_descriptor,
						       .response = &ProbeResponse_descriptor,
						       .client_streaming = true },
						     { .name = "Count",
						       .path = "/crpc.test.v1.ProbeService/Count",
						       .request = &CountRequest_descriptor,
						       .response = &Number_descriptor,
						       .client_streaming = true,
						       .server_streaming = true },
						     { .name = "Check",
						       .path = "/grpc.health.v1.Health/Watch",
						       .request = &CountRequest_descriptor,
						       .response = &Number_descriptor,
						       .client_streaming = true,
						       .server_streaming = true } };
	static const struct rpc_service service = { .name = "crpc.test.v1.ProbeService",
						    .methods = methods,
						    .n_methods = 3 };
	struct rpc_client *client = rpc_client_new(probe.channel, &service);
	ProbeResponse *response;

	for (size_t i = 0; i < 3; i++) {
		struct rpc_stream *stream;

		ck_assert_int_eq(rpc_client_open(client, &methods[i], call, NULL, &stream), 0);
		ck_assert_int_eq(rpc_stream_close(stream), RPC_INVALID_ARGUMENT);
		ck_assert_str_eq(rpc_error_reason(call), "MESSAGE_MISSING");
		rpc_stream_free(stream);
	}
	rpc_client_free(client);
	ck_assert_int_eq(probe_client_probe(probe.client, call, MSG(ProbeRequest, .text = "alive"),
					    &response),
			 0);
}

TEST(a_message_that_is_no_message_is_refused)
{
	/* The request of another type, whose bytes do not fit. */
	static const struct rpc_method methods[] = { { .name = "Probe",
						       .path = "/crpc.test.v1.ProbeService/Probe",
						       .request = &Number_descriptor,
						       .response = &ProbeResponse_descriptor } };
	static const struct rpc_service service = { .name = "crpc.test.v1.ProbeService",
						    .methods = methods,
						    .n_methods = 1 };
	struct rpc_client *client = rpc_client_new(probe.channel, &service);
	ProtobufCMessage *response;
	uint8_t bytes[] = { 0xff, 0xfe };

	ck_assert_int_eq(rpc_client_call(client, methods, call,
					 &MSG(Number, .padding = { sizeof(bytes), bytes })->base,
					 &response),
			 RPC_INVALID_ARGUMENT);
	ck_assert_str_eq(rpc_error_reason(call), "MESSAGE_MALFORMED");
	rpc_client_free(client);
}

/* Else it would take half of what was said for all of it. */
TEST(a_handler_tells_a_client_that_goes_from_one_that_has_said_all)
{
	enum { STREAMS = 15 };

	/* Room for all: who has seen the client go has not ended yet. */
	probe_stop(&probe);
	probe_start(&probe, &(struct rpc_server_options){ .threads = 2, .streams = STREAMS });
	for (int i = 1; i <= STREAMS; i++) {
		struct number_writer *writer;
		struct number_reader *reader;

		ck_assert_int_eq(probe_client_sum(probe.client, call, &writer, &reader), 0);
		ck_assert_int_eq(number_writer_send(writer, MSG(Number, .value = i)), 0);
		number_reader_free(reader);
		probe_await_cancelled(&probe.service, i);
	}
}

/*
 * A writer whose messages nobody reads
 */

/* Sends until it may no more: what with. */
static int send_without_end(struct number_writer *writer)
{
	static uint8_t padding[64 * 1024];
	int r, n = 0;

	do
		r = number_writer_send(writer,
				       MSG(Number, .value = n ? 1 : INT64_MIN, /* reads no more */
					   .padding = { sizeof(padding), padding }));
	while (!r && ++n < 100000);
	return r;
}

TEST(a_writer_that_nobody_reads_ends_at_its_deadline)
{
	cleanup(number_reader_freep) struct number_reader *reader = NULL;
	struct rpc_call *hurried = rpc_call_new("test", 2000);
	struct number_writer *writer;

	ck_assert_int_eq(probe_client_sum(probe.client, hurried, &writer, &reader), 0);
	ck_assert_int_eq(send_without_end(writer), RPC_DEADLINE_EXCEEDED);
	ck_assert_int_eq(number_writer_send(writer, MSG(Number)), RPC_DEADLINE_EXCEEDED);
	probe_await_cancelled(&probe.service, 1);
	number_reader_free(ptr_steal(reader));
	rpc_call_free(hurried);
}

static void *cancel(void *data)
{
	probe_await_running(&probe.service, 1);
	nanosleep(&(struct timespec){ .tv_nsec = 100 * 1000000 }, NULL); /* let it wait */
	rpc_call_cancel(data);
	return NULL;
}

TEST(a_writer_that_nobody_reads_ends_when_it_is_cancelled)
{
	cleanup(number_reader_freep) struct number_reader *reader = NULL;
	struct number_writer *writer;
	pthread_t thread;

	ck_assert_int_eq(probe_client_sum(probe.client, call, &writer, &reader), 0);
	pthread_create(&thread, NULL, cancel, call);
	ck_assert_int_eq(send_without_end(writer), RPC_CANCELLED);
	pthread_join(thread, NULL);
	probe_await_cancelled(&probe.service, 1);
}

TEST_MAIN("stream", setup, teardown)
