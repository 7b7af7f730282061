/* The sandbox's carrier as we ask it: a server of the test's own that answers what it is told to. */
#include "carrier.h"
#include <arpa/inet.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <test.h>
#include <unistd.h>

#define NOW 1796389200000LL
#define PARCEL                                                                                     \
	"{\"id\": \"shp_1\", \"tracking_number\": \"SC1\", \"label_url\": \"http://x/l\", "        \
	"\"status\": \"in_transit\", \"created\": \"2026-12-04T13:00:00.000Z\", \"events\": ["     \
	"{\"status\": \"pre_transit\", \"occurred\": \"2026-12-04T13:00:00.000Z\"}, "              \
	"{\"status\": \"lost_in_space\", \"occurred\": \"2026-12-04T13:00:00.500Z\"}, "            \
	"{\"status\": \"in_transit\", \"occurred\": \"2026-12-04T13:00:01.250Z\"}]}"

static struct {
	int listener;
	pthread_t thread;
	char url[64];
	int status; /* 0: hang up */
	const char *body;
	char got[8192];
} server;

/* Reads one request whole. */
static void hear(int connection)
{
	size_t length = 0, wanted = SIZE_MAX;
	char *body, *header;
	ssize_t n;

	memset(server.got, 0, sizeof(server.got));
	while (length < wanted && length < sizeof(server.got) - 1) {
		n = read(connection, server.got + length, sizeof(server.got) - 1 - length);
		if (n <= 0)
			return;
		length += (size_t)n;
		body = strstr(server.got, "\r\n\r\n");
		if (!body)
			continue;
		header = strcasestr(server.got, "content-length:");
		wanted = (size_t)(body + 4 - server.got) +
			 (header ? strtoul(header + 15, NULL, 10) : 0);
	}
}

static void *serve(void *data)
{
	char answer[16384];
	int connection;

	while ((connection = accept(server.listener, NULL, NULL)) >= 0) {
		hear(connection);
		if (server.status) {
			int size = snprintf(answer, sizeof(answer),
					    "HTTP/1.1 %d x\r\nContent-Type: "
					    "application/json\r\nConnection: close\r\n"
					    "Content-Length: %zu\r\n\r\n%s",
					    server.status, strlen(server.body), server.body);

			ck_assert_int_eq(write(connection, answer, (size_t)size), size);
		}
		close(connection);
	}
	return NULL;
}

static struct sandbox_carrier sandbox = { .base = { .id = "sandbox", .ops = &sandbox_carrier_ops },
					  .url = server.url,
					  .key = "key",
					  .webhook_secret = "secret",
					  .timeout_ms = 5000,
					  .webhook_age_ms = 300000 };
static struct carrier *carrier = &sandbox.base;
static struct rpc_call *call;
static const char *why;

static void setup(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t size = sizeof(address);

	call = test_call();
	rpc_call_set_now(call, NOW);
	server.status = 200;
	server.body = PARCEL;
	server.listener = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(server.listener, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(listen(server.listener, 5), 0);
	ck_assert_int_eq(getsockname(server.listener, (struct sockaddr *)&address, &size), 0);
	snprintf(server.url, sizeof(server.url), "http://127.0.0.1:%d", ntohs(address.sin_port));
	pthread_create(&server.thread, NULL, serve, NULL);
}

static void teardown(void)
{
	shutdown(server.listener, SHUT_RDWR);
	pthread_join(server.thread, NULL);
	close(server.listener);
}

static int hand_over(const char *recipient, const char *postal_code, int32_t grams,
		     struct carrier_parcel *ret)
{
	Address *to = rpc_new(call, Address, .recipient = recipient, .city = "Berlin",
			      .postal_code = postal_code, .country_code = "DE");

	address_add_lines(call, to, "Sonnenallee 12");
	address_add_lines(call, to, "Hinterhaus");
	return carrier->ops->hand_over(
		carrier, call,
		&(const struct carrier_handover){ "o-1.2", "o-1", "standard", to, grams }, ret,
		&why);
}

TEST(a_parcel_is_handed_over_under_its_key)
{
	struct carrier_parcel parcel;

	server.status = 201;
	ck_assert_int_eq(hand_over("Amina", "12047", 600, &parcel), 0);
	ck_assert_str_eq(parcel.id, "shp_1");
	ck_assert_str_eq(parcel.tracking_number, "SC1");
	ck_assert_ptr_nonnull(strstr(server.got, "POST /v1/shipments HTTP"));
	ck_assert_ptr_nonnull(strstr(server.got, "\r\nIdempotency-Key: o-1.2\r\n"));
	ck_assert_ptr_nonnull(strstr(server.got, "\r\nAuthorization: Bearer key\r\n"));
	ck_assert_ptr_nonnull(strstr(server.got, "\"reference\":\"o-1\""));
	ck_assert_ptr_nonnull(strstr(server.got, "\"street\":\"Sonnenallee 12, Hinterhaus\""));
	ck_assert_ptr_nonnull(strstr(server.got, "\"weight_grams\":600"));
}

TEST(what_the_carrier_would_refuse_for_its_form_is_given_another)
{
	struct carrier_parcel parcel;
	char *name = rpc_alloc(call, 482), *end;

	/* 120 characters of four bytes: cut to 256 bytes, and not within a character. */
	for (int i = 0; i < 120; i++)
		memcpy(name + 4 * i, "\xf0\x9f\x90\xab", 4);
	ck_assert_int_eq(hand_over(rpc_printf(call, "x%s", name), "", 0, &parcel), 0);
	end = strstr(strstr(server.got, "\"name\":\""), "\",");
	ck_assert_ptr_nonnull(end);
	ck_assert_int_eq(end - strstr(server.got, "\"name\":\"") - 8, 253);
	ck_assert_ptr_nonnull(strstr(server.got, "\"postal_code\":\"-\""));
	ck_assert_ptr_nonnull(strstr(server.got, "\"weight_grams\":1}"));
}

TEST(what_happened_is_read_and_what_is_not_known_passed_over)
{
	struct carrier_parcel parcel;

	ck_assert_int_eq(carrier->ops->look(carrier, call, "shp_1", &parcel, &why), 0);
	ck_assert_ptr_nonnull(strstr(server.got, "GET /v1/shipments/shp_1 HTTP"));
	ck_assert_uint_eq(parcel.n_events, 2);
	ck_assert_int_eq(parcel.events[0].state, SHIPMENT_STATE_PRE_TRANSIT);
	ck_assert_int_eq(parcel.events[0].time_ms, NOW);
	ck_assert_int_eq(parcel.events[1].state, SHIPMENT_STATE_IN_TRANSIT);
	ck_assert_int_eq(parcel.events[1].time_ms, NOW + 1250);
}

static const struct answer {
	int status;
	const char *body;
	int result;
} answers[] = {
	{ 422, "{\"error\": {\"code\": \"refused\", \"message\": \"not to Amina\"}}",
	  CARRIER_REFUSED },
	{ 404, "{}", CARRIER_NOT_FOUND },
	{ 401, "{}", CARRIER_DOUBT }, /* our key is wrong: that says nothing of the parcel */
	{ 429, "{}", CARRIER_DOUBT },
	{ 500, "{}", CARRIER_DOUBT },
	{ 200, "not JSON", CARRIER_DOUBT },
	{ 200, "[]", CARRIER_DOUBT },
	{ 200, "{\"id\": \"shp_1\"}", CARRIER_DOUBT },
	{ 200, "{\"id\": 7, \"tracking_number\": \"SC1\", \"status\": \"in_transit\"}",
	  CARRIER_DOUBT },
	{ 200, "{\"id\": \"shp_1\", \"tracking_number\": \"SC1\", \"status\": \"dissolved\"}",
	  CARRIER_DOUBT },
	{ 0, "", CARRIER_DOUBT },
};

TEST_EACH(an_answer_says_that_it_was_done_refused_or_nothing, answers)
{
	struct carrier_parcel parcel;

	server.status = row->status;
	server.body = row->body;
	ck_assert_int_eq(hand_over("Amina", "12047", 600, &parcel), row->result);
	ck_assert_ptr_nonnull(why);
	ck_assert_ptr_null(strstr(why, "Amina"));
}

TEST(calling_off_tells_what_is_under_way_from_what_is_unknown)
{
	ck_assert_int_eq(carrier->ops->call_off(carrier, call, "shp_1", &why), 0);
	ck_assert_ptr_nonnull(strstr(server.got, "POST /v1/shipments/shp_1/cancel HTTP"));
	server.status = 409;
	ck_assert_int_eq(carrier->ops->call_off(carrier, call, "shp_1", &why), CARRIER_UNDER_WAY);
	server.status = 404;
	ck_assert_int_eq(carrier->ops->call_off(carrier, call, "shp_1", &why), CARRIER_NOT_FOUND);
	server.status = 0;
	ck_assert_int_eq(carrier->ops->call_off(carrier, call, "shp_1", &why), CARRIER_DOUBT);
}

TEST(a_label_is_fetched_from_the_carrier_and_nowhere_else)
{
	HttpBody *label;

	server.body = "<svg/>";
	ck_assert_int_eq(carrier->ops->label(carrier, call,
					     rpc_printf(call, "%s/v1/labels/SC1", server.url),
					     &label, &why),
			 0);
	ck_assert_int_eq(label->data.len, 6);
	/* Keys are not sent along: a label is anybody's who has its address. */
	ck_assert_ptr_null(strstr(server.got, "Authorization"));
	ck_assert_int_eq(
		carrier->ops->label(carrier, call, "http://169.254.169.254/secrets", &label, &why),
		CARRIER_DOUBT);
	ck_assert_int_eq(carrier->ops->label(carrier, call,
					     rpc_printf(call, "%s.example/x", server.url), &label,
					     &why),
			 CARRIER_DOUBT);
	ck_assert_int_eq(carrier->ops->label(carrier, call, "file:///etc/passwd", &label, &why),
			 CARRIER_DOUBT);
}

/* --- webhooks --- */

static int webhook(const char *body, int64_t seconds, const char *secret,
		   struct carrier_webhook *ret)
{
	const char *signed_text = rpc_printf(call, "%lld.%s", (long long)seconds, body), *header;
	crypto_auth_hmacsha256_state state;
	uint8_t mac[crypto_auth_hmacsha256_BYTES];
	char hex[2 * sizeof(mac) + 1];

	crypto_auth_hmacsha256_init(&state, (const uint8_t *)secret, strlen(secret));
	crypto_auth_hmacsha256_update(&state, (const uint8_t *)signed_text, strlen(signed_text));
	crypto_auth_hmacsha256_final(&state, mac);
	header = rpc_printf(call, "t=%lld,v1=%s", (long long)seconds,
			    sodium_bin2hex(hex, sizeof(hex), mac, sizeof(mac)));
	return carrier->ops->webhook(
		carrier, call, header,
		(ProtobufCBinaryData){ .data = (uint8_t *)body, .len = strlen(body) }, ret, &why);
}

TEST(a_webhook_is_believed_when_it_is_signed_and_fresh)
{
	static const char event[] = "{\"id\": \"evt_1\", \"data\": {\"tracking_number\": \"SC1\", "
				    "\"status\": \"delivered\"}}";
	struct carrier_webhook told;

	ck_assert_int_eq(webhook(event, NOW / 1000, "secret", &told), 0);
	ck_assert_str_eq(told.id, "evt_1");
	ck_assert_str_eq(told.tracking_number, "SC1");
	ck_assert_int_eq(webhook(event, NOW / 1000, "guess", &told), CARRIER_FORGED);
	ck_assert_int_eq(webhook(event, NOW / 1000 - 301, "secret", &told), CARRIER_FORGED);
	ck_assert_int_eq(webhook(event, NOW / 1000 + 301, "secret", &told), CARRIER_FORGED);
	ck_assert_int_eq(carrier->ops->webhook(carrier, call, NULL,
					       (ProtobufCBinaryData){ .data = (uint8_t *)event,
								      .len = strlen(event) },
					       &told, &why),
			 CARRIER_FORGED);
	/* Signed, and about nothing that we know. */
	ck_assert_int_eq(
		webhook("{\"id\": \"evt_2\", \"type\": \"invoice\"}", NOW / 1000, "secret", &told),
		0);
	ck_assert_str_eq(told.id, "");
	ck_assert_int_eq(webhook("nonsense", NOW / 1000, "secret", &told), 0);
	ck_assert_str_eq(told.id, "");
}

TEST_MAIN("carrier", setup, teardown)
