/* Resource names: "products/tea", "users/ann/addresses/7". */
#include <common/names.h>
#include <string.h>

enum { ID_MAX = 128 };

const char *name_id(const char *name)
{
	const char *slash = strrchr(name, '/');

	return slash ? slash + 1 : name;
}

const char *name_parent_id(struct rpc_call *call, const char *name)
{
	const char *first = strchr(name, '/');

	if (!first)
		return name;
	return arena_strndup(rpc_arena(call), first + 1, strcspn(first + 1, "/"));
}

const char *name_of(struct rpc_call *call, const char *collection, const char *id)
{
	return id && *id ? rpc_printf(call, "%s/%s", collection, id) : "";
}

const char *name_join(struct rpc_call *call, const char *parent, const char *collection,
		      const char *id)
{
	return rpc_printf(call, "%s/%s/%s", parent, collection, id);
}

bool name_is(const char *name, const char *collection)
{
	size_t length = strlen(collection), id_length;

	if (strncmp(name, collection, length) || name[length] != '/')
		return false;
	name += length + 1;
	id_length =
		strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~");
	return id_length >= 1 && id_length <= ID_MAX && !name[id_length];
}
