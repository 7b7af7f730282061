/* Request ids: the same request twice does its work once and gets the first answer. */
#include "errors.msg.h"
#include "store.msg.h"
#include <common/answers.h>
#include <common/clock.h>
#include <crpc/id.h>
#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <string.h>

enum {
	KEPT_MS = 24 * 3600 * 1000,
	SWEEP_MS = 60 * 1000,
	COLLECTIONS_MAX = 8, /* of a service, with answers */
	PENDING = -1,
};

void answers_key_(struct rpc_call *call, const ProtobufCMessage *request, const char *request_id,
		  struct answers_key *ret)
{
	ProtobufCMessage *copy = rpc_memdup(call, request, request->descriptor->sizeof_message);
	const ProtobufCFieldDescriptor *field =
		protobuf_c_message_descriptor_get_field_by_name(request->descriptor, "request_id");
	struct answers_key key = { .request_id = request_id };
	const char *scope =
		rpc_printf(call, "%s %s", rpc_caller(call)->user, request->descriptor->name);
	ProtobufCBinaryData packed;

	if (*request_id) {
		key.id = rpc_id_derive(call, scope, request_id);
		/* The same hash must not be readable as the id of a document. */
		key.key = rpc_id_derive(call, "answer", key.id);
	} else {
		key.id = rpc_id_new(call);
		key.key = "";
	}
	if (field)
		rpc_field_clear(copy, field);
	packed = rpc_pack(rpc_arena(call), copy);
	crypto_hash_sha256(key.body_hash, packed.data, packed.len);
	*ret = key;
}

static const struct stored_answer *store(struct rpc_call *call, const struct answers_key *key,
					 int code, ProtobufCBinaryData answer)
{
	StoredAnswer *message = rpc_new(call, StoredAnswer, .key = key->key, .code = code,
					.answer = answer, .time = clock_now(call));
	struct stored_answer *stored;

	if (!*key->request_id)
		return NULL;
	message->body_hash = (ProtobufCBinaryData){ .data = rpc_memdup(call, key->body_hash,
								       sizeof(key->body_hash)),
						    .len = sizeof(key->body_hash) };
	stored = rpc_alloc(call, sizeof(*stored));
	stored->document = document_of(call, message);
	return stored;
}

const struct stored_answer *answers_store_(struct rpc_call *call, const struct answers_key *key,
					   const ProtobufCMessage *response)
{
	return store(call, key, RPC_OK,
		     response ? rpc_pack(rpc_arena(call), response) : (ProtobufCBinaryData){ 0 });
}

/* Whether the same request would be refused again for the same reason, however often it comes. */
static bool is_final(int code)
{
	switch (code) {
	case RPC_INVALID_ARGUMENT:
	case RPC_NOT_FOUND:
	case RPC_ALREADY_EXISTS:
	case RPC_PERMISSION_DENIED:
	case RPC_FAILED_PRECONDITION:
	case RPC_OUT_OF_RANGE:
		return true;
	default:
		return false;
	}
}

const struct stored_answer *answers_store_error(struct rpc_call *call,
						const struct answers_key *key)
{
	int code = rpc_error_code(call);

	return is_final(code) ? store(call, key, code, rpc_error_status(call)) : NULL;
}

const struct stored_answer *answers_store_pending(struct rpc_call *call,
						  const struct answers_key *key)
{
	return store(call, key, PENDING, (ProtobufCBinaryData){ 0 });
}

int answers_finish(struct rpc_call *call, const struct mongo_collection *collection, const char *id,
		   const struct answers_key *key, const struct stored_answer *answer)
{
	if (!answer)
		return 0;
	return mongo_update(
		call, collection, .id = id, .keep_version = true,
		.filter = DOC(call, "answers", "{", "$elemMatch", "{", "key", BCON_UTF8(key->key),
			      "code", BCON_INT32(PENDING), "}", "}"),
		.update =
			DOC(call, "$set", "{", "answers.$", BCON_DOCUMENT(answer->document), "}"));
}

int answers_in_progress(struct rpc_call *call, const struct answers_key *key)
{
	int r = rpc_fail(call, REQUEST_IN_PROGRESS, { "requestId", key->request_id });

	rpc_retry_after(call, 1000);
	return r;
}

static int replay(struct rpc_call *call, const struct answers_key *key, const StoredAnswer *answer,
		  const ProtobufCMessageDescriptor *response, ProtobufCMessage **ret)
{
	const char *why;
	ProtobufCMessage *message = NULL;

	if (answer->body_hash.len != sizeof(key->body_hash) ||
	    memcmp(answer->body_hash.data, key->body_hash, sizeof(key->body_hash)))
		return rpc_fail(call, REQUEST_ID_REUSED, { "requestId", key->request_id });
	if (answer->code == PENDING)
		return ANSWERS_PENDING;
	if (!answer->code && answer->answer.len) {
		message = rpc_unpack(rpc_arena(call), response, answer->answer.data,
				     answer->answer.len, &why);
		if (!message) {
			log_error(call, "a stored answer cannot be read", { "error", why });
			return -EBADMSG;
		}
	}
	rpc_set_header(call, "http-idempotent-replayed", "true");
	if (answer->code)
		return rpc_fail_status(call, answer->code, answer->answer);
	*ret = message;
	return 0;
}

int answers_find_(struct rpc_call *call, const struct answers_key *key,
		  struct StoredAnswer *const *answers, size_t n_answers,
		  const ProtobufCMessageDescriptor *response, ProtobufCMessage **ret)
{
	if (!*key->request_id)
		return ANSWERS_NONE;
	/* From the end: after 24 h the same id may stand there twice. */
	for (size_t i = n_answers; i-- > 0;)
		if (!strcmp(answers[i]->key, key->key) &&
		    clock_ms(answers[i]->time) + KEPT_MS > rpc_now_ms(call))
			return replay(call, key, answers[i], response, ret);
	return ANSWERS_NONE;
}

static int read_answers(void *data, struct rpc_call *call, const bson_t *document)
{
	StoredAnswer *answer;
	const char *why;
	bson_iter_t iter, child;
	struct {
		StoredAnswer **answers;
		size_t n;
	} *all = data;

	if (!bson_iter_init_find(&iter, document, "answers") || !BSON_ITER_HOLDS_ARRAY(&iter) ||
	    !bson_iter_recurse(&iter, &child))
		return 0;
	while (bson_iter_next(&child)) {
		const uint8_t *bytes;
		uint32_t size;
		bson_t element;

		if (!BSON_ITER_HOLDS_DOCUMENT(&child))
			continue;
		bson_iter_document(&child, &size, &bytes);
		if (!bson_init_static(&element, bytes, size) ||
		    document_read_embedded(rpc_arena(call), &StoredAnswer_descriptor, &element,
					   (ProtobufCMessage **)&answer, &why))
			return -EBADMSG;
		all->answers = rpc_array_room(rpc_arena(call), all->answers, all->n, 1,
					      sizeof(*all->answers));
		all->answers[all->n++] = answer;
	}
	return 0;
}

int answers_repeat_(struct rpc_call *call, const struct mongo_collection *collection,
		    const char *id, const struct answers_key *key,
		    const ProtobufCMessageDescriptor *response, ProtobufCMessage **ret)
{
	struct {
		StoredAnswer **answers;
		size_t n;
	} all = { 0 };
	int r;

	r = mongo_each(call, collection,
		       &(struct mongo_query){ .filter = DOC(call, "_id", BCON_UTF8(id)),
					      .projection = DOC(call, "answers", BCON_INT32(1)),
					      .limit = 1 },
		       read_answers, &all);
	return r ? r : answers_find_(call, key, all.answers, all.n, response, ret);
}

/* Whether a minute has passed: an answer is kept for a day, and sweepers run each second. */
static bool is_due(struct rpc_call *call, const struct mongo_collection *collection)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static struct {
		const struct mongo_collection *collection;
		int64_t due_ms;
	} swept[COLLECTIONS_MAX];
	size_t i = 0;
	bool due;

	pthread_mutex_lock(&lock);
	while (i < COLLECTIONS_MAX - 1 && swept[i].collection && swept[i].collection != collection)
		i++;
	due = swept[i].collection != collection || rpc_now_ms(call) >= swept[i].due_ms;
	if (due) {
		swept[i].collection = collection;
		swept[i].due_ms = rpc_now_ms(call) + SWEEP_MS;
	}
	pthread_mutex_unlock(&lock);
	return due;
}

int answers_sweep(struct rpc_call *call, const struct mongo_collection *collection)
{
	int64_t before = rpc_now_ms(call) - KEPT_MS, n;
	const bson_t *old = DOC(call, "time", "{", "$lt", BCON_DATE_TIME(before), "}");

	if (!is_due(call, collection))
		return 0;
	return mongo_update_many(call, collection,
				 DOC(call, "answers.time", "{", "$lt", BCON_DATE_TIME(before), "}",
				     "answers.key", "{", "$gt", BCON_UTF8(""), "}"),
				 DOC(call, "$pull", "{", "answers", BCON_DOCUMENT(old), "}"), &n);
}
