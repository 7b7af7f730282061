/* Real stores for tests of the suite `store`: each test finds an empty database and has a bus of
 * its own. */
#pragma once

/*
 *     static void setup(void)    { stores_mongo("cart"); stores_nats(); }
 *     static void teardown(void) { stores_close(); }
 *
 * The servers are those that `./dev test` runs: SOUK_TEST_MONGODB_URI, SOUK_TEST_NATS_URL,
 * SOUK_TEST_REDIS_URL; without them the program ends as skipped, with a sentence. The streams are
 * deleted by stores_close(), the database is dropped when the program ends. Sets the secret key,
 * too.
 */
void stores_mongo(const char *service);
void stores_nats(void);
void stores_redis(void);
void stores_close(void);
void stores_close_nats(void); /* the connection alone: what the streams hold stays */

/* What a stream ("orders", "dlq") holds: how many messages (0 without a stream), a header of one,
 * in malloc()ed memory or NULL. */
unsigned long stores_stream_messages(const char *domain);
char *stores_stream_header(const char *domain, unsigned long sequence, const char *name);
