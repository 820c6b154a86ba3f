/* logfmt on stderr: see log.h. A line is one write(), so that lines of several processes never mix.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"

#include "common/base.h"

enum { LINE_MAX_BYTES = 2048, QUOTED_MAX_BYTES = 512, RING = 8 };

static const char *program_name = "ccs";
static enum log_level lowest_level = LOG_INFO;
static const char *const level_names[] = {"debug", "info", "warn", "error"};
static char ring[RING][QUOTED_MAX_BYTES];
static unsigned ring_next;

void log_open(const char *program, enum log_level lowest)
{
	program_name = program;
	lowest_level = lowest;
}

static size_t add(char *line, size_t used, const char *fmt, va_list ap)
{
	int n = vsnprintf(line + used, LINE_MAX_BYTES - used, fmt, ap);
	if (n < 0)
		return used;
	return MIN(used + (size_t)n, (size_t)LINE_MAX_BYTES - 1);
}

static size_t addf(char *line, size_t used, const char *fmt, ...) PRINTF(3, 4);
static size_t addf(char *line, size_t used, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	used = add(line, used, fmt, ap);
	va_end(ap);
	return used;
}

static void write_line(enum log_level level, const char *at, const char *fmt, va_list ap)
{
	int saved_errno = errno;
	char line[LINE_MAX_BYTES + 1];
	char stamp[CLOCK_TEXT_BYTES];

	size_t used = addf(line, 0, "ts=%s level=%s prog=%s pid=%d at=%s ",
		clock_utc_ms(clock_wall_us(), stamp), level_names[level], program_name,
		(int)getpid(), at);
	used = add(line, used, fmt, ap);
	for (size_t i = 0; i < used; i++)
		if ((unsigned char)line[i] < ' ')
			line[i] = '?'; /* a newline in a value must not forge a line */
	line[used++] = '\n';
	if (write(STDERR_FILENO, line, used) < 0)
		errno = saved_errno; /* nowhere left to complain */
	errno = saved_errno;
}

void log_line(enum log_level level, const char *at, const char *fmt, ...)
{
	if (level < lowest_level)
		return;
	va_list ap;
	va_start(ap, fmt);
	write_line(level, at, fmt, ap);
	va_end(ap);
}

void die(const char *at, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	write_line(LOG_ERROR, at, fmt, ap);
	va_end(ap);
	exit(EX_SOFTWARE);
}

const char *log_q(const char *text)
{
	static const char hex[] = "0123456789abcdef";
	char *out = ring[ring_next++ % RING];
	size_t used = 0;

	out[used++] = '"';
	for (const char *p = text ? text : ""; *p && used + 8 < QUOTED_MAX_BYTES; p++) {
		unsigned char c = (unsigned char)*p;
		if (c == '"' || c == '\\') {
			out[used++] = '\\';
			out[used++] = (char)c;
		} else if (c < ' ' || c == 0x7f) {
			out[used++] = '\\';
			out[used++] = 'x';
			out[used++] = hex[c >> 4];
			out[used++] = hex[c & 15];
		} else {
			out[used++] = (char)c;
		}
	}
	out[used++] = '"';
	out[used] = '\0';
	return out;
}

const char *log_number(const char *number)
{
	char *out = ring[ring_next++ % RING];
	size_t len = MIN(strlen(number), (size_t)QUOTED_MAX_BYTES - 1);

	for (size_t i = 0; i < len; i++)
		out[i] = i + 4 < len ? '*' : number[i];
	out[len] = '\0';
	return out;
}
