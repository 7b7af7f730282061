/* The gateway's own pages: health, metrics, the API's documentation. */
#pragma once

#include "request.h"

struct builtin {
	const char *path;
	bool admin, public; /* on which listener */
	void (*answer)(struct request *request);
};

/* NULL: none of ours. */
const struct builtin *builtin_find(bool admin, const char *path, size_t length);
/* GET and HEAD; 405 for others. */
void builtin_answer(struct request *request);
