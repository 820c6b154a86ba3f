/* The numbers that called people see, and who of several is shown next: the entry's own, or its batch's; else the one of
 * the allocation's DIDs that was used longest ago, or of the server's; else the client's.
 *
 * A number is one object, wherever it is listed, so that its turns and its calls count together.
 */
#ifndef CCS_DISPATCHER_CALLER_ID_H
#define CCS_DISPATCHER_CALLER_ID_H

#include "dispatcher/dispatcher.h"
#include "sql/rows.h"

/* The number's object, made when there is none, until the caller drops it. */
struct caller_id *caller_id_hold(struct dispatcher *d, const char *digits);
void caller_id_drop(struct dispatcher *d, struct caller_id *id);

/* Whom a call on the edge shows; this was its turn. asked: what its entry or batch wants; NULL = nothing. Held. */
struct caller_id *caller_id_pick(struct dispatcher *d, struct edge *edge, struct caller_id *asked);

/* May the client show it: is it its own, or one of any of its servers? Who asks for it may lose it until it is dialled. */
bool caller_id_allowed(const struct client *client, const struct caller_id *id);

/* The number of a call that an earlier life has picked it for, or that has no list to be in: this was its turn. Held. */
struct caller_id *caller_id_adopt(struct dispatcher *d, const char *digits);

/* It has a call more, or one less. */
void caller_id_take(struct caller_id *id);
void caller_id_give(struct caller_id *id);

/* The list of a text[] column; the old one is dropped. */
void caller_ids_read(struct dispatcher *d, const struct rows *rows, int row, int column,
	struct caller_ids *list);
void caller_ids_drop(struct dispatcher *d, struct caller_ids *list);

#endif
