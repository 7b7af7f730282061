/* What stories have in common: people who shop, goods to buy, and the way from one to the other. */
#pragma once

#include "http.h"
#include "outside.h"
#include "platform.h"
#include "stream.h"
#include <check.h>
#include <test.h>

/* An address that is shipped to, as a JSON value. */
#define BERLIN                                                                                     \
	"{'recipient': 'Amina Haddad', 'lines': ['Sonnenallee 12'], 'city': 'Berlin', "            \
	"'postalCode': '12047', 'countryCode': 'DE', 'phone': '+49301234567'}"
#define VISA "pm_card_visa"
#define DECLINED "pm_card_chargeCustomerFail"
#define PASSWORD "seven blue lanterns" /* of every customer of the stories */

/* Staff with all permissions; logged in at first use, once a test. */
struct app *staff(void);

/* A product of its own, on sale, with one variant at so many cents (EUR and USD) and so many units
 * in stock: its id, its SKU in capitals. */
const char *product_new(int cents, int stock);
const char *product_sku(const char *product);
const char *product_new_in(const char *category, int cents, int stock);
const char *category_new(void);
int64_t stock_available(const char *product);
int64_t stock_of(const char *product, const char *field); /* "onHand", "reserved", "committed" */

/* Opens a guest's session. */
struct app *guest_new(void);
/* Registers, and logs in: the address is `*email`, unless it is NULL. */
struct app *customer_new(const char **email);
/* Logs another device in with that address. */
struct response *log_in(struct app *app, const char *email, const char *password);

struct response *cart_add(struct app *app, const char *product, int quantity); /* 200 is expected */
/* Quotes, chooses the cheapest method, and places the order; mails go to `email`, NULL: the
 * customer's. Its id. */
const char *order_place(struct app *app, const char *email);
struct response *order_place_once(struct app *app, const char *email, const char *method,
				  const char *key);
const char *shipping_cheapest(struct app *app);
struct response *order_pay(struct app *app, const char *order,
			   const char *card); /* with a new key */
struct response *order_pay_once(struct app *app, const char *order, const char *card,
				const char *key);
struct response *order_get(struct app *app, const char *order);
bool order_is(struct app *app, const char *order, const char *state);

/* A guest with so many of the product in an order that is yet to be paid. */
const char *order_of_guest(struct app *app, const char *product, int quantity);

/* "orders orders-2 SOUK_ORDER_TTL=5s": restarts, and waits until every service can be reached over
 * the gateway again. */
void platform_restart(const char *processes);

/* TEST_MAIN's setup and teardown. */
void story_begin(void);
void story_end(void);
