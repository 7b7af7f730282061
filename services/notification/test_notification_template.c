/* Templates: what comes out of them, and what is refused. */
#include "template.h"
#include "topics.h"
#include <string.h>
#include <test.h>

static struct template_data data;

static void setup(void)
{
	data = (struct template_data){ 0 };
	template_set(test_call(), &data.values, "name", "Amina");
	template_set(test_call(), &data.values, "shop", "Tea & <b>Co</b>");
	template_set(test_call(), &data.values, "link", "https://s/?a=1&b=\"2\"");
	template_set(test_call(), &data.values, "empty", "");
	data.lines = rpc_alloc(test_call(), 2 * sizeof(*data.lines));
	data.n_lines = 2;
	template_set(test_call(), &data.lines[0], "quantity", "2");
	template_set(test_call(), &data.lines[0], "display_name", "Mint");
	template_set(test_call(), &data.lines[1], "quantity", "1");
	template_set(test_call(), &data.lines[1], "display_name", "Cup");
}

static const struct example {
	const char *source, *text;
	bool html;
} examples[] = {
	{ "Hello {{name}}!", "Hello Amina!" },
	{ "Hello {{ name }}!", "Hello Amina!" },
	{ "{{shop}}", "Tea & <b>Co</b>" },
	{ "{{shop}}", "Tea &amp; &lt;b&gt;Co&lt;/b&gt;", true },
	{ "<a href=\"{{link}}\">", "<a href=\"https://s/?a=1&amp;b=&quot;2&quot;\">", true },
	{ "{{unknown}}-{{empty}}", "-" },
	{ "{{#name}}Hi {{name}}{{/name}}{{#empty}}never{{/empty}}", "Hi Amina" },
	{ "{{^name}}never{{/name}}{{^empty}}always{{/empty}}", "always" },
	{ "{{#name}}a{{#empty}}b{{/empty}}c{{/name}}", "ac" },
	{ "{{#lines}}{{quantity}} {{display_name}}, {{/lines}}", "2 Mint, 1 Cup, " },
	{ "{{#lines}}{{name}} {{/lines}}", "Amina Amina " },
	{ "before\n{{#lines}}\n{{quantity}} {{display_name}}\n{{/lines}}\nafter",
	  "before\n2 Mint\n1 Cup\nafter" },
	{ "{{^lines}}none{{/lines}}", "" },
	{ "a { b }} c", "a { b }} c" },
};

TEST_EACH(a_template_is_filled, examples)
{
	const char *text;

	ck_assert_int_eq(template_render(test_call(), row->source, &data, row->html, &text), 0);
	ck_assert_str_eq(text, row->text);
}

TEST(values_are_not_read_as_templates)
{
	const char *text;

	template_set(test_call(), &data.values, "sly", "{{name}}{{#lines}}");
	ck_assert_int_eq(template_render(test_call(), "{{sly}}", &data, false, &text), 0);
	ck_assert_str_eq(text, "{{name}}{{#lines}}");
}

TEST(no_lines_leave_their_part_out)
{
	const char *text;

	data.n_lines = 0;
	ck_assert_int_eq(template_render(test_call(),
					 "a{{#lines}}{{quantity}}{{#name}}x{{/name}}{{/"
					 "lines}}b{{^lines}}none{{/lines}}",
					 &data, false, &text),
			 0);
	ck_assert_str_eq(text, "abnone");
}

TEST(what_is_rendered_has_an_end)
{
	const char *text;
	char *source = rpc_alloc(test_call(), 100001);

	memset(source, 'x', 100000);
	source = rpc_printf(test_call(), "{{#lines}}%s{{/lines}}", source);
	data.lines = rpc_alloc(test_call(), 100 * sizeof(*data.lines));
	data.n_lines = 100;
	ck_assert_int_eq(template_render(test_call(), source, &data, false, &text),
			 TEMPLATE_TOO_LARGE);
}

static const struct wrong {
	const char *source, *problem;
} wrongs[] = {
	{ "{{name", "not closed by" },
	{ "{{}}", "the name of a variable" },
	{ "{{na me}}", "the name of a variable" },
	{ "{{Name}}", "the name of a variable" },
	{ "{{password}}", "there is no variable 'password'" },
	{ "{{quantity}}", "there is no variable 'quantity'" }, /* outside of lines */
	{ "{{#name}}", "{{#name}} is not closed" },
	{ "{{/name}}", "{{/name}} closes nothing" },
	{ "{{#name}}{{/shop}}", "{{/shop}} closes nothing" },
	{ "{{#lines}}{{#lines}}{{/lines}}{{/lines}}", "within" },
	{ "{{lines}}", "lines are a part" },
	{ "{{#name}}{{#name}}{{#name}}{{#name}}{{#name}}{{#name}}{{#name}}{{#name}}{{#name}}",
	  "too deep" },
};

TEST_EACH(a_wrong_template_is_refused_with_what_is_wrong, wrongs)
{
	const char *problem = template_problem(test_call(), row->source, "name shop lines");

	ck_assert_ptr_nonnull(problem);
	ck_assert_msg(strstr(problem, row->problem), "%s", problem);
	/* Were it stored all the same, it is filled as far as it goes. */
	{
		const char *text;

		ck_assert_int_eq(template_render(test_call(), row->source, &data, true, &text), 0);
	}
}

TEST(a_right_template_has_no_problem)
{
	ck_assert_ptr_null(template_problem(
		test_call(), "{{#lines}}{{quantity}} {{display_name}} {{total}} {{name}}{{/lines}}",
		"name shop lines"));
}

static const struct id {
	const char *id, *language; /* NULL: none */
	NotificationTemplateTopic topic;
} ids[] = {
	{ "order-confirmed.en", "en", NOTIFICATION_TEMPLATE_TOPIC_ORDER_CONFIRMED },
	{ "stock-low.de-AT", "de-AT", NOTIFICATION_TEMPLATE_TOPIC_STOCK_LOW },
	{ "order-confirmed", NULL },
	{ "order-confirmed.", NULL },
	{ "order-confirmed.english", NULL },
	{ "order.en", NULL },
	{ "order-confirmed.en-", NULL },
};

TEST_EACH(a_template_is_named_after_topic_and_language, ids)
{
	const char *language = NULL;

	ck_assert_int_eq(topic_of_template(test_call(), row->id, &language), row->topic);
	if (row->language)
		ck_assert_str_eq(language, row->language);
}

TEST_MAIN("template", setup, NULL)
