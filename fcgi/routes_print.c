/* The route table as JSON: see routes_print.h. */
#include "fcgi/routes_print.h"

#include "common/str.h"
#include "fcgi/put.h"

#include "common/base.h"

/* The words of routes.def, as they stand there. */
static const struct line {
	const char *method, *path, *pool, *who, *scope, *name, *summary;
} lines[] = {
#define ROUTE(method, pattern, pool, who, scope, name, summary)                                    \
	{#method, pattern, #pool, #who, #scope, #name, summary},
#include "fcgi/routes.def"
#undef ROUTE
};

void routes_print(struct strbuf *out)
{
	put_array(out, NULL);
	for (const struct line *line = lines; line < lines + ARRAY_LEN(lines); line++) {
		put_object(out, NULL);
		put_text(out, "method", str_of(line->method));
		put_text(out, "path", str_of(line->path));
		put_text(out, "pool", str_of(line->pool));
		put_text(out, "who", str_of(line->who));
		put_text(out, "scope", str_of(line->scope));
		put_text(out, "name", str_of(line->name));
		put_text(out, "summary", str_of(line->summary));
		put_end(out, '}');
	}
	put_end(out, ']');
	strbuf_putc(out, '\n');
}
