/* Why does a call not start? The gates of gate.def, asked one by one over what the segment shows of one client, each with
 * its verdict, figures in words, and since when.
 *
 *	struct explain ex;
 *	struct explained verdict;
 *	if (explain_begin(&ex, &view, now_us, NULL) && explain_verdict(&ex, &verdict))
 *		puts(verdict.detail);	"10 of 10 channels in use on server ast1"
 *
 * The dispatcher asks the same functions about the same facts (gate.h); there is no second opinion.
 */
#ifndef CCS_SHM_EXPLAIN_H
#define CCS_SHM_EXPLAIN_H

#include "shm/gate.h"
#include "shm/view.h"

/* What the segment does not hold of the batch or the number asked about, with the moments since which; 0 = not known. */
struct explain_entry {
	struct gate_entry gate;
	bool is_number; /* one number, not only its batch */
	char region[REGION_TEXT_BYTES];
	uint32_t batch_cps; /* calls a second that its batch may begin; 0 = no limit of its own */
	char list[16]; /* that its number is on: "everybody", "client", "batch"; "" = not known */
	int64_t created_us, paused_us, canceled_us;
};

struct explain {
	struct view view;
	int64_t now_us;
	struct client_facts facts;
	struct gate_client client;
	const struct explain_entry *entry; /* NULL: the client only */
};

struct explained {
	enum gate gate; /* GATE_NONE: nothing blocks */
	bool blocks;
	int64_t since_us;     /* 0: not known */
	int64_t next_us;      /* 0: when something changes */
	char server_code[48]; /* "": it is not about one server */
	char detail[200];     /* for people; "": there is nothing to tell */
};

/* One server on which the client has a share, and its gates in the order of gate.def. */
struct explained_server {
	char server_code[48];
	struct explained first; /* that blocks */
	uint32_t n;
	struct explained gates[GATE__N];
};

/* entry is borrowed. False: the segment does not know the client. */
MUST_USE bool explain_begin(struct explain *ex, const struct view *view, int64_t now_us,
	const struct explain_entry *entry);

/* Gates of the client and, if asked about, its batch and number; their number. */
uint32_t explain_gates(const struct explain *ex, struct explained gates[GATE__N]);

/* Its servers one after the other; *at is 0 at first. */
MUST_USE bool explain_next_server(
	const struct explain *ex, uint32_t *at, struct explained_server *out);

/* For a batch of which all that is left waits to be called again, the first of it then. */
void explain_retry_wait(int64_t due_us, struct explained *out);

/* The one that blocks: of the client, batch or number; else, where no server is open, that of the one which opens first.
 * False: nothing does. */
bool explain_verdict(const struct explain *ex, struct explained *out);

#endif
