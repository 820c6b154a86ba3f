/* The rules of outcome.def: see ami_outcome.h. */
#include <strings.h>

#include "dispatcher/ami_outcome.h"

#include "common/base.h"

enum ami_dial_status ami_dial_status(struct str text)
{
	static const struct str names[AMI_DIAL_STATUS__N] = {
		[AMI_DIAL_NONE] = {"", 0},
		[AMI_DIAL_ANSWER] = {"ANSWER", 6},
		[AMI_DIAL_BUSY] = {"BUSY", 4},
		[AMI_DIAL_CONGESTION] = {"CONGESTION", 10},
		[AMI_DIAL_NOANSWER] = {"NOANSWER", 8},
	};

	for (size_t i = 0; i < AMI_DIAL_OTHER; i++)
		if (str_eq(names[i], text))
			return (enum ami_dial_status)i;
	return AMI_DIAL_OTHER;
}

enum { HERE = false, ELSEWHERE = true };

static struct ami_outcome of_refusal(struct str message)
{
	static const struct {
		struct str message;
		struct ami_outcome outcome;
	} table[] = {
#define OUTCOME_REFUSAL(message, disposition, where, words)                                        \
	{{message, sizeof(message) - 1}, {DISPOSITION_##disposition, words, where}},
#include "dispatcher/outcome.def"
	};
	size_t i = 0;

	/* The last message is empty: all begin with it. */
	while (message.n < table[i].message.n ||
		strncasecmp(message.p, table[i].message.p, table[i].message.n) != 0)
		i++;
	return table[i].outcome;
}

struct row {
	uint32_t key;
	struct ami_outcome outcome;
};

static const struct row reasons[] = {
#define OUTCOME_REASON(reason, disposition, where, words)                                          \
	{reason, {DISPOSITION_##disposition, words, where}},
#include "dispatcher/outcome.def"
};

static const struct row dials[] = {
#define OUTCOME_DIAL(status, disposition, where, words)                                            \
	{AMI_DIAL_##status, {DISPOSITION_##disposition, words, where}},
#include "dispatcher/outcome.def"
};

static const struct row causes[] = {
#define OUTCOME_CAUSE(cause, disposition, where, words)                                            \
	{cause, {DISPOSITION_##disposition, words, where}},
#include "dispatcher/outcome.def"
};

static bool find(const struct row *rows, size_t n, uint32_t key, struct ami_outcome *outcome)
{
	for (size_t i = 0; i < n; i++)
		if (rows[i].key == key) {
			*outcome = rows[i].outcome;
			return true;
		}
	return false;
}

/* We hung up, or lost sight of it, because nobody had answered in time; a cause of the far end's own
 * tells more. */
static bool is_ring_timeout(const struct ami_fate *fate)
{
	enum { NORMAL_CLEARING = 16 };
	return fate->ring_expired && (fate->cause == 0 || fate->cause == NORMAL_CLEARING);
}

struct ami_outcome ami_outcome(const struct ami_fate *fate)
{
	struct ami_outcome found;

	if (fate->refused)
		return of_refusal(fate->refusal);
	if (fate->answered)
		return (struct ami_outcome){DISPOSITION_COMPLETED, "answered", HERE};
	if (!fate->originate_seen && !fate->channel_seen && !fate->hangup_seen)
		return (struct ami_outcome){
			DISPOSITION_UNKNOWN, "outcome could not be learned", HERE};
	if (find(reasons, ARRAY_LEN(reasons), fate->originate_seen ? fate->reason : 0, &found))
		return found;
	if (!fate->channel_seen && !fate->hangup_seen)
		return (struct ami_outcome){
			DISPOSITION_FAILED, "no channel: trunk or endpoint unavailable", ELSEWHERE};
	if (is_ring_timeout(fate))
		return (struct ami_outcome){DISPOSITION_NO_ANSWER, "no answer", HERE};
	if (fate->cause == 0 && find(dials, ARRAY_LEN(dials), fate->dialed, &found))
		return found;
	if (find(causes, ARRAY_LEN(causes), fate->cause, &found))
		return found;
	if (fate->cause)
		return (struct ami_outcome){DISPOSITION_FAILED, "failed on the way", HERE};
	return (struct ami_outcome){DISPOSITION_FAILED, "failed without a cause", HERE};
}
