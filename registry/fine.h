/* Conditions that several tables of fields share (struct field, is_fine). */
#ifndef CCS_REGISTRY_FINE_H
#define CCS_REGISTRY_FINE_H

#include "common/str.h"

bool fine_phone(struct str text);  /* 1 to 20 digits, perhaps with '+' before them */
bool fine_digits(struct str text); /* digits, '*' and '#' */
bool fine_region(struct str text); /* two capital letters */
bool fine_number_check(struct str text);
bool fine_allowed_region(struct str text); /* a region, 001 or all */
bool fine_allowed_type(struct str text);   /* a type that may be allowed, default or all */
bool fine_calling_day(struct str text);	   /* mon, or tue:10:00-14:00 */
bool fine_daily_cap(struct str text);	   /* US:500 */
bool fine_retry(struct str text);	   /* busy:3:600:linear */
bool fine_https(struct str text);	   /* https://host... */
bool fine_network(struct str text);	   /* an address, or 192.0.2.0/24 without bits of a host */
bool fine_scope(struct str text);	   /* read, dial, admin */
bool fine_path(struct str text);	   /* from / on */
bool fine_database(struct str text);	   /* postgresql://... or postgresql+driver://... */
bool fine_networks(struct str text);	   /* addresses, perhaps with /bits, separated by blanks */
bool fine_origins(struct str text); /* https://host or https://host:port, separated by blanks */
bool fine_client_status(struct str text);
bool fine_server_status(struct str text);
bool fine_instant(struct str text);  /* as instant_read takes it */
bool fine_date(struct str text);     /* 2026-12-25, a day that there is */
bool fine_day_time(struct str text); /* as day_time_read takes it */

enum { DAY_TIME_BYTES = 9 };

/* "09:00", "09:00:30" or a whole date and time without zone, of which only the time counts; out
 * becomes "HH:MM:SS". */
MUST_USE bool day_time_read(struct str text, char out[DAY_TIME_BYTES]);

/* By the name that SQL and JSON use; false when there is no such status. */
MUST_USE bool client_status_read(struct str name, uint32_t *status);
MUST_USE bool server_status_read(struct str name, uint32_t *status);
const char *client_status_name(uint32_t status);
const char *server_status_name(uint32_t status);

/* "2026-12-01T09:00:00+05:30", or with Z: date, time and offset, all of them (RFC 3339). In microseconds of UTC. */
MUST_USE bool instant_read(struct str text, int64_t *at_us);

#endif
