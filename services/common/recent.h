/* Recent: documents as this process has written them last, for whoever mostly comes right behind. */
#pragma once

#include <crpc/service.h>
#include <pthread.h>

/*
 * What stands here may be older than the document. That is no harm to who compares versions, which
 * only grow, or saves under the version, which fails if it has moved; nobody else may use it, and
 * nothing may be refused because of it.
 */
enum { RECENT_PLACES = 128, RECENT_BYTES_MAX = 32768 };

struct recent {
	const ProtobufCMessageDescriptor *type;
	int64_t keep_ms; /* nothing older is given out; 0: however old */
	pthread_mutex_t lock;
	struct recent_place {
		char *id;
		ProtobufCBinaryData packed;
		int64_t noted_ms;
	} places[RECENT_PLACES]; /* by a hash of the id */
};
/* static struct recent recent = RECENT_INIT(&OrderRecord_descriptor); */
#define RECENT_INIT(of, ...)                                                                       \
	{                                                                                          \
		.type = (of), .lock = PTHREAD_MUTEX_INITIALIZER, ##__VA_ARGS__                     \
	}

void recent_note(struct recent *recent, struct rpc_call *call, const char *id,
		 const ProtobufCMessage *record);
/* A copy in the call's arena, if it is still known; NULL. */
ProtobufCMessage *recent_find(struct recent *recent, struct rpc_call *call, const char *id);
void recent_drop(struct recent *recent, const char *id); /* it was changed here */
void recent_forget(struct recent *recent);               /* all */
