/* Access rules: who may call a method, line by line as crpc.v1.Access says. */
#include "call_private.h"
#include "dispatch.h"
#include "message_private.h"
#include <string.h>

static int refuse(struct rpc_call *call, int reason, const struct rpc_method *method)
{
	return rpc_fail(call, &crpc_reasons[reason], { "method", method->path + 1 });
}

int access_check(struct rpc_call *call, const struct rpc_method *method, bool *owner)
{
	const struct rpc_access *access = &method->access;
	const struct rpc_caller *caller = &call->caller;
	bool person = caller->user[0];

	*owner = false;
	if (access->level == RPC_LEVEL_PUBLIC)
		return 0;
	for (const char *const *name = access->callers; name && *name; name++)
		if (rpc_caller_is_service(call, *name))
			return 0;
	if (access->permission && rpc_caller_may(call, access->permission))
		return 0;
	if (person && (access->level == RPC_LEVEL_SESSION ||
		       (access->level == RPC_LEVEL_USER && !caller->guest))) {
		*owner = access->owner;
		return 0;
	}

	if (!person && (access->level != RPC_LEVEL_NONE || access->permission))
		return refuse(call, REASON_TOKEN_MISSING, method);
	if (access->level == RPC_LEVEL_USER && caller->guest)
		return refuse(call, REASON_LOGIN_REQUIRED, method);
	return refuse(call, REASON_ACCESS_DENIED, method);
}

/* The string that a dotted path leads to; NULL where a message on the way is not set. */
static const char **find_string(ProtobufCMessage *message, const char *path)
{
	while (message) {
		size_t length = strcspn(path, ".");
		const ProtobufCFieldDescriptor *field =
			field_by_name(message->descriptor, path, length);
		char *member;

		if (!field || field->label == PROTOBUF_C_LABEL_REPEATED)
			return NULL;
		member = (char *)message + field->offset;
		if (!path[length])
			return field->type == PROTOBUF_C_TYPE_STRING ? (const char **)member : NULL;
		if (field->type != PROTOBUF_C_TYPE_MESSAGE)
			return NULL;
		message = *(ProtobufCMessage **)member;
		path += length + 1;
	}
	return NULL;
}

void access_rewrite_owner(struct rpc_call *call, const struct rpc_method *method,
			  ProtobufCMessage *request)
{
	static const char ME[] = "users/me";
	const char **value, *rest;

	if (!method->access.owner || !call->caller.user[0])
		return;
	value = find_string(request, method->access.owner);
	if (!value || !*value)
		return;
	if (!strcmp(*value, "me"))
		*value = call->caller.user;
	else if (!strncmp(*value, ME, sizeof(ME) - 1)) {
		/* Also of what belongs to the user: users/me/addresses/home */
		rest = *value + sizeof(ME) - 1;
		if (!*rest || *rest == '/')
			*value = rpc_printf(call, "%s%s", call->caller.user, rest);
	}
}

int access_check_owner(struct rpc_call *call, const struct rpc_method *method,
		       const ProtobufCMessage *request)
{
	const char **value = find_string((ProtobufCMessage *)request, method->access.owner);
	size_t length = strlen(call->caller.user);

	if (value && *value && length && !strncmp(*value, call->caller.user, length) &&
	    (!(*value)[length] || (*value)[length] == '/'))
		return 0;
	return rpc_fail(call, &crpc_reasons[REASON_NOT_OWNER], { "field", method->access.owner });
}
