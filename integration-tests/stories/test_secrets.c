/* Secrets: no password, token or card number that was used stands in a log, a document or an event.
 */
#include "shop.h"
#include <mongoc/mongoc.h>
#include <stdio.h>
#include <string.h>

#define CARD "4242424242424242"

struct secret {
	const char *what, *value;
};

/* The files of a folder that hold the value, or NULL: grep reads what is no text too. */
static const char *found_in_files(const char *folder, const char *value)
{
	cleanup(freep) char *line = NULL;
	size_t size = 0;
	FILE *out = popen(text("grep -rlaF -e '%s' '%s/%s' 2>/dev/null", value,
			       platform_variable("SOUK_TEST_STATE"), folder),
			  "re");
	const char *files = NULL;

	while (out && getline(&line, &size, out) > 0)
		files = text("%s%s%.*s", files ? files : "", files ? ", " : "",
			     (int)strcspn(line, "\n"), line);
	pclose(out);
	return files;
}

static const char *found_in_collection(mongoc_collection_t *collection, const char *name,
				       const struct secret *secrets, size_t n_secrets)
{
	bson_t all = BSON_INITIALIZER;
	mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(collection, &all, NULL, NULL);
	const char *found = NULL;
	const bson_t *document;

	while (mongoc_cursor_next(cursor, &document)) {
		for (size_t i = 0; i < n_secrets; i++) {
			if (memmem(bson_get_data(document), document->len, secrets[i].value,
				   strlen(secrets[i].value)))
				found = text("%s stands in a document of %s", secrets[i].what,
					     name);
		}
	}
	ck_assert_msg(!mongoc_cursor_error(cursor, NULL), "%s cannot be read", name);
	mongoc_cursor_destroy(cursor);
	bson_destroy(&all);
	return found;
}

static const char *found_in_documents(const struct secret *secrets, size_t n_secrets,
				      int *n_collections)
{
	mongoc_client_t *client = mongoc_client_new(platform_variable("SOUK_TEST_MONGODB_URI"));
	char **databases = mongoc_client_get_database_names_with_opts(client, NULL, NULL);
	const char *found = NULL;

	ck_assert_msg(databases, "the databases cannot be listed");
	for (char **name = databases; *name; name++) {
		mongoc_database_t *database;
		char **collections;

		if (strncmp(*name, "souk_", 5))
			continue;
		database = mongoc_client_get_database(client, *name);
		collections = mongoc_database_get_collection_names_with_opts(database, NULL, NULL);
		for (char **one = collections; one && *one; one++) {
			mongoc_collection_t *collection =
				mongoc_database_get_collection(database, *one);
			const char *here = found_in_collection(
				collection, text("%s.%s", *name, *one), secrets, n_secrets);

			found = here ? here : found;
			(*n_collections)++;
			mongoc_collection_destroy(collection);
		}
		bson_strfreev(collections);
		mongoc_database_destroy(database);
	}
	bson_strfreev(databases);
	mongoc_client_destroy(client);
	return found;
}

TEST(what_was_secret_is_written_down_nowhere)
{
	const char *password = text("%s blue lanterns", unique("seven")),
		   *second = text("%s brass bells", unique("nine"));
	const char *email = text("%s@example.com", unique("secret")), *order, *found;
	const char *tea = product_new(1000, 10);
	cleanup(app_freep) struct app *amina = app_new();
	struct secret secrets[16];
	size_t n = 0;
	int n_collections = 0;
	struct response *answer;

	/* A life with all kinds of secrets in it, failures too, since it is failures that are
	 * logged. */
	answer = expect(http_post(amina, "/v1/sessions:guest", "{}"), 200);
	secrets[n++] =
		(struct secret){ "a guest token", text("%s", text_at(answer, "guestToken")) };
	secrets[n++] = (struct secret){ "a guest's access token",
					text("%s", text_at(answer, "accessToken")) };
	app_take_session(amina, answer);
	expect(http_post(amina, "/v1/users", "{'email': '%s', 'password': '%s'}", email, password),
	       200);
	secrets[n++] = (struct secret){ "a password", password };
	secrets[n++] =
		(struct secret){ "a verification token", mail_token(mail_await(email, "", 30)) };
	expect(http_post(amina, "/v1/users:verifyEmail", "{'token': '%s'}", secrets[n - 1].value),
	       200);
	secrets[n++] = (struct secret){ "a wrong password", text("%s", unique("wrong-password")) };
	expect(log_in(amina, email, secrets[n - 1].value), 401);
	expect(log_in(amina, email, password), 200);
	secrets[n++] = (struct secret){ "an access token", text("%s", app_access_token(amina)) };
	secrets[n++] = (struct secret){ "a refresh token", text("%s", app_refresh_token(amina)) };
	app_take_session(amina,
			 expect(http_post(amina, "/v1/sessions:refresh", "{'refreshToken': '%s'}",
					  app_refresh_token(amina)),
				200));
	secrets[n++] =
		(struct secret){ "a new refresh token", text("%s", app_refresh_token(amina)) };
	expect(http_post(amina, "/v1/users:requestPasswordReset", "{'email': '%s'}", email), 200);
	secrets[n++] =
		(struct secret){ "a reset token", mail_token(mail_await(email, "password", 30)) };
	expect(http_post(amina, "/v1/users:resetPassword", "{'token': '%s', 'password': '%s'}",
			 secrets[n - 1].value, second),
	       200);
	secrets[n++] = (struct secret){ "a new password", second };
	app_take_session(amina, NULL);
	expect(log_in(amina, email, second), 200);
	cart_add(amina, tea, 1);
	order = order_place(amina, NULL);
	expect(order_pay(amina, order, CARD), 400); /* an app that does what no app should */
	secrets[n++] = (struct secret){ "a card number", CARD };
	expect(order_pay(amina, order, VISA), 200);
	mail_await(email, text_at(order_get(amina, order), "number"), 30);

	for (size_t i = 0; i < n; i++) {
		found = found_in_files("logs", secrets[i].value);
		ck_assert_msg(!found, "%s stands in %s", secrets[i].what, found);
		found = found_in_files("nats", secrets[i].value);
		ck_assert_msg(!found, "%s stands in an event: %s", secrets[i].what, found);
	}
	found = found_in_documents(secrets, n, &n_collections);
	ck_assert_msg(!found, "%s", found);

	/* The search itself finds what is there. */
	ck_assert_ptr_nonnull(found_in_files("nats", order));
	ck_assert_ptr_nonnull(
		found_in_documents(&(struct secret){ "an order", order }, 1, &n_collections));
	ck_assert_int_gt(n_collections, 9);
}

static void begin(void)
{
	mongoc_init();
	story_begin();
}

TEST_MAIN("secrets", begin, story_end)
