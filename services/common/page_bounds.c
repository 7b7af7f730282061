/* Where the first pages of lists ended: a small table, one list a slot, the newest stays. */
#include "page_bounds.h"
#include <pthread.h>
#include <sodium.h>
#include <string.h>

enum { SLOTS = 256, TEXT_MAX = 80 };

static struct slot {
	uint64_t list;
	PageKeyValueCase value_case;
	int64_t number;
	double fraction;
	char text[TEXT_MAX];
} slots[SLOTS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

uint64_t page_bounds_list(const struct mongo_collection *collection, const bson_t *filter,
			  const bson_t *sort, int64_t limit)
{
	crypto_generichash_state state;
	uint8_t hash[crypto_generichash_BYTES_MIN];
	uint64_t list;

	crypto_generichash_init(&state, NULL, 0, crypto_generichash_BYTES_MIN);
	crypto_generichash_update(&state, (const uint8_t *)collection->name,
				  strlen(collection->name) + 1);
	crypto_generichash_update(&state, bson_get_data(filter), filter->len);
	crypto_generichash_update(&state, bson_get_data(sort), sort->len);
	crypto_generichash_update(&state, (const uint8_t *)&limit, sizeof(limit));
	crypto_generichash_final(&state, hash, sizeof(hash));
	memcpy(&list, hash, sizeof(list));
	return list ? list : 1;
}

PageKey *page_bounds_find(struct rpc_call *call, uint64_t list)
{
	struct slot slot;
	PageKey *key;

	pthread_mutex_lock(&lock);
	slot = slots[list % SLOTS];
	pthread_mutex_unlock(&lock);
	if (slot.list != list)
		return NULL;
	key = rpc_new(call, PageKey, .value_case = slot.value_case);
	switch (slot.value_case) {
	case PAGE_KEY_VALUE_TEXT:
		key->text = rpc_strdup(call, slot.text);
		break;
	case PAGE_KEY_VALUE_FRACTION:
		key->fraction = slot.fraction;
		break;
	case PAGE_KEY_VALUE_TIME_MS:
		key->time_ms = slot.number;
		break;
	default:
		key->number = slot.number;
		break;
	}
	return key;
}

void page_bounds_note(uint64_t list, const PageKey *key)
{
	struct slot slot = { .list = list, .value_case = key->value_case };

	switch (key->value_case) {
	case PAGE_KEY_VALUE_TEXT:
		if (strlen(key->text) >= sizeof(slot.text))
			return;
		memcpy(slot.text, key->text, strlen(key->text) + 1);
		break;
	case PAGE_KEY_VALUE_FRACTION:
		slot.fraction = key->fraction;
		break;
	case PAGE_KEY_VALUE_TIME_MS:
		slot.number = key->time_ms;
		break;
	case PAGE_KEY_VALUE_NUMBER:
		slot.number = key->number;
		break;
	default: /* a flag bounds little, and nothing is no bound */
		return;
	}
	pthread_mutex_lock(&lock);
	slots[list % SLOTS] = slot;
	pthread_mutex_unlock(&lock);
}
