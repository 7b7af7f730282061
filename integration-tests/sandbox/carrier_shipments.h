/* The carrier's parcels, how they move, and the webhooks that tell of it. */
#pragma once

#include <jansson.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define CARRIER_KEY_MAX 255
#define CARRIER_TEXT_MAX 127

enum {
	CARRIER_NOT_FOUND = 1,
	CARRIER_REPLAYED,   /* the key is known, with this body: its shipment is the answer */
	CARRIER_KEY_REUSED, /* the key is known, with another body */
	CARRIER_FULL,
	CARRIER_UNDER_WAY,
};

/* Guards all that the functions below share. */
extern pthread_mutex_t carrier_lock;

void carrier_webhooks_start(const char *url, const char *secret, int64_t interval_ms);
void carrier_webhooks_set(const char *mode, int64_t late_ms,
			  int64_t interval_ms); /* NULL or negative: as it was */
void carrier_reset(void);
json_t *carrier_state(void);

int carrier_shipment_create(const char *idempotency_key, const json_t *order, json_t **ret);
int carrier_shipment_get(const char *id, json_t **ret);
int carrier_shipment_cancel(const char *id, json_t **ret);
/* Moves it out of turn, and tells. */
int carrier_shipment_step(const char *id, const char *status);
json_t *carrier_shipment_list(const char *reference); /* NULL: all */
bool carrier_tracking_number_known(const char *tracking_number);
