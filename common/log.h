/* One logfmt line per event on stderr, which journald or the demo's log folder keeps:
 *
 *   ts=2026-11-22T09:00:00.123Z level=warn prog=ccs-dispatcher pid=41 at=ami.lost server=fra-2
 * live=41 why="connection reset"
 *
 * `at` is a stable subject.verb name: operators grep it. Text that is not ours passes log_q().
 * Never a password, an API key, a token or custom_data; numbers are masked with log_number().
 */
#ifndef CCS_COMMON_LOG_H
#define CCS_COMMON_LOG_H

#include "common/base.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

/* Names the program in every line and sets the lowest level that is written. Call once, at start.
 */
void log_open(const char *program, enum log_level lowest);

void log_line(enum log_level level, const char *at, const char *fmt, ...) PRINTF(3, 4);

#define log_debug(at, ...) log_line(LOG_DEBUG, at, __VA_ARGS__)
#define log_info(at, ...)  log_line(LOG_INFO, at, __VA_ARGS__)
#define log_warn(at, ...)  log_line(LOG_WARN, at, __VA_ARGS__)
#define log_error(at, ...) log_line(LOG_ERROR, at, __VA_ARGS__)

/* Text as a quoted logfmt value, control bytes escaped. Valid until eight more calls. */
const char *log_q(const char *text);

/* All but the last four digits of a phone number as stars. Valid until eight more calls of either.
 */
const char *log_number(const char *number);

/* Writes the line and ends the process with 70 (EX_SOFTWARE): for what no caller can handle. */
__attribute__((noreturn)) void die(const char *at, const char *fmt, ...) PRINTF(2, 3);

#endif
