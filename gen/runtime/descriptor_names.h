/* What a FileDescriptorProto declares, read from its bytes. */
#pragma once

#include <crpc/server.h>
#include <stdbool.h>

/* Whether the file declares this full name: a message, enum, enum value, extension, service or
 * method, fields too. */
bool file_declares(const struct rpc_file *file, const char *symbol);
/* Calls `found` for each extension of the type. */
void file_each_extension(const struct rpc_file *file, const char *type,
			 void (*found)(void *data, int32_t number), void *data);
