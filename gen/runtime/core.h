/* The gRPC C core: its start and end, slices, metadata, time. */
#pragma once

#include "call_private.h"
#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/compression.h>
#include <grpc/grpc.h>
#include <grpc/slice.h>
#include <grpc/support/alloc.h>
#include <grpc/support/time.h>
#include <stdbool.h>
#include <string.h>

/* The core is up from the first reference to the last. */
void core_ref(void);
void core_unref(void);

/* What a completion queue hands back: `run` is called by the thread that took it. */
struct core_event {
	void (*run)(struct core_event *event, bool ok);
	struct core_event *next; /* while completions.c hands it from one thread to another */
	bool ok;
};
/* Runs events until the queue is shut down. */
void core_run_events(grpc_completion_queue *queue);
/* Starts a batch whose end is told by `tag`. */
bool core_start(grpc_call *call, const grpc_op *ops, size_t n, void *tag);
/* Waits for a tag of a queue to pluck from: whether it came in time, and whether the batch
 * succeeded. */
enum core_plucked { CORE_LATE, CORE_FAILED, CORE_DONE };
enum core_plucked core_pluck(grpc_completion_queue *queue, void *tag, gpr_timespec until);
static inline bool core_wait(grpc_completion_queue *queue, void *tag)
{
	return core_pluck(queue, tag, gpr_inf_future(GPR_CLOCK_MONOTONIC)) == CORE_DONE;
}

/* The core orders what happens before a batch before its end; the thread sanitizer cannot see that
 * by itself. */
#ifdef __SANITIZE_THREAD__
void __tsan_acquire(void *address);
void __tsan_release(void *address);
#define core_before(tag) __tsan_release(tag)
#define core_after(tag) __tsan_acquire(tag)
#else
#define core_before(tag) ((void)(tag))
#define core_after(tag) ((void)(tag))
#endif

gpr_timespec core_deadline(int64_t monotonic_ms);
int64_t core_deadline_ms(gpr_timespec deadline);

/* Metadata to send, appended to an array with room for HEADERS_MAX; what HTTP/2 cannot carry is
 * left out. */
void core_metadata_add(grpc_metadata *to, size_t *n, const struct header_list *list);
void core_metadata_set(grpc_metadata *item, const char *static_name, const char *value,
		       size_t length);
void core_metadata_unref(grpc_metadata *metadata, size_t n);
const grpc_slice *core_metadata_find(const grpc_metadata_array *array, const char *name);
/* Copies all into the list. */
void core_metadata_keep(struct arena *arena, const grpc_metadata_array *array,
			struct header_list *list);

static inline bool core_slice_is(const grpc_slice *slice, const char *text, size_t length)
{
	return GRPC_SLICE_LENGTH(*slice) == length &&
	       !memcmp(GRPC_SLICE_START_PTR(*slice), text, length);
}
static inline const char *core_slice_text(const grpc_slice *slice)
{
	return (const char *)GRPC_SLICE_START_PTR(*slice);
}
