/*
 * Sending: a delivery is tried until it is sent or cannot be.
 *
 * A try takes the delivery for itself by one update, which counts it (the first one by the insert);
 * asks whom the mail goes to and what it says; hands it to the mail server; and notes how it went
 * by another update, with the event that tells of an end. A crash before the server has the mail
 * costs nothing. One after it sends the mail once more when the lease is over, under the same
 * Message-ID, which is made of the delivery's id, so that inboxes show one.
 *
 *     delivery_begin()  ─▶ PENDING ──▶ SENT       the server took it
 *                          │   ▲  ├──▶ FAILED     refused for good, or not sent for too long
 *                          └───┘  └──▶ DROPPED    nothing is to be said any more
 */
#include "letter.h"
#include "notification_events.ev.h"
#include "topics.h"
#include <common/clock.h>
#include <common/names.h>
#include <crpc/id.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 20, PAUSE_MS = 2000, PAUSE_MAX_MS = 3600000 };

/* --- rendering --- */

static int find_template(struct rpc_call *call, const struct topic *topic, const char *language,
			 NotificationTemplateRecord **ret)
{
	return template_recall(call, rpc_printf(call, "%s.%s", topic->id, language), ret);
}

/* "de-AT" is content with "de", and everybody with "en". */
static int choose_template(struct rpc_call *call, NotificationTemplateTopic topic,
			   const char *language, NotificationTemplateRecord **ret)
{
	const char *base = rpc_printf(call, "%.*s", (int)strcspn(language, "-"), language);
	int r = MONGO_NOT_FOUND;

	if (*language)
		r = find_template(call, topic_of(topic), language, ret);
	if (r == MONGO_NOT_FOUND && *base && strcmp(base, language))
		r = find_template(call, topic_of(topic), base, ret);
	if (r == MONGO_NOT_FOUND)
		r = find_template(call, topic_of(topic), "en", ret);
	return r;
}

static int render(struct rpc_call *call, const NotificationTemplate *template,
		  const struct letter *letter, struct mail *mail)
{
	int r = template_render(call, template->subject, &letter->data, false, &mail->subject);

	if (!r)
		r = template_render(call, template->text, &letter->data, false, &mail->text);
	if (!r)
		r = template_render(call, template->html, &letter->data, true, &mail->html);
	return r;
}

/* --- how it went --- */

static struct rpc_event *sent(struct rpc_call *call, const DeliveryRecord *record)
{
	souk_notification_v1_NotificationSent event = { 0 };

	event_text(event.delivery, record->delivery->name);
	event_text(event.user, record->delivery->user);
	event_text(event.topic, topic_name(record->delivery->topic));
	event_text(event.resource, record->delivery->resource);
	event_text(event.cause, record->delivery->cause);
	return notification_event_notification_sent(call, &event);
}

static struct rpc_event *failed(struct rpc_call *call, const DeliveryRecord *record)
{
	souk_notification_v1_NotificationFailed event = { 0 };
	const char *error = record->delivery->error;

	event_text(event.delivery, record->delivery->name);
	event_text(event.user, record->delivery->user);
	event_text(event.topic, topic_name(record->delivery->topic));
	event_text(event.resource, record->delivery->resource);
	event_text(event.cause, record->delivery->cause);
	event_text(event.error, rpc_printf(call, "%.*s", (int)strcspn(error, " "), error));
	return notification_event_notification_failed(call, &event);
}

/* It has ended: it is not tried again. */
static int end(struct rpc_call *call, DeliveryRecord *record, DeliveryState state,
	       const char *error)
{
	Delivery *delivery = record->delivery;

	delivery->state = state;
	delivery->error = error;
	delivery->next_try_time = NULL;
	if (state == DELIVERY_STATE_SENT)
		delivery->send_time = clock_now(call);
	return delivery_note(call, record,
			     state == DELIVERY_STATE_SENT     ? sent(call, record)
			     : state == DELIVERY_STATE_FAILED ? failed(call, record)
							      : NULL);
}

static int try_later(struct notification_service *self, struct rpc_call *call,
		     DeliveryRecord *record, const char *error)
{
	int64_t now = rpc_now_ms(call), pause = PAUSE_MS;

	if (now - clock_ms(record->delivery->create_time) > self->give_up_ms)
		return end(call, record, DELIVERY_STATE_FAILED, error);
	for (int32_t i = 1; i < record->delivery->tries && pause < PAUSE_MAX_MS; i++)
		pause *= 2;
	record->delivery->error = error;
	record->delivery->next_try_time =
		clock_timestamp(call, now + (pause < PAUSE_MAX_MS ? pause : PAUSE_MAX_MS));
	return delivery_note(call, record, NULL);
}

/* What a peer could not answer; its words may be about a person. */
static const char *error_of_peer(struct rpc_call *call, int r)
{
	const char *name = r < 0 ? "INTERNAL" : rpc_code_name(r);

	return rpc_printf(call, "%s, while asking what to write", name);
}

/* --- one try --- */

static int post(struct notification_service *self, struct rpc_call *call, DeliveryRecord *record,
		const struct letter *letter)
{
	struct mail mail = { .to = letter->to,
			     .message_id = record->delivery->message_id,
			     .date_ms = rpc_now_ms(call) };
	NotificationTemplateRecord *template;
	const char *why = "";
	int r = choose_template(call, record->delivery->topic, letter->language, &template);

	if (r == MONGO_NOT_FOUND)
		return try_later(self, call, record, "there is no template");
	if (!r)
		r = render(call, template->notification_template, letter, &mail);
	if (r == TEMPLATE_TOO_LARGE)
		return try_later(self, call, record, "what the template says is too long");
	if (r)
		return r;
	record->delivery->template = template->notification_template->name;
	crash_point("notification.send.before_post");
	r = self->mailer->ops->send(self->mailer, call, &mail, &why);
	crash_point("notification.send.after_post");
	if (r < 0)
		return r;
	if (r == MAIL_REFUSED)
		return end(call, record, DELIVERY_STATE_FAILED, why);
	return r ? try_later(self, call, record, why) : end(call, record, DELIVERY_STATE_SENT, "");
}

void delivery_hold(struct notification_service *self, struct rpc_call *call, DeliveryRecord *record)
{
	record->version = 1;
	if (!self->hands)
		return;
	record->lease_holder = rpc_id_new(call);
	record->lease_expire_time = record->next_look_time =
		clock_timestamp(call, rpc_now_ms(call) + self->lease_ms);
	record->delivery->tries = 1;
}

/* The delivery is ours. */
static int send_out(struct notification_service *self, struct rpc_call *call,
		    DeliveryRecord *record)
{
	struct letter letter;
	int r;

	crash_point("notification.send.after_take");
	r = letter_write(self, call, record, &letter);
	if (r == LETTER_DROPPED) {
		rpc_error_clear(call);
		return end(call, record, DELIVERY_STATE_DROPPED, "");
	}
	if (r) {
		const char *error = error_of_peer(call, r);

		rpc_error_clear(call);
		return try_later(self, call, record, error);
	}
	return post(self, call, record, &letter);
}

static int attempt(struct notification_service *self, struct rpc_call *call, const char *id)
{
	DeliveryRecord *record;
	int r = delivery_read(call, id, &record);

	if (!r && clock_ms(record->next_look_time) > rpc_now_ms(call))
		return MONGO_NOT_MATCHED;
	if (!r)
		r = delivery_take(call, record, rpc_id_new(call),
				  rpc_now_ms(call) + self->lease_ms);
	return r ? r : send_out(self, call, record);
}

static int carry_on(void *data, struct rpc_call *call, ProtobufCMessage *given)
{
	int r = send_out(data, call, (DeliveryRecord *)given);

	return r < 0 ? r : 0;
}

int notification_send(void *data, struct rpc_call *call)
{
	DeliveryRecord **due;
	size_t n_due, first;
	int r;

	r = delivery_due(call, BATCH, &due, &n_due);
	if (r)
		return r < 0 ? r : 0;
	/* Not all hands reach for the same. */
	first = n_due ? randombytes_uniform((uint32_t)n_due) : 0;
	for (size_t i = 0; i < n_due; i++) {
		r = attempt(data, call, due[(first + i) % n_due]->id);
		if (r == MONGO_NOT_MATCHED || r == MONGO_NOT_FOUND)
			continue; /* another was faster */
		return r < 0 ? r : r ? 0 : n_due > 1;
	}
	return 0;
}

int notification_sweep(void *data, struct rpc_call *call)
{
	int r = delivery_sweep_answers(call);

	return r > 0 ? 0 : r;
}

const struct hands_work notification_hands_work = { .type = &DeliveryRecord_descriptor,
						    .carry_on = carry_on,
						    .look = notification_send };
