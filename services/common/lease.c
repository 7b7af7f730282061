/* Leases: work on a timer that only one replica does at a time. */
#include <common/lease.h>
#include <common/secrets.h>
#include <pthread.h>

MONGO_COLLECTION(leases, .name = "leases");

static char holder_name[32];

static void make_holder(void)
{
	secret_random(16, holder_name);
}

/* This process, in this life of it. */
static const char *holder(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, make_holder);
	return holder_name;
}

bool lease_take(struct rpc_call *call, const char *name, int64_t ms)
{
	int64_t now = rpc_now_ms(call);
	const bson_t *mine = DOC(call, "$set", "{", "holder", BCON_UTF8(holder()), "expire_time",
				 BCON_DATE_TIME(now + ms), "}");
	int r;

	r = mongo_update(call, &leases, .id = name, .keep_version = true, .update = mine,
			 .filter = DOC(call, "$or", "[", "{", "holder", BCON_UTF8(holder()), "}",
				       "{", "expire_time", "{", "$lt", BCON_DATE_TIME(now), "}",
				       "}", "]"));
	if (r != MONGO_NOT_MATCHED)
		return !r;
	/* Nobody ever held it, or somebody holds it now, and then the id is taken. */
	return !mongo_update(call, &leases, .id = name, .keep_version = true, .upsert = true,
			     .update = mine,
			     .filter = DOC(call, "holder", "{", "$exists", BCON_BOOL(false), "}"));
}

void lease_release(struct rpc_call *call, const char *name)
{
	mongo_delete(call, &leases, name, DOC(call, "holder", BCON_UTF8(holder())));
}
