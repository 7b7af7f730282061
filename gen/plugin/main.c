/* protoc-gen-crpc: descriptors in, C out. protoc runs it and speaks over stdin and stdout. */
#include "plugin.h"
#include <crpc/cleanup.h>
#include <stdio.h>
#include <stdlib.h>

static void freep(uint8_t **bytes)
{
	free(*bytes);
}

static uint8_t *read_all(FILE *file, size_t *size)
{
	size_t room = 1 << 16;
	cleanup(freep) uint8_t *bytes = malloc(room);
	uint8_t *longer;

	*size = 0;
	while (bytes) {
		*size += fread(bytes + *size, 1, room - *size, file);
		if (ferror(file))
			return NULL;
		if (feof(file))
			return ptr_steal(bytes);
		if (*size < room)
			continue;
		room *= 2;
		longer = realloc(bytes, room);
		if (!longer)
			return NULL;
		bytes = longer;
	}
	return NULL;
}

int main(void)
{
	cleanup(freep) uint8_t *request = NULL, *response = NULL;
	size_t size, response_size;
	const char *error;

	request = read_all(stdin, &size);
	if (!request) {
		perror("protoc-gen-crpc: cannot read the request");
		return 1;
	}
	if (plugin_run(request, size, &response, &response_size, &error)) {
		fprintf(stderr, "protoc-gen-crpc: %s\n", error);
		return 1;
	}
	if (fwrite(response, 1, response_size, stdout) != response_size || fflush(stdout)) {
		perror("protoc-gen-crpc: cannot write the answer");
		return 1;
	}
	return 0;
}
