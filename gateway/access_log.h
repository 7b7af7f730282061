/* A line and a measurement for each request. */
#pragma once

#include "request.h"

struct access_log *access_log_new(struct worker *worker);
struct access_log *access_log_free(struct access_log *log);
/* Written soon, many lines in one write(2). Never holds a query, a token or a body. */
void access_log_add(struct request *request, int64_t duration_us);
/* Tests: lines go here instead of stderr. */
void access_log_set_hook(void (*hook)(const char *line));
