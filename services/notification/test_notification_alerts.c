/* Stock alerts and templates against the real server. */
#include "template.h"
#include "test_notification.h"
#include "topics.h"

static struct rpc_call *amina_call;

static void begin(void)
{
	setup();
	amina_call = call_as("users/amina", "gateway", "");
}

static void finish(void)
{
	amina_call = rpc_call_free(amina_call);
	teardown();
}

static int ask(const char *variant, StockAlert **ret)
{
	/* The peers admit us, whoever asks. */
	struct rpc_call *own = call_as("users/amina", "notification", "");
	StockAlert *alert = NULL;
	int r;

	r = notification_client_create_stock_alert(
		client, own,
		MSG(CreateStockAlertRequest, .parent = "users/me",
		    .stock_alert = MSG(StockAlert, .variant = variant)),
		&alert);
	if (!r)
		*ret = (StockAlert *)rpc_message_copy(rpc_arena(call), &alert->base);
	else
		rpc_fail_code(call, r, "%s", rpc_error_reason(own));
	rpc_call_free(own);
	return r;
}

static size_t waiting(void)
{
	ListStockAlertsResponse *page;

	ck_assert_int_eq(
		notification_client_list_stock_alerts(
			client, amina_call,
			MSG(ListStockAlertsRequest, .parent = "users/me", .page_size = 100), &page),
		0);
	return page->n_stock_alerts;
}

static void hear_restocked(const char *id, const char *sku)
{
	souk_inventory_v1_StockRestocked event = { 0 };

	event_text(event.sku, sku);
	ck_assert_int_eq(
		notification_inventory.stock_restocked((void *)&service, call, &event, heard(id)),
		0);
}

TEST(who_waits_hears_once_and_waits_no_more)
{
	StockAlert *alert, *again;

	ck_assert_int_eq(ask("products/tea/variants/mint", &alert), 0);
	ck_assert_str_eq(alert->name, "users/amina/stockAlerts/TEA-mint");
	ck_assert_int_eq(ask("products/tea/variants/mint", &again), 0);
	ck_assert_str_eq(again->name, alert->name);
	ck_assert_uint_eq(waiting(), 1);
	hear_restocked("e1", "OTHER");
	ck_assert_uint_eq(waiting(), 1);
	hear_restocked("e2", "TEA-mint");
	ck_assert_uint_eq(waiting(), 0);
	send_all();
	ck_assert_int_eq(n_mails, 1);
	ck_assert_str_eq(mails[0].subject, "Mint tea, 250 g is back");
	ck_says(mails[0].text, "https://shop.example/products/tea");
	ck_says(mails[0].text, "for EUR 5.00 without tax");
	/* The event once more, and then another: nobody waits. */
	hear_restocked("e2", "TEA-mint");
	later(1000);
	hear_restocked("e3", "TEA-mint");
	send_all();
	ck_assert_int_eq(n_mails, 1);
}

/* Stopped between the delivery and the end of the wait. */
TEST(an_event_that_comes_again_ends_the_wait_without_a_second_mail)
{
	StockAlert *alert;

	ck_assert_int_eq(ask("products/tea/variants/mint", &alert), 0);
	hear_restocked("e1", "TEA-mint");
	ck_assert_int_eq(ask("products/tea/variants/mint", &alert), 0);
	hear_restocked("e1", "TEA-mint");
	ck_assert_uint_eq(waiting(), 0);
	send_all();
	ck_assert_int_eq(n_mails, 1);
	/* Who asks after the event waits for the next one. */
	later(1000);
	ck_assert_int_eq(ask("products/tea/variants/mint", &alert), 0);
	now_ms -= 1000;
	hear_restocked("e1", "TEA-mint");
	now_ms += 1000;
	ck_assert_uint_eq(waiting(), 1);
}

TEST(what_cannot_be_sold_any_more_is_not_offered)
{
	StockAlert *alert;

	ck_assert_int_eq(ask("products/tea/variants/mint", &alert), 0);
	shop.sellable = false;
	hear_restocked("e1", "TEA-mint");
	send_all();
	ck_assert_int_eq(n_mails, 0);
	ck_assert_int_eq(delivery_of(0)->state, DELIVERY_STATE_DROPPED);
}

TEST(many_wait_and_all_hear)
{
	for (int i = 0; i < 150; i++)
		ck_assert_int_eq(
			stock_alert_insert(
				call, rpc_new(call, StockAlertRecord,
					      .id = rpc_printf(call, "u%d/TEA-mint", i),
					      .user = rpc_printf(call, "u%d", i), .sku = "TEA-mint",
					      .stock_alert = rpc_new(
						      call, StockAlert, .sku = "TEA-mint",
						      .variant = "products/tea/variants/mint",
						      .create_time = clock_now(call)))),
			0);
	hear_restocked("e1", "TEA-mint");
	{
		StockAlertRecord **left;
		size_t n;

		ck_assert_int_eq(stock_alert_find(call, "TEA-mint", now_ms, 10, &left, &n), 0);
		ck_assert_uint_eq(n, 0);
	}
}

TEST(a_wait_can_be_ended_and_is_limited)
{
	StockAlert *alert;
	Empty *none;

	for (int i = 0; i < NOTIFICATION_STOCK_ALERTS_MAX; i++)
		ck_assert_int_eq(ask(rpc_printf(call, "products/tea/variants/v%d", i), &alert), 0);
	ck_assert_int_eq(ask("products/tea/variants/more", &alert), RPC_RESOURCE_EXHAUSTED);
	ck_assert_int_eq(
		notification_client_delete_stock_alert(
			client, amina_call,
			MSG(DeleteStockAlertRequest, .name = "users/me/stockAlerts/TEA-v1"), &none),
		0);
	ck_assert_int_eq(ask("products/tea/variants/more", &alert), 0);
	ck_assert_int_eq(
		notification_client_delete_stock_alert(
			client, amina_call,
			MSG(DeleteStockAlertRequest, .name = "users/me/stockAlerts/TEA-v1"), &none),
		RPC_NOT_FOUND);
	ck_assert(rpc_failed_with(amina_call, STOCK_ALERT_NOT_FOUND));
	ck_assert_int_eq(
		notification_client_delete_stock_alert(
			client, amina_call,
			MSG(DeleteStockAlertRequest, .name = "users/nadia/stockAlerts/TEA-v2"),
			&none),
		RPC_PERMISSION_DENIED);
	ck_assert_int_eq(ask("products/coffee/variants/x", &alert), RPC_INVALID_ARGUMENT);
}

TEST(who_is_deleted_waits_for_nothing)
{
	souk_users_v1_UserDeleted event = { .user = "users/amina" };
	StockAlert *alert;

	ck_assert_int_eq(ask("products/tea/variants/mint", &alert), 0);
	ck_assert_int_eq(
		notification_users.user_deleted((void *)&service, call, &event, heard("e1")), 0);
	ck_assert_uint_eq(waiting(), 0);
	ck_assert(!database_holds("amina"));
}

TEST(operators_hear_of_low_stock)
{
	souk_inventory_v1_StockLow low = { .stock_item = "stockItems/TEA",
					   .sku = "TEA",
					   .has_levels = true,
					   .levels = { .available = 3 } };
	souk_inventory_v1_StockOut out = { .stock_item = "stockItems/TEA", .sku = "TEA" };

	ck_assert_int_eq(
		notification_inventory.stock_low((void *)&service, call, &low, heard("e1")), 0);
	send_all();
	ck_assert_int_eq(
		notification_inventory.stock_out((void *)&service, call, &out, heard("e2")), 0);
	send_all();
	ck_assert_int_eq(n_mails, 2);
	ck_assert_str_eq(mails[0].to, "staff@example.com");
	ck_assert_str_eq(mails[0].subject, "Low on stock: TEA");
	ck_assert_str_eq(mails[0].text, "Only 3 units of TEA can still be sold.\n");
	ck_assert_str_eq(mails[1].subject, "Out of stock: TEA");
	ck_assert(!database_holds("staff@example.com"));
}

TEST(operators_hear_that_it_is_back_but_not_of_what_is_new)
{
	souk_inventory_v1_StockRestocked event = { .stock_item = "stockItems/TEA",
						   .sku = "TEA",
						   .version = 1,
						   .has_levels = true,
						   .levels = { .available = 12 } };

	ck_assert_int_eq(
		notification_inventory.stock_restocked((void *)&service, call, &event, heard("e1")),
		0);
	send_all();
	ck_assert_int_eq(n_mails, 0);
	event.version = 7;
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(notification_inventory.stock_restocked((void *)&service, call,
									&event, heard("e2")),
				 0);
	send_all();
	ck_assert_int_eq(n_mails, 1);
	ck_assert_str_eq(mails[0].to, "staff@example.com");
	ck_assert_str_eq(mails[0].subject, "Back in stock: TEA");
	ck_assert_str_eq(mails[0].text, "TEA was out of stock, and 12 units can be sold again.\n");
}

/*
 * Templates
 */

TEST(the_seeded_templates_are_right_in_both_languages)
{
	ListNotificationTemplatesResponse *page;

	ck_assert_int_eq(notification_client_list_notification_templates(
				 client, call,
				 MSG(ListNotificationTemplatesRequest, .page_size = 100), &page),
			 0);
	ck_assert_uint_eq(page->n_notification_templates, 28);
	for (size_t i = 0; i < page->n_notification_templates; i++) {
		const NotificationTemplate *seeded = page->notification_templates[i];
		const char *variables = topic_of(seeded->topic)->variables;

		ck_assert_ptr_null(template_problem(call, seeded->subject, variables));
		ck_assert_ptr_null(template_problem(call, seeded->text, variables));
		ck_assert_ptr_null(template_problem(call, seeded->html, variables));
		ck_assert_uint_gt(seeded->n_variables, 3);
	}
}

static int update(const char *name, const char *subject, const char *etag, bool allow_missing,
		  NotificationTemplate **ret)
{
	return notification_client_update_notification_template(
		client, call,
		MSG(UpdateNotificationTemplateRequest, .allow_missing = allow_missing,
		    .notification_template =
			    MSG(NotificationTemplate, .name = name, .subject = subject,
				.etag = etag, .text = allow_missing ? "{{number}}" : "")),
		ret);
}

TEST(a_changed_template_is_what_mails_say_from_then_on)
{
	NotificationTemplate *changed;

	ck_assert_int_eq(update("notificationTemplates/order-confirmed.en", "Hooray, {{number}}",
				"\"1\"", false, &changed),
			 0);
	ck_assert_str_eq(changed->etag, "\"2\"");
	ck_assert_int_eq(
		update("notificationTemplates/order-confirmed.en", "x", "\"1\"", false, &changed),
		RPC_ABORTED);
	ck_assert_int_eq(templates_seed(call), 0); /* a start does not bring the old one back */
	hear_paid("e1", "orders/o1");
	send_all();
	ck_assert_str_eq(mails[0].subject, "Hooray, SK-1");
	ck_says(mails[0].text, "Thank you for your order");
}

TEST(a_template_for_another_language_is_made)
{
	NotificationTemplate *made;

	ck_assert_int_eq(update("notificationTemplates/order-confirmed.fr", "Merci, {{name}}", "",
				false, &made),
			 RPC_NOT_FOUND);
	ck_assert_int_eq(update("notificationTemplates/order-confirmed.fr", "Merci, {{name}}", "",
				true, &made),
			 0);
	ck_assert_str_eq(made->etag, "\"1\"");
	ck_assert_str_eq(made->language_code, "fr");
	shop.language = "fr-CA";
	hear_paid("e1", "orders/o1");
	send_all();
	ck_assert_str_eq(mails[0].subject, "Merci, Amina & Co");
	ck_assert_str_eq(mails[0].text, "SK-1");
	ck_assert_str_eq(mails[0].html, "");
	ck_assert_int_eq(update("notificationTemplates/greetings.fr", "Bonjour", "", true, &made),
			 RPC_INVALID_ARGUMENT);
}

TEST(a_template_that_names_what_its_topic_has_not_is_refused)
{
	NotificationTemplate *none;

	ck_assert_int_eq(
		update("notificationTemplates/password-reset.en", "{{total}}", "", false, &none),
		RPC_INVALID_ARGUMENT);
	ck_assert(rpc_failed_with(call, TEMPLATE_INVALID));
	ck_assert_str_eq(rpc_error_meta(call, "field"), "subject");
}

TEST_MAIN("alerts", begin, finish)
