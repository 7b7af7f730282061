/* Topics: what mails are about, and what is known when one is written. */
#pragma once

#include "notification.msg.h"
#include <crpc/call.h>

struct topic {
	const char *id;        /* of its templates, before the language: "order-confirmed" */
	const char *variables; /* names separated by spaces */
};

/* Of a known topic. */
const struct topic *topic_of(NotificationTemplateTopic topic);
const char *topic_name(NotificationTemplateTopic topic); /* "ORDER_CONFIRMED" */
/* The topic and the language of a template's id, "order-confirmed.de"; TOPIC_UNSPECIFIED when it is
 * none. */
NotificationTemplateTopic topic_of_template(struct rpc_call *call, const char *id,
					    const char **language);
