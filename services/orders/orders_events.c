/* What orders hear: how payments went, and where parcels are. */
#include "errors.msg.h"
#include "saga.h"
#include <common/clock.h>
#include <common/money.h>
#include <common/names.h>
#include <string.h>

enum { ANSWER_MS = 250 }; /* how long shipping's answer is waited for */

static struct orders_service *service_of(void *listener)
{
	return listener;
}

static int find(struct rpc_call *call, const char *order, OrderRecord **ret)
{
	int r = order_read(call, name_id(order), ret);

	return r == MONGO_NOT_FOUND ? rpc_fail(call, ORDER_NOT_FOUND, { "order", order }) : r;
}

/* Whoever works on it sees for himself how its payment went. */
static bool is_in_hand(struct rpc_call *call, const OrderRecord *record)
{
	const Order *order = record->order;
	bool pays = order->state == ORDER_STATE_PAYING &&
		    record->attempts[record->n_attempts - 1]->state ==
			    ORDER_RECORD_ATTEMPT_STATE_RUNNING;

	return (pays || step_is(order, ORDER_STEP_KIND_SHIP, ORDER_STEP_STATE_RUNNING)) &&
	       clock_ms(record->next_look_time) > rpc_now_ms(call);
}

/*
 * An event of a payment is only a reason to look: the saga asks payments how the step that is
 * running stands. If it was finished already, by the caller of PayOrder or by the sweeper, nothing
 * is left to do.
 */
static int look(void *listener, struct rpc_call *call, const char *order)
{
	OrderRecord *record;
	int r;

	r = find(call, order, &record);
	if (r || is_in_hand(call, record))
		return r;
	r = saga_drive(service_of(listener), call, &record);
	/* What could not be done now is noted in the order for the sweeper: the event has had its
	 * effect. */
	return r < 0 ? r : 0;
}

/* Nothing that is told of holding and taking the money is news to whoever did it, or does it now. */
static bool is_known(struct rpc_call *call, const char *order)
{
	const OrderRecord *recent =
		(const OrderRecord *)recent_find(&orders_recent, call, name_id(order));

	return recent && (recent->order->pay_time || is_in_hand(call, recent));
}

static int payment_authorized(struct payments_listener *self, struct rpc_call *call,
			      const souk_payments_v1_PaymentAuthorized *event,
			      const struct rpc_event *meta)
{
	return is_known(call, event->order) ? 0 : look(self, call, event->order);
}

static int payment_captured(struct payments_listener *self, struct rpc_call *call,
			    const souk_payments_v1_PaymentCaptured *event,
			    const struct rpc_event *meta)
{
	return is_known(call, event->order) ? 0 : look(self, call, event->order);
}

static int payment_failed(struct payments_listener *self, struct rpc_call *call,
			  const souk_payments_v1_PaymentFailed *event, const struct rpc_event *meta)
{
	return look(self, call, event->order);
}

static int payment_voided(struct payments_listener *self, struct rpc_call *call,
			  const souk_payments_v1_PaymentVoided *event, const struct rpc_event *meta)
{
	return look(self, call, event->order);
}

static int refund_failed(struct payments_listener *self, struct rpc_call *call,
			 const souk_payments_v1_RefundFailed *event, const struct rpc_event *meta)
{
	return look(self, call, event->order);
}

/* Staff give money back too: the sum that payments knows of is the truth, and only grows. */
static bool take_refunded(struct rpc_call *call, OrderRecord *draft,
			  const souk_type_v1_EventMoney *refunded)
{
	const Money sum = { Money_BASE, .currency_code = refunded->currency_code,
			    .units = refunded->units, .nanos = refunded->nanos };
	OrderTotals *totals = draft->order->totals;

	if (strcmp(refunded->currency_code, draft->order->currency_code) ||
	    amounts_minor(&sum) <= amounts_minor(totals->refunded))
		return false;
	totals->refunded = money_new(call, draft->order->currency_code, amounts_minor(&sum));
	draft->order->payment_state = amounts_minor(&sum) >= amounts_minor(totals->paid)
					      ? ORDER_PAYMENT_STATE_REFUNDED
					      : ORDER_PAYMENT_STATE_PARTIALLY_REFUNDED;
	history_add(call, draft->order, 0, "refunded");
	return true;
}

static int payment_refunded(struct payments_listener *self, struct rpc_call *call,
			    const souk_payments_v1_PaymentRefunded *event,
			    const struct rpc_event *meta)
{
	OrderRecord *record, *draft;
	int r;

	for (int attempt = 0; !(r = mongo_attempt(call, &attempt, event->order));) {
		r = find(call, event->order, &record);
		if (r)
			return r;
		draft = order_draft(call, record);
		if (!take_refunded(call, draft, &event->refunded))
			return look(self, call, event->order);
		r = saga_save(service_of(self), call, &record,
			      &(const struct saga_move){ .draft = draft });
		if (r != MONGO_NOT_MATCHED)
			return r ? r : look(self, call, event->order);
	}
	return r;
}

const struct payments_events_ops orders_payments = {
	.payment_authorized = payment_authorized,
	.payment_captured = payment_captured,
	.payment_failed = payment_failed,
	.payment_voided = payment_voided,
	.payment_refunded = payment_refunded,
	.refund_failed = refund_failed,
};

/*
 * Parcels
 */

static const OrderShipment *shipment_named(const Order *order, const char *name)
{
	order_each_shipments(shipment, order)
		if (!strcmp(shipment->name, name))
			return shipment;
	return NULL;
}

/* `answered`: whoever has it made is told by shipping's answer too. */
static int take_shipment(struct orders_service *self, struct rpc_call *call, const char *order,
			 const struct shipment_news *news, bool answered)
{
	OrderRecord *record, *draft;
	int r;

	/* News that overtakes the answer would be a write of its own, and the answer's would fail.
	 * It comes with the answer; what comes long before it, while the carrier is asked, is told
	 * by it too. */
	if (!answered)
		doing_wait(&orders_shipping_now, name_id(order), ANSWER_MS);
	for (int attempt = 0; !(r = mongo_attempt(call, &attempt, order));) {
		struct rpc_event *events[3] = { 0 };
		bool shipped;
		size_t n = 0;

		/* Versions say whether what we know suffices. */
		record = attempt == 1
				 ? (OrderRecord *)recent_find(&orders_recent, call, name_id(order))
				 : NULL;
		r = record ? 0 : find(call, order, &record);
		if (r || (answered && is_in_hand(call, record)))
			return r;
		draft = order_draft(call, record);
		if (!shipments_take(call, draft, news, &shipped))
			return 0;
		if (shipped)
			events[n++] = announce_shipped(
				call, draft, shipment_named(draft->order, news->shipment));
		events[n] = saga_complete(call, draft);
		if (!events[n] && draft->order->fulfilment_state != record->order->fulfilment_state)
			history_add(call, draft->order, 0, "");
		r = saga_save(self, call, &record,
			      &(const struct saga_move){ .draft = draft, .events = events });
		if (r != MONGO_NOT_MATCHED)
			return r;
	}
	return r;
}

static const struct shipment_news_line *
lines_of(struct rpc_call *call, const souk_shipping_v1_ShipmentEventLine *from, size_t n)
{
	struct shipment_news_line *lines = rpc_alloc(call, (n + 1) * sizeof(*lines));

	for (size_t i = 0; i < n; i++)
		lines[i] = (struct shipment_news_line){ from[i].line, from[i].quantity };
	return lines;
}

static int shipment_created(struct shipping_listener *self, struct rpc_call *call,
			    const souk_shipping_v1_ShipmentCreated *event,
			    const struct rpc_event *meta)
{
	return take_shipment(service_of(self), call, event->order,
			     &(const struct shipment_news){
				     .shipment = event->shipment,
				     .state = event->state,
				     .carrier = event->carrier,
				     .tracking_number = "",
				     .tracking_uri = "",
				     .version = event->version,
				     .lines = lines_of(call, event->lines, event->lines_count),
				     .n_lines = event->lines_count },
			     true);
}

static int shipment_updated(struct shipping_listener *self, struct rpc_call *call,
			    const souk_shipping_v1_ShipmentUpdated *event,
			    const struct rpc_event *meta)
{
	return take_shipment(service_of(self), call, event->order,
			     &(const struct shipment_news){
				     .shipment = event->shipment,
				     .state = event->state,
				     .carrier = event->carrier,
				     .tracking_number = event->tracking_number,
				     .tracking_uri = event->tracking_uri,
				     .version = event->version,
				     .lines = lines_of(call, event->lines, event->lines_count),
				     .n_lines = event->lines_count },
			     false);
}

static int shipment_delivered(struct shipping_listener *self, struct rpc_call *call,
			      const souk_shipping_v1_ShipmentDelivered *event,
			      const struct rpc_event *meta)
{
	return take_shipment(service_of(self), call, event->order,
			     &(const struct shipment_news){
				     .shipment = event->shipment,
				     .state = "DELIVERED",
				     .carrier = event->carrier,
				     .tracking_number = event->tracking_number,
				     .tracking_uri = "",
				     .version = event->version,
				     .lines = lines_of(call, event->lines, event->lines_count),
				     .n_lines = event->lines_count },
			     false);
}

const struct shipping_events_ops orders_shipping = {
	.shipment_created = shipment_created,
	.shipment_updated = shipment_updated,
	.shipment_delivered = shipment_delivered,
};
