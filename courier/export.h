/* Finished calls copied into clients' own databases: who lags, what is read, how far it is. Like hooks: a position for each
 * client, which moves when the calls are there, and all in memory only a copy. A call comes twice at most, and is stored once:
 * its event's id is the table's key.
 */
#ifndef CCS_COURIER_EXPORT_H
#define CCS_COURIER_EXPORT_H

#include "courier/courier.h"

struct export *export_new(struct courier *c);
void export_free(struct export *export);

/* From rows of CLIENT_DATABASE_LOAD; those that are not among them are gone. */
void export_take(struct export *export, const struct rows *rows);

/* Such rows are being read: positions that move meanwhile are newer. */
void export_expect(struct export *export);

/* There may be new events. */
void export_news(struct export *export);

/* Reads and sends what it is time for. Once a turn, while the stream is up and we are chosen. */
void export_turn(struct export *export);
int64_t export_deadline(const struct export *export);

/* Forgets everything. */
void export_forget(struct export *export);

#endif
