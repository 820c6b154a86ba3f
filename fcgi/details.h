/* Finished attempts, as GET /client-call-details/details tells them: page by page in JSON, or all at
 * once as CSV. */
#ifndef CCS_FCGI_DETAILS_H
#define CCS_FCGI_DETAILS_H

#include "fcgi/app.h"
#include "fcgi/page.h"
#include "fcgi/period.h"
#include "fcgi/reply.h"
#include "fcgi/state.h"
#include "sql/args.h"
#include "sql/rows.h"

/* Which attempts. Texts lie in the request. */
struct details {
	struct period period;
	enum state status; /* STATE__N: any */
	uint64_t queue_id; /* 0: any */
	struct page page;
	bool as_csv;
};

/* Columns of all the statements that read them. */
enum details_column {
	DETAILS_TOTAL,
	DETAILS_ENTRY_ID,
	DETAILS_ATTEMPT,
	DETAILS_BATCH_ID,
	DETAILS_PHONE_NUMBER,
	DETAILS_SERVER_CODE,
	DETAILS_DID,
	DETAILS_DISPOSITION,
	DETAILS_IS_FINAL,
	DETAILS_HANGUP_CAUSE,
	DETAILS_REASON,
	DETAILS_ESTIMATED,
	DETAILS_STARTED_AT,
	DETAILS_ANSWERED_AT,
	DETAILS_ENDED_AT,
	DETAILS_DURATION_MS,
	DETAILS_BILLSEC_MS,
	DETAILS_CUSTOM_DATA,
	DETAILS_E164 /* and two more: fcgi/put_plan.h */
};

/* The first five parameters of those statements: client, dates, zone, disposition. */
void details_args(struct sql_args *args, const struct app *app, const struct details *details);

/* A disposition that another attempt follows is not yet what became of the entry. */
static inline struct str details_status(const struct rows *rows, int row)
{
	return row_bool(rows, row, DETAILS_IS_FINAL) ? row_text(rows, row, DETAILS_DISPOSITION)
						     : STR("retry_wait");
}

/* The first rows into reply, and, if there are more, the rest once they are sent. */
MUST_USE bool details_csv(
	struct app *app, const struct details *details, struct reply *reply, struct err *err);

#endif
