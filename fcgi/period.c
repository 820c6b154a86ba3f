/* Dates of a request: see period.h. */
#include "fcgi/period.h"

#include "common/base.h"

static uint64_t days_of_month(uint64_t year, uint64_t month)
{
	static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	return days[month - 1] + (month == 2 && leap);
}

static bool is_date(struct str text)
{
	uint64_t year, month, day;
	return text.n == 10 && text.p[4] == '-' && text.p[7] == '-' &&
	       str_to_u64((struct str){text.p, 4}, 1, 9999, &year) &&
	       str_to_u64((struct str){text.p + 5, 2}, 1, 12, &month) &&
	       str_to_u64((struct str){text.p + 8, 2}, 1, days_of_month(year, month), &day);
}

static bool read_date(const struct req *req, const char *name, struct str *date, struct err *err)
{
	*date = req_query(req, name);
	if (!date->p || is_date(*date))
		return true;
	return fail_code(
		err, ERR_INPUT, "invalid_date", "%s is no date; send it as 2026-11-22", name);
}

bool period_read(const struct req *req, struct period *period, struct err *err)
{
	if (!read_date(req, "start_date", &period->start, err) ||
		!read_date(req, "end_date", &period->end, err))
		return false;
	/* Dates of this form are ordered like their text. */
	if (period->start.p && period->end.p &&
		memcmp(period->start.p, period->end.p, period->start.n) > 0)
		return fail_code(err, ERR_INPUT, "invalid_date", "start_date is after end_date");
	return true;
}
