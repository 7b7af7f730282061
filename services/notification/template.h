/* Templates: text with variables, and parts that are repeated or left out. */
#pragma once

#include <crpc/call.h>

/*
 * `{{name}}` is the variable's value; `{{#name}}...{{/name}}` stands when it has one,
 * `{{^name}}...{{/name}}` when it has none; `{{#lines}}...{{/lines}}` stands once for each line,
 * whose own variables hide others. A part's tag that is alone on its line takes the line with it.
 * In HTML, values are escaped so that they are text wherever they stand, quoted attributes
 * included.
 */
struct template_values {
	struct rpc_meta *pairs;
	size_t n;
};
void template_set(struct rpc_call *call, struct template_values *values, const char *name,
		  const char *value);

struct template_data {
	struct template_values values;
	struct template_values *lines;
	size_t n_lines;
};

/* Variables are lists of names, separated by spaces; `lines` among them has those of TEMPLATE_LINE.
 * NULL, or what is wrong with the template. */
#define TEMPLATE_LINE "quantity display_name total"
const char *template_problem(struct rpc_call *call, const char *source, const char *variables);

enum { TEMPLATE_TOO_LARGE = 350 }; /* when it is rendered */
int template_render(struct rpc_call *call, const char *source, const struct template_data *data,
		    bool html, const char **ret);
