/* Hands: threads that go on at once with what this process has just stored, and else look for what
 * is due. */
#include <common/clock.h>
#include <common/hands.h>
#include <crpc/message.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WAITING_MAX = 64 };

struct given {
	char traceparent[64];
	uint8_t *bytes;
	size_t size;
};

struct hand {
	struct hands *hands;
	char name[32]; /* of its timer */
	bool busy;     /* it will see by itself what waits */
};

struct hands {
	struct service *service;
	const struct hands_work *work;
	void *data;
	int n;
	int64_t interval_ms;

	pthread_mutex_t lock;
	struct hand each[HANDS_MAX];
	struct given waiting[WAITING_MAX]; /* a ring */
	unsigned first, n_waiting;
	int64_t look_ms; /* when somebody looks next; 0: now */
};

/* One that is idle, if there is one, sees what waits. Under the lock. */
static void stir(struct hands *hands)
{
	for (int i = 0; i < hands->n; i++)
		if (!hands->each[i].busy) {
			hands->each[i].busy = true;
			service_wake(hands->service, hands->each[i].name);
			return;
		}
}

static int carry_on(struct hands *hands, struct rpc_call *call, const struct given *given)
{
	ProtobufCMessage *message =
		rpc_unpack(rpc_arena(call), hands->work->type, given->bytes, given->size, NULL);

	free(given->bytes);
	if (!message)
		return -EBADMSG;
	if (*given->traceparent)
		rpc_call_set_traceparent(call, given->traceparent);
	return hands->work->carry_on(hands->data, call, message);
}

static int turn(void *data, struct rpc_call *call)
{
	struct hand *hand = data;
	struct hands *hands = hand->hands;
	int64_t now = clock_monotonic_ms();
	struct given given = { 0 };
	bool looks = false;
	int r = 0;

	pthread_mutex_lock(&hands->lock);
	hand->busy = true;
	if (hands->n_waiting) {
		given = hands->waiting[hands->first++ % WAITING_MAX];
		hands->n_waiting--;
	} else if (hands->look_ms <= now) {
		hands->look_ms = now + hands->interval_ms;
		looks = true;
	}
	pthread_mutex_unlock(&hands->lock);
	if (given.bytes)
		r = carry_on(hands, call, &given);
	else if (looks)
		r = hands->work->look(hands->data, call);
	pthread_mutex_lock(&hands->lock);
	if (looks && r > 0) {
		hands->look_ms = 0;
		stir(hands);
	}
	hand->busy = hands->n_waiting || !hands->look_ms;
	if (hand->busy)
		service_wake(hands->service, hand->name);
	pthread_mutex_unlock(&hands->lock);
	return r < 0 ? r : 0;
}

struct hands *hands_start(struct service *service, const char *name, int n, int64_t interval_ms,
			  const struct hands_work *work, void *data)
{
	struct hands *hands = calloc(1, sizeof(*hands));

	if (!hands || n > HANDS_MAX)
		abort();
	hands->service = service;
	hands->work = work;
	hands->data = data;
	hands->n = n;
	hands->interval_ms = interval_ms;
	pthread_mutex_init(&hands->lock, NULL);
	for (int i = 0; i < n; i++) {
		struct hand *hand = &hands->each[i];

		hand->hands = hands;
		snprintf(hand->name, sizeof(hand->name), "%s-%d", name, i + 1);
		service_every(service, hand->name, interval_ms, turn, hand);
	}
	return hands;
}

void hands_give(struct hands *hands, struct rpc_call *call, const ProtobufCMessage *message)
{
	const char *traceparent = rpc_traceparent(call);
	struct given given = { 0 };
	ProtobufCBinaryData packed;

	if (!hands)
		return;
	packed = rpc_pack(rpc_arena(call), message);
	given.size = packed.len;
	snprintf(given.traceparent, sizeof(given.traceparent), "%s",
		 traceparent ? traceparent : "");
	given.bytes = malloc(given.size + 1);
	if (!given.bytes)
		return;
	memcpy(given.bytes, packed.data, packed.len);
	pthread_mutex_lock(&hands->lock);
	if (hands->n_waiting < WAITING_MAX) {
		hands->waiting[(hands->first + hands->n_waiting++) % WAITING_MAX] = given;
		given.bytes = NULL;
		stir(hands);
	}
	pthread_mutex_unlock(&hands->lock);
	free(given.bytes);
}
