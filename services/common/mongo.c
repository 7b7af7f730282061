/* The service's documents: the connection, its options, indexes and errors. */
#include "errors.msg.h"
#include "mongo_private.h"
#include <common/clock.h>
#include <common/secrets.h>
#include <crpc/metrics.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * The pool is thread safe and lives from start to stop. `up` says whether the last ping was
 * answered and the indexes are there; while it is false, calls fail at once instead of holding a
 * thread for the server selection's seconds each. Only ready() sets it, so it is heeded only where
 * ready() is asked (`watched`), not in tests and tools.
 */
static struct {
	mongoc_client_pool_t *pool;
	char *database;
	bool watched;
	atomic_bool up;
} mongo;

static struct {
	const char *uri;
} options;

enum {
	SELECTION_MS = 2000,
	CONNECT_MS = 2000,
	SOCKET_MS = 10000,
	POOL_MAX = 32,
	RETRY_MS = 1000,
	WHY_MAX = 1024
};

const char *const mongo_outbox_partial = MONGO_JSON({ "outbox.id" : { "$gt" : "" } });
static const struct mongo_index outbox_index = { .keys = "outbox.id", .name = "outbox" };

static _Thread_local char duplicate_index[128];

/*
 * Opening
 */

static bool has_option(const mongoc_uri_t *uri, const char *name)
{
	return bson_has_field(mongoc_uri_get_options(uri), name);
}

/* Only what the URI leaves open: the operator decides. */
static void set_defaults(mongoc_uri_t *uri)
{
	static const struct {
		const char *name;
		int value;
	} defaults[] = {
		{ MONGOC_URI_SERVERSELECTIONTIMEOUTMS, SELECTION_MS },
		{ MONGOC_URI_CONNECTTIMEOUTMS, CONNECT_MS },
		{ MONGOC_URI_SOCKETTIMEOUTMS, SOCKET_MS },
		{ MONGOC_URI_WAITQUEUETIMEOUTMS, SELECTION_MS },
		{ MONGOC_URI_MAXPOOLSIZE, POOL_MAX },
	};
	mongoc_write_concern_t *concern;

	for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++)
		if (!has_option(uri, defaults[i].name))
			mongoc_uri_set_option_as_int32(uri, defaults[i].name, defaults[i].value);
	/* Not the operator's to weaken: money and stock are here. */
	concern = mongoc_write_concern_new();
	mongoc_write_concern_set_wmajority(concern, -1);
	mongoc_write_concern_set_journal(concern, true);
	mongoc_uri_set_write_concern(uri, concern);
	mongoc_write_concern_destroy(concern);
}

/* The driver tells of each failed attempt to connect, which ready() says once; what it warns of is
 * ours to fix. */
static void hear_driver(mongoc_log_level_t level, const char *domain, const char *message,
			void *data)
{
	(void)data;
	if (level <= MONGOC_LOG_LEVEL_WARNING)
		log_warning(NULL, "the database driver warns", { "domain", domain },
			    { "warning", message });
}

/* Once a process: the driver cannot be started again after its cleanup. */
static pthread_once_t driver_once = PTHREAD_ONCE_INIT;

static void start_driver(void)
{
	mongoc_log_set_handler(hear_driver, NULL);
	mongoc_init();
}

/* `database` wins over the URI's; NULL: the URI's, or the service's. */
static int open_pool(const char *text, const char *database, const char *service, char **error)
{
	mongoc_uri_t *uri;
	bson_error_t failure;

	pthread_once(&driver_once, start_driver);
	uri = mongoc_uri_new_with_error(text, &failure);
	if (!uri) {
		*error = bson_strdup_printf("SOUK_MONGODB_URI is no MongoDB connection string: %s",
					    failure.message);
		return -EINVAL;
	}
	set_defaults(uri);
	if (!database)
		database = mongoc_uri_get_database(uri);
	if (database)
		mongo.database = strdup(database);
	else if (asprintf(&mongo.database, "souk_%s", service) < 0)
		abort();
	mongo.pool = mongoc_client_pool_new_with_error(uri, &failure);
	mongoc_uri_destroy(uri);
	if (!mongo.pool) {
		*error = bson_strdup_printf("SOUK_MONGODB_URI cannot be used: %s", failure.message);
		return -EINVAL;
	}
	mongoc_client_pool_set_error_api(mongo.pool, MONGOC_ERROR_API_VERSION_2);
	mongoc_client_pool_set_appname(mongo.pool, service);
	return 0;
}

void mongo_close(void)
{
	if (mongo.pool)
		mongoc_client_pool_destroy(mongo.pool);
	free(mongo.database);
	mongo.pool = NULL;
	mongo.database = NULL;
	mongo.watched = false;
	atomic_store(&mongo.up, false);
}

/*
 * Indexes
 */

static void append_index(bson_t *indexes, unsigned position, const struct mongo_index *index,
			 const char *partial)
{
	char buffer[16], keys[256], *save;
	const char *key;
	bson_t child, fields;

	bson_uint32_to_string(position, &key, buffer, sizeof(buffer));
	bson_append_document_begin(indexes, key, -1, &child);
	bson_append_document_begin(&child, "key", -1, &fields);
	if (snprintf(keys, sizeof(keys), "%s", index->keys) >= (int)sizeof(keys))
		abort();
	for (char *path = strtok_r(keys, " ", &save); path; path = strtok_r(NULL, " ", &save))
		bson_append_int32(&fields, *path == '-' ? path + 1 : path, -1,
				  *path == '-' ? -1 : 1);
	bson_append_document_end(&child, &fields);
	bson_append_utf8(&child, "name", -1, index->name ? index->name : index->keys, -1);
	if (index->unique)
		bson_append_bool(&child, "unique", -1, true);
	if (index->ttl_seconds)
		bson_append_int32(&child, "expireAfterSeconds", -1,
				  index->ttl_seconds < 0 ? 0 : (int32_t)index->ttl_seconds);
	if (partial) {
		bson_error_t error;
		bson_t *filter = bson_new_from_json((const uint8_t *)partial, -1, &error);

		/* It is a literal of the source. */
		if (!filter)
			abort();
		bson_append_document(&child, "partialFilterExpression", -1, filter);
		bson_destroy(filter);
	}
	bson_append_document_end(indexes, &child);
}

static bool ensure_indexes(mongoc_client_t *client, const struct mongo_collection *collection,
			   bson_error_t *error)
{
	cleanup(bson_freep) bson_t *command = bson_new();
	unsigned n = 0;
	bson_t indexes;

	bson_append_utf8(command, "createIndexes", -1, collection->name, -1);
	bson_append_array_begin(command, "indexes", -1, &indexes);
	for (const struct mongo_index *index = collection->indexes; index && index->keys; index++)
		append_index(&indexes, n++, index, index->partial);
	if (collection->outbox)
		append_index(&indexes, n++, &outbox_index, mongo_outbox_partial);
	bson_append_array_end(command, &indexes);
	return !n || mongoc_client_write_command_with_opts(client, mongo.database, command, NULL,
							   NULL, error);
}

/* Pings and, when the database was away, ensures the indexes: an index must be there before the
 * first write that relies on it. */
static bool look(bool was_up, char *why, size_t size)
{
	mongoc_client_t *client = mongoc_client_pool_pop(mongo.pool);
	bson_t *ping = BCON_NEW("ping", BCON_INT32(1));
	const char *doing = "answer";
	bson_error_t error;
	bool ok;

	if (!client) {
		bson_destroy(ping);
		snprintf(why, size, "All connections to the database are busy.");
		return false;
	}
	ok = mongoc_client_command_simple(client, mongo.database, ping, NULL, NULL, &error);
	if (ok && !was_up) {
		mongo_each_collection(collection)
		{
			doing = collection->name;
			ok = ensure_indexes(client, collection, &error);
			if (!ok)
				break;
		}
		if (!ok)
			snprintf(why, size, "The database cannot make the indexes of '%s': %s",
				 doing, error.message);
	} else if (!ok)
		snprintf(why, size, "The database does not answer: %s", error.message);
	bson_destroy(ping);
	mongoc_client_pool_push(mongo.pool, client);
	return ok;
}

int mongo_open(const char *uri, const char *service, char **error)
{
	return mongo_open_database(uri, NULL, service, error);
}

int mongo_open_database(const char *uri, const char *database, const char *service, char **error)
{
	char why[WHY_MAX];
	int r = open_pool(uri, database, service, error);

	if (r)
		return r;
	if (!look(false, why, sizeof(why))) {
		*error = strdup(why);
		mongo_close();
		return -EIO;
	}
	return 0;
}

int mongo_drop_database(char **error)
{
	mongoc_client_t *client = mongoc_client_pool_pop(mongo.pool);
	mongoc_database_t *database = mongoc_client_get_database(client, mongo.database);
	bson_error_t failure;
	bool ok = mongoc_database_drop(database, &failure);

	mongoc_database_destroy(database);
	mongoc_client_pool_push(mongo.pool, client);
	if (ok)
		return 0;
	*error = strdup(failure.message);
	return -EIO;
}

/*
 * Handles and errors
 */

static int unavailable(struct rpc_call *call)
{
	int r = rpc_fail(call, DEPENDENCY_UNAVAILABLE, { "dependency", "database" });

	rpc_retry_after(call, RETRY_MS);
	return r;
}

static struct metric *duration_of(const struct mongo_collection *collection,
				  enum mongo_operation operation)
{
	static const char *const names[] = {
		[MONGO_FIND] = "find",     [MONGO_AGGREGATE] = "aggregate",
		[MONGO_INSERT] = "insert", [MONGO_UPDATE] = "update",
		[MONGO_DELETE] = "delete",
	};
	struct metric *metric =
		atomic_load_explicit(&collection->durations[operation], memory_order_acquire);
	char labels[128];

	if (metric)
		return metric;
	snprintf(labels, sizeof(labels), "db_collection_name=\"%s\",db_operation_name=\"%s\"",
		 collection->name, names[operation]);
	metric = metric_histogram("db_client_operation_duration_seconds", labels,
				  "Time that operations of the database took.");
	atomic_store_explicit(&collection->durations[operation], metric, memory_order_release);
	return metric;
}

int mongo_acquire(struct rpc_call *call, const struct mongo_collection *collection,
		  enum mongo_operation operation, struct mongo_handle *ret)
{
	mongoc_client_t *client;

	if (rpc_remaining_ms(call) <= 0)
		return rpc_fail_code(call, RPC_DEADLINE_EXCEEDED,
				     "The deadline passed before the database was asked.");
	if (!mongo.pool || (mongo.watched && !atomic_load(&mongo.up)))
		return unavailable(call);
	client = mongoc_client_pool_pop(mongo.pool);
	if (!client)
		return unavailable(call);
	*ret = (struct mongo_handle){
		.client = client,
		.collection =
			mongoc_client_get_collection(client, mongo.database, collection->name),
		.duration = duration_of(collection, operation),
		.started_ns = clock_monotonic_ns(),
	};
	return 0;
}

void mongo_handle_release(struct mongo_handle *handle)
{
	if (handle->collection)
		mongoc_collection_destroy(handle->collection);
	if (handle->client) {
		mongoc_client_pool_push(mongo.pool, handle->client);
		metric_observe(handle->duration,
			       (double)(clock_monotonic_ns() - handle->started_ns) / 1e9);
	}
	*handle = (struct mongo_handle){ 0 };
}

void mongo_append_deadline(struct rpc_call *call, bson_t *options_document)
{
	int64_t remaining = rpc_remaining_ms(call);

	bson_append_int64(options_document, "maxTimeMS", -1,
			  remaining < 1           ? 1
			  : remaining < SOCKET_MS ? remaining
						  : SOCKET_MS);
}

/* "E11000 duplicate key error collection: souk_cart.carts index: user dup key: { user: \"ann\" }":
 * the name, never the value. */
static void note_duplicate(const struct mongo_collection *collection, const char *message)
{
	const char *start = strstr(message, "index: "), *end;

	snprintf(duplicate_index, sizeof(duplicate_index), "_id");
	if (!start)
		return;
	start += strlen("index: ");
	for (const struct mongo_index *index = collection->indexes; index && index->keys; index++) {
		const char *name = index->name ? index->name : index->keys;

		end = start + strlen(name);
		if (!strncmp(start, name, strlen(name)) &&
		    (!*end || !strncmp(end, " dup key", 8))) {
			snprintf(duplicate_index, sizeof(duplicate_index), "%s", name);
			return;
		}
	}
}

const char *mongo_duplicate_index(const struct rpc_call *call)
{
	(void)call;
	return duplicate_index;
}

/* Server errors that pass: the primary moves, shuts down, is overrun. github.com/mongodb/mongo:
 * src/mongo/base/error_codes.yml. */
static bool is_passing(uint32_t code)
{
	static const uint32_t codes[] = { 6,    7,     64,    89,    91,    112,   189,  262,
					  9001, 10058, 10107, 11600, 11602, 13435, 13436 };

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (codes[i] == code)
			return true;
	return false;
}

enum { MAX_TIME_EXPIRED = 50 };

int mongo_failed(struct rpc_call *call, const struct mongo_collection *collection,
		 const char *doing, const bson_error_t *error)
{
	switch (error->domain) {
	case MONGOC_ERROR_SERVER_SELECTION:
		/* The next ones need not wait as long to learn it. */
		atomic_store(&mongo.up, false);
		return unavailable(call);
	case MONGOC_ERROR_STREAM:
	case MONGOC_ERROR_CLIENT:        /* authentication, too many waiting */
	case MONGOC_ERROR_WRITE_CONCERN: /* applied, but not yet where it is safe: ask again */
		return unavailable(call);
	case MONGOC_ERROR_SERVER:
		if (error->code == MONGO_CODE_DUPLICATE ||
		    error->code == MONGO_CODE_DUPLICATE_UPDATE) {
			note_duplicate(collection, error->message);
			return MONGO_DUPLICATE;
		}
		if (error->code == MAX_TIME_EXPIRED)
			return rpc_fail_code(call, RPC_DEADLINE_EXCEEDED,
					     "The database took longer than the deadline allows.");
		if (is_passing(error->code))
			return unavailable(call);
		break;
	default:
		break;
	}
	/* The driver's sentence is nobody's but the operator's, and is known only here. */
	log_error(call, "the database refused a command", { "collection", collection->name },
		  { "doing", doing }, { "error", error->message });
	return -EIO;
}

/*
 * Module
 */

static int start(struct service *service, char **error)
{
	if (strlen(secret_key) < SECRET_KEY_MIN) {
		*error = bson_strdup_printf("SOUK_SECRET_KEY has fewer than %d characters.",
					    SECRET_KEY_MIN);
		return -EINVAL;
	}
	mongo.watched = true;
	return open_pool(options.uri, NULL, service_name(service), error);
}

static void stop(void)
{
	mongo_close();
	mongoc_cleanup();
}

static bool ready(const char **why)
{
	static char sentence[WHY_MAX];
	bool up = look(atomic_load(&mongo.up), sentence, sizeof(sentence));

	atomic_store(&mongo.up, up);
	if (!up)
		*why = sentence;
	return up;
}

static const struct option option_table[] = {
	{ "MONGODB_URI", OPTION_SECRET, &options.uri, NULL,
	  "the database: mongodb://user:password@host:port/database; without a database "
	  "souk_<service>" },
	{ "SECRET_KEY", OPTION_SECRET, &secret_key, NULL,
	  "at least 32 characters, the same in all replicas: signs page tokens, hashes one-time "
	  "tokens" },
	{ 0 },
};

const struct service_module mongo_module = {
	.name = "mongodb",
	.options = option_table,
	.start = start,
	.ready = ready,
	.stop = stop,
};
