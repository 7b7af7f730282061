/* The gRPC C core: its start and end, slices, metadata, time. */
#define OPENSSL_SUPPRESS_DEPRECATED /* OpenSSL 3 has no other way to choose its strings */
#include "core.h"
#include <crpc/log.h>
#include <dlfcn.h>
#include <grpc/support/log.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned references;

/* The core writes of what peers do wrong; that is no error of ours. */
static void log_core(gpr_log_func_args *args)
{
	log_warning(NULL, "gRPC core", { "text", args->message });
}

/*
 * The core's mutexes are Abseil's, which Debian builds with their search for deadlocks on: a graph
 * that each lock and unlock looks up, a twentieth of a service's CPU. It has no switch in C.
 */
static void search_no_deadlocks(void)
{
	enum { IGNORE };
	void (*set_mode)(int) = (void (*)(int))dlsym(
		RTLD_DEFAULT,
		"_ZN4absl7debian329SetMutexDeadlockDetectionModeENS0_15OnDeadlockCycleE");

	if (set_mode)
		set_mode(IGNORE);
}

/* A thread of the core's may be at a handshake when the process exits, so OpenSSL does not clean up
 * then. Whoever uses OpenSSL first decides that: hence before main(). */
static void __attribute__((constructor)) keep_openssl(void)
{
	OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT | OPENSSL_INIT_NO_LOAD_CRYPTO_STRINGS, NULL);
	/* What TLS says, instead of the strings of all that OpenSSL has. */
	ERR_load_ERR_strings();
	ERR_load_SSL_strings();
	ERR_load_X509_strings();
	ERR_load_PEM_strings();
	ERR_load_ASN1_strings();
	ERR_load_EVP_strings();
}

void core_ref(void)
{
	pthread_mutex_lock(&lock);
	if (!references++) {
		search_no_deadlocks();
		gpr_set_log_function(log_core);
		grpc_init();
	}
	pthread_mutex_unlock(&lock);
}

void core_unref(void)
{
	pthread_mutex_lock(&lock);
	if (!--references) {
		grpc_shutdown_blocking();
		/* A connection that was being made holds the core, and ends on a thread of the
		 * core's. Were it still at its handshake when the process exits, it would find
		 * OpenSSL cleaned up. */
		for (int i = 0; i < 2000 && grpc_is_initialized(); i++)
			usleep(1000);
	}
	pthread_mutex_unlock(&lock);
}

void core_run_events(grpc_completion_queue *queue)
{
	for (;;) {
		grpc_event event =
			grpc_completion_queue_next(queue, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);

		if (event.type == GRPC_QUEUE_SHUTDOWN)
			return;
		if (event.type == GRPC_OP_COMPLETE) {
			struct core_event *done = event.tag;

			core_after(done);
			done->run(done, event.success);
		}
	}
}

bool core_start(grpc_call *call, const grpc_op *ops, size_t n, void *tag)
{
	core_before(tag);
	return grpc_call_start_batch(call, ops, n, tag, NULL) == GRPC_CALL_OK;
}

enum core_plucked core_pluck(grpc_completion_queue *queue, void *tag, gpr_timespec until)
{
	grpc_event event = grpc_completion_queue_pluck(queue, tag, until, NULL);

	if (event.type != GRPC_OP_COMPLETE)
		return CORE_LATE;
	core_after(tag);
	return event.success ? CORE_DONE : CORE_FAILED;
}

gpr_timespec core_deadline(int64_t ms)
{
	if (ms == INT64_MAX)
		return gpr_inf_future(GPR_CLOCK_MONOTONIC);
	return (gpr_timespec){ ms / 1000, (int32_t)(ms % 1000) * 1000000, GPR_CLOCK_MONOTONIC };
}

int64_t core_deadline_ms(gpr_timespec deadline)
{
	/* The core hands out deadlines of incoming calls on the monotonic clock. */
	if (deadline.clock_type != GPR_CLOCK_MONOTONIC)
		deadline = gpr_convert_clock_type(deadline, GPR_CLOCK_MONOTONIC);
	if (deadline.tv_sec >= INT64_MAX / 1000 - 1)
		return INT64_MAX;
	return deadline.tv_sec * 1000 + deadline.tv_nsec / 1000000;
}

void core_metadata_set(grpc_metadata *item, const char *static_name, const char *value,
		       size_t length)
{
	item->key = grpc_slice_from_static_string(static_name);
	item->value = grpc_slice_from_copied_buffer(value, length);
}

void core_metadata_add(grpc_metadata *to, size_t *n, const struct header_list *list)
{
	for (const struct header *header = list->first; header && *n < HEADERS_MAX;
	     header = header->next) {
		grpc_metadata *item = &to[*n];

		/* Names and values may have come from outside; the core refuses the whole call for
		 * one that is illegal. */
		item->key = grpc_slice_from_copied_string(header->name);
		item->value = grpc_slice_from_copied_buffer(header->value, header->length);
		if (header->length <= HEADER_VALUE_MAX && grpc_header_key_is_legal(item->key) &&
		    (strncmp(header->name, "grpc-", 5) ||
		     !strcmp(header->name, "grpc-retry-pushback-ms")) &&
		    (grpc_is_binary_header(item->key) ||
		     grpc_header_nonbin_value_is_legal(item->value))) {
			(*n)++;
			continue;
		}
		grpc_slice_unref(item->key);
		grpc_slice_unref(item->value);
	}
}

void core_metadata_unref(grpc_metadata *metadata, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		grpc_slice_unref(metadata[i].key);
		grpc_slice_unref(metadata[i].value);
	}
}

const grpc_slice *core_metadata_find(const grpc_metadata_array *array, const char *name)
{
	size_t length = strlen(name);

	for (size_t i = 0; i < array->count; i++)
		if (core_slice_is(&array->metadata[i].key, name, length))
			return &array->metadata[i].value;
	return NULL;
}

void core_metadata_keep(struct arena *arena, const grpc_metadata_array *array,
			struct header_list *list)
{
	for (size_t i = 0; i < array->count; i++) {
		const grpc_metadata *item = &array->metadata[i];
		char *name = arena_strndup(arena, core_slice_text(&item->key),
					   GRPC_SLICE_LENGTH(item->key));

		header_add(arena, list, name, core_slice_text(&item->value),
			   GRPC_SLICE_LENGTH(item->value));
	}
}
