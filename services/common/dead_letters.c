/* Dead letters: storing them, showing them, sending them back. */
#include "nats_private.h"
#include <common/dead_letters.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WAIT_MS = 1000, BATCH = 64, LETTER_ARENA = 64 * 1024 };

static void dead_subject(const char *kind, const char *service, char ret[NATS_SUBJECT_MAX])
{
	char subject[NATS_SUBJECT_MAX / 2];

	snprintf(subject, sizeof(subject), "souk.%s.%s", kind, service);
	nats_subject(subject, ret);
}

/*
 * Storing
 */

/* The message with all its headers, addressed to the dead letters of the service. */
static int copy_to_dead(const char *service, natsMsg *message, const char *reason, natsMsg **ret)
{
	cleanup(nats_msg_freep) natsMsg *dead = NULL;
	char subject[NATS_SUBJECT_MAX];
	const char **keys = NULL, *value;
	char *encoded = nats_header_encode(reason);
	natsStatus status;
	int n_keys = 0;

	dead_subject("dlq", service, subject);
	status = natsMsg_Create(&dead, subject, NULL, natsMsg_GetData(message),
				natsMsg_GetDataLength(message));
	if (status == NATS_OK && natsMsgHeader_Keys(message, &keys, &n_keys) == NATS_OK)
		for (int i = 0; i < n_keys && status == NATS_OK; i++)
			if (strncmp(keys[i], "Nats-", 5) &&
			    natsMsgHeader_Get(message, keys[i], &value) == NATS_OK)
				status = natsMsgHeader_Set(dead, keys[i], value);
	free(keys);
	/* A replayed letter keeps the subject that it first had. */
	if (status == NATS_OK && natsMsgHeader_Get(message, "souk-subject", &value) != NATS_OK)
		status = natsMsgHeader_Set(dead, "souk-subject",
					   nats_unprefixed(natsMsg_GetSubject(message)));
	if (status == NATS_OK)
		status = natsMsgHeader_Set(dead, "souk-reason", encoded);
	free(encoded);
	if (status != NATS_OK)
		return -ENOMEM;
	*ret = ptr_steal(dead);
	return 0;
}

int dead_letter_store(const char *service, natsMsg *message, const char *reason)
{
	cleanup(nats_msg_freep) natsMsg *dead = NULL;
	char id[NATS_SUBJECT_MAX];
	jsMsgMetaData *meta = NULL;
	jsPubAck *ack = NULL;
	jsPubOptions options;
	const char *why;
	natsStatus status;
	int r = nats_ensure_stream("dlq", &why);

	if (!r)
		r = copy_to_dead(service, message, reason, &dead);
	if (r)
		return r;
	jsPubOptions_Init(&options);
	/* This delivery's, not the event's: a letter that dies again after a replay is a new
	 * one. */
	if (natsMsg_GetMetaData(&meta, message) == NATS_OK) {
		snprintf(id, sizeof(id), "%s:%s:%" PRIu64, service, meta->Stream,
			 meta->Sequence.Stream);
		options.MsgId = id;
		jsMsgMetaData_Destroy(meta);
	}
	status = js_PublishMsg(&ack, nats_js(), dead, &options, NULL);
	jsPubAck_Destroy(ack);
	if (status != NATS_OK) {
		nats_forget_streams();
		return -EAGAIN;
	}
	return 0;
}

/*
 * Showing
 */

static void subscription_freep(natsSubscription **subscription)
{
	natsSubscription_Destroy(*subscription);
}

static void list_free(natsMsgList *list)
{
	natsMsgList_Destroy(list);
}

static const char *header(struct arena *arena, natsMsg *message, const char *name)
{
	const char *value = NULL;

	if (natsMsgHeader_Get(message, name, &value) != NATS_OK || !value)
		return "";
	return nats_header_decode(arena, value);
}

static int show(natsMsg *message, int (*each)(void *data, const struct dead_letter *letter),
		void *data, uint64_t *pending)
{
	struct arena *arena = arena_new(LETTER_ARENA);
	jsMsgMetaData *meta = NULL;
	int r = -EIO;

	if (arena && natsMsg_GetMetaData(&meta, message) == NATS_OK) {
		*pending = meta->NumPending;
		r = each(data, &(struct dead_letter){
				       .sequence = meta->Sequence.Stream,
				       .time_ms = meta->Timestamp / 1000000,
				       .id = header(arena, message, "ce-id"),
				       .type = header(arena, message, "ce-type"),
				       .about = header(arena, message, "ce-subject"),
				       .reason = header(arena, message, "souk-reason"),
			       });
	}
	jsMsgMetaData_Destroy(meta);
	arena_free(arena);
	return r;
}

int dead_letters_list(const char *service,
		      int (*each)(void *data, const struct dead_letter *letter), void *data)
{
	cleanup(subscription_freep) natsSubscription *subscription = NULL;
	char subject[NATS_SUBJECT_MAX];
	uint64_t pending = 1;
	jsSubOptions options;
	const char *why;
	int r = 0;

	if (nats_ensure_stream("dlq", &why))
		return -EIO;
	dead_subject("dlq", service, subject);
	jsSubOptions_Init(&options);
	options.Ordered = true;
	if (js_SubscribeSync(&subscription, nats_js(), subject, NULL, &options, NULL) != NATS_OK)
		return -EIO;
	while (!r && pending) {
		cleanup(nats_msg_freep) natsMsg *message = NULL;
		natsStatus status = natsSubscription_NextMsg(&message, subscription, WAIT_MS);

		if (status == NATS_TIMEOUT)
			break; /* there are none */
		r = status == NATS_OK ? show(message, each, data, &pending) : -EIO;
	}
	return r;
}

/*
 * Sending back
 */

/* Stored on its way back for sure, or negative. */
static int send_back(const char *service, natsMsg *letter)
{
	cleanup(nats_msg_freep) natsMsg *copy = NULL;
	char subject[NATS_SUBJECT_MAX], id[64];
	const char **keys = NULL, *value;
	jsMsgMetaData *meta = NULL;
	jsPubAck *ack = NULL;
	jsPubOptions options;
	natsStatus status;
	int n_keys = 0;

	dead_subject("replay", service, subject);
	status = natsMsg_Create(&copy, subject, NULL, natsMsg_GetData(letter),
				natsMsg_GetDataLength(letter));
	if (status == NATS_OK && natsMsgHeader_Keys(letter, &keys, &n_keys) == NATS_OK)
		for (int i = 0; i < n_keys && status == NATS_OK; i++)
			if (strncmp(keys[i], "Nats-", 5) && strcmp(keys[i], "souk-reason") &&
			    natsMsgHeader_Get(letter, keys[i], &value) == NATS_OK)
				status = natsMsgHeader_Set(copy, keys[i], value);
	free(keys);
	if (status == NATS_OK)
		status = natsMsg_GetMetaData(&meta, letter);
	if (status != NATS_OK)
		return -EIO;
	snprintf(id, sizeof(id), "replay:%" PRIu64, meta->Sequence.Stream);
	jsMsgMetaData_Destroy(meta);
	jsPubOptions_Init(&options);
	options.MsgId = id;
	status = js_PublishMsg(&ack, nats_js(), copy, &options, NULL);
	jsPubAck_Destroy(ack);
	return status == NATS_OK ? 0 : -EIO;
}

static int open_durable(const char *service, natsSubscription **ret)
{
	char stream[NATS_NAME_MAX], subject[NATS_SUBJECT_MAX], durable[NATS_NAME_MAX];
	jsConsumerConfig config;
	jsConsumerInfo *info = NULL;
	jsSubOptions options;
	natsStatus status;

	nats_stream_name("dlq", stream);
	dead_subject("dlq", service, subject);
	snprintf(durable, sizeof(durable), "%s_dlq", service);
	jsConsumerConfig_Init(&config);
	config.Durable = durable;
	config.FilterSubject = subject;
	config.AckPolicy = js_AckExplicit;
	status = js_AddConsumer(&info, nats_js(), stream, &config, NULL, NULL);
	jsConsumerInfo_Destroy(info);
	if (status != NATS_OK)
		return -EIO;
	jsSubOptions_Init(&options);
	options.Stream = stream;
	options.Consumer = durable;
	status = js_PullSubscribe(ret, nats_js(), subject, durable, NULL, &options, NULL);
	return status == NATS_OK ? 0 : -EIO;
}

int dead_letters_replay(const char *service, size_t *n_ret)
{
	cleanup(subscription_freep) natsSubscription *subscription = NULL;
	const char *why;
	int r = nats_ensure_stream("dlq", &why) ? -EIO : open_durable(service, &subscription);

	*n_ret = 0;
	while (!r) {
		cleanup(list_free) natsMsgList list = { 0 };
		natsStatus status =
			natsSubscription_Fetch(&list, subscription, BATCH, WAIT_MS, NULL);

		if (status == NATS_TIMEOUT)
			return 0;
		r = status == NATS_OK ? 0 : -EIO;
		for (int i = 0; i < list.Count && !r; i++) {
			r = send_back(service, list.Msgs[i]);
			if (!r && natsMsg_AckSync(list.Msgs[i], NULL, NULL) != NATS_OK)
				r = -EIO;
			if (!r)
				++*n_ret;
		}
	}
	return r;
}
