/* See record.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "tests/farm/record.h"

#include "common/base.h"

bool record_open(struct record *record, const char *path, struct err *err)
{
	record->lines = STRBUF_INIT;
	record->fd = -1;
	if (!path)
		return true;
	record->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	return record->fd >= 0 || fail(err, ERR_INPUT, "%s: %s", path, strerror(errno));
}

void record_line(
	struct record *record, const char *server, const char *fact, const char *columns, ...)
{
	char text[1024];
	int64_t now_us = clock_wall_us();
	va_list ap;

	if (record->fd < 0)
		return;
	va_start(ap, columns);
	int n = vsnprintf(text, sizeof(text), columns, ap);
	va_end(ap);
	for (int i = 0; i < n && i < (int)sizeof(text) - 1; i++)
		if (text[i] == '\n' || text[i] == '\r')
			text[i] = '?';
	strbuf_printf(&record->lines, "%lld.%06lld\t%s\t%s\t%s\n", (long long)(now_us / US_PER_S),
		(long long)(now_us % US_PER_S), server, fact, text);
}

void record_flush(struct record *record)
{
	size_t done = 0;

	while (done < record->lines.n) {
		ssize_t n = write(record->fd, record->lines.p + done, record->lines.n - done);
		if (n < 0 && errno != EINTR)
			die("record.lost", "why=%s", log_q(strerror(errno)));
		done += (size_t)MAX(n, (ssize_t)0);
	}
	strbuf_reset(&record->lines);
}

void record_close(struct record *record)
{
	if (record->fd >= 0) {
		record_flush(record);
		close(record->fd);
	}
	strbuf_free(&record->lines);
}
