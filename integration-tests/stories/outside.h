/* The outside world as a story sees it: the payment server's own books, the inbox, and how to make
 * them and the carrier misbehave. */
#pragma once

#include <jansson.h>
#include <stdint.h>

/* What localstripe, which this project did not write, knows of an order: found by the order's name
 * in an intent's metadata. */
int stripe_intents(const char *order); /* attempts */
int stripe_charges(const char *order); /* intents that were captured */
int stripe_holds(
	const char *order); /* intents that hold money that nobody has captured or given back */
int64_t stripe_captured_cents(const char *order);
int64_t stripe_refunded_cents(const char *order);
/* A card's token, as the payment form of an app gets it for a number. */
const char *stripe_card(const char *number);
/* Intents that wait for the customer at the bank, who then says yes, or fails to; how many did. */
int stripe_waiting(const char *order);
int stripe_approve(const char *order);
int stripe_refuse(const char *order);

/* Mails to an address whose subject holds `subject` (in any case), counted by distinct Message-ID.
 */
int mail_count(const char *to, const char *subject);
/* Waits for the newest such mail; it lives as long as the test. */
json_t *mail_await(const char *to, const char *subject, int seconds);
/* What the link in the mail carries as `token`. */
const char *mail_token(json_t *mail);
int mails_in_all(void);

/* Control messages, ' for ": payment_proxy("{'calls': 'lose_answer', 'count': 1}"). See
 * integration-tests/sandbox. */
void payment_proxy(const char *control, ...) __attribute__((format(printf, 1, 2)));
int payment_proxy_faults(void); /* calls that a fault has met since the last reset */
void carrier(const char *control, ...) __attribute__((format(printf, 1, 2)));
void inbox(const char *control, ...) __attribute__((format(printf, 1, 2)));
/* Everything behaves again. */
void outside_behave(void);
void outside_end(void);
