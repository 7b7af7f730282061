/* Compression of answers. */
#include "encoding.h"
#include "etag.h"
#include "response.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

struct encoder {
	z_stream stream;
};

struct encoder *encoder_new(void)
{
	struct encoder *encoder = calloc(1, sizeof(*encoder));

	/* 16 more window bits than zlib's own: a gzip header. Level 1: JSON shrinks nearly as well,
	 * for a third of the time. */
	if (encoder &&
	    deflateInit2(&encoder->stream, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK)
		return encoder;
	free(encoder);
	return NULL;
}

struct encoder *encoder_free(struct encoder *encoder)
{
	if (!encoder)
		return NULL;
	deflateEnd(&encoder->stream);
	free(encoder);
	return NULL;
}

const char *encoder_gzip(struct encoder *encoder, struct arena *arena, const char *bytes,
			 size_t length, size_t *ret)
{
	z_stream *stream = &encoder->stream;
	char *out;
	int r;

	if (length > UINT32_MAX || deflateReset(stream) != Z_OK)
		return NULL;
	out = arena_alloc(arena, length);
	stream->next_in = (Bytef *)bytes;
	stream->avail_in = (uInt)length;
	stream->next_out = (Bytef *)out;
	stream->avail_out = (uInt)length;
	r = deflate(stream, Z_FINISH);
	if (r != Z_STREAM_END)
		return NULL;
	*ret = length - stream->avail_out;
	return out;
}

bool encoding_accepts_gzip(const char *accept)
{
	bool any = false;

	while (*accept) {
		size_t length, all;
		const char *q;
		bool refused;

		accept += strspn(accept, " \t,");
		length = strcspn(accept, "; \t,");
		all = strcspn(accept, ",");
		q = memmem(accept, all, "q=", 2);
		refused = q && strtod(q + 2, NULL) <= 0;
		if ((length == 4 && !strncasecmp(accept, "gzip", 4)) ||
		    (length == 6 && !strncasecmp(accept, "x-gzip", 6)))
			return !refused;
		if (length == 1 && *accept == '*')
			any = !refused;
		accept += all;
	}
	return any;
}

static bool compressible(const char *type)
{
	static const char *const types[] = { "application/json", "text/", "image/svg+xml",
					     "application/javascript", "application/xml" };

	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (!strncasecmp(type, types[i], strlen(types[i])))
			return true;
	return false;
}

void encoding_apply(struct request *request)
{
	struct response *response = &request->response;
	const char *accept = request_header(request, "accept-encoding"), *bytes;
	size_t length;

	if (!response->content_type || response->length < ENCODING_MIN ||
	    !compressible(response->content_type) || response_find(response, "content-encoding"))
		return;
	response_literal(response, "vary", "accept-encoding");
	if (!accept || !encoding_accepts_gzip(accept))
		return;
	bytes = encoder_gzip(request->worker->encoder, rpc_arena(request->call), response->body,
			     response->length, &length);
	if (!bytes)
		return;
	response->body = bytes;
	response->length = length;
	response_literal(response, "content-encoding", "gzip");
	etag_weaken(request);
}
