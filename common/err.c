/* Errors as values: see err.h. */
#include <stdio.h>
#include <string.h>

#include "common/err.h"

#include "common/base.h"

static const char *const kind_names[ERR_KIND__N] = {
	[ERR_NONE] = "none",
	[ERR_INPUT] = "bad_request",
	[ERR_AUTH] = "unauthorized",
	[ERR_FORBIDDEN] = "forbidden",
	[ERR_MISSING] = "not_found",
	[ERR_METHOD] = "method_not_allowed",
	[ERR_CONFLICT] = "conflict",
	[ERR_STALE] = "stale",
	[ERR_UNSEEN] = "version_needed",
	[ERR_TOO_LARGE] = "too_large",
	[ERR_LIMIT] = "too_many_requests",
	[ERR_BUSY] = "unavailable",
	[ERR_INTERNAL] = "internal_error",
};

static bool fill(struct err *err, enum err_kind kind, const char *code, const char *fmt, va_list ap)
{
	if (!err)
		return false;
	err->kind = kind;
	err->retry_after_s = 0;
	err->code = code;
	(void)vsnprintf(err->text, sizeof(err->text), fmt, ap);
	return false;
}

bool fail(struct err *err, enum err_kind kind, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	fill(err, kind, NULL, fmt, ap);
	va_end(ap);
	return false;
}

bool fail_code(struct err *err, enum err_kind kind, const char *code, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	fill(err, kind, code, fmt, ap);
	va_end(ap);
	return false;
}

bool fail_context(struct err *err, const char *fmt, ...)
{
	if (!err)
		return false;
	char old[sizeof(err->text)];
	memcpy(old, err->text, sizeof(old));
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n + 2 < sizeof(err->text)) {
		size_t room = sizeof(err->text) - (size_t)n - 3;
		size_t keep = MIN(strlen(old), room);
		memcpy(err->text + n, ": ", 2);
		memcpy(err->text + n + 2, old, keep);
		err->text[(size_t)n + 2 + keep] = '\0';
	}
	return false;
}

const char *err_kind_name(enum err_kind kind)
{
	return kind < ERR_KIND__N ? kind_names[kind] : "unknown";
}
