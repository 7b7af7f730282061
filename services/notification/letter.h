/* Letters: what a delivery says, and to whom, asked for when it is sent. */
#pragma once

#include "notification_store.h"
#include "template.h"

struct letter {
	const char *to;
	const char *language; /* "" when nobody has said */
	struct template_data data;
};

/* Nothing is to be said any more: the link was used, the user or the thing is gone. */
enum { LETTER_DROPPED = 360 };

/* Asks the services that know. 0, LETTER_DROPPED, or what they could not answer now. */
int letter_write(struct notification_service *self, struct rpc_call *call,
		 const DeliveryRecord *record, struct letter *ret);

/* A fact of the delivery; "". */
const char *letter_fact(const DeliveryRecord *record, const char *key);
