/* Compression of answers: gzip, for those that ask for it. */
#pragma once

#include "request.h"

enum { ENCODING_MIN = 1024 }; /* below it saves less than it costs */

struct encoder; /* zlib's state, used again for each answer: making one costs more than a small
		   answer */
struct encoder *encoder_new(void);
struct encoder *encoder_free(struct encoder *encoder);
/* Into the arena. NULL when it does not become shorter. */
const char *encoder_gzip(struct encoder *encoder, struct arena *arena, const char *bytes,
			 size_t length, size_t *ret);

/* Compresses request->response's body when the client takes gzip and it is worth it. */
void encoding_apply(struct request *request);
/* Whether Accept-Encoding admits gzip (RFC 9110, 12.5.3). */
bool encoding_accepts_gzip(const char *accept);
