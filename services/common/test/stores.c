/* Real stores for tests. */
#include "stores.h"
#include "../mongo_private.h"
#include "../nats_private.h"
#include <common/mongo.h>
#include <common/nats.h>
#include <common/redis.h>
#include <common/secrets.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SKIPPED = 77 }; /* to Meson */

static bool has_mongo, has_nats, has_redis;
static char prefix[32];

static const char *url_of(const char *variable)
{
	const char *url = getenv(variable);

	if (url)
		return url;
	fprintf(stderr, "%s is not set.\n", variable);
	_exit(EXIT_FAILURE);
}

static void demand(int r, const char *error)
{
	if (!r)
		return;
	fprintf(stderr, "A store of the tests cannot be used: %s\n", error ? error : "no memory");
	_exit(EXIT_FAILURE);
}

/*
 * A database is one program's: each test finds it empty, and the program drops it when it ends.
 * Making and dropping one for each test would take most of the time. The connection stays open to
 * the process's end, too: closing takes the driver half a second.
 */
static pid_t program;
static char database[64];

static void drop_database(void)
{
	const char *url = getenv("SOUK_TEST_MONGODB_URI");
	char *error;

	/* Tests run in children of the program. */
	if (getpid() != program || !url ||
	    (!has_mongo && mongo_open_database(url, database, "test", &error)))
		return;
	if (mongo_drop_database(&error))
		fprintf(stderr, "The tests' database stays: %s\n", error);
	mongo_close();
}

__attribute__((constructor)) static void begin(void)
{
	const char *start = getenv("SOUK_TEST_MONGODB_PREFIX");

	if (!getenv("SOUK_TEST_MONGODB_URI")) {
		fprintf(stderr,
			"Skipped: ./dev test store starts the stores and sets "
			"SOUK_TEST_MONGODB_URI, SOUK_TEST_NATS_URL and SOUK_TEST_REDIS_URL.\n");
		_exit(SKIPPED);
	}
	program = getpid();
	snprintf(database, sizeof(database), "%.16s%.32s_%d", start ? start : "test_",
		 program_invocation_short_name, (int)program);
	atexit(drop_database);
}

/* Of all collections that the program knows. */
static void empty_collections(void)
{
	struct rpc_call *call = rpc_call_new("empty", 30000);
	int64_t n;

	mongo_each_collection(collection) demand(
		mongo_delete_many(call, collection,
				  DOC(call, "_id", "{", "$exists", BCON_BOOL(true), "}"), &n),
		rpc_error_message(call));
	rpc_call_free(call);
}

void stores_mongo(const char *service)
{
	char *error = NULL;

	secret_set("the secret of tests, which is none at all");
	if (!has_mongo)
		demand(mongo_open_database(url_of("SOUK_TEST_MONGODB_URI"), database, service,
					   &error),
		       error);
	has_mongo = true;
	empty_collections();
}

void stores_nats(void)
{
	char *error = NULL;

	snprintf(prefix, sizeof(prefix), "t%d", (int)getpid());
	demand(nats_open(url_of("SOUK_TEST_NATS_URL"), "test", prefix, &error), error);
	for (int i = 0; i < 500 && !nats_connected(); i++)
		usleep(10000);
	demand(!nats_connected(), "the bus at SOUK_TEST_NATS_URL does not answer");
	has_nats = true;
}

void stores_redis(void)
{
	char *error = NULL;

	demand(redis_open(url_of("SOUK_TEST_REDIS_URL"), &error), error);
	has_redis = true;
}

/* Those that begin with our prefix. */
static void delete_streams(void)
{
	jsStreamNamesList *names = NULL;

	if (js_StreamNames(&names, nats_js(), NULL, NULL) == NATS_OK)
		for (int i = 0; i < names->Count; i++)
			if (!strncmp(names->List[i], prefix, strlen(prefix)) &&
			    names->List[i][strlen(prefix)] == '_')
				js_DeleteStream(nats_js(), names->List[i], NULL, NULL);
	jsStreamNamesList_Destroy(names);
}

void stores_close_nats(void)
{
	nats_close();
	has_nats = false;
}

unsigned long stores_stream_messages(const char *domain)
{
	char name[NATS_NAME_MAX];
	jsStreamInfo *info = NULL;
	unsigned long n = 0;

	nats_stream_name(domain, name);
	if (js_GetStreamInfo(&info, nats_js(), name, NULL, NULL) == NATS_OK)
		n = info->State.Msgs;
	jsStreamInfo_Destroy(info);
	return n;
}

char *stores_stream_header(const char *domain, unsigned long sequence, const char *name)
{
	cleanup(nats_msg_freep) natsMsg *message = NULL;
	char stream[NATS_NAME_MAX];
	const char *value;

	nats_stream_name(domain, stream);
	if (js_GetMsg(&message, nats_js(), stream, sequence, NULL, NULL) != NATS_OK ||
	    natsMsgHeader_Get(message, name, &value) != NATS_OK)
		return NULL;
	return strdup(value);
}

void stores_close(void)
{
	if (has_nats) {
		delete_streams();
		nats_close();
	}
	if (has_redis)
		redis_close();
	has_nats = has_redis = false;
}
