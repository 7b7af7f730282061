/* Templates: what mails say, kept by staff. */
#include "notification_store.h"
#include "template.h"
#include "topics.h"
#include <common/clock.h>
#include <common/etag.h>
#include <common/mask.h>
#include <common/names.h>
#include <string.h>

static NotificationTemplate *view(struct rpc_call *call, const NotificationTemplateRecord *record)
{
	NotificationTemplate *shown =
		rpc_memdup(call, record->notification_template, sizeof(*shown));
	char *list = rpc_strdup(call, topic_of(shown->topic)->variables), *rest, *name;

	shown->n_variables = 0;
	shown->variables = NULL;
	for (name = strtok_r(list, " ", &rest); name; name = strtok_r(NULL, " ", &rest))
		notification_template_add_variables(call, shown, name);
	shown->etag = etag_of(call, record->version);
	return shown;
}

static int not_found(struct rpc_call *call, const char *name)
{
	return rpc_fail(call, TEMPLATE_NOT_FOUND, { "template", name });
}

int notification_get_template(struct notification_service *self, struct rpc_call *call,
			      const GetNotificationTemplateRequest *req, NotificationTemplate **ret)
{
	NotificationTemplateRecord *record;
	int r = template_read(call, name_id(req->name), &record);

	if (r == MONGO_NOT_FOUND)
		return not_found(call, req->name);
	if (!r)
		*ret = view(call, record);
	return r;
}

int notification_list_templates(struct notification_service *self, struct rpc_call *call,
				const ListNotificationTemplatesRequest *req,
				ListNotificationTemplatesResponse **ret)
{
	ListNotificationTemplatesResponse *response =
		rpc_new(call, ListNotificationTemplatesResponse);
	NotificationTemplateRecord **records;
	size_t n_records;
	int r = template_page(call, req, response, &records, &n_records);

	if (r)
		return r;
	for (size_t i = 0; i < n_records; i++)
		list_notification_templates_response_add_notification_templates(
			call, response, view(call, records[i]));
	*ret = response;
	return 0;
}

/* --- changing --- */

static int invalid(struct rpc_call *call, const char *field, const char *problem)
{
	return rpc_fail(call, TEMPLATE_INVALID, { "field", field }, { "problem", problem });
}

static int check_field(struct rpc_call *call, const NotificationTemplate *of, const char *field,
		       const char *source)
{
	const char *problem = template_problem(call, source, topic_of(of->topic)->variables);

	return problem ? invalid(call, field, problem) : 0;
}

static int check(struct rpc_call *call, const NotificationTemplate *of)
{
	int r;

	if (!*of->subject)
		return invalid(call, "subject", "it is empty");
	if (!*of->text)
		return invalid(call, "text", "it is empty");
	r = check_field(call, of, "subject", of->subject);
	if (!r)
		r = check_field(call, of, "text", of->text);
	return r ? r : check_field(call, of, "html", of->html);
}

/* One for another language begins empty. */
static int begin(struct rpc_call *call, const char *name, NotificationTemplateRecord **ret)
{
	const char *language = "";
	NotificationTemplateTopic topic = topic_of_template(call, name_id(name), &language);

	if (!topic)
		return invalid(call, "name",
			       "its id is a topic and a language, such as order-confirmed.fr");
	*ret = rpc_new(call, NotificationTemplateRecord, .id = name_id(name), .schema_version = 1,
		       .notification_template = rpc_new(call, NotificationTemplate, .name = name,
							.topic = topic, .language_code = language));
	return 0;
}

static int change(struct rpc_call *call, const UpdateNotificationTemplateRequest *req,
		  NotificationTemplateRecord *record)
{
	const NotificationTemplate *from = req->notification_template;
	NotificationTemplate *to = record->notification_template;

	if (mask_has(req->update_mask, from, "subject"))
		to->subject = from->subject;
	if (mask_has(req->update_mask, from, "text"))
		to->text = from->text;
	if (mask_has(req->update_mask, from, "html"))
		to->html = from->html;
	to->update_time = clock_now(call);
	return check(call, to);
}

static int update_once(struct rpc_call *call, const UpdateNotificationTemplateRequest *req,
		       NotificationTemplateRecord **ret)
{
	const char *name = req->notification_template->name;
	NotificationTemplateRecord *record;
	int r = template_read(call, name_id(name), &record);
	bool new = r == MONGO_NOT_FOUND;

	if (new)
		r = req->allow_missing ? begin(call, name, &record) : not_found(call, name);
	if (!r && !new)
		r = etag_check(call, name, req->notification_template->etag, record->version);
	if (!r)
		r = change(call, req, record);
	if (r)
		return r;
	r = new ? template_insert(call, record) : template_write(call, record);
	if (r == MONGO_DUPLICATE)
		return MONGO_NOT_MATCHED;
	record->version++;
	*ret = record;
	return r;
}

int notification_update_template(struct notification_service *self, struct rpc_call *call,
				 const UpdateNotificationTemplateRequest *req,
				 NotificationTemplate **ret)
{
	static const char *const fields[] = { "subject", "text", "html", NULL };
	NotificationTemplateRecord *record = NULL;
	int r = mask_check(call, req->update_mask, fields);

	if (r)
		return r;
	for (int attempt = 0;
	     !(r = mongo_attempt(call, &attempt, req->notification_template->name));) {
		r = update_once(call, req, &record);
		if (r == MONGO_NOT_MATCHED)
			continue;
		if (!r)
			*ret = view(call, record);
		return r;
	}
	return r;
}
