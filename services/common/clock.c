/* Times: milliseconds since 1970 UTC, and google.protobuf.Timestamp and Duration. */
#include <common/clock.h>
#include <time.h>

Timestamp *clock_now(struct rpc_call *call)
{
	return clock_timestamp(call, rpc_now_ms(call));
}

Timestamp *clock_timestamp(struct rpc_call *call, int64_t unix_ms)
{
	int64_t ms = unix_ms % 1000;

	/* nanos count forward, before 1970 too. */
	if (ms < 0)
		ms += 1000;
	return rpc_new(call, Timestamp, .seconds = (unix_ms - ms) / 1000,
		       .nanos = (int32_t)ms * 1000000);
}

/* Saturates: a far future is a far future. */
static int64_t to_ms(int64_t seconds, int32_t nanos)
{
	int64_t ms;

	if (__builtin_mul_overflow(seconds, 1000, &ms) ||
	    __builtin_add_overflow(ms, nanos / 1000000, &ms))
		return seconds < 0 ? INT64_MIN : INT64_MAX;
	return ms;
}

int64_t clock_ms(const Timestamp *timestamp)
{
	return timestamp ? to_ms(timestamp->seconds, timestamp->nanos) : 0;
}

const char *clock_text(struct rpc_call *call, const Timestamp *timestamp)
{
	time_t seconds = timestamp->seconds;
	struct tm parts;
	char text[64] = "";

	if (gmtime_r(&seconds, &parts))
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
	return rpc_strdup(call, text);
}

Duration *clock_duration(struct rpc_call *call, int64_t ms)
{
	return rpc_new(call, Duration, .seconds = ms / 1000,
		       .nanos = (int32_t)(ms % 1000) * 1000000);
}

int64_t clock_duration_ms(const Duration *duration)
{
	return duration ? to_ms(duration->seconds, duration->nanos) : 0;
}

int64_t clock_monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t clock_monotonic_ms(void)
{
	return clock_monotonic_ns() / 1000000;
}
