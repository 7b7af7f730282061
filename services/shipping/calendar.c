/* When a parcel arrives: working days from now on. */
#include "rates.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { DAY_SECONDS = 24 * 3600, DAYS_MAX = 2000 };

static void freep(char **text)
{
	free(*text);
}

static const char *time_zone, *holidays = "";

/* --- days, by their number since 1970 --- */

static struct tm parts_of(int64_t number)
{
	time_t noon = (time_t)(number * DAY_SECONDS + DAY_SECONDS / 2);
	struct tm parts;

	gmtime_r(&noon, &parts);
	return parts;
}

static bool is_holiday(const char *date)
{
	size_t length = strlen(date);

	for (const char *at = strstr(holidays, date); at; at = strstr(at + 1, date))
		if ((at == holidays || at[-1] == ',') && (!at[length] || at[length] == ','))
			return true;
	return false;
}

static bool is_working(int64_t number)
{
	struct tm parts = parts_of(number);
	char date[16];

	if (parts.tm_wday == 0 || parts.tm_wday == 6)
		return false;
	strftime(date, sizeof(date), "%Y-%m-%d", &parts);
	return !is_holiday(date) && !is_holiday(date + 5);
}

static int64_t working_from(int64_t number)
{
	/* A list of all days of the year as holidays must not hold us. */
	for (int i = 0; i < DAYS_MAX && !is_working(number); i++)
		number++;
	return number;
}

static const char *date_after(struct rpc_call *call, int64_t number, int32_t days)
{
	char *text = rpc_alloc(call, 16);
	struct tm parts;

	for (; days > 0; days--)
		number = working_from(number + 1);
	parts = parts_of(number);
	strftime(text, 16, "%Y-%m-%d", &parts);
	return text;
}

DeliveryPromise *calendar_promise(struct rpc_call *call, const ShippingMethod *method,
				  const ShippingMethodZone *zone)
{
	time_t now = (time_t)(rpc_now_ms(call) / 1000);
	DeliveryPromise *promise = rpc_new(call, DeliveryPromise);
	struct tm here;
	int64_t today;

	localtime_r(&now, &here);
	today = ((int64_t)now + here.tm_gmtoff) / DAY_SECONDS;
	if (method->cutoff_hour && here.tm_hour >= method->cutoff_hour && is_working(today))
		today++;
	today = working_from(today);
	promise->min_days = method->handling_days + zone->min_days;
	promise->max_days = method->handling_days + zone->max_days;
	promise->earliest_date = date_after(call, today, promise->min_days);
	promise->latest_date = date_after(call, today, promise->max_days);
	return promise;
}

/* --- the warehouse's options --- */

static const char *problem_of(const char *list)
{
	int year, month, day, length;

	while (*list) {
		length = 0;
		if (sscanf(list, "%4d-%2d-%2d%n", &year, &month, &day, &length) != 3 ||
		    length != 10) {
			length = 0;
			if (sscanf(list, "%2d-%2d%n", &month, &day, &length) != 2 || length != 5)
				return "a holiday is written 12-25 or 2026-04-06";
		}
		if (month < 1 || month > 12 || day < 1 || day > 31)
			return "there is no such day";
		list += length;
		if (*list && *list++ != ',')
			return "holidays are separated by commas";
	}
	return NULL;
}

const char *calendar_set_holidays(const char *list)
{
	const char *problem = problem_of(list);

	if (!problem)
		holidays = list;
	return problem;
}

static const struct option options[] = {
	{ "WAREHOUSE_TIME_ZONE", OPTION_STRING, &time_zone, "UTC",
	  "where the warehouse's clock is, such as Europe/Berlin" },
	{ "WAREHOUSE_HOLIDAYS", OPTION_STRING, &holidays, "01-01,05-01,12-25,12-26",
	  "days without work beside weekends, such as 12-25,2026-04-06" },
	{},
};

/* First of the modules: while no other thread reads the environment. */
static int start(struct service *service, char **error)
{
	const char *problem = problem_of(holidays);
	cleanup(freep) char *path = NULL;

	if (problem)
		return asprintf(error, "SOUK_WAREHOUSE_HOLIDAYS: %s", problem) < 0 ? -ENOMEM
										   : -EINVAL;
	if (asprintf(&path, "/usr/share/zoneinfo/%s", time_zone) < 0)
		return -ENOMEM;
	if (strcmp(time_zone, "UTC") && access(path, R_OK))
		return asprintf(error,
				"SOUK_WAREHOUSE_TIME_ZONE: there is no time zone '%s' on this "
				"machine",
				time_zone) < 0
			       ? -ENOMEM
			       : -EINVAL;
	setenv("TZ", time_zone, 1);
	tzset();
	return 0;
}

const struct service_module warehouse_module = { .name = "warehouse",
						 .options = options,
						 .start = start };
