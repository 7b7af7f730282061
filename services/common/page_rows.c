/* Pages of rows that are all at hand. */
#include "errors.msg.h"
#include "page_token.msg.h"
#include <common/page.h>
#include <stdlib.h>
#include <string.h>

static int compare_keys(const struct page_key *a, const struct page_key *b)
{
	return a->number != b->number ? (a->number < b->number ? -1 : 1) : strcmp(a->text, b->text);
}

static int compare_rows(const void *a, const void *b, void *data)
{
	page_key_function *key_of = *(page_key_function **)data;
	struct page_key left = key_of(*(void *const *)a), right = key_of(*(void *const *)b);

	return compare_keys(&left, &right);
}

static int read_place(struct rpc_call *call, const ProtobufCMessage *request, const char *token,
		      struct page_key *ret)
{
	PageToken *place;
	int r = page_token_read(call, request, token, &place);

	if (r || !place)
		return r;
	/* It is ours, but of a release that sorted otherwise. */
	if (place->n_keys != 2 || place->keys[0]->value_case != PAGE_KEY_VALUE_NUMBER ||
	    place->keys[1]->value_case != PAGE_KEY_VALUE_TEXT)
		return rpc_fail(call, PAGE_TOKEN_INVALID);
	*ret = (struct page_key){ place->keys[0]->number, place->keys[1]->text };
	return 0;
}

static const char *write_place(struct rpc_call *call, const ProtobufCMessage *request,
			       const struct page_key *key)
{
	PageToken *place = rpc_new(call, PageToken);

	page_token_add_keys(
		call, place,
		rpc_new(call, PageKey, .value_case = PAGE_KEY_VALUE_NUMBER, .number = key->number));
	page_token_add_keys(
		call, place,
		rpc_new(call, PageKey, .value_case = PAGE_KEY_VALUE_TEXT, .text = key->text));
	return page_token_write(call, request, place);
}

int page_rows_(struct rpc_call *call, const ProtobufCMessage *request, int32_t size,
	       const char *token, struct page_rows *rows, page_key_function *key_of,
	       const char **next_ret)
{
	struct page_key after = { .text = NULL }, last;
	size_t first = 0;
	int r;

	r = page_size(call, size, &size);
	if (!r)
		r = read_place(call, request, token, &after);
	if (r)
		return r;
	if (rows->n)
		qsort_r(rows->rows, rows->n, sizeof(*rows->rows), compare_rows, &key_of);
	for (; after.text && first < rows->n; first++) {
		struct page_key key = key_of(rows->rows[first]);

		if (compare_keys(&key, &after) > 0)
			break;
	}
	rows->rows += first;
	rows->n -= first;
	*next_ret = "";
	if (rows->n <= (size_t)size)
		return 0;
	rows->n = (size_t)size;
	last = key_of(rows->rows[rows->n - 1]);
	*next_ret = write_place(call, request, &last);
	return 0;
}
