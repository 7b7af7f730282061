/* Where a parcel is, whatever order the news come in. */
#include "consignment.h"
#include <common/clock.h>
#include <string.h>
#include <test.h>

#define S(state) SHIPMENT_STATE_##state

static Shipment *parcel_in(ShipmentState state)
{
	Shipment *made = rpc_new(test_call(), Shipment, .name = "shipments/o-1", .state = state,
				 .carrier = "fake");

	if (state != S(PENDING))
		shipment_add_tracking_events(
			test_call(), made,
			rpc_new(test_call(), ShipmentTrackingEvent, .state = state,
				.actor = "carriers/fake",
				.event_time = clock_timestamp(test_call(), 1000)));
	return made;
}

static const struct move {
	ShipmentState from, to;
	int64_t time_ms; /* it came to `from` at 1000 */
	bool may;
} moves[] = {
	{ S(PENDING), S(PRE_TRANSIT), 2000, true },
	{ S(PENDING), S(DELIVERED), 2000, true },
	{ S(PRE_TRANSIT), S(PENDING), 2000, false },
	{ S(PRE_TRANSIT), S(IN_TRANSIT), 500, true },
	{ S(PRE_TRANSIT), S(CANCELLED), 2000, true },
	{ S(IN_TRANSIT), S(PRE_TRANSIT), 2000, false },
	{ S(IN_TRANSIT), S(CANCELLED), 2000, false },
	{ S(IN_TRANSIT), S(RETURNED), 2000, true },
	{ S(OUT_FOR_DELIVERY), S(IN_TRANSIT), 2000, false },
	{ S(OUT_FOR_DELIVERY), S(ATTEMPT_FAILED), 2000, true },
	{ S(OUT_FOR_DELIVERY), S(ATTEMPT_FAILED), 500, false },
	{ S(ATTEMPT_FAILED), S(OUT_FOR_DELIVERY), 2000, true },
	{ S(ATTEMPT_FAILED), S(AVAILABLE_FOR_PICKUP), 2000, true },
	{ S(IN_TRANSIT), S(EXCEPTION), 2000, true },
	{ S(IN_TRANSIT), S(EXCEPTION), 500, false },
	{ S(EXCEPTION), S(IN_TRANSIT), 2000, true },
	{ S(EXCEPTION), S(IN_TRANSIT), 500, false },
	{ S(EXCEPTION), S(PENDING), 2000, false },
	{ S(EXCEPTION), S(DELIVERED), 500, true },
	{ S(DELIVERED), S(EXCEPTION), 2000, false },
	{ S(DELIVERED), S(RETURNED), 2000, false },
	{ S(RETURNED), S(DELIVERED), 2000, false },
	{ S(CANCELLED), S(IN_TRANSIT), 2000, false },
};

TEST_EACH(a_parcel_only_moves_forward, moves)
{
	ck_assert(tracking_can_move(parcel_in(row->from), row->to, row->time_ms) == row->may);
}

TEST(news_in_any_order_and_any_number_lead_to_the_same)
{
	static const struct carrier_event told[] = {
		{ S(PRE_TRANSIT), "", 1000 },    { S(IN_TRANSIT), "", 2000 },
		{ S(EXCEPTION), "", 2500 },      { S(OUT_FOR_DELIVERY), "", 3000 },
		{ S(ATTEMPT_FAILED), "", 3500 }, { S(OUT_FOR_DELIVERY), "", 4000 },
		{ S(DELIVERED), "", 5000 },
	};
	enum { N = sizeof(told) / sizeof(*told) };

	/* All rotations, each piece twice. */
	for (size_t first = 0; first < N; first++) {
		Shipment *parcel = parcel_in(S(PENDING));

		for (size_t i = 0; i < 2 * N; i++) {
			const struct carrier_event *event = &told[(first + i) % N];

			tracking_take(
				test_call(), parcel,
				&(const struct carrier_parcel){ .events = event, .n_events = 1 });
		}
		ck_assert_int_eq(parcel->state, S(DELIVERED));
		ck_assert_int_eq(clock_ms(parcel->deliver_time), 5000);
		ck_assert_uint_eq(parcel->n_tracking_events, N);
		for (size_t i = 0; i < N; i++)
			ck_assert_int_eq(clock_ms(parcel->tracking_events[i]->event_time),
					 told[i].time_ms);
	}
}

TEST(the_history_keeps_the_last)
{
	Shipment *parcel = parcel_in(S(IN_TRANSIT));

	for (int i = 0; i < 300; i++)
		tracking_note(test_call(), parcel,
			      &(const struct carrier_event){ i % 2 ? S(EXCEPTION) : S(IN_TRANSIT),
							     "", 2000 + i },
			      "carriers/fake");
	ck_assert_uint_eq(parcel->n_tracking_events, SHIPPING_TRACKING_EVENTS_MAX);
	ck_assert_int_eq(
		clock_ms(parcel->tracking_events[SHIPPING_TRACKING_EVENTS_MAX - 1]->event_time),
		2299);
	ck_assert_int_eq(parcel->state, S(EXCEPTION));
}

TEST_MAIN("tracking", NULL, NULL)
